"""From a bare Python to a running command: make .venv, install the lock with its hashes, start again inside.

Standard library only, and written so that an old Python can still read it and say that it is too old. The digest of
the installed lock is kept in .venv/.lock-sha256: when the lock changes, the next start installs the difference. A
build that was cut short leaves .venv/.building, and the next start builds from nothing.

ORIGINMARK_VENV names another place, or `off` for the Python that runs this (a container image installed beforehand).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
INSTALLED, BUILDING = ".lock-sha256", ".building"
RESTARTED = "ORIGINMARK_RESTARTED"

# What pip and uv say when the index cannot be reached; everything else they say is shown as it is.
NETWORK_WORDS = (
    "connection",
    "name resolution",
    "dns error",
    "timed out",
    "proxy",
    "unreachable",
    "error sending request",
    "max retries",
)


def ensure_environment(argv: list[str]) -> None:
    """Return when this process runs where the lock is installed; otherwise install and start again there."""
    if sys.version_info < OLDEST:
        stop(
            f"Originmark needs Python {name_version(OLDEST)} or newer; this is {sys.version.split()[0]}.{newer_hint()}"
        )
    venv = find_venv()
    if venv is None:
        return
    lock = DEV_LOCK if argv[1:2] == ["test"] else LOCK
    if not is_installed(venv, lock):
        with one_at_a_time():
            if not is_installed(venv, lock):  # another start may have done it while we waited
                install(venv, lock)
    if Path(sys.prefix).resolve() != venv.resolve():
        restart(venv, argv)
    os.environ.pop(RESTARTED, None)  # it must not reach the commands that this one starts


def run_tests(arguments: list[str]) -> NoReturn:
    """Become pytest, with the arguments given after `test`."""
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606


def explain_missing(missing: ImportError) -> NoReturn:
    """The lock was installed and yet something is not there: somebody changed .venv by hand."""
    venv = find_venv()
    if venv is None:
        stop(
            f"{missing}. ORIGINMARK_VENV is off, so the dependencies of {LOCK} must be installed for {sys.executable}."
        )
    else:
        stop(f"{missing}. The environment {venv} is damaged: delete it and run this again.")


def find_venv() -> Path | None:
    chosen = os.environ.get("ORIGINMARK_VENV", "").strip()
    if chosen == "off":
        return None
    return Path(chosen).expanduser().absolute() if chosen else ROOT / ".venv"


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def digest_of(lock: str) -> str:
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def is_installed(venv: Path, lock: str) -> bool:
    try:
        installed = (venv / INSTALLED).read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return False
    return digest_of(lock) in installed and python_of(venv).exists() and not (venv / BUILDING).exists()


def install(venv: Path, lock: str) -> None:
    tools = find_tools()
    print(f"Installing what {lock} lists into {venv} (once; about a minute)", file=sys.stderr, flush=True)
    if (venv / BUILDING).exists() or not works(python_of(venv)):
        refuse_foreign_directory(venv)
        shutil.rmtree(venv, ignore_errors=True)
        venv.mkdir(parents=True)
        (venv / BUILDING).touch()
        run_tool([*tools.make_venv, str(venv)], "make a virtual environment")
    (venv / BUILDING).touch()
    (venv / INSTALLED).unlink(missing_ok=True)
    # The lock is whole. What it leaves out it leaves out on purpose (docs/adr/0030): nothing is added while installing.
    run_tool(
        [*tools.install(venv), "--no-deps", "--require-hashes", "-r", str(ROOT / lock)], "install the dependencies"
    )
    # The development lock pins everything that the plain lock pins.
    locks = {LOCK, lock}
    (venv / INSTALLED).write_text("".join(digest_of(name) + "\n" for name in sorted(locks)), "ascii")
    (venv / BUILDING).unlink()


class Tools:
    """How this machine makes an environment and installs into it: uv, pip of this Python, or the bundled pip."""

    def __init__(self, python: str, uv: str | None, bundled_pip: bool) -> None:
        self.python, self.uv, self.bundled_pip = python, uv, bundled_pip
        self.make_venv = (
            [uv, "venv", "--quiet", "--allow-existing", "--python", python] if uv else [python, "-m", "venv"]
        )
        if not uv and not bundled_pip:
            self.make_venv.append("--without-pip")

    def install(self, venv: Path) -> list[str]:
        inside = str(python_of(venv))
        if self.uv:
            return [self.uv, "pip", "install", "--quiet", "--python", inside]
        pip = [inside, "-m", "pip"] if self.bundled_pip else [self.python, "-m", "pip", "--python", inside]
        return [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]


def find_tools() -> Tools:
    # Inside a virtual environment the Python that made it is the one with pip.
    python = getattr(sys, "_base_executable", "") or sys.executable
    uv = shutil.which("uv")
    if uv:
        return Tools(python, uv, bundled_pip=False)
    if has_module(python, "pip"):
        return Tools(python, None, bundled_pip=False)
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        stop(
            f"{python} has neither pip nor the means to make a virtual environment with it. On Debian and Ubuntu: "
            f"apt install python3-pip python3-venv. Or install uv."
        )
    return Tools(python, None, bundled_pip=True)


def has_module(python: str, module: str) -> bool:
    if python == sys.executable:
        return importlib.util.find_spec(module) is not None
    return succeeds([python, "-c", f"import {module}"])


def works(python: Path) -> bool:
    return python.exists() and succeeds([str(python), "-c", "import ssl"])


def succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # a link to a Python that is gone
        return False


def run_tool(command: list[str], purpose: str) -> None:
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    except KeyboardInterrupt:
        stop("Interrupted. Nothing is lost: run this again and it starts over.", code=130)
    if done.returncode == 0:
        return
    print(done.stderr[-3000:].strip(), file=sys.stderr)
    if any(word in done.stderr.lower() for word in NETWORK_WORDS):
        stop(
            f"Could not {purpose}: the package index cannot be reached. Check the network or the proxy and run this again."
        )
    if "ensurepip" in done.stderr:
        stop(f"Could not {purpose}. On Debian and Ubuntu: apt install python3-venv. Then run this again.")
    stop(f"Could not {purpose}; the lines above say why. Run this again once that is solved.")


def refuse_foreign_directory(venv: Path) -> None:
    """Never delete a folder that we did not make: ORIGINMARK_VENV may be a slip of the keyboard."""
    ours = (venv / BUILDING).exists() or (venv / "pyvenv.cfg").exists()
    if venv.exists() and not ours and (not venv.is_dir() or any(venv.iterdir())):
        stop(
            f"{venv} exists and is not a virtual environment. Move it away, or let ORIGINMARK_VENV name another place."
        )


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two first starts at once would write into the same .venv. The lock ends with the process, even a killed one."""
    with (ROOT / LOCK).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another start is installing the dependencies; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def restart(venv: Path, argv: list[str]) -> NoReturn:
    if os.environ.get(RESTARTED) == str(venv):
        stop(f"{python_of(venv)} does not run inside {venv}: delete that folder and run this again.")
    inside = str(python_of(venv))
    os.environ[RESTARTED] = str(venv)
    os.execv(inside, [inside, *argv])  # noqa: S606


def name_version(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def newer_hint() -> str:
    for minor in range(20, OLDEST[1] - 1, -1):
        if shutil.which(f"python3.{minor}"):
            return f" This machine has one: python3.{minor} {' '.join(sys.argv)}"
    return ""


def stop(sentence: str, code: int = 1) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)
