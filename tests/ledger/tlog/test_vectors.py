"""The frozen known answers: still read, still written the same way."""

import json
from pathlib import Path

import pytest

from ledger.tlog.bundle import format_bundle, read_bundle
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.claims import parse_claim, parse_identity
from ledger.tlog.entry import KINDS, claim_hash, format_entry, genesis_prev, identity_hash, parse_entry
from ledger.tlog.merkle import leaf_hash, root_from_leaves, verify_consistency, verify_inclusion
from ledger.tlog.note import parse_note, parse_vkey, verify_note
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import parse_proof
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.vectors.tlog.regenerate import vectors

MADE = vectors()
FOLDER = Path(__file__).parents[2] / "vectors" / "tlog"
NAMES = sorted(
    str(path.relative_to(FOLDER))
    for path in FOLDER.rglob("*")
    if path.suffix not in (".py", ".md", ".pyc") and path.is_file()
)
TREE = json.loads((FOLDER / "tree.json").read_bytes())
HASHES = json.loads((FOLDER / "hashes.json").read_bytes())
ROOTS = {int(size): bytes.fromhex(root) for size, root in TREE["roots"].items()}


def frozen(name):
    return (FOLDER / name).read_bytes()


def test_every_vector_is_accounted_for():
    assert sorted(MADE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_made_again_byte_for_byte(name):
    assert MADE[name] == frozen(name)


def test_entries_form_a_chain_from_the_parameter_file():
    prev = genesis_prev(frozen("log.json"))
    for seq, line in enumerate(frozen("entries.ndjson").splitlines()):
        entry = parse_entry(line)
        assert (entry.seq, entry.prev) == (seq, prev)
        assert format_entry(entry) == line
        prev = leaf_hash(line)
        assert prev.hex() == TREE["leaves"][seq]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_claims_hash_as_recorded(kind):
    assert claim_hash(parse_claim(kind, frozen(f"claims/{kind}.json"))).hex() == HASHES["claims"][kind]


def test_identity_hashes_as_recorded():
    assert identity_hash(parse_identity(frozen("who.json"))).hex() == HASHES["identity"]


@pytest.mark.parametrize("size", [size for size in ROOTS if size <= 16])
def test_roots_are_those_recorded(size):
    assert root_from_leaves(map(bytes.fromhex, TREE["leaves"][:size])) == ROOTS[size]


@pytest.mark.parametrize("case", [case for case in TREE["inclusion"] if case["index"] < 16])
def test_inclusion_proofs_verify(case):
    leaf = bytes.fromhex(TREE["leaves"][case["index"]])
    path = [bytes.fromhex(node) for node in case["path"]]
    verify_inclusion(leaf, case["index"], case["size"], path, ROOTS[case["size"]])


@pytest.mark.parametrize(
    "case", [case for case in TREE["consistency"] if case["old"] in ROOTS and case["new"] in ROOTS]
)
def test_consistency_proofs_verify(case):
    path = [bytes.fromhex(node) for node in case["path"]]
    verify_consistency(case["old"], ROOTS[case["old"]], case["new"], ROOTS[case["new"]], path)


def test_checkpoint_verifies_under_both_keys():
    note = parse_note(frozen("checkpoint"))
    keys = [parse_vkey(HASHES["log_key"]), parse_vkey(HASHES["witness_key"])]
    assert verify_note(note, keys) == tuple(keys)
    assert parse_checkpoint(note.text).root == ROOTS[300]


def test_proof_belongs_to_the_entry():
    proof = parse_proof(frozen("proof.tlog-proof"))
    verify_inclusion(leaf_hash(frozen("entry.json")), proof.index, 300, proof.path, ROOTS[300])


@pytest.mark.parametrize("name", ["policy", "policy.witnessed"])
def test_bundle_passes_under_both_policies(name):
    assert verify_bundle(frozen("bundle.zip"), parse_policy(frozen(name))).verdict is Verdict.PASSED


def test_bundle_is_written_again_byte_for_byte():
    files = {name: data for name, data in read_bundle(frozen("bundle.zip")).items() if name != "SHA256SUMS"}
    assert format_bundle(files) == frozen("bundle.zip")
