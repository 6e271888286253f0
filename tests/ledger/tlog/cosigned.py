"""Checkpoints that witnesses cosigned: every way in which a quorum is met or not, for all checkers alike."""

from dataclasses import replace

from ledger.tlog import bundle
from ledger.tlog.cosignature import Ed25519Cosigner
from ledger.tlog.note import CosignatureSigner, format_vkey, signature_line
from ledger.tlog.policy import Group, Policy, Witness, format_policy
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


GOOD = format_policy(QUORUM)
# Policies in a bundle that are none: each is refused by every checker, whatever was cosigned.
BAD_POLICIES = {
    "a threshold of letters": GOOD.replace(b"group two 2 ", b"group two x "),
    "a threshold of nothing": GOOD.replace(b"group two 2 ", b"group two 0 "),
    "more than the members": GOOD.replace(b"group two 2 ", b"group two 4 "),
    "a member twice": GOOD.replace(b"w0 w1 w2", b"w0 w0 w0"),
    "a member of two groups": GOOD.replace(b"two w3", b"two w0"),
    "an unknown member": GOOD.replace(b"two w3", b"two w9"),
    "a name twice": GOOD.replace(b"witness w1 ", b"witness w0 "),
    "an unknown quorum": GOOD.replace(b"quorum enough", b"quorum nobody"),
    "two quorums": GOOD + b"quorum none\n",
    "no quorum": GOOD.replace(b"quorum enough\n", b""),
    "one key under two names": GOOD.replace(
        format_vkey(SIGNERS[1].key).encode(),
        format_vkey(replace(SIGNERS[1].key, public=SIGNERS[0].key.public)).encode(),
    ),
    "an unknown word": GOOD + b"trust everybody\n",
}


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
    "a cosignature cut short": (
        lambda text: signature_line(SIGNERS[0].key, b"\0\0\0") + _lines(1, 2)(text),
        FAILED,
    ),
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
