"""What is handed to strangers: the core bundle, the signed certificate with the bundle inside, and the ZIP of both.

The certificate is made once per layout and kept as it was handed out. It states the level that its evidence reaches
and what that level lacks; times of our own clock are printed as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from ledger.accounts.models import User
from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Certificate, Checkpoint, ImageFile, ImageState, Original, Statement
from ledger.pdf.assurance import assurance, level_with_witnesses
from ledger.pdf.documents import (
    BUNDLE_NAME,
    Attachment,
    CameraFacts,
    CertificateDocument,
    Common,
    FileFacts,
    Fingerprint,
    LedgerFacts,
)
from ledger.pdf.render import render_certificate
from ledger.pdf.sign import sign_pdf
from ledger.services import keys
from ledger.services.authorities import askable
from ledger.services.blobs import read_blob, seal_files
from ledger.services.handouts import BUNDLE, BUNDLE_WITH_FILES, record_handout
from ledger.services.log import cosignature_lines, covering_checkpoint, log_head, own_policy, proof_of
from ledger.services.outside_time import CHECKPOINT_SIGNED, Outside, files_of, outside_time
from ledger.services.pictures import analyse_pictures, thumbnail
from ledger.services.spans import parameters_of
from ledger.services.witnesses import policy_with_witnesses, quorum_met
from ledger.tlog import bundle, entry, note
from ledger.tlog.proof import Proof

LAYOUT_VERSION = 1  # a new layout is a new certificate; the old one stays as it was handed out
LATER_CLOCK = 2  # the bit of a stage that says: it states an outside reading after its entry
REASON = "Originality evidence"
ROOM_BYTES = 6 * 1024  # in a signature, for the time-stamp that archiving adds: authorities seen write 3 to 6 kB
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}

Render = Callable[[Common, Sequence[Attachment]], bytes]


class ErasedError(Exception):
    """Claim and identity behind the entry were erased: there is nothing to print. The entry stays provable."""

    code = "erased"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement with the checkpoint that covers it, its proof, and the outside clock readings around it."""

    statement: Statement
    checkpoint: Checkpoint
    proof: Proof
    outside: Outside


def evidence_of(statement: Statement) -> Evidence:
    """Prove a statement under the checkpoint that outside clocks stamped; until then under the newest, signed if needed."""
    outside = outside_time(statement.entry_id, statement.first)
    checkpoint = outside.checkpoint or covering_checkpoint(statement.entry)
    return Evidence(statement, checkpoint, proof_of(statement.entry, checkpoint), outside)


def core_files(evidence: Evidence, originals: dict[int, tuple[str, bytes]] | None = None) -> dict[str, bytes]:
    """The files of the core bundle; original bytes only where the caller was allowed to pass them."""
    statement = evidence.statement
    return bundle.core_files(
        entry=bytes(statement.entry.body),
        parameters=parameters_of(statement.entry_id, log_head()),
        proof=evidence.proof,
        policy=policy_with_witnesses(own_policy()),
        cosignatures=cosignature_lines(evidence.checkpoint),
        claim=bytes(statement.claim) or None,
        who=bytes(statement.identity) or None,
        originals=originals,
        times=files_of(statement, evidence.outside, timezone.now()),
    )


def issue(statement: Statement, render: Render) -> Certificate:
    """The statement's signed PDF, made at the first call and the same bytes until outside time has proven more.

    Raises ErasedError.
    """
    if statement.erasure_id is not None:
        raise ErasedError
    issued = Certificate.objects.filter(statement=statement, layout_version=LAYOUT_VERSION).select_related("blob")
    found = issued.order_by("-stage", "-is_archival").first()
    if found is not None and found.stage >= _stage(outside_time(statement.entry_id, statement.first)):
        return found
    evidence = evidence_of(statement)
    stage = _stage(evidence.outside)
    issued_at = timezone.now().replace(microsecond=0)
    attachment = Attachment(BUNDLE_NAME, "application/zip", bundle.format_bundle(core_files(evidence)))
    room = ROOM_BYTES if askable() else 0
    pdf = sign_document(render(common_part(evidence, issued_at), [attachment]), issued_at, room)
    assert statement.seller is not None  # noqa: S101 - only sellers' statements get certificates
    (blob,) = seal_files(seller=statement.seller, contents=[pdf])
    try:
        with transaction.atomic():
            blob.save(force_insert=True)
            return Certificate.objects.create(
                seller=statement.seller,
                statement=statement,
                blob=blob,
                tree_size=evidence.checkpoint.tree_size,
                sha256=hashlib.sha256(pdf).digest(),
                layout_version=LAYOUT_VERSION,
                stage=stage,
                room_bytes=room,
                created_at=issued_at,
            )
    except IntegrityError:  # somebody asked at the same moment; theirs was handed out first
        return issued.get(stage=stage, is_archival=False)


def assured_level(outside: Outside) -> int:
    """1 to 4: what outside clocks and witnesses together prove of a sealed entry, on pages as in documents."""
    is_witnessed = outside.checkpoint is not None and quorum_met(outside.checkpoint)
    return level_with_witnesses(outside.level, is_witnessed=is_witnessed)


