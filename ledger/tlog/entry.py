"""Versioned statements and their canonical bytes, both directions.

An entry is one line of canonical JSON (RFC 8785 restricted to text, integers below 2^53, booleans, lists and objects
with ASCII keys). Its bytes are the truth: they are hashed, stored and never written anew. Format: docs/spec/entry.md.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NoReturn

from ledger.tlog.errors import (
    EntryError,
    EntryField,
    EntryFields,
    EntryTooLarge,
    JsonDuplicateKey,
    JsonKey,
    JsonNotCanonical,
    JsonNumber,
    JsonSyntax,
    JsonText,
    JsonTooDeep,
    JsonTooLarge,
    JsonType,
    ParametersError,
    TimeError,
)
from ledger.tlog.note import ED25519, VerifierKey, format_vkey, parse_vkey

MAX_ENTRY_BYTES = 1024
MAX_JSON_BYTES = 1024 * 1024
# Our deepest document has 4 levels; the bound keeps hostile input away from the interpreter's recursion limit.
MAX_JSON_DEPTH = 16
# Doubles hold every integer below 2^53 exactly, so every JSON reader in the world agrees on these.
MAX_INTEGER = 2**53 - 1

KINDS = frozenset(
    {
        "image.registered",
        "set.registered",
        "derivative.linked",
        "query.recorded",
        "check.recorded",
        "skus.recorded",
        "quality.recorded",
        "listing.captured",
        "packet.built",
        "packet.recorded",
        "anchor",
        "key.rotated",
        "key.revoked",
        "erasure",
        "clock.anomaly",
        "epoch",
    }
)

_ORIGIN = r"[A-Za-z0-9][A-Za-z0-9._~:/-]{0,198}[A-Za-z0-9]"
_TIME = r"(?:19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_TIME_TEXT = re.compile(_TIME)
_ORIGIN_TEXT = re.compile(_ORIGIN)

# The one spelling an entry can have. Matching it proves canonical form, since no value here ever needs an escape and
# the keys stand in order; that is several times cheaper than parsing and formatting again.
_ENTRY = re.compile(
    (
        r'\{"claim":"([0-9a-f]{64})","kind":"([a-z.]+)","log":"(' + _ORIGIN + r')","prev":"([0-9a-f]{64})",'
        r'"seq":(0|[1-9][0-9]{0,15}),"ts":"(' + _TIME + r')","v":1,"who":"([0-9a-f]{64})"\}'
    ).encode("ascii")
)
_TEMPLATE = '{"claim":"%s","kind":"%s","log":"%s","prev":"%s","seq":%d,"ts":"%s","v":1,"who":"%s"}'
_ENTRY_FIELDS = ("claim", "kind", "log", "prev", "seq", "ts", "v", "who")


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement of the log. claim, prev and who are 32 bytes each; ts is UTC text with milliseconds and Z."""

    claim: bytes
    kind: str
    log: str
    prev: bytes
    seq: int
    ts: str
    who: bytes
    v: int = 1


def format_entry(entry: Entry) -> bytes:
    """The canonical bytes of an entry (at most 1,024), or EntryError naming the field that is wrong."""
    try:
        claim, prev, who = entry.claim.hex(), entry.prev.hex(), entry.who.hex()
        text = _TEMPLATE % (claim, entry.kind, entry.log, prev, entry.seq, entry.ts, who)
        data = text.encode("utf-8")
    except (TypeError, AttributeError, UnicodeEncodeError) as error:
        raise EntryError(f"a field has the wrong type: {error}") from error
    if _match(data) and type(entry.seq) is int and entry.v == 1:
        return data
    fields = (claim, entry.kind, entry.log, prev, entry.seq, entry.ts, entry.v, who)
    raise _explanation(dict(zip(_ENTRY_FIELDS, fields, strict=True)))


def parse_entry(data: bytes) -> Entry:
    """The entry behind these bytes, or EntryError / JsonError. format_entry gives back exactly the same bytes."""
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge("an entry is at most 1,024 bytes", expected=MAX_ENTRY_BYTES, actual=len(data))
    match = _match(data)
    if match is None:
        raise _explanation(parse_canonical_json(data))
    claim, kind, log, prev, seq, ts, who = (part.decode("ascii") for part in match.groups())
    return Entry(
        claim=bytes.fromhex(claim),
        kind=kind,
        log=log,
        prev=bytes.fromhex(prev),
        seq=int(seq),
        ts=ts,
        who=bytes.fromhex(who),
    )


