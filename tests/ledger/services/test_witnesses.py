"""The log and its witnesses over real HTTP: cosignatures are got, kept, handed out; trouble stops nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from ledger.anchors.errors import PrivateAddressError
from ledger.anchors.witness import WitnessAddress, WitnessRefusedError, add_checkpoint
from ledger.models import Checkpoint, Cosignature, Job
from ledger.models import Witness as Row
from ledger.pdf.assurance import level_with_witnesses
from ledger.services.anchoring import stamp
from ledger.services.audit import audit_log
from ledger.services.epochs import begin_epoch
from ledger.services.evidence import certificate_of, common_part, core_files, evidence_of
from ledger.services.log import cosigned_note, own_policy, seal
from ledger.services.witnesses import (
    AHEAD,
    WitnessSettingError,
    add_witness,
    cosign,
    cosign_if_due,
    policy_with_witnesses,
    quorum_met,
)
from ledger.tlog import bundle, note
from ledger.tlog.cosignature import Ed25519Cosigner
from ledger.tlog.policy import Policy, parse_policy
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from ledger.witness import Witness, WitnessServer, make_witness, trust_log
from tests.factories import register_one
from tests.ledger.services.test_log import append, roll_back_to

pytestmark = pytest.mark.django_db


@pytest.fixture
def outsiders(log, tmp_path) -> Iterator[list[Row]]:
    """Two witnesses that watch the log, and whom the log asks."""
    rows, running = [], []
    for name in ("lawfirm", "seller"):
        folder = tmp_path / name
        keys = make_witness(folder, f"{name}.example/w")
        for each in own_policy().logs:
            trust_log(folder, note.format_vkey(each.key))
        server = WitnessServer(("127.0.0.1", 0), Witness(folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        rows.append(add_witness(name=name, vkey=note.format_vkey(keys[0]), url=url, allows_local=True))
    yield rows
    for server in running:
        server.shutdown()
        server.server_close()
        server.witness.close()


def grow(seller, count: int = 3) -> Checkpoint:
    append(seller, count)
    checkpoint = seal()
    assert checkpoint is not None
    return checkpoint


def test_a_new_epoch_is_another_log_to_a_witness(outsiders, seller, tmp_path):
    """It cosigns the new origin once it was told its key, from the beginning, and goes on refusing the old one's copy."""
    grow(seller)
    cosign()
    point = transaction.savepoint()
    grow(seller)
    cosign()
    transaction.savepoint_rollback(point)
    begin_epoch(reason="restored")
    checkpoint = grow(seller)
    assert cosign() == 0, "a log of that name is not known"
    assert {row.last_error for row in Row.objects.all()} == {"witness_refused"}
    for name in ("lawfirm", "seller"):
        for log in own_policy().logs:
            trust_log(tmp_path / name, note.format_vkey(log.key))
    Row.objects.update(rest_until=None)
    assert cosign() == 2
    assert {row.seen_size for row in Row.objects.all()} == {checkpoint.size}
    state = json.loads((tmp_path / "lawfirm" / "state.json").read_bytes())
    assert sorted(row["size"] for row in state.values()) == [checkpoint.size, 6]
    assert audit_log().verdict is Verdict.PASSED


def test_cosignatures_are_kept_and_handed_out(outsiders, seller, client_of):
    checkpoint = grow(seller)
    assert cosign() == 2
    keys = [note.parse_vkey(row.vkey) for row in outsiders]
    public = note.parse_note(client_of().get("/log/checkpoint").content)
    assert note.verify_note(public, keys) == tuple(keys)
    assert Cosignature.objects.filter(checkpoint=checkpoint).count() == 3  # the log's second key among them
    assert audit_log().verdict is Verdict.PASSED


def test_each_checkpoint_is_shown_to_extend_the_last(outsiders, seller):
    for count in (1, 300, 7):
        grow(seller, count)
        assert cosign() == 2
    assert {row.seen_size for row in Row.objects.all()} == {308}


