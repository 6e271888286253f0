"""Entries and the parameter file: one spelling, both directions."""

import dataclasses
import json

import pytest

from ledger.tlog.entry import (
    KINDS,
    MAX_ENTRY_BYTES,
    Entry,
    Parameters,
    canonical_json,
    format_entry,
    format_parameters,
    format_utc_ms,
    genesis_prev,
    parse_entry,
    parse_parameters,
    parse_utc_ms,
)
from ledger.tlog.errors import (
    EntryError,
    EntryField,
    EntryFields,
    EntryTooLarge,
    JsonDuplicateKey,
    JsonNotCanonical,
    JsonNumber,
    JsonSyntax,
    ParametersError,
    TimeError,
    TlogError,
)
from ledger.tlog.note import Ed25519Signer
from tests.ledger.tlog.sample import ORIGIN, PARAMETER_FILE, PARAMETERS, SIGNER, SampleLog

ENTRY = Entry(b"\x01" * 32, "image.registered", ORIGIN, b"\x02" * 32, 7, "2026-11-21T16:00:00.123Z", b"\x03" * 32)
DATA = format_entry(ENTRY)
FIELDS = json.loads(DATA)


def test_sixteen_kinds_exist():
    assert len(KINDS) == 16


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_round_trip_of_every_kind(kind):
    entry = dataclasses.replace(ENTRY, kind=kind)
    assert parse_entry(format_entry(entry)) == entry


def test_bytes_are_canonical_json():
    assert canonical_json(FIELDS) == DATA


def test_longest_entry_stays_within_the_limit():
    entry = dataclasses.replace(ENTRY, kind=max(KINDS, key=len), log="a" * 200, seq=2**53 - 1)
    assert len(format_entry(entry)) <= MAX_ENTRY_BYTES


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("claim", b"\x01" * 31),
        ("prev", b""),
        ("who", b"\x01" * 33),
        ("kind", "image.deleted"),
        ("kind", 'anchor","x":"'),
        ("log", ""),
        ("log", "a"),
        ("log", "log example"),
        ("log", "log+example"),
        ("log", "\u00e9xample"),
        ("log", 'x","seq":1,"y":"x'),
        ("log", "a" * 201),
        ("seq", -1),
        ("seq", 2**53),
        ("seq", True),
        ("ts", "2026-11-21T16:00:00Z"),
        ("ts", "2026-11-21T16:00:00.000+00:00"),
        ("ts", "2026-02-30T16:00:00.000Z"),
        ("ts", "2026-11-21T24:00:00.000Z"),
        ("ts", "2026-11-21T23:59:60.000Z"),
        ("ts", "1969-12-31T23:59:59.999Z"),
        ("ts", "2026-11-21T16:00:00.000Z\n"),
        ("v", 2),
    ],
)
def test_wrong_field_is_named(field, value):
    with pytest.raises(EntryField) as caught:
        format_entry(dataclasses.replace(ENTRY, **{field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize(("field", "value"), [("claim", "00"), ("seq", "7"), ("seq", None), ("log", "\ud800x")])
def test_wrong_type_is_refused(field, value):
    with pytest.raises(EntryError):
        format_entry(dataclasses.replace(ENTRY, **{field: value}))


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_missing_field_is_refused(field):
    document = {key: value for key, value in FIELDS.items() if key != field}
    with pytest.raises(EntryFields, match=field):
        parse_entry(canonical_json(document))


def test_unknown_field_is_refused():
    with pytest.raises(EntryFields, match="extra"):
        parse_entry(canonical_json(FIELDS | {"extra": 1}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("claim", "AB" * 32), ("kind", 5), ("log", 5), ("seq", "7"), ("ts", 5), ("v", "1"), ("v", True)],
)
def test_wrong_value_in_bytes_is_named(field, value):
    with pytest.raises(EntryField) as caught:
        parse_entry(canonical_json(FIELDS | {field: value}))
    assert caught.value.field == field


def test_duplicate_key_is_refused():
    with pytest.raises(JsonDuplicateKey):
        parse_entry(DATA.replace(b'"v":1', b'"v":1,"v":1'))


@pytest.mark.parametrize("number", [b"7.0", b"7e0", b"07", b"+7", b"-0", b"9007199254740992", b"NaN"])
def test_other_spellings_of_numbers_are_refused(number):
    with pytest.raises(TlogError) as caught:
        parse_entry(DATA.replace(b'"seq":7', b'"seq":' + number))
    assert isinstance(caught.value, JsonNumber | JsonNotCanonical | JsonSyntax)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"7", DATA + b"\n", b" " + DATA, DATA + DATA, b"\xef\xbb\xbf" + DATA]
)
def test_other_bytes_are_refused(data):
    with pytest.raises(TlogError):
        parse_entry(data)


def test_escaped_spelling_is_refused():
    with pytest.raises(JsonNotCanonical):
        parse_entry(DATA.replace(b"image", rb"\u0069mage"))


def test_large_input_is_refused_before_parsing():
    with pytest.raises(EntryTooLarge):
        parse_entry(b"{" * (MAX_ENTRY_BYTES + 1))


def test_every_prefix_is_refused():
    for cut in range(len(DATA)):
        with pytest.raises(TlogError):
            parse_entry(DATA[:cut])


def test_every_changed_byte_is_refused_or_gives_another_entry():
    for at in range(len(DATA)):
        for value in range(256):
            changed = DATA[:at] + bytes([value]) + DATA[at + 1 :]
            if changed == DATA:
                continue
            try:
                entry = parse_entry(changed)
            except TlogError:
                continue
            assert entry != ENTRY
            assert format_entry(entry) == changed


# The parameter file


def test_parameters_round_trip():
    assert parse_parameters(PARAMETER_FILE) == PARAMETERS
    assert format_parameters(parse_parameters(PARAMETER_FILE)) == PARAMETER_FILE


def test_first_entry_hangs_on_the_parameter_file():
    assert parse_entry(SampleLog(1).entries[0]).prev == genesis_prev(PARAMETER_FILE)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "other.example/log"},
        {"created": "yesterday"},
        {"hash": "sha1"},
        {"entry_spec": 2},
        {"v": 2},
        {"key": Ed25519Signer("other.example/log", b"\x01" * 32).key},
    ],
)
def test_contradicting_parameters_are_refused(change):
    with pytest.raises(ParametersError):
        format_parameters(dataclasses.replace(PARAMETERS, **change))


