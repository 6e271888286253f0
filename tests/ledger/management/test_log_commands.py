"""Export and change of keys, killed in the middle of their work: the next run finishes, and the audit finds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENTRIES = 1500
FILL = f"""
import django
django.setup()
from django.db import transaction
from ledger.services.log import append_statements, seal
from ledger.services.setup import prepare
from tests.factories import make_seller
from tests.ledger.services.test_log import draft
prepare()
seller = make_seller("acme")
for part in range({ENTRIES} // 100):
    with transaction.atomic():
        append_statements(seller=seller, actor=None, drafts=[draft(seller, n) for n in range(100)])
seal()
"""


@pytest.fixture
def site(tmp_path) -> dict[str, str]:
    """The variables of a site of its own with 1,500 signed entries, on SQLite."""
    variables = os.environ | {
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    subprocess.run([sys.executable, "-c", FILL], env=variables, cwd=ROOT, check=True, timeout=120)
    return variables


def manage(site: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=site, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def kill_once(site: dict[str, str], begun: Callable[[], bool], delay_s: float, *arguments: str) -> bool:
    """Start a command and SIGKILL it that long after its work has begun; whether it was still running."""
    process = subprocess.Popen([sys.executable, "manage.py", *arguments], env=site, cwd=ROOT, stdout=subprocess.DEVNULL)
    while process.poll() is None and not begun():
        time.sleep(0.001)
    time.sleep(delay_s)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def test_a_killed_export_is_completed_and_promises_nothing_it_lacks(site, tmp_path):
    folder = tmp_path / "public"
    killed = 0
    for delay_s in (0, 0.002, 0.01):
        killed += kill_once(site, lambda: (folder / "tile").exists(), delay_s, "export_tiles", "--out", str(folder))
        if (folder / "checkpoint").exists():
            assert manage(site, "audit_log", "--tiles", str(folder)).returncode == 0
    assert killed
    assert manage(site, "export_tiles", "--out", str(folder)).returncode == 0
    audited = manage(site, "audit_log", "--tiles", str(folder), "--json")
    assert audited.returncode == 0, audited.stdout


def test_a_killed_change_of_keys_is_finished_by_the_next(site, tmp_path):
    waiting = tmp_path / "keys" / "log-ed25519.pem.next"
    for delay_s in (0, 0.01, 0.03):
        kill_once(site, waiting.exists, delay_s, "rotate_key")
        assert manage(site, "audit_log").returncode == 0
    done = manage(site, "rotate_key")
    assert done.returncode == 0, done.stderr
    assert not waiting.exists()
    assert manage(site, "audit_log").returncode == 0
