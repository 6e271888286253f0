"""Files into ZIP parts under a target's caps, and the manifest over all of them. Same files in, same bytes out.

A part is an evidence bundle (docs/spec/bundle.md): the proof of the packet's entry, the manifest as the file of its claim,
and its share of the files in packet/. So every part is verified by itself, by the verifier of any other evidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compliance.cases.target import Target
from compliance.packets.errors import FileNameError, ItemTooLargeError, PacketTooLargeError, TooManyPartsError
from compliance.packets.packet import Packet, PacketFile
from ledger.tlog import bundle
from ledger.tlog.entry import format_utc_ms
from ledger.tlog.packet_manifest import Manifest, ManifestFile, format_manifest

# Proof, programs, manifest and readings of outside clocks; 60 kB without clocks, tokens with their chains 20 kB each.
PROOF_ROOM_BYTES = 512 * 1024
# Where no cap is known: what mailboxes and portals usually take. A larger file then has a part to itself.
USUAL_PART_BYTES = 20_000_000
HEADER_BYTES = 30 + 46 + 2 * (len(bundle.PACKET) + 100)
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MANIFEST = bundle.original_name(0, "json")
MAX_PARTS = 999


@dataclass(frozen=True, slots=True)
class Caps:
    """Bytes and numbers; 0 where nothing is known. part_bytes: of one uploaded file, a ZIP part included."""

    part_bytes: int = 0
    packet_bytes: int = 0
    max_parts: int = 0


@dataclass(frozen=True, slots=True)
class Assembled:
    """A packet ready for the log: its files by part, and the manifest's bytes."""

    parts: tuple[tuple[PacketFile, ...], ...]
    manifest: bytes

    @property
    def files(self) -> tuple[PacketFile, ...]:
        return tuple(file for part in self.parts for file in part)


def caps_of(target: Target) -> Caps:
    limits = target.limits
    return Caps(limits.part_bytes, limits.packet_bytes, limits.max_files)


def assemble(packet: Packet, files: Sequence[PacketFile], caps: Caps) -> Assembled:
    """Spread files over parts and write the manifest.

    Raises ItemTooLargeError, TooManyPartsError, PacketTooLargeError, FileNameError, each with the names or figures.
    """
    _check_names(files)
    parts = _spread(files, caps)
    rows = [
        ManifestFile(each.name, each.role, each.mime, len(each.data), hashlib.sha256(each.data).hexdigest(), number)
        for number, part in enumerate(parts, start=1)
        for each in part
    ]
    manifest = Manifest(
        packet=packet.number,
        target=packet.case.target,
        purpose=packet.case.kind,
        language=" ".join(packet.languages),
        created=format_utc_ms(int(packet.created_at.timestamp() * 1000)),
        parts=len(parts),
        files=tuple(rows),
    )
    return Assembled(tuple(map(tuple, parts)), format_manifest(manifest))


def format_parts(assembled: Assembled, proof: Mapping[str, bytes]) -> list[bytes]:
    """The ZIP of every part. proof: the core bundle of the packet's entry, without its files."""
    return [
        bundle.format_bundle(
            {**proof, MANIFEST: assembled.manifest, **{bundle.PACKET + file.name: file.data for file in part}}
        )
        for part in assembled.parts
    ]


def _check_names(files: Sequence[PacketFile]) -> None:
    seen: set[str] = set()
    for file in files:
        if not NAME.fullmatch(file.name) or file.name.casefold() in seen:
            raise FileNameError(file.name[:120])
        seen.add(file.name.casefold())


def _spread(files: Sequence[PacketFile], caps: Caps) -> list[list[PacketFile]]:
    """Each file into the first part with room for it, so that small files do not open parts of their own."""
    known = caps.part_bytes > 0
    room = (caps.part_bytes or USUAL_PART_BYTES) - PROOF_ROOM_BYTES
    if not known and caps.max_parts == 1:
        room = sum(map(_weight, files)) + 1
    parts: list[list[PacketFile]] = [[]]
    used = [0]
    for file in files:
        weight = _weight(file)
        if known and weight > room:
            raise ItemTooLargeError(f"{file.name}: {len(file.data):,} bytes; {room - HEADER_BYTES:,}")
        at = next((at for at, taken in enumerate(used) if taken + weight <= room or not taken), None)
        if at is None:
            parts.append([])
            used.append(0)
            at = len(parts) - 1
        parts[at].append(file)
        used[at] += weight
    most = caps.max_parts or MAX_PARTS
    if len(parts) > most:
        raise TooManyPartsError(f"{len(parts)} / {most}")
    if caps.packet_bytes and sum(used) > caps.packet_bytes:
        raise PacketTooLargeError(f"{sum(used):,} / {caps.packet_bytes:,} bytes")
    return parts


def _weight(file: PacketFile) -> int:
    return len(file.data) + HEADER_BYTES