def _stage(outside: Outside) -> int:
    """Grows with what is proven: a certificate of a higher stage replaces one of a lower."""
    return (assured_level(outside) - CHECKPOINT_SIGNED) * 4 + LATER_CLOCK * bool(outside.later) + bool(outside.earlier)


def sign_document(pdf: bytes, signed_at: datetime, room_bytes: int = 0) -> bytes:
    """The PDF with this site's signature on it, with room for a time-stamp later. Raises KeyMissingError."""
    signer = keys.document_signer()
    if signer is None:
        raise keys.KeyMissingError(keys.DOCUMENT_KEY)
    key_pem, cert_pem = signer
    return sign_pdf(pdf, key_pem=key_pem, cert_pem=cert_pem, reason=REASON, signed_at=signed_at, room_bytes=room_bytes)


def common_part(evidence: Evidence, issued_at: datetime) -> Common:
    """What every document states alike."""
    statement = evidence.statement
    assert statement.seller is not None  # noqa: S101
    return Common(
        number=format_number(statement.number),
        issued_at=issued_at,
        seller=statement.seller.name,
        ledger=_ledger_facts(evidence),
        assurance=assurance(assured_level(evidence.outside)),
        bracket=evidence.outside.bracket,
        verify_url=verify_url(statement),
    )


def verify_url(statement: Statement) -> str | None:
    """The public page of one certificate; only a public site has one."""
    if not settings.PUBLIC_URL:
        return None
    return settings.PUBLIC_URL + reverse("ledger:certificate_public", args=[statement.number])


def _ledger_facts(evidence: Evidence) -> LedgerFacts:
    row, checkpoint = evidence.statement.entry, evidence.checkpoint
    parsed = entry.parse_entry(bytes(row.body))
    signature = note.parse_note(checkpoint.note.encode()).signatures[0]
    return LedgerFacts(
        origin=parsed.log,
        seq=parsed.seq,
        logged_at=evidence.statement.logged_at,
        entry_text=bytes(row.body).decode(),
        leaf_hash=bytes(row.leaf_hash),
        prev_hash=parsed.prev,
        tree_size=checkpoint.size,
        root_hash=bytes(checkpoint.root_hash),
        key_id=f"{signature.name}+{signature.key_id.hex()}",
        inclusion_proof=evidence.proof.path,
        checkpoint_note=checkpoint.note,
    )


def file_facts(image: ImageFile) -> FileFacts:
    """A picture file as documents print it."""
    return FileFacts(
        name=image.file_name,
        size_bytes=image.size_bytes,
        mime=image.mime,
        sha256=bytes(image.sha256),
        width_px=image.width,
        height_px=image.height,
        fingerprints=tuple(
            Fingerprint(f"{row.algorithm} v{row.version}", bytes(row.value))
            for row in image.fingerprints.order_by("algorithm", "version")
        ),
    )


def certificate_of(*, actor: User | None, original: Original) -> Certificate:
    """The certificate of a registered original, analysed first: it stays as it was handed out, so with its picture.

    One that cannot be opened is printed without.
    """
    require_permission(actor, original.seller, Permission.VIEW)
    if original.image.state == ImageState.SEALED:
        analyse_pictures(image_ids=[original.image_id])
        original.image.refresh_from_db()

    def render(common: Common, attachments: Sequence[Attachment]) -> bytes:
        image = original.image
        document = CertificateDocument(
            common=common,
            file=file_facts(image),
            thumbnail=thumbnail(image, 1024),
            camera=_camera(image) if image.state == ImageState.READY else None,
            title=original.title,
        )
        return render_certificate(document, attachments=attachments)

    return issue(original.statement, render)


def _camera(image: ImageFile) -> CameraFacts | None:
    said = image.metadata
    facts = CameraFacts(
        make=said.get("camera_make", ""),
        model=said.get("camera_model", ""),
        lens=said.get("lens_model", ""),
        captured_at=said.get("captured_at", ""),
        software=said.get("software", ""),
    )
    return facts if facts != CameraFacts() else None


def evidence_zip(*, actor: User | None, certificate: Certificate, with_original: bool = False) -> bytes:
    """Core bundle and certificate in one ZIP; the exact original bytes only on request and with the right to them."""
    statement = certificate.statement
    assert statement.seller is not None  # noqa: S101
    require_permission(actor, statement.seller, Permission.VIEW)
    originals = None
    if with_original:
        require_permission(actor, statement.seller, Permission.DOWNLOAD_ORIGINAL)
        image = statement.original.image
        originals = {0: (EXTENSIONS[image.mime], read_blob(image.blob))}
    files = core_files(evidence_of(statement), originals)
    record_handout(statement, BUNDLE_WITH_FILES if with_original else BUNDLE)
    return bundle.format_bundle({**files, bundle.CERTIFICATE: read_blob(certificate.blob)})


def entry_zip(*, actor: User | None, statement: Statement) -> bytes:
    """What still proves an erased statement's entry: entry, proof and checkpoint, whatever they once stood for."""
    assert statement.seller is not None  # noqa: S101
    require_permission(actor, statement.seller, Permission.VIEW)
    return bundle.format_bundle(core_files(evidence_of(statement)))
