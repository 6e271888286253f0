"""Reading a backup back: everything is checked before the first byte is written, and rows come in one transaction.

A crash in the middle leaves an empty database and files that no row names; the same command again begins anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, models, transaction

from ledger.accounts.models import Seller, User
from ledger.models import Blob, LogHead
from ledger.services import keys
from ledger.services.backup import FORMAT, MANIFEST, READ_BYTES, Progress, backup_models, decode_row, migration_leaves
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.files import make_directories, sync_directory, write_quickly
from ledger.services.log_state import Behind, find_behind
from ledger.services.reminding import SeenCheckpointError, remind_signer
from ledger.tlog import entry, merkle, note
from ledger.tlog.errors import TlogError

ROWS_AT_ONCE = 500
FILE_NAME = re.compile(r"blobs/[0-9]{1,19}/[0-9a-f]{6}/[0-9a-f]{32}(\.[a-z-]{1,20})?")


class BackupError(Exception):
    """A backup that cannot be used here; code says why, detail what was looked at."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise BackupError("backup_damaged", str(error)) from error
    except FileNotFoundError as error:
        raise BackupError("backup_missing", str(path)) from error


def verify_backup(path: Path) -> dict[str, Any]:
    """Read every byte of a backup, compare all digests, rebuild the log; return the manifest, or BackupError."""
    seen: dict[str, str] = {}
    entries: list[bytes] = []
    content = b""
    with _opened(path) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is None or member.name in seen or MANIFEST in seen:
                raise BackupError("backup_damaged", member.name)
            digest = hashlib.sha256()
            if member.name == "tables/ledger.Entry.jsonl":
                for line in stream:
                    digest.update(line)
                    entries.append(_body(line))
            else:
                while block := stream.read(READ_BYTES):
                    digest.update(block)
                    content = block if member.name == MANIFEST else b""
            seen[member.name] = digest.hexdigest()
    if MANIFEST not in seen:
        raise BackupError("backup_damaged", "no manifest: the export did not end")
    manifest = _parse_manifest(content)
    expected = {f"tables/{label}.jsonl": fact["sha256"] for label, fact in manifest["tables"].items()}
    expected |= {name: fact["sha256"] for name, fact in manifest["files"].items()}
    del seen[MANIFEST]
    different = sorted(name for name in expected.keys() | seen.keys() if expected.get(name) != seen.get(name))
    if different:
        raise BackupError("backup_damaged", different[0])
    _check_log(manifest, entries)
    return manifest


def _body(line: bytes) -> bytes:
    try:
        row = json.loads(line)
        body: Any = decode_row(apps.get_model("ledger", "Entry"), row)
        return bytes(body.body)
    except (ValueError, TypeError) as error:
        raise BackupError("backup_damaged", "an entry") from error


def _parse_manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise BackupError("backup_damaged", MANIFEST) from error
    manifest.setdefault("epochs", [])  # of a version that knew none
    if manifest.get("format") != FORMAT:
        raise BackupError("backup_other_version", f"format {manifest.get('format')}")
    return manifest


def _check_log(manifest: dict[str, Any], bodies: list[bytes]) -> None:
    """Every entry in its place, each naming the one before it, and the head that follows from them."""
    first = 0
    for epoch in manifest["epochs"]:  # ended logs first, one behind the other
        _check_entries(epoch["origin"], bodies[first : first + epoch["size"]])
        first += epoch["size"]
    size, prev, frontier = _check_entries(manifest["origin"], bodies[first:])
    if (manifest["size"], manifest["frontier"]) != (size, frontier) or (size and prev != manifest["prev"]):
        raise BackupError("backup_damaged", "the head does not follow from the entries")


def _check_entries(origin: str, bodies: list[bytes]) -> tuple[int, str, str]:
    """The entries of one log; returns size, last leaf hash and frontier as a manifest has them."""
    frontier, prev = merkle.Frontier.from_bytes(0, b""), b""
    for seq, body in enumerate(bodies):
        try:
            parsed = entry.parse_entry(body)
        except TlogError as error:
            raise BackupError("backup_damaged", f"entry {seq}") from error
        if parsed.seq != seq or (seq and parsed.prev != prev) or parsed.log != origin:
            raise BackupError("backup_damaged", f"entry {seq}")
        prev = merkle.leaf_hash(body)
        frontier.append(prev)
    return len(bodies), prev.hex(), frontier.to_bytes().hex()


