"""The witness protocol as text and as a decision (C2SP tlog-witness add-checkpoint): no network, no files, no clock.

A request is the old size, a consistency proof and a signed checkpoint; the answer is cosignature lines, or a refusal
with the status the specification asks for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.tlog import b64
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.errors import TlogError, WitnessRequest
from ledger.tlog.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from ledger.tlog.note import MAX_NOTE_BYTES, Note, VerifierKey, parse_note, verify_note

MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 4096
_OLD = re.compile("old (0|[1-9][0-9]{0,18})")
SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Request:
    """What a log asks a witness to cosign."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest checkpoint of one log that a witness cosigned."""

    size: int
    root: bytes


NOTHING = Seen(0, EMPTY_ROOT)


class Refusal(Exception):
    """Why a checkpoint is not cosigned: an HTTP status; for 409 the body is the size that was seen."""

    def __init__(self, status: int, reason: str, seen_size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.seen_size = seen_size


def format_request(request: Request) -> bytes:
    """The body of add-checkpoint."""
    if request.old_size < 0 or len(request.proof) > MAX_PROOF_LINES:
        raise WitnessRequest("an old size and at most 63 hashes")
    lines = [f"old {request.old_size}", *(b64.encode(node) for node in request.proof), "", ""]
    return "\n".join(lines).encode("ascii") + request.checkpoint


def parse_request(data: bytes) -> Request:
    """The request behind a body, or WitnessRequest / Base64Error. The checkpoint is not looked at yet."""
    if len(data) > MAX_REQUEST_BYTES:
        raise WitnessRequest("the request is too large", expected=MAX_REQUEST_BYTES, actual=len(data))
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise WitnessRequest("the lines before the checkpoint are ASCII") from error
    match = _OLD.fullmatch(first)
    if not blank or match is None:
        raise WitnessRequest("the first line is old and a decimal number without leading zeroes")
    if len(lines) > MAX_PROOF_LINES:
        raise WitnessRequest("at most 63 hashes", expected=MAX_PROOF_LINES, actual=len(lines))
    proof = tuple(b64.decode(line) for line in lines)
    if any(len(node) != HASH_BYTES for node in proof):
        raise WitnessRequest("a hash of the proof has 32 bytes", expected=HASH_BYTES)
    return Request(int(match.group(1)), proof, checkpoint)


def read_request(data: bytes, logs: Mapping[str, Sequence[VerifierKey]]) -> tuple[Request, Note, Checkpoint]:
    """The request with its checkpoint, signed by a known key of a known log; Refusal 400, 403 or 404 otherwise."""
    try:
        request = parse_request(data)
        note = parse_note(request.checkpoint)
        head = parse_checkpoint(note.text)
    except TlogError as error:
        raise Refusal(400, error.message) from error
    if head.origin not in logs:
        raise Refusal(404, f"the log {head.origin[:200]} is not known here")
    try:
        verify_note(note, logs[head.origin])
    except TlogError as error:
        raise Refusal(403, error.message) from error
    if request.old_size > head.size:
        raise Refusal(400, "the old size is larger than the checkpoint")
    return request, note, head


def require_consistent(request: Request, head: Checkpoint, seen: Seen) -> Seen:
    """What the witness will have seen once it cosigns, or Refusal 409 or 422."""
    if request.old_size != seen.size:
        raise Refusal(409, f"cosigned last was a tree of {seen.size}", seen.size)
    if head.size == seen.size and head.root != seen.root:
        raise Refusal(409, f"another tree of {seen.size} entries was cosigned: two histories", seen.size)
    try:
        if request.old_size == 0 and request.proof:
            raise Refusal(422, "the proof from size 0 is empty")
        verify_consistency(seen.size, seen.root, head.size, head.root, request.proof)
    except TlogError as error:
        raise Refusal(422, error.message) from error
    return Seen(head.size, head.root)
