"""Registering: seal first, one entry per file, the same receipt for the same request, nothing revealed to others."""

from __future__ import annotations

import hashlib
import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from ledger.models import Blob, Certificate, Entry, ImageFile, ImageState, Job, Original, Statement
from ledger.services import originals as service
from ledger.services.blobs import read_blob
from ledger.services.originals import (
    EXISTING,
    REGISTERED,
    REJECTED,
    Registration,
    Upload,
    register_originals,
    rename_original,
    store_pictures,
)
from ledger.tlog import entry
from ledger.tlog.claim_documents import claim_files
from ledger.tlog.claims import parse_claim
from tests.factories import register, register_one
from tests.images import (
    animated_png,
    jpeg_bytes,
    motion_photo_tail,
    png_bytes,
    product_photo,
    webp_bytes,
    zip_bytes,
)

pytestmark = pytest.mark.django_db
PHOTO = jpeg_bytes(product_photo(1, (320, 240)))
OTHER = jpeg_bytes(product_photo(2, (320, 240)))


def send(seller, *uploads: tuple[str, bytes, str], actor=None) -> list[Registration]:
    return register_originals(actor=actor, seller=seller, uploads=[Upload(*upload) for upload in uploads])


def original_of(answer: Registration) -> Original:
    assert answer.original is not None
    return answer.original


# What a receipt stands for ----------------------------------------------------------------------------------------


def test_a_receipt_means_bytes_entry_and_job_are_there(log, seller, alice, assert_log_valid):
    (answer,) = send(seller, ("photo.jpg", PHOTO, ""), actor=alice)
    original = original_of(answer)
    assert (answer.status, answer.sha256) == (REGISTERED, hashlib.sha256(PHOTO).digest())
    assert read_blob(original.image.blob) == PHOTO
    assert original.number == original.statement.number
    assert original.registered_by == alice
    assert Job.objects.get(kind="pictures.analyse").args == {"image_ids": [original.image_id]}
    assert assert_log_valid() == 1


def test_the_claim_names_the_exact_bytes(log, seller):
    original = register_one(seller)
    (file,) = claim_files(parse_claim("image.registered", bytes(original.statement.claim)))
    content = read_blob(original.image.blob)
    assert (file.role, file.sha256, file.size) == ("original", hashlib.sha256(content).digest(), len(content))
    parsed = entry.parse_entry(bytes(original.statement.entry.body))
    assert parsed.claim == entry.claim_hash(parse_claim("image.registered", bytes(original.statement.claim)))


def test_salts_differ_so_equal_files_have_unequal_claims(log, seller, other_seller):
    first, second = register_one(seller), register_one(other_seller)
    assert bytes(first.sha256) == bytes(second.sha256)
    bodies = [entry.parse_entry(bytes(o.statement.entry.body)) for o in (first, second)]
    assert bodies[0].claim != bodies[1].claim
    assert bodies[0].who != bodies[1].who


def test_no_pixel_is_decoded_while_sealing(log, seller):
    register_one(seller)
    image = ImageFile.objects.get()
    assert (image.state, image.width, image.has_thumbnails) == (ImageState.SEALED, None, False)


@pytest.mark.parametrize(("name", "encode"), [("a.jpg", jpeg_bytes), ("a.png", png_bytes), ("a.webp", webp_bytes)])
def test_the_three_formats_are_taken(log, seller, name, encode):
    (answer,) = send(seller, (name, encode(product_photo(5, (64, 64))), ""))
    assert answer.status == REGISTERED


# Again ------------------------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_first_receipt(log, seller, assert_log_valid):
    (first,) = send(seller, ("photo.jpg", PHOTO, "r1"))
    (again,) = send(seller, ("photo.jpg", PHOTO, "r1"))
    assert (first.status, again.status) == (REGISTERED, EXISTING)
    assert original_of(first) == original_of(again)
    assert assert_log_valid() == 1


