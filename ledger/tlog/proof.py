"""One self-contained offline proof as text (C2SP tlog-proof): index, path, signed checkpoint.

The optional `extra` line of that specification is refused: nothing authenticates it.
"""

import re
from dataclasses import dataclass

from ledger.tlog import b64
from ledger.tlog.errors import Base64Error, ProofSyntax
from ledger.tlog.merkle import HASH_BYTES

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
_INDEX = re.compile("index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Proof:
    """Leaf index, hashes from the leaf's sibling upwards, and the signed note that holds the root, byte for byte."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


def format_proof(proof: Proof) -> bytes:
    """The proof as text."""
    if proof.index < 0 or len(proof.path) > MAX_PATH or any(len(node) != HASH_BYTES for node in proof.path):
        raise ProofSyntax("a proof has a leaf index and at most 63 hashes of 32 bytes")
    head = [HEADER, f"index {proof.index}", *(b64.encode(node) for node in proof.path), "", ""]
    return "\n".join(head).encode("ascii") + proof.checkpoint


def parse_proof(data: bytes) -> Proof:
    """The parts of a proof, or ProofSyntax. The checkpoint is returned as it stands: parse_note reads it."""
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or not checkpoint:
        raise ProofSyntax("no blank line and checkpoint after the path")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ProofSyntax("the path is not ASCII") from error
    if lines[0] != HEADER:
        raise ProofSyntax(f"the first line is {HEADER}", expected=HEADER, actual=lines[0][:64])
    match = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if match is None:
        raise ProofSyntax("the second line is index and a decimal number without leading zeroes")
    if len(lines) - 2 > MAX_PATH:
        raise ProofSyntax("more hashes than any tree has levels", expected=MAX_PATH, actual=len(lines) - 2)
    return Proof(int(match.group(1)), tuple(_parse_hash(line) for line in lines[2:]), checkpoint)


def _parse_hash(line: str) -> bytes:
    try:
        node = b64.decode(line)
    except Base64Error as error:
        raise ProofSyntax(f"path: {error.message}") from error
    if len(node) != HASH_BYTES:
        raise ProofSyntax("a hash of the path has 32 bytes", expected=HASH_BYTES, actual=len(node))
    return node
