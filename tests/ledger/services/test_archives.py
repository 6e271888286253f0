"""Registering a ZIP: refused before it is unpacked, or registered file by file; killed and run again it adds nothing."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from django.core.exceptions import PermissionDenied

from ledger.admission import archives as gate
from ledger.models import Blob, Entry, Job, JobState, Original
from ledger.services import archives
from ledger.services.archives import enqueue_zip, open_archive, pictures_in, register_zip
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import run_job
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db

PHOTOS = {f"shoot/photo-{n}.jpg": jpeg_bytes(product_photo(n, (64, 48))) for n in range(3)}


def pack(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def register(seller, actor, content: bytes, **options) -> Job:
    job = enqueue_zip(actor=actor, seller=seller, name="shoot.zip", content=content, **options)
    run_job(job.pk)
    return Job.objects.get(pk=job.pk)


def refusal(content: bytes) -> str:
    with pytest.raises(JobError) as raised:
        open_archive(content).close()
    return raised.value.code


# The whole way ----------------------------------------------------------------------------------------------------


def test_every_picture_becomes_an_original(log, seller, alice, assert_log_valid):
    job = register(seller, alice, pack(PHOTOS), category="bags")
    assert (job.state, job.result["counts"], job.result["failures"]) == (
        JobState.DONE,
        {"registered": 3, "rejected": 0},
        [],
    )
    assert sorted(o.image.file_name for o in Original.objects.all()) == ["photo-0.jpg", "photo-1.jpg", "photo-2.jpg"]
    assert {o.category for o in Original.objects.all()} == {"bags"}
    assert {o.registered_by for o in Original.objects.all()} == {alice}
    assert assert_log_valid() == 3


def test_what_is_refused_is_named_by_its_path_and_the_rest_goes_on(log, seller, alice, assert_log_valid):
    job = register(seller, alice, pack({"a/notes.txt": b"hello", **PHOTOS, "b/empty.jpg": b""}))
    assert job.state == JobState.DONE
    assert [(row["file"], row["code"]) for row in job.result["failures"]] == [
        ("a/notes.txt", "unsupported_type"),
        ("b/empty.jpg", "empty_file"),
    ]
    assert job.result["counts"] == {"registered": 3, "rejected": 2}
    assert assert_log_valid() == 3


def test_a_damaged_member_is_named_and_the_rest_goes_on(log, seller, alice):
    content = bytearray(pack(PHOTOS))
    content[content.index(b"shoot/photo-1.jpg") + 400] ^= 0xFF
    job = register(seller, alice, bytes(content))
    assert [(row["file"], row["code"]) for row in job.result["failures"]] == [
        ("shoot/photo-1.jpg", "zip_member_damaged")
    ]
    assert job.result["counts"] == {"registered": 2, "rejected": 1}


def test_system_litter_is_not_mentioned(log, seller, alice):
    litter = {"__MACOSX/._photo-0.jpg": b"x", "shoot/.DS_Store": b"x", "shoot/Thumbs.db": b"x", "desktop.ini": b"x"}
    job = register(seller, alice, pack({**litter, **PHOTOS}))
    assert job.result["counts"] == {"registered": 3, "rejected": 0}


def test_killed_and_run_again_it_adds_nothing(log, seller, alice, monkeypatch, assert_log_valid):
    monkeypatch.setattr(archives, "BATCH_FILES", 1)
    job = enqueue_zip(actor=alice, seller=seller, name="shoot.zip", content=pack(PHOTOS))
    killed = iter([None, KeyboardInterrupt])
    with monkeypatch.context() as patch:
        patch.setattr(JobContext, "cancelled", lambda self: False)
        patch.setattr(JobContext, "progress", lambda *a: _stop(next(killed)))
        with pytest.raises(KeyboardInterrupt):
            register_zip(JobContext(job), **job.args)
    entries = Entry.objects.count()
    assert entries == 2  # the third was never begun
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE
    assert sum(job.result["counts"].values()) == 3
    assert job.result["counts"]["existing"] == entries
    assert assert_log_valid() == 3


def _stop(error) -> None:
    if error is not None:
        raise error


def test_cancelling_keeps_what_is_done(log, seller, alice, monkeypatch):
    monkeypatch.setattr(archives, "BATCH_FILES", 1)
    job = enqueue_zip(actor=alice, seller=seller, name="shoot.zip", content=pack(PHOTOS))
    monkeypatch.setattr(JobContext, "cancelled", lambda self: True)
    result = register_zip(JobContext(job), **job.args)
    assert result["counts"] == {"registered": 1, "rejected": 0}
    assert Original.objects.count() == 1


def test_the_same_request_gives_the_first_job(log, seller, alice):
    first = register(seller, alice, pack(PHOTOS), request_id="r1")
    again = enqueue_zip(actor=alice, seller=seller, name="x.zip", content=pack(PHOTOS), request_id="r1")
    assert again == first
    assert Job.objects.filter(kind="originals.register_zip").count() == 1


def test_a_request_of_another_seller_is_another_job(log, seller, alice, other_seller, mallory):
    first = register(seller, alice, pack(PHOTOS), request_id="r1")
    assert enqueue_zip(actor=mallory, seller=other_seller, name="x", content=pack(PHOTOS), request_id="r1") != first


def test_viewers_cannot(log, seller, bob):
    with pytest.raises(PermissionDenied):
        enqueue_zip(actor=bob, seller=seller, name="x.zip", content=pack(PHOTOS))
    assert not Blob.objects.exists()


def test_an_archive_that_is_gone_is_named(log, seller, alice, settings):
    job = enqueue_zip(actor=alice, seller=seller, name="x.zip", content=pack(PHOTOS))
    for path in (settings.DATA_DIR / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.FAILED, "blob_unreadable")


# Names are labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"),
    [("shoot\\b.jpg", "b.jpg"), ("./a.jpg", "a.jpg"), ("照片/新品-01.jpg", "新品-01.jpg")],
)
def test_a_name_is_a_label_only(log, seller, alice, settings, name, label):
    before = {path for path in settings.DATA_DIR.parent.rglob("*") if path.name.endswith(".jpg")}
    register(seller, alice, pack({name: PHOTOS["shoot/photo-0.jpg"]}))
    assert Original.objects.get().image.file_name == label
    assert {path for path in settings.DATA_DIR.parent.rglob("*") if path.name.endswith(".jpg")} == before


@pytest.mark.parametrize(
    "name",
    ["../../etc/cron.d/evil.jpg", "/absolute/evil.jpg", "..\\..\\evil.jpg", "C:\\evil.jpg", "a/b\x07\x1b[31m.jpg"],
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    assert refusal(pack({name: PHOTOS["shoot/photo-0.jpg"]})) == "unsafe_path"


def test_chinese_names_of_old_programs_are_read_as_meant(log, seller, alice):
    placeholder = "xxxxxx.jpg"
    content = pack({placeholder: PHOTOS["shoot/photo-0.jpg"]}).replace(
        placeholder.encode(), "主图一".encode("gb18030") + b".jpg"
    )
    register(seller, alice, content)
    assert Original.objects.get().image.file_name == "主图一.jpg"


# Refused before anything is unpacked ------------------------------------------------------------------------------


def test_no_archive_at_all():
    assert refusal(b"PK\x03\x04 and then nothing") == "corrupt_zip"


def test_every_cut_of_an_archive_is_refused_or_complete():
    whole = pack(PHOTOS)
    for end in range(0, len(whole), 97):
        assert refusal(whole[:end]) in ("corrupt_zip", "zip_empty")


@pytest.mark.parametrize("files", [{}, {"__MACOSX/x": b"1"}, {"folder/": b""}])
def test_an_archive_without_files(files):
    assert refusal(pack(files)) == "zip_empty"


def test_a_password():
    content = bytearray(pack(PHOTOS))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + place] |= 1
    assert refusal(bytes(content)) == "encrypted"


@pytest.mark.parametrize("name", ["more.zip", "deep/old.RAR", "x.7z", "x.tar.gz"])
def test_an_archive_inside(name):
    assert refusal(pack({**PHOTOS, name: b"PK"})) == "zip_nested"


def test_too_many_files():
    assert refusal(pack({f"{n}.jpg": b"" for n in range(2001)})) == "zip_too_many"
    assert len(pictures_in(open_archive(pack({f"{n}.jpg": b"" for n in range(2000)})))) == 2000


def test_a_directory_of_millions_is_refused_without_reading_it(monkeypatch):
    record = struct.pack("<4s42x", b"PK\x01\x02")
    content = record * 200_000 + struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, len(record) * 200_000, 0, 0
    )
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refusal(content) == "zip_too_many"


def test_a_file_that_unpacks_to_far_more():
    assert refusal(pack({"flat.jpg": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)) == "zip_ratio"


def test_more_than_two_gibibytes_in_all(monkeypatch):
    monkeypatch.setattr(gate, "MAX_UNPACKED_BYTES", sum(map(len, PHOTOS.values())) - 1)
    assert refusal(pack(PHOTOS)) == "zip_too_large"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_may_ask_for_much_memory(method):
    assert refusal(pack(PHOTOS, method)) == "unsupported_member"


def test_one_name_twice():
    assert refusal(pack({"a.jpg": b"1", "b.jpg": b"2"}).replace(b"b.jpg", b"a.jpg")) == "duplicate_member"


def test_names_that_differ_by_capitals_only():
    assert refusal(pack({"A.jpg": b"1", "a.jpg": b"2"})) == "duplicate_member"


def test_files_that_overlap():
    content = bytearray(pack({"a.jpg": b"1" * 500, "b.jpg": b"2" * 500}))
    second = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, second + 42, 20)  # the second file starts inside the first
    assert refusal(bytes(content)) == "zip_overlap"


def test_a_size_that_lies_is_cut_at_what_was_declared(log, seller, alice):
    """Both headers say 10 bytes; more is never unpacked, and the checksum no longer fits."""
    content = bytearray(pack({"a.jpg": bytes(1000)}, zipfile.ZIP_DEFLATED))
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 10)
    struct.pack_into("<I", content, 22, 10)
    job = register(seller, alice, bytes(content))
    assert job.result["failures"][0]["code"] in ("zip_member_damaged", "unsupported_type")
    assert not Original.objects.exists()


def test_nothing_is_kept_of_a_refused_archive(log, seller, alice):
    with pytest.raises(JobError):
        enqueue_zip(actor=alice, seller=seller, name="x.zip", content=pack({"in.zip": b"PK"}))
    assert not Blob.objects.exists()
    assert not Job.objects.exists()
