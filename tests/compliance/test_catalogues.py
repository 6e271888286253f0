"""Importing catalogues: what is taken, what is named and left, what a second run does, and who may."""

from __future__ import annotations

import json
from collections.abc import Generator
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from compliance.models import Catalogue, Gallery, Listing, ListingImage
from compliance.services import catalogues
from compliance.services.catalogues import (
    PictureIsAddressError,
    PictureNotFoundError,
    PictureOutsideError,
    PictureUnavailableError,
    find_or_create_catalogue,
    folder_reader,
    import_rows,
)
from ledger.error_texts import TEXTS
from ledger.models import Blob, Entry, ImageFile, ImageState, Job
from ledger.services.blobs import read_blob
from tests.compliance.listings import feed_bytes, feed_of, import_listings, photo, work
from tests.images import zip_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
PICTURES = {f"{number}.jpg": photo(number) for number in (1, 2, 3)}
FIRST = {"product_id": "P1", "image": "1.jpg", "title": "Red", "category": "shoes", "listed_at": "2026-05-01"}
SECOND = {"product_id": "P2", "image": "2.jpg", "title": "Blue", "category": "", "listed_at": ""}


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]


def codes(outcomes) -> list[str]:
    return [outcome.code for outcome in outcomes]


def test_a_feed_becomes_listings_with_sealed_pictures(seller, alice):
    outcomes = import_listings(seller, FIRST, SECOND, pictures=PICTURES, actor=alice)
    assert statuses(outcomes) == ["imported", "imported"]
    listing = Listing.objects.get(product_id="P1")
    picture = listing.images.get()
    assert (listing.title, listing.category, listing.seller, listing.catalogue.imported_by) == (
        "Red",
        "shoes",
        seller,
        alice,
    )
    assert read_blob(picture.image.blob) == PICTURES["1.jpg"]
    assert (picture.image.state, picture.image.file_name) == (ImageState.SEALED, "1.jpg")
    assert not Entry.objects.exists()  # somebody else's pictures are no originals of ours


def test_the_pictures_join_the_search_when_they_are_analysed(seller):
    import_listings(seller, FIRST, SECOND, pictures=PICTURES)
    work()
    assert ListingImage.objects.filter(gallery_item__deleted=False, image__state=ImageState.READY).count() == 2


def test_rows_with_one_product_id_are_pictures_of_one_listing(seller):
    import_listings(seller, FIRST, FIRST | {"image": "2.jpg"}, pictures=PICTURES)
    assert Listing.objects.get().images.count() == 2


def test_the_same_picture_in_two_listings_is_kept_for_each(seller):
    outcomes = import_listings(seller, FIRST, SECOND | {"image": "1.jpg"}, pictures=PICTURES)
    assert statuses(outcomes) == ["imported", "imported"]
    assert ListingImage.objects.count() == Blob.objects.count() == 2


def test_a_second_run_changes_nothing(seller):
    rows = [FIRST, SECOND, FIRST | {"image": "3.jpg"}]
    import_listings(seller, *rows, pictures=PICTURES)
    work()
    before = [model.objects.count() for model in (Listing, ListingImage, ImageFile, Blob, Job, Catalogue)]
    generation = Gallery.objects.get(seller=seller).generation
    seen = Listing.objects.get(product_id="P1").last_seen
    assert statuses(import_listings(seller, *rows, pictures=PICTURES)) == ["unchanged"] * 3
    assert [model.objects.count() for model in (Listing, ListingImage, ImageFile, Blob, Job, Catalogue)] == before
    assert Gallery.objects.get(seller=seller).generation == generation
    assert Listing.objects.get(product_id="P1").last_seen > seen


def test_a_picture_twice_in_a_feed_is_sealed_once(seller):
    assert statuses(import_listings(seller, FIRST, FIRST, pictures=PICTURES)) == ["imported", "unchanged"]
    assert Blob.objects.count() == 1


def test_a_later_feed_updates_facts_and_adds_pictures(seller):
    import_listings(seller, FIRST, SECOND, pictures=PICTURES)
    later = import_listings(
        seller, FIRST | {"title": "Dark red"}, SECOND, SECOND | {"image": "3.jpg"}, pictures=PICTURES
    )
    assert statuses(later) == ["updated", "unchanged", "imported"]
    assert Listing.objects.get(product_id="P1").title == "Dark red"


def test_all_rows_of_a_changed_listing_say_so(seller, monkeypatch):
    rows = [FIRST, FIRST | {"image": "2.jpg"}]
    import_listings(seller, *rows, pictures=PICTURES)
    monkeypatch.setattr(catalogues, "BATCH_FILES", 1)
    again = import_listings(seller, *[row | {"title": "New"} for row in rows], pictures=PICTURES)
    assert statuses(again) == ["updated", "updated"]