def _match(data: bytes) -> re.Match[bytes] | None:
    """The fields of a well-formed entry, or None."""
    match = _ENTRY.fullmatch(data)
    if match is None:
        return None
    kind, seq, ts = match.group(2, 5, 6)
    if kind.decode("ascii") not in KINDS or (len(seq) == 16 and int(seq) > MAX_INTEGER):
        return None
    try:
        datetime.fromisoformat(ts.decode("ascii"))  # refuses the 30th of February
    except ValueError:
        return None
    return match


def _explanation(document: object) -> EntryError:
    """The error that names what is wrong with a document that is not a well-formed entry."""
    if not isinstance(document, dict):
        return EntryError("an entry is one JSON object")
    missing = [field for field in _ENTRY_FIELDS if field not in document]
    unknown = [str(field) for field in document if field not in _ENTRY_FIELDS]
    if missing or unknown:
        return EntryFields(f"missing {missing}, unknown {unknown}", expected=list(_ENTRY_FIELDS), actual=list(document))
    for field in ("claim", "prev", "who"):
        if not (isinstance(document[field], str) and re.fullmatch("[0-9a-f]{64}", document[field])):
            return EntryField(field, "32 bytes as 64 lower-case hex digits")
    if not (isinstance(document["kind"], str) and document["kind"] in KINDS):
        return EntryField("kind", f"unknown kind {document['kind']!r}")
    if not (isinstance(document["log"], str) and _ORIGIN_TEXT.fullmatch(document["log"])):
        return EntryField("log", "an origin of 2 to 200 characters out of A-Z a-z 0-9 . _ ~ : / -")
    if type(document["seq"]) is not int or not 0 <= document["seq"] <= MAX_INTEGER:
        return EntryField("seq", "an integer from 0 to 2^53 - 1")
    if type(document["v"]) is not int or document["v"] != 1:
        return EntryField("v", "this reader knows version 1")
    try:
        parse_utc_ms(document["ts"])
    except TimeError as error:
        return EntryField("ts", error.message)
    return EntryError("not the canonical spelling of an entry")


# Canonical JSON


def canonical_json(document: object) -> bytes:
    """RFC 8785 bytes of text, integers below 2^53, booleans, lists and objects with ASCII keys; else JsonError.

    Within these types Python's encoder writes exactly what RFC 8785 asks; a property test holds it to the rfc8785
    library. Text is not normalised: NFC and NFD spellings stay two different documents.
    """
    _check_json(document, MAX_JSON_DEPTH)
    try:
        return _encode(document).encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonText("text holds a lone surrogate") from error


