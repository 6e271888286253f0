"""Certificates made to last (PAdES B-LTA) once an authority for time has answered; nobody waits for it.

A certificate is handed out at once, signed, with room for a time-stamp. When outside time encloses its entry and the
log itself needs no token, an authority is asked twice within its quota: about the signature, kept here at once, then
about the whole document. The result is a second row; the first one stays as it was handed out. A process killed at any
point leaves a certificate that holds, and the next run goes on from there.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from asn1crypto import cms, tsp
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from ledger.anchors import tsa
from ledger.anchors.errors import FetchError, HttpError
from ledger.models import Certificate, Job, TimeAuthority
from ledger.pdf.archive import archive_pdf, signature_value
from ledger.pdf.errors import PdfError
from ledger.pdf.read import read_certificate
from ledger.pdf.sign import certificate_der
from ledger.services import authorities, keys
from ledger.services.anchoring import wanted
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files
from ledger.services.evidence import LATER_CLOCK, LAYOUT_VERSION
from ledger.services.jobs import enqueue_job
from ledger.services.log import lock_head
from ledger.tlog import x509_path
from ledger.tlog.errors import TimestampError
from ledger.tlog.timestamp import embedded_certificates

ARCHIVE_JOB = "certificates.archive"
AT_ONCE = 50  # certificates looked at by one job
logger = logging.getLogger(__name__)

Now = Callable[[], datetime]
Ask = Callable[..., tsa.Answer]


class _NoAnswerError(Exception):
    """The authority did not give what was asked for; it has been noted, and the certificate stays as it is."""


def archive_if_due(clock: Now = timezone.now) -> Job | None:
    """Have a worker go on when certificates wait and an authority may be asked; a chore."""
    now = clock()
    if not authorities.askable() or wanted(now) is not None:
        return None
    if not any(_authority(row.time_authority, now) for row in waiting().select_related("time_authority")[:AT_ONCE]):
        return None
    return enqueue_job(kind=ARCHIVE_JOB, args={}, seller=None, actor=None, dedupe_key="archive")


def waiting() -> QuerySet[Certificate]:
    """Certificates that can become archival and have not, newest first.

    Only those that already state an outside reading after their entry: of the others a better one will be asked for.
    """
    later = Certificate.objects.filter(statement=OuterRef("statement"), layout_version=OuterRef("layout_version"))
    same = later.filter(stage=OuterRef("stage"), is_archival=True)
    better = later.filter(stage__gt=OuterRef("stage"))
    plain = Certificate.objects.filter(is_archival=False, room_bytes__gt=0, layout_version=LAYOUT_VERSION)
    clocked = plain.annotate(clock=F("stage").bitand(LATER_CLOCK)).filter(clock__gt=0)
    return clocked.filter(~Exists(same), ~Exists(better), statement__erasure=None).order_by("-pk")


def archive_certificates(*, now: Now = timezone.now, ask: Ask = tsa.request_token) -> int:
    """Go on with what waits as far as the quotas allow; how many became archival. Never raises for a refusal."""
    made = 0
    for certificate in waiting().select_related("blob", "time_authority", "seller", "statement")[:AT_ONCE]:
        authority = _authority(certificate.time_authority, now())
        if authority is None:
            continue
        try:
            made += _go_on(certificate, authority, now, ask)
        except (_NoAnswerError, BlobUnreadableError):
            continue
    return made


def _authority(known: TimeAuthority | None, now: datetime) -> TimeAuthority | None:
    """The one that has answered already, else the first that may be asked."""
    rows = authorities.askable()
    ready = [row for row in rows if not authorities.is_resting(row, now) and authorities.quota_left(row, now)]
    if known is not None and known in rows:
        return known if known in ready else None
    return ready[0] if ready else None


def _go_on(certificate: Certificate, authority: TimeAuthority, now: Now, ask: Ask) -> bool:
    """One step or two; whether the certificate is archival now."""
    pdf = read_blob(certificate.blob)
    if not certificate.signature_token or certificate.time_authority != authority:
        token = _token(_ask(authority, signature_value(pdf), now, ask))
        if len(token) > certificate.room_bytes:
            _give_up(certificate, f"a token of {len(token)} bytes, room for {certificate.room_bytes}")
        certificate.signature_token, certificate.time_authority = token, authority
        certificate.save(update_fields=["signature_token", "time_authority"])
    return _keep(certificate, _archived(certificate, authority, pdf, now, ask), now())


def _archived(certificate: Certificate, authority: TimeAuthority, pdf: bytes, now: Now, ask: Ask) -> bytes:
    """The B-LTA document, read again by our own strict reader before anybody gets it."""
    signer = keys.document_signer()
    if signer is None:
        raise _NoAnswerError
    token = bytes(certificate.signature_token)
    authority.refresh_from_db()
    anchors = authorities.anchors_of(authority)
    try:
        archived = archive_pdf(
            pdf,
            signature_token=token,
            certificates=[certificate_der(signer[1]), *embedded_certificates(token), *anchors],
            crls=x509_path.load_crls(authority.crls.encode()) if authority.crls else [],
            ask=lambda message: _token(_ask(authority, message, now, ask)),
            reserved_bytes=max(certificate.room_bytes, len(token) + 512),
        )
        facts = read_certificate(archived, trusted_cert_pem=signer[1], time_anchors=anchors).signature
    except PdfError as error:
        _give_up(certificate, str(error))
    if facts is None or not (facts.intact and facts.covers_whole_file) or len(facts.stamps) != 2:
        _give_up(certificate, "the time-stamps, as this authority writes them, do not pass our own reader")
    return archived


def _give_up(certificate: Certificate, why: str) -> NoReturn:
    """Leave this certificate as it was handed out. The authority is not to blame: its tokens serve the log all the same."""
    logger.warning("certificate %d stays without time-stamps of its own: %s", certificate.pk, why)
    Certificate.objects.filter(pk=certificate.pk).update(room_bytes=0, signature_token=b"")
    raise _NoAnswerError


def _ask(authority: TimeAuthority, message: bytes, now: Now, ask: Ask) -> bytes:
    """A checked response over these bytes, within the quota; else _NoAnswerError with the fault noted."""
    if not authorities.reserve_call(authority, now()):
        raise _NoAnswerError
    try:
        return ask(authorities.client_of(authority), message, nonce=secrets.randbits(63)).response
    except HttpError as error:
        authorities.note_failure(authority, now(), error.code, str(error), error.retry_after_s)
        raise _NoAnswerError from error
    except (FetchError, TimestampError) as error:
        authorities.note_failure(authority, now(), error.code, str(error))
        raise _NoAnswerError from error


def _token(response: bytes) -> bytes:
    """The bare token of a checked response."""
    token: cms.ContentInfo = tsp.TimeStampResp.load(response)["time_stamp_token"]
    return bytes(token.dump())


def _keep(certificate: Certificate, archived: bytes, now: datetime) -> bool:
    """The second row, unless what it is about was erased or somebody else was faster."""
    (blob,) = seal_files(seller=certificate.seller, contents=[archived])
    with transaction.atomic():
        lock_head()  # an erasure holds it from its plan to its end
        if not waiting().filter(pk=certificate.pk).exists():
            return False
        blob.save(force_insert=True)
        Certificate.objects.create(
            seller=certificate.seller,
            statement=certificate.statement,
            blob=blob,
            tree_size=certificate.tree_size,
            sha256=hashlib.sha256(archived).digest(),
            layout_version=certificate.layout_version,
            stage=certificate.stage,
            is_archival=True,
            time_authority=certificate.time_authority,
            created_at=now,
        )
    return True
