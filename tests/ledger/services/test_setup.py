"""The very first migration, killed in the middle: the next command begins anew and nothing is in the way."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def command(folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "ORIGINMARK_DATA": str(folder / "data"),
        "ORIGINMARK_KEYS": str(folder / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
        "ORIGINMARK_VENV": sys.prefix,
    }
    argv = [sys.executable, "manage.py", "create_owner", "lin@example.org", "--seller", "lin", "--password-stdin"]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.timeout(240)
def test_a_first_migration_killed_anywhere_is_begun_anew(tmp_path):
    """Killed at growing times after its marker appears, so that some kill falls between a migration and its note."""
    marker = tmp_path / "data" / "first-migration.unfinished"
    for delay_s in (0.0, 0.15, 0.4, 0.8):
        process = command(tmp_path)
        while process.poll() is None and not marker.exists():
            time.sleep(0.01)
        time.sleep(delay_s)
        process.kill()
        process.communicate()
    process = command(tmp_path)
    out, err = process.communicate(b"a calm harbour at dusk\n")
    assert process.returncode == 0, err.decode()
    assert b"lin@example.org" in out
    assert not marker.exists()


def test_a_database_with_a_log_is_never_begun_anew(tmp_path):
    process = command(tmp_path)
    process.communicate(b"a calm harbour at dusk\n")
    (tmp_path / "data" / "first-migration.unfinished").touch()
    before = (tmp_path / "data" / "originmark.sqlite3").stat().st_ino
    process = command(tmp_path)
    _out, err = process.communicate(b"a calm harbour at dusk\n")
    assert process.returncode == 0, err.decode()
    assert (tmp_path / "data" / "originmark.sqlite3").stat().st_ino == before
