"""Claim and identity documents: every field of every kind is checked."""

import copy
from typing import Any

import pytest

from ledger.tlog.claim_documents import ClaimItem, claim_files, image_registered_claim
from ledger.tlog.claims import SALTED_KINDS, parse_claim, parse_identity, validate_claim, validate_identity
from ledger.tlog.entry import KINDS, canonical_json, claim_hash
from ledger.tlog.errors import ClaimError, ClaimKind, ClaimTooLarge, JsonError, TlogError
from tests.ledger.tlog.sample import PHOTO, claims, digest, who

CLAIMS = claims()
OPTIONAL = {"claimed_at", "category", "title", "product", "shop"}


def places(value, path=()):
    """Every place in a document, as a path of keys and positions."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*path, at))


def changed(document, path, value):
    document = copy.deepcopy(document)
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return document


def without(document, path):
    document = copy.deepcopy(document)
    target = document
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return document


def dotted(path):
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


PLACES = [(kind, path) for kind, document in CLAIMS.items() for path in places(document)]


def test_every_kind_has_a_definition():
    assert set(CLAIMS) == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_claims_round_trip(kind):
    assert parse_claim(kind, canonical_json(CLAIMS[kind])) == CLAIMS[kind]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_optional_fields_may_be_left_out(kind):
    validate_claim(kind, {key: value for key, value in CLAIMS[kind].items() if key not in OPTIONAL})


def test_claims_about_the_log_itself_are_readable_by_strangers():
    assert {"anchor", "key.rotated", "key.revoked", "erasure", "clock.anomaly", "epoch"} == KINDS - SALTED_KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_salt_stands_exactly_in_private_claims(kind):
    assert ("salt" in CLAIMS[kind]) is (kind in SALTED_KINDS)
    document = without(CLAIMS[kind], ("salt",)) if kind in SALTED_KINDS else CLAIMS[kind] | {"salt": "00" * 32}
    with pytest.raises(ClaimError, match="salt"):
        validate_claim(kind, document)


@pytest.mark.parametrize(("kind", "path"), PLACES)
def test_every_field_refuses_other_types(kind, path):
    wrong: list[object] = [None, 1.5, b"x", {"a": 1}, [[]], -(2**60), "\u202e", "", True]
    for value in wrong:
        with pytest.raises(ClaimError) as caught:
            validate_claim(kind, changed(CLAIMS[kind], path, value))
        assert caught.value.field.startswith(dotted(path))


@pytest.mark.parametrize(
    ("kind", "path"), [(k, p) for k, p in PLACES if isinstance(p[-1], str) and p[-1] not in OPTIONAL]
)
def test_every_required_field_is_missed_by_name(kind, path):
    with pytest.raises(ClaimError) as caught:
        validate_claim(kind, without(CLAIMS[kind], path))
    assert caught.value.field == dotted(path)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_unknown_fields_are_refused_at_every_level(kind):
    document = CLAIMS[kind]
    for path in [(), *places(document)]:
        target: Any = document
        for step in path:
            target = target[step]
        if isinstance(target, dict):
            with pytest.raises(ClaimError, match="unknown field"):
                validate_claim(kind, changed(document, (*path, "surplus"), 1))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("image.registered", ("items",), []),
        ("image.registered", ("items", 0, "role"), "painting"),
        ("image.registered", ("items", 0, "sha256"), "AB" * 32),
        ("image.registered", ("items", 0, "size"), 2**53),
        ("image.registered", ("items", 0, "mime"), "image"),
        ("image.registered", ("claimed_at",), "2026-11-21"),
        ("query.recorded", ("threshold",), 101),
        ("query.recorded", ("scope",), "everything"),
        ("query.recorded", ("results", 0, "score_milli"), 100_001),
        ("check.recorded", ("verdict",), "OK"),
        ("derivative.linked", ("matrix_micro",), [1] * 8),
        ("listing.captured", ("url",), "x" * 2001),
        ("listing.captured", ("shop",), "line\nbreak"),
        ("key.rotated", ("new",), "name+00000000+AQ=="),
        ("erasure", ("scope",), ["root"]),
        ("anchor", ("method",), "blockchain"),
    ],
)
def test_values_out_of_range_are_refused(kind, path, value):
    with pytest.raises(ClaimError) as caught:
        validate_claim(kind, changed(CLAIMS[kind], path, value))
    assert caught.value.field.startswith(dotted(path))


def test_a_claim_of_another_kind_is_refused():
    with pytest.raises(ClaimError, match="kind"):
        validate_claim("set.registered", CLAIMS["image.registered"])
    with pytest.raises(ClaimKind):
        validate_claim("image.deleted", CLAIMS["image.registered"])


@pytest.mark.parametrize("document", [None, [], "claim", 1])
def test_a_claim_is_an_object(document):
    with pytest.raises(ClaimError):
        validate_claim("anchor", document)
    with pytest.raises(ClaimError):
        validate_identity(document)


def test_two_thousand_files_fit_and_one_more_does_not():
    items = [ClaimItem("outtake", digest(str(n)), n, "image/jpeg") for n in range(2001)]
    assert len(claim_files(image_registered_claim(digest("s"), items[:2000]))) == 2000
    with pytest.raises(ClaimError):
        image_registered_claim(digest("s"), items)


def test_a_document_over_a_mebibyte_is_refused():
    item = {"role": "r", "sha256": "0" * 64, "size": 2**53 - 1, "mime": "application/" + "x" * 100}
    document = CLAIMS["listing.captured"] | {"files": [item | {"role": "r" * 64}] * 2000, "url": "\U0001f5bc" * 2000}
    assert len(canonical_json(document)) < 1024 * 1024
    validate_claim("listing.captured", document)
    parts = CLAIMS["image.registered"] | {"surplus": "x" * 2**20}
    with pytest.raises((ClaimTooLarge, ClaimError)):
        validate_claim("image.registered", parts)
    with pytest.raises(JsonError):
        parse_claim("image.registered", canonical_json(parts))


def test_files_are_listed_in_order():
    assert [file.role for file in claim_files(CLAIMS["image.registered"])] == ["original", "raw"]
    assert [file.role for file in claim_files(CLAIMS["check.recorded"])] == ["main", "hidden"]
    assert [file.role for file in claim_files(CLAIMS["derivative.linked"])] == ["original", "derivative"]
    assert [file.role for file in claim_files(CLAIMS["packet.built"])] == ["packet", "letter"]
    assert [file.role for file in claim_files(CLAIMS["listing.captured"])] == ["page"]
    assert [file.role for file in claim_files(CLAIMS["anchor"])] == ["token"]
    assert claim_files(CLAIMS["epoch"]) == ()
    assert claim_files(CLAIMS["query.recorded"])[0].size == len(PHOTO)


def test_salt_changes_the_hash():
    first = CLAIMS["image.registered"]
    assert claim_hash(first) != claim_hash(first | {"salt": digest("other salt").hex()})


def test_every_prefix_of_a_claim_is_refused():
    data = canonical_json(CLAIMS["image.registered"])
    for cut in range(len(data)):
        with pytest.raises(TlogError):
            parse_claim("image.registered", data[:cut])


# Identity


def test_identity_round_trips():
    assert parse_identity(canonical_json(who())) == who()


@pytest.mark.parametrize("path", list(places(who())))
def test_every_identity_field_is_checked(path):
    for value in (None, 1.5, {"a": 1}, "", "x\x00y"):
        with pytest.raises(ClaimError) as caught:
            validate_identity(changed(who(), path, value))
        assert caught.value.field.startswith(dotted(path))
    with pytest.raises(ClaimError):
        validate_identity(without(who(), path))
