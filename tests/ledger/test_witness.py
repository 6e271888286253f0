"""The witness program: cosigns what grows, refuses what does not, and remembers across kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.tlog import mldsa
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.errors import Base64Error, WitnessRequest
from ledger.tlog.merkle import consistency_proof, leaf_hash, root_from_leaves
from ledger.tlog.note import Ed25519Signer, Note, format_vkey, parse_note, parse_signature_lines, sign_note, verify_note
from ledger.tlog.witnessing import Refusal, Request, format_request, parse_request
from ledger.witness import STATE_FILE, Witness, WitnessError, WitnessServer, main, make_witness, trust_log

ORIGIN = "log.example/sample"
LOG = Ed25519Signer(ORIGIN, b"\7" * 32)
ENTRIES = [b"%d" % number for number in range(600)]
FORKED = [*ENTRIES[:5], b"another", *ENTRIES[6:]]
NOW = 1_795_276_800


def signed(size: int, entries: list[bytes] = ENTRIES, signer: Ed25519Signer = LOG, origin: str = ORIGIN) -> bytes:
    root = root_from_leaves(leaf_hash(entry) for entry in entries[:size])
    return sign_note(format_checkpoint(Checkpoint(origin, size, root)), [signer])


def body(old: int, new: int, entries: list[bytes] = ENTRIES, **options) -> bytes:
    leaves = [leaf_hash(entry) for entry in entries]

    def read(level: int, start: int, stop: int) -> list[bytes]:
        width = 256**level
        return [root_from_leaves(leaves[at * width : (at + 1) * width]) for at in range(start, stop)]

    return format_request(Request(old, tuple(consistency_proof(old, new, read)), signed(new, entries, **options)))


@pytest.fixture
def folder(tmp_path) -> Path:
    make_witness(tmp_path / "w", "witness.example/w1")
    trust_log(tmp_path / "w", format_vkey(LOG.key))
    return tmp_path / "w"


@pytest.fixture
def witness(folder) -> Iterator[Witness]:
    found = Witness(folder, clock=lambda: NOW)
    yield found
    found.close()


def status(witness: Witness, request: bytes) -> tuple[int, int | None]:
    with pytest.raises(Refusal) as refusal:
        witness.add_checkpoint(request)
    return refusal.value.status, refusal.value.seen_size


# Cosigning --------------------------------------------------------------------------------------------------------


def test_what_grows_is_cosigned_with_both_algorithms(witness):
    for old, new in ((0, 3), (3, 256), (256, 257), (257, 600)):
        lines = parse_signature_lines(witness.add_checkpoint(body(old, new)))
        note = Note(parse_note(signed(new)).text, lines)
        assert verify_note(note, witness.verifier_keys()) == tuple(witness.verifier_keys())
        assert int.from_bytes(lines[0].signature[:8], "big") == NOW


def test_the_same_checkpoint_is_cosigned_again(witness):
    witness.add_checkpoint(body(0, 7))
    assert witness.add_checkpoint(body(7, 7))


def test_each_log_is_remembered_by_itself(witness, folder):
    other = Ed25519Signer("log.example/other", b"\x08" * 32)
    trust_log(folder, format_vkey(other.key))
    witness.add_checkpoint(body(0, 7))
    assert witness.add_checkpoint(body(0, 3, signer=other, origin=other.name))


def test_any_of_several_trusted_keys_of_a_log_will_do(witness, folder):
    renewed = Ed25519Signer(ORIGIN, b"\x09" * 32)
    trust_log(folder, format_vkey(renewed.key))
    witness.add_checkpoint(body(0, 3))
    assert witness.add_checkpoint(body(3, 5, signer=renewed))


# Refusing ---------------------------------------------------------------------------------------------------------


def test_a_smaller_tree_is_refused_for_ever(witness):
    witness.add_checkpoint(body(0, 7))
    assert status(witness, body(0, 3)) == (409, 7)
    assert status(witness, body(3, 5)) == (409, 7)


def test_a_second_history_is_refused(witness):
    witness.add_checkpoint(body(0, 7))
    assert status(witness, body(7, 7, FORKED)) == (409, 7)
    assert status(witness, body(7, 9, FORKED)) == (422, None)
    assert witness.add_checkpoint(body(7, 9))


def test_a_wrong_old_size_is_answered_with_the_right_one(witness):
    assert status(witness, body(2, 7)) == (409, 0)
    witness.add_checkpoint(body(0, 7))
    assert status(witness, body(6, 9)) == (409, 7)


def test_a_proof_that_does_not_hold_is_refused(witness):
    witness.add_checkpoint(body(0, 7))
    head, _, rest = body(7, 9).partition(b"\n\n")
    lines = head.split(b"\n")
    for changed in (lines[:-1], [*lines, lines[-1]], [lines[0], *reversed(lines[1:])]):
        assert status(witness, b"\n".join(changed) + b"\n\n" + rest) == (422, None)


def test_a_proof_from_nothing_is_empty(witness):
    request = parse_request(body(3, 7))
    assert status(witness, format_request(Request(0, request.proof, request.checkpoint))) == (422, None)


def test_unknown_logs_and_unknown_signers_are_told_apart(witness):
    stranger = Ed25519Signer("log.example/stranger", b"\x0a" * 32)
    assert status(witness, body(0, 3, signer=stranger, origin=stranger.name))[0] == 404
    forger = Ed25519Signer(ORIGIN, b"\x0b" * 32)
    assert status(witness, body(0, 3, signer=forger))[0] == 403


def test_an_old_size_beyond_the_checkpoint_is_refused(witness):
    request = parse_request(body(0, 3))
    assert status(witness, format_request(Request(4, (), request.checkpoint)))[0] == 400


@pytest.mark.parametrize(
    "data",
    [b"", b"old 0", b"old 00\n\n", b"old -1\n\n", b"new 0\n\n", b"old 0\nAAA\n\n", b"old 0\nAAAA\n\n", b"old 0\n\nnothing",
     b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n", "old ０\n\n".encode()],
)  # fmt: skip
def test_malformed_requests_are_refused(witness, data):
    assert status(witness, data)[0] == 400


def test_every_cut_of_a_request_is_refused(witness):
    whole = body(0, 3)
    for end in range(len(whole)):
        assert status(witness, whole[:end])[0] in (400, 403)
    assert witness.add_checkpoint(whole)


def test_requests_round_trip():
    for old, new in ((0, 3), (3, 600)):
        assert format_request(parse_request(body(old, new))) == body(old, new)
    with pytest.raises(WitnessRequest):
        format_request(Request(0, (bytes(32),) * 64, b""))
    with pytest.raises((WitnessRequest, Base64Error)):
        parse_request(b"old 1\n" + b"A" * 43 + b"\n\n")


# Remembering ------------------------------------------------------------------------------------------------------


def test_memory_outlives_the_process(folder):
    first = Witness(folder)
    first.add_checkpoint(body(0, 7))
    first.close()
    second = Witness(folder)
    assert status(second, body(0, 3)) == (409, 7)
    second.close()


def test_what_cannot_be_written_down_is_not_cosigned(witness, monkeypatch):
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ledger.witness.write_durably", full)
        with pytest.raises(OSError, match="No space"):
            witness.add_checkpoint(body(0, 7))
    assert witness.add_checkpoint(body(0, 3))  # it still stands at nothing


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": {}}', b'{"a": {"size": 1, "root": "zz"}}'])
def test_a_damaged_memory_stops_the_witness(folder, content):
    (folder / STATE_FILE).write_bytes(content)
    with pytest.raises(WitnessError):
        Witness(folder)


def test_one_process_at_a_time(witness, folder):
    with pytest.raises(WitnessError, match="another witness"):
        Witness(folder)


def test_keys_are_never_overwritten(folder):
    with pytest.raises(WitnessError):
        make_witness(folder, "witness.example/w1")


def test_a_witness_without_mldsa_signs_with_ed25519_alone(folder, monkeypatch):
    monkeypatch.setattr(mldsa, "HAS_MLDSA", False)
    witness = Witness(folder)
    assert len(parse_signature_lines(witness.add_checkpoint(body(0, 3)))) == 1
    witness.close()


def test_two_requests_at_once_never_go_backwards(witness):
    answers: list[int] = []

    def ask(new: int) -> None:
        try:
            witness.add_checkpoint(body(0, new))
            answers.append(new)
        except Refusal as refusal:
            assert refusal.status == 409  # noqa: PT017 - in another thread

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(3, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1
    assert status(witness, body(0, 3))[1] == answers[0]


# Over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(witness) -> Iterator[str]:
    found = WitnessServer(("127.0.0.1", 0), witness)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    found.server_close()


def post(url: str, data: bytes) -> tuple[int, str, bytes]:
    try:
        request = urllib.request.Request(url, data=data)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_the_answers_have_the_statuses_of_the_specification(server):
    url = f"{server}/some/prefix/add-checkpoint"
    code, _, lines = post(url, body(0, 7))
    assert (code, len(parse_signature_lines(lines))) == (200, 2)
    assert post(url, body(0, 3)) == (409, "text/x.tlog.size", b"7\n")
    assert post(url, body(7, 9, FORKED))[0] == 422
    assert post(url, b"nonsense")[0] == 400
    assert post(f"{server}/else", body(7, 9))[0] == 404
    assert post(url, b"x" * 400_000)[0] == 413


def test_its_keys_can_be_read(server, witness):
    with urllib.request.urlopen(server, timeout=10) as answer:  # noqa: S310
        assert answer.read().decode().splitlines() == [format_vkey(key) for key in witness.verifier_keys()]


# As a program -----------------------------------------------------------------------------------------------------


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "ledger.witness", "run", "--dir", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_killed_witness_remembers_what_it_answered(folder):
    size = 0
    for new in (3, 7, 200, 600):
        process, url = start(folder)
        assert post(f"{url}/add-checkpoint", body(size, new))[0] == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        size = new
    assert json.loads((folder / STATE_FILE).read_bytes())[ORIGIN]["size"] == 600


def test_the_program_needs_no_django(folder):
    code = "import sys; sys.modules['django'] = None; import ledger.witness"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_makes_trusts_and_explains(tmp_path, capsys):
    folder = str(tmp_path / "x")
    assert main(["init", "--dir", folder, "--name", "w.example/1"]) == 0
    assert capsys.readouterr().out.startswith("w.example/1+")
    assert main(["trust", "--dir", folder, format_vkey(LOG.key)]) == 0
    assert ORIGIN in capsys.readouterr().out
    assert main(["trust", "--dir", folder, "nonsense"]) == 1
    assert main(["init", "--dir", folder, "--name", "w.example/1"]) == 1
    assert main(["init", "--dir", folder + "2", "--name", "a b"]) == 1
    assert main(["run", "--dir", str(tmp_path / "none")]) == 1
