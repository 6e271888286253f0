"""The audit names the first wrong entry, whatever was done to the rows behind the program's back."""

from __future__ import annotations

import json
import random
import secrets
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from ledger import append_only
from ledger.models import Blob, Checkpoint, Entry, LogHead, Statement, TreeNode
from ledger.services import audit as audits
from ledger.services import keys
from ledger.services.audit import Audit, audit_log
from ledger.services.audit_parts import audit_blobs, audit_statements
from ledger.services.blobs import _path
from ledger.services.entry_scan import EntryScan, WrongEntryError
from ledger.services.identity import system_identity
from ledger.services.log import Draft, append_statements, seal
from ledger.tlog import claims, entry, merkle
from ledger.tlog.report import Verdict
from tests.factories import register_one
from tests.ledger.services.test_log import append
from tests.log_checks import past_the_triggers

pytestmark = pytest.mark.django_db
SIZE = 300


@pytest.fixture
def sealed(log, seller) -> LogHead:
    """A log of 300 entries, one tile full, with two checkpoints."""
    append(seller, 100)
    seal()
    append(seller, SIZE - 100)
    seal()
    return LogHead.objects.get()


def audited() -> Audit:
    return audit_log(extra_parts=[audit_statements])


def codes(audit: Audit) -> set[str]:
    return {problem.code for problem in audit.problems}


def run(statement: str, *params) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


# Sound logs -------------------------------------------------------------------------------------------------------


def test_a_sound_log_passes_with_its_root(sealed):
    audit = audited()
    assert audit.verdict is Verdict.PASSED
    assert audit.root == bytes(Checkpoint.objects.get(pk=SIZE).root_hash)
    assert {name: part.checked for name, part in audit.parts.items()} == {
        "entries": SIZE,
        "tree_nodes": 1,
        "head": 1,
        "checkpoints": 2,
        "signer": 1,
        "triggers": 1,
        "statements": SIZE,
    }


def test_an_empty_log_passes(log):
    audit = audited()
    assert (audit.verdict, audit.root) == (Verdict.PASSED, merkle.EMPTY_ROOT)


def test_pieces_are_read_one_after_another(sealed, monkeypatch):
    monkeypatch.setattr("ledger.services.audit.PIECE", 256)
    monkeypatch.setattr("ledger.tlog.audit.PIECE", 256)
    monkeypatch.setattr(audits, "ROWS", 50)
    assert audited().verdict is Verdict.PASSED


def test_times_at_the_end_of_months_and_clock_jumps_pass(log, seller):
    leap_day = 1_835_395_200_000 + 24 * 3_600_000  # 2028-02-29
    for step in (0, 999, 61_000, 86_400_000, 40 * 86_400_000):
        append(seller, 2, clock=lambda step=step: leap_day + step)
    append(seller, 1, clock=lambda: leap_day)  # 40 days back: an anomaly entry
    assert audited().verdict is Verdict.PASSED


# Rows changed -----------------------------------------------------------------------------------------------------


def test_every_byte_of_an_entry_flipped_is_named(sealed):
    rows = list(Entry.objects.order_by("seq")[:4])
    bodies, stored = [bytes(row.body) for row in rows], [bytes(row.leaf_hash) for row in rows]
    genesis = entry.genesis_prev(bytes(sealed.parameters))
    for at in range(len(bodies[2]) + 32):
        body, leaf = bodies[2], stored[2]
        changed = (flipped(body, at), leaf) if at < len(body) else (body, flipped(leaf, at - len(body)))
        scan = EntryScan(sealed.origin, genesis)
        with pytest.raises(WrongEntryError) as wrong:
            scan.check(range(4), [*bodies[:2], changed[0], bodies[3]], [*stored[:2], changed[1], stored[3]])
        assert wrong.value.seq == 2