# Restoring ------------------------------------------------------------------------------------------------------


def restore_backup(
    path: Path,
    *,
    accept_older: bool = False,
    key_lost: bool = False,
    seen: bytes | None = None,
    progress: Progress = lambda what, count: None,
) -> tuple[dict[str, Any], Behind | None]:
    """Fill an empty installation from a backup; return its manifest and what it lacks of what was signed.

    The key directory has to be in place, since no backup holds keys. Raises BackupError: among others log_behind for a
    head older than what was signed, unless accept_older. seen: a checkpoint that somebody else kept, of which the signer is
    reminded first. key_lost: the log's key may be another one, the storage key not.
    """
    manifest = verify_backup(path)
    _require_empty()
    if manifest["migrations"] != migration_leaves():
        raise BackupError("backup_other_version", "the tables are those of another version")
    if seen is not None:
        try:
            remind_signer(manifest["origin"], seen)
        except SeenCheckpointError as error:
            raise BackupError(error.code, str(error)) from error
    behind = find_behind(manifest["origin"], manifest["size"], [epoch["origin"] for epoch in manifest["epochs"]])
    if behind is not None and not accept_older:
        raise BackupError("log_behind", str(behind))
    with _opened(path) as archive:
        _restore_files(archive, manifest, progress)
        with transaction.atomic():
            LogHead.objects.all().delete()
            for model in backup_models():
                _restore_table(archive, model, progress)
            _require_keys(key_lost)
            _reset_sequences()
    return manifest, behind


def _require_empty() -> None:
    head = LogHead.objects.first()
    if User.objects.exists() or Seller.objects.exists() or (head is not None and head.size):
        raise BackupError("restore_not_empty")


def _restore_files(archive: tarfile.TarFile, manifest: dict[str, Any], progress: Progress) -> None:
    folders: set[Path] = set()
    for name, fact in manifest["files"].items():
        if not FILE_NAME.fullmatch(name):
            raise BackupError("backup_damaged", name)
        stream = archive.extractfile(name)
        content = stream.read() if stream else b""
        if hashlib.sha256(content).hexdigest() != fact["sha256"]:
            raise BackupError("backup_damaged", name)
        target = Path(settings.DATA_DIR) / name
        make_directories(target.parent)
        write_quickly(target, content, sync=True)
        folders.add(target.parent)
    for folder in folders:
        sync_directory(folder)
    progress("files", len(manifest["files"]))


def _restore_table(archive: tarfile.TarFile, model: type[models.Model], progress: Progress) -> None:
    stream = archive.extractfile(f"tables/{model._meta.label}.jsonl")
    rows: list[models.Model] = []
    count = 0
    for line in stream or ():
        rows.append(_row(model, line))
        count += 1
        if len(rows) == ROWS_AT_ONCE:
            model._base_manager.bulk_create(rows)
            rows = []
    model._base_manager.bulk_create(rows)
    progress(model._meta.label, count)


def _row(model: type[models.Model], line: bytes) -> models.Model:
    try:
        return decode_row(model, json.loads(line))
    except (ValueError, TypeError) as error:
        raise BackupError("backup_damaged", model._meta.label) from error


def _require_keys(key_lost: bool) -> None:
    """The key directory belongs to this backup: the log's key signs it, the storage key opens its files."""
    head = LogHead.objects.get()
    parameters = entry.parse_parameters(bytes(head.parameters))
    try:
        mine = note.Ed25519Signer(head.origin, keys.log_key(head.origin).private_bytes_raw()).key
        blob = Blob.objects.exclude(wrapped_key=b"").order_by("-created_at").first()
        if blob is not None:
            read_blob(blob)
    except keys.KeyMissingError as error:
        raise BackupError("restore_keys_missing", str(error)) from error
    except BlobUnreadableError as error:
        raise BackupError("restore_other_keys", "the storage key does not open the files") from error
    if not key_lost and mine != parameters.key and keys.read_signer_state(head.origin) is None:
        raise BackupError("restore_other_keys", "the log's key is another one")


def _reset_sequences() -> None:
    """PostgreSQL counts on from the rows that came with their keys."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), backup_models()):
            cursor.execute(statement)
