"""Encrypted files, each with a key of its own, under their seller.

AES-256-GCM; the object's key is wrapped by the storage key, so that destroying the row's wrapped key erases the object
and everything derived from it, wherever copies of the files are. Nothing is shared between sellers or deduplicated.
"""

from __future__ import annotations

import io
import secrets
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction

from ledger.accounts.models import Seller
from ledger.models import Blob
from ledger.services.files import (
    make_directories,
    sync_directory,
    write_all_durably,
    write_pieces_durably,
    write_quickly,
)
from ledger.services.keys import begin_storage_rotation, end_storage_rotation, old_storage_key, storage_key
from ledger.services.room import disk_full_by_name, require_disk, require_quota
from ledger.services.sealed_pieces import MAGIC as PIECES_MAGIC
from ledger.services.sealed_pieces import SealedPieces, seal_pieces

NONCE_BYTES = 12
MAGIC = b"OMB1"
DESTROY_AT_ONCE = 500

T = TypeVar("T")


class BlobUnreadableError(Exception):
    """The stored file is missing, damaged, or its key was destroyed."""

    code = "blob_unreadable"


def _new_id() -> uuid.UUID:
    """Time-ordered (UUID version 7), so that files sealed together share a folder and its fsync."""
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


def _folder(blob: Blob) -> Path:
    # Six hexadecimal digits of the time: one folder per 4.7 hours.
    return Path(settings.DATA_DIR) / "blobs" / str(blob.seller_id) / blob.id.hex[:6]


def _path(blob: Blob, part: str = "") -> Path:
    return _folder(blob) / (f"{blob.id.hex}.{part}" if part else blob.id.hex)


def _associated(blob: Blob, part: str) -> bytes:
    """Binds ciphertext to its object and part: swapping files between rows is noticed."""
    return b"%b/%b" % (blob.id.bytes, part.encode())


def _encrypt(key: bytes, data: bytes, associated: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, data, associated)


