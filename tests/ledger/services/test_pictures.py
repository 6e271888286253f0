"""Analysing sealed pictures: everything is derived, running it twice changes nothing, trouble has a name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.models import Fingerprint, ImageFile, ImageState, Job, JobState
from ledger.services.blobs import write_part
from ledger.services.pictures import analyse_pictures, sweep_pictures, thumbnail
from ledger.signals import pictures_analysed
from tests.factories import analyse_all, register, register_one
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db


def image_of(seller, content: bytes) -> ImageFile:
    (answer,) = register(seller, content)
    assert answer.original is not None
    return answer.original.image


@pytest.fixture
def heard():
    news: list[tuple[int, list[int]]] = []

    def hear(sender, seller_id, image_ids, **_kwargs):
        news.append((seller_id, image_ids))

    pictures_analysed.connect(hear)
    yield news
    pictures_analysed.disconnect(hear)


def test_a_ready_picture_has_size_fingerprints_previews_and_metadata(log, seller):
    image = image_of(seller, jpeg_bytes(product_photo(1, (800, 600)), exif=exif_bytes()))
    analyse_all()
    image.refresh_from_db()
    assert (image.state, image.width, image.height, image.error_code) == (ImageState.READY, 800, 600, "")
    assert {row.algorithm for row in Fingerprint.objects.filter(image=image)} == {"phash64", "dhash64"}
    assert image.metadata["camera_make"] == "Kestrel"
    assert len(bytes(image.pixel_sha256 or b"")) == 32
    for size in (320, 1024):
        preview = thumbnail(image, size)
        assert preview is not None
        assert preview[:4] == b"RIFF"
        assert b"Kestrel" not in preview


def test_place_and_serial_numbers_are_kept_apart(log, seller):
    image = image_of(seller, jpeg_bytes(product_photo(1, (64, 64)), exif=exif_bytes(gps=(31.2, 121.5))))
    analyse_all()
    image.refresh_from_db()
    assert image.private_metadata["latitude"] is not None
    assert "latitude" not in image.metadata


def test_a_small_photo_is_accepted_and_flagged(log, seller):
    image = image_of(seller, jpeg_bytes(product_photo(1, (599, 900))))
    analyse_all()
    image.refresh_from_db()
    assert image.state == ImageState.READY
    assert "too_small" in image.flags


def test_analysing_twice_changes_nothing(log, seller, heard):
    image = image_of(seller, jpeg_bytes(product_photo(1, (64, 64))))
    analyse_all()
    before = ImageFile.objects.filter(pk=image.pk).values().get()
    codes = list(Fingerprint.objects.order_by("pk").values())
    assert analyse_pictures(image_ids=[image.pk]) == 0
    assert ImageFile.objects.filter(pk=image.pk).values().get() == before
    assert list(Fingerprint.objects.order_by("pk").values()) == codes
    assert heard == [(seller.pk, [image.pk])]


def test_a_killed_analysis_is_simply_run_again(log, seller, heard):
    """State is what says that it is done: with rows of a half finished run there, the second run completes them."""
    image = image_of(seller, jpeg_bytes(product_photo(1, (64, 64))))
    analyse_all()
    codes = {row.algorithm: bytes(row.value) for row in Fingerprint.objects.all()}
    ImageFile.objects.update(state=ImageState.SEALED, width=None, has_thumbnails=False)
    analyse_all()
    assert {row.algorithm: bytes(row.value) for row in Fingerprint.objects.all()} == codes
    assert ImageFile.objects.get(pk=image.pk).state == ImageState.READY


def test_what_cannot_be_decoded_stays_sealed_and_is_flagged(log, seller):
    image = image_of(seller, jpeg_bytes(product_photo(1, (640, 480)))[:9000])
    fine = image_of(seller, jpeg_bytes(product_photo(2, (64, 64))))
    assert analyse_pictures(image_ids=[image.pk, fine.pk]) == 1
    image.refresh_from_db()
    fine.refresh_from_db()
    assert (image.state, image.error_code) == (ImageState.UNDECODABLE, "corrupt_image")
    assert fine.state == ImageState.READY
    assert thumbnail(image, 320) is None


def test_a_damaged_stored_file_is_named_as_such(log, seller, settings):
    image = image_of(seller, jpeg_bytes(product_photo(1, (64, 64))))
    for path in (settings.DATA_DIR / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    analyse_all()
    image.refresh_from_db()
    assert (image.state, image.error_code) == (ImageState.UNDECODABLE, "blob_unreadable")


def test_news_go_to_each_seller_with_their_own(log, seller, other_seller, heard):
    mine, theirs = register_one(seller), register_one(other_seller)
    analyse_pictures(image_ids=[mine.image_id, theirs.image_id])
    assert sorted(heard) == sorted([(seller.pk, [mine.image_id]), (other_seller.pk, [theirs.image_id])])


def test_a_lost_preview_is_no_error(log, seller, settings):
    image = register_one(seller, analyse=True).image
    for path in (settings.DATA_DIR / "blobs").rglob("*.thumb-s"):
        path.unlink()
    assert thumbnail(image, 320) is None
    assert thumbnail(image, 1024) is not None


def test_a_damaged_preview_is_no_error(log, seller, settings):
    image = register_one(seller, analyse=True).image
    write_part(image.blob, "thumb-s", b"RIFF")
    (path,) = (settings.DATA_DIR / "blobs").rglob("*.thumb-s")
    path.write_bytes(b"garbage")
    assert thumbnail(image, 320) is None


def test_the_sweep_finds_what_no_job_looks_after(log, seller):
    image = image_of(seller, jpeg_bytes(product_photo(1, (64, 64))))
    Job.objects.update(state=JobState.DEAD)
    assert sweep_pictures() == 0  # too young: its own job may still come
    ImageFile.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert sweep_pictures() == 1
    assert Job.objects.filter(state=JobState.QUEUED, args={"image_ids": [image.pk]}).exists()
    assert sweep_pictures() == 0  # that job looks after it now


def test_progress_is_told(log, seller):
    images = [image_of(seller, jpeg_bytes(product_photo(seed, (64, 64)))) for seed in (1, 2)]
    told: list[tuple[int, int]] = []
    analyse_pictures(image_ids=[image.pk for image in images], progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