_encode: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def _check_json(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool:
        return
    if isinstance(value, int) and kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise JsonNumber("integers stay below 2^53", actual=value)
        return
    if depth == 0:
        raise JsonTooDeep(f"more than {MAX_JSON_DEPTH} levels", expected=MAX_JSON_DEPTH)
    if isinstance(value, list | tuple):
        for item in value:
            _check_json(item, depth - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                raise JsonKey(f"keys are ASCII text, not {key!r}", actual=key)
            _check_json(item, depth - 1)
    elif kind is float:
        raise JsonNumber("fractions are not allowed", actual=value)
    else:
        raise JsonType(f"{kind.__name__} has no place in a canonical document", actual=kind.__name__)


def parse_canonical_json(data: bytes, max_bytes: int = MAX_JSON_BYTES) -> object:
    """The value behind canonical bytes, or JsonError when they are not the one spelling canonical_json would give."""
    if len(data) > max_bytes:
        raise JsonTooLarge(f"more than {max_bytes} bytes", expected=max_bytes, actual=len(data))
    try:
        document: object = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise JsonSyntax(f"not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise JsonSyntax(f"not JSON: {error}") from error
    except RecursionError as error:
        raise JsonTooDeep(f"more than {MAX_JSON_DEPTH} levels", expected=MAX_JSON_DEPTH) from error
    canonical = canonical_json(document)
    if canonical != data:
        raise JsonNotCanonical("not the canonical spelling", expected=canonical, actual=data)
    return document


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        keys = [key for key, _ in pairs]
        raise JsonDuplicateKey("a key occurs twice", actual=next(key for key in keys if keys.count(key) > 1))
    return document


def _parse_int(text: str) -> int:
    if len(text) > 17:  # a sign and 16 digits; longer ones are refused before they cost anything
        raise JsonNumber("integers stay below 2^53", actual=text[:32])
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise JsonNumber(f"{text[:32]} is not an integer", actual=text[:32])


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_float=_refuse_number, parse_int=_parse_int, parse_constant=_refuse_number
)


# Time


def format_utc_ms(milliseconds: int) -> str:
    """Milliseconds since 1970-01-01 UTC as text, for example 2026-11-21T16:00:00.000Z."""
    seconds, ms = divmod(milliseconds, 1000)
    if not 0 <= seconds <= 253_402_300_799:  # the last second of the year 9999
        raise TimeError("outside the years 1970 to 9999", actual=milliseconds)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


def parse_utc_ms(text: str) -> int:
    """Milliseconds since 1970-01-01 UTC, or TimeError unless text is what format_utc_ms writes."""
    if not isinstance(text, str) or not _TIME_TEXT.fullmatch(text):
        raise TimeError("UTC as YYYY-MM-DDTHH:MM:SS.mmmZ", actual=text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TimeError(str(error), actual=text) from error
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


# Hashes of documents that live outside the log


def claim_hash(document: Mapping[str, object]) -> bytes:
    """The 32 bytes that stand for a claim document in its entry."""
    return claim_digest(canonical_json(document))


def identity_hash(document: Mapping[str, object]) -> bytes:
    """The 32 bytes that stand for an identity document in its entry."""
    return identity_digest(canonical_json(document))


def claim_digest(canonical: bytes) -> bytes:
    """claim_hash() of a document whose canonical bytes are at hand."""
    return sha256(b"ledger/claim/v1\0" + canonical).digest()


def identity_digest(canonical: bytes) -> bytes:
    """identity_hash() of a document whose canonical bytes are at hand."""
    return sha256(b"ledger/identity/v1\0" + canonical).digest()


# The parameter file: what is decided once per log, committed to by the first entry


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a log fixes when it starts: its name, when it was made, and the key it signs with first."""

    origin: str
    created: str
    key: VerifierKey
    hash: str = "sha256"
    entry_spec: int = 1
    v: int = 1


def format_parameters(parameters: Parameters) -> bytes:
    """The canonical bytes of a parameter file (log.json), or ParametersError."""
    _check_parameters(parameters)
    return canonical_json(
        {
            "created": parameters.created,
            "entry_spec": parameters.entry_spec,
            "hash": parameters.hash,
            "key": format_vkey(parameters.key),
            "origin": parameters.origin,
            "v": parameters.v,
        }
    )


def parse_parameters(data: bytes) -> Parameters:
    """The parameters behind these bytes, or ParametersError / JsonError / KeySyntax."""
    document = parse_canonical_json(data, max_bytes=16 * 1024)
    fields = {"created": str, "entry_spec": int, "hash": str, "key": str, "origin": str, "v": int}
    if not isinstance(document, dict) or set(document) != set(fields):
        raise ParametersError("not the fields of a parameter file", expected=sorted(fields))
    for field, kind in fields.items():
        if type(document[field]) is not kind:
            raise ParametersError(f"{field}: wrong type", expected=kind.__name__)
    parameters = Parameters(**(document | {"key": parse_vkey(document["key"])}))
    _check_parameters(parameters)
    return parameters


def _check_parameters(parameters: Parameters) -> None:
    if (parameters.v, parameters.entry_spec, parameters.hash) != (1, 1, "sha256"):
        raise ParametersError("this reader knows version 1, entry_spec 1 and sha256")
    if not _ORIGIN_TEXT.fullmatch(parameters.origin):
        raise ParametersError("origin: 2 to 200 characters out of A-Z a-z 0-9 . _ ~ : / -", actual=parameters.origin)
    if parameters.key.name != parameters.origin:
        raise ParametersError("the key is named after the log", expected=parameters.origin, actual=parameters.key.name)
    if parameters.key.algorithm != ED25519:
        raise ParametersError("the first key is an Ed25519 key", expected=ED25519, actual=parameters.key.algorithm)
    try:
        parse_utc_ms(parameters.created)
    except TimeError as error:
        raise ParametersError(f"created: {error.message}", actual=parameters.created) from error


def genesis_prev(parameter_file: bytes) -> bytes:
    """The `prev` of entry 0: SHA-256 of the parameter file, so the whole chain hangs on it."""
    return sha256(parameter_file).digest()
