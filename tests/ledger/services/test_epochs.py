"""An older copy of the database meets a signer that remembers more: refused, ended by the operator's word, gone on with.

The older copy is real: what was registered after a savepoint is rolled back, while the key directory and the stored files
stay as they are. So do proofs that were handed out in between.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from ledger.accounts.models import Seller
from ledger.models import Checkpoint, Entry, LogHead, Original, PastEpoch, Statement, TreeNode
from ledger.services import epochs, keys
from ledger.services.anchoring import stamp
from ledger.services.audit import audit_log
from ledger.services.audit_parts import audit_epochs, audit_statements, audit_tokens
from ledger.services.authorities import trusted_anchors
from ledger.services.epochs import NotBehindError, begin_epoch, complete_epoch
from ledger.services.evidence import core_files, evidence_of
from ledger.services.key_registry import KeyState
from ledger.services.log import LogForkError, latest_checkpoint, log_head, own_policy, seal, site_keys
from ledger.services.log_state import LogBehindError, find_behind
from ledger.services.outside_time import outside_time
from ledger.services.reminding import SeenCheckpointError, remind_signer
from ledger.services.tile_export import ExportFolderError, export_tiles
from ledger.services.verification import verify_own
from ledger.tlog import bundle, note
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.entry import parse_entry
from ledger.tlog.policy import format_policy, parse_policy
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one
from tests.ledger.rfc6962 import tree_head
from tests.ledger.services.test_log import append
from tests.ledger.tile_client import TileClient
from tests.ledger.tlog.agreement import answers
from tests.log_checks import check_log, past_the_triggers

pytestmark = pytest.mark.django_db
CHECKERS = ("app", "verify.sh", "verify.py")


@dataclass
class Story:
    """Three originals under a checkpoint, a fourth registered after it, and what was lost: two more, signed."""

    seller: Seller
    originals: list[Original]
    origin: str
    lost_bundle: bytes
    lost_note: str
    old_bundle: bytes


def evidence(original: Original) -> bytes:
    return bundle.format_bundle(core_files(evidence_of(Original.objects.get(pk=original.pk).statement)))


def lose(work: Callable[[], None]) -> None:
    """Do something that the database forgets, as it does when an older copy takes its place."""
    point = transaction.savepoint()
    work()
    transaction.savepoint_rollback(point)


@pytest.fixture
def story(log, seller) -> Story:
    originals = [register_one(seller, seed) for seed in (1, 2, 3)]
    seal()
    old_bundle = evidence(originals[0])
    originals.append(register_one(seller, 4))
    told: list[bytes] = []

    def later() -> None:
        lost = register_one(seller, 5)
        register_one(seller, 6)
        seal()
        told.extend((evidence(lost), latest_checkpoint().note.encode()))

    lose(later)
    return Story(seller, originals, log.origin, told[0], told[1].decode(), old_bundle)


def full_audit() -> Verdict:
    audit = audit_log(extra_parts=[audit_statements, audit_tokens, audit_epochs])
    assert not audit.problems, audit.problems
    return audit.verdict


def everywhere(content: bytes) -> set[str]:
    """What the three checkers say under this site's policy."""
    found = answers(bundle.read_bundle(content), outside=True, policy=own_policy(), anchors=trusted_anchors() or [])
    return {found[name] for name in CHECKERS}


def test_an_older_copy_is_refused_until_the_operator_speaks_and_then_goes_on(story):
    with pytest.raises(LogBehindError, match="4 entries but 6 were signed"):
        register_one(story.seller, 7)
    with pytest.raises(LogForkError):
        seal()
    done = begin_epoch(reason="restored", remark="the disk broke")
    assert (done.number, done.lost, done.again) == (2, 2, 1)
    assert done.origin != story.origin
    past = PastEpoch.objects.get()
    assert (past.origin, past.size, past.signed_size, past.covered) == (story.origin, 4, 6, 3)
    assert past.signed_note == story.lost_note
    first = parse_entry(bytes(Entry.objects.get(seq=4).body))
    assert (first.kind, first.seq, first.log) == ("epoch", 0, done.origin)
    claim = json.loads(bytes(Statement.objects.get(entry=4).claim))
    head = parse_checkpoint(note.parse_note(story.lost_note.encode()).text)
    assert claim["reason"] == "restored"
    assert (claim["previous"]["origin"], claim["previous"]["size"], claim["previous"]["root"]) == (
        head.origin,
        6,
        head.root.hex(),
    )
    register_one(story.seller, 7)
    seal()
    assert check_log() == 7
    assert full_audit() is Verdict.PASSED


