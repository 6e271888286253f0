"""Claim and identity documents made from values, always valid ones, and the files that a claim commits to.

Salts are 32 fresh random bytes from the caller, digests 32 bytes, times UTC text. What a document may hold is decided in
claims.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ledger.tlog.claims import validate_claim, validate_identity


@dataclass(frozen=True, slots=True)
class ClaimItem:
    """One file of a registration: its role, SHA-256 of the exact bytes, size in bytes, media type."""

    role: str
    sha256: bytes
    size: int
    mime: str

    def document(self) -> dict[str, object]:
        return {"role": self.role, "sha256": self.sha256.hex(), "size": self.size, "mime": self.mime}


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """Exact bytes that a claim speaks of: the part they play, SHA-256 (32 bytes), size in bytes."""

    role: str
    sha256: bytes
    size: int

    def document(self) -> dict[str, object]:
        return {"sha256": self.sha256.hex(), "size": self.size}


@dataclass(frozen=True, slots=True)
class CapturedFile:
    """One file of a capture: the part it plays (screenshot, html, warc, wacz, video, record), digest, size, media type."""

    role: str
    sha256: bytes
    size: int
    mime: str

    def document(self) -> dict[str, object]:
        return {"role": self.role, "sha256": self.sha256.hex(), "size": self.size, "mime": self.mime}


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One match of a query: source, digest of the product's or original's reference, score x 1000, image SHA-256."""

    source: str
    ref: bytes
    score_milli: int
    sha256: bytes

    def document(self) -> dict[str, object]:
        return {
            "source": self.source,
            "ref": self.ref.hex(),
            "score_milli": self.score_milli,
            "sha256": self.sha256.hex(),
        }


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One violation as a claim records it; sku only where a claim speaks of several."""

    rule: str
    code: str
    level: str
    sku: str = ""

    def document(self) -> dict[str, object]:
        named = {"sku": self.sku} if self.sku else {}
        return {"rule": self.rule, "code": self.code, "level": self.level, **named}


@dataclass(frozen=True, slots=True)
class NamedVersion:
    """An engine or a profile: its name (or id) and version."""

    name: str
    version: str


def image_registered_claim(
    salt: bytes, items: Sequence[ClaimItem], *, claimed_at: str = "", category: str = ""
) -> dict[str, object]:
    """The claim of an image.registered entry. claimed_at is the seller's word, UTC text; both are left out if empty."""
    document: dict[str, object] = {"salt": salt.hex(), "items": [item.document() for item in items]}
    if claimed_at:
        document["claimed_at"] = claimed_at
    if category:
        document["category"] = category
    return _finish("image.registered", document)


def query_recorded_claim(
    salt: bytes,
    *,
    query: ClaimFile,
    scope: str,
    threshold: int,
    engine: NamedVersion,
    searched_originals: int,
    searched_listing_images: int,
    results: Sequence[QueryResult],
    verdict: str,
    category: str = "",
) -> dict[str, object]:
    """The claim of a query.recorded entry: what was asked, of how much, with which engine, and what came back."""
    document: dict[str, object] = {
        "salt": salt.hex(),
        "query": query.document(),
        "scope": scope,
        "threshold": threshold,
        "engine": {"name": engine.name, "version": engine.version},
        "searched": {"originals": searched_originals, "listing_images": searched_listing_images},
        "results": [result.document() for result in results],
        "verdict": verdict,
    }
    if category:
        document["category"] = category
    return _finish("query.recorded", document)


def derivative_linked_claim(
    salt: bytes,
    *,
    leaf: bytes,
    original: ClaimFile,
    derivative: ClaimItem,
    method: NamedVersion,
    geometry: str,
    matrix_micro: Sequence[int],
    residual_milli: int,
) -> dict[str, object]:
    """The claim of a derivative.linked entry: a file made from a registered original, and how it descends from it.

    leaf: hash (32 bytes) of the entry that registered the original. matrix_micro: 9 numbers, row by row, x 1,000,000.
    """
    return _finish(
        "derivative.linked",
        {
            "salt": salt.hex(),
            "original": {"leaf": leaf.hex(), **original.document()},
            "derivative": {"sha256": derivative.sha256.hex(), "size": derivative.size, "mime": derivative.mime},
            "method": {"name": method.name, "version": method.version},
            "geometry": geometry,
            "matrix_micro": list(matrix_micro),
            "residual_milli": residual_milli,
        },
    )


def check_recorded_claim(
    salt: bytes,
    *,
    main: ClaimFile,
    hidden: ClaimFile,
    profile: NamedVersion,
    verdict: str,
    findings: Sequence[CheckFinding],
) -> dict[str, object]:
    """The claim of a check.recorded entry: the pair, the profile it was held against, and what was found."""
    return _finish(
        "check.recorded",
        {
            "salt": salt.hex(),
            "main": main.document(),
            "hidden": hidden.document(),
            "profile": {"id": profile.name, "version": profile.version},
            "verdict": verdict,
            "findings": [finding.document() for finding in findings],
        },
    )


def skus_recorded_claim(
    salt: bytes,
    *,
    main: ClaimFile,
    hidden: Sequence[tuple[str, ClaimFile]],
    missing: Sequence[str],
    profile: NamedVersion,
    verdict: str,
    findings: Sequence[CheckFinding],
) -> dict[str, object]:
    """The claim of a skus.recorded entry: a collage, the hidden image of each SKU, the SKUs without one, the findings."""
    return _finish(
        "skus.recorded",
        {
            "salt": salt.hex(),
            "main": main.document(),
            "hidden": [{"sku": sku, **file.document()} for sku, file in hidden],
            "missing": list(missing),
            "profile": {"id": profile.name, "version": profile.version},
            "verdict": verdict,
            "findings": [finding.document() for finding in findings],
        },
    )


