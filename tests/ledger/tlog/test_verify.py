"""Whole bundles: what passes, what fails and under which name, what stays undecided."""

import dataclasses
import json
from hashlib import sha256

import pytest

from ledger.tlog import ed25519
from ledger.tlog.bundle import Limits, format_bundle
from ledger.tlog.claim_documents import ClaimItem, identity_document, image_registered_claim
from ledger.tlog.entry import canonical_json, format_entry, format_parameters, parse_entry
from ledger.tlog.note import Ed25519Signer, sign_note
from ledger.tlog.policy import Policy, PolicyLog, Witness, format_policy
from ledger.tlog.proof import Proof, format_proof, parse_proof
from ledger.tlog.report import Verdict
from ledger.tlog.verify import match_file, verify_bundle
from tests.ledger.tlog.sample import (
    ORIGIN,
    OTHER_SIGNER,
    PARAMETERS,
    PHOTO,
    POLICY,
    SIGNER,
    WITNESS,
    SampleLog,
    digest,
    image_claim,
    pack,
    with_sums,
)

LOG = SampleLog(13)
FILES = with_sums(LOG.files(6))
CORE = ["SHA256SUMS", "entry.json", "claim.json", "who.json", "log.json", "proof.tlog-proof", "checkpoint", "policy"]
WITNESSED = Policy(POLICY.logs, (Witness("W", WITNESS.key),), (), "W")


def verify(files, policy=POLICY):
    return verify_bundle(pack(files), policy)


MASKS = (0x01, 0x02, 0x20, 0x04, 0x80, 0x10, 0x40)


def flips(data, step=1):
    """The data with each byte changed in turn, by another bit from one byte to the next."""
    for at in range(0, len(data), step):
        yield data[:at] + bytes([data[at] ^ MASKS[at // step % len(MASKS)]]) + data[at + 1 :]


def assert_failed(report, *items):
    assert report.verdict is Verdict.FAILED
    assert report.disagreement.item in items
    assert report.disagreement.code


# What passes


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 13, 255, 256, 257, 300])
def test_bundles_of_every_size_pass(size):
    log = SampleLog(size)
    for index in {0, size // 2, size - 1}:
        report = verify_bundle(format_bundle(log.files(index)), POLICY)
        assert (report.verdict, report.disagreement) == (Verdict.PASSED, None)
        assert report.entry == parse_entry(log.entries[index])


def test_report_holds_what_the_bundle_says():
    report = verify(FILES)
    assert report.key == SIGNER.key
    assert report.checkpoint.size == 13
    assert report.leaf_hash == LOG.levels[0][6]
    assert report.claim == image_claim()
    assert report.who["seller"] == {"id": "demo", "name": "示例店"}
    assert [(d.role, d.disclosed) for d in report.digests] == [("original", "originals/0001.jpg"), ("raw", "")]
    assert report.unchecked == ()


def test_with_a_policy_the_answer_is_not_qualified():
    report = verify(FILES)
    assert not report.qualified
    assert "which your policy trusts" in report.summary


def test_without_a_policy_the_best_answer_names_the_key():
    report = verify(FILES, None)
    assert report.verdict is Verdict.PASSED
    assert report.qualified
    assert report.summary == f"PASSED under key {ORIGIN}+{SIGNER.key.key_id.hex()}: compare it with the one you trust"


def test_without_a_policy_file_the_first_key_of_the_log_is_used():
    files = with_sums({name: data for name, data in FILES.items() if name != "policy"})
    assert verify(files, None).key == SIGNER.key


def test_identity_and_originals_are_optional():
    files = {k: v for k, v in FILES.items() if k not in ("who.json", "originals/0001.jpg")}
    report = verify(with_sums(files))
    assert report.verdict is Verdict.PASSED
    assert report.who is None


def test_the_certificate_may_lie_beside():
    assert verify(FILES | {"certificate.pdf": b"%PDF-1.7 ..."}).verdict is Verdict.PASSED
    assert verify(FILES | {"certificate.pdf": b"%PDF-1.7 ..."}).unchecked == ("certificate.pdf",)


def test_files_of_later_versions_are_reported_as_unchecked():
    report = verify(with_sums(FILES | {"tokens/0001.tsr": b"token", "verify.rb": b"#!/bin/ruby\n"}))
    assert report.verdict is Verdict.PASSED
    assert report.unchecked == ("tokens/0001.tsr", "verify.rb")


# One byte changed


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_changed_byte_fails_naming_the_item(name):
    for data in flips(FILES[name], step=1 if name in CORE else 17):
        assert_failed(verify(FILES | {name: data}), name)


@pytest.mark.parametrize("name", CORE)
def test_every_changed_byte_fails_without_a_policy_too(name):
    for data in flips(FILES[name], step=5):
        assert_failed(verify(FILES | {name: data}, None), name)


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("entry.json", {"entry.json", "proof.tlog-proof"}),
        ("claim.json", {"claim.json"}),
        ("who.json", {"who.json"}),
        ("proof.tlog-proof", {"proof.tlog-proof", "entry.json"}),
        ("checkpoint", {"checkpoint", "proof.tlog-proof"}),
        ("originals/0001.jpg", {"originals/0001.jpg"}),
    ],
)
def test_every_changed_byte_fails_when_the_sums_are_made_to_fit(name, items):
    for data in flips(FILES[name]):
        assert_failed(verify(with_sums(FILES | {name: data})), *items)


