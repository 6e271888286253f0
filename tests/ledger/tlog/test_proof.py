"""Offline proofs as text."""

import pytest

from ledger.tlog.errors import ProofSyntax
from ledger.tlog.proof import Proof, format_proof, parse_proof
from tests.ledger.tlog.sample import SampleLog

LOG = SampleLog(13)
PROOF = LOG.proof(6)
DATA = format_proof(PROOF)


def test_first_lines_are_those_of_the_specification():
    assert DATA.startswith(b"c2sp.org/tlog-proof@v1\nindex 6\n")
    assert DATA.endswith(b"\n\n" + PROOF.checkpoint)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 13])
def test_proofs_round_trip(size):
    log = SampleLog(size)
    for index in range(size):
        proof = log.proof(index)
        assert parse_proof(format_proof(proof)) == proof


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\nindex 6\n",
        b"c2sp.org/tlog-proof@v1\nindex 6\n\n",
        DATA.replace(b"@v1", b"@v2"),
        DATA.replace(b"\nindex", b"\nextra QQ==\nindex"),
        DATA.replace(b"index 6", b"index 06"),
        DATA.replace(b"index 6", b"index  6"),
        DATA.replace(b"index 6", b"index -6"),
        DATA.replace(b"index 6", b"index"),
        DATA.replace(b"index 6", b"index 6 "),
        DATA.replace(b"index 6\n", b""),
        DATA.replace(b"\n", b"\r\n"),
        DATA.replace(b"index 6\n", b"index 6\nAAAA\n"),
        DATA.replace(b"index 6\n", b"index 6\nnot base64\n"),
        DATA.replace(b"index 6\n", b"index 6\n\xff\n"),
        DATA.replace(b"index 6\n", b"index 6\n" + (b"A" * 43 + b"=\n") * 64),
    ],
)
def test_malformed_proofs_are_refused(data):
    with pytest.raises(ProofSyntax):
        parse_proof(data)


@pytest.mark.parametrize(
    "proof", [Proof(-1, (), b"x"), Proof(0, (b"short",), b"x"), Proof(0, (b"\x01" * 32,) * 64, b"x")]
)
def test_impossible_proofs_are_not_written(proof):
    with pytest.raises(ProofSyntax):
        format_proof(proof)


def test_every_prefix_of_the_path_is_refused():
    for cut in range(len(DATA) - len(PROOF.checkpoint) + 1):
        with pytest.raises(ProofSyntax):
            parse_proof(DATA[:cut])


def test_every_changed_byte_is_refused_or_gives_another_proof():
    for at in range(len(DATA)):
        for flip in (0x01, 0x02, 0x04, 0x20, 0x80):
            changed = DATA[:at] + bytes([DATA[at] ^ flip]) + DATA[at + 1 :]
            try:
                proof = parse_proof(changed)
            except ProofSyntax:
                continue
            assert proof != PROOF
            assert format_proof(proof) == changed


def test_proof_at_a_million_entries_fits_in_640_bytes_of_hashes():
    path = (b"\x01" * 32,) * 20
    assert sum(map(len, path)) == 640
    assert len(format_proof(Proof(999_999, path, PROOF.checkpoint))) < 1300
