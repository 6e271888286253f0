"""Checking evidence that somebody brings: our ZIP, or our PDF with the bundle inside. Writes nothing.

A PDF is opened in the limited child process. The site's own key is the policy: evidence of another log passes only
"under its own key", which says nothing until somebody compares that key.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import PixelPool
from ledger.models import LogHead, Statement
from ledger.pdf.documents import BUNDLE_NAME
from ledger.services import keys
from ledger.services.authorities import trusted_anchors
from ledger.services.evidence import core_files, evidence_of
from ledger.services.log import full_policy, own_policy
from ledger.tlog import bundle
from ledger.tlog.bundle import Limits
from ledger.tlog.errors import BundleError, SignatureMissing
from ledger.tlog.report import Check, Report, Verdict
from ledger.tlog.verify import verify_bundle

MAX_EVIDENCE_BYTES = 64 * 2**20
LIMITS = Limits(archive_bytes=MAX_EVIDENCE_BYTES, total_bytes=MAX_EVIDENCE_BYTES)
READ_PDF = "ledger.pdf.worker_tasks:read_certificate_task"
_lock = threading.Lock()
_pool: PixelPool | None = None


def _pdf_pool() -> PixelPool:
    global _pool
    with _lock:
        if _pool is None:
            _pool = PixelPool(size=1, prefixes=("ledger.pdf.",))
        return _pool


@dataclass(frozen=True, slots=True)
class Document:
    """What the child found in a PDF: the facts of its signature (empty: unsigned) and the bundle it carries."""

    code: str
    signature: dict[str, Any]
    bundle: bytes | None

    @property
    def is_whole(self) -> bool:
        """Signed, and nothing changed or added since."""
        return bool(self.signature and self.signature["intact"] and self.signature["covers_whole_file"])


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer. report is None when no bundle could be read; code says why the answer is not PASSED, where the
    report does not. pdf holds the facts of the document's signature, {} when there was no document.
    """

    verdict: Verdict
    report: Report | None = None
    pdf: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    is_ours: bool = False


def verify_evidence(content: bytes) -> Verification:
    """Check a ZIP or PDF from bytes of any origin; never raises for what is wrong with them."""
    if len(content) > MAX_EVIDENCE_BYTES:
        return Verification(Verdict.INDETERMINATE, code="evidence_too_large")
    if content.startswith(b"%PDF-"):
        return _verify_pdf(content)
    if content.startswith(b"PK") or bundle.PROOF.encode() in content:
        return _verify_zip(content)
    if BUNDLE_NAME.encode() in content:
        return _verify_pdf(content)
    return Verification(Verdict.INDETERMINATE, code="evidence_unknown")


def _read_pdf(content: bytes) -> Document:
    signer = keys.document_signer()
    try:
        answer = _pdf_pool().run(READ_PDF, [content, signer[1] if signer else b"", *trusted_anchors()])
    except ImagingError:
        return Document("pdf_unreadable", {}, None)
    if "refused" in answer.values:
        return Document("pdf_unreadable", {}, None)
    facts = answer.values["signature"] or {}
    for stamp in facts.get("stamps", ()):
        stamp["gen_time"] = datetime.fromisoformat(stamp["gen_time"])
    return Document("" if answer.blobs else "pdf_without_bundle", facts, answer.blobs[0] if answer.blobs else None)


def _verify_pdf(content: bytes) -> Verification:
    """A certificate. Any PDF may be unreadable or hold no evidence; one that names our attachment was changed."""
    document = _read_pdf(content)
    if document.bundle is None:
        is_certificate = document.signature or BUNDLE_NAME.encode() in content
        if is_certificate and not document.is_whole:
            return Verification(Verdict.FAILED, pdf=document.signature, code="pdf_changed")
        return Verification(Verdict.INDETERMINATE, pdf=document.signature, code=document.code)
    return _judge(*_check_bundle(document.bundle), document)


def _verify_zip(content: bytes) -> Verification:
    """An evidence ZIP, with the certificate that may lie in it: the bundle's own sums do not cover that one."""
    report, is_ours = _check_bundle(content)
    certificate = _certificate_in(content)
    if certificate is None:
        return Verification(report.verdict, report, is_ours=is_ours)
    document = _read_pdf(certificate)
    if report.verdict is Verdict.PASSED and document.is_whole and not _says_the_same(document, report):
        return Verification(Verdict.FAILED, report, document.signature, "pdf_other_entry", is_ours)
    return _judge(report, is_ours, document)


def _certificate_in(content: bytes) -> bytes | None:
    try:
        return bundle.read_bundle(content, LIMITS).get(bundle.CERTIFICATE)
    except BundleError:
        return None  # the report says what is wrong with the archive


def _says_the_same(document: Document, report: Report) -> bool:
    """The certificate's own bundle is about the same entry as the one it lies beside."""
    inner = verify_bundle(document.bundle, None, LIMITS) if document.bundle is not None else None
    return inner is not None and inner.leaf_hash == report.leaf_hash


def _judge(report: Report, is_ours: bool, document: Document) -> Verification:
    """The weaker of bundle and document. Sound evidence inside a stranger's PDF vouches for nothing that it prints."""
    if not document.is_whole:
        return Verification(Verdict.FAILED, report, document.signature, "pdf_changed", is_ours)
    if report.verdict is Verdict.PASSED and is_ours and not document.signature["trusted"]:
        return Verification(Verdict.INDETERMINATE, report, document.signature, "pdf_other_signer", is_ours)
    return Verification(report.verdict, report, document.signature, is_ours=is_ours)


def _check_bundle(content: bytes) -> tuple[Report, bool]:
    """The report under our own policy; for another log's bundle the one under the key it brings, and False."""
    # Evidence of another log is not wrong because we do not know its key: say under which key it holds.
    foreign = verify_bundle(content, None, LIMITS)
    if not LogHead.objects.exists():
        return foreign, False
    report = verify_bundle(content, own_policy(), LIMITS, trusted_anchors())
    if report.verdict is Verdict.PASSED:
        return report, True
    if _only_its_key_is_revoked(content, report):
        return replace(report, checks=tuple(map(_as_revoked, report.checks))), True
    origins = {foreign.entry.log} if foreign.entry else set()
    origins |= {foreign.checkpoint.origin} if foreign.checkpoint else set()
    if origins and not origins & {log.key.name for log in full_policy().logs}:
        return foreign, False
    return report, True


def _only_its_key_is_revoked(content: bytes, report: Report) -> bool:
    """Whether nothing is wrong but that its signer was revoked since: then it shows nothing, and contradicts nothing."""
    found = report.disagreement
    if found is None or found.code != SignatureMissing.code:
        return False
    return verify_bundle(content, full_policy(), LIMITS).verdict is Verdict.PASSED


def _as_revoked(check: Check) -> Check:
    if check.code != SignatureMissing.code:
        return check
    detail = "signed by a key of this log that was revoked; evidence made anew is signed by the present key"
    return replace(check, verdict=Verdict.INDETERMINATE, code="key_revoked", detail=detail)


def verify_own(statement: Statement) -> Report:
    """The live answer for one of our statements: its bundle, built now and checked like a stranger's."""
    content = bundle.format_bundle(core_files(evidence_of(statement)))
    return verify_bundle(content, own_policy(), LIMITS, trusted_anchors())