def test_old_new_repeated_and_lost_entries_are_verified_by_all_three_checkers(story):
    begin_epoch(reason="restored")
    fresh = register_one(story.seller, 7)
    seal()
    old, repeated = story.originals[0], story.originals[3]
    for original in (old, repeated, fresh):
        assert verify_own(Original.objects.get(pk=original.pk).statement).verdict is Verdict.PASSED
        assert everywhere(evidence(original)) == {"PASSED"}
    assert everywhere(story.old_bundle) == {"PASSED"}
    assert everywhere(story.lost_bundle) == {"PASSED"}, "a receipt for a lost entry holds under the old log's key"
    moved = Original.objects.get(pk=repeated.pk).statement
    assert (moved.entry_id, moved.seq) == (5, 1)
    assert verify_bundle(evidence(repeated), own_policy()).claim == json.loads(bytes(repeated.statement.claim))


def test_the_word_counts_once_and_only_where_something_is_missing(story):
    begin_epoch(reason="restored")
    with pytest.raises(NotBehindError):
        begin_epoch(reason="restored")
    with pytest.raises(NotBehindError):
        begin_epoch(reason="key_lost")
    assert PastEpoch.objects.count() == 1


def test_the_command_asks_for_the_name_of_the_log(story, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _prompt: "yes")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("begin_epoch", "--reason", "restored", stdout=StringIO())
    assert not PastEpoch.objects.exists()
    monkeypatch.setattr("builtins.input", lambda _prompt: story.origin)
    said = StringIO()
    call_command("begin_epoch", "--reason", "restored", "--note", "the disk broke", stdout=said)
    assert f"entries 4 to 5 of {story.origin}" in said.getvalue()
    assert PastEpoch.objects.get().remark == "the disk broke"
    with pytest.raises(CommandError, match="log_not_behind"):
        call_command("begin_epoch", "--reason", "restored", "--yes", stdout=StringIO())


def test_each_log_has_keys_of_its_own_and_the_old_one_vouches_once(story):
    old_key = own_policy().logs[0].key
    begin_epoch(reason="restored")
    policy = own_policy()
    assert parse_policy(format_policy(policy)) == policy
    assert old_key in [log.key for log in policy.logs]
    states = {(row.key.name == story.origin): row.state for row in site_keys()}
    assert states == {True: KeyState.RETIRED, False: KeyState.ACTIVE}
    first = Checkpoint.objects.get(tree_size=6)
    assert first.cosignatures.filter(name=story.origin).count() == 1
    text = note.parse_note(first.note.encode()).text
    lines = first.cosignatures.get(name=story.origin).line.encode()
    assert note.verify_note(note.Note(text, note.parse_signature_lines(lines)), [old_key])
    append(story.seller)
    newest = seal()
    assert newest is not None
    assert not newest.cosignatures.filter(name=story.origin).exists()


def test_a_second_older_copy_makes_a_third_epoch(story):
    begin_epoch(reason="restored")
    second = log_head().origin
    lose(lambda: (append(story.seller, 3), seal()))  # type: ignore[arg-type]
    with pytest.raises(LogBehindError):
        register_one(story.seller, 8)
    done = begin_epoch(reason="moved")
    assert (done.number, done.ended.origin, done.lost, done.again) == (3, second, 3, 0)
    append(story.seller, 2)
    seal()
    assert full_audit() is Verdict.PASSED
    assert everywhere(evidence(story.originals[0])) == everywhere(evidence(story.originals[3])) == {"PASSED"}


