"""Origin, tree size and root hash as text (C2SP tlog-checkpoint), the part of a note that a log signs.

Extension lines are refused: nobody can audit them, and ML-DSA cosignatures do not cover them.
"""

import re
from dataclasses import dataclass

from ledger.tlog import b64
from ledger.tlog.errors import Base64Error, CheckpointError
from ledger.tlog.merkle import HASH_BYTES
from ledger.tlog.note import is_key_name

MAX_SIZE = 2**63 - 1
_SIZE = re.compile("0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree: which log, how many leaves, 32 bytes of root hash."""

    origin: str
    size: int
    root: bytes


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The three lines a log signs."""
    _check(checkpoint)
    return f"{checkpoint.origin}\n{checkpoint.size}\n{b64.encode(checkpoint.root)}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The tree head behind the text of a note (without its signatures), or CheckpointError."""
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"not UTF-8: {error.reason}") from error
    if len(lines) != 4 or lines[3] != "":
        raise CheckpointError("a checkpoint is exactly three lines: origin, size, root hash", actual=len(lines) - 1)
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise CheckpointError("the tree size is decimal without leading zeroes", actual=size[:32])
    try:
        checkpoint = Checkpoint(origin, int(size), b64.decode(root))
    except Base64Error as error:
        raise CheckpointError(f"root hash: {error.message}") from error
    _check(checkpoint)
    return checkpoint


def _check(checkpoint: Checkpoint) -> None:
    if not is_key_name(checkpoint.origin):
        raise CheckpointError("the origin is text without spaces, plus signs and control characters")
    if not 0 <= checkpoint.size <= MAX_SIZE:
        raise CheckpointError("the tree size is out of range", actual=checkpoint.size)
    if len(checkpoint.root) != HASH_BYTES:
        raise CheckpointError("a root hash has 32 bytes", expected=HASH_BYTES, actual=len(checkpoint.root))