@pytest.mark.parametrize("part", range(12))
def test_a_flipped_byte_in_the_database_is_named(sealed, part):
    draw = random.Random(part)
    seq = draw.choice([0, 1, 99, 100, 255, 256, SIZE - 1])
    row = Entry.objects.get(seq=seq)
    column = draw.choice(["body", "leaf_hash"])
    value = bytes(getattr(row, column))
    with past_the_triggers():
        Entry.objects.filter(seq=seq).update(**{column: flipped(value, draw.randrange(len(value)))})
    audit = audited()
    assert (audit.verdict, audit.first_wrong_entry) == (Verdict.FAILED, seq)


def test_an_entry_rewritten_with_its_hash_is_named_by_the_next_link(sealed):
    row = Entry.objects.get(seq=40)
    parsed = entry.parse_entry(bytes(row.body))
    body = bytes(row.body).replace(parsed.claim.hex().encode(), secrets.token_hex(32).encode())
    with past_the_triggers():
        Entry.objects.filter(seq=40).update(body=body, leaf_hash=merkle.leaf_hash(body))
    audit = audited()
    assert audit.first_wrong_entry in (40, 41)
    assert "audit.order" in codes(audit)
    assert "audit.claim" in codes(audit)  # the statement of 40 no longer fits


def test_a_deleted_row_is_named(sealed):
    with past_the_triggers():
        Statement.objects.filter(entry=57).delete()
        Entry.objects.filter(seq=57).delete()
    audit = audited()
    assert (audit.first_wrong_entry, codes(audit)) == (57, {"audit.missing"})


def test_swapped_rows_are_named(sealed):
    one, other = Entry.objects.get(seq=10), Entry.objects.get(seq=20)
    with past_the_triggers():
        for seq, row in ((10, other), (20, one)):
            Entry.objects.filter(seq=seq).update(body=bytes(row.body), leaf_hash=bytes(row.leaf_hash))
    assert audited().first_wrong_entry == 10


def test_a_duplicated_row_is_named(sealed):
    row = Entry.objects.get(seq=11)
    with past_the_triggers():
        Entry.objects.filter(seq=12).update(body=bytes(row.body), leaf_hash=bytes(row.leaf_hash))
    assert audited().first_wrong_entry == 12


@pytest.mark.parametrize("seq", [-1, SIZE, SIZE + 5])
def test_an_inserted_row_is_named(sealed, seq):
    row = Entry.objects.get(seq=11)
    with past_the_triggers():
        Entry.objects.create(seq=seq, body=bytes(row.body), leaf_hash=bytes(row.leaf_hash))
    audit = audited()
    assert codes(audit) == {"audit.extra"}
    assert audit.first_wrong_entry == min(seq, SIZE)


def test_a_cut_tail_is_named(sealed):
    with past_the_triggers():
        Statement.objects.filter(entry__gte=290).delete()
        Entry.objects.filter(seq__gte=290).delete()
    assert audited().first_wrong_entry == 290


def test_a_cut_tail_with_a_head_that_fits_is_told_by_what_was_signed(sealed):
    cut_to(290)
    audit = audited()
    assert codes(audit) == {"audit.cut"}
    assert {problem.part for problem in audit.problems} == {"checkpoints", "signer"}
    assert audit.first_wrong_entry == 290


def cut_to(size: int) -> None:
    """Cut the tail and make the head fit what is left."""
    frontier = merkle.Frontier()
    rows = list(Entry.objects.filter(seq__lt=size).order_by("seq"))
    for row in rows:
        frontier.append(bytes(row.leaf_hash))
    last = entry.parse_utc_ms(entry.parse_entry(bytes(rows[-1].body)).ts)
    with past_the_triggers():
        Statement.objects.filter(entry__gte=size).delete()
        Entry.objects.filter(seq__gte=size).delete()
        LogHead.objects.update(size=size, prev=bytes(rows[-1].leaf_hash), frontier=frontier.to_bytes(), last_ms=last)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prev": bytes(32)}, "audit.head_prev"),
        ({"frontier": bytes(32 * 4)}, "audit.head_frontier"),
        ({"last_ms": 5}, "audit.head_time"),
    ],
)
def test_an_altered_head_is_named(sealed, change, code):
    LogHead.objects.update(**change)
    assert codes(audited()) == {code}


