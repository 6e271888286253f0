"""Checkpoints that witnesses cosigned: every way in which a quorum is met or not, for all checkers alike."""

from ledger.tlog import bundle
from ledger.tlog.cosignature import Ed25519Cosigner
from ledger.tlog.note import CosignatureSigner, signature_line
from ledger.tlog.policy import Group, Policy, Witness
from tests.ledger.tlog.sample import POLICY, with_sums

PASSED, FAILED, INDETERMINATE = "PASSED", "FAILED", "INDETERMINATE"
SIGNERS = [
    CosignatureSigner(Ed25519Cosigner(f"witness.example/{at}", bytes([at + 1]) * 32, 1_790_000_000)) for at in range(4)
]
STRANGER = CosignatureSigner(Ed25519Cosigner("witness.example/0", bytes([99]) * 32, 1_790_000_000))
WITNESSES = tuple(Witness(f"w{at}", signer.key) for at, signer in enumerate(SIGNERS))
# Two of the first three, or the last one alone; the second group is met through the first.
GROUPS = (Group("two", 2, ("w0", "w1", "w2")), Group("enough", 1, ("two", "w3")))
QUORUM = Policy(POLICY.logs, WITNESSES, GROUPS, "enough")


def _lines(*numbers: int):
    return lambda text: b"".join(signature_line(SIGNERS[at].key, SIGNERS[at].sign(text)) for at in numbers)


def _wrong(text: bytes) -> bytes:
    return signature_line(SIGNERS[0].key, SIGNERS[0].sign(text + b" ")) + _lines(1, 2)(text)


# Name -> (signature lines for a checkpoint's text, verdict under QUORUM).
CASES = {
    "nobody": (lambda _text: None, INDETERMINATE),
    "one of two": (_lines(0), INDETERMINATE),
    "two of three": (_lines(0, 2), PASSED),
    "all": (_lines(0, 1, 2, 3), PASSED),
    "the last alone": (_lines(3), PASSED),
    "a stranger of the same name": (
        lambda text: signature_line(STRANGER.key, STRANGER.sign(text)) + _lines(1)(text),
        INDETERMINATE,
    ),
    "a wrong cosignature": (_wrong, FAILED),
    "the same witness twice": (_lines(0, 0, 1), FAILED),
    "no newline": (lambda text: _lines(0, 1)(text)[:-1], FAILED),
    "not base64": (lambda text: _lines(0, 1)(text).replace(b" witness.example/0 ", b" witness.example/0 ?"), FAILED),
    "an empty file": (lambda _text: b"", FAILED),
    "a blank line": (lambda text: _lines(0)(text) + b"\n" + _lines(1)(text), FAILED),
}


def cosigned(files: dict[str, bytes], case: str) -> dict[str, bytes]:
    """The bundle's files with those cosignatures, SHA256SUMS fitting."""
    text = files[bundle.CHECKPOINT].rpartition(b"\n\n")[0] + b"\n"
    lines = CASES[case][0](text)
    kept = {name: data for name, data in files.items() if name not in (bundle.SUMS, bundle.COSIGNATURES)}
    return with_sums(kept if lines is None else kept | {bundle.COSIGNATURES: lines})
