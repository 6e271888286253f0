"""Pictures out of web archives: WARC files, compressed or not, and the WARCs inside a WACZ (WARC/1.1, WACZ 1.1.1).

A picture belongs to the page that was captured before it; archives say no more about that. What the archive says is kept
as its word: its addresses and its dates are those of whoever captured, and prove nothing by themselves.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import urlsplit

from compliance.catalogues.errors import FeedTooLargeError, WebArchiveError
from compliance.catalogues.feed import LONGEST_PRODUCT_ID, Facts, Feed, FeedRow, plain_url
from compliance.catalogues.tables import MAX_ROWS
from ledger.admission.archives import UNPACK_FAULTS

WARC, WACZ = "warc", "wacz"
MAX_UNPACKED_BYTES = 2 << 30
MAX_PICTURE_BYTES = 50 * 2**20
MAX_HEAD_BYTES = 64 * 1024
MAX_RECORDS = 500_000
MAX_MEMBERS = 2000
LEAST_SIDE_BYTES = 3000  # smaller files are icons and tracking dots
PICTURES = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"))
ITEM = re.compile(r"\d{6,}")


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture as it was captured: the page's address and title before it, its own, when."""

    name: str
    content: bytes
    url: str
    page_url: str
    page_title: str
    at: datetime | None


def archive_kind(name: str, data: bytes) -> str:
    """warc or wacz by the name's ending and the first bytes, else ""."""
    lower = name.lower()
    if lower.endswith(".wacz") and data.startswith(b"PK"):
        return WACZ
    return WARC if lower.endswith((".warc", ".warc.gz")) and data.startswith((b"WARC/", b"\x1f\x8b")) else ""


def read_shots(source: bytes | IO[bytes], kind: str) -> Iterator[Shot]:
    """The pictures of an archive in their order, one in memory at a time; the same archive gives the same.

    WebArchiveError where it is broken. A file is read from its beginning and stays open.
    """
    file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        budget = _Budget()
        for stream in _streams(file, kind):
            yield from _shots(stream, budget)
    except UNPACK_FAULTS as error:
        raise WebArchiveError(f"{type(error).__name__}: {error}"[:200]) from error


def feed_of_shots(shots: Iterator[Shot]) -> Feed:
    """One row per picture; listed_at stays empty: a capture says when it was seen, not when it was listed."""
    rows = []
    for number, shot in enumerate(shots, start=1):
        if number > MAX_ROWS:
            raise FeedTooLargeError(f"more than {MAX_ROWS} pictures")
        facts = Facts(url=plain_url(shot.page_url)[:2048], title=shot.page_title[:500])
        rows.append(FeedRow(number, product_of(shot.page_url or shot.url), shot.name, facts))
    return Feed(frozenset({"url", "title"}), tuple(rows))


def product_of(address: str) -> str:
    """The product's number in an address (the last run of six digits or more in its path), else host and path."""
    parts = urlsplit(address)
    numbers = ITEM.findall(parts.path)
    return (numbers[-1] if numbers else f"{parts.hostname or ''}{parts.path}".rstrip("/"))[
        :LONGEST_PRODUCT_ID
    ] or "page"


class _Budget:
    """How much may still be unpacked, over all parts of an archive."""

    def __init__(self) -> None:
        self.left = MAX_UNPACKED_BYTES
        self.records = MAX_RECORDS

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise FeedTooLargeError(f"more than {MAX_UNPACKED_BYTES} bytes unpacked")

    def record(self) -> None:
        self.records -= 1
        if self.records < 0:
            raise FeedTooLargeError(f"more than {MAX_RECORDS} records")


