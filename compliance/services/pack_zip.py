"""The ZIP of an order's packs: a folder per SKU, and the summary as CSV. Built from the sealed files at each request."""

from __future__ import annotations

import tempfile
import zipfile
from datetime import UTC
from typing import IO

from compliance.models import PackItem, PackRun
from compliance.packs.summary import SummaryRow, format_summary
from ledger.accounts.models import User
from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.services.blobs import read_blob
from ledger.services.handouts import PACKET, record_handout

SUMMARY_FILE = "packs.csv"
IN_MEMORY = 16 * 2**20


class PackUnfinishedError(Exception):
    """No pack of the order has been made."""

    code = "pack.unfinished"


def pack_zip(*, actor: User | None, run: PackRun) -> IO[bytes]:
    """An open file with everything made so far, at its start. Raises PackUnfinishedError and BlobUnreadableError.

    JPEG does not compress, so files are stored; one at a time is in memory.
    """
    require_permission(actor, run.seller, Permission.VIEW)
    related = [f"{role}__{rest}" for role in ("main", "hidden", "detail") for rest in ("image__blob", "statement")]
    items = list(run.items.select_related(*related))
    if not any(item.files for item in items):
        raise PackUnfinishedError
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller sends it and closes it
    stamp = run.created_at.astimezone(UTC).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for item in items:
            for role, file in item.files:
                archive.writestr(zipfile.ZipInfo(_path(item, role), stamp), read_blob(file.image.blob))
                record_handout(file.statement, PACKET)
        summary = format_summary(row for item in items for row in summary_rows(item))
        archive.writestr(zipfile.ZipInfo(SUMMARY_FILE, stamp), summary)
    out.seek(0)
    return out


def summary_rows(item: PackItem) -> list[SummaryRow]:
    """The rows of one pack: its files, or why there are none."""
    if not item.files:
        return [SummaryRow(item.sku, verdict="INDETERMINATE", refused=item.error_code or item.state)]
    return [
        SummaryRow(
            sku=item.sku,
            file=_path(item, role),
            sha256=bytes(file.image.sha256).hex(),
            width=file.image.width or 0,
            height=file.image.height or 0,
            size_bytes=file.image.size_bytes,
            verdict=item.verdict,
            entry=f"{file.statement.seq} {format_number(file.statement.number)}",
            reasons=" ".join(dict.fromkeys(found["code"] for found in item.report["check"]["findings"])),
        )
        for role, file in item.files
    ]


def _path(item: PackItem, role: str) -> str:
    return f"{item.sku}/{role}.jpg"