def test_every_changed_byte_of_the_checkpoint_fails_when_everything_around_is_made_to_fit():
    for data in flips(FILES["checkpoint"]):
        proof = Proof(6, parse_proof(FILES["proof.tlog-proof"]).path, data)
        files = FILES | {"checkpoint": data, "proof.tlog-proof": format_proof(proof)}
        assert_failed(verify(with_sums(files)), "checkpoint")


@pytest.mark.parametrize("name", ["checkpoint", "proof.tlog-proof"])
def test_altered_padding_bits_fail(name):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    lines = FILES[name].decode().split("\n")
    tried = 0
    for number, line in enumerate(lines):
        if not line.endswith("="):
            continue
        last = len(line.rstrip("=")) - 1
        for other in set(alphabet) - {line[last]}:
            changed = [*lines[:number], line[:last] + other + line[last + 1 :], *lines[number + 1 :]]
            data = "\n".join(changed).encode()
            tried += 1
            assert_failed(verify(FILES | {name: data}), name)
            assert_failed(verify(with_sums(FILES | {name: data})), name, "proof.tlog-proof", "entry.json")
    assert tried >= 2 * 63


@pytest.mark.parametrize("name", ["entry.json", "claim.json", "who.json", "proof.tlog-proof", "checkpoint", "log.json"])
def test_appended_bytes_and_cuts_fail(name):
    data = FILES[name]
    for changed in [
        data + b"\n",
        data + b" ",
        b" " + data,
        data + data,
        b"",
        *(data[:cut] for cut in range(0, len(data), 7)),
    ]:
        assert_failed(verify(FILES | {name: changed}), name)
        assert_failed(verify(with_sums(FILES | {name: changed})), name, "proof.tlog-proof")


def test_every_changed_byte_of_the_archive_fails_or_changes_nothing():
    bundle = format_bundle(LOG.files(6))
    good = verify_bundle(bundle, POLICY)
    for at in range(0, len(bundle), 3):
        changed = bundle[:at] + bytes([bundle[at] ^ 0x01]) + bundle[at + 1 :]
        report = verify_bundle(changed, POLICY)
        if report.verdict is Verdict.PASSED:
            assert dataclasses.replace(report, bundle_sha256="") == dataclasses.replace(good, bundle_sha256="")
        else:
            assert report.verdict is Verdict.FAILED


def test_a_hostile_archive_is_answered_not_raised():
    for data in (b"", b"PK", b"%PDF-1.7"):
        assert_failed(verify_bundle(data), "bundle")
    assert_failed(verify_bundle(format_bundle(LOG.files(6)), POLICY, Limits(files=2)), "bundle")


# Things that do not belong together


def test_an_entry_of_another_place_fails():
    assert_failed(verify(with_sums(FILES | {"entry.json": LOG.entries[7]})), "proof.tlog-proof")


def test_a_rewritten_entry_fails():
    entry = dataclasses.replace(parse_entry(LOG.entries[6]), ts="2020-01-01T00:00:00.000Z")
    assert_failed(verify(with_sums(FILES | {"entry.json": format_entry(entry)})), "entry.json")


def test_a_proof_of_another_index_fails():
    proof = format_proof(LOG.proof(7))
    assert_failed(verify(with_sums(FILES | {"proof.tlog-proof": proof})), "proof.tlog-proof")


