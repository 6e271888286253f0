"""Signed notes and keys: strict text, known keys only, awkward sets of signatures."""

import dataclasses

import pytest

from ledger.tlog import b64, ed25519, mldsa
from ledger.tlog.errors import (
    Base64Error,
    KeyAlgorithm,
    KeySyntax,
    NoteSyntax,
    NoteTooLarge,
    SignatureInvalid,
    SignatureMissing,
    SignatureRepeated,
    SignatureUncheckable,
    SigningUnavailable,
    TlogError,
)
from ledger.tlog.note import (
    ED25519,
    ML_DSA_44_COSIGNATURE,
    Ed25519Signer,
    VerifierKey,
    format_vkey,
    key_id,
    parse_note,
    parse_vkey,
    sign_note,
    signature_line,
    verify_note,
)
from tests.ledger.tlog.sample import OTHER_SIGNER, SIGNER, WITNESS

TEXT = b"log.example/sample\n5\ncm9vdA==\n"
NOTE = sign_note(TEXT, [SIGNER])
# A note and key published with the first implementation of the format (Go, golang.org/x/mod/sumdb/note).
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


@dataclasses.dataclass(frozen=True)
class PostQuantum:
    """A signer of a kind that is carried but not checked."""

    name: str

    @property
    def key(self):
        return VerifierKey(self.name, ML_DSA_44_COSIGNATURE, b"\x05" * 1312)

    def sign(self, message):
        return b"\x06" * 2428


def verified(note, *keys):
    return verify_note(parse_note(note), keys)


# Keys


@pytest.mark.parametrize("key", [SIGNER.key, WITNESS.key, PostQuantum("pq.example").key])
def test_keys_round_trip(key):
    assert parse_vkey(format_vkey(key)) == key


def test_key_of_another_implementation_is_read():
    assert format_vkey(parse_vkey(GO_KEY)) == GO_KEY


def test_key_id_is_the_start_of_a_hash_over_name_algorithm_and_key():
    assert key_id("PeterNeumann", ED25519, parse_vkey(GO_KEY).public).hex() == "c74f20a3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("Peter", "Meter"),
        GO_KEY.replace("PeterNeumann", ""),
        GO_KEY.replace("PeterN", "Peter N"),
        GO_KEY + "=",
        GO_KEY + "\n",
        GO_KEY[:-4],
        "name+00000000+",
        "name+00000000+AQ==",
    ],
)
def test_malformed_keys_are_refused(text):
    with pytest.raises(KeySyntax):
        parse_vkey(text)


def test_unknown_algorithms_are_refused_by_name():
    with pytest.raises(KeyAlgorithm):
        format_vkey(VerifierKey("name", 0x02, b"\x01" * 32))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u3000b", "a\x01b", "a\nb", "\ud800"])
def test_names_with_spaces_plus_or_control_characters_are_refused(name):
    with pytest.raises(KeySyntax):
        format_vkey(VerifierKey(name, ED25519, b"\x01" * 32))


# Signing and verifying


def test_note_of_another_implementation_verifies():
    assert verified(GO_NOTE, parse_vkey(GO_KEY)) == (parse_vkey(GO_KEY),)


def test_ed25519_agrees_with_rfc_8032():
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519.public_key(seed) == public
    assert ed25519.sign(seed, b"\x72") == signature


def test_signed_note_verifies_and_splits():
    note = parse_note(NOTE)
    assert note.text == TEXT
    assert verify_note(note, [SIGNER.key]) == (SIGNER.key,)


def test_text_may_hold_empty_lines():
    text = b"first\n\nsecond\n"
    assert parse_note(sign_note(text, [SIGNER])).text == text


def test_cosignature_covers_its_time():
    note = sign_note(TEXT, [SIGNER, WITNESS])
    assert verified(note, WITNESS.key) == (WITNESS.key,)
    later = signature_line(WITNESS.key, (1).to_bytes(8, "big") + WITNESS.sign(TEXT)[8:])
    with pytest.raises(SignatureInvalid):
        verified(NOTE + later, WITNESS.key)


def test_unknown_signatures_are_ignored():
    note = sign_note(TEXT, [OTHER_SIGNER, PostQuantum("pq.example"), SIGNER, WITNESS])
    assert verified(note, SIGNER.key) == (SIGNER.key,)


def test_no_known_signature_is_an_error():
    with pytest.raises(SignatureMissing):
        verified(NOTE, OTHER_SIGNER.key)
    with pytest.raises(SignatureMissing):
        verified(NOTE)


def test_same_name_with_another_id_does_not_count():
    with pytest.raises(SignatureMissing):
        verified(NOTE, Ed25519Signer(SIGNER.name, b"\x09" * 32).key)


def test_same_id_with_another_name_does_not_count():
    line = f"\u2014 other.example {b64.encode(SIGNER.key.key_id + SIGNER.sign(TEXT))}\n".encode()
    with pytest.raises(SignatureMissing):
        verified(TEXT + b"\n" + line, SIGNER.key)


def test_a_wrong_signature_spoils_a_note_with_a_right_one():
    note = NOTE + signature_line(WITNESS.key, bytes(72))
    with pytest.raises(SignatureInvalid):
        verified(note, SIGNER.key, WITNESS.key)


def test_one_key_signing_twice_is_refused():
    with pytest.raises(SignatureRepeated):
        verified(NOTE + signature_line(SIGNER.key, SIGNER.sign(TEXT)), SIGNER.key)


# Two keys of one name whose 4-byte ids are equal, found by trying some 46,000: an id protects against nothing.
TWINS = [Ed25519Signer("x.example", seed.to_bytes(32, "big")) for seed in (44_754, 46_628)]