def test_the_same_file_links_to_the_existing_entry(log, seller, assert_log_valid):
    (first,) = send(seller, ("a.jpg", PHOTO, "r1"))
    (again,) = send(seller, ("b.jpg", PHOTO, "r2"))
    assert (again.status, original_of(again)) == (EXISTING, original_of(first))
    assert assert_log_valid() == 1


def test_a_request_id_that_stands_for_other_bytes_is_refused_by_name(log, seller, assert_log_valid):
    send(seller, ("a.jpg", PHOTO, "r1"))
    (answer,) = send(seller, ("b.jpg", OTHER, "r1"))
    assert (answer.status, answer.code, answer.original) == (REJECTED, "request_id_reused", None)
    assert assert_log_valid() == 1


def test_equal_files_in_one_batch_are_sealed_once(log, seller, assert_log_valid):
    answers = send(seller, ("a.jpg", PHOTO, ""), ("b.jpg", PHOTO, ""), ("c.jpg", OTHER, ""))
    assert [answer.status for answer in answers] == [REGISTERED, EXISTING, REGISTERED]
    assert original_of(answers[0]) == original_of(answers[1])
    assert Blob.objects.count() == 2
    assert assert_log_valid() == 2


def test_one_request_id_for_two_files_of_a_batch_registers_the_first(log, seller):
    answers = send(seller, ("a.jpg", PHOTO, "r"), ("b.jpg", OTHER, "r"))
    assert [(answer.status, answer.code) for answer in answers] == [(REGISTERED, ""), (REJECTED, "request_id_reused")]


# Tenants ----------------------------------------------------------------------------------------------------------


def test_the_same_bytes_of_another_seller_are_an_entry_of_their_own(log, seller, other_seller, assert_log_valid):
    (mine,) = send(seller, ("a.jpg", PHOTO, "r"))
    (theirs,) = send(other_seller, ("a.jpg", PHOTO, "r"))
    assert (mine.status, theirs.status) == (REGISTERED, REGISTERED)
    assert original_of(mine) != original_of(theirs)
    assert original_of(mine).image.blob_id != original_of(theirs).image.blob_id
    assert assert_log_valid() == 2


def test_what_another_seller_has_costs_no_query_less(log, seller, other_seller):
    """Existence must not show in the work done: the same queries whether a rival holds the bytes or not."""
    counts = []
    for content in (PHOTO, OTHER):
        with CaptureQueriesContext(connection) as counter:
            send(seller, ("a.jpg", content, ""))
        counts.append(len(counter))
        send(other_seller, ("x.jpg", OTHER, ""))
    assert counts[0] == counts[1]


def test_rights_are_checked_for_the_seller_named(log, seller, bob, mallory, olga):
    for actor in (bob, mallory):
        with pytest.raises(PermissionDenied):
            send(seller, ("a.jpg", PHOTO, ""), actor=actor)
    assert Entry.objects.count() == 0
    assert send(seller, ("a.jpg", PHOTO, ""), actor=olga)[0].status == REGISTERED


# Refusals ---------------------------------------------------------------------------------------------------------


def test_bad_files_are_named_and_stop_no_other(log, seller, assert_log_valid):
    answers = send(
        seller,
        ("empty.jpg", b"", ""),
        ("good.jpg", PHOTO, ""),
        ("notes.txt", b"hello", ""),
        ("renamed.png", OTHER, ""),
        ("moving.png", animated_png(), ""),
        ("both.jpg", PHOTO + zip_bytes(), ""),
        ("live.jpg", OTHER + motion_photo_tail(), ""),
    )
    assert [(a.file_name, a.code) for a in answers if a.status == REJECTED] == [
        ("empty.jpg", "empty_file"),
        ("notes.txt", "unsupported_type"),
        ("renamed.png", "type_mismatch"),
        ("moving.png", "animated"),
        ("both.jpg", "polyglot"),
    ]
    assert [a.file_name for a in answers if a.status == REGISTERED] == ["good.jpg", "live.jpg"]
    assert Blob.objects.count() == 2  # of a refused file nothing is kept
    assert assert_log_valid() == 2