@pytest.mark.parametrize(
    "change", [lambda p: p[:-1], lambda p: (*p, p[0]), lambda p: p[::-1], lambda p: p[1:], lambda p: ()]
)
def test_a_path_with_dropped_added_or_reordered_lines_fails(change):
    proof = LOG.proof(6)
    data = format_proof(dataclasses.replace(proof, path=change(proof.path)))
    assert_failed(verify(with_sums(FILES | {"proof.tlog-proof": data})), "proof.tlog-proof", "entry.json")


def test_another_claim_fails():
    claim = image_registered_claim(digest("x"), [ClaimItem("original", digest("y"), 1, "image/png")])
    assert_failed(verify(with_sums(FILES | {"claim.json": canonical_json(claim)})), "claim.json")


def test_another_identity_fails():
    who = identity_document(digest("x"), seller_id="mallory", seller_name="M", actor="m@x.example", role="owner")
    assert_failed(verify(with_sums(FILES | {"who.json": canonical_json(who)})), "who.json")


def test_another_original_fails():
    assert_failed(verify(with_sums(FILES | {"originals/0001.jpg": PHOTO + b"x"})), "originals/0001.jpg")


@pytest.mark.parametrize("name", ["originals/0003.jpg", "originals/0000.jpg", "originals/photo.jpg"])
def test_an_original_the_claim_does_not_know_fails(name):
    assert_failed(verify(with_sums(FILES | {name: PHOTO})), name)


def test_another_parameter_file_fails():
    origin = "second.example/log"
    other = format_parameters(
        dataclasses.replace(PARAMETERS, origin=origin, key=Ed25519Signer(origin, SIGNER.seed).key)
    )
    assert_failed(verify(with_sums(FILES | {"log.json": other})), "checkpoint")


def test_the_first_entry_fails_under_another_parameter_file_of_the_same_log():
    later = format_parameters(dataclasses.replace(PARAMETERS, created="2026-11-22T00:00:00.000Z"))
    assert_failed(verify(with_sums(LOG.files(0) | {"log.json": later})), "log.json")


def test_an_unlisted_file_fails():
    assert_failed(verify(FILES | {"extra.txt": b"hello"}), "extra.txt")


def test_a_name_altered_in_the_sums_is_blamed_on_the_sums():
    sums = FILES["SHA256SUMS"].replace(b"policy", b"polity")
    assert_failed(verify(FILES | {"SHA256SUMS": sums}), "SHA256SUMS")


# Keys and policies


def test_a_log_rebuilt_under_another_key_fails_the_policy():
    note = sign_note(LOG.checkpoint(), [OTHER_SIGNER])
    report = verify(with_sums(LOG.files(6, note, Policy((PolicyLog(OTHER_SIGNER.key),)))))
    assert_failed(report, "checkpoint")
    assert report.disagreement.code == "signature.missing"


def test_a_log_rebuilt_under_another_key_passes_only_under_that_key():
    note = sign_note(LOG.checkpoint(), [OTHER_SIGNER])
    report = verify(with_sums(LOG.files(6, note, Policy((PolicyLog(OTHER_SIGNER.key),)))), None)
    assert report.qualified
    assert report.key == OTHER_SIGNER.key
    assert OTHER_SIGNER.key.key_id.hex() in report.summary


def test_a_policy_for_another_log_fails():
    other = Ed25519Signer("second.example/log", SIGNER.seed).key
    assert_failed(verify(FILES, Policy((PolicyLog(other),))), "checkpoint")


def test_any_of_several_keys_is_enough():
    policy = Policy((PolicyLog(OTHER_SIGNER.key), PolicyLog(SIGNER.key)))
    assert verify(FILES, policy).verdict is Verdict.PASSED


def test_a_wrong_signature_under_the_known_key_fails():
    note = sign_note(LOG.checkpoint(), [SIGNER])
    other = sign_note(SampleLog(12).checkpoint(), [SIGNER])
    mixed = note.partition(b"\n\n")[0] + b"\n\n" + other.partition(b"\n\n")[2]
    report = verify(with_sums(LOG.files(6, mixed)))
    assert_failed(report, "checkpoint")
    assert report.disagreement.code == "signature.invalid"