def test_a_witness_that_knows_more_than_we_remember_is_met_where_it_stands(outsiders, seller):
    grow(seller)
    cosign()
    Row.objects.update(seen_size=1)
    grow(seller)
    assert cosign() == 2


def test_nothing_is_asked_twice(outsiders, seller):
    grow(seller)
    assert (cosign(), cosign()) == (2, 0)
    assert cosign_if_due() is None


def test_a_worker_is_sent_when_a_cosignature_is_missing(outsiders, seller):
    grow(seller)
    job = cosign_if_due()
    assert job is not None
    assert cosign_if_due() == job
    assert Job.objects.count() == 1


# Quorum -----------------------------------------------------------------------------------------------------------


def test_the_quorum_counts_witnesses_that_really_signed(outsiders, seller, settings):
    settings.WITNESS_QUORUM = 2
    checkpoint = grow(seller)
    assert not quorum_met(checkpoint)
    cosign()
    assert quorum_met(checkpoint)
    row = Cosignature.objects.exclude(witness=None).first()
    Cosignature.objects.filter(pk=row.pk).update(line=row.line.replace(row.line[-20:-3], "A" * 17))
    assert not quorum_met(checkpoint)


def test_a_stranger_who_requires_the_quorum_passes_only_with_it(outsiders, seller, settings):
    settings.WITNESS_QUORUM = 2
    statement = register_one(seller).statement
    published = policy_with_witnesses(own_policy())
    strict = Policy(published.logs, published.witnesses, published.groups, "witnesses")

    def verdict() -> Verdict:
        return verify_bundle(bundle.format_bundle(core_files(evidence_of(statement))), strict).verdict

    assert verdict() is Verdict.INDETERMINATE
    cosign()
    assert verdict() is Verdict.PASSED


def test_the_published_policy_names_witnesses_and_asks_for_none(outsiders, client_of, settings):
    settings.WITNESS_QUORUM = 1
    policy = parse_policy(client_of().get("/log/policy").content)
    assert [witness.name for witness in policy.witnesses] == ["lawfirm", "seller"]
    assert (policy.groups[0].threshold, policy.quorum) == (1, "none")


def test_a_quorum_raises_the_level_only_above_outside_time():
    assert [level_with_witnesses(level, is_witnessed=True) for level in range(6)] == [0, 1, 4, 4, 4, 5]
    assert [level_with_witnesses(level, is_witnessed=False) for level in range(6)] == [0, 1, 2, 3, 4, 5]


def test_without_a_quorum_setting_nothing_counts_as_witnessed(outsiders, seller):
    checkpoint = grow(seller)
    cosign()
    assert not quorum_met(checkpoint)


# Trouble ----------------------------------------------------------------------------------------------------------


def test_a_restored_old_log_is_found_out_by_its_witnesses(outsiders, seller, settings):
    grow(seller)
    grow(seller)
    cosign()
    roll_back_to(3)
    (settings.KEYS_DIR / "signer-state.json").unlink()  # even the signer forgot
    Row.objects.update(seen_size=3)
    assert cosign() == 0
    assert {row.last_error for row in Row.objects.all()} == {AHEAD}


def test_a_witness_that_is_away_stops_nothing_and_is_asked_later(log, seller):
    row = add_witness(
        name="gone",
        vkey=note.format_vkey(note.CosignatureSigner(_cosigner()).key),
        url="http://127.0.0.1:9/",
        allows_local=True,
    )
    grow(seller)
    now = timezone.now()
    assert cosign(now=lambda: now) == 0
    row.refresh_from_db()
    assert (row.failures, row.last_error) == (1, "http_error")
    assert now < row.rest_until <= now + timedelta(seconds=15)
    assert cosign(now=lambda: now) == 0
    row.refresh_from_db()
    assert row.failures == 1  # not asked again so soon
    for _ in range(12):
        cosign(now=lambda: row.rest_until)
        row.refresh_from_db()
    assert timedelta(minutes=40) < row.rest_until - now
    assert grow(seller).tree_size == 6


