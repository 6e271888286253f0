"""The first run: keys, the log and its frozen parameters, the first owner's one-time link. Safe to run again."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse
from django.utils import timezone

from ledger.accounts.services import first_owner_invitation
from ledger.models import LogHead
from ledger.pdf.sign import make_document_signer
from ledger.services import keys
from ledger.services.epochs import complete_epoch, new_origin, origin_host
from ledger.services.files import make_directories, write_durably
from ledger.services.key_registry import is_taken, note_present_keys
from ledger.services.log import now_ms
from ledger.tlog.entry import Parameters, format_parameters, format_utc_ms, genesis_prev
from ledger.tlog.note import Ed25519Signer


def create_log() -> LogHead:
    """Make keys and the log when they do not exist yet; afterwards origin and parameters never change."""
    keys.create_missing_keys()
    if keys.document_signer() is None:
        keys.save_document_signer(*make_document_signer(origin_host(), now=timezone.now()))
    with transaction.atomic():
        head = LogHead.objects.first()
        if head is not None:
            note_present_keys(head.origin, format_utc_ms(now_ms()))
            return head
        origin = new_origin()
        if is_taken(Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw()).key.public):
            keys.create_epoch_keys(origin)  # the key directory was kept, the log it belongs to was not
        key = Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw()).key
        parameters = format_parameters(Parameters(origin=origin, created=format_utc_ms(now_ms()), key=key))
        note_present_keys(origin, format_utc_ms(now_ms()))
        return LogHead.objects.create(origin=origin, parameters=parameters, prev=genesis_prev(parameters))


def prepare() -> LogHead:
    """For commands run before, or without, `manage.py up`: bring the tables up to date and make sure of the log."""
    bring_up_to_date()
    return create_log()


def bring_up_to_date(report: Callable[[int], None] = lambda steps: None) -> None:
    """Apply what migrations are missing, one process at a time; report gets their number first.

    Django notes a migration after it is committed. A very first run that is killed between the two leaves tables that
    no later start could make again; on SQLite that file holds nobody's data yet and is begun anew.
    """
    folder = Path(settings.DATA_DIR)
    make_directories(folder)
    unfinished = folder / "first-migration.unfinished"
    with (folder / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if unfinished.exists():
            _begin_anew()
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            if not executor.loader.applied_migrations:
                write_durably(unfinished, b"")
            report(len(plan))
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        unfinished.unlink(missing_ok=True)


def _begin_anew() -> None:
    """Remove the SQLite file of a first run that was cut short; never one that holds a log."""
    if connection.vendor != "sqlite":
        return
    tables = connection.introspection.table_names()
    if LogHead._meta.db_table in tables and LogHead.objects.exists():
        return
    connection.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{connection.settings_dict['NAME']}{suffix}").unlink(missing_ok=True)


def first_run(base_url: str) -> str | None:
    """Prepare everything a first start needs; return the one-time sign-in link while nobody has an account."""
    create_log()
    complete_epoch()
    invitation = first_owner_invitation()
    return base_url + reverse("accounts:join", args=[invitation.token]) if invitation else None
