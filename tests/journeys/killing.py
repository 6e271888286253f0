"""A story of kill -9: photos keep coming through the web and the command line while processes die at random.

Roles are the processes of `manage.py up`, and the registering command itself.

run_story() starts `manage.py up` on directories of its own, kills, measures how long each part of the service was away,
and compares what was acknowledged with what is in the log. It needs Linux (/proc) and no Django in this process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import psycopg

from tests.images import jpeg_bytes, product_photo

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("web", "web worker", "fast", "heavy", "worker", "clock", "pixels", "command", "supervisor")
AWAY_MAX_S = 15.0
RESTART_MAX_S = 5.0
PATIENCE_S = 90.0
PHOTOS_PER_COMMAND = 40  # two transactions: a command can be killed between them
PASSWORD = "a calm harbour at dusk"


Draw = Callable[[int], bytes]  # a photo's file for each number, all different


def draw(number: int) -> bytes:
    return jpeg_bytes(product_photo(number, (300, 400)))


@dataclass(slots=True)
class Kill:
    """One kill, and how long it took until pages came and until a job of each queue had ended."""

    role: str
    web_s: float
    jobs_s: float
    orphans: int = 0  # processes still there 2 s after the supervisor was killed


@dataclass(slots=True)
class Story:
    kills: list[Kill] = field(default_factory=list)
    acknowledged: list[dict[str, object]] = field(default_factory=list)
    audit: dict[str, object] = field(default_factory=dict)
    exit_code: int | None = None
    seconds: float = 0.0
    stop_s: float = 0.0
    left_over: int = 0
    zombies: int = 0


class Service:
    """`manage.py up` on a folder of its own."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        self.log = folder / "up.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://localhost:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "ORIGINMARK_DATA": str(folder / "data"),
            "ORIGINMARK_KEYS": str(folder / "keys"),
            "ORIGINMARK_DATABASE_URL": database_url,
            "ORIGINMARK_VENV": "off",
            "ORIGINMARK_PUBLIC_URL": "",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until the web server answered."""
        started = time.monotonic()
        command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.folder)
        self.wait_for(self.answers, "the web server to answer")
        return time.monotonic() - started

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    def alias(self) -> dict[str, str]:
        """The environment for commands beside the service: they spell the folder otherwise, to be no family of it."""
        return self.environment | {"ORIGINMARK_DATA": f"{self.folder}/./data"}

    def answers(self) -> bool:
        """Asked many times while the service starts, so by a client that costs next to nothing."""
        asking = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            asking.request("GET", "/accounts/login/", headers={"Host": "localhost"})
            return asking.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            asking.close()

    def wait_for(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> float:
        started = time.monotonic()
        while not condition():
            waited = time.monotonic() - started
            assert waited < patience_s, f"waited {waited:.0f} s for {what}\n{self.log.read_text()[-4000:]}"
            time.sleep(0.05)
        return time.monotonic() - started

    def pid_of(self, child: str) -> int:
        """The process of a child of the supervisor, as its log told last."""
        found = re.findall(rf"^{child} started, process (\d+)$", self.log.read_text(), re.MULTILINE)
        return int(found[-1])

    def find(self, role: str) -> int | None:
        """A process that plays this role now, or None."""
        if role == "supervisor":
            return self.pid
        if role in ("web", "fast", "heavy", "clock"):
            return self.pid_of(role)
        if role == "web worker":
            return _one_of(children_of(self.pid_of("web")))
        below = [process for queue in ("fast", "heavy") for process in children_of(self.pid_of(queue))]
        if role == "worker":  # also the processes that fetch jobs and collect results
            return _one_of(below)
        return _one_of([process for worker in below for process in children_of(worker)])

    def family(self) -> list[int]:
        """Every process started for this folder, whoever its parent is now."""
        mark = f"ORIGINMARK_DATA={self.folder / 'data'}\0".encode()
        return [pid for pid in processes() if mark in _read(pid, "environ") and _read(pid, "cmdline")]

    def stop(self) -> tuple[int, float]:
        """What Ctrl-C does: (exit code, seconds)."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, time.monotonic() - started


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _status(pid: int) -> tuple[str, int]:
    """(state letter, parent)."""
    after_name = _read(pid, "stat").rpartition(b") ")[2].split()
    return (after_name[0].decode(), int(after_name[1])) if after_name else ("", 0)


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waiting to be reaped."""
    return _status(pid)[0] not in ("", "Z")


def children_of(parent: int) -> list[int]:
    return [pid for pid in processes() if _status(pid)[1] == parent]


def zombies_of(parent: int) -> list[int]:
    return [pid for pid in children_of(parent) if _status(pid)[0] == "Z"]


def _one_of(pids: list[int]) -> int | None:
    return random.choice(pids) if pids else None


class Uploads(threading.Thread):
    """A person whose browser sends photo after photo, and sends again what got no answer."""

    def __init__(self, service: Service, draw: Draw) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.draw = draw
        self.acknowledged: list[dict[str, object]] = []
        self.repeated = 0
        self.ended = threading.Event()
        self.client = httpx.Client(base_url=service.base, timeout=30, trust_env=False)

    def join_as_owner(self) -> None:
        link = re.findall(r"First sign-in: (\S+)", self.service.log.read_text())[-1]
        self.client.get(link)
        fields = {"email": "lin@example.org", "password": PASSWORD, "seller_name": "Harbour"}
        answer = self.client.post(link, data=fields | self._token(), headers={"Referer": self.service.base})
        assert answer.status_code == 302, answer.text[:2000]

    def _token(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": self.client.cookies["csrftoken"]}

    def run(self) -> None:
        self.client.get("/originals/register/")
        number = 0
        while not self.ended.is_set():
            content = self.draw(100_000 + number)
            self._send_until_answered(number, content)
            number += 1

    def _send_until_answered(self, number: int, content: bytes) -> None:
        """The request id makes repeating harmless; an answer with any other status than 200 is no receipt."""
        headers = {"Accept": "application/json", "Referer": self.service.base}
        while True:
            try:
                answer = self.client.post(
                    "/originals/register/",
                    data={"request_id": f"story-{number}"} | self._token(),
                    files={"files": (f"{number}.jpg", content, "image/jpeg")},
                    headers=headers,
                )
                if answer.status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            self.repeated += 1
            time.sleep(0.2)
        line = answer.json()["results"][0]
        sha256 = hashlib.sha256(content).hexdigest()
        self.acknowledged.append({"sha256": sha256, "seq": line["seq"], "leaf_hash": line["leaf_hash"]})


class Commands(threading.Thread):
    """Folder after folder is registered by the command; one that was killed is started again on the same folder."""

    def __init__(self, service: Service, draw: Draw) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.draw = draw
        self.acknowledged: list[dict[str, object]] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.failed = ""
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set() and not self.failed:
            folder = self.service.folder / "photos" / f"{number:04d}"
            folder.mkdir(parents=True)
            for photo in range(PHOTOS_PER_COMMAND):
                (folder / f"{photo:05d}.jpg").write_bytes(self.draw(number * PHOTOS_PER_COMMAND + photo))
            while self._register(folder) == -signal.SIGKILL:
                pass
            number += 1

    def _register(self, folder: Path) -> int:
        lines, errors = folder.with_suffix(".jsonl"), folder.with_suffix(".log")
        command = self.service.command("register", str(folder), "--seller", "by-command", "--json")
        with lines.open("wb") as out, errors.open("wb") as problems:
            self.process = subprocess.Popen(command, env=self.service.alias(), stdout=out, stderr=problems)
            code = self.process.wait()
        # A line cut short by the kill is no receipt.
        whole = [line for line in lines.read_text().splitlines(keepends=True) if line.endswith("\n")]
        self.acknowledged += [json.loads(line) for line in whole]
        if code not in (0, -signal.SIGKILL):
            self.failed = errors.read_text()
        return code


def run_story(folder: Path, *, kills: int, draw: Draw = draw, seed: int = 0, database_url: str = "") -> Story:
    """Kill `kills` processes while photos are registered by command and uploaded the whole time."""
    random.seed(seed)
    story = Story()
    service = Service(folder, database_url)
    service.start()
    uploads, commands = Uploads(service, draw), Commands(service, draw)
    uploads.join_as_owner()
    uploads.start()
    commands.start()
    started = time.monotonic()
    for role in _roles(kills):
        story.kills.append(_kill(service, role, commands))
    story.seconds = time.monotonic() - started
    for thread in (uploads, commands):
        thread.ended.set()
        thread.join(PATIENCE_S * 2)
        assert not thread.is_alive()
    assert not commands.failed, commands.failed
    story.acknowledged = uploads.acknowledged + commands.acknowledged
    service.wait_for(lambda: unfinished_jobs(service) == 0, "the jobs to end", PATIENCE_S * 4)
    time.sleep(1.0)
    story.zombies = len(zombies_of(service.pid))
    story.exit_code, story.stop_s = service.stop()
    story.left_over = len(service.family())
    story.audit = audit(service, story.acknowledged)
    return story


def _roles(kills: int) -> list[str]:
    """Every role about equally often, in random order."""
    roles = [ROLES[number % len(ROLES)] for number in range(kills)]
    random.shuffle(roles)
    return roles


def _kill(service: Service, role: str, commands: Commands) -> Kill:
    def find() -> int | None:
        if role == "command":
            return commands.process.pid if commands.process and commands.process.poll() is None else None
        return service.find(role)

    service.wait_for(lambda: find() is not None, f"a process for {role}", 60)
    time.sleep(random.uniform(0.0, 1.5))
    while not was_killed(find()):
        time.sleep(0.01)
    killed, killed_at = time.monotonic(), datetime.now(UTC)
    orphans = 0
    if role == "supervisor":
        assert service.process is not None
        service.process.wait()
        orphans = _orphans(service)
        killed = time.monotonic()
        web_s = service.start()
    else:
        time.sleep(0.05)
        service.wait_for(service.answers, "pages")
        web_s = time.monotonic() - killed
    service.wait_for(lambda: ended_after(service, killed_at) == {"fast", "heavy"}, "a job of each queue to end")
    return Kill(role, round(web_s, 2), round(time.monotonic() - killed, 2), orphans)


def was_killed(pid: int | None) -> bool:
    """Whether that process was there to be killed."""
    with contextlib.suppress(ProcessLookupError):
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _orphans(service: Service) -> int:
    deadline = time.monotonic() + 2.0
    while service.family() and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(service.family())


def audit(service: Service, acknowledged: list[dict[str, object]]) -> dict[str, object]:
    done = _ask(service, "audit", json.dumps(acknowledged))
    return dict(json.loads(done))


def run_beside(service: Service, *arguments: str) -> None:
    """Run another command on the same data, whether the service runs or not."""
    subprocess.run(service.command(*arguments), env=service.alias(), check=True, capture_output=True)


def _ask(service: Service, question: str, stdin: str = "") -> str:
    command = [sys.executable, "-m", "tests.journeys.audit", question]
    done = subprocess.run(
        command, env=service.alias(), input=stdin, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _rows(service: Service, statement: str) -> list[tuple[object, ...]]:
    """Read the jobs table without Django, which costs a second per start."""
    url = service.environment["ORIGINMARK_DATABASE_URL"]
    if url:
        with psycopg.connect(url) as connection:
            return list(connection.execute(statement).fetchall())
    place = service.folder / "data" / "originmark.sqlite3"
    with contextlib.closing(sqlite3.connect(place, timeout=20)) as file:
        return list(file.execute(statement).fetchall())


def ended_after(service: Service, moment: datetime) -> set[str]:
    """Queues of which a job ended since then."""
    # SQLite compares text, as Django wrote it; PostgreSQL wants to know which time zone is meant.
    zone = "+00" if service.environment["ORIGINMARK_DATABASE_URL"] else ""
    since = f"{moment:%Y-%m-%d %H:%M:%S.%f}{zone}"
    statement = f"SELECT DISTINCT queue FROM ledger_job WHERE state = 'done' AND finished_at > '{since}'"  # noqa: S608
    return {str(row[0]) for row in _rows(service, statement)}


def unfinished_jobs(service: Service) -> int:
    statement = "SELECT COUNT(*) FROM ledger_job WHERE state IN ('queued', 'running')"
    return int(str(_rows(service, statement)[0][0]))
