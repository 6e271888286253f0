"""The log in the database: one line of entries, signed heads that only grow, triggers that refuse the rest."""

from __future__ import annotations

import secrets

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction

from ledger import append_only
from ledger.models import Checkpoint, Entry, LogHead, Statement, TreeNode
from ledger.services import keys, log_state
from ledger.services.identity import identity_document
from ledger.services.log import (
    Draft,
    LogForkError,
    LogNotReadyError,
    append_statements,
    covering_checkpoint,
    own_policy,
    proof_of,
    seal,
    seal_if_due,
    seal_now,
)
from ledger.services.log_state import LogBehindError
from ledger.services.setup import create_log
from ledger.tlog import checkpoint as heads
from ledger.tlog import claim_documents, claims, entry, merkle, note
from ledger.tlog.errors import ClaimError
from tests.log_checks import past_the_triggers

pytestmark = pytest.mark.django_db

START_MS = 1_795_276_800_000


def draft(seller, number: int = 0) -> Draft:
    item = claim_documents.ClaimItem("original", secrets.token_bytes(32), 1000 + number, "image/jpeg")
    return Draft(
        kind="image.registered",
        claim=claim_documents.image_registered_claim(secrets.token_bytes(32), [item]),
        identity=identity_document(actor=None, seller=seller),
        request_id=f"request-{secrets.token_hex(8)}",
        label=f"photo-{number}.jpg",
        outcome="passed",
    )


def append(seller, count: int = 1, **options) -> list[Statement]:
    with transaction.atomic():
        return append_statements(
            seller=seller, actor=None, drafts=[draft(seller, number) for number in range(count)], **options
        )


def signed_root(checkpoint: Checkpoint) -> bytes:
    return heads.parse_checkpoint(note.parse_note(checkpoint.note.encode()).text).root


# Appending --------------------------------------------------------------------------------------------------------


def test_entries_are_numbered_from_zero_and_linked(log, seller, assert_log_valid):
    append(seller)
    append(seller, 3)
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == [0, 1, 2, 3]
    assert assert_log_valid() == 4


def test_an_entry_says_nothing_about_anybody(log, seller):
    (statement,) = append(seller)
    body = bytes(statement.entry.body).decode()
    for secret in (seller.slug, seller.name, "photo-0.jpg", "jpeg"):
        assert secret not in body


def test_complete_subtrees_are_stored_once(log, seller, assert_log_valid):
    append(seller, 255)
    assert TreeNode.objects.count() == 0
    append(seller, 260)
    assert list(TreeNode.objects.order_by("index").values_list("level", "index")) == [(1, 0), (1, 1)]
    assert assert_log_valid() == 515


def test_appending_costs_the_same_however_many(log, seller, django_assert_num_queries):
    with django_assert_num_queries(4 + 2):
        append(seller)
    with django_assert_num_queries(4 + 2):
        append(seller, 40)


def test_what_is_rolled_back_never_was(log, seller, assert_log_valid):
    append(seller)
    with pytest.raises(RuntimeError, match="rows failed"):
        _append_and_fail(seller)
    append(seller)
    assert assert_log_valid() == 2


@transaction.atomic
def _append_and_fail(seller) -> None:
    append_statements(seller=seller, actor=None, drafts=[draft(seller)])
    raise RuntimeError("the caller's own rows failed")


def test_a_request_id_is_used_once_per_seller(log, seller, other_seller):
    one = draft(seller)
    with transaction.atomic():
        append_statements(seller=seller, actor=None, drafts=[one])
        append_statements(seller=other_seller, actor=None, drafts=[one])
    with pytest.raises(IntegrityError), transaction.atomic():
        append_statements(seller=seller, actor=None, drafts=[one])


def test_a_claim_with_a_wrong_field_is_not_appended(log, seller, assert_log_valid):
    right = draft(seller)
    changed = Draft(right.kind, {**right.claim, "extra": 1}, right.identity, "r")
    with pytest.raises(ClaimError), transaction.atomic():
        append_statements(seller=seller, actor=None, drafts=[changed])
    assert assert_log_valid() == 0


def test_without_a_log_nothing_is_appended(db, seller):
    with pytest.raises(LogNotReadyError):
        append(seller)


# Time -------------------------------------------------------------------------------------------------------------


def test_the_clock_going_back_is_an_entry_of_its_own(log, seller, assert_log_valid):
    append(seller, clock=lambda: START_MS)
    (statement,) = append(seller, clock=lambda: START_MS - 60_000)
    anomaly = Statement.objects.get(kind="clock.anomaly")
    assert anomaly.entry_id + 1 == statement.entry_id
    assert anomaly.seller is None
    claim = claims.parse_claim("clock.anomaly", bytes(anomaly.claim))
    assert claim["step_ms"] == -60_000
    assert assert_log_valid() == 3


