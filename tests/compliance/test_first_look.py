"""The watch's first look: what it lets through is judged as if it were not there, and what it refuses is never opened."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from compliance.models import GalleryItem, WatchMatch
from compliance.search import glance
from compliance.services.watch import WATCHED, watch_gallery
from ledger.accounts.models import Seller
from ledger.services import blobs
from tests.compliance.listings import SIZE, import_listings, work
from tests.compliance.matches import NORTH, own
from tests.images import brightened, captioned, cropped, flat_picture, jpeg_bytes, mirrored, product_photo, rotated

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
STRANGERS = {f"stranger-{n}": jpeg_bytes(product_photo(n, SIZE)) for n in (21, 22, 23)}


def collage(seed: int) -> Image.Image:
    """The photo as one of four."""
    sheet = Image.new("RGB", (800, 1000), (255, 255, 255))
    for place, number in enumerate((31, 32, seed, 33)):
        sheet.paste(product_photo(number, (400, 500)), ((place % 2) * 400, (place // 2) * 500))
    return sheet


def copies() -> dict[str, bytes]:
    """Pictures made of originals 1 to 4 in several ways."""
    photo = {seed: product_photo(seed, SIZE) for seed in (1, 2, 3, 4)}
    made = {
        "mirrored": captioned(mirrored(photo[1])),
        "tilted": rotated(photo[2], 8),
        "cropped": cropped(photo[3], 0.15),
        "turned": photo[4].transpose(Image.Transpose.ROTATE_90),
        "brighter": brightened(photo[1], 1.3),
        "collage": collage(2),
    }
    same = {"same file": jpeg_bytes(photo[3])}
    return same | {name: jpeg_bytes(image, quality=70) for name, image in made.items()}


def measured(seller: Seller) -> dict[str, Any]:
    """What the watch says of each listing, everything that is stored of it."""
    rows = WatchMatch.objects.of(seller).select_related("listing_image__listing").order_by("pk")
    return {
        row.listing_image.listing.product_id: (
            row.original_id,
            row.score_milli,
            row.verdict,
            row.transform,
            row.evidence,
        )
        for row in rows
    }


def start_again(seller: Seller) -> None:
    WatchMatch.objects.of(seller).delete()
    GalleryItem.objects.of(seller).update(watched=0)


def show(seller: Seller) -> None:
    pictures = copies() | STRANGERS
    rows = [{"product_id": name, "image": name, **NORTH} for name in pictures]
    import_listings(seller, *rows, pictures=pictures)
    work()


def test_matches_are_those_of_the_full_search_and_strangers_are_not_opened(seller, monkeypatch):
    own(seller, 1, 2, 3, 4)
    show(seller)
    strangers = GalleryItem.objects.of(seller).filter(listing_image__listing__product_id__in=STRANGERS)
    for item in strangers.select_related("image__blob"):
        blobs._path(item.image.blob).unlink()  # what was made of it at import stays
    watch_gallery(seller=seller)
    found = measured(seller)
    assert found.keys() == copies().keys()
    assert {item.watched for item in strangers.all()} == {WATCHED}
    start_again(seller)
    monkeypatch.setattr(glance, "FEWEST_SPOTS", 10_000)  # too plain to be refused: all are searched for
    watch_gallery(seller=seller)
    assert measured(seller) == found


def test_a_new_original_finds_what_the_full_search_finds(seller):
    own(seller, 9)
    show(seller)
    watch_gallery(seller=seller)
    assert measured(seller) == {}
    own(seller, 1, 2, 3, 4)
    watch_gallery(seller=seller)
    late = measured(seller)
    start_again(seller)
    watch_gallery(seller=seller)
    assert late == measured(seller)
    assert late.keys() == copies().keys()


def test_a_picture_too_plain_to_have_features_is_searched_for(seller):
    """Its pixels may still be those of an original, and no spot of it could say so."""
    plain = jpeg_bytes(flat_picture((240, 240, 240)))
    own(seller, 1)
    import_listings(seller, {"product_id": "P1", "image": "1.jpg", **NORTH}, pictures={"1.jpg": plain})
    work()
    item = GalleryItem.objects.of(seller).get(original=None)
    blobs._path(item.image.blob).unlink()
    watch_gallery(seller=seller)
    item.refresh_from_db()
    assert item.watched < 0