def quality_recorded_claim(
    salt: bytes, *, image: ClaimFile, profile: NamedVersion, verdict: str, findings: Sequence[CheckFinding]
) -> dict[str, object]:
    """The claim of a quality.recorded entry: one picture, the profile it was held against, and what was found."""
    return _finish(
        "quality.recorded",
        {
            "salt": salt.hex(),
            "image": image.document(),
            "profile": {"id": profile.name, "version": profile.version},
            "verdict": verdict,
            "findings": [finding.document() for finding in findings],
        },
    )


def listing_captured_claim(
    salt: bytes,
    *,
    url: str,
    captured_at: str,
    method: NamedVersion,
    files: Sequence[CapturedFile],
    product: str = "",
    shop: str = "",
) -> dict[str, object]:
    """The claim of a listing.captured entry: what was seen under an address, by which method, when by that machine's
    clock (UTC text). product and shop are left out if empty."""
    named = {name: text for name, text in (("product", product), ("shop", shop)) if text}
    return _finish(
        "listing.captured",
        {
            "salt": salt.hex(),
            "url": url,
            "captured_at": captured_at,
            "method": {"name": method.name, "version": method.version},
            "files": [file.document() for file in files],
            **named,
        },
    )


def packet_recorded_claim(
    salt: bytes, *, manifest: ClaimFile, target: str, purpose: str, case: bytes, parts: int
) -> dict[str, object]:
    """The claim of a packet.recorded entry. case: SHA-256 (32 bytes) of the case's number; parts: how many ZIP files."""
    return _finish(
        "packet.recorded",
        {
            "salt": salt.hex(),
            "manifest": manifest.document(),
            "target": target,
            "purpose": purpose,
            "case": case.hex(),
            "parts": parts,
        },
    )


def anchor_claim(
    *,
    origin: str,
    size: int,
    root: bytes,
    note: bytes,
    authority: str,
    token: bytes,
    attested_at: str,
    method: str = "rfc3161",
) -> dict[str, object]:
    """The claim of an anchor entry: which checkpoint an outsider attested, by which token, at which time (UTC text)."""
    head = {"origin": origin, "size": size, "root": root.hex(), "note_sha256": sha256(note).hexdigest()}
    return _finish(
        "anchor",
        {
            "checkpoint": head,
            "method": method,
            "authority": authority,
            "token": {"sha256": sha256(token).hexdigest(), "size": len(token)},
            "attested_at": attested_at,
        },
    )


def set_registered_claim(
    salt: bytes, items: Sequence[ClaimItem], *, claimed_at: str = "", title: str = ""
) -> dict[str, object]:
    """The claim of a set.registered entry: files of a shoot, in order. claimed_at and title are left out if empty."""
    document: dict[str, object] = {"salt": salt.hex(), "items": [item.document() for item in items]}
    if claimed_at:
        document["claimed_at"] = claimed_at
    if title:
        document["title"] = title
    return _finish("set.registered", document)


def erasure_claim(entries: Sequence[tuple[int, bytes]], scope: Sequence[str], reason: str) -> dict[str, object]:
    """The claim of an erasure entry: (seq, leaf hash) of the entries whose documents or files are gone. Public."""
    rows = [{"seq": seq, "leaf": leaf.hex()} for seq, leaf in entries]
    return _finish("erasure", {"entries": rows, "scope": list(scope), "reason": reason})


def identity_document(salt: bytes, *, seller_id: str, seller_name: str, actor: str, role: str) -> dict[str, object]:
    """The document behind an entry's `who`: which seller, and who acted in which role."""
    document: dict[str, object] = {
        "v": 1,
        "salt": salt.hex(),
        "seller": {"id": seller_id, "name": seller_name},
        "actor": actor,
        "role": role,
    }
    validate_identity(document)
    return document


def _finish(kind: str, fields: Mapping[str, object]) -> dict[str, object]:
    document = {"kind": kind, "v": 1, **fields}
    validate_claim(kind, document)
    return document


# Reading documents

# Where a kind keeps its files. A list yields one file per element; the field names the role of a record without one.
_FILE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "image.registered": ("items",),
    "set.registered": ("items",),
    "derivative.linked": ("original", "derivative"),
    "query.recorded": ("query",),
    "check.recorded": ("main", "hidden"),
    "skus.recorded": ("main", "hidden"),
    "quality.recorded": ("image",),
    "listing.captured": ("files",),
    "packet.built": ("packet", "parts"),
    "packet.recorded": ("manifest",),
    "anchor": ("token",),
}


def claim_files(document: Mapping[str, object]) -> tuple[ClaimFile, ...]:
    """The files a valid claim commits to, in the order in which a bundle numbers them."""
    files: list[ClaimFile] = []
    for field in _FILE_FIELDS.get(str(document["kind"]), ()):
        value: Any = document[field]
        for record in [value] if isinstance(value, Mapping) else value:
            digest = bytes.fromhex(record["sha256"])
            files.append(ClaimFile(record.get("role", field), digest, record["size"]))
    return tuple(files)
