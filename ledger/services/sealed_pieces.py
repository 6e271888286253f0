"""Encryption of a file too large for memory: pieces of a megabyte, each sealed by itself, read from any place.

AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, CRYPTO 2015): a piece's nonce is seven random
bytes of the file, its number, and whether it is the last, so pieces cannot be dropped, repeated, reordered or cut off.
Magic, seven bytes, pieces; every piece but the last holds PIECE_BYTES, and the last one at least one byte if there is any.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import IO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"OMB2"
PIECE_BYTES = 1 << 20
PREFIX_BYTES = 7
TAG_BYTES = 16
HEAD_BYTES = len(MAGIC) + PREFIX_BYTES
SEALED_BYTES = PIECE_BYTES + TAG_BYTES


def seal_pieces(key: bytes, file: IO[bytes], associated: bytes) -> Iterator[bytes]:
    """The sealed file, a piece at a time, of what is left to read."""
    prefix, cipher, number = secrets.token_bytes(PREFIX_BYTES), AESGCM(key), 0
    yield MAGIC + prefix
    piece = file.read(PIECE_BYTES)
    while True:
        following = file.read(PIECE_BYTES)
        yield cipher.encrypt(_nonce(prefix, number, is_last=not following), piece, associated)
        if not following:
            return
        piece, number = following, number + 1


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


class SealedPieces(io.RawIOBase):
    """The plain bytes of a sealed file, in any order; one piece is in memory. InvalidTag where a byte was changed."""

    def __init__(self, key: bytes, file: IO[bytes], associated: bytes) -> None:
        self._cipher, self._file, self._associated = AESGCM(key), file, associated
        sealed = file.seek(0, io.SEEK_END) - HEAD_BYTES
        self._pieces = max(1, -(-sealed // SEALED_BYTES))
        self.size = max(0, sealed - self._pieces * TAG_BYTES)
        file.seek(len(MAGIC))
        self._prefix = file.read(PREFIX_BYTES)
        self._place, self._number, self._piece = 0, -1, b""

    def readable(self) -> bool:
        """See io."""
        return True

    def seekable(self) -> bool:
        """See io."""
        return True

    def tell(self) -> int:
        """See io."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See io."""
        if self._place >= self.size > 0:
            return 0
        # Of an empty file the one empty piece is opened all the same: nothing is not the same as nothing left.
        number, skip = divmod(self._place, PIECE_BYTES) if self.size else (0, 0)
        found = self._open(number)[skip : skip + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def close(self) -> None:
        """The sealed file goes with it."""
        if not self.closed:
            self._file.close()
        super().close()

    def _open(self, number: int) -> bytes:
        if number != self._number:
            self._file.seek(HEAD_BYTES + number * SEALED_BYTES)
            nonce = _nonce(self._prefix, number, is_last=number == self._pieces - 1)
            self._piece = self._cipher.decrypt(nonce, self._file.read(SEALED_BYTES), self._associated)
            self._number = number
        return self._piece
