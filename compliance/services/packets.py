"""Building a case's packet: gate, files, signature, entry in the log, ZIP parts; and handing it out.

The entry commits to the manifest, which names every file by its digest; parts carry the entry's proof, so they are made
after it. A crash between the two leaves an entry that nothing refers to, and the packet is built again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from django.db import transaction
from django.utils import timezone

from compliance.cases.case_file import CaseFile
from compliance.cases.gate import Gate, file_problem, judge
from compliance.cases.target import find_target
from compliance.models import Case, CasePacket, PacketPart
from compliance.packets.documents import compose_letter
from compliance.packets.fields import FieldText, portal_fields
from compliance.packets.maker import make_packet
from compliance.packets.packet import Packet, PacketFile
from compliance.packets.parts import MANIFEST, PROOF_ROOM_BYTES, Assembled, format_parts
from compliance.services.case_events import PACKET_BUILT, record
from compliance.services.case_files import case_file
from compliance.services.packet_exhibits import Exhibits, Ticks, collect
from ledger.accounts.models import User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Statement
from ledger.services.blobs import read_blob, seal_files
from ledger.services.evidence import ErasedError, core_files, evidence_of, sign_document
from ledger.services.handouts import CASE_PACKET, record_handout
from ledger.services.identity import identity_document
from ledger.services.log import Draft, append_statements
from ledger.tlog import bundle
from ledger.tlog.claim_documents import ClaimFile, packet_recorded_claim
from ledger.tlog.packet_manifest import parse_manifest

KIND = "packet.recorded"
DEFAULT_LANGUAGE = "en"


class GateClosedError(Exception):
    """Something that the target requires is missing; gate says what, in order."""

    code = "packet.gate"

    def __init__(self, gate: Gate) -> None:
        super().__init__(", ".join(item.id for item in gate.missing))
        self.gate = gate


def build_packet(
    *, actor: User | None, case: Case, ticks: Ticks | None = None, languages: Sequence[str] = ()
) -> CasePacket:
    """Build, sign, record and seal. Raises GateClosedError, PacketError, KeyMissingError; nothing is kept then."""
    ticks = ticks or Ticks()
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    if ticks.originals:
        require_permission(actor, case.seller, Permission.DOWNLOAD_ORIGINAL)
    if ticks.private:
        require_permission(actor, case.seller, Permission.VIEW_PRIVATE_METADATA)
    started = time.monotonic()
    known = case_file(case)
    gate = judge(known)
    if not gate.is_open:
        raise GateClosedError(gate)
    exhibits = collect(case, ticks)
    packet = _packet(case, known, exhibits, languages)
    sign = partial(sign_document, signed_at=packet.created_at)
    assembled = make_packet(packet, sign=sign)
    statement = _record(actor, case, packet, assembled)
    parts = format_parts(assembled, _proof(statement))
    return _keep(actor, case, packet, exhibits, assembled, statement, parts, round((time.monotonic() - started) * 1000))


def draft_letter(*, actor: User | None, case: Case, language: str) -> bytes:
    """The letter as it would be now, marked as a draft on every page: unsigned, not recorded, not kept."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    known = case_file(case)
    exhibits = collect(case, Ticks())
    packet = replace(_packet(case, known, exhibits, [language]), is_draft=True)
    return compose_letter(packet, language, packet.files).pdf()


def _packet(case: Case, known: CaseFile, exhibits: Exhibits, languages: Sequence[str]) -> Packet:
    return Packet(
        number=new_number(),
        case_number=case.number,
        created_at=timezone.now().replace(microsecond=0),
        languages=tuple(languages or case.languages or [DEFAULT_LANGUAGE]),
        case=known,
        works=tuple(exhibits.works),
        listings=tuple(exhibits.listings),
        files=tuple(exhibits.files),
        level=exhibits.level,
    )


def _record(actor: User | None, case: Case, packet: Packet, assembled: Assembled) -> Statement:
    digest = hashlib.sha256(assembled.manifest).digest()
    claim = packet_recorded_claim(
        secrets.token_bytes(32),
        manifest=ClaimFile("manifest", digest, len(assembled.manifest)),
        target=case.target,
        purpose=case.kind,
        case=hashlib.sha256(case.number.encode()).digest(),
        parts=len(assembled.parts),
    )
    draft = Draft(
        kind=KIND,
        claim=claim,
        identity=identity_document(actor=actor, seller=case.seller),
        request_id=f"packet-{packet.number}",
        outcome="passed",
    )
    with transaction.atomic():
        (statement,) = append_statements(seller=case.seller, actor=actor, drafts=[draft])
    return statement


