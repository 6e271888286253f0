"""Signing keys over the years: made, encrypted, replaced, revoked; evidence from before and after still answers."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ledger.models import Statement
from ledger.services import keys, log_keys
from ledger.services.audit import audit_log
from ledger.services.evidence import core_files, evidence_of
from ledger.services.key_files import KeyFileError, protect, reveal
from ledger.services.key_registry import KeyState
from ledger.services.key_registry import log_keys as known_keys
from ledger.services.log import cosigned_note, own_policy, seal
from ledger.services.log_keys import KeyInUseError, KeyUnknownError, revoke_key, rotate_key
from ledger.services.setup import create_log
from ledger.services.verification import verify_evidence
from ledger.system_checks import check_key_files
from ledger.tlog import bundle, claims, note
from ledger.tlog.bundle import VERIFY_PROGRAMS, VERIFY_TEXTS, read_bundle
from ledger.tlog.errors import SignatureMissing
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one
from tests.ledger.services.test_log import append

pytestmark = pytest.mark.django_db


def evidence(statement: Statement) -> bytes:
    return bundle.format_bundle(core_files(evidence_of(statement)))


def state_of(key) -> KeyState:
    return next(row.state for row in known_keys(key.name) if row.key == key)


# Both algorithms --------------------------------------------------------------------------------------------------


def test_checkpoints_are_signed_twice_ed25519_first(log, seller):
    append(seller)
    signed = note.parse_note(cosigned_note(seal()))
    keys_found = note.verify_note(signed, [log.key for log in own_policy().logs])
    assert [key.algorithm for key in keys_found] == [note.ED25519, note.ML_DSA_44_COSIGNATURE]


def test_a_log_from_before_gets_its_second_key_at_the_next_start(log, seller, settings):
    (settings.KEYS_DIR / keys.LOG_MLDSA_KEY).unlink()
    (settings.KEYS_DIR / "log-keys.json").unlink()
    append(seller)
    assert len(note.parse_note(cosigned_note(seal())).signatures) == 1
    assert len(own_policy().logs) == 1
    create_log()
    append(seller)
    assert len(note.parse_note(cosigned_note(seal())).signatures) == 2
    assert len(own_policy().logs) == 2
    assert audit_log().verdict is Verdict.PASSED


def test_the_proof_itself_stays_small(log, seller):
    """Entry, documents, both signatures and keys; explanations and the two programs come on top."""
    files = read_bundle(evidence(register_one(seller).statement))
    explained = {*VERIFY_TEXTS, *VERIFY_PROGRAMS}
    assert sum(len(data) for name, data in files.items() if name not in explained) <= 8 * 1024


# Replacing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ed25519", "mldsa"])
def test_a_replaced_key_is_logged_and_its_successor_signs(log, seller, algorithm):
    append(seller)
    done = rotate_key(algorithm=algorithm, reason="scheduled")
    claim = claims.parse_claim("key.rotated", bytes(Statement.objects.get(entry=done.seq).claim))
    assert (claim["old"], claim["new"]) == (note.format_vkey(done.old), note.format_vkey(done.new))
    assert (state_of(done.old), state_of(done.new)) == (KeyState.RETIRED, KeyState.ACTIVE)
    append(seller)
    signed = note.parse_note(cosigned_note(seal()))
    assert done.new in note.verify_note(signed, [done.new])
    with pytest.raises(SignatureMissing):
        note.verify_note(signed, [done.old])
    assert audit_log().verdict is Verdict.PASSED


def test_the_old_key_itself_vouches_for_the_new_one(log, seller):
    done = rotate_key(algorithm="ed25519", reason="scheduled")
    statement = Statement.objects.get(entry=done.seq)
    signed = evidence_of(statement).checkpoint
    assert signed.tree_size > done.seq
    assert note.verify_note(note.parse_note(signed.note.encode()), [done.old]) == (done.old,)


@pytest.mark.parametrize("reason", ["compromised", "lost"])
def test_a_key_nobody_trusts_signs_nothing_more(log, seller, reason):
    done = rotate_key(algorithm="ed25519", reason=reason)
    signed = evidence_of(Statement.objects.get(entry=done.seq)).checkpoint
    assert note.verify_note(note.parse_note(signed.note.encode()), [done.new]) == (done.new,)


def test_evidence_from_before_and_after_passes_under_the_present_policy(log, seller):
    original = register_one(seller)
    before, policy_before = evidence(original.statement), own_policy()
    rotate_key(algorithm="ed25519", reason="scheduled")
    rotate_key(algorithm="mldsa", reason="scheduled")
    later = register_one(seller, 2)
    assert verify_bundle(before, own_policy()).verdict is Verdict.PASSED
    for statement in (original.statement, later.statement):
        assert verify_bundle(evidence(statement), own_policy()).verdict is Verdict.PASSED
    assert verify_bundle(before, policy_before).verdict is Verdict.PASSED


def test_a_policy_from_before_does_not_know_the_new_keys(log, seller):
    policy_before = own_policy()
    rotate_key(algorithm="ed25519", reason="scheduled")
    rotate_key(algorithm="mldsa", reason="scheduled")
    report = verify_bundle(evidence(register_one(seller).statement), policy_before)
    assert (report.verdict, report.disagreement.code) == (Verdict.FAILED, "signature.missing")


# Revoking ---------------------------------------------------------------------------------------------------------


def test_evidence_of_a_revoked_key_is_open_and_fresh_evidence_passes(log, seller):
    original = register_one(seller)
    old_evidence = evidence(original.statement)
    for algorithm in ("ed25519", "mldsa"):
        done = rotate_key(algorithm=algorithm, reason="compromised")
        revoke_key(key_id=done.old.fingerprint, reason="compromised")
        assert state_of(done.old) is KeyState.REVOKED
    found = verify_evidence(old_evidence)
    assert (found.verdict, found.report.disagreement.code) == (Verdict.INDETERMINATE, "key_revoked")
    assert verify_bundle(old_evidence, own_policy()).verdict is Verdict.FAILED
    assert verify_evidence(evidence(original.statement)).verdict is Verdict.PASSED
    assert audit_log().verdict is Verdict.PASSED


def test_altered_evidence_of_a_revoked_key_still_fails(log, seller):
    files = core_files(evidence_of(register_one(seller).statement))
    for algorithm in ("ed25519", "mldsa"):
        done = rotate_key(algorithm=algorithm, reason="compromised")
        revoke_key(key_id=done.old.fingerprint, reason="compromised")
    files["claim.json"] = files["claim.json"].replace(b"original", b"layered!", 1)
    assert verify_evidence(bundle.format_bundle(files)).verdict is Verdict.FAILED


def test_a_key_that_signs_is_not_revoked(log):
    key = own_policy().logs[0].key
    with pytest.raises(KeyInUseError):
        revoke_key(key_id=key.key_id.hex(), reason="compromised")


def test_an_unknown_key_is_not_revoked(log):
    with pytest.raises(KeyUnknownError):
        revoke_key(key_id="00000000", reason="lost")


def test_revoking_twice_is_one_entry(log, seller):
    done = rotate_key(algorithm="ed25519", reason="scheduled")
    revoke_key(key_id=done.old.fingerprint, reason="lost")
    revoke_key(key_id=done.old.fingerprint, reason="lost")
    assert Statement.objects.filter(kind="key.revoked").count() == 1


# Crashes ----------------------------------------------------------------------------------------------------------


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("step", ["_append_once", "seal", "set_state", "sync_directory"])
@pytest.mark.parametrize("after", [False, True])
def test_a_rotation_cut_short_anywhere_is_finished_by_the_next(log, seller, monkeypatch, step, after):
    append(seller)
    real = getattr(log_keys, step)

    def cut(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(log_keys, step, cut)
        with pytest.raises(PowerCutError):
            rotate_key(algorithm="ed25519", reason="scheduled")
    append(seller)
    seal()
    before = Statement.objects.filter(kind="key.rotated").count()
    done = rotate_key(algorithm="ed25519", reason="scheduled")
    assert state_of(done.new) is KeyState.ACTIVE
    assert state_of(done.old) is KeyState.RETIRED
    assert Statement.objects.filter(kind="key.rotated").count() == max(1, before) or step == "sync_directory"
    append(seller)
    seal()
    assert audit_log().verdict is Verdict.PASSED


# At rest ----------------------------------------------------------------------------------------------------------


def test_key_files_are_encrypted_with_a_passphrase(settings, db):
    settings.KEY_PASSPHRASE = "long and secret"
    create_log()
    assert keys.unprotected() == []
    plain = [keys.read_secret(name) for name in keys.SECRETS if name != keys.OLD_STORAGE_KEY]
    stored = b"".join(path.read_bytes() for path in settings.KEYS_DIR.iterdir())
    assert b"PRIVATE KEY" not in stored
    assert not any(secret.strip() in stored for secret in plain)
    assert check_key_files() == []


def test_plain_files_are_named_and_encrypted_later(log, seller, settings):
    register_one(seller)
    (warning,) = check_key_files()
    assert (warning.id, warning.level) == ("ledger.W001", 30)
    settings.KEY_PASSPHRASE = "long and secret"
    out = StringIO()
    before = keys.log_key().private_bytes_raw()
    call_command("new_key", stdout=out)
    assert "encrypted storage.key" in out.getvalue()
    assert keys.log_key().private_bytes_raw() == before
    assert seal() is not None
    register_one(seller, 2, analyse=True)
    rotate_key(algorithm="ed25519", reason="scheduled")
    assert keys.unprotected() == []


@pytest.mark.parametrize("passphrase", ["", "another"])
def test_without_the_passphrase_keys_stay_closed(settings, db, passphrase, client_of, seller, alice):
    settings.KEY_PASSPHRASE = "long and secret"
    create_log()
    append(seller)
    settings.KEY_PASSPHRASE = passphrase
    keys._revealed.clear()
    with pytest.raises(keys.KeyLockedError):
        seal()
    response = client_of(alice).get("/ledger/")
    assert (response.status_code, b"key_locked" in response.content) == (503, True)


def test_every_changed_byte_of_a_key_file_is_noticed():
    sealed = protect(b"secret", "word", "a.key")
    assert reveal(sealed, "word", "a.key") == b"secret"
    middle = len(sealed) // 2
    for changed in (
        sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :],
        sealed[:-9],
        sealed + b"AAAA",
    ):
        with pytest.raises(KeyFileError):
            reveal(changed, "word", "a.key")
    with pytest.raises(KeyFileError):
        reveal(sealed, "word", "b.key")


# Commands ---------------------------------------------------------------------------------------------------------


def test_the_commands_lead_through_a_change_of_keys(log, seller):
    append(seller)
    out = StringIO()
    old = own_policy().logs[0].key
    call_command("rotate_key", stdout=out)
    assert f"{old.key_id.hex()} was replaced by" in out.getvalue()
    call_command("revoke_key", old.key_id.hex(), "--reason", "superseded", stdout=out)
    assert "revoked" in out.getvalue()
    assert old not in {log.key for log in own_policy().logs}


def test_the_commands_name_what_they_refuse(log):
    with pytest.raises(CommandError, match="still signs"):
        call_command("revoke_key", own_policy().logs[0].key.key_id.hex(), "--reason", "lost")
    with pytest.raises(CommandError, match="no key"):
        call_command("revoke_key", "ffffffff", "--reason", "lost")