def test_a_column_that_is_missing_leaves_what_is_known(seller):
    import_listings(seller, FIRST, pictures=PICTURES)
    import_listings(seller, {"product_id": "P1", "image": "1.jpg"}, pictures=PICTURES)
    assert Listing.objects.get().title == "Red"


def test_an_empty_cell_empties_the_fact(seller):
    import_listings(seller, FIRST | {"delisted_at": "2026-06-01"}, pictures=PICTURES)
    assert statuses(import_listings(seller, FIRST | {"delisted_at": ""}, pictures=PICTURES)) == ["updated"]
    assert Listing.objects.get().delisted_at is None


def test_a_fact_that_filters_use_makes_every_process_read_again(seller):
    import_listings(seller, FIRST, pictures=PICTURES)
    work()
    before = Gallery.objects.get(seller=seller).generation
    import_listings(seller, FIRST | {"title": "Only the title"}, pictures=PICTURES)
    assert Gallery.objects.get(seller=seller).generation == before
    import_listings(seller, FIRST | {"listed_at": "2026-06-01"}, pictures=PICTURES)
    assert Gallery.objects.get(seller=seller).generation == before + 1


def test_what_cannot_be_taken_is_named_and_the_rest_goes_on(seller):
    pictures = PICTURES | {"broken.jpg": b"nothing", "archive.jpg": zip_bytes(), "empty.jpg": b""}
    rows = [
        SECOND | {"image": "missing.jpg"},
        SECOND | {"image": "broken.jpg"},
        SECOND | {"image": "archive.jpg"},
        SECOND | {"image": "empty.jpg"},
        SECOND | {"listed_at": "soon"},
        FIRST,
    ]
    outcomes = import_listings(seller, *rows, pictures=pictures)
    assert statuses(outcomes) == ["rejected"] * 5 + ["imported"]
    assert codes(outcomes) == [
        "feed.picture_not_found",
        "unsupported_type",
        "unsupported_type",
        "empty_file",
        "feed.bad_date",
        "",
    ]
    assert [listing.product_id for listing in Listing.objects.all()] == ["P1"]
    assert all(code in TEXTS for code in codes(outcomes) if code)


def test_a_remark_is_passed_on_with_the_row(seller):
    (outcome,) = import_listings(seller, FIRST | {"shop_country": "Chine"}, pictures=PICTURES)
    assert (outcome.status, outcome.code) == ("imported", "feed.bad_country")


def test_what_was_reported_before_a_stop_is_kept_and_a_rerun_finishes(seller, monkeypatch):
    monkeypatch.setattr(catalogues, "BATCH_FILES", 1)
    rows = [FIRST, SECOND, {"product_id": "P3", "image": "3.jpg"}]
    catalogue = find_or_create_catalogue(actor=None, seller=seller, name="feed")
    outcomes = import_rows(actor=None, catalogue=catalogue, feed=feed_of(*rows), read_picture=PICTURES.__getitem__)
    assert isinstance(outcomes, Generator)
    next(outcomes)
    outcomes.close()
    assert ListingImage.objects.count() == 1
    assert statuses(import_listings(seller, *rows, pictures=PICTURES)) == ["unchanged", "imported", "imported"]
    work()
    assert ImageFile.objects.filter(state=ImageState.READY).count() == 3


def test_a_crash_within_a_batch_leaves_nothing_of_it_and_a_rerun_works(seller):
    def read(name: str) -> bytes:
        if name == "2.jpg":
            raise MemoryError
        return PICTURES[name]

    catalogue = find_or_create_catalogue(actor=None, seller=seller, name="feed")
    with pytest.raises(MemoryError):
        list(import_rows(actor=None, catalogue=catalogue, feed=feed_of(FIRST, SECOND), read_picture=read))
    assert [model.objects.count() for model in (Listing, ListingImage, Blob)] == [0, 0, 0]
    assert statuses(import_listings(seller, FIRST, SECOND, pictures=PICTURES)) == ["imported", "imported"]


def test_another_seller_may_have_the_same_feed(seller, other_seller):
    import_listings(seller, FIRST, pictures=PICTURES)
    assert statuses(import_listings(other_seller, FIRST, pictures=PICTURES)) == ["imported"]
    assert Listing.objects.of(seller).count() == Listing.objects.of(other_seller).count() == 1


@pytest.mark.parametrize("role", ["olga", "bob", "mallory"])
def test_only_managers_import(request, seller, role):
    with pytest.raises(PermissionDenied):
        import_listings(seller, FIRST, pictures=PICTURES, actor=request.getfixturevalue(role))


def test_an_ip_manager_imports(seller, ivan):
    assert statuses(import_listings(seller, FIRST, pictures=PICTURES, actor=ivan)) == ["imported"]


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(seller):
    def cost(*rows) -> int:
        with CaptureQueriesContext(connection) as queries:
            import_listings(seller, *rows, pictures=PICTURES, name=f"feed of {len(rows)}")
        return len(queries)

    one = cost(FIRST)
    assert cost(FIRST, SECOND, FIRST | {"image": "3.jpg"}) == one


