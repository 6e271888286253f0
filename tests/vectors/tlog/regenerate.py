"""Writes the known answers of the log formats. `python -m tests.vectors.tlog.regenerate` from the project's root.

Everything comes from the fixed sample log, so running it again gives the same bytes; tests/ledger/tlog/test_vectors.py
compares them with the frozen ones. A difference means a format changed, which needs a new version instead.
"""

import json
from pathlib import Path

from ledger.tlog.bundle import VERIFY_PROGRAMS, VERIFY_TEXTS, format_bundle
from ledger.tlog.entry import canonical_json, claim_hash, genesis_prev, identity_hash
from ledger.tlog.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, root_from_leaves
from ledger.tlog.note import format_vkey, sign_note
from ledger.tlog.policy import Group, Policy, PolicyLog, Witness, format_policy
from ledger.tlog.verify import verify_bundle
from tests.ledger.tlog.sample import (
    PARAMETER_FILE,
    POLICY,
    SIGNER,
    WITNESS,
    SampleLog,
    claims,
    who,
)

FOLDER = Path(__file__).parent
SIZE = 300
INDEX = 267
WITNESSED = Policy(
    (PolicyLog(SIGNER.key, "https://log.example/sample"),),
    (Witness("w1", WITNESS.key),),
    (Group("witnesses", 1, ("w1",)),),
    "witnesses",
)


def vectors() -> dict[str, bytes]:
    """File name to bytes, for every vector."""
    log = SampleLog(SIZE)
    note = sign_note(log.checkpoint(), [SIGNER, WITNESS])
    # The wording of the instructions may improve at any time; the vectors may not follow it.
    files = log.files(INDEX, note) | dict.fromkeys(VERIFY_TEXTS, b"The instructions stand here.\n")
    files = {name: data for name, data in files.items() if name not in VERIFY_PROGRAMS}
    bundle = format_bundle(files)
    return {
        "log.json": PARAMETER_FILE,
        "who.json": canonical_json(who()),
        "entries.ndjson": b"\n".join(log.entries[:16]) + b"\n",
        "entry.json": files["entry.json"],
        "checkpoint": note,
        "proof.tlog-proof": files["proof.tlog-proof"],
        "policy": files["policy"],
        "policy.witnessed": format_policy(WITNESSED),
        "bundle.zip": bundle,
        "report.json": _json(verify_bundle(bundle, POLICY).to_dict()),
        "hashes.json": _json(_hashes()),
        "tree.json": _json(_tree(log)),
        **{f"claims/{kind}.json": canonical_json(document) for kind, document in claims().items()},
    }


def _hashes() -> dict[str, object]:
    return {
        "claims": {kind: claim_hash(document).hex() for kind, document in sorted(claims().items())},
        "identity": identity_hash(who()).hex(),
        "genesis_prev": genesis_prev(PARAMETER_FILE).hex(),
        "log_key": format_vkey(SIGNER.key),
        "witness_key": format_vkey(WITNESS.key),
    }


def _tree(log: SampleLog) -> dict[str, object]:
    leaves = log.levels[0]
    sizes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257, 300]
    roots = {str(size): root_from_leaves(leaves[:size]).hex() for size in sizes}
    inclusion = [
        {"index": index, "size": size, "path": [node.hex() for node in inclusion_proof(index, size, log.read)]}
        for size in (1, 2, 3, 7, 8, 9, 257, 300)
        for index in sorted({0, size // 2, size - 1})
    ]
    consistency = [
        {"old": old, "new": new, "path": [node.hex() for node in consistency_proof(old, new, log.read)]}
        for old, new in [(0, 5), (1, 2), (3, 7), (4, 7), (6, 7), (8, 9), (255, 257), (256, 300), (299, 300), (300, 300)]
    ]
    return {
        "leaves": [leaf.hex() for leaf in leaves[:16]],
        "roots": {"0": EMPTY_ROOT.hex()} | roots,
        "inclusion": inclusion,
        "consistency": consistency,
    }


def _json(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    for name, data in vectors().items():
        target = FOLDER / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
