"""A witness: cosigns checkpoints of the logs it was told of, only if each extends the last (C2SP tlog-witness).

    python -m ledger.witness init --dir DIR --name witness.example/w1     make its keys, print them
    python -m ledger.witness trust --dir DIR VKEY                         watch a log
    python -m ledger.witness run --dir DIR [--host 127.0.0.1] [--port 8080]

Needs `cryptography` and nothing else of this project's site, so a law firm or another seller can run it. What it has
seen is durable before a cosignature leaves; a second history and a smaller tree are refused for ever.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ledger.tlog import mldsa
from ledger.tlog.cosignature import Ed25519Cosigner, MlDsaCosigner
from ledger.tlog.errors import TlogError
from ledger.tlog.note import (
    ED25519,
    ML_DSA_44_COSIGNATURE,
    CosignatureSigner,
    VerifierKey,
    format_vkey,
    is_key_name,
    parse_vkey,
    signature_line,
)
from ledger.tlog.witnessing import (
    MAX_REQUEST_BYTES,
    NOTHING,
    SIZE_TYPE,
    Refusal,
    Seen,
    read_request,
    require_consistent,
)

KEY_FILE, LOGS_FILE, STATE_FILE, LOCK_FILE = "witness-key.json", "logs", "state.json", "lock"
TIMEOUT_S = 10.0
TEXT = "text/plain; charset=utf-8"
_SEED = re.compile("[0-9a-f]{64}")


class WitnessError(Exception):
    """The folder of the witness is not usable; the message says why."""


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file so that after a power cut either all of the old or all of the new is there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Witness:
    """Keys, known logs and what was cosigned of each, in one folder that one process holds at a time."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._mutex = threading.Lock()
        self._held = (folder / LOCK_FILE).open("a")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WitnessError(f"another witness runs on {folder}") from error
        self._name, self._seeds = _read_key(folder)
        self._state = self._read_state()

    def close(self) -> None:
        self._held.close()

    def verifier_keys(self) -> list[VerifierKey]:
        return [signer.key for signer in self._signers(0)]

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature lines for a request, or Refusal. Checking and remembering are one step for all requests."""
        request, note, head = read_request(body, read_logs(self._folder))
        with self._mutex:
            seen = require_consistent(request, head, self._state.get(head.origin, NOTHING))
            if self._state.get(head.origin) != seen:
                self._remember(head.origin, seen)
            # Still alone: the time says that no larger tree was seen by then.
            signers = self._signers(int(self._clock()))
            return b"".join(signature_line(signer.key, signer.sign(note.text)) for signer in signers)

    def _signers(self, time_s: int) -> list[CosignatureSigner]:
        signers = [CosignatureSigner(Ed25519Cosigner(self._name, self._seeds["ed25519"], time_s))]
        if "mldsa" in self._seeds and mldsa.HAS_MLDSA:
            signers.append(CosignatureSigner(MlDsaCosigner(self._name, self._seeds["mldsa"], time_s)))
        return signers

    def _remember(self, origin: str, seen: Seen) -> None:
        state = self._state | {origin: seen}
        rows = {name: {"size": row.size, "root": row.root.hex()} for name, row in state.items()}
        write_durably(self._folder / STATE_FILE, json.dumps(rows, sort_keys=True, indent=1).encode())
        self._state = state  # only once it is on disk: a failed write leaves the witness where it was

    def _read_state(self) -> dict[str, Seen]:
        """What was cosigned before. A damaged file stops the witness: forgetting would let it cosign a second history."""
        try:
            rows = json.loads((self._folder / STATE_FILE).read_bytes())
            return {name: Seen(int(row["size"]), bytes.fromhex(row["root"])) for name, row in rows.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WitnessError(
                f"{self._folder / STATE_FILE} is damaged; restore it before cosigning anything"
            ) from error


def _read_key(folder: Path) -> tuple[str, dict[str, bytes]]:
    try:
        row = json.loads((folder / KEY_FILE).read_bytes())
    except FileNotFoundError:
        raise WitnessError(f"{folder} holds no witness; make one with: python -m ledger.witness init") from None
    seeds = {name: bytes.fromhex(row[name]) for name in ("ed25519", "mldsa") if _SEED.fullmatch(row.get(name, ""))}
    if "ed25519" not in seeds:
        raise WitnessError(f"{folder / KEY_FILE} is damaged")
    return row["name"], seeds


def read_logs(folder: Path) -> dict[str, list[VerifierKey]]:
    """The logs to watch, by origin: one verifier key per line, read anew for every request."""
    logs: dict[str, list[VerifierKey]] = {}
    path = folder / LOGS_FILE
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.strip() and not line.startswith("#"):
            key = parse_vkey(line.strip())
            logs.setdefault(key.name, []).append(key)
    return logs


def make_witness(folder: Path, name: str) -> list[VerifierKey]:
    """Make the folder and fresh keys; an existing witness is never overwritten."""
    if not is_key_name(name) or len(name.encode()) > 255:
        raise WitnessError("a witness name has 1 to 255 bytes, no spaces and no plus sign")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / KEY_FILE).exists():
        raise WitnessError(f"{folder} holds a witness already")
    row = {"name": name, "ed25519": secrets.token_hex(32)} | (
        {"mldsa": secrets.token_hex(32)} if mldsa.HAS_MLDSA else {}
    )
    write_durably(folder / KEY_FILE, json.dumps(row).encode())
    witness = Witness(folder)
    try:
        return witness.verifier_keys()
    finally:
        witness.close()


def trust_log(folder: Path, vkey: str) -> VerifierKey:
    """Watch a log under this key as well. A log signs with Ed25519 or ML-DSA-44 keys, named like its origin."""
    key = parse_vkey(vkey)
    if key.algorithm not in (ED25519, ML_DSA_44_COSIGNATURE):
        raise WitnessError("that is the key of a witness, not of a log")
    known = read_logs(folder)
    if key not in known.get(key.name, []):
        lines = (folder / LOGS_FILE).read_bytes() if (folder / LOGS_FILE).exists() else b""
        write_durably(folder / LOGS_FILE, lines + format_vkey(key).encode() + b"\n")
    return key


class _Handler(BaseHTTPRequestHandler):
    """POST <prefix>/add-checkpoint, and nothing else."""

    protocol_version = "HTTP/1.1"
    server_version = "originmark-witness"
    sys_version = ""
    timeout = TIMEOUT_S
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
            self.close_connection = True  # the body is not read, so nothing after it can be
            self._answer(413 if length.isdecimal() else 411, b"a body with its length is needed\n")
            return
        body = self.rfile.read(int(length))
        if self.path.rstrip("/").rpartition("/")[2] != "add-checkpoint":
            self._answer(404, b"POST <prefix>/add-checkpoint\n")
            return
        try:
            self._answer(200, self.server.witness.add_checkpoint(body))
        except Refusal as refusal:
            if refusal.seen_size is not None:
                self._answer(refusal.status, b"%d\n" % refusal.seen_size, SIZE_TYPE)
            else:
                self._answer(refusal.status, refusal.reason.encode() + b"\n")
        except (OSError, TlogError) as error:  # nothing was cosigned
            self.log_error("its own files cannot be used: %s", error)
            self._answer(500, b"the witness cannot use its own files\n")

    def do_GET(self) -> None:
        """The witness's keys, for whoever writes a policy."""
        keys = "".join(format_vkey(key) + "\n" for key in self.server.witness.verifier_keys())
        self._answer(200, keys.encode())

    def _answer(self, status: int, body: bytes, content_type: str = TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        super().__init__(address, _Handler)
        self.witness = witness


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "init":
            keys = make_witness(options.dir, options.name)
            print("".join(format_vkey(key) + "\n" for key in keys), end="")
        elif options.command == "trust":
            key = trust_log(options.dir, options.vkey)
            print(f"watching {key.name} under key {key.key_id.hex()}, SHA-256 {key.fingerprint}")
        else:
            _run(options.dir, options.host, options.port)
    except (WitnessError, TlogError, OSError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1
    return 0


def _run(folder: Path, host: str, port: int) -> None:
    witness = Witness(folder)
    server = WitnessServer((host, port), witness)
    print(f"http://{host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        witness.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledger.witness", description="Cosign logs that only grow.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("init", "make keys"), ("trust", "watch a log"), ("run", "serve")):
        commands.add_parser(name, help=words).add_argument(
            "--dir", type=Path, required=True, help="the witness's folder"
        )
    commands.choices["init"].add_argument("--name", required=True, help="such as witness.example/w1")
    commands.choices["trust"].add_argument("vkey", help="the log's verifier key, from its page Ledger or /log/policy")
    commands.choices["run"].add_argument("--host", default="127.0.0.1")
    commands.choices["run"].add_argument("--port", type=int, default=8080, help="0 takes a free one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
