"""From a document to what the templates read: plain JSON with every foreign text escaped and every picture named.

Templates hold the wording and the layout; this module holds neither. It never puts a text into template source.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import segno

from ledger.pdf.assurance import ASSURANCES, Bilingual
from ledger.pdf.documents import (
    Candidate,
    CertificateDocument,
    CheckReceiptDocument,
    Common,
    Document,
    FileFacts,
    OutsideTime,
    QueryReceiptDocument,
    RecordDocument,
    RuleResult,
    SetCertificateDocument,
)
from ledger.pdf.pictures import preview_jpeg
from ledger.pdf.text import Escaper

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# (longest side, bytes aimed at): 480 px on 80 mm is 150 dpi.
LARGE = (480, 20_000)
MEDIUM = (320, 9_000)
SMALL = (128, 3_500)


@dataclass(slots=True)
class Payload:
    """What one compile needs: the template's data and the files it may read."""

    data: dict[str, Json]
    files: dict[str, bytes] = field(default_factory=dict)


def format_utc(at: datetime) -> str:
    """2026-11-21 16:00:03 UTC, the one way a time is printed; milliseconds only where the log keeps them."""
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{at.microsecond // 1000:03d} UTC" if at.microsecond else f"{text} UTC"


def format_size(size_bytes: int) -> str:
    """Rounded for reading, exact for checking: 2.41 MB (2,412,345 bytes)."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit} ({size_bytes:,} bytes)"
    return f"{size_bytes:,} bytes"


class _Builder:
    """Carries the escaper and the pictures of one document while its payload grows."""

    def __init__(self) -> None:
        self.text = Escaper()
        self.files: dict[str, bytes] = {}

    def picture(self, name: str, data: bytes | None, size: tuple[int, int]) -> str | None:
        if data is None:
            return None
        self.files[f"{name}.jpg"] = preview_jpeg(data, max_side_px=size[0], target_bytes=size[1])
        return f"{name}.jpg"

    def both(self, text: Bilingual) -> Json:
        return {"zh": self.text(text.zh), "en": self.text(text.en)}

    def file(self, facts: FileFacts) -> Json:
        pixels = f"{facts.width_px} × {facts.height_px} px" if facts.width_px and facts.height_px else None
        fingerprints: list[Json] = [[self.text(f.algorithm), f.value.hex()] for f in facts.fingerprints]
        return {
            "name": self.text(facts.name),
            "size": format_size(facts.size_bytes),
            "mime": self.text(facts.mime),
            "pixels": pixels,
            "sha256": facts.sha256.hex(),
            "fingerprints": fingerprints,
        }

    def outside(self, outside: OutsideTime | None) -> Json:
        if outside is None:
            return None
        return {"at": format_utc(outside.at), "authority": self.text(outside.authority), "seq": outside.anchor_seq}

    def common(self, common: Common) -> dict[str, Json]:
        ledger = common.ledger
        return {
            "number": self.text(common.number),
            "issued": format_utc(common.issued_at),
            "seller": self.text(common.seller),
            "verify_url": self.text(common.verify_url) if common.verify_url else None,
            "level": int(common.assurance.level),
            "assurance": {
                "name": self.both(common.assurance.name),
                "shows": self.both(common.assurance.shows),
                "lacks": self.both(common.assurance.lacks),
            },
            "levels": [self.both(each.name) for each in ASSURANCES],
            "bracket": {
                "earlier": self.outside(common.bracket.earlier),
                "later": self.outside(common.bracket.later),
            },
            "ledger": {
                "origin": self.text(ledger.origin),
                "seq": f"{ledger.seq:,}",
                "logged": format_utc(ledger.logged_at),
                "entry": self.text(ledger.entry_text),
                "leaf_hash": ledger.leaf_hash.hex(),
                "prev_hash": ledger.prev_hash.hex(),
                "tree_size": f"{ledger.tree_size:,}",
                "root_hash": ledger.root_hash.hex(),
                "key_id": self.text(ledger.key_id),
                "proof": [each.hex() for each in ledger.inclusion_proof],
                "note": [self.text(line) for line in ledger.checkpoint_note.removesuffix("\n").split("\n")],
            },
        }


def _certificate(build: _Builder, document: CertificateDocument) -> dict[str, Json]:
    camera: Json = None
    if document.camera is not None:
        facts = document.camera
        camera = {
            "make": build.text(facts.make),
            "model": build.text(facts.model),
            "lens": build.text(facts.lens),
            "captured_at": build.text(facts.captured_at),
            "software": build.text(facts.software),
        }
    return {
        "title": build.text(document.title),
        "file": build.file(document.file),
        "thumbnail": build.picture("thumbnail", document.thumbnail, LARGE),
        "camera": camera,
    }


def _set(build: _Builder, document: SetCertificateDocument) -> dict[str, Json]:
    return {
        "title": build.text(document.title),
        "count": f"{document.file_count:,}",
        "size": format_size(document.size_bytes),
        "left": f"{document.file_count - len(document.files):,}" if document.file_count > len(document.files) else "",
        "previous": build.text(document.previous),
        "files": [
            {
                "number": file.number,
                "role": build.both(file.role),
                "name": build.text(file.name),
                "size": f"{file.size_bytes:,}",
                "sha256": file.sha256.hex(),
            }
            for file in document.files
        ],
    }


def _candidate(build: _Builder, index: int, candidate: Candidate) -> Json:
    return {
        "product_id": build.text(candidate.product_id),
        "score": f"{candidate.score:.1f}".removesuffix(".0"),
        "thumbnail": build.picture(f"candidate-{index}", candidate.thumbnail, SMALL),
        "listed": candidate.listed_at.strftime("%Y-%m-%d") if candidate.listed_at else None,
        "country": build.text(candidate.shop_country),
        "shop": build.text(candidate.shop_name),
        "url": build.text(candidate.url),
        "registered": candidate.registered,
        "what": build.both(candidate.what) if candidate.what else None,
    }


def _query(build: _Builder, document: QueryReceiptDocument) -> dict[str, Json]:
    above = document.matches_count
    if above is None:
        above = sum(candidate.score >= document.threshold for candidate in document.candidates)
    return {
        "file": build.file(document.query),
        "thumbnail": build.picture("query", document.thumbnail, MEDIUM),
        "scope": build.both(document.scope),
        "searched": f"{document.searched_count:,}",
        "threshold": document.threshold,
        "above": above,
        "category": build.text(document.category),
        "candidates": [_candidate(build, index, each) for index, each in enumerate(document.candidates)],
        "limits": [build.both(each) for each in document.limits],
    }


def _rule(build: _Builder, rule: RuleResult) -> Json:
    return {
        "code": build.text(rule.code),
        "name": build.both(rule.name),
        "verdict": rule.verdict.value,
        "measured": build.text(rule.measured),
        "allowed": build.text(rule.allowed),
        "source": build.text(rule.source),
    }


def _check(build: _Builder, document: CheckReceiptDocument) -> dict[str, Json]:
    return {
        "main": build.file(document.main),
        "hidden": build.file(document.hidden),
        "main_thumbnail": build.picture("main", document.main_thumbnail, MEDIUM),
        "hidden_thumbnail": build.picture("hidden", document.hidden_thumbnail, MEDIUM),
        "heatmap": build.picture("heatmap", document.heatmap, MEDIUM),
        "verdict": document.verdict.value,
        "rules": [_rule(build, rule) for rule in document.rules],
        "profile": build.text(document.profile),
        "limits": [build.both(each) for each in document.limits],
    }


def _record(build: _Builder, document: RecordDocument) -> dict[str, Json]:
    pictures: list[Json] = [
        {"caption": build.both(caption), "path": build.picture(f"picture-{number}", data, SMALL)}
        for number, (caption, data) in enumerate(document.pictures)
    ]
    files: list[Json] = [
        {"caption": build.both(caption), **_members(build.file(file))} for caption, file in document.files
    ]
    facts: list[Json] = [{"name": build.both(name), "value": build.text(value)} for name, value in document.facts]
    return {
        "heading": build.both(document.title),
        "lead": build.both(document.lead),
        "pictures": pictures,
        "files": files,
        "facts": facts,
        "verdict": document.verdict.value if document.verdict else None,
        "rules": [_rule(build, rule) for rule in document.rules],
        "limits": [build.both(each) for each in document.limits],
    }


def _members(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)  # noqa: S101 - what _Builder.file made
    return value


def _specific(build: _Builder, document: Document) -> dict[str, Json]:
    if isinstance(document, CertificateDocument):
        return _certificate(build, document)
    if isinstance(document, SetCertificateDocument):
        return _set(build, document)
    if isinstance(document, QueryReceiptDocument):
        return _query(build, document)
    if isinstance(document, RecordDocument):
        return _record(build, document)
    return _check(build, document)


def qr_modules(url: str) -> Json:
    """The QR code as rows of 0 and 1, drawn by the template as vectors: no picture, no resampling."""
    return ["".join("1" if module else "0" for module in row) for row in segno.make(url, error="m", micro=False).matrix]


def build_payload(document: Document, *, qr: Callable[[str], Json] = qr_modules) -> Payload:
    """Data and files for the document's template; raises PictureRejectedError."""
    build = _Builder()
    data = build.common(document.common) | _specific(build, document)
    url = document.common.verify_url
    data["qr"] = qr(url) if url else None
    escaped: list[Json] = [*build.text.escaped]
    data["escaped"] = escaped
    return Payload(data=data, files=build.files)