def test_a_shortened_head_is_named(sealed):
    LogHead.objects.update(size=SIZE - 1)
    audit = audited()
    assert "audit.extra" in codes(audit)
    assert audit.first_wrong_entry == SIZE - 1


def test_an_altered_tree_node_is_named_with_its_entries(sealed):
    with past_the_triggers():
        TreeNode.objects.update(hash=bytes(32))
    audit = audited()
    assert (codes(audit), audit.first_wrong_entry) == ({"audit.node"}, 0)


def test_missing_and_surplus_tree_nodes_are_named(sealed):
    with past_the_triggers():
        TreeNode.objects.update(index=3)
    assert codes(audited()) == {"audit.node_missing", "audit.node_extra"}


def test_a_missing_trigger_is_named(sealed):
    append_only.remove(connection)
    assert codes(audited()) == {"audit.trigger"}
    append_only.install(connection)


# What was signed --------------------------------------------------------------------------------------------------


def rewrite_from(start: int, *, keep_checkpoints: bool) -> None:
    """The owner of the database writes a new history: every link, hash, node and the head fit each other."""
    head = LogHead.objects.get()
    frontier, prev, nodes = merkle.Frontier(), entry.genesis_prev(bytes(head.parameters)), []
    with past_the_triggers():
        for row in Entry.objects.order_by("seq"):
            parsed = entry.parse_entry(bytes(row.body))
            claim = parsed.claim if row.seq != start else secrets.token_bytes(32)
            body = entry.format_entry(
                entry.Entry(claim, parsed.kind, parsed.log, prev, parsed.seq, parsed.ts, parsed.who)
            )
            prev = merkle.leaf_hash(body)
            nodes += frontier.append(prev)
            Entry.objects.filter(seq=row.seq).update(body=body, leaf_hash=prev)
        for node in nodes:
            TreeNode.objects.filter(level=node.tile_level, index=node.index).update(hash=node.hash)
        LogHead.objects.update(prev=prev, frontier=frontier.to_bytes())
        if not keep_checkpoints:
            Checkpoint.objects.all().delete()


def test_a_rewritten_chain_disagrees_with_every_later_signature(sealed):
    rewrite_from(150, keep_checkpoints=True)
    audit = audit_log()
    assert codes(audit) == {"audit.rewritten"}
    assert {problem.item for problem in audit.problems} == {f"checkpoint {SIZE}", "signer state"}
    assert audit.first_wrong_entry == 100  # the last that is known to agree: the change lies between 100 and 299


def test_a_rewritten_chain_without_its_checkpoints_is_caught_by_the_signer_alone(sealed):
    rewrite_from(150, keep_checkpoints=False)
    audit = audit_log()
    assert {(problem.part, problem.code) for problem in audit.problems} == {("signer", "audit.rewritten")}


def test_a_forged_checkpoint_is_named(sealed):
    row = Checkpoint.objects.get(pk=100)
    with past_the_triggers():
        Checkpoint.objects.filter(pk=100).update(note=row.note.replace("\n100\n", "\n101\n"))
    assert codes(audited()) == {"signature.invalid"}


def test_a_checkpoint_that_is_no_note_is_named(sealed):
    with past_the_triggers():
        Checkpoint.objects.filter(pk=100).update(note="nothing")
    assert codes(audited()) == {"note.syntax"}


def test_columns_beside_a_checkpoint_are_compared_with_its_text(sealed):
    with past_the_triggers():
        Checkpoint.objects.filter(pk=100).update(root_hash=bytes(32))
    assert codes(audited()) == {"audit.checkpoint"}


