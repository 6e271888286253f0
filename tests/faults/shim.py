"""Building the failing disk (shim.c) and starting programs on it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("shim.c")
COMPILER = shutil.which("gcc") or shutil.which("cc")


def build(folder: Path) -> Path:
    """The compiled library, in a folder of the caller's."""
    library = folder / "faults.so"
    assert COMPILER is not None
    command = [COMPILER, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def run(module: str, *arguments: str, library: Path, site: Path, log: Path | None = None) -> str:
    """Standard output of `python -m module` on a SQLite site of its own, with the shim loaded."""
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "FAULTS_FOLDER": str(site),
        "ORIGINMARK_DATA": str(site / "data"),
        "ORIGINMARK_KEYS": str(site / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    if log is not None:
        environment["FAULTS_LOG"] = str(log)
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


class Faults:
    """The shim from inside a program that was started with it."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def arm(self, number: int, code: int, *, keep: bool = False) -> None:
        self._library.fault_arm(ctypes.c_long(number), code, int(keep))

    def disarm(self) -> int:
        """How many calls were counted since it was armed."""
        return int(self._library.fault_arm(ctypes.c_long(0), 0, 0))

    def mark(self, text: str) -> None:
        self._library.fault_mark(text.encode())