# Pictures in a folder -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.jpg").write_bytes(b"not yours")
    inside = tmp_path / "pictures"
    (inside / "sub").mkdir(parents=True)
    (inside / "1.jpg").write_bytes(PICTURES["1.jpg"])
    (inside / "sub" / "2.jpg").write_bytes(PICTURES["2.jpg"])
    (inside / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (inside / "away").symlink_to(tmp_path)
    (inside / "circle").symlink_to(inside / "circle")
    return inside


def test_pictures_are_read_from_the_folder_and_below(folder):
    read = folder_reader(folder)
    assert read("1.jpg") == PICTURES["1.jpg"]
    assert read("sub/2.jpg") == read("./sub/../sub/2.jpg") == PICTURES["2.jpg"]


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "sub/../../secret.jpg", "link.jpg", "away/secret.jpg", "/etc/hostname", "..", "."]
)
def test_no_name_leads_out_of_the_folder(folder, name):
    with pytest.raises((PictureOutsideError, PictureNotFoundError)):
        folder_reader(folder)(name)


def test_a_path_out_is_told_from_a_missing_file(folder):
    read = folder_reader(folder)
    with pytest.raises(PictureOutsideError):
        read("../secret.jpg")
    for name in ("nothing.jpg", "sub", "circle", "a\0b", "x" * 300):
        with pytest.raises(PictureNotFoundError):
            read(name)


@pytest.mark.parametrize("name", ["https://shop.example/1.jpg", "HTTP://shop.example/1.jpg", "//cdn.example/1.jpg"])
def test_nothing_is_fetched(folder, name):
    with pytest.raises(PictureIsAddressError):
        folder_reader(folder)(name)


def test_every_reason_has_words():
    assert {kind.code for kind in PictureUnavailableError.__subclasses__()} <= TEXTS.keys()


# The command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def feed_file(folder: Path) -> Path:
    path = folder.parent / "spring.csv"
    path.write_bytes(feed_bytes(FIRST, SECOND | {"image": "sub/2.jpg"}, SECOND | {"image": "../secret.jpg"}))
    return path


def run_command(*words: str | Path) -> tuple[list[str], str]:
    out, err = StringIO(), StringIO()
    call_command("import_catalogue", *map(str, words), stdout=out, stderr=err)
    return out.getvalue().splitlines(), err.getvalue()


def test_the_command_says_one_json_line_per_row(seller, folder, feed_file):
    lines, _err = run_command(feed_file, "--images", folder, "--seller", seller.slug, "--json")
    assert [json.loads(line) for line in lines] == [
        {"row": 1, "product_id": "P1", "status": "imported", "code": ""},
        {"row": 2, "product_id": "P2", "status": "imported", "code": ""},
        {"row": 3, "product_id": "P2", "status": "rejected", "code": "feed.picture_outside"},
    ]
    assert Catalogue.objects.get().name == "spring"


def test_the_command_names_refused_rows_and_sums_up(seller, folder, feed_file):
    lines, _err = run_command(feed_file, "--images", folder, "--seller", seller.slug, "--name", "Spring 2026")
    assert lines[0].startswith("row 3 (P2) rejected:")
    assert lines[-1] == "Spring 2026: 2 imported, 1 rejected"


def test_the_command_makes_a_missing_seller_and_says_so(log, folder, feed_file):
    _lines, err = run_command(feed_file, "--images", folder, "--seller", "newcomer", "--json")
    assert "newcomer did not exist and was made" in err
    assert Listing.objects.filter(seller__slug="newcomer").count() == 2


@pytest.mark.parametrize("wrong", ["no such.csv", "bad.csv"])
def test_the_command_explains_a_file_it_cannot_take(seller, folder, wrong):
    (folder / "bad.csv").write_bytes(b"name,price\n")
    with pytest.raises(CommandError, match=wrong):
        run_command(folder / wrong, "--images", folder, "--seller", seller.slug)


def test_the_command_needs_the_folder(seller, feed_file):
    with pytest.raises(CommandError, match="not a folder"):
        run_command(feed_file, "--images", feed_file, "--seller", seller.slug)


def test_the_counts_on_the_row_are_those_of_the_tables(seller):
    for rows in ([FIRST, SECOND], [FIRST, FIRST | {"image": "3.jpg"}], [SECOND | {"image": "missing.jpg"}], [FIRST]):
        import_listings(seller, *rows, pictures=PICTURES)
    catalogue = Catalogue.objects.get()
    assert (catalogue.listing_count, catalogue.picture_count) == (2, 3)
    assert (Listing.objects.count(), ListingImage.objects.count()) == (2, 3)
