"""Changing bytes with knowledge of what they are: a picture's chunks, a ZIP's fields, DER lengths, lines of a note.

Every mutation is a function of (random source, bytes) and gives bytes; the same seed gives the same input. Half of the
changes are blind, half keep the outer structure valid (lengths, checksums), to get past the first test of a parser.
"""

from __future__ import annotations

import base64
import contextlib
import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

Mutate = Callable[[random.Random, bytes], bytes]

INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
BIG = 1 << 20  # no input grows beyond this


# Blind ------------------------------------------------------------------------------------------------------------


def flip_bits(draw: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 8]) if out else 0):
        out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def set_integers(draw: random.Random, data: bytes) -> bytes:
    """A whole field of 1, 2 or 4 bytes becomes a number at the edge of something, in either byte order."""
    width, order = draw.choice([1, 2, 4]), draw.choice("<>")
    if len(data) < width:
        return data
    place = draw.randrange(len(data) - width + 1)
    value = draw.choice(INTERESTING) & ((1 << 8 * width) - 1)
    field = struct.pack(f"{order}{ {1: 'B', 2: 'H', 4: 'I'}[width] }", value)
    return data[:place] + field + data[place + width :]


def cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def drop(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.choice([1, 2, 4, 16, 256]) :]


def insert(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.randbytes(draw.choice([1, 2, 4, 16, 64])) + data[place:]


def repeat(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data) + 1)
    piece = data[start : start + draw.choice([1, 4, 32, 512])]
    return (data[:start] + piece * draw.choice([2, 3, 64]) + data[start:])[:BIG]


def exchange(draw: random.Random, data: bytes) -> bytes:
    a, b = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    width = draw.choice([1, 4, 32])
    return data[:a] + data[b : b + width] + data[a + width : b] + data[a : a + width] + data[b + width :]


BLIND: tuple[Mutate, ...] = (flip_bits, set_integers, cut, drop, insert, repeat, exchange)


# Pictures ---------------------------------------------------------------------------------------------------------


def _pieces(draw: random.Random, pieces: list[bytes]) -> list[bytes]:
    """Leave one out, double one, move one, or change the inside of one."""
    if not pieces:
        return pieces
    at = draw.randrange(len(pieces))
    how = draw.randrange(4)
    if how == 0:
        return pieces[:at] + pieces[at + 1 :]
    if how == 1:
        return (pieces[: at + 1] + [pieces[at]] * draw.choice([1, 2, 40]) + pieces[at + 1 :])[:5000]
    if how == 2:
        moved = pieces[:at] + pieces[at + 1 :]
        moved.insert(draw.randrange(len(moved) + 1), pieces[at])
        return moved
    return [*pieces[:at], draw.choice(BLIND)(draw, pieces[at]), *pieces[at + 1 :]]