def _cosigner():
    return Ed25519Cosigner("gone.example/w", b"\x05" * 32, 0)


def test_a_cosignature_of_another_key_is_not_kept(outsiders, seller):
    Row.objects.filter(name="lawfirm").update(vkey=note.format_vkey(note.CosignatureSigner(_cosigner()).key))
    grow(seller)
    assert cosign() == 1
    assert Row.objects.get(name="lawfirm").last_error == "signature.missing"


@pytest.mark.parametrize("answer", [b"", b"nonsense", b"\xff" * 10, "— a AAAA\n".encode()])
def test_a_senseless_answer_is_an_error_of_that_witness_alone(outsiders, seller, answer):
    grow(seller)
    assert cosign(ask=lambda _address, _body: answer) == 0
    assert all(row.last_error for row in Row.objects.all())


def test_addresses_inside_the_network_need_the_operators_word(outsiders):
    with pytest.raises(PrivateAddressError):
        add_checkpoint(WitnessAddress(outsiders[0].url), b"")
    with pytest.raises(WitnessRefusedError, match="400"):
        add_checkpoint(WitnessAddress(outsiders[0].url, allow_local=True), b"x")


@pytest.mark.parametrize(
    ("name", "vkey", "url"),
    [
        ("a b", None, "https://w.example/"),
        ("none", None, "https://w.example/"),
        ("a", "nonsense", "https://w.example/"),
        ("a", None, "ftp://w.example/"),
        ("a", None, "https://10.0.0.1/"),
        ("lawfirm", None, "http://127.0.0.1:1/"),
    ],
)
def test_what_cannot_be_a_witness_is_refused(outsiders, name, vkey, url):
    key = vkey or note.format_vkey(note.CosignatureSigner(_cosigner()).key)
    with pytest.raises(WitnessSettingError):
        add_witness(name=name, vkey=key, url=url, allows_local=url.startswith("http:"))


# Pages and commands -----------------------------------------------------------------------------------------------


def test_the_page_shows_who_watches_and_what_is_wrong(outsiders, seller, alice, client_of):
    assert "lawfirm" in client_of(alice).get("/ledger/").content.decode()
    Row.objects.update(last_error=AHEAD)
    assert "another history" in client_of(alice).get("/ledger/").content.decode()


def test_the_page_says_that_nobody_watches(log, alice, client_of):
    assert "Nobody outside watches" in client_of(alice).get("/ledger/").content.decode()


def test_the_command_lists_asks_and_removes(outsiders, seller):
    grow(seller)
    out = StringIO()
    call_command("witnesses", "ask", stdout=out)
    assert "2 cosigned" in out.getvalue()
    call_command("witnesses", "remove", "lawfirm", stdout=out)
    assert [row.name for row in Row.objects.all()] == ["seller"]
    assert len(note.parse_note(cosigned_note(Checkpoint.objects.get())).signatures) == 4  # what was given stays
    with pytest.raises(CommandError):
        call_command("witnesses", "remove", "lawfirm", stdout=out)


def test_page_and_certificate_say_the_same_level(
    outsiders, seller, alice, client_of, settings, authority, server, ticking
):
    """With an outside clock and the quorum both reach L4, and a certificate of less is made anew."""
    settings.WITNESS_QUORUM = 2
    original = register_one(seller)
    seal()
    stamp(now=ticking)
    page = f"/verify/{original.statement.number}/"
    first = certificate_of(actor=alice, original=original)
    assert client_of().get(page).context["level"] == 2
    assert cosign() == 2
    assert client_of().get(page).context["level"] == 4
    second = certificate_of(actor=alice, original=original)
    assert second.stage > first.stage
    assert common_part(evidence_of(original.statement), second.created_at).assurance.level == 4
