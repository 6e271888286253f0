"""Canonical JSON: held to the rfc8785 library on random documents, strict on everything else."""

import unicodedata

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog.entry import canonical_json, claim_hash, identity_hash, parse_canonical_json
from ledger.tlog.errors import (
    JsonDuplicateKey,
    JsonError,
    JsonKey,
    JsonNotCanonical,
    JsonNumber,
    JsonSyntax,
    JsonText,
    JsonTooDeep,
    JsonTooLarge,
    JsonType,
)

LARGEST = 2**53 - 1
scalars = st.booleans() | st.integers(-LARGEST, LARGEST) | st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(max_codepoint=127), max_size=8)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


@given(documents)
def test_bytes_equal_those_of_the_rfc8785_library(document):
    try:
        data = canonical_json(document)
    except JsonTooDeep:
        return
    assert data == rfc8785.dumps(document)
    assert parse_canonical_json(data) == document


@given(st.binary(max_size=64))
def test_any_bytes_are_parsed_or_refused_by_name(data):
    try:
        document = parse_canonical_json(data)
    except JsonError:
        return
    assert canonical_json(document) == data


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 0])
def test_integers_below_2_53_pass(value):
    assert parse_canonical_json(canonical_json({"n": value})) == {"n": value}


@pytest.mark.parametrize("value", [2**53, -(2**53), 10**30, 1.0, float("nan"), float("inf")])
def test_other_numbers_are_refused(value):
    with pytest.raises(JsonNumber):
        canonical_json({"n": value})


@pytest.mark.parametrize("value", [None, b"", {1}, object()])
def test_other_types_are_refused(value):
    with pytest.raises(JsonType):
        canonical_json([value])


@pytest.mark.parametrize("key", ["\u00e9", 1, None, True])
def test_keys_outside_ascii_text_are_refused(key):
    with pytest.raises(JsonKey):
        canonical_json({key: 1})


@pytest.mark.parametrize("text", ["\ud800", "x\udfff", "\ude00\ud83d"])
def test_lone_surrogates_are_refused(text):
    with pytest.raises(JsonText):
        canonical_json({"t": text})


@pytest.mark.parametrize("data", [rb'"\ud800"', rb'{"t":"\udfff"}'])
def test_escaped_lone_surrogates_are_refused(data):
    with pytest.raises(JsonText):
        parse_canonical_json(data)


def test_surrogates_written_as_utf8_are_refused():
    with pytest.raises(JsonSyntax):
        parse_canonical_json(b'"\xed\xa0\x80"')


@pytest.mark.parametrize("data", [b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"x":{"b":[],"b":[]}}', rb'{"a":1,"\u0061":2}'])
def test_duplicate_keys_are_refused(data):
    with pytest.raises(JsonDuplicateKey):
        parse_canonical_json(data)


@pytest.mark.parametrize(
    "data", [b"1.0", b"1e2", b"-1.5", b"NaN", b"Infinity", b"-Infinity", b"9007199254740992", b"9" * 5000]
)
def test_fractions_and_large_numbers_in_bytes_are_refused(data):
    with pytest.raises(JsonNumber):
        parse_canonical_json(data)


@pytest.mark.parametrize(
    "data",
    [b'{"b":1,"a":2}', b'{"a": 1}', b"[1, 2]", b"[1]\n", rb'"\u0041"', rb'"\/"', b"-0", rb'"\u001F"', b"{ }"],
)
def test_other_spellings_are_refused(data):
    with pytest.raises(JsonNotCanonical):
        parse_canonical_json(data)


@pytest.mark.parametrize("data", [b"", b"{", b"{'a':1}", b"[1,]", b"\xff", b"01", b"nul", b'"\x01"', b"[1] [2]"])
def test_what_is_not_json_is_refused(data):
    with pytest.raises(JsonSyntax):
        parse_canonical_json(data)


@pytest.mark.parametrize("data", [b"null", b'{"a":null}'])
def test_null_is_refused(data):
    with pytest.raises(JsonType):
        parse_canonical_json(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening):
    with pytest.raises((JsonTooDeep, JsonSyntax)):
        parse_canonical_json(opening * 100_000)
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(JsonTooDeep):
        parse_canonical_json(opening * 17 + b"1" + closing * 17)


def test_large_documents_are_refused_unparsed():
    with pytest.raises(JsonTooLarge):
        parse_canonical_json(b" " * 11, max_bytes=10)


def test_composed_and_decomposed_text_stay_two_documents():
    composed = "\u00e9"
    decomposed = unicodedata.normalize("NFD", composed)
    for text in (composed, decomposed):
        assert parse_canonical_json(canonical_json({"t": text})) == {"t": text}
    assert claim_hash({"t": composed}) != claim_hash({"t": decomposed})


def test_claim_and_identity_hashes_are_kept_apart():
    assert claim_hash({"a": 1}) != identity_hash({"a": 1})
