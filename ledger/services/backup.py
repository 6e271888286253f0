"""A backup is one tar file: tables as JSON lines, sealed files as they are, a manifest last. No key is in it.

The rows are those of one moment, whatever is written meanwhile; files follow, since a file is there before its row. The
backup gets its name only after every byte of it was read back and the log in it was rebuilt (ledger/services/restore.py).
Format: docs/operate/backup.md.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder

from ledger.models import Blob, LogHead, PastEpoch
from ledger.services.files import sync_directory
from ledger.services.log import LogNotReadyError

FORMAT = 1
APPS = ("accounts", "account", "mfa", "ledger", "compliance")
MANIFEST = "manifest.json"
CHUNK = 2000  # rows read at a time
READ_BYTES = 1 << 20

Progress = Callable[[str, int], None]
_left_out: set[type[models.Model]] = set()


def leave_out(model: type[models.Model]) -> None:
    """Name a table that only describes files which are made again."""
    _left_out.add(model)


def backup_models() -> list[type[models.Model]]:
    """Every table of a backup, in an order that does not matter: references are checked at the end."""
    found = [model for label in APPS for model in apps.get_app_config(label).get_models(include_auto_created=True)]
    return [model for model in found if model not in _left_out and model._meta.managed]


def migration_leaves() -> dict[str, str]:
    """App -> its newest applied migration: a backup fits the tables of these and no others."""
    applied = MigrationRecorder(connection).applied_migrations()
    return {
        app: max(name for label, name in applied if label == app) for app in APPS if (app, "0001_initial") in applied
    }


def export_backup(target: Path, *, progress: Progress = lambda what, count: None) -> dict[str, Any]:
    """Write a backup into a file that does not exist yet; return its manifest. The caller verifies it.

    A crash leaves a .partial beside it, which the next export removes.
    """
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        manifest: dict[str, Any] = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
        with _one_moment():
            manifest |= _log_facts()
            manifest["tables"] = {model._meta.label: _add_table(archive, model, progress) for model in backup_models()}
            blobs = [(row.seller_id, row.pk) for row in Blob.objects.exclude(wrapped_key=b"").iterator(CHUNK)]
        manifest["files"] = _add_files(archive, blobs, progress)
        content = json.dumps(manifest, sort_keys=True).encode()
        _add(archive, MANIFEST, io.BytesIO(content), len(content))
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    return manifest


def publish(target: Path) -> None:
    """Give a verified backup its name."""
    target.with_name(f"{target.name}.partial").replace(target)
    sync_directory(target.parent)


@contextmanager
def _one_moment() -> Iterator[None]:
    """Reads inside see the database as it was at the first of them; writers go on."""
    begin = "BEGIN DEFERRED" if connection.vendor == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    with connection.cursor() as cursor:
        cursor.execute(begin)
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _log_facts() -> dict[str, Any]:
    head = LogHead.objects.first()
    if head is None:
        raise LogNotReadyError("there is no log to back up; start once with: manage.py up")
    return {
        "origin": head.origin,
        "size": head.size,
        "prev": bytes(head.prev).hex(),
        "frontier": bytes(head.frontier).hex(),
        "epochs": [{"origin": row.origin, "size": row.size} for row in PastEpoch.objects.order_by("number")],
        "migrations": migration_leaves(),
        "made_on": connection.vendor,
    }


def _add_table(archive: tarfile.TarFile, model: type[models.Model], progress: Progress) -> dict[str, Any]:
    """One JSON object per row and line, ordered by key; returns rows and SHA-256."""
    digest, count = hashlib.sha256(), 0
    with (Path(settings.DATA_DIR) / f".export-{uuid.uuid4().hex}").open("w+b") as spool:
        Path(spool.name).unlink()  # gone with the process
        for row in model._base_manager.order_by("pk").iterator(CHUNK):
            line = json.dumps(encode_row(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            spool.write(line)
            count += 1
        size = spool.tell()
        spool.seek(0)
        _add(archive, f"tables/{model._meta.label}.jsonl", spool, size)
    progress(model._meta.label, count)
    return {"rows": count, "sha256": digest.hexdigest()}


def encode_row(row: models.Model) -> dict[str, Any]:
    """Columns by name as JSON values; bytes in base64, times in UTC."""
    return {field.attname: _encode(field, getattr(row, field.attname)) for field in row._meta.concrete_fields}


def _encode(field: Any, value: Any) -> Any:
    if value is None or isinstance(field, models.JSONField):
        return value
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, date | uuid.UUID) else value


def decode_row(model: type[models.Model], values: dict[str, Any]) -> models.Model:
    """The row that encode_row wrote; ValueError for a column that is missing, unknown or not of its type."""
    fields: dict[str, Any] = {field.attname: field for field in model._meta.concrete_fields}
    if fields.keys() != values.keys():
        raise ValueError(f"columns of {model._meta.label}")
    return model(**{name: _decode(fields[name], value) for name, value in values.items()})


def _decode(field: Any, value: Any) -> Any:
    if value is None or isinstance(field, models.JSONField):
        return value
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    return (field.target_field if field.is_relation else field).to_python(value)


def _add_files(
    archive: tarfile.TarFile, blobs: list[tuple[int, uuid.UUID]], progress: Progress
) -> dict[str, dict[str, Any]]:
    """Sealed files with their parts, as they lie on disk: encrypted. One erased meanwhile is left out."""
    root, facts = Path(settings.DATA_DIR) / "blobs", {}
    for seller_id, blob_id in blobs:
        folder = root / str(seller_id) / blob_id.hex[:6]
        for path in sorted(folder.glob(f"{blob_id.hex}*")):
            name = f"blobs/{path.relative_to(root)}"
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            _add(archive, name, io.BytesIO(content), len(content))
            facts[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    progress("files", len(facts))
    return facts


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    archive.addfile(info, content)