def test_a_signer_that_forgot_is_named(sealed):
    (keys._path(keys.SIGNER_STATE)).unlink()
    assert codes(audited()) == {"audit.signer_missing"}


# Documents and files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "code"), [("claim", "audit.claim"), ("identity", "audit.identity")])
def test_a_changed_document_is_named(sealed, column, code):
    statement = Statement.objects.get(entry=70)
    Statement.objects.filter(entry=70).update(**{column: flipped(bytes(getattr(statement, column)), 30)})
    audit = audited()
    assert (codes(audit), audit.first_wrong_entry) == ({code}, 70)


def test_a_changed_kind_or_time_of_a_statement_is_named(sealed):
    statement = Statement.objects.get(entry=71)
    Statement.objects.filter(entry=70).update(kind="erasure_")
    Statement.objects.filter(entry=71).update(logged_at=statement.logged_at.replace(year=2020))
    assert codes(audited()) == {"audit.statement_kind", "audit.statement_time"}


def test_a_missing_statement_is_named(sealed):
    Statement.objects.filter(entry=70).delete()
    audit = audited()
    assert (codes(audit), audit.first_wrong_entry) == ({"audit.statement_missing"}, 70)


def test_what_an_erasure_entry_names_is_missing_lawfully(sealed, seller):
    row = Entry.objects.get(seq=70)
    claim = {
        "kind": "erasure",
        "v": 1,
        "entries": [{"seq": 70, "leaf": bytes(row.leaf_hash).hex()}],
        "scope": ["claim", "identity"],
        "reason": "request",
    }
    claims.validate_claim("erasure", claim)
    with transaction.atomic():
        append_statements(seller=seller, actor=None, drafts=[Draft("erasure", claim, system_identity(), "e1")])
    Statement.objects.filter(entry=70).update(claim=b"", identity=b"")
    assert audited().verdict is Verdict.PASSED
    Statement.objects.filter(entry=71).update(claim=b"")
    assert audited().first_wrong_entry == 71


def test_a_damaged_picture_file_is_named(log, seller):
    original = register_one(seller)
    assert audit_log(extra_parts=[audit_blobs]).verdict is Verdict.PASSED
    path = _path(original.image.blob)
    path.write_bytes(flipped(path.read_bytes(), 40))
    assert codes(audit_log(extra_parts=[audit_blobs])) == {"audit.blob_unreadable"}


def test_a_picture_whose_key_was_destroyed_is_no_fault(log, seller):
    original = register_one(seller)
    Blob.objects.filter(pk=original.image.blob_id).update(wrapped_key=b"")
    assert audit_log(extra_parts=[audit_blobs]).verdict is Verdict.PASSED


# The command ------------------------------------------------------------------------------------------------------


def command(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit_log", "--processes", "1", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as stopped:
        return int(stopped.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_answers_in_stable_json(sealed):
    code, text = command("--json", "--blobs")
    report = json.loads(text)
    assert code == 0
    assert list(report) == [
        "audit", "verdict", "origin", "size", "root", "first_wrong_entry", "epochs", "parts", "problems",
    ]  # fmt: skip
    assert (report["audit"], report["verdict"], report["size"], report["problems"]) == (1, "PASSED", SIZE, [])
    assert [part["name"] for part in report["parts"]] == [
        "entries", "tree_nodes", "head", "checkpoints", "signer", "triggers", "statements", "tokens", "epochs", "blobs",
    ]  # fmt: skip


def test_the_command_fails_with_the_first_wrong_entry(sealed):
    with past_the_triggers():
        Entry.objects.filter(seq=5).update(leaf_hash=bytes(32))
    code, text = command()
    assert code == 1
    assert "first wrong entry: 5" in text
    assert json.loads(command("--json")[1])["first_wrong_entry"] == 5


def test_without_a_log_the_command_cannot_tell(db):
    with pytest.raises(CommandError) as error:
        call_command("audit_log", stdout=StringIO())
    assert error.value.returncode == 2
