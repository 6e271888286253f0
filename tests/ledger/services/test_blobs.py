"""Encrypted files: exact bytes back, every change noticed, gone once the key is."""

from __future__ import annotations

import io
import os
import time

import pytest

from ledger.models import Blob
from ledger.services.blobs import (
    BlobUnreadableError,
    open_blob,
    read_blob,
    read_part,
    seal_files,
    seal_large_upload,
    write_part,
)
from ledger.services.room import NoRoomError

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed(log, seller) -> Blob:
    (blob,) = seal_files(seller=seller, contents=[b"the exact bytes"])
    blob.save(force_insert=True)
    return blob


def stored(settings) -> list:
    return sorted(path for path in (settings.DATA_DIR / "blobs").rglob("*") if path.is_file())


def test_exact_bytes_come_back(log, seller):
    contents = [b"", b"\x00", b"x" * 100_000]
    assert [read_blob(blob) for blob in seal_files(seller=seller, contents=contents)] == contents


def test_nothing_readable_is_on_the_disk(sealed, settings):
    (path,) = stored(settings)
    assert b"exact" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_equal_files_of_two_sellers_share_nothing(log, seller, other_seller, settings):
    seal_files(seller=seller, contents=[b"same"])
    seal_files(seller=other_seller, contents=[b"same"])
    first, second = stored(settings)
    assert first.parts[-3] != second.parts[-3]
    assert first.read_bytes() != second.read_bytes()


def test_every_damaged_byte_is_noticed(sealed, settings):
    (path,) = stored(settings)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BlobUnreadableError):
            read_blob(sealed)
    for end in (0, 3, 15, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(BlobUnreadableError):
            read_blob(sealed)


def test_a_missing_file_is_named(sealed, settings):
    (path,) = stored(settings)
    path.unlink()
    with pytest.raises(BlobUnreadableError, match="missing"):
        read_blob(sealed)


def test_swapped_files_are_noticed(log, seller, settings):
    one, two = seal_files(seller=seller, contents=[b"one", b"two"])
    first, second = stored(settings)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    for blob in (one, two):
        with pytest.raises(BlobUnreadableError, match="changed"):
            read_blob(blob)


def test_a_row_with_another_rows_key_reads_nothing(log, seller):
    one, two = seal_files(seller=seller, contents=[b"one", b"two"])
    one.wrapped_key = two.wrapped_key
    with pytest.raises(BlobUnreadableError):
        read_blob(one)


def test_parts_cannot_stand_in_for_each_other(sealed, settings):
    write_part(sealed, "thumb-s", b"small")
    write_part(sealed, "thumb-l", b"large")
    paths = {path.suffix: path for path in stored(settings)}
    paths[".thumb-s"].write_bytes(paths[".thumb-l"].read_bytes())
    with pytest.raises(BlobUnreadableError):
        read_part(sealed, "thumb-s")
    assert read_part(sealed, "thumb-l") == b"large"


def test_destroying_the_key_erases_the_object_and_what_was_made_of_it(sealed):
    write_part(sealed, "thumb-s", b"small")
    sealed.wrapped_key = b""
    sealed.save()
    again = Blob.objects.get(pk=sealed.pk)
    for part in ("", "thumb-s"):
        with pytest.raises(BlobUnreadableError, match="destroyed"):
            read_part(again, part)
    with pytest.raises(BlobUnreadableError):
        write_part(again, "thumb-s", b"again")


def test_another_storage_key_opens_nothing(sealed, settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "other"
    settings.KEYS_DIR.mkdir()
    (settings.KEYS_DIR / "storage.key").write_text("11" * 32)
    with pytest.raises(BlobUnreadableError):
        read_blob(sealed)


def test_a_write_that_fails_leaves_nothing_half_written(log, seller, settings, monkeypatch):
    monkeypatch.setattr(os, "fsync", _disk_full)
    with pytest.raises(NoRoomError, match="storage_full"):
        seal_files(seller=seller, contents=[b"bytes"])
    assert stored(settings) == []


def _disk_full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_files_and_their_folder_are_synced_before_sealing_returns(log, seller, monkeypatch):
    """Counted: one per file and one per folder, so that a power cut after the receipt loses nothing."""
    seal_files(seller=seller, contents=[b"the folder exists from here on"])
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    seal_files(seller=seller, contents=[b"a", b"b", b"c"])
    assert len(synced) == 3 + 1


def test_ids_of_one_moment_share_a_folder(log, seller, settings, monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_795_276_800_000_000_000)
    seal_files(seller=seller, contents=[b"a", b"b", b"c"])
    assert len({path.parent for path in stored(settings)}) == 1


# Large uploads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) - 1])
def test_a_large_upload_comes_back_whole_and_from_any_place(log, seller, size):
    content = bytes(range(251)) * (size // 251) + bytes(size % 251)
    blob = seal_large_upload(seller=seller, file=io.BytesIO(content))
    assert blob.size_bytes == size
    assert read_blob(blob) == content
    with open_blob(blob) as file:
        for place in (size, size // 2, 0):
            file.seek(place)
            assert file.read() == content[place:]


def test_of_a_large_upload_no_piece_can_be_changed_dropped_repeated_or_cut_off(log, seller, settings):
    blob = seal_large_upload(seller=seller, file=io.BytesIO(b"abc" * (1 << 20)))
    (path,) = stored(settings)
    whole, piece = path.read_bytes(), (1 << 20) + 16
    first, second, third = (whole[11 + n * piece :][:piece] for n in range(3))
    damaged = {
        "changed": whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
        "dropped": whole[:11] + first + third,
        "repeated": whole[:11] + first + first + third,
        "exchanged": whole[:11] + second + first + third,
        "cut at a piece": whole[:11] + first + second,
        "cut inside a piece": whole[:-1],
        "nothing left": whole[:11],
    }
    for how, data in damaged.items():
        path.write_bytes(data)
        with pytest.raises(BlobUnreadableError):
            pytest.fail(f"{how}: {len(read_blob(blob))} bytes")


def test_a_file_is_opened_whatever_way_it_was_sealed(sealed):
    with open_blob(sealed) as file:
        assert file.read() == b"the exact bytes"


def test_a_large_upload_over_the_quota_is_refused_before_it_is_written(log, seller, settings):
    settings.SELLER_MAX_BYTES = 99
    with pytest.raises(NoRoomError, match="quota_bytes"):
        seal_large_upload(seller=seller, file=io.BytesIO(bytes(100)))
    assert not stored(settings)