def test_a_copy_from_before_an_epoch_knows_nothing_of_it_and_is_refused_too(story):
    seen: list[str] = []

    def epoch() -> None:
        seen.append(begin_epoch(reason="restored").origin)
        append(story.seller, 2)
        seal()

    lose(epoch)
    behind = find_behind(story.origin, 6)
    assert behind is not None, "the old log is complete, but it was ended"
    assert [log.origin for log in behind.lost_logs] == seen
    done = begin_epoch(reason="restored")
    assert (done.number, done.lost, done.again) == (3, 2 + 4, 1)
    assert [row.origin for row in PastEpoch.objects.all()] == [story.origin, *seen]
    claims = [json.loads(bytes(row.claim))["previous"]["origin"] for row in Statement.objects.filter(kind="epoch")]
    assert sorted(claims) == sorted([story.origin, *seen])
    seal()
    assert full_audit() is Verdict.PASSED
    assert verify_own(Original.objects.get(pk=story.originals[3].pk).statement).verdict is Verdict.PASSED


def test_trees_of_more_than_one_tile_lie_side_by_side(log, seller, tmp_path):
    append(seller, 600)
    seal()
    lose(lambda: (append(seller, 5), seal()))  # type: ignore[arg-type]
    begin_epoch(reason="restored")
    append(seller, 700)
    newest = seal()
    assert newest is not None
    assert newest.size == 701
    assert check_log() == 1301
    assert list(TreeNode.objects.order_by("index").values_list("index", flat=True)) == [0, 1, 2, 3]
    assert full_audit() is Verdict.PASSED
    for number, origin, size in ((1, log.origin, 600), (None, log_head().origin, 701)):
        folder = tmp_path / f"log-{number}"
        assert export_tiles(folder=folder, epoch=number).tree_size == size
        client = TileClient(lambda path, folder=folder: (folder / path).read_bytes())  # type: ignore[misc]
        entries = client.entries()
        assert (client.origin, len(entries), tree_head(entries)) == (origin, size, client.signed_root)
        assert client.upper_tiles_fit(entries) == 2
    with pytest.raises(ExportFolderError, match="take another folder"):
        export_tiles(folder=tmp_path / "log-1")


def test_outside_time_stays_within_one_log(story, authority, ticking):
    begin_epoch(reason="restored")
    (final,) = stamp(now=ticking)
    assert final.checkpoint.origin == story.origin, "the last checkpoint of the ended log has no other chance"
    ticking.pass_by(hours=1)
    fresh = register_one(story.seller, 7)
    seal()
    (token,) = stamp(now=ticking)
    assert token.checkpoint.origin == log_head().origin
    ticking.pass_by(hours=1)
    last = register_one(story.seller, 8)
    seal()
    statements = [Original.objects.get(pk=row.pk).statement for row in (story.originals[0], fresh, last)]
    old, new, newest = (outside_time(row.entry_id, row.first) for row in statements)
    assert (old.later, old.earlier) == ((final,), None)
    assert (new.later, new.earlier) == ((token,), None)
    assert (newest.later, newest.earlier) == ((), token)
    for original in (story.originals[0], fresh, last):
        assert everywhere(evidence(original)) == {"PASSED"}
    assert full_audit() is Verdict.PASSED