def _decrypt(key: bytes, data: bytes, associated: bytes) -> bytes:
    if data[: len(MAGIC)] != MAGIC:
        raise BlobUnreadableError("not a sealed file")
    nonce = data[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    try:
        return AESGCM(key).decrypt(nonce, data[len(MAGIC) + NONCE_BYTES :], associated)
    except InvalidTag:
        raise BlobUnreadableError("the stored bytes were changed") from None


def _object_key(blob: Blob) -> bytes:
    if not blob.wrapped_key:
        raise BlobUnreadableError("the key of this object was destroyed")
    wrapped, associated = bytes(blob.wrapped_key), _associated(blob, "key")
    try:
        return _decrypt(storage_key(), wrapped, associated)
    except BlobUnreadableError:
        old = old_storage_key()  # a rotation is going on
        if old is None:
            raise
        return _decrypt(old, wrapped, associated)


def seal_uploads(*, seller: Seller, contents: Sequence[bytes]) -> list[Blob]:
    """seal_files() for what somebody sent: the seller's quota counts. Raises NoRoomError before anything is stored."""
    require_quota(seller, [len(content) for content in contents])
    return seal_files(seller=seller, contents=contents)


def seal_files(*, seller: Seller, contents: Sequence[bytes]) -> list[Blob]:
    """Encrypt and store files; on return their bytes survive a power cut. The rows are not saved yet.

    Raises NoRoomError where the disk is at its reserve. A crash before the rows are committed leaves files that nothing can decrypt: their keys were only in memory.
    """
    require_disk(sum(len(content) for content in contents))
    blobs, files = [], []
    for content in contents:
        key = AESGCM.generate_key(256)
        blob = Blob(id=_new_id(), seller=seller, size_bytes=len(content))
        blob.wrapped_key = _encrypt(storage_key(), key, _associated(blob, "key"))
        blobs.append(blob)
        files.append((_path(blob), _encrypt(key, content, _associated(blob, ""))))
    with disk_full_by_name():
        for folder in {path.parent for path, _data in files}:
            make_directories(folder)
        write_all_durably(files)
    return blobs


def seal_large_upload(*, seller: Seller, file: IO[bytes]) -> Blob:
    """seal_uploads() of one file that may be larger than memory: it is read, encrypted and written a piece at a time."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    require_quota(seller, [size])
    require_disk(size)
    key = AESGCM.generate_key(256)
    blob = Blob(id=_new_id(), seller=seller, size_bytes=size)
    blob.wrapped_key = _encrypt(storage_key(), key, _associated(blob, "key"))
    with disk_full_by_name():
        make_directories(_folder(blob))
        write_pieces_durably(_path(blob), seal_pieces(key, file, _associated(blob, "")))
    return blob


@contextmanager
def open_blob(blob: Blob) -> Iterator[IO[bytes]]:
    """The exact bytes as a file to be read from any place; of a large upload a megabyte is in memory at a time.

    BlobUnreadableError where it is missing, or from inside the block where bytes that are read were changed.
    """
    try:
        stored = _path(blob).open("rb")
    except FileNotFoundError:
        raise BlobUnreadableError("the stored file is missing") from None
    with stored:
        if stored.read(len(PIECES_MAGIC)) != PIECES_MAGIC:
            yield io.BytesIO(read_blob(blob))
            return
        try:
            with io.BufferedReader(SealedPieces(_object_key(blob), stored, _associated(blob, ""))) as plain:
                yield plain
        except InvalidTag:
            raise BlobUnreadableError("the stored bytes were changed") from None


def read_blob(blob: Blob) -> bytes:
    """The exact bytes that were sealed, or BlobUnreadableError."""
    return read_part(blob, "")


def write_part(blob: Blob, part: str, data: bytes) -> None:
    """Store something computed from the object, under the object's key; not synced, since it can be made again."""
    write_quickly(_path(blob, part), _encrypt(_object_key(blob), data, _associated(blob, part)))


def read_part(blob: Blob, part: str) -> bytes:
    """The plain bytes of the object or of one of its parts."""
    try:
        data = _path(blob, part).read_bytes()
    except FileNotFoundError:
        raise BlobUnreadableError("the stored file is missing") from None
    if data[: len(PIECES_MAGIC)] == PIECES_MAGIC:
        with open_blob(blob) as file:
            return file.read()
    return _decrypt(_object_key(blob), data, _associated(blob, part))


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """What rotate_object_keys did: how many keys it wrapped anew, and whether the old storage key is gone."""

    wrapped: int
    is_finished: bool


def rotate_object_keys(*, finish: bool) -> KeyRotation:
    """Wrap every object's key with a new storage key, while the site runs. Safe to stop anywhere and run again.

    The first run makes the new key and wraps; until finish, the old key stays beside it for programs that read the old one a
    moment before. A run with finish wraps what those left, and forgets the old key. No file is written anew.
    """
    if not finish:
        begin_storage_rotation()
    elif old_storage_key() is None:
        return KeyRotation(0, is_finished=True)
    wrapped = sum(_wrap_anew(ids) for ids in batched(_wrapped_ids(), DESTROY_AT_ONCE))
    if finish:
        end_storage_rotation()
    return KeyRotation(wrapped, is_finished=finish)


def _wrapped_ids() -> list[uuid.UUID]:
    return list(Blob.objects.exclude(wrapped_key=b"").values_list("pk", flat=True))


def _wrap_anew(ids: Sequence[uuid.UUID]) -> int:
    """One portion in one transaction; what is wrapped with the new key already is left alone."""
    changed = []
    key = storage_key()
    with transaction.atomic():
        for blob in Blob.objects.select_for_update().filter(pk__in=ids).exclude(wrapped_key=b""):
            associated = _associated(blob, "key")
            try:
                _decrypt(key, bytes(blob.wrapped_key), associated)
            except BlobUnreadableError:
                blob.wrapped_key = _encrypt(key, _object_key(blob), associated)
                changed.append(blob)
        Blob.objects.bulk_update(changed, ["wrapped_key"])
    return len(changed)


def destroy_keys(blob_ids: Iterable[uuid.UUID]) -> None:
    """Make objects unreadable, in the caller's transaction; their files go with remove_files()."""
    for ids in batched(blob_ids, DESTROY_AT_ONCE):
        Blob.objects.filter(pk__in=ids).update(wrapped_key=b"", size_bytes=0)


def remove_files(blobs: Iterable[Blob]) -> int:
    """Remove the files of objects whose keys were destroyed, parts included; return how many. Safe to repeat."""
    removed = 0
    folders = set()
    for blob in blobs:
        for path in _folder(blob).glob(f"*{blob.id.hex}*"):  # also a temporary file that a crash left
            path.unlink(missing_ok=True)
            folders.add(path.parent)
            removed += 1
    for folder in folders:
        sync_directory(folder)
    return removed


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Portions of a bounded size, for statements with a bounded number of parameters."""
    iterator = iter(items)
    while portion := list(islice(iterator, size)):
        yield portion
