"""Cosignatures with both algorithms: the known answer verifies, every altered part does not, no tool means no answer."""

from pathlib import Path

import pytest

from ledger.tlog import mldsa
from ledger.tlog.cosignature import MAX_TIME, mldsa_message
from ledger.tlog.errors import SignatureInvalid, SignatureMissing, SignatureUncheckable
from ledger.tlog.note import Note, NoteSignature, VerifierKey, parse_note, parse_vkey, sign_note, verify_note
from tests.vectors.cosignature.regenerate import SIGNERS, TEXT, TIME_S

FOLDER = Path(__file__).parents[2] / "vectors" / "cosignature"
NOTE = parse_note((FOLDER / "checkpoint").read_bytes())
KEYS = [parse_vkey(line) for line in (FOLDER / "keys").read_text().splitlines()]


def test_the_known_answer_verifies_under_all_four_keys():
    assert verify_note(NOTE, KEYS) == tuple(KEYS)
    assert [signer.key for signer in SIGNERS] == KEYS


def test_what_is_signed_is_laid_out_as_the_specification_says():
    message = mldsa_message("witness.example/w2", TEXT, TIME_S)
    assert message[:12] == b"subtree/v1\n\0"
    assert message[12:31] == b"\x12witness.example/w2"
    assert message[31:39] == TIME_S.to_bytes(8, "big")
    assert message[39:58] == b"\x12log.example/sample"
    assert message[58:74] == bytes(8) + (7).to_bytes(8, "big")
    assert len(message) == 74 + 32


@pytest.mark.parametrize("number", range(4))
def test_a_fresh_signature_verifies(number):
    note = parse_note(sign_note(TEXT, [SIGNERS[number]]))
    assert verify_note(note, [KEYS[number]]) == (KEYS[number],)


def altered(number: int, at: int) -> Note:
    lines = list(NOTE.signatures)
    one = lines[number]
    signature = one.signature[:at] + bytes([one.signature[at] ^ 1]) + one.signature[at + 1 :]
    lines[number] = NoteSignature(one.name, one.key_id, signature)
    return Note(NOTE.text, tuple(lines))


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("at", [0, 7, 8, 40, 71])
def test_an_altered_time_or_signature_is_noticed(number, at):
    with pytest.raises(SignatureInvalid):
        verify_note(altered(number, at), [KEYS[number]])


@pytest.mark.parametrize(
    "text", [TEXT.replace(b"\n7\n", b"\n8\n"), TEXT.replace(b"sample", b"simple"), b"a\nb\n", b"x\n"]
)
@pytest.mark.parametrize("number", range(4))
def test_another_text_is_noticed(number, text):
    with pytest.raises(SignatureInvalid):
        verify_note(Note(text, NOTE.signatures), [KEYS[number]])


def test_the_mldsa_signature_commits_to_the_name():
    key = KEYS[3]
    other = VerifierKey("witness.example/w3", key.algorithm, key.public)
    line = NoteSignature(other.name, other.key_id, NOTE.signatures[3].signature)
    with pytest.raises(SignatureInvalid):
        verify_note(Note(NOTE.text, (line,)), [other])


def test_a_time_beyond_the_range_is_refused():
    line = NOTE.signatures[2]
    late = NoteSignature(line.name, line.key_id, (MAX_TIME + 1).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(SignatureInvalid):
        verify_note(Note(NOTE.text, (late,)), [KEYS[2]])


def test_without_a_tool_the_ed25519_signature_decides(monkeypatch):
    monkeypatch.setattr(mldsa, "HAS_MLDSA", False)
    assert verify_note(NOTE, KEYS[:2]) == (KEYS[0],)
    with pytest.raises(SignatureUncheckable):
        verify_note(NOTE, [KEYS[1]])


def test_a_stripped_post_quantum_signature_is_missed_by_whoever_asks_for_it():
    with pytest.raises(SignatureMissing):
        verify_note(Note(NOTE.text, NOTE.signatures[:1]), [KEYS[1]])
