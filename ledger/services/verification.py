"""Checking evidence that somebody brings: our ZIP, or our PDF with the bundle inside. Writes nothing.

A PDF is opened in the limited child process. The site's own key is the policy: evidence of another log passes only
"under its own key", which says nothing until somebody compares that key.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import PixelPool
from ledger.models import LogHead, Statement
from ledger.services import keys
from ledger.services.evidence import core_files, evidence_of
from ledger.services.log import own_policy
from ledger.tlog import bundle
from ledger.tlog.bundle import Limits
from ledger.tlog.policy import Policy
from ledger.tlog.verify import Report, Verdict, verify_bundle

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
class Verification:
    """What was found. report is None when no bundle could be read; code then says why.

    pdf holds the facts of the document's signature, {} for a ZIP.
    """

    report: Report | None
    pdf: dict[str, Any]
    code: str = ""
    is_ours: bool = False

    @property
    def verdict(self) -> Verdict:
        """The bundle's answer; a PDF whose signature is broken fails whatever its bundle says."""
        if self.report is None:
            return Verdict.INDETERMINATE
        if self.pdf and not (self.pdf["intact"] and self.pdf["covers_whole_file"]):
            return Verdict.FAILED
        return self.report.verdict


def verify_evidence(content: bytes) -> Verification:
    """Check a ZIP or PDF from bytes of any origin; never raises for what is wrong with them."""
    if len(content) > MAX_EVIDENCE_BYTES:
        return Verification(None, {}, code="evidence_too_large")
    if content[:5] == b"%PDF-":
        return _verify_pdf(content)
    if content[:2] != b"PK":
        return Verification(None, {}, code="evidence_unknown")
    return _verify_zip(content, {})


def _verify_pdf(content: bytes) -> Verification:
    signer = keys.document_signer()
    try:
        answer = _pdf_pool().run(READ_PDF, [content, signer[1] if signer else b""])
    except ImagingError:
        return Verification(None, {}, code="pdf_unreadable")
    if "refused" in answer.values:
        return Verification(None, {}, code="pdf_unreadable")
    if not answer.blobs:
        return Verification(None, {}, code="pdf_without_bundle")
    facts = answer.values["signature"] or {"intact": False, "covers_whole_file": False, "trusted": False}
    return _verify_zip(answer.blobs[0], facts)


def _verify_zip(content: bytes, pdf: dict[str, Any]) -> Verification:
    report = verify_bundle(content, _policy(), LIMITS)
    if report.verdict is Verdict.PASSED:
        return Verification(report, pdf, is_ours=True)
    # Evidence of another log is not wrong because we do not know its key: say under which key it holds.
    foreign = verify_bundle(content, None, LIMITS)
    if foreign.entry is not None and not _is_our_origin(foreign.entry.log):
        return Verification(foreign, pdf)
    return Verification(report, pdf, is_ours=True)


def _policy() -> Policy | None:
    return own_policy() if LogHead.objects.exists() else None


def _is_our_origin(origin: str) -> bool:
    return LogHead.objects.filter(origin=origin).exists()


def verify_own(statement: Statement) -> Report:
    """The live answer for one of our statements: its bundle, built now and checked like a stranger's."""
    return verify_bundle(bundle.format_bundle(core_files(evidence_of(statement))), own_policy(), LIMITS)
