"""A small log with fixed content: the same bytes on every machine, for tests, vectors and measurements."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.tlog import bundle
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.claim_documents import (
    CheckFinding,
    ClaimFile,
    ClaimItem,
    NamedVersion,
    QueryResult,
    check_recorded_claim,
    identity_document,
    image_registered_claim,
    query_recorded_claim,
)
from ledger.tlog.entry import (
    Entry,
    Parameters,
    canonical_json,
    claim_hash,
    format_entry,
    format_parameters,
    format_utc_ms,
    genesis_prev,
    identity_hash,
)
from ledger.tlog.merkle import Frontier, inclusion_proof, leaf_hash
from ledger.tlog.note import ED25519_COSIGNATURE, Ed25519Signer, VerifierKey, format_vkey, sign_note
from ledger.tlog.policy import Policy, PolicyLog
from ledger.tlog.proof import Proof

ORIGIN = "log.example/sample"
START_MS = 1_795_276_800_000  # 2026-11-21T16:00:00Z
PHOTO = b"\xff\xd8\xff\xe0 stands for a photograph \xff\xd9"
SIGNER = Ed25519Signer(ORIGIN, sha256(b"sample log key").digest())
OTHER_SIGNER = Ed25519Signer(ORIGIN, sha256(b"another key").digest())
WITNESS_SEED = sha256(b"sample witness key").digest()


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness that cosigns at a fixed time (C2SP tlog-cosignature, Ed25519)."""

    name: str
    seed: bytes = field(repr=False)
    time_s: int = START_MS // 1000

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, ED25519_COSIGNATURE, Ed25519Signer(self.name, self.seed).key.public)

    def sign(self, message: bytes) -> bytes:
        signed = b"cosignature/v1\ntime %d\n" % self.time_s + message
        return self.time_s.to_bytes(8, "big") + Ed25519Signer(self.name, self.seed).sign(signed)


WITNESS = Cosigner("witness.example/w1", WITNESS_SEED)
PARAMETERS = Parameters(ORIGIN, "2026-11-21T15:59:00.000Z", SIGNER.key)
PARAMETER_FILE = format_parameters(PARAMETERS)
POLICY = Policy((PolicyLog(SIGNER.key),))

FILE = ClaimFile("query", sha256(PHOTO).digest(), len(PHOTO))
HEAD = {"origin": ORIGIN, "size": 5, "root": digest("root").hex(), "note_sha256": digest("note").hex()}
NOON, LATER = "2026-11-21T12:00:00.000Z", "2026-11-21T12:00:05.000Z"


def image_claim() -> dict[str, object]:
    items = [
        ClaimItem("original", sha256(PHOTO).digest(), len(PHOTO), "image/jpeg"),
        ClaimItem("raw", digest("raw file"), 25_000_000, "image/x-adobe-dng"),
    ]
    return image_registered_claim(digest("image salt"), items, claimed_at=NOON, category="dresses")


def query_claim() -> dict[str, object]:
    return query_recorded_claim(
        digest("query salt"),
        query=FILE,
        scope="all",
        threshold=85,
        engine=NamedVersion("phash", "1"),
        searched_originals=600,
        searched_listing_images=500,
        results=[QueryResult("listing_image", digest("product 1"), 97_250, digest("their picture"))],
        verdict="matches_found",
        category="dresses",
    )


def check_claim() -> dict[str, object]:
    return check_recorded_claim(
        digest("check salt"),
        main=FILE,
        hidden=ClaimFile("hidden", digest("hidden"), 2000),
        profile=NamedVersion("aliexpress", "2026.1"),
        verdict="FAILED",
        findings=[CheckFinding("pairing.size", "ERR_IMG_HID_SIZE", "error")],
    )