def test_a_forged_key_with_the_same_id_does_not_sign_for_the_known_one():
    known, forged = TWINS
    assert known.key.key_id == forged.key.key_id
    with pytest.raises(SignatureInvalid):
        verified(sign_note(TEXT, [forged]), known.key)


def test_of_two_known_keys_with_one_id_the_fitting_one_counts():
    first, second = TWINS
    for signer in TWINS:
        assert verified(sign_note(TEXT, [signer]), first.key, second.key) == (signer.key,)


CHECKPOINT = b"log.example/sample\n5\n" + b64.encode(bytes(32)).encode() + b"\n"


def test_post_quantum_signature_alone_cannot_be_checked_without_a_tool(monkeypatch):
    monkeypatch.setattr(mldsa, "HAS_MLDSA", False)
    signer = PostQuantum("pq.example")
    with pytest.raises(SignatureUncheckable):
        verified(sign_note(CHECKPOINT, [signer]), signer.key)


def test_post_quantum_signature_beside_a_checkable_one_is_no_obstacle(monkeypatch):
    monkeypatch.setattr(mldsa, "HAS_MLDSA", False)
    signer = PostQuantum("pq.example")
    assert verified(sign_note(CHECKPOINT, [signer, SIGNER]), signer.key, SIGNER.key) == (SIGNER.key,)


@pytest.mark.parametrize("length", [1, 63, 65, 72])
def test_signature_of_another_length_is_invalid(length):
    with pytest.raises(SignatureInvalid):
        verified(TEXT + b"\n" + signature_line(SIGNER.key, b"\x01" * length), SIGNER.key)


def test_a_key_id_without_a_signature_is_refused():
    with pytest.raises(NoteSyntax):
        parse_note(TEXT + b"\n" + signature_line(SIGNER.key, b""))


def test_sixteen_signatures_are_accepted_and_thirty_three_are_not():
    signers = [Ed25519Signer(f"key{n}.example", bytes([n]) * 32) for n in range(33)]
    assert len(verified(sign_note(TEXT, signers[:16]), *(signer.key for signer in signers))) == 16
    with pytest.raises(NoteSyntax):
        sign_note(TEXT, signers)


# Strict text


@pytest.mark.parametrize(
    "note",
    [
        b"",
        TEXT,
        TEXT + b"\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"x",
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"\n\n", b"\n"),
        NOTE.replace(b"5", b"\t"),
        NOTE.replace(b"5", b"\xff"),
        NOTE.replace("\u2014".encode(), b"-"),
        NOTE.replace("\u2014 ".encode(), "\u2014  ".encode()),
        NOTE.replace(b"\n\n", b"\n\nremark\n"),
    ],
)
def test_malformed_notes_are_refused(note):
    with pytest.raises((NoteSyntax, Base64Error)):
        parse_note(note)


def test_large_notes_are_refused():
    with pytest.raises(NoteTooLarge):
        parse_note(b"x" * 300_000)


@pytest.mark.parametrize("text", [b"", b"no newline", b"a\rb\n", b"\xff\n"])
def test_such_text_is_not_signed(text):
    with pytest.raises(NoteSyntax):
        sign_note(text, [SIGNER])


def test_a_note_without_signers_is_refused():
    with pytest.raises(NoteSyntax):
        sign_note(TEXT, [])


def test_every_changed_byte_is_refused():
    for at in range(len(NOTE)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = NOTE[:at] + bytes([NOTE[at] ^ flip]) + NOTE[at + 1 :]
            with pytest.raises(TlogError):
                verified(changed, SIGNER.key)


def test_every_prefix_is_refused():
    for cut in range(len(NOTE)):
        with pytest.raises(TlogError):
            verified(NOTE[:cut], SIGNER.key)


# Base64


@pytest.mark.parametrize(
    "text", ["QQ", "QQ=", "QR==", "QUJ=", "Q Q==", "QQ==\n", "QQ==QQ==", "-_==", "====", "\u00e9A=="]
)
def test_other_spellings_of_base64_are_refused(text):
    with pytest.raises(Base64Error):
        b64.decode(text)


def test_base64_round_trips():
    for length in range(70):
        data = bytes(range(length))
        assert b64.decode(b64.encode(data)) == data


# Ways to check a signature


def test_openssl_agrees_with_cryptography(monkeypatch):
    key, other, signature = SIGNER.key, OTHER_SIGNER.key, SIGNER.sign(TEXT)
    monkeypatch.setattr(ed25519, "HAS_CRYPTOGRAPHY", False)
    assert verified(NOTE, key) == (key,)
    with pytest.raises(SignatureInvalid):
        ed25519.verify(key.public, TEXT + b"x", signature)
    with pytest.raises(SignatureInvalid):
        ed25519.verify(other.public, TEXT, signature)


def test_without_either_tool_nothing_is_claimed(monkeypatch, tmp_path):
    key = SIGNER.key
    monkeypatch.setattr(ed25519, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureUncheckable):
        verified(NOTE, key)
    with pytest.raises(SigningUnavailable):
        ed25519.sign(b"\x01" * 32, TEXT)


@pytest.mark.parametrize("script", ["exit 1", "echo unknown option >&2; exit 1", "exit 0"])
def test_an_openssl_that_cannot_do_it_decides_nothing(monkeypatch, tmp_path, script):
    program = tmp_path / "openssl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    key = SIGNER.key
    monkeypatch.setattr(ed25519, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureUncheckable):
        verified(NOTE, key)


def test_a_seed_is_never_printed():
    assert SIGNER.seed.hex() not in repr(SIGNER)
    assert "seed" not in repr(SIGNER)
