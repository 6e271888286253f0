"""The public log as files: checkpoint, hash tiles and entry bundles that any web server can hand out (C2SP tlog-tiles).

Entries name nobody, so nothing here is personal. Only what a signed checkpoint covers is ever given away. A folder is
brought up to date piece by piece; its checkpoint is written last, so that it never promises a tile that is not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ledger.models import Checkpoint, Entry
from ledger.services.audit import Audit, Progress
from ledger.services.files import make_directories, read_capped, sync_directory, write_quickly
from ledger.services.log import LogForkError, cosigned_note, log_head, own_policy
from ledger.services.spans import Span, hashes_of, spans
from ledger.services.witnesses import policy_with_witnesses
from ledger.tlog import tiles
from ledger.tlog.checkpoint import Checkpoint as TreeHead
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.errors import TileError, TlogError
from ledger.tlog.merkle import TILE_HEIGHT, TILE_WIDTH, root_from_tiles
from ledger.tlog.note import MAX_NOTE_BYTES, parse_note
from ledger.tlog.policy import format_policy
from ledger.tlog.tiles import Tile

PUBLIC_MODE, PUBLIC_FOLDER = 0o644, 0o755  # another program, a web server, has to read them
CHECKPOINT, POLICY, PARAMETERS = "checkpoint", "policy", "log.json"
MAX_TILE_BYTES = TILE_WIDTH * (2 + tiles.MAX_ENTRY)


class ExportFolderError(Exception):
    """The folder holds something else than an older state of this log."""

    code = "export_folder"


@dataclass(frozen=True, slots=True)
class Export:
    """What an export did: the tree it brought the folder to, and how many files it wrote."""

    tree_size: int
    files: int


def tile_bytes(tile: Tile, first: int) -> bytes:
    """The bytes of a tile of the log that begins at `first`, from the database; TileError when rows are missing.

    Whether a checkpoint covers the tile is for the caller to know: see is_public.
    """
    stop = tile.start + tile.width
    if tile.level is None:
        within = Entry.objects.filter(seq__gte=first + tile.start, seq__lt=first + stop)
        rows = within.order_by("seq").values_list("body", flat=True)
        entries = [bytes(row) for row in rows]
        _require_width(tile, len(entries))
        return tiles.format_entries(entries)
    hashes = hashes_of(first)(tile.level, tile.start, stop)
    _require_width(tile, len(hashes))
    return tiles.format_tile(hashes)


def _require_width(tile: Tile, count: int) -> None:
    if count != tile.width:
        raise TileError(f"{tile.path} lacks rows in the database", expected=tile.width, actual=count)


def is_public(tile: Tile, signed_size: int) -> bool:
    """Whether everything in the tile lies under a checkpoint of this size."""
    return (tile.start + tile.width) << (TILE_HEIGHT * (tile.level or 0)) <= signed_size


def newest_of(span: Span) -> Checkpoint | None:
    """The newest checkpoint of one log that is held."""
    rows = Checkpoint.objects.filter(tree_size__gt=span.first, tree_size__lte=span.end)
    return rows.order_by("-tree_size").first()


def export_tiles(
    *, folder: Path, epoch: int | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Export:
    """Bring a folder up to the newest checkpoint; on return it survives a power cut. Safe to run again at any point.

    epoch: the number of an ended log; the present one when not given. Raises ExportFolderError when the folder is not an
    older state of that log: nothing in it is touched then.
    """
    span = next((span for span in spans(log_head()) if span.number == epoch or (not epoch and span.past is None)), None)
    if span is None or not span.parameters:
        raise ExportFolderError(f"nothing is held of an epoch {epoch}")
    newest = newest_of(span)
    before = _exported(folder)
    _require_older(span, newest, before, folder)
    make_directories(folder, PUBLIC_FOLDER)
    _write(folder / PARAMETERS, span.parameters)
    _write(folder / POLICY, format_policy(policy_with_witnesses(own_policy())))
    if newest is None:
        return Export(0, 2)
    wanted = list(tiles.tiles_of(newest.size, before.size if before else 0))
    for done, tile in enumerate(wanted, start=1):
        _write(folder / tile.path, tile_bytes(tile, span.first))
        progress(done, len(wanted))
    _sync(folder, wanted)
    _write(folder / CHECKPOINT, cosigned_note(newest))
    sync_directory(folder)
    for tile in wanted:
        if tile.width == TILE_WIDTH:  # the checkpoint that needed its partial forms has been replaced
            shutil.rmtree(folder / f"{tile.path}.p", ignore_errors=True)
    return Export(newest.size, len(wanted) + 3)


def _exported(folder: Path) -> TreeHead | None:
    """The tree head the folder stands at, or None for a folder without one."""
    try:
        return parse_checkpoint(parse_note(read_capped(folder / CHECKPOINT, MAX_NOTE_BYTES)).text)
    except FileNotFoundError:
        return None
    except TlogError as error:
        raise ExportFolderError(f"{folder / CHECKPOINT} is no checkpoint: {error.message}") from error


def _require_older(span: Span, newest: Checkpoint | None, before: TreeHead | None, folder: Path) -> None:
    if before is None:
        strangers = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        if set(strangers) - {PARAMETERS, POLICY, "tile"}:
            raise ExportFolderError(f"{folder} is not empty and holds no log")
        return
    if before.origin != span.origin:
        raise ExportFolderError(f"{folder} holds the log {before.origin}, not {span.origin}; take another folder")
    if newest is None or newest.size < before.size:
        raise LogForkError(f"{folder} holds a checkpoint of {before.size} entries: an old copy was restored")
    if before.size and root_from_tiles(before.size, hashes_of(span.first)) != before.root:
        raise LogForkError(f"the first {before.size} entries are not those that were exported")


def _write(path: Path, data: bytes) -> None:
    make_directories(path.parent, PUBLIC_FOLDER)
    write_quickly(path, data, PUBLIC_MODE, sync=True)


def _sync(folder: Path, wanted: Iterable[Tile]) -> None:
    for parent in {(folder / tile.path).parent for tile in wanted}:
        sync_directory(parent)


# Auditing ---------------------------------------------------------------------------------------------------------


def audit_tiles(folder: Path) -> Callable[[Audit, Progress], None]:
    """The part of an audit that holds exported files against the database: missing, altered, of a wrong width."""

    def run(audit: Audit, progress: Progress) -> None:
        part = audit.part("tiles")
        try:
            before = _exported(folder)
        except ExportFolderError as error:
            part.wrong(CHECKPOINT, "audit.tile", str(error))
            return
        if before is None:
            part.unknown.append(f"{folder} holds no checkpoint")
            return
        span = next((span for span in audit.spans if span.origin == before.origin), None)
        if span is None or before.size > span.size:
            part.wrong(CHECKPOINT, "audit.tile", f"is of {before.size} entries of {before.origin}")
            return
        stored = Checkpoint.objects.filter(tree_size=span.first + before.size).first()
        if stored is None or bytes(stored.root_hash) != before.root:
            part.wrong(CHECKPOINT, "audit.tile", "is not one that this log signed")
        wanted = list(tiles.tiles_of(before.size))
        for done, tile in enumerate(wanted, start=1):
            _audit_tile(audit, folder, tile, span.first)
            progress("tiles", done, len(wanted))

    return run


def _audit_tile(audit: Audit, folder: Path, tile: Tile, origin_first: int) -> None:
    part = audit.part("tiles")
    part.checked += 1
    first = tile.start << (TILE_HEIGHT * (tile.level or 0))
    try:
        data = read_capped(folder / tile.path, MAX_TILE_BYTES)
    except OSError as error:
        part.wrong(tile.path, "audit.tile_missing", os.strerror(error.errno or 0), first)
        return
    try:
        expected = tile_bytes(tile, origin_first)
        # Reading it as what its name says comes first: a partial tile under the name of a full one is named as such.
        _parse(tile, data)
    except TileError as error:
        part.wrong(tile.path, "audit.tile_width", f"{error.message}: {error.actual} for {error.expected}", first)
        return
    if data != expected:
        part.wrong(tile.path, "audit.tile", "differs from the entries in the database", first)


def _parse(tile: Tile, data: bytes) -> list[bytes]:
    return tiles.parse_entries(data, tile.width) if tile.level is None else tiles.parse_tile(data, tile.width)