def test_a_quorum_of_witnesses_passes():
    note = sign_note(LOG.checkpoint(), [SIGNER, WITNESS])
    report = verify(with_sums(LOG.files(6, note)), WITNESSED)
    assert report.verdict is Verdict.PASSED
    assert report.witnesses == ("W",)


def test_a_missing_witness_leaves_the_answer_open():
    report = verify(FILES, WITNESSED)
    assert report.verdict is Verdict.INDETERMINATE
    assert report.disagreement.code == "witnesses.missing"


def test_a_wrong_cosignature_fails():
    other = sign_note(SampleLog(12).checkpoint(), [WITNESS]).partition(b"\n\n")[2]
    note = sign_note(LOG.checkpoint(), [SIGNER]) + other
    assert_failed(verify(with_sums(LOG.files(6, note)), WITNESSED), "checkpoint")


def test_without_a_tool_for_signatures_the_answer_stays_open(monkeypatch, tmp_path):
    monkeypatch.setattr(ed25519, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    report = verify(FILES)
    assert report.verdict is Verdict.INDETERMINATE
    assert report.disagreement.code == "signature.uncheckable"


def test_a_broken_policy_in_the_bundle_fails():
    assert_failed(verify(with_sums(FILES | {"policy": b"quorum nobody\n"}), None), "policy")


def test_the_policy_in_the_bundle_never_replaces_the_one_from_outside():
    files = with_sums(FILES | {"policy": format_policy(Policy((PolicyLog(OTHER_SIGNER.key),)))})
    assert verify(files, POLICY).verdict is Verdict.PASSED
    assert verify(files, None).verdict is Verdict.FAILED


# What is missing


@pytest.mark.parametrize(
    "name", ["SHA256SUMS", "entry.json", "claim.json", "log.json", "proof.tlog-proof", "checkpoint"]
)
def test_a_missing_item_leaves_the_answer_open_and_is_named(name):
    files = {key: data for key, data in FILES.items() if key != name}
    for version in (files, files if name == "SHA256SUMS" else with_sums(files)):
        report = verify(version)
        assert report.verdict is Verdict.INDETERMINATE
        assert report.disagreement.item == name
        assert report.disagreement.code == "missing"


@pytest.mark.parametrize("name", ["who.json", "policy", "originals/0001.jpg", "VERIFY.en.txt"])
def test_a_listed_but_missing_item_leaves_the_answer_open(name):
    report = verify({key: data for key, data in FILES.items() if key != name})
    assert report.verdict is Verdict.INDETERMINATE
    assert report.disagreement.item == name


def test_an_empty_bundle_decides_nothing():
    report = verify({})
    assert report.verdict is Verdict.INDETERMINATE
    assert report.disagreement.item == "SHA256SUMS"


def test_a_wrong_item_outweighs_a_missing_one():
    files = {key: data for key, data in FILES.items() if key != "claim.json"}
    assert_failed(verify(files | {"checkpoint": b"x"}), "checkpoint")


# One file against the claim


def test_the_registered_photo_is_recognised():
    report = match_file(verify(FILES), sha256(PHOTO).digest(), len(PHOTO))
    assert report.verdict is Verdict.PASSED
    assert report.checks[-1].item == "file"


def test_another_photo_fails():
    assert_failed(match_file(verify(FILES), digest("other"), 10), "file")


def test_without_a_claim_a_photo_cannot_be_judged():
    report = verify(with_sums({key: data for key, data in FILES.items() if key != "claim.json"}))
    checked = match_file(report, sha256(PHOTO).digest(), len(PHOTO))
    assert checked.checks[-1].verdict is Verdict.INDETERMINATE


# The report as JSON


def test_json_always_has_the_same_fields():
    reports = [verify(FILES), verify({}), verify_bundle(b""), verify(FILES, None)]
    keys = {frozenset(report.to_dict()) for report in reports}
    assert len(keys) == 1
    for report in reports:
        assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_json_of_a_failure_names_the_first_disagreement():
    found = verify(FILES | {"entry.json": b"{}"}).to_dict()
    assert found["verdict"] == "FAILED"
    assert found["disagreement"]["item"] == "entry.json"
    assert found["disagreement"]["code"] == "sums.digest"


def test_json_holds_the_whole_key():
    key = verify(FILES).to_dict()["key"]
    assert key["sha256"] == sha256(SIGNER.key.public).hexdigest()
    assert key["vkey"].startswith(f"{ORIGIN}+{key['id']}+")