def test_a_batch_of_refusals_writes_nothing(log, seller):
    send(seller, ("a.txt", b"x", ""), ("b.txt", b"y", ""))
    assert not Entry.objects.exists()
    assert not Job.objects.exists()


def test_nothing_sent_is_nothing_done(log, seller):
    assert send(seller) == []


# Cost -------------------------------------------------------------------------------------------------------------


def test_a_batch_costs_the_same_for_one_file_and_for_thirty(log, seller):
    pictures = [jpeg_bytes(product_photo(seed, (64, 48))) for seed in range(10, 41)]
    with CaptureQueriesContext(connection) as one:
        register(seller, pictures[0])
    with CaptureQueriesContext(connection) as many:
        register(seller, *pictures[1:])
    assert len(many) == len(one)


def test_large_requests_are_cut_into_batches(log, seller, monkeypatch, assert_log_valid):
    monkeypatch.setattr(service, "BATCH_FILES", 4)
    answers = register(seller, *(jpeg_bytes(product_photo(seed, (64, 48))) for seed in range(10, 20)))
    assert [answer.status for answer in answers] == [REGISTERED] * 10
    assert Job.objects.count() == 3
    assert assert_log_valid() == 10


# Crashes ----------------------------------------------------------------------------------------------------------


def _power_cut(*_args, **_kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["append_batches", "enqueue_job"])
def test_a_crash_before_commit_leaves_nothing_acknowledged_and_can_be_repeated(
    log, seller, monkeypatch, assert_log_valid, place
):
    with monkeypatch.context() as patch:
        patch.setattr(service, place, _power_cut)
        with pytest.raises(KeyboardInterrupt):
            send(seller, ("a.jpg", PHOTO, "r1"))
    assert assert_log_valid() == 0
    assert not Blob.objects.exists()
    (answer,) = send(seller, ("a.jpg", PHOTO, "r1"))
    assert answer.status == REGISTERED
    assert read_blob(original_of(answer).image.blob) == PHOTO
    assert assert_log_valid() == 1


def test_a_crash_while_writing_files_leaves_nothing_acknowledged(log, seller, monkeypatch, assert_log_valid):
    with monkeypatch.context() as patch:
        patch.setattr(service, "seal_uploads", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            send(seller, ("a.jpg", PHOTO, "r1"))
    assert assert_log_valid() == 0


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_make_one_entry(log, seller, assert_log_valid):
    answers: list[Registration] = []

    def work() -> None:
        try:
            answers.extend(send(seller, ("a.jpg", PHOTO, "")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [EXISTING, EXISTING, EXISTING, REGISTERED]
    assert len({original_of(answer).pk for answer in answers}) == 1
    assert assert_log_valid() == 1


# The rest ---------------------------------------------------------------------------------------------------------


def test_renaming_changes_the_lists_and_not_the_log(log, seller, alice, assert_log_valid):
    original = register_one(seller)
    before = bytes(original.statement.entry.body)
    rename_original(actor=alice, original=original, title="t" * 300, category="bags")
    original.refresh_from_db()
    assert (original.title, original.category) == ("t" * 255, "bags")
    assert bytes(Entry.objects.get().body) == before
    assert_log_valid()


def test_viewers_cannot_rename(log, seller, bob):
    original = register_one(seller)
    with pytest.raises(PermissionDenied):
        rename_original(actor=bob, original=original, title="mine", category="")


def test_other_pictures_are_sealed_without_an_entry(log, seller):
    (image,) = store_pictures(seller=seller, uploads=[Upload("query.jpg", PHOTO)])
    assert read_blob(image.blob) == PHOTO
    assert not Statement.objects.exists()
    assert not Certificate.objects.exists()


def test_a_long_file_name_keeps_its_end(log, seller):
    (answer,) = send(seller, ("x" * 400 + ".jpg", PHOTO, ""))
    assert original_of(answer).image.file_name.endswith("x.jpg")
    assert len(original_of(answer).image.file_name) == 255
