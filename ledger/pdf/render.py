"""Documents as PDF/A-3a + PDF/UA-1: same dataclass and attachments in, same bytes out. How they are set: typeset.py."""

import re
from collections.abc import Sequence
from pathlib import Path

from ledger.pdf.documents import (
    Attachment,
    CertificateDocument,
    CheckReceiptDocument,
    Document,
    QueryReceiptDocument,
    RecordDocument,
    SetCertificateDocument,
    check_document,
)
from ledger.pdf.errors import AttachmentRejectedError
from ledger.pdf.payload import Json, build_payload
from ledger.pdf.typeset import typeset

TEMPLATES = Path(__file__).parent / "templates"
# ASCII only: the name is written to disk by whatever the reader uses to save attachments.
ATTACHMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+")


def _check_attachments(attachments: Sequence[Attachment]) -> None:
    names = [attachment.name for attachment in attachments]
    if len(set(names)) != len(names):
        raise AttachmentRejectedError(f"attachment names repeat: {names}")
    for attachment in attachments:
        if ATTACHMENT_NAME.fullmatch(attachment.name) is None:
            raise AttachmentRejectedError(
                f"attachment name {attachment.name!r} is not plain ASCII of 1..100 characters"
            )
        if MIME.fullmatch(attachment.mime) is None:
            raise AttachmentRejectedError(f"attachment type {attachment.mime!r} is not a media type")


def _attachment_data(attachments: Sequence[Attachment]) -> list[Json]:
    return [
        {
            "name": each.name,
            "file": f"attachment-{index}",
            "mime": each.mime,
            "relationship": each.relationship.value,
            "description": each.description or each.name,
        }
        for index, each in enumerate(attachments)
    ]


def _render(template: str, document: Document, attachments: Sequence[Attachment]) -> bytes:
    check_document(document)
    _check_attachments(attachments)
    payload = build_payload(document)
    payload.data["attachments"] = _attachment_data(attachments)
    at = document.common.issued_at
    payload.data["date"] = [at.year, at.month, at.day, at.hour, at.minute, at.second]
    files = payload.files | {f"attachment-{index}": each.data for index, each in enumerate(attachments)}
    sources = {source.name: source.read_bytes() for source in TEMPLATES.glob("*.typ")}
    return typeset(template, sources | files, payload.data, at)


def render_certificate(document: CertificateDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Certificate of one registered original as PDF bytes; attach the core bundle as BUNDLE_NAME.

    Raises DocumentRejectedError, PictureRejectedError, AttachmentRejectedError, RenderFailedError.
    """
    return _render("certificate.typ", document, attachments)


def render_set_certificate(document: SetCertificateDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Certificate of one evidence set as PDF bytes; errors as render_certificate."""
    return _render("set.typ", document, attachments)


def render_query_receipt(document: QueryReceiptDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Receipt of one search as PDF bytes; errors as render_certificate."""
    return _render("query.typ", document, attachments)


def render_check_receipt(document: CheckReceiptDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Receipt of one hidden-image check as PDF bytes; errors as render_certificate."""
    return _render("check.typ", document, attachments)


def render_record(document: RecordDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Receipt of any other entry as PDF bytes; errors as render_certificate."""
    return _render("record.typ", document, attachments)