@pytest.mark.parametrize("place", ["_end", "_begin", "_enter_again", "complete_epoch", "seal", "_vouch", "set_state"])
def test_a_crash_leaves_the_old_or_the_new_log(story, monkeypatch, place):
    """Cut short after each step: what the transaction holds is gone, what follows it is finished by the next start."""
    real = getattr(epochs, place)

    def cut(*arguments, **options):
        if place not in ("complete_epoch", "seal"):
            real(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(epochs, place, cut)
        with pytest.raises(KeyboardInterrupt):
            begin_epoch(reason="restored")
    committed = place not in ("_end", "_begin", "_enter_again")
    assert PastEpoch.objects.exists() is committed
    if not committed:
        assert log_head().origin == story.origin
        with pytest.raises(LogBehindError):
            register_one(story.seller, 7)
        begin_epoch(reason="restored")
    complete_epoch()
    complete_epoch()
    register_one(story.seller, 7)
    seal()
    assert check_log() == 7
    assert full_audit() is Verdict.PASSED
    assert {row.state for row in site_keys() if row.key.name == story.origin} == {KeyState.RETIRED}
    assert Checkpoint.objects.filter(cosignatures__name=story.origin, tree_size__gt=4).count() == 1


def test_a_database_that_was_changed_is_no_older_copy(story):
    with past_the_triggers():
        row = Entry.objects.get(seq=1)
        Entry.objects.filter(seq=1).update(leaf_hash=bytes(row.leaf_hash)[::-1])
    with pytest.raises(LogForkError, match="not those that were signed"):
        begin_epoch(reason="restored")
    assert not PastEpoch.objects.exists()


def test_lost_keys_end_the_log_too(story, settings):
    """The keys are gone with the signer's memory; the storage key is not. What is held names the last checkpoint."""
    for name in (keys.SIGNER_STATE, "log-keys.json", keys.LOG_KEY, keys.LOG_MLDSA_KEY):
        (settings.KEYS_DIR / name).unlink(missing_ok=True)
    with pytest.raises(NotBehindError):
        begin_epoch(reason="restored")
    done = begin_epoch(reason="key_lost")
    assert (done.lost, done.again, done.ended.signed_size) == (0, 1, 3)
    assert everywhere(story.old_bundle) == everywhere(evidence(story.originals[3])) == {"PASSED"}


def test_an_ended_log_stays_ended_in_the_database(story):
    begin_epoch(reason="restored")
    for change in (lambda: PastEpoch.objects.update(size=1), lambda: PastEpoch.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_the_audit_names_an_epoch_that_does_not_follow(story):
    begin_epoch(reason="restored")
    with past_the_triggers():
        PastEpoch.objects.update(reason="moved")
    audit = audit_log(extra_parts=[audit_epochs])
    assert [problem.code for problem in audit.problems] == ["audit.epoch"]
    assert LogHead.objects.get().first == 4


def forget(origin: str) -> keys.SignerState:
    """The key directory comes from the old backup too: the signer remembers what the database holds."""
    held = latest_checkpoint()
    known = keys.SignerState(held.size, bytes(held.root_hash), held.note)
    keys.write_signer_state(origin, known)
    return known


@pytest.mark.parametrize("kept", ["checkpoint", "evidence"])
def test_a_signer_that_lost_its_memory_too_is_reminded_by_what_somebody_kept(story, tmp_path, kept):
    forget(story.origin)
    with pytest.raises(NotBehindError):
        begin_epoch(reason="restored")
    file = tmp_path / "seen"
    file.write_bytes(story.lost_note.encode() if kept == "checkpoint" else story.lost_bundle)
    out = StringIO()
    call_command("begin_epoch", "--reason", "restored", "--seen", str(file), "--yes", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["ended"], told["held"], told["lost"]) == (story.origin, 4, 2)
    assert PastEpoch.objects.get().signed_note == story.lost_note
    register_one(story.seller, 9)
    assert full_audit() == Verdict.PASSED


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut", "other", "forged"])
def test_what_the_log_did_not_sign_reminds_of_nothing(story, content):
    known = forget(story.origin)
    if content == "other":
        content = story.lost_note.replace(story.origin, "log.example/other").encode()
    if content == "forged":
        content = story.lost_note.replace("\n6\n", "\n7\n").encode()
    with pytest.raises(SeenCheckpointError):
        remind_signer(story.origin, content)
    assert keys.read_signer_state(story.origin) == known


def test_an_older_checkpoint_takes_nothing_from_the_memory(story):
    before = keys.read_signer_state(story.origin)
    remind_signer(story.origin, latest_checkpoint().note.encode())
    assert keys.read_signer_state(story.origin) == before
