"""One picture through everything a customer's picture goes through, by the same services: register, prove, verify,
analyse, anchor, and erase again.

It belongs to a seller of its own without people, so it is in nobody's lists. What stays, because a log keeps what it
holds: its entry, its erasure entry, the checkpoints and tokens made for it, and two rows without content.
"""

from __future__ import annotations

import random
import secrets
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from ledger.accounts.services import probe_seller
from ledger.models import ImageFile, ImageState, Original, Statement, TimeAuthority
from ledger.services import authorities, pulse
from ledger.services.anchoring import stamp
from ledger.services.erasure import clean_up, erase_original
from ledger.services.evidence import evidence_of
from ledger.services.job_registry import HEAVY
from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError
from ledger.services.log_state import LogBehindError
from ledger.services.originals import Upload, register_originals
from ledger.services.storage import StorageError
from ledger.services.verification import verify_own
from ledger.tlog.report import Verdict

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
SIDE = 256  # pixels
LOOK_S = 0.2
NAMED = (KeyMissingError, LogForkError, LogNotReadyError, LogBehindError, StorageError)

Now = Callable[[], datetime]


class ProbeError(Exception):
    """A step that did not do what it should; code is stable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail


class StepSkipped(Exception):
    """A step that cannot be tried here; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step and how long it took. state: ok, failed (code says how), skipped (detail says why)."""

    name: str
    state: str
    seconds: float
    code: str = ""
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "seconds": round(self.seconds, 3),
            "code": self.code,
            "detail": self.detail,
        }


@dataclass(slots=True)
class Probe:
    """What was found, step by step; ok when nothing failed."""

    steps: list[Step] = field(default_factory=list)
    entry: int | None = None  # the number of the probe's entry in the log

    @property
    def is_ok(self) -> bool:
        return bool(self.steps) and all(step.state != FAILED for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        status = OK if self.is_ok else FAILED
        return {"status": status, "entry": self.entry, "steps": [step.to_dict() for step in self.steps]}


def probe_picture(seed: int) -> bytes:
    """A PNG of coloured noise in large squares, another one for each seed."""
    draw = random.Random(seed)  # noqa: S311 - a pattern, no secret
    row_of_squares = [[draw.randbytes(3) * 32 for _ in range(SIDE // 32)] for _ in range(SIDE // 32)]
    rows = b"".join((b"\0" + b"".join(squares)) * 32 for squares in row_of_squares)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def run_probe(*, wait_s: float = 60.0, now: Now = timezone.now) -> Probe:
    """Send one picture through. wait_s bounds how long the workers may take; never raises for what it looks for."""
    probe = Probe()
    made: list[Original] = []

    def register() -> str:
        upload = Upload("probe.png", probe_picture(secrets.randbits(64)))
        (answer,) = register_originals(actor=None, seller=probe_seller(), uploads=[upload])
        if answer.original is None:
            raise ProbeError(answer.code, answer.detail)
        made.append(answer.original)
        probe.entry = answer.original.statement.seq
        return f"entry {probe.entry}"

    if not _step(probe, "register", register):
        return probe
    original = made[0]
    _step(probe, "prove", lambda: _prove(original.statement))
    _step(probe, "verify", lambda: _verify(original.statement))
    _step(probe, "analyse", lambda: _await_workers(original, wait_s))
    if _step(probe, "anchor", lambda: _anchor(now)):
        _step(probe, "verify anchored", lambda: _verify(original.statement))
    _step(probe, "erase", lambda: _erase(original))
    return probe


def _step(probe: Probe, name: str, run: Callable[[], str]) -> bool:
    """Do one step and note what became of it; True only when it was done."""
    started = time.monotonic()
    state, code, detail = OK, "", ""
    try:
        detail = run()
    except StepSkipped as skipped:
        state, detail = SKIPPED, str(skipped)
    except ProbeError as error:
        state, code, detail = FAILED, error.code, error.detail
    except NAMED as error:
        state, code, detail = FAILED, error.code, str(error)
    except (DatabaseError, InterfaceError) as error:
        state, code, detail = FAILED, "health_database", str(error).strip()[:300]
    except OSError as error:
        state, code, detail = FAILED, "health_store", error.strerror or type(error).__name__
    probe.steps.append(Step(name, state, time.monotonic() - started, code, detail))
    return state == OK


def _prove(statement: Statement) -> str:
    evidence = evidence_of(statement)
    return f"checkpoint of {evidence.checkpoint.size} entries"


def _verify(statement: Statement) -> str:
    """As a stranger would, under the keys and anchors this site publishes."""
    report = verify_own(statement)
    if report.verdict is not Verdict.PASSED:
        wrong = report.disagreement
        raise ProbeError(wrong.code if wrong and wrong.code else "probe_not_verified", report.summary)
    return report.summary


def _await_workers(original: Original, wait_s: float) -> str:
    if not pulse.is_alive(HEAVY):
        raise StepSkipped("no workers run on this machine")
    deadline = time.monotonic() + wait_s
    while True:
        state = ImageFile.objects.values_list("state", flat=True).get(pk=original.image_id)
        if state == ImageState.READY:
            return "fingerprints and previews made"
        if state != ImageState.SEALED:
            raise ProbeError("probe_not_analysed", f"the picture is {state}")
        if time.monotonic() > deadline:
            raise ProbeError("probe_not_analysed", f"still waiting after {wait_s:.0f} s")
        time.sleep(LOOK_S)


def _anchor(now: Now) -> str:
    """Ask for outside time; a clock that rests or has no calls left is no fault of this site."""
    rows = authorities.askable()
    if not rows:
        raise StepSkipped("no authority is set up")
    failures = {row.pk: row.failures for row in rows}
    tokens = stamp(at_request=True, now=now)
    if tokens:
        return ", ".join(token.authority_name for token in tokens)
    for row in TimeAuthority.objects.filter(pk__in=failures):
        if row.failures > failures[row.pk]:
            raise ProbeError(row.last_error, f"{row.name}: {row.last_error_detail}")
    raise StepSkipped("no authority may be asked at the moment: resting, out of calls, or all stamped")


def _erase(original: Original) -> str:
    erasure = erase_original(actor=None, original=original, reason="request")
    clean_up(erasure.pk)
    return "entries " + ", ".join(map(str, erasure.entries))
