"""Writing files so that they are there after a power cut: temporary file, fsync, rename, fsync of the folder. And reading
them no further than needed."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def read_capped(path: Path, cap: int) -> bytes:
    """The file, or its first cap + 1 bytes: one too many is enough to be refused, and a huge file is not read whole."""
    with path.open("rb") as file:
        return file.read(cap + 1)


def make_directories(path: Path, mode: int = 0o700) -> None:
    """Create a folder and its parents, each one's entry durable in the folder above it."""
    absent = []
    while not path.exists():
        absent.append(path)
        path = path.parent
    for directory in reversed(absent):
        directory.mkdir(mode=mode, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(path: Path) -> None:
    sync_file(path)


def sync_file(path: Path) -> None:
    """Make what somebody else has written to a file or folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace one file; on return the new bytes survive a power cut, before it the old ones do."""
    make_directories(path.parent)
    write_all_durably([(path, data)], mode)


def write_all_durably(files: Iterable[tuple[Path, bytes]], mode: int = 0o600) -> None:
    """Replace several files in existing folders, one fsync per file and one per folder."""
    folders = set()
    for path, data in files:
        write_quickly(path, data, mode, sync=True)
        folders.add(path.parent)
    for folder in folders:
        sync_directory(folder)


def write_pieces_durably(path: Path, pieces: Iterable[bytes], mode: int = 0o600) -> None:
    """Replace one file in an existing folder by pieces that come one after the other; durable on return."""
    _replace(path, pieces, mode, sync=True)
    sync_directory(path.parent)


def write_quickly(path: Path, data: bytes, mode: int = 0o600, *, sync: bool = False) -> None:
    """Replace one file in one step; without sync only for what can be computed again."""
    _replace(path, [data], mode, sync=sync)


def _replace(path: Path, pieces: Iterable[bytes], mode: int, *, sync: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
