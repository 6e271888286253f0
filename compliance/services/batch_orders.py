"""What somebody sent to have many pairs checked: loose files, a ZIP, a CSV, as one archive and a plan of pairs.

Only names and the archive's directory are read here; the pictures are unpacked and looked at by the job.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from compliance.checks.pairs import MAX_ID, PairPlan, PairsMalformed, parse_pairs, plan_hidden, plan_pairs
from ledger.services.archives import open_archive, pictures_in, unpack
from ledger.services.job_context import JobError

MAX_PAIRS = 200  # a job has under ten minutes per attempt, and a pair takes about a second
MAX_SKUS = 60  # of one collage; their shots are held in memory together, a third of a megabyte each
MAX_CSV_BYTES = 2**20
HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class BatchRefusedError(Exception):
    """The order cannot be taken as it is; nothing was kept. code is stable, detail names what is wrong."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".rstrip())
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """archive: a ZIP with everything that was sent, or nothing; plans: the pairs; left_out: files of no pair."""

    archive: bytes
    plans: tuple[PairPlan, ...]
    left_out: tuple[str, ...]
    label: str


def read_order(
    *, files: Sequence[UploadedFile[Any]], archive: UploadedFile[Any] | None, table: UploadedFile[Any] | None
) -> BatchOrder:
    """The order that a form holds. A CSV counts before names, also one that lies alone in the ZIP.

    Raises BatchRefusedError.
    """
    content = archive.read() if archive is not None else pack_files(files)
    names = archive_names(content)
    written = table.read(MAX_CSV_BYTES + 1) if table is not None else _enclosed_table(content, names)
    if written is None:
        plans, left_out = plan_pairs([name for name in names if not name.lower().endswith(".csv")])
    else:
        plans, left_out = _plans_of(written, names)
    if not plans:
        raise BatchRefusedError("batch.no_pair", ", ".join(left_out[:5]))
    if len(plans) > MAX_PAIRS:
        raise BatchRefusedError("batch.too_many", str(len(plans)))
    label = next((file.name for file in (archive, table, *files) if file is not None and file.name), "")
    return BatchOrder(content, tuple(plans), tuple(left_out), label[:200])


def read_sku_order(
    *, files: Sequence[UploadedFile[Any]], archive: UploadedFile[Any] | None, declared: str
) -> BatchOrder:
    """The hidden images of a collage's SKUs; declared: SKUs one per line, also those without a file.

    Raises BatchRefusedError.
    """
    content = archive.read() if archive is not None else pack_files(files)
    wanted = list(dict.fromkeys(line.strip() for line in declared.replace("\0", "").splitlines() if line.strip()))
    if any(len(sku) > MAX_ID for sku in wanted):
        raise BatchRefusedError("skus.too_long")
    plans = plan_hidden([name for name in archive_names(content) if not name.lower().endswith(".csv")], wanted)
    if not plans:
        raise BatchRefusedError("skus.none")
    if len(plans) > MAX_SKUS:
        raise BatchRefusedError("skus.too_many", str(len(plans)))
    label = next((file.name for file in (archive, *files) if file is not None and file.name), "")
    return BatchOrder(content, tuple(plans), (), label[:200])


def pack_files(files: Sequence[UploadedFile[Any]]) -> bytes:
    """Loose files as a ZIP without compression, one at a time in memory; two of one name get a number."""
    if not files:
        return b""
    target = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for file in files:
            path = PurePosixPath((file.name or "file").replace("\\", "_"))
            name, number = path.name, 1
            while name.casefold() in taken:
                number += 1
                name = f"{path.stem} ({number}){path.suffix}"
            taken.add(name.casefold())
            out.writestr(name, file.read())
    return target.getvalue()


def archive_names(content: bytes) -> list[str]:
    """Paths of the files inside, in their order; BatchRefusedError for an archive that cannot be taken."""
    if not content:
        return []
    try:
        with open_archive(content) as archive:
            return [member.path for member in pictures_in(archive)]
    except JobError as error:
        raise BatchRefusedError(error.code, error.detail) from error


def _enclosed_table(content: bytes, names: Sequence[str]) -> bytes | None:
    """The one CSV of an archive when its header is that of pairs; a pack's own summary is none."""
    tables = [name for name in names if name.lower().endswith(".csv")]
    if len(tables) != 1:
        return None
    with open_archive(content) as archive:
        (member,) = [each for each in pictures_in(archive) if each.path == tables[0]]
        data = unpack(archive, member.info)
    try:
        parse_pairs(data or b"")
    except PairsMalformed:
        return None
    return data


def _plans_of(table: bytes, names: Sequence[str]) -> tuple[list[PairPlan], list[str]]:
    """The rows of a CSV with its cells as paths of the archive, and the files that no row names."""
    if len(table) > MAX_CSV_BYTES:
        raise BatchRefusedError("batch.malformed", f"more than {MAX_CSV_BYTES} bytes")
    try:
        rows = parse_pairs(table)
    except PairsMalformed as error:
        raise BatchRefusedError(error.code, error.detail) from error
    known = _by_name(names)
    plans = [_found(row, known) for row in rows]
    used = {name for plan in plans for name in (plan.main, plan.hidden, plan.original)}
    return plans, [name for name in names if name not in used and not name.lower().endswith(".csv")]


def _by_name(names: Sequence[str]) -> Mapping[str, str]:
    """Paths by what a row may call them: the whole path, or the bare name where only one file has it."""
    bare = [PurePosixPath(name).name.casefold() for name in names]
    alone = {short: name for short, name in zip(bare, names, strict=True) if bare.count(short) == 1}
    return alone | {name.casefold(): name for name in names}


def _found(row: PairPlan, known: Mapping[str, str]) -> PairPlan:
    if row.code:
        return row
    cells = {side: known.get(name.removeprefix("./").casefold(), "") for side, name in _cells(row)}
    for side, name in _cells(row):
        if not cells[side] and not HEX_DIGEST.fullmatch(name):
            return replace(row, code="batch.file_not_sent", detail=name[:200])
    original = known.get(row.original.casefold(), row.original) if row.original else ""
    return replace(row, main=cells["main"] or row.main, hidden=cells["hidden"] or row.hidden, original=original)


def _cells(row: PairPlan) -> tuple[tuple[str, str], ...]:
    return (("main", row.main), ("hidden", row.hidden))