def test_times_never_go_back(log, seller):
    append(seller, clock=lambda: START_MS)
    (statement,) = append(seller, clock=lambda: START_MS - 60_000)
    assert entry.parse_entry(bytes(statement.entry.body)).ts == entry.format_utc_ms(START_MS)


def test_a_jitter_of_the_clock_is_no_anomaly(log, seller):
    append(seller, clock=lambda: START_MS)
    append(seller, clock=lambda: START_MS - 1500)
    assert not Statement.objects.filter(kind="clock.anomaly").exists()


def test_an_anomaly_is_nobodys_history(log, seller, client_of, alice):
    append(seller, clock=lambda: START_MS)
    append(seller, clock=lambda: START_MS - 60_000)
    assert "clock" not in client_of(alice).get("/history/").content.decode()


# Signing ----------------------------------------------------------------------------------------------------------


def test_an_empty_log_is_not_signed(log):
    assert seal() is None
    assert Checkpoint.objects.count() == 0


def test_a_checkpoint_signs_the_root_of_all_entries(log, seller):
    append(seller, 7)
    checkpoint = seal()
    assert checkpoint is not None
    leaves = [bytes(h) for h in Entry.objects.order_by("seq").values_list("leaf_hash", flat=True)]
    assert signed_root(checkpoint) == merkle.root_from_leaves(leaves)
    note.verify_note(note.parse_note(checkpoint.note.encode()), [own_policy().logs[0].key])


def test_the_same_head_is_signed_once(log, seller):
    append(seller)
    first = seal()
    assert seal() == first
    assert Checkpoint.objects.count() == 1


def test_every_entry_is_proved_under_every_checkpoint_that_covers_it(log, seller):
    for count in (1, 2, 5):
        append(seller, count)
        seal()
    for checkpoint in Checkpoint.objects.all():
        for row in Entry.objects.filter(seq__lt=checkpoint.tree_size):
            path = proof_of(row, checkpoint).path
            merkle.verify_inclusion(bytes(row.leaf_hash), row.seq, checkpoint.tree_size, path, signed_root(checkpoint))


def test_an_entry_newer_than_the_last_checkpoint_gets_one(log, seller):
    append(seller)
    seal()
    (statement,) = append(seller)
    assert covering_checkpoint(statement.entry).tree_size == 2


def test_sealing_waits_for_its_interval(log, seller, settings):
    append(seller)
    assert seal_if_due() is not None
    append(seller)
    assert seal_if_due() is None
    settings.CHECKPOINT_INTERVAL_S = 0
    assert seal_if_due() is not None
    assert seal_if_due() is None


def test_without_a_log_nothing_is_due(db):
    assert seal_if_due() is None


def test_only_managers_seal_on_demand(log, seller, ivan, olga):
    append(seller)
    with pytest.raises(PermissionDenied):
        seal_now(actor=olga, seller=seller)
    assert seal_now(actor=ivan, seller=seller) is not None


def test_the_log_is_made_once(log, settings):
    before = (log.origin, bytes(log.parameters))
    again = create_log()
    assert (again.origin, bytes(again.parameters)) == before


# The signer remembers ---------------------------------------------------------------------------------------------


def roll_back_to(size: int) -> None:
    """What restoring an older copy of the database does."""
    kept = Entry.objects.filter(seq__lt=size).order_by("seq")
    frontier = merkle.Frontier()
    leaves = [bytes(leaf) for leaf in kept.values_list("leaf_hash", flat=True)]
    for leaf in leaves:
        frontier.append(leaf)
    with past_the_triggers():
        Statement.objects.filter(entry__gte=size).delete()
        Checkpoint.objects.filter(tree_size__gt=size).delete()
        Entry.objects.filter(seq__gte=size).delete()
        LogHead.objects.update(size=size, prev=leaves[-1], frontier=frontier.to_bytes())


def test_a_restored_old_database_is_refused_before_signing(log, seller):
    append(seller, 3)
    seal()
    append(seller, 3)
    seal()
    roll_back_to(3)
    with pytest.raises(LogForkError, match="an old copy was restored"):
        seal()


