"""What each kind of entry claims: the documents whose hash an entry carries, checked field by field.

Claims about private things hold a 256-bit salt, so nobody can guess them from the log. Claims about the log itself
(anchors, keys, epochs, erasures, clock anomalies) hold none: strangers may read them. Definitions: docs/spec/claim.md.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.tlog.entry import MAX_INTEGER, canonical_json, parse_canonical_json, parse_utc_ms
from ledger.tlog.errors import ClaimError, ClaimKind, ClaimTooLarge, NoteError, TimeError
from ledger.tlog.note import parse_vkey

MAX_CLAIM_BYTES = 1024 * 1024
MAX_ITEMS = 2000
MAX_RESULTS = 200
MAX_FINDINGS = 500
MAX_SKUS = 200
MAX_PARTS = 999

ITEM_ROLES = ("original", "raw", "layered", "outtake", "contract", "derivative")
SCOPES = ("all", "recent", "registered")
QUERY_VERDICTS = ("matches_found", "nothing_found", "indeterminate")
CHECK_VERDICTS = ("PASSED", "FAILED", "INDETERMINATE")
RESULT_SOURCES = ("original", "listing_image")
PACKET_PURPOSES = ("complaint", "counter_notice", "defence", "court_bundle")
IDENTITY_ROLES = ("owner", "ip_manager", "operator", "viewer", "staff", "system")
GEOMETRIES = ("identity", "similarity", "affine", "homography")
ANCHOR_METHODS = ("rfc3161", "witness", "opentimestamps", "imported")
KEY_REASONS = ("scheduled", "compromised", "lost", "superseded")
ERASURE_SCOPES = ("claim", "identity", "files")
ERASURE_REASONS = ("request", "retention", "legal", "mistake")
EPOCH_REASONS = ("restored", "moved", "key_lost", "new_origin")

# Characters that reorder what a reader sees; a name made of them could imitate another on screen and in print.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# A rule looks at one value and raises ClaimError with the path of the field it stands in.
Rule = Callable[[object, str], None]


def _matches(pattern: str, wanted: str) -> Rule:
    compiled = re.compile(pattern)

    def rule(value: object, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ClaimError(path, wanted)

    return rule


def _integer(low: int, high: int) -> Rule:
    def rule(value: object, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ClaimError(path, f"an integer from {low} to {high}")

    return rule


def _choice(*values: object) -> Rule:
    def rule(value: object, path: str) -> None:
        if isinstance(value, bool) or value not in values:
            raise ClaimError(path, f"one of {', '.join(map(str, values))}")

    return rule


def _text(max_length: int) -> Rule:
    def rule(value: object, path: str) -> None:
        if not isinstance(value, str) or not 1 <= len(value) <= max_length:
            raise ClaimError(path, f"text of 1 to {max_length} characters")
        if any(character in _BIDI or unicodedata.category(character) in _UNPRINTABLE for character in value):
            raise ClaimError(path, "text without control characters")

    return rule


_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _utc(value: object, path: str) -> None:
    try:
        parse_utc_ms(value)  # type: ignore[arg-type]  # refuses everything that is not text itself
    except TimeError as error:
        raise ClaimError(path, error.message) from error


def _vkey(value: object, path: str) -> None:
    try:
        parse_vkey(value if isinstance(value, str) else "")
    except NoteError as error:
        raise ClaimError(path, error.message) from error


def _list(rule: Rule, low: int, high: int) -> Rule:
    def whole(value: object, path: str) -> None:
        if not isinstance(value, list | tuple) or not low <= len(value) <= high:
            raise ClaimError(path, f"a list of {low} to {high}")
        for number, item in enumerate(value):
            rule(item, f"{path}[{number}]")

    return whole


def _record(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    rules = {**required, **(optional or {})}

    def whole(value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise ClaimError(path or "document", "an object")
        for field in required:
            if field not in value:
                raise ClaimError(_join(path, field), "missing")
        for field, item in value.items():
            if field not in rules:
                raise ClaimError(_join(path, str(field)), "unknown field")
            rules[field](item, _join(path, field))

    return whole


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


_HEX32 = _matches("[0-9a-f]{64}", "32 bytes as 64 lower-case hex digits")
_MIME = _matches("[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}", "a media type such as image/jpeg")
_SLUG = _matches("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 letters, digits, dots, underscores or hyphens")
_VERSION = _matches("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", "a version of 1 to 64 characters")
_ORIGIN = _text(200)
_SIZE = _integer(0, MAX_INTEGER)
_COUNT = _integer(0, MAX_INTEGER)
_SIGNED = _integer(-MAX_INTEGER, MAX_INTEGER)

_FILE = {"sha256": _HEX32, "size": _SIZE}
_TYPED_FILE = {**_FILE, "mime": _MIME}
_ITEM = _record({"role": _choice(*ITEM_ROLES), **_TYPED_FILE})
_ENGINE = _record({"name": _SLUG, "version": _VERSION})
_TREE_HEAD = {"origin": _ORIGIN, "size": _SIZE, "root": _HEX32, "note_sha256": _HEX32}


@dataclass(frozen=True, slots=True)
class _Definition:
    salted: bool
    required: Mapping[str, Rule]
    optional: Mapping[str, Rule]

    def rule(self, kind: str) -> Rule:
        frame = {"kind": _choice(kind), "v": _choice(1)}
        salt = {"salt": _HEX32} if self.salted else {}
        return _record({**frame, **salt, **self.required}, self.optional)


_DEFINITIONS: Mapping[str, _Definition] = {
    "image.registered": _Definition(
        True, {"items": _list(_ITEM, 1, MAX_ITEMS)}, {"claimed_at": _utc, "category": _SLUG}
    ),
    "set.registered": _Definition(
        True, {"items": _list(_ITEM, 1, MAX_ITEMS)}, {"claimed_at": _utc, "title": _text(200)}
    ),
    "derivative.linked": _Definition(
        True,
        {
            "original": _record({"leaf": _HEX32, **_FILE}),
            "derivative": _record(_TYPED_FILE),
            "method": _ENGINE,
            "geometry": _choice(*GEOMETRIES),
            "matrix_micro": _list(_SIGNED, 9, 9),
            "residual_milli": _COUNT,
        },
        {},
    ),
    "query.recorded": _Definition(
        True,
        {
            "query": _record(_FILE),
            "scope": _choice(*SCOPES),
            "threshold": _integer(0, 100),
            "engine": _ENGINE,
            "searched": _record({"originals": _COUNT, "listing_images": _COUNT}),
            "results": _list(
                _record(
                    {
                        "source": _choice(*RESULT_SOURCES),
                        "ref": _HEX32,
                        "score_milli": _integer(0, 100_000),
                        "sha256": _HEX32,
                    }
                ),
                0,
                MAX_RESULTS,
            ),
            "verdict": _choice(*QUERY_VERDICTS),
        },
        {"category": _SLUG},
    ),
    "check.recorded": _Definition(
        True,
        {
            "main": _record(_FILE),
            "hidden": _record(_FILE),
            "profile": _record({"id": _SLUG, "version": _VERSION}),
            "verdict": _choice(*CHECK_VERDICTS),
            "findings": _list(_record({"rule": _SLUG, "code": _SLUG, "level": _SLUG}), 0, MAX_FINDINGS),
        },
        {},
    ),
    "skus.recorded": _Definition(
        True,
        {
            "main": _record(_FILE),
            "hidden": _list(_record({"sku": _text(100), **_FILE}), 0, MAX_SKUS),
            "missing": _list(_text(100), 0, MAX_SKUS),
            "profile": _record({"id": _SLUG, "version": _VERSION}),
            "verdict": _choice(*CHECK_VERDICTS),
            "findings": _list(
                _record({"rule": _SLUG, "code": _SLUG, "level": _SLUG}, {"sku": _text(100)}), 0, MAX_FINDINGS
            ),
        },
        {},
    ),
    "quality.recorded": _Definition(
        True,
        {
            "image": _record(_FILE),
            "profile": _record({"id": _SLUG, "version": _VERSION}),
            "verdict": _choice(*CHECK_VERDICTS),
            "findings": _list(_record({"rule": _SLUG, "code": _SLUG, "level": _SLUG}), 0, MAX_FINDINGS),
        },
        {},
    ),
    "listing.captured": _Definition(
        True,
        {
            "url": _text(2000),
            "captured_at": _utc,
            "method": _ENGINE,
            "files": _list(_record({"role": _SLUG, **_TYPED_FILE}), 1, MAX_ITEMS),
        },
        {"product": _text(100), "shop": _text(200)},
    ),
    "packet.built": _Definition(
        True,
        {
            "packet": _record(_FILE),
            "marketplace": _SLUG,
            "purpose": _choice("complaint", "counter_notice", "compliance_pack"),
            "parts": _list(_record({"role": _SLUG, **_FILE}), 0, MAX_ITEMS),
        },
        {},
    ),
    "packet.recorded": _Definition(
        True,
        {
            "manifest": _record(_FILE),
            "target": _SLUG,
            "purpose": _choice(*PACKET_PURPOSES),
            "case": _HEX32,
            "parts": _integer(1, MAX_PARTS),
        },
        {},
    ),
    "anchor": _Definition(
        False,
        {
            "checkpoint": _record(_TREE_HEAD),
            "method": _choice(*ANCHOR_METHODS),
            "authority": _text(200),
            "token": _record(_FILE),
            "attested_at": _utc,
        },
        {},
    ),
    "key.rotated": _Definition(False, {"old": _vkey, "new": _vkey, "reason": _choice(*KEY_REASONS)}, {}),
    "key.revoked": _Definition(False, {"key": _vkey, "since": _utc, "reason": _choice(*KEY_REASONS)}, {}),
    "erasure": _Definition(
        False,
        {
            "entries": _list(_record({"seq": _COUNT, "leaf": _HEX32}), 1, MAX_ITEMS),
            "scope": _list(_choice(*ERASURE_SCOPES), 1, len(ERASURE_SCOPES)),
            "reason": _choice(*ERASURE_REASONS),
        },
        {},
    ),
    "clock.anomaly": _Definition(False, {"before": _utc, "after": _utc, "step_ms": _SIGNED}, {}),
    "epoch": _Definition(False, {"previous": _record(_TREE_HEAD), "reason": _choice(*EPOCH_REASONS)}, {}),
}

_RULES: Mapping[str, Rule] = {kind: definition.rule(kind) for kind, definition in _DEFINITIONS.items()}
SALTED_KINDS = frozenset(kind for kind, definition in _DEFINITIONS.items() if definition.salted)

_IDENTITY = _record(
    {
        "v": _choice(1),
        "salt": _HEX32,
        "seller": _record({"id": _text(64), "name": _text(200)}),
        "actor": _text(254),
        "role": _choice(*IDENTITY_ROLES),
    }
)


def validate_claim(kind: str, document: object) -> None:
    """Check a claim document against the definition of its kind; ClaimError names the first field that breaks it."""
    if kind not in _RULES:
        raise ClaimKind(f"no kind called {kind}", expected=sorted(_RULES), actual=kind)
    _RULES[kind](document, "")
    _check_size(document)


def validate_identity(document: object) -> None:
    """Check an identity document; ClaimError names the first field that breaks the definition."""
    _IDENTITY(document, "")
    _check_size(document)


def parse_claim(kind: str, data: bytes) -> dict[str, object]:
    """The claim document behind these canonical bytes, checked; JsonError or ClaimError."""
    document = parse_canonical_json(data, max_bytes=MAX_CLAIM_BYTES)
    validate_claim(kind, document)
    return document  # type: ignore[return-value]  # validate_claim refuses everything but an object


def parse_identity(data: bytes) -> dict[str, object]:
    """The identity document behind these canonical bytes, checked; JsonError or ClaimError."""
    document = parse_canonical_json(data, max_bytes=MAX_CLAIM_BYTES)
    validate_identity(document)
    return document  # type: ignore[return-value]  # validate_identity refuses everything but an object


def _check_size(document: object) -> None:
    size = len(canonical_json(document))
    if size > MAX_CLAIM_BYTES:
        raise ClaimTooLarge("the document is too large", expected=MAX_CLAIM_BYTES, actual=size)
