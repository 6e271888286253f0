"""A log with outside time: tokens before and after an entry, a renewal, and every way to spoil the bundle."""

import random
from collections.abc import Callable
from functools import cache, partial

from ledger.tlog import bundle, x509_path
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.claim_documents import anchor_claim
from ledger.tlog.entry import (
    Entry,
    canonical_json,
    claim_hash,
    format_entry,
    format_utc_ms,
    genesis_prev,
    identity_hash,
)
from ledger.tlog.merkle import inclusion_proof, leaf_hash, root_from_leaves
from ledger.tlog.note import Ed25519Signer, sign_note
from ledger.tlog.outside_time import EarlierFiles, RenewalFiles, TokenFiles, time_files
from ledger.tlog.proof import Proof, format_proof
from tests.ledger.tlog.clocks import DAY, NOW, Clock, make_middle, make_root
from tests.ledger.tlog.sample import ORIGIN as LOG
from tests.ledger.tlog.sample import (
    OTHER_SIGNER,
    PARAMETER_FILE,
    PHOTO,
    POLICY,
    SIGNER,
    START_MS,
    image_claim,
    who,
)

Files = dict[str, bytes]


@cache
def clocks() -> tuple[Clock, Clock, Clock]:
    """The usual authority, a second one of another house, and the usual one with its next certificate."""
    root = make_root("First root")
    first = Clock(root=root, middle=make_middle(root))
    second = Clock(root=make_root("Second root"), name="Second clock")
    later = NOW + 1000 * DAY
    renewed = Clock(root=root, middle=make_middle(root, end=later), end=later, at=NOW + 300 * DAY)
    return first, second, renewed


class TimedLog:
    """Entries of pictures and anchors, appended one by one; every token is kept by the entry that anchors it."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.claims: list[bytes] = []

    def append(self, claim: dict[str, object]) -> int:
        seq = len(self.entries)
        prev = leaf_hash(self.entries[-1]) if self.entries else genesis_prev(PARAMETER_FILE)
        ts = format_utc_ms(START_MS + 1000 * seq)
        entry = Entry(claim_hash(claim), str(claim["kind"]), LOG, prev, seq, ts, identity_hash(who()))
        self.entries.append(format_entry(entry))
        self.claims.append(canonical_json(claim))
        return seq

    def leaves(self, size: int) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries[:size]]

    def note(self, signer: Ed25519Signer = SIGNER) -> bytes:
        size = len(self.entries)
        return sign_note(format_checkpoint(Checkpoint(LOG, size, root_from_leaves(self.leaves(size)))), [signer])

    def proof(self, index: int, size: int, note: bytes) -> Proof:
        leaves = self.leaves(size)
        return Proof(index, tuple(inclusion_proof(index, size, lambda _level, a, b: leaves[a:b])), note)

    def stamp(self, clock: Clock) -> tuple[TokenFiles, int]:
        """Have the present head stamped and anchored."""
        size, note = len(self.entries), self.note()
        response = clock.stamp(note, nonce=size)
        claim = anchor_claim(
            origin=LOG,
            size=size,
            root=root_from_leaves(self.leaves(size)),
            note=note,
            authority=clock.name,
            token=response,
            attested_at=format_utc_ms(int(clock.at.timestamp() * 1000)),
        )
        return TokenFiles(response, note, x509_path.pem_of(clock.chain)), self.append(claim)


def timed_files(rng: random.Random) -> Files:
    """A core bundle about one entry with everything a bundle can have; sizes differ from call to call."""
    first, second, renewed = clocks()
    log = TimedLog()
    for _ in range(rng.randint(1, 6)):
        log.append(image_claim())
    before, anchor = log.stamp(first)
    for _ in range(rng.randint(1, 9)):
        log.append(image_claim())
    index = rng.randrange(anchor + 1, len(log.entries))
    size = len(log.entries)
    head = log.note()
    after, after_anchor = log.stamp(first)
    other = TokenFiles(second.stamp(head), head, x509_path.pem_of(second.chain))
    for _ in range(rng.randint(0, 5)):
        log.append(image_claim())
    renewal_size, renewal_head = len(log.entries), log.note()
    young, _seq = log.stamp(renewed)
    renewal = RenewalFiles(
        young,
        log.entries[after_anchor],
        log.claims[after_anchor],
        format_proof(log.proof(after_anchor, renewal_size, renewal_head)),
    )
    earlier = EarlierFiles(before, log.claims[anchor], tuple(log.entries[anchor:index]))
    return bundle.core_files(
        entry=log.entries[index],
        parameters=PARAMETER_FILE,
        proof=log.proof(index, size, head),
        policy=POLICY,
        claim=log.claims[index],
        who=canonical_json(who()),
        originals={0: ("jpg", PHOTO)},
        times=time_files([after, other][: rng.randint(1, 2)], earlier, [renewal]),
    )


# Faults ---------------------------------------------------------------------------------------------------------

Spoil = Callable[[Files, random.Random], object]
FAILED, INDETERMINATE, PASSED = "FAILED", "INDETERMINATE", "PASSED"


def _flip(name: str) -> Spoil:
    """One bit of a text's hex digit, base64 letter or number changes its meaning."""

    def spoil(files: Files, rng: random.Random) -> None:
        data = bytearray(files[name])
        places = [at for at, byte in enumerate(data) if 0x30 <= byte <= 0x39]
        at = rng.choice(places)
        data[at] = 0x30 + (data[at] - 0x30 + rng.randint(1, 9)) % 10
        files[name] = bytes(data)

    return spoil