def png(draw: random.Random, data: bytes) -> bytes:
    """Chunks with the right length and checksum for whatever they now hold."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        chunks.append(data[place + 4 : place + 8 + length])
        place += 12 + length
    made = [
        struct.pack(">I", max(0, len(chunk) - 4)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in _pieces(draw, chunks)
    ]
    return data[:8] + b"".join(made)


def jpeg(draw: random.Random, data: bytes) -> bytes:
    """Segments up to the scan, each with its own length; the coded data as one piece."""
    segments, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        length = int.from_bytes(data[place + 2 : place + 4])
        segments.append(data[place + 1 : place + 2] + data[place + 4 : place + 2 + length])
        place += 2 + length
    made = [
        b"\xff" + segment[:1] + struct.pack(">H", min(len(segment) + 1, 0xFFFF)) + segment[1:]
        for segment in _pieces(draw, segments)
    ]
    rest = data[place:]
    return data[:2] + b"".join(made) + (draw.choice(BLIND)(draw, rest) if draw.random() < 0.3 else rest)


def riff(draw: random.Random, data: bytes) -> bytes:
    chunks, place = [], 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append(data[place : place + 4] + data[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    made = b"".join(
        piece[:4] + struct.pack("<I", max(0, len(piece) - 4)) + piece[4:] + b"\0" * (len(piece) % 2)
        for piece in _pieces(draw, chunks)
    )
    return b"RIFF" + struct.pack("<I", len(made) + 4) + b"WEBP" + made


# Archives, documents, tables --------------------------------------------------------------------------------------


def zip_fields(draw: random.Random, data: bytes) -> bytes:
    """A number of a header becomes an edge or its neighbour: method, flags, sizes, offsets, counts, checksums."""
    marks = [match.start() for match in re.finditer(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07)", data)]
    if not marks:
        return data
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4])):
        place = draw.choice(marks) + draw.randrange(4, 46)
        width = draw.choice([1, 2, 4])
        if place + width > len(out):
            continue
        old = int.from_bytes(out[place : place + width], "little")
        new = draw.choice([draw.choice(INTERESTING), old + 1, old - 1, old * 2]) & ((1 << 8 * width) - 1)
        out[place : place + width] = new.to_bytes(width, "little")
    return bytes(out)


PDF_WORDS = (
    b"/Type /Catalog /Pages /Page /Kids /Count /Parent /Length /Filter /FlateDecode /ObjStm /XRef /Prev /Root /Info "
    b"/OpenAction /AA /JS /JavaScript /Launch /URI /EmbeddedFiles /AcroForm /XFA /Encrypt /ID /W /Index /First /N /Annots "
    b"/RichMedia /F /A /S /Names obj endobj stream endstream xref trailer startxref R << >> [ ] null true -1 0 1 65535 "
    b"99999999999 (x) <00>"
).split()


def pdf_words(draw: random.Random, data: bytes) -> bytes:
    """Words exchanged for other words of the language; numbers for edges."""
    words = list(re.finditer(rb"/?[A-Za-z0-9]+|<<|>>|\[|\]", data))
    for match in sorted(draw.sample(words, min(len(words), draw.choice([1, 1, 2, 5]))), key=lambda m: -m.start()):
        data = data[: match.start()] + draw.choice(PDF_WORDS) + data[match.end() :]
    return data


TABLE_BITS = [
    b'"',
    b'""',
    b",",
    b";",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"=1+1",
    b"\xef\xbb\xbf",
    b"\x81\x30\x81\x30",
    "，".encode(),
]


def table_bits(draw: random.Random, data: bytes) -> bytes:
    for _ in range(draw.choice([1, 3, 20])):
        place = draw.randrange(len(data) + 1)
        data = data[:place] + draw.choice(TABLE_BITS) * draw.choice([1, 1, 600]) + data[place:]
    return data[:BIG]


# Evidence ---------------------------------------------------------------------------------------------------------


def lines(draw: random.Random, data: bytes) -> bytes:
    """Notes, proofs, policies, sums: lines left out, doubled, exchanged, with other ends or spaces."""
    rows = _pieces(draw, data.split(b"\n"))
    return draw.choice([b"\n", b"\n", b"\n", b"\r\n", b" \n", b"\n\n"]).join(rows)


NUMBERS = [b"0", b"-1", b"00", b"1e3", b"18446744073709551616", b"9" * 40, b"0x10", b"\xd9\xa1"]


def numbers(draw: random.Random, data: bytes) -> bytes:
    found = list(re.finditer(rb"[0-9]+", data))
    if not found:
        return data
    match = draw.choice(found)
    return data[: match.start()] + draw.choice(NUMBERS) + data[match.end() :]


def base64_inside(draw: random.Random, data: bytes) -> bytes:
    """What a base64 word says is changed, and written as valid base64 again."""
    found = list(re.finditer(rb"[A-Za-z0-9+/]{16,}={0,2}", data))
    if not found:
        return data
    match = draw.choice(found)
    inside = match[0]
    with contextlib.suppress(ValueError):
        inside = base64.b64encode(draw.choice(BLIND)(draw, base64.b64decode(inside, validate=True)))
    return data[: match.start()] + inside + data[match.end() :]


JSON_BITS = [
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"-0",
    b"1.0",
    b'"\\u0000"',
    b'"\\ud800"',
    b"[" * 200,
    b'{"a":' * 200,
    b"\xff",
]


def json_values(draw: random.Random, data: bytes) -> bytes:
    found = list(re.finditer(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+|true|false|null', data))
    if not found:
        return data
    match = draw.choice(found)
    return data[: match.start()] + draw.choice(JSON_BITS) + data[match.end() :]


def der(draw: random.Random, data: bytes) -> bytes:
    """One value somewhere in the tree is changed, and every length above it is written anew."""
    tree = _der_read(data, 0)
    return b"".join(_der_write(draw, node, draw.randrange(1, 60)) for node in tree)


Node = tuple[int, bytes | list["Node"]]


def _der_read(data: bytes, depth: int) -> list[Node]:
    """The values in these bytes; what is no DER is one opaque value of tag -1."""
    nodes: list[Node] = []
    place = 0
    while place < len(data):
        try:
            tag, length, start = data[place], data[place + 1], place + 2
            if length & 0x80:
                width = length & 0x7F
                length, start = int.from_bytes(data[start : start + width]), start + width
        except IndexError:
            return [(-1, data)]
        if start + length > len(data) or tag & 0x1F == 0x1F:
            return [(-1, data)]
        inside = data[start : start + length]
        deeper = depth < 24 and (tag & 0x20 or (tag == 0x04 and inside[:1] == b"\x30"))
        nodes.append((tag, _der_read(inside, depth + 1) if deeper else inside))
        place = start + length
    return nodes


def _der_write(draw: random.Random, node: Node, rarity: int) -> bytes:
    tag, inside = node
    if isinstance(inside, list):
        pieces = [_der_write(draw, one, rarity) for one in inside]
        if draw.randrange(rarity * 4) == 0:
            pieces = _pieces(draw, pieces)[:200]
        body = b"".join(pieces)
    else:
        body = inside
        if draw.randrange(rarity) == 0:
            body = draw.choice(BLIND)(draw, body)
    if tag < 0:
        return body
    if draw.randrange(rarity * 4) == 0:
        tag = draw.randrange(256)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width) + body


def mutated(draw: random.Random, seeds: Sequence[bytes], aware: Sequence[Mutate]) -> bytes:
    """One input: a seed, sometimes with a piece of another, changed one to four times."""
    data = draw.choice(seeds)
    if draw.random() < 0.05:
        other = draw.choice(seeds)
        data = data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        tools = aware if aware and draw.random() < 0.5 else BLIND
        data = draw.choice(tools)(draw, data)[:BIG]
    return data