def test_new_entries_on_an_old_copy_are_never_signed(log, seller, settings):
    append(seller, 3)
    seal()
    append(seller, 3)
    seal()
    roll_back_to(3)
    with pytest.raises(LogBehindError):
        append(seller, 9)
    log_state._current[str(settings.KEYS_DIR), log.origin] = 0  # a process that last saw the log when it was empty
    append(seller, 9)
    state = keys.read_signer_state(log.origin)
    with pytest.raises(LogForkError, match="not those that were signed"):
        seal()
    assert keys.read_signer_state(log.origin) == state
    assert Checkpoint.objects.count() == 1


def test_forged_history_is_refused(log, seller):
    append(seller, 5)
    seal()
    with past_the_triggers():
        Entry.objects.filter(seq=2).update(leaf_hash=b"\x00" * 32)
    append(seller)
    with pytest.raises(LogForkError, match="not those that were signed"):
        seal()


def test_a_head_that_disagrees_with_its_entries_is_refused(log, seller):
    append(seller, 5)
    seal()
    append(seller, 2)
    with past_the_triggers():
        Entry.objects.filter(seq=6).update(leaf_hash=b"\x00" * 32)
    with pytest.raises(LogForkError, match="disagrees"):
        seal()


def test_a_signer_without_memory_does_not_sign(log, seller, settings):
    append(seller)
    seal()
    (settings.KEYS_DIR / keys.SIGNER_STATE).unlink()
    append(seller)
    with pytest.raises(LogForkError, match="state is missing"):
        seal()


def test_a_fresh_log_is_signed_beside_the_memory_of_an_earlier_one(log, seller):
    keys.write_signer_state("elsewhere.example/1", keys.SignerState(99, b"\x01" * 32))
    append(seller)
    assert seal() is not None
    assert keys.read_signer_state("elsewhere.example/1") == keys.SignerState(99, b"\x01" * 32)


def test_a_crash_between_memory_and_signature_costs_a_signature_only(log, seller, monkeypatch):
    append(seller, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint.objects, "create", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            seal()
    assert Checkpoint.objects.count() == 0
    checkpoint = seal()
    assert checkpoint is not None
    assert checkpoint.tree_size == 2
    append(seller)
    assert seal() is not None


def _power_cut(**_fields):
    raise KeyboardInterrupt


# Triggers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(log, seller):
    append(seller, 300)
    seal()


def refused(statement: str, *params: bytes | int) -> None:
    connection.check_constraints()
    with pytest.raises(DatabaseError, match=r"append-only|must grow"), transaction.atomic():
        run(statement, *params)


def run(statement: str, *params: bytes | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


@pytest.mark.parametrize("table", append_only.TABLES)
def test_rows_of_the_log_cannot_be_deleted(sealed, table):
    refused(f"DELETE FROM {table}")  # noqa: S608 - a name of ours


@pytest.mark.parametrize(
    ("table", "column"),
    [("ledger_entry", "body"), ("ledger_treenode", "hash"), ("ledger_checkpoint", "root_hash")],
)
def test_rows_of_the_log_cannot_be_changed(sealed, table, column):
    refused(f"UPDATE {table} SET {column} = {column}")  # noqa: S608 - names of ours


@pytest.mark.parametrize("seq", [302, 400, -1, 299, 0])
def test_an_entry_can_only_be_the_next(sealed, seq):
    refused("INSERT INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)", seq, b"{}", b"\x01" * 32)


@pytest.mark.parametrize("index", [0, 2, 7])
def test_a_tree_node_can_only_be_the_next_of_its_level(sealed, index):
    refused('INSERT INTO ledger_treenode (level, "index", hash) VALUES (1, %s, %s)', index, b"\x01" * 32)


@pytest.mark.parametrize("size", [300, 299, 0])
def test_a_checkpoint_can_only_be_larger(sealed, size):
    refused(
        "INSERT INTO ledger_checkpoint (tree_size, root_hash, note, signed_at) VALUES (%s, %s, 'x', '2026-01-01')",
        size,
        b"\x01" * 32,
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="REPLACE is SQLite's")
def test_an_entry_cannot_be_replaced(sealed):
    refused("INSERT OR REPLACE INTO ledger_entry (seq, body, leaf_hash) VALUES (5, %s, %s)", b"{}", b"\x01" * 32)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="TRUNCATE is PostgreSQL's")
@pytest.mark.parametrize("table", append_only.TABLES)
def test_the_log_cannot_be_truncated(sealed, table):
    refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="roles of replication are PostgreSQL's")
def test_triggers_fire_for_a_replicating_session_too(sealed):
    with transaction.atomic():
        run("SET LOCAL session_replication_role = replica")
        refused("DELETE FROM ledger_entry")