def _cut(name: str) -> Spoil:
    def spoil(files: Files, rng: random.Random) -> None:
        files[name] = files[name][: rng.randrange(len(files[name]) // 2, len(files[name]) - 2)]

    return spoil


def _empty(name: str) -> Spoil:
    return lambda files, _rng: files.update({name: b""})


def _drop(name: str) -> Spoil:
    def spoil(files: Files, _rng: random.Random) -> None:
        del files[name]

    return spoil


def _append(name: str, data: bytes) -> Spoil:
    return lambda files, _rng: files.update({name: files[name] + data})


def _swap(one: str, two: str) -> Spoil:
    return lambda files, _rng: files.update({one: files[two], two: files[one]})


def _replace(name: str, old: bytes, new: bytes) -> Spoil:
    def spoil(files: Files, _rng: random.Random) -> None:
        assert old in files[name], (name, old)
        files[name] = files[name].replace(old, new, 1)

    return spoil


def _lines(name: str, change: Callable[[list[bytes], random.Random], list[bytes]]) -> Spoil:
    def spoil(files: Files, rng: random.Random) -> None:
        lines = files[name].split(b"\n")
        files[name] = b"\n".join(change(lines[:-1], rng) + lines[-1:])

    return spoil


def _resign(files: Files, _rng: random.Random) -> None:
    text = files["checkpoint"].decode().rpartition("\n\n")[0].encode() + b"\n"
    note = sign_note(text, [OTHER_SIGNER])
    files["proof.tlog-proof"] = files["proof.tlog-proof"].replace(files["checkpoint"], note)
    files["checkpoint"] = note


def _altered_padding(files: Files, _rng: random.Random) -> None:
    """The unused bits of the last base64 letter of the signature: the value would be the same."""
    old = files["checkpoint"]
    at = old.rstrip(b"\n=").__len__() - 1
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = letters[letters.index(old[at : at + 1]) ^ 1]
    new = old[:at] + bytes([other]) + old[at + 1 :]
    files["checkpoint"], files["proof.tlog-proof"] = new, files["proof.tlog-proof"].replace(old, new)


def _stamped_by(make: Callable[[], Clock], name: str = "later/1") -> Spoil:
    def spoil(files: Files, _rng: random.Random) -> None:
        clock = make()
        files[f"{name}.tsr"] = clock.stamp(files[f"{name}.note"])
        files[f"{name}.chain.pem"] = x509_path.pem_of(clock.chain)

    return spoil


def _about_other_bytes(name: str) -> Spoil:
    return lambda files, _rng: files.update({f"{name}.tsr": clocks()[0].stamp(b"other bytes")})


def _other_note(name: str) -> Spoil:
    """A sound token over a sound note, of another tree head."""

    def spoil(files: Files, _rng: random.Random) -> None:
        note = sign_note(format_checkpoint(Checkpoint(LOG, 3, b"\7" * 32)), [SIGNER])
        files[f"{name}.note"], files[f"{name}.tsr"] = note, clocks()[0].stamp(note)

    return spoil


def _listed(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda files, _rng: files.update({bundle.SUMS: change(bundle.format_sums(files))})


@cache
def _broken_clocks() -> dict[str, Clock]:
    root = clocks()[0].root
    return {
        "sha1": Clock(root=root, digest="sha1"),
        "no usage": Clock(root=root, usage=None),
        "expired": Clock(root=root, end=NOW - DAY),
        "early": Clock(root=root, start=NOW + DAY),
        "wrong id": Clock(root=root, identifier="wrong"),
        "rejection": Clock(root=root, status="rejection"),
    }


def _broken_clock(fault: str) -> Clock:
    return _broken_clocks()[fault]


def _html(name: str, files: Files, _rng: random.Random) -> None:
    files[name] = b"<html>"


TEXTS = ("entry.json", "claim.json", "who.json", "checkpoint", "proof.tlog-proof")
FAULTS: dict[str, tuple[Spoil, str]] = {}
for _name in TEXTS:
    FAULTS |= {f"{_name}: a digit changed": (_flip(_name), FAILED), f"{_name}: cut": (_cut(_name), FAILED)}
    FAULTS |= {f"{_name}: empty": (_empty(_name), FAILED)}
for _name in ("entry.json", "claim.json", "checkpoint", "proof.tlog-proof", "log.json"):
    FAULTS[f"{_name}: missing"] = (_drop(_name), INDETERMINATE)
for _name in ("entry.json", "claim.json", "who.json"):
    FAULTS[f"{_name}: a newline behind it"] = (_append(_name, b"\n"), FAILED)
    FAULTS[f"{_name}: a space inside"] = (_replace(_name, b'":"', b'": "'), FAILED)
FAULTS |= {
    "nothing": (lambda files, _rng: None, PASSED),
    "who.json: not disclosed": (_drop("who.json"), PASSED),
    "original: not disclosed": (_drop("originals/0001.jpg"), PASSED),
    "policy: left out": (_drop("policy"), PASSED),
    "VERIFY: left out": (_drop("VERIFY.en.txt"), PASSED),
    "later: left out": (
        lambda files, _rng: (
            [files.pop(name) for name in list(files) if name.startswith(("later/", "renewal/"))] and None
        ),
        PASSED,
    ),
    "earlier: left out": (
        lambda files, _rng: [files.pop(name) for name in list(files) if name.startswith("earlier/")],
        PASSED,
    ),
    "checkpoint: signed by another key": (_resign, FAILED),
    "checkpoint: padding bits": (_altered_padding, FAILED),
    "checkpoint: another log": (_replace("checkpoint", LOG.encode(), b"log.example/other"), FAILED),
    "checkpoint: a line more": (_append("checkpoint", b"extension\n"), FAILED),
    "proof: a hash more": (_lines("proof.tlog-proof", lambda x, r: [*x[:2], x[2], *x[2:]]), FAILED),
    "proof: a hash less": (_lines("proof.tlog-proof", lambda x, r: x[:2] + x[3:]), FAILED),
    "proof: another version": (_replace("proof.tlog-proof", b"@v1", b"@v9"), FAILED),
    "proof: another index": (_replace("proof.tlog-proof", b"index ", b"index 9"), FAILED),
    "entry: another log": (_replace("entry.json", LOG.encode(), b"log.example/other"), FAILED),
    "entry: another kind": (_replace("entry.json", b"image.registered", b"set.registered"), FAILED),
    "log.json: another name of the key": (_replace("log.json", LOG.encode(), b"log.example/other"), FAILED),
    "log.json: another origin": (
        _replace("log.json", b'"origin":"' + LOG.encode(), b'"origin":"log.example/other'),
        FAILED,
    ),
    "original: other bytes": (_append("originals/0001.jpg", b"!"), FAILED),
    "original: a number too high": (lambda f, r: f.update({"originals/0099.jpg": f["originals/0001.jpg"]}), FAILED),
    "claim and who swapped": (_swap("claim.json", "who.json"), FAILED),
    "sums: a digit": (_listed(lambda s: (b"0" if s[:1] != b"0" else b"1") + s[1:]), FAILED),
    "sums: a line less": (_listed(lambda s: s.split(b"\n", 1)[1]), FAILED),
    "sums: a name changed": (_listed(lambda s: s.replace(b"  entry.json", b"  entrx.json")), FAILED),
    "sums: a line more": (_listed(lambda s: s + b"0" * 64 + b"  zzz\n"), INDETERMINATE),
    "sums: no newline at the end": (_listed(lambda s: s[:-1]), FAILED),
    "sums: unsorted": (_listed(lambda s: b"\n".join([*s.split(b"\n")[1:-1], s.split(b"\n")[0], b""])), FAILED),
    "sums: capitals": (_listed(lambda s: s[:64].upper().replace(b"0", b"A", 1) + s[64:]), FAILED),
}
for _side in ("later/1", "earlier/1", "renewal/1"):
    FAULTS |= {
        f"{_side}: token cut": (_cut(f"{_side}.tsr"), FAILED),
        f"{_side}: no token but HTML": (partial(_html, f"{_side}.tsr"), FAILED),
        f"{_side}: note changed": (_replace(f"{_side}.note", b"\n\n", b"1\n\n"), FAILED),
        f"{_side}: about other bytes": (_about_other_bytes(_side), FAILED),
        f"{_side}: another tree head": (_other_note(_side), FAILED),
        f"{_side}: note missing": (_drop(f"{_side}.note"), INDETERMINATE),
        f"{_side}: chain missing": (_drop(f"{_side}.chain.pem"), INDETERMINATE),
    }
FAULTS |= {
    "later/1: token missing": (_drop("later/1.tsr"), INDETERMINATE),
    **{
        f"later/1: {_fault}": (_stamped_by(partial(_broken_clock, _fault)), FAILED)
        for _fault in ("sha1", "no usage", "expired", "early", "wrong id", "rejection")
    },
    "later/1: a stranger's token": (_stamped_by(lambda: clocks()[1]), FAILED),  # the anchor names another
    "earlier: a link less": (_lines("earlier/entries.ndjson", lambda x, r: x[:-1]), FAILED),
    "earlier: a link twice": (_lines("earlier/entries.ndjson", lambda x, r: [*x, x[-1]]), FAILED),
    "earlier: no link": (_empty("earlier/entries.ndjson"), FAILED),
    "earlier: a digit of a link": (_flip("earlier/entries.ndjson"), FAILED),
    "earlier: no newline": (
        lambda f, r: f.update({"earlier/entries.ndjson": f["earlier/entries.ndjson"][:-1]}),
        FAILED,
    ),
    "earlier: a digit of the claim": (_flip("earlier/anchor.json"), FAILED),
    "earlier: claim missing": (_drop("earlier/anchor.json"), INDETERMINATE),
    "earlier: links missing": (_drop("earlier/entries.ndjson"), INDETERMINATE),
    "renewal: a digit of the entry": (_flip("renewal/1.entry.json"), FAILED),
    "renewal: a digit of the claim": (_flip("renewal/1.anchor.json"), FAILED),
    "renewal: a hash less": (_lines("renewal/1.tlog-proof", lambda x, r: x[:2] + x[3:]), FAILED),
    "renewal: proof missing": (_drop("renewal/1.tlog-proof"), INDETERMINATE),
}