def test_parameters_with_a_missing_or_mistyped_field_are_refused():
    document = json.loads(PARAMETER_FILE)
    for field in document:
        with pytest.raises(ParametersError):
            parse_parameters(canonical_json({k: v for k, v in document.items() if k != field}))
        with pytest.raises(ParametersError):
            parse_parameters(canonical_json(document | {field: []}))


def test_every_prefix_of_the_parameter_file_is_refused():
    for cut in range(len(PARAMETER_FILE)):
        with pytest.raises(TlogError):
            parse_parameters(PARAMETER_FILE[:cut])


def test_parameters_of_another_origin_need_another_key():
    origin = "second.example/log"
    parameters = Parameters(origin, PARAMETERS.created, Ed25519Signer(origin, SIGNER.seed).key)
    assert parse_parameters(format_parameters(parameters)) == parameters


# Time


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_001, "2000-02-29T00:00:00.001Z"),
        (1_795_276_800_123, "2026-11-21T16:00:00.123Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_time_both_ways(milliseconds, text):
    assert format_utc_ms(milliseconds) == text
    assert parse_utc_ms(text) == milliseconds


@pytest.mark.parametrize("milliseconds", [-1, 253_402_300_800_000])
def test_times_outside_the_calendar_are_refused(milliseconds):
    with pytest.raises(TimeError):
        format_utc_ms(milliseconds)


def test_digits_of_other_scripts_are_no_time():
    with pytest.raises(TimeError):
        parse_utc_ms("２026-11-21T16:00:00.000Z")


@pytest.mark.parametrize("field", ["claim", "kind", "log", "prev", "seq", "ts", "v", "who"])
@pytest.mark.parametrize("value", [[], {}, [[]], True, "", "x"])
def test_a_field_of_any_other_type_is_an_entry_error(field, value):
    """A list as kind once ended the parser without a name (found by fuzzing)."""
    with pytest.raises(EntryError):
        parse_entry(canonical_json(json.loads(SampleLog(1).entries[0]) | {field: value}))
