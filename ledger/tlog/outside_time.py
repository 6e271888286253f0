"""The outside clock readings in a bundle: which files they are, and what they say about one entry.

later/ holds tokens over a tree that contains the entry, earlier/ one that the entry is younger than, renewal/ younger
tokens that carry an old one past the expiry of its certificates. Format: docs/spec/timestamp.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.claims import parse_claim
from ledger.tlog.entry import Entry, claim_hash, parse_entry
from ledger.tlog.errors import TimestampCheckpoint, TimestampLink, TimestampMissing, TlogError
from ledger.tlog.merkle import leaf_hash, verify_inclusion
from ledger.tlog.note import parse_note
from ledger.tlog.proof import parse_proof
from ledger.tlog.timestamp import Stamp, verify_timestamp
from ledger.tlog.x509_path import load_certificates, load_crls

LATER, EARLIER, RENEWAL = "later", "earlier", "renewal"
MAX_TOKENS = 4
MAX_RENEWALS = 8
MAX_LINKS = 256  # entries between an anchor and an entry that a bundle carries: about 85 kB
ANCHOR_CLAIM, LINKS = f"{EARLIER}/anchor.json", f"{EARLIER}/entries.ndjson"
_PARTS = ("tsr", "note", "chain.pem", "crl.pem")
_RENEWAL_PARTS = ("entry.json", "anchor.json", "tlog-proof")


@dataclass(frozen=True, slots=True)
class TokenFiles:
    """One token as a bundle keeps it: the response, the bytes it stamped, certificates and revocation lists as PEM."""

    response: bytes
    note: bytes
    chain: bytes
    crls: bytes = b""


@dataclass(frozen=True, slots=True)
class EarlierFiles:
    """The token that the entry is younger than, its anchor's claim, and the entries from the anchor to the last one."""

    token: TokenFiles
    anchor_claim: bytes
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RenewalFiles:
    """A younger token, and how it covers the one before: the anchor entry of that one, its claim, its proof."""

    token: TokenFiles
    entry: bytes
    anchor_claim: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """One outside clock reading that holds: side is later, earlier or renewal."""

    side: str
    item: str
    stamp: Stamp

    def to_dict(self) -> dict[str, object]:
        return {
            "side": self.side,
            "at": self.stamp.gen_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "authority": self.stamp.authority,
            "trusted": self.stamp.anchored,
            "root_sha256": self.stamp.root_sha256,
            "valid_until": self.stamp.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "revocation_known": self.stamp.revocation_known,
        }


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold, or cannot be told."""

    side: str
    item: str
    error: TlogError


def time_files(
    later: Sequence[TokenFiles], earlier: EarlierFiles | None = None, renewals: Sequence[RenewalFiles] = ()
) -> dict[str, bytes]:
    """The files of a bundle that hold these readings."""
    files: dict[str, bytes] = {}
    for number, token in enumerate(later[:MAX_TOKENS], start=1):
        files |= _token_files(LATER, number, token)
    if earlier is not None:
        files |= _token_files(EARLIER, 1, earlier.token)
        files[ANCHOR_CLAIM] = earlier.anchor_claim
        files[LINKS] = b"".join(entry + b"\n" for entry in earlier.entries)
    for number, renewal in enumerate(renewals[:MAX_RENEWALS], start=1):
        files |= _token_files(RENEWAL, number, renewal.token)
        parts = (renewal.entry, renewal.anchor_claim, renewal.proof)
        files |= {f"{RENEWAL}/{number}.{part}": data for part, data in zip(_RENEWAL_PARTS, parts, strict=True)}
    return files


def _token_files(side: str, number: int, token: TokenFiles) -> dict[str, bytes]:
    parts = dict(zip(_PARTS, (token.response, token.note, token.chain, token.crls), strict=True))
    return {f"{side}/{number}.{part}": data for part, data in parts.items() if data}


def is_time_file(name: str) -> bool:
    """Whether a file of a bundle is one that read_times looks into."""
    side, _, rest = name.partition("/")
    number, _, part = rest.partition(".")
    if name in (ANCHOR_CLAIM, LINKS):
        return True
    limits = {LATER: MAX_TOKENS, EARLIER: 1, RENEWAL: MAX_RENEWALS}
    parts = _PARTS + (_RENEWAL_PARTS if side == RENEWAL else ())
    return side in limits and number in map(str, range(1, limits[side] + 1)) and part in parts


def read_times(
    files: Mapping[str, bytes], *, checkpoint_text: bytes, entry: Entry, anchors: Sequence[bytes]
) -> Iterator[Reading | Fault]:
    """What the outside clocks in these files say about an entry in the tree of that checkpoint, in order.

    checkpoint_text: the signed text, without its signatures. anchors: DER certificates trusted from outside.
    """
    reader = _Reader(files, anchors)
    numbers = [n for n in range(1, MAX_TOKENS + 1) if reader.has(LATER, n)]
    for number in numbers:
        yield reader.guarded(LATER, number, lambda n: reader.later(n, checkpoint_text))
    if reader.has(EARLIER, 1) or ANCHOR_CLAIM in files or LINKS in files:
        yield reader.guarded(EARLIER, 1, lambda _n: reader.earlier(entry))
    for number in range(1, MAX_RENEWALS + 1):
        if reader.has(RENEWAL, number):
            yield reader.guarded(RENEWAL, number, reader.renewal)


class _Reader:
    def __init__(self, files: Mapping[str, bytes], anchors: Sequence[bytes]) -> None:
        self.files = files
        self.anchors = anchors
        self.stamps: dict[tuple[str, int], Stamp] = {}

    def has(self, side: str, number: int) -> bool:
        return any(name.startswith(f"{side}/{number}.") and is_time_file(name) for name in self.files)

    def guarded(self, side: str, number: int, read: Any) -> Reading | Fault:
        item = f"{side}/{number}.tsr"
        try:
            self.stamps[side, number] = read(number)
        except TlogError as error:
            return Fault(side, item, error)
        return Reading(side, item, self.stamps[side, number])

    def later(self, number: int, checkpoint_text: bytes) -> Stamp:
        note = self._file(f"{LATER}/{number}.note")
        if parse_note(note).text != checkpoint_text:
            raise TimestampCheckpoint("the stamped note is about another tree head than the checkpoint")
        return self._stamp(LATER, number)

    def earlier(self, entry: Entry) -> Stamp:
        lines = self._file(LINKS).split(b"\n")
        if lines.pop() != b"" or not 1 <= len(lines) <= MAX_LINKS:
            raise TimestampLink(f"{LINKS} holds 1 to {MAX_LINKS} lines, each ending in a newline")
        anchor = parse_entry(lines[0])
        self._anchor(anchor, self._file(ANCHOR_CLAIM), EARLIER, 1)
        seq, prev, log = anchor.seq, anchor.prev, entry.log
        for line in lines:
            link = parse_entry(line)
            if (link.seq, link.prev, link.log) != (seq, prev, log):
                raise TimestampLink(f"entry {link.seq} does not continue the one before", expected=seq, actual=link.seq)
            seq, prev = seq + 1, leaf_hash(line)
        if (entry.seq, entry.prev) != (seq, prev):
            raise TimestampLink("the entry does not continue the last line", expected=seq, actual=entry.seq)
        return self._stamp(EARLIER, 1)

    def renewal(self, number: int) -> Stamp:
        data = self._file(f"{RENEWAL}/{number}.entry.json")
        old_side, old_number = (LATER, 1) if number == 1 else (RENEWAL, number - 1)
        anchor = parse_entry(data)
        self._anchor(anchor, self._file(f"{RENEWAL}/{number}.anchor.json"), old_side, old_number)
        note = parse_note(self._file(f"{RENEWAL}/{number}.note"))
        proof, head = parse_proof(self._file(f"{RENEWAL}/{number}.tlog-proof")), parse_checkpoint(note.text)
        if proof.index != anchor.seq or parse_note(proof.checkpoint).text != note.text or head.origin != anchor.log:
            raise TimestampLink("the proof is about another entry or tree head")
        verify_inclusion(leaf_hash(data), proof.index, head.size, proof.path, head.root)
        stamp = self._stamp(RENEWAL, number)
        old = self.stamps.get((old_side, old_number))
        if old is not None and stamp.gen_time > old.valid_until:
            raise TimestampLink("made after the certificates of the token it renews had expired")
        return stamp

    def _anchor(self, entry: Entry, claim_data: bytes, side: str, number: int) -> None:
        """The anchor entry commits to that token and to what was stamped."""
        if entry.kind != "anchor":
            raise TimestampLink("the entry is no anchor", expected="anchor", actual=entry.kind)
        claim: dict[str, Any] = parse_claim("anchor", claim_data)
        if claim_hash(claim) != entry.claim:
            raise TimestampLink("the anchor entry commits to another claim")
        response, note = self._file(f"{side}/{number}.tsr"), self._file(f"{side}/{number}.note")
        token = {"sha256": sha256(response).hexdigest(), "size": len(response)}
        if claim["token"] != token:
            raise TimestampLink("the anchor names another token", expected=claim["token"], actual=token)
        head = parse_checkpoint(parse_note(note).text)
        stamped = {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "note_sha256": sha256(note).hexdigest(),
        }
        if claim["checkpoint"] != stamped or head.origin != entry.log:
            raise TimestampLink("the anchor names another checkpoint than the one that was stamped")

    def _stamp(self, side: str, number: int) -> Stamp:
        stem = f"{side}/{number}"
        response, note = self._file(f"{stem}.tsr"), self._file(f"{stem}.note")
        chain = load_certificates(self._file(f"{stem}.chain.pem"))
        crls = load_crls(self.files[f"{stem}.crl.pem"]) if f"{stem}.crl.pem" in self.files else []
        return verify_timestamp(response, note, anchors=self.anchors, certificates=chain, crls=crls)

    def _file(self, name: str) -> bytes:
        if name not in self.files:
            raise TimestampMissing(f"{name} is missing from the bundle")
        return self.files[name]
