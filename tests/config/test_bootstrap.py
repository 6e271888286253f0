"""The bootstrap for real, offline: a copy of manage.py whose lock names one small wheel built here."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from config import bootstrap

ROOT = Path(__file__).resolve().parents[2]
# What stands in for the real dependencies: `django` that prints what it was asked, `pytest` likewise.
SAY = "import sys\ndef execute_from_command_line(argv): print('ran', sys.prefix, *argv[1:], {version!r})\n"
PYTEST = "import sys\nprint('tested', *sys.argv[1:])\n"
OUTSIDE = [str(Path(sys.base_prefix) / "bin" / "python3")]


def build_wheel(folder: Path, version: str) -> Path:
    """A wheel with django.core.management and a runnable pytest, and nothing else."""
    files = {
        "django/__init__.py": "",
        "django/core/__init__.py": "",
        "django/core/management.py": SAY.format(version=version),
        "pytest/__init__.py": "",
        "pytest/__main__.py": PYTEST,
        f"standin-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: standin\nVersion: {version}\n",
        f"standin-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"standin-{version}.dist-info/RECORD"] = record + f"standin-{version}.dist-info/RECORD,,\n"
    path = folder / f"standin-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Checkout:
    """A copy of the files that a first start needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        (folder / "config").mkdir(parents=True)
        for name in ("manage.py", "config/__init__.py", "config/bootstrap.py"):
            shutil.copy(ROOT / name, folder / name)
        self.lock("1.0")
        path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "uv").exists())
        keep = {"HOME", "TMPDIR", "LANG"}
        self.environment = {name: value for name, value in os.environ.items() if name in keep}
        self.environment |= {"PATH": path, "PIP_NO_INDEX": "1"}

    def lock(self, version: str) -> None:
        wheel = build_wheel(self.folder, version)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        line = f"standin @ file://{wheel} --hash=sha256:{digest}\n"
        (self.folder / "requirements.lock").write_text(line)
        (self.folder / "requirements-dev.lock").write_text(f"# development\n{line}")

    def command(self, *arguments: str) -> list[str]:
        return [*OUTSIDE, str(self.folder / "manage.py"), *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_the_first_command_installs_and_runs_inside(checkout):
    done = checkout.run("migrate", "--plan")
    assert done.returncode == 0, done.stderr
    assert f"ran {checkout.venv} migrate --plan" in done.stdout
    assert "Installing" in done.stderr


def test_the_next_command_installs_nothing(checkout):
    checkout.run("check")
    done = checkout.run("check", PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_lock_is_installed_by_the_next_command(checkout):
    checkout.run("check")
    checkout.lock("2.0")
    assert "'2.0'" not in checkout.folder.joinpath("manage.py").read_text()
    done = checkout.run("check")
    assert "Installing" in done.stderr
    assert "2.0" in done.stdout


def test_test_runs_pytest_with_its_arguments(checkout):
    done = checkout.run("test", "tests/config", "-q")
    assert "tested tests/config -q" in done.stdout


def test_the_development_lock_serves_other_commands_too(checkout):
    checkout.run("test")
    assert "Installing" not in checkout.run("check").stderr


def test_a_build_cut_short_is_made_anew(checkout):
    checkout.venv.mkdir()
    (checkout.venv / bootstrap.BUILDING).touch()
    (checkout.venv / "bin").mkdir()
    (checkout.venv / "bin" / "python").write_text("half")
    assert checkout.run("check").returncode == 0


def test_a_killed_installation_is_made_anew(checkout):
    started = subprocess.Popen(checkout.command("check"), env=checkout.environment, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (checkout.venv / bootstrap.BUILDING).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert not (checkout.venv / bootstrap.INSTALLED).exists()
    assert checkout.run("check").returncode == 0


def test_two_first_commands_at_once_both_run(checkout):
    running = [
        subprocess.Popen(checkout.command("check"), env=checkout.environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sum("Installing" in text for text in errors) == 1


def test_a_wrong_hash_stops(checkout):
    lock = checkout.folder / "requirements.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    done = checkout.run("check")
    assert done.returncode == 1
    assert "Could not install the dependencies" in done.stderr


def test_an_unreachable_index_is_named(checkout):
    digest = "0" * 64
    (checkout.folder / "requirements.lock").write_text(f"standin==1.0 --hash=sha256:{digest}\n")
    del checkout.environment["PIP_NO_INDEX"]
    done = checkout.run("check", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_a_folder_of_somebody_else_is_left_alone(checkout, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter.txt").write_text("dear")
    done = checkout.run("check", ORIGINMARK_VENV=str(precious))
    assert done.returncode == 1
    assert "not a virtual environment" in done.stderr
    assert (precious / "letter.txt").read_text() == "dear"


def test_another_place_may_be_named(checkout, tmp_path):
    place = tmp_path / "elsewhere"
    assert f"ran {place} check" in checkout.run("check", ORIGINMARK_VENV=str(place)).stdout
    assert not checkout.venv.exists()


def test_off_uses_the_running_python(checkout):
    done = checkout.run("check", ORIGINMARK_VENV="off")
    assert "ORIGINMARK_VENV is off" in done.stderr
    assert not checkout.venv.exists()


def test_a_damaged_environment_is_named(checkout):
    checkout.run("check")
    for path in checkout.venv.glob("lib/python*/site-packages/django"):
        shutil.rmtree(path)
    done = checkout.run("check")
    assert done.returncode == 1
    assert "is damaged" in done.stderr


def test_an_old_python_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit):
        bootstrap.ensure_environment(["manage.py", "up"])
    assert "needs Python 3.11" in capsys.readouterr().err


def test_the_development_lock_holds_every_pin_of_the_plain_one():
    pins = [set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(), re.MULTILINE)) for name in LOCKS]
    assert pins[0] <= pins[1]


LOCKS = (bootstrap.LOCK, bootstrap.DEV_LOCK)
