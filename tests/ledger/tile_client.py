"""A stranger's client: everything it knows comes from a function that fetches a path, and from RFC 6962 itself."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256

from tests.ledger.rfc6962 import tree_head

Fetch = Callable[[str], bytes]


class TileClient:
    """fetch(path below the log's prefix) gives bytes or raises LookupError."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        lines = fetch("checkpoint").decode().split("\n")
        self.origin, self.size, self.signed_root = lines[0], int(lines[1]), base64.b64decode(lines[2])

    def entries(self) -> list[bytes]:
        """Every entry, each held against its hash in the tile of level 0."""
        found: list[bytes] = []
        for index in range(-(-self.size // 256)):
            width = min(256, self.size - 256 * index)
            data = self._fetch(self._path("entries", index, width))
            hashes = self._fetch(self._path("0", index, width))
            assert len(hashes) == 32 * width
            for number in range(width):
                length = int.from_bytes(data[:2], "big")
                entry, data = data[2 : 2 + length], data[2 + length :]
                assert sha256(b"\x00" + entry).digest() == hashes[32 * number : 32 * number + 32]
                found.append(entry)
            assert not data
        return found

    def upper_tiles_fit(self, entries: list[bytes]) -> int:
        """Hold every hash of level 1 and above against the entries below it; return how many there were."""
        level, count = 1, 0
        while self.size >> (8 * level):
            hashes = b""
            total = self.size >> (8 * level)
            for index in range(-(-total // 256)):
                hashes += self._fetch(self._path(str(level), index, min(256, total - 256 * index)))
            span = 256**level
            for number in range(total):
                expected = tree_head(entries[number * span : (number + 1) * span])
                assert hashes[32 * number : 32 * number + 32] == expected
            count += total
            level += 1
        return count

    @staticmethod
    def _path(level: str, index: int, width: int) -> str:
        assert index < 1000
        return f"tile/{level}/{index:03d}" + (f".p/{width}" if width < 256 else "")
