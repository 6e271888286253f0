"""A real Originmark for a journey: `manage.py up` on directories and a port of its own, and a real Chromium."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT_S = 90


@dataclass(slots=True)
class Site:
    """A running site; first_link is the one-time link of its first owner, or empty."""

    base: str
    first_link: str
    process: subprocess.Popen[str]
    environment: dict[str, str]
    log_path: Path

    def log(self) -> str:
        """The end of what the site printed."""
        return self.log_path.read_text()[-4000:]

    def manage(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another manage.py command on the same data, as a person in a second terminal would."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def own_database(template: str = "") -> Iterator[str]:
    """A database beside the one the tests were told to use, empty or a copy of the template's; "" for SQLite."""
    url = os.environ.get("ORIGINMARK_DATABASE_URL", "")
    if not url:
        yield ""
        return
    name = f"originmark_journey_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.rpartition('/')[2] or 'template1'}")
        yield url.rpartition("/")[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_site(folder: Path, database_url: str = "", patience_s: float = START_TIMEOUT_S) -> Iterator[Site]:
    """Start `manage.py up` on an empty data directory; stop it like Ctrl-C does."""
    port = free_port()
    environment = {
        **os.environ,
        "ORIGINMARK_DATA": str(folder / "data"),
        "ORIGINMARK_KEYS": str(folder / "keys"),
        "ORIGINMARK_DATABASE_URL": database_url,
        "ORIGINMARK_VENV": sys.prefix,
        "ORIGINMARK_PUBLIC_URL": "",
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port)]
    log = (folder / "up.log").open("w+")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        site = Site(f"http://localhost:{port}", "", process, environment, folder / "up.log")
        _wait_until_up(site, folder / "up.log", patience_s)
        found = re.search(r"First sign-in: (\S+)", (folder / "up.log").read_text())
        site.first_link = found.group(1) if found else ""
        yield site
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_until_up(site: Site, log: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and site.process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(site.base + "/accounts/login/", timeout=5) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"the site did not start:\n{log.read_text()}")


def needs_chromium() -> None:
    """Skip where there is no browser; in CI that is a failure."""
    if not Path(CHROMIUM).exists():
        message = "Debian's chromium is not installed (apt-get install chromium)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