class _Lent(io.RawIOBase):
    """A file that stays open although its reader is done with it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _streams(file: IO[bytes], kind: str) -> Iterator[IO[bytes]]:
    if kind == WARC:
        file.seek(0)
        yield _unpacked(_Lent(file))
        return
    with zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if info.filename.startswith("archive/")]
        if len(members) > MAX_MEMBERS:
            raise FeedTooLargeError(f"more than {MAX_MEMBERS} parts")
        for info in members:
            if info.filename.lower().endswith((".warc", ".warc.gz")):
                with archive.open(info) as part:
                    yield _unpacked(part)


def _unpacked(stream: Any) -> Any:
    """Plain bytes of a WARC whose records may be packed one by one; gzip reads on over their borders."""
    buffered = io.BufferedReader(stream, 1 << 16)
    is_packed = buffered.peek(2)[:2] == b"\x1f\x8b"
    return gzip.GzipFile(fileobj=buffered) if is_packed else buffered


def _shots(stream: IO[bytes], budget: _Budget) -> Iterator[Shot]:
    page_url = page_title = ""
    number = 0
    for fields, content in _records(stream, budget):
        url = fields.get("warc-target-uri", "").strip("<>")
        if fields.get("warc-type") not in ("response", "resource") or not url.startswith(("http://", "https://")):
            continue
        kind, body = _payload(fields, content)
        if kind.startswith(("text/html", "application/xhtml")):
            page_url, page_title = url, _title(body)
        suffix = _picture_suffix(body)
        if suffix and LEAST_SIDE_BYTES <= len(body) <= MAX_PICTURE_BYTES:
            number += 1
            last = urlsplit(url).path.rsplit("/", 1)[-1].rsplit(".", 1)[0][:80] or "picture"
            yield Shot(f"{number}-{last}{suffix}", body, url, page_url, page_title, _moment(fields))


def _records(stream: IO[bytes], budget: _Budget) -> Iterator[tuple[dict[str, str], bytes]]:
    while True:
        line = _line(stream)
        while line in (b"\r\n", b"\n"):
            line = _line(stream)
        if not line:
            return
        if not line.startswith(b"WARC/1."):
            raise WebArchiveError("a record does not begin with WARC/1")
        budget.record()
        fields = _fields(stream)
        length = fields.get("content-length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 12):
            raise WebArchiveError("a record without its length")
        budget.take(int(length))
        content = stream.read(int(length))
        if len(content) != int(length):
            raise WebArchiveError("the last record is cut off")
        yield fields, content


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline(MAX_HEAD_BYTES)
    if len(line) == MAX_HEAD_BYTES:
        raise WebArchiveError("a line of a header that never ends")
    return line


def _fields(stream: IO[bytes]) -> dict[str, str]:
    """Header fields in lower case up to the empty line; of one that is repeated the first."""
    fields: dict[str, str] = {}
    size = 0
    while (line := _line(stream)) not in (b"\r\n", b"\n", b""):
        size += len(line)
        if size > MAX_HEAD_BYTES:
            raise WebArchiveError("a header that never ends")
        name, _colon, value = line.decode("utf-8", "replace").partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _payload(fields: dict[str, str], content: bytes) -> tuple[str, bytes]:
    """Type and body of what was captured: a resource as it is, a response without its HTTP header and packing."""
    if fields.get("warc-type") == "resource":
        return fields.get("content-type", "").lower(), content
    stream = io.BytesIO(content)
    if not _line(stream).startswith(b"HTTP/"):
        return "", b""
    head = _fields(stream)
    body = stream.read()
    if "chunked" in head.get("transfer-encoding", "").lower():
        body = _joined(body)
    if head.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
        body = _inflated(body)
    return head.get("content-type", "").lower(), body


def _joined(body: bytes) -> bytes:
    """Chunks put together; tools that joined them already often left the header in place."""
    stream = io.BytesIO(body)
    parts: list[bytes] = []
    while True:
        size = stream.readline(100).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            return body
        length = int(size, 16)
        if length == 0:
            return b"".join(parts)
        part = stream.read(length)
        if len(part) != length:
            return body
        parts.append(part)
        stream.readline(4)


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        return inflater.decompress(body, MAX_PICTURE_BYTES + 1)
    except zlib.error:
        return body  # joined and unpacked by the tool that captured it


def _picture_suffix(body: bytes) -> str:
    """By the first bytes alone: servers call pictures what they like."""
    for magic, suffix in PICTURES:
        if body.startswith(magic):
            return suffix
    return ".webp" if body[:4] == b"RIFF" and body[8:12] == b"WEBP" else ""


def _title(body: bytes) -> str:
    match = re.search(rb"<title[^>]{0,200}>([^<]{0,1000})</title>", body[: 256 * 1024], re.IGNORECASE)
    return " ".join(match[1].decode("utf-8", "replace").split()) if match else ""


def _moment(fields: dict[str, str]) -> datetime | None:
    try:
        return datetime.fromisoformat(fields.get("warc-date", "")).astimezone(UTC)
    except ValueError:
        return None
