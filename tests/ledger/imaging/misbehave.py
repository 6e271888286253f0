"""Operations that go wrong on purpose, run in a real child by test_sandbox.py."""

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ledger.imaging import landlock

Answer = tuple[dict[str, Any], list[bytes]]


def echo_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    return params, list(blobs)


def count_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    return {"bytes": sum(map(len, blobs))}, []


def sleep_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    time.sleep(params["s"])
    return {}, []


def spin_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    while True:
        pass


def crash_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}, []


def exit_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    os._exit(3)


def raise_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    raise KeyError("surprise")


def hoard_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    return {"length": len(bytearray(params["bytes"]))}, []


def scribble_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    with open(params["path"], "wb") as file:  # noqa: PTH123
        file.write(b"x" * 100)
        file.flush()
    return {}, []


def open_many_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    opened: list[int] = []
    try:
        opened.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(200))
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return {"opened": len(opened)}, []


def flood_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    """Write nonsense where answers are expected, on whichever descriptor is the connection."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    return {}, []


def surroundings_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)  # noqa: PTH123, SIM115
    return {
        "environment": sorted(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "no_new_privileges": status["NoNewPrivs"],
        "threads": threading.active_count(),
        "pid": os.getpid(),
    }, []


def not_an_operation(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    return {}, []


def escape_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    """Try what a program that took over the child would try first; the names of what worked come back."""
    path, worked = params["path"], []
    attempts: dict[str, Callable[[], object]] = {
        "remove": lambda: os.unlink(path),  # noqa: PTH108
        "make a folder": lambda: os.mkdir(path + ".d"),  # noqa: PTH102
        "make a link": lambda: os.symlink("/etc/passwd", path + ".l"),  # noqa: PTH211
        "make a file": lambda: os.close(os.open(path + ".f", os.O_CREAT | os.O_WRONLY)),
        "rename": lambda: os.rename(path, path + ".r"),  # noqa: PTH104
        "cut": lambda: os.truncate(path, 0),
        "connect": lambda: socket.create_connection(("127.0.0.1", params["port"]), timeout=5).close(),
        "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "signal": lambda: os.kill(os.getppid(), 0),
        "read": lambda: open(path, "rb").read(),  # noqa: PTH123, SIM115
        "list": lambda: os.listdir(os.path.dirname(path)),  # noqa: PTH208, PTH120
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        worked.append(name)
    return {"worked": worked, "version": landlock.version()}, []


def become_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    """Another program in the place of the child."""
    os.execv("/bin/true", ["true"])  # noqa: S606


def call_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    """System calls by their numbers with harmless arguments; the error of each comes back, 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    errors = {}
    for name, number in params["numbers"].items():
        ctypes.set_errno(0)
        libc.syscall(number, *([ctypes.c_long(-1)] * 6))
        errors[name] = ctypes.get_errno()
    return {"errors": errors}, []


def thread_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    """Threads start, and this process may still end itself loudly."""
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start()
    thread.join()
    os.kill(os.getpid(), 0)
    return {"done": len(done)}, []


def fork_task(blobs: Sequence[bytes], params: dict[str, Any]) -> Answer:
    if os.fork() == 0:
        os._exit(0)
    return {}, []
