"""All files of a packet, in their order: read-me, letters, comparisons, fields, the packet as JSON, then the evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from compliance.cases.target import find_target
from compliance.packets.documents import Composed, compose_comparisons, compose_letter
from compliance.packets.fields import fields_text
from compliance.packets.packet import SCHEMA_VERSION, Packet, PacketFile
from compliance.packets.parts import Assembled, assemble, caps_of

Sign = Callable[[bytes], bytes]
PDF, PNG, JSON_TYPE, TEXT = "application/pdf", "image/png", "application/json", "text/plain"
READ_ME = """\
原证（Originmark）材料包 {number}
packet/ 里是全部材料。originals/0001.json 是清单，列明每个文件的 SHA-256。
离线核验（任一分卷）：用浏览器打开 verify.html，或 sh verify.sh，或 python3 verify.py，或 python -m ledger.tlog verify 分卷.zip。

Originmark packet {number}
packet/ holds everything. originals/0001.json is the manifest with the SHA-256 of every file.
To check any part offline: open verify.html in a browser, or sh verify.sh, or python3 verify.py, or python -m ledger.tlog verify PART.zip.
"""


def make_packet(packet: Packet, *, sign: Sign = lambda pdf: pdf) -> Assembled:
    """Every file, spread over parts under the target's caps. sign: puts a signature on a PDF.

    Raises PacketError and the errors of ledger.pdf.
    """
    return assemble(packet, packet_files(packet, sign=sign), caps_of(find_target(packet.case.target)))


def packet_files(packet: Packet, *, sign: Sign) -> list[PacketFile]:
    """The files. Letters list all others with their digests, so they are made last and stand first."""
    first = packet.languages[0]
    as_pictures = find_target(packet.case.target).takes_pictures_only(packet.case.kind)
    others: list[PacketFile] = []
    compared = compose_comparisons(packet, first)
    if compared is not None:
        others += _document("02-comparison", "comparison", "side by side", compared, sign, as_pictures)
    others.append(PacketFile("03-fields.txt", "fields", TEXT, fields_text(packet.case).encode(), "portal fields"))
    others.append(PacketFile("04-packet.json", "packet", JSON_TYPE, packet_json(packet), "machine-readable"))
    others += packet.files
    letters = [
        file
        for language in packet.languages
        for file in _document(
            f"01-letter-{language}",
            "letter",
            "letter",
            compose_letter(packet, language, others),
            sign,
            as_pictures,
        )
    ]
    read_me = PacketFile("00-read-me.txt", "read_me", TEXT, READ_ME.format(number=packet.number).encode(), "read me")
    return [read_me, *letters, *others]


def _document(
    name: str, role: str, title: str, composed: Composed, sign: Sign, as_pictures: bool
) -> Iterator[PacketFile]:
    """The signed PDF, and its pages as pictures for a target that takes nothing else."""
    yield PacketFile(f"{name}.pdf", role, PDF, sign(composed.pdf()), title)
    if as_pictures:
        for number, page in enumerate(composed.pages(), start=1):
            yield PacketFile(f"{name}-page-{number}.png", f"{role}_page", PNG, page, f"{title}, page {number}")


def packet_json(packet: Packet) -> bytes:
    """The packet after the merged schema, without pictures and file bytes: for programs of whoever receives it."""
    slim = replace(
        packet,
        files=(),
        works=tuple(replace(work, preview=None) for work in packet.works),
        listings=tuple(
            replace(item, comparison=replace(item.comparison, theirs=None) if item.comparison else None)
            for item in packet.listings
        ),
    )
    document = {"schema_version": SCHEMA_VERSION, **asdict(slim)}
    document["attachments"] = [
        {"role": f.role, "filename": f.name, "bytes": len(f.data), "mime": f.mime} for f in packet.files
    ]
    del document["files"]
    return (json.dumps(document, ensure_ascii=False, indent=1, default=_plain) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