def _proof(statement: Statement) -> dict[str, bytes]:
    """The core bundle. Readings of outside clocks that would not fit are left to the packet's own proof ZIP."""
    files = core_files(evidence_of(statement))
    if sum(len(data) + 300 for data in files.values()) > PROOF_ROOM_BYTES - 200_000:
        files = {name: data for name, data in files.items() if "/" not in name}
    return files


def _keep(
    actor: User | None,
    case: Case,
    packet: Packet,
    exhibits: Exhibits,
    assembled: Assembled,
    statement: Statement,
    parts: Sequence[bytes],
    took_ms: int,
) -> CasePacket:
    manifest = parse_manifest(assembled.manifest)
    blobs = seal_files(seller=case.seller, contents=parts)
    with transaction.atomic():
        kept: CasePacket = CasePacket.objects.create(
            number=packet.number,
            seller=case.seller,
            case=case,
            statement=statement,
            kind=case.kind,
            target=case.target,
            languages=list(packet.languages),
            files=[[f.name, f.role, f.mime, f.size, f.sha256, f.part] for f in manifest.files],
            left_out=[list(each) for each in exhibits.left_out],
            manifest_sha256=hashlib.sha256(assembled.manifest).digest(),
            size_bytes=sum(map(len, parts)),
            took_ms=took_ms,
            built_by=actor,
            built_at=packet.created_at,
        )
        kept.originals.set(exhibits.originals)
        for number, (blob, part) in enumerate(zip(blobs, parts, strict=True), start=1):
            blob.save(force_insert=True)
            PacketPart.objects.create(
                seller=case.seller,
                packet=kept,
                number=number,
                blob=blob,
                sha256=hashlib.sha256(part).digest(),
                size_bytes=len(part),
            )
        record(case, PACKET_BUILT, actor=actor, after=packet.number)
    return kept


# Handing out ----------------------------------------------------------------------------------------------------


def packet_part(*, actor: User | None, part: PacketPart) -> bytes:
    """One ZIP, counted as handed out. Raises ErasedError."""
    require_permission(actor, part.seller, Permission.MANAGE_CASES)
    _require_alive(part.packet)
    content = read_blob(part.blob)
    record_handout(part.packet.statement, CASE_PACKET)
    return content


def packet_file(*, actor: User | None, packet: CasePacket, name: str) -> PacketFile | None:
    """One file out of its part, counted as handed out; None for a name the manifest does not have."""
    require_permission(actor, packet.seller, Permission.MANAGE_CASES)
    _require_alive(packet)
    row = next((row for row in packet.files if row[0] == name), None)
    if row is None:
        return None
    part = packet.parts.select_related("blob").get(number=row[5])
    data = bundle.read_bundle(read_blob(part.blob))[bundle.PACKET + name]
    record_handout(packet.statement, CASE_PACKET)
    return PacketFile(name, row[1], row[2], data)


def packet_proof(*, actor: User | None, packet: CasePacket) -> bytes:
    """The newest proof of the packet's entry, with outside time as far as there is, and the manifest; no file of it."""
    require_permission(actor, packet.seller, Permission.MANAGE_CASES)
    _require_alive(packet)
    first = packet.parts.select_related("blob").order_by("number").first()
    assert first is not None  # noqa: S101 - every packet has a part
    manifest = bundle.read_bundle(read_blob(first.blob))[MANIFEST]
    record_handout(packet.statement, CASE_PACKET)
    return bundle.format_bundle(core_files(evidence_of(packet.statement), {0: ("json", manifest)}))


def _require_alive(packet: CasePacket) -> None:
    if packet.statement.erasure_id is not None:
        raise ErasedError


def fields_of(case: Case) -> list[FieldText]:
    """The portal's fields to copy."""
    return portal_fields(case_file(case))


def upload_problems(packet: CasePacket) -> dict[str, str]:
    """Why the portal would not take a file by itself, by name; only those with a reason."""
    target = find_target(packet.target)
    found = {
        name: file_problem(target, packet.kind, role, mime, size)
        for name, role, mime, size, _sha256, _part in packet.files
    }
    return {name: why for name, why in found.items() if why}