def claims() -> dict[str, dict[str, object]]:
    """One valid claim document per kind."""
    item = {"role": "original", "sha256": digest("a").hex(), "size": 1, "mime": "image/png"}
    file = {"sha256": digest("b").hex(), "size": 2}
    engine = {"name": "browser", "version": "1.2"}
    key, new_key = format_vkey(SIGNER.key), format_vkey(OTHER_SIGNER.key)
    private: dict[str, dict[str, object]] = {
        "set.registered": {"items": [item], "title": "红裙 冬季拍摄"},
        "derivative.linked": {
            "original": {"leaf": digest("leaf").hex(), **file},
            "derivative": {"mime": "image/jpeg", **file},
            "method": engine,
            "geometry": "similarity",
            "matrix_micro": [500_000, 0, -1, 0, 500_000, 0, 0, 0, 1_000_000],
            "residual_milli": 12,
        },
        "listing.captured": {
            "url": "https://shop.example/item/1?x=主图",
            "captured_at": NOON,
            "method": engine,
            "files": [{"role": "page", "mime": "text/html", **file}],
            "product": "1005001",
            "shop": "某店",
        },
        "packet.built": {
            "packet": file,
            "marketplace": "aliexpress",
            "purpose": "complaint",
            "parts": [{"role": "letter", **file}],
        },
    }
    finding = {"rule": "H23", "code": "ERR_IMG_HID_REUSED", "level": "ERROR"}
    held = {"profile": {"id": "aliexpress", "version": "2026.1"}, "verdict": "FAILED"}
    private["skus.recorded"] = {
        "main": file,
        "hidden": [{"sku": "红-1", **file}],
        "missing": ["蓝-2"],
        "findings": [finding],
        **held,
    }
    private["packet.recorded"] = {
        "manifest": file,
        "target": "alibaba_ipp",
        "purpose": "defence",
        "case": digest("case number").hex(),
        "parts": 2,
    }
    private["quality.recorded"] = {"image": file, "findings": [finding], **held}
    public: dict[str, dict[str, object]] = {
        "anchor": {
            "checkpoint": HEAD,
            "method": "rfc3161",
            "authority": "Example TSA",
            "token": file,
            "attested_at": NOON,
        },
        "key.rotated": {"old": key, "new": new_key, "reason": "scheduled"},
        "key.revoked": {"key": key, "since": NOON, "reason": "compromised"},
        "erasure": {
            "entries": [{"seq": 3, "leaf": digest("leaf").hex()}],
            "scope": ["claim", "files"],
            "reason": "request",
        },
        "clock.anomaly": {"before": LATER, "after": NOON, "step_ms": -5000},
        "epoch": {"previous": HEAD, "reason": "restored"},
    }
    salted = {
        kind: {"kind": kind, "v": 1, "salt": digest(f"{kind} salt").hex(), **fields} for kind, fields in private.items()
    }
    plain = {kind: {"kind": kind, "v": 1, **fields} for kind, fields in public.items()}
    built = {
        "image.registered": image_claim(),
        "query.recorded": query_claim(),
        "check.recorded": check_claim(),
    }
    return built | salted | plain


def who() -> dict[str, object]:
    return identity_document(
        digest("who salt"), seller_id="demo", seller_name="示例店", actor="lin@shop.example", role="owner"
    )


class SampleLog:
    """Entries chained and hashed, with the stored hashes of every tile level."""

    def __init__(self, size: int) -> None:
        self.entries: list[bytes] = []
        self.levels: dict[int, list[bytes]] = {0: []}
        self.frontier = Frontier()
        prev = genesis_prev(PARAMETER_FILE)
        claim, identity = claim_hash(image_claim()), identity_hash(who())
        for seq in range(size):
            ts = format_utc_ms(START_MS + 1000 * seq)
            data = format_entry(Entry(claim, "image.registered", ORIGIN, prev, seq, ts, identity))
            prev = leaf_hash(data)
            self.entries.append(data)
            self.levels[0].append(prev)
            for node in self.frontier.append(prev):
                self.levels.setdefault(node.tile_level, []).append(node.hash)

    def read(self, tile_level: int, start: int, stop: int) -> Sequence[bytes]:
        assert stop - start <= 256
        return self.levels.get(tile_level, [])[start:stop]

    def checkpoint(self) -> bytes:
        return format_checkpoint(Checkpoint(ORIGIN, self.frontier.size, self.frontier.root()))

    def proof(self, index: int, note: bytes | None = None) -> Proof:
        path = inclusion_proof(index, self.frontier.size, self.read)
        return Proof(index, tuple(path), note or sign_note(self.checkpoint(), [SIGNER]))

    def files(self, index: int, note: bytes | None = None, policy: Policy = POLICY) -> dict[str, bytes]:
        """The files of a core bundle about one entry, everything disclosed."""
        return bundle.core_files(
            entry=self.entries[index],
            parameters=PARAMETER_FILE,
            proof=self.proof(index, note),
            policy=policy,
            claim=canonical_json(image_claim()),
            who=canonical_json(who()),
            originals={0: ("jpg", PHOTO)},
        )


def pack(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP of exactly these files, SHA256SUMS included as given or left out: what somebody else's tool would write."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return target.getvalue()


def with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with the SHA256SUMS that belongs to them."""
    rest = {name: data for name, data in files.items() if name != bundle.SUMS}
    return {bundle.SUMS: bundle.format_sums(rest), **rest}
