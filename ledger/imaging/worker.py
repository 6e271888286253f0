"""The child that touches hostile bytes: `python -m ledger.imaging.worker FD PARENT LIMITS`, started by sandbox.py.

It limits itself before the first job, then answers jobs one after the other until its parent is gone. The modules
that do the work are imported on the first job that names them, so a child costs only what it is used for.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.imaging import wire
from ledger.imaging.errors import DecodeCrashed, DecodeMemory, ImagingError, OperationRefused, format_error
from ledger.imaging.landlock import give_up_rights
from ledger.imaging.seccomp import refuse_calls

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
PARENT_POLL_S = 0.5
OPENCV_NO_MEMORY = -4
SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH120, PTH100
OPEN_FILES = 64  # the socket, one job, and what importing needs; no picture needs any

Operation = Callable[[Sequence[bytes], dict[str, Any]], tuple[dict[str, Any], Sequence[bytes]]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use. address_space_bytes comes on top of what the child has mapped once it is ready to work."""

    cpu_s: int
    address_space_bytes: int
    prefixes: tuple[str, ...]
    signal_on_parent_exit: bool


def main(arguments: Sequence[str]) -> int:
    """Serve the connection whose descriptor is given until the parent closes it."""
    parent = int(arguments[1])
    fields = json.loads(arguments[2])
    limits = Limits(
        cpu_s=int(fields["cpu_s"]),
        address_space_bytes=int(fields["address_space_bytes"]),
        prefixes=tuple(fields["prefixes"]),
        signal_on_parent_exit=bool(fields["signal_on_parent_exit"]),
    )
    _confine(parent, limits)
    with socket.socket(fileno=int(arguments[0])) as connection:
        connection.setblocking(True)
        _serve(connection, limits)
    return 0


def _confine(parent: int, limits: Limits) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the connection
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if limits.signal_on_parent_exit:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    give_up_rights(_own_places(limits.prefixes), listed=[SOURCE_ROOT])
    refuse_calls()
    _watch_parent(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _own_places(prefixes: Sequence[str]) -> list[str]:
    """Where Python, the libraries beside it and the packages of the operations are read from, links resolved too.

    The checkout as a whole is not among them: data and keys may lie in it.
    """
    packages = {prefix.partition(".")[0] for prefix in ("ledger.", *prefixes)}
    named = {*sys.path, sys.prefix, sys.base_prefix} - {"", SOURCE_ROOT}
    named |= {os.path.join(SOURCE_ROOT, package) for package in packages}  # noqa: PTH118
    return sorted({*named, *(os.path.realpath(path) for path in named)})


def _watch_parent(parent: int) -> None:
    """End with the parent even where the kernel's signal cannot be used, or came before it was asked for."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os._exit(0)

    threading.stack_size(256 << 10)
    threading.Thread(target=watch, daemon=True).start()


def _serve(connection: socket.socket, limits: Limits) -> None:
    operations: dict[str, Operation] = {}
    while True:
        job = wire.receive_job(connection)
        if job is None:
            return
        fields, blobs = _answer(job, operations, limits)
        # Nothing of this picture may weigh on the next one.
        del job
        try:
            wire.send_reply(connection, fields, blobs)
        except (BrokenPipeError, ConnectionResetError):
            return


def _answer(
    job: tuple[str, dict[str, Any], list[bytes]], operations: dict[str, Operation], limits: Limits
) -> tuple[dict[str, Any], Sequence[bytes]]:
    name, params, blobs = job
    try:
        if name not in operations:
            operations[name] = _find(name, limits.prefixes)
            _limit_memory(limits.address_space_bytes)
        _arm_cpu(limits.cpu_s)
        values, results = operations[name](blobs, params)
    except ImagingError as error:
        return {"error": format_error(error)}, ()
    except MemoryError:
        return {"error": format_error(DecodeMemory())}, ()
    except Exception as error:  # noqa: BLE001 - whatever decoding raised, the parent gets a code and the child lives
        if _is_out_of_memory(error):
            return {"error": format_error(DecodeMemory())}, ()
        return {"error": format_error(DecodeCrashed(f"{type(error).__name__}: {error}"[:160]))}, ()
    return {"values": values}, results


def _is_out_of_memory(error: Exception) -> bool:
    """OpenCV's own way to say it (StsNoMem), known without importing OpenCV."""
    return type(error).__module__ == "cv2" and getattr(error, "code", 0) == OPENCV_NO_MEMORY


def _find(name: str, prefixes: tuple[str, ...]) -> Operation:
    module_name, _, function_name = name.partition(":")
    allowed = module_name.startswith(prefixes) and function_name.isidentifier() and function_name.endswith("_task")
    if not allowed:
        raise OperationRefused(name[:120])
    # Importing must not fall under the limit of the job before it.
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    operation: Operation = getattr(importlib.import_module(module_name), function_name)
    return operation


def _limit_memory(budget_bytes: int) -> None:
    mapped = _mapped_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + budget_bytes, resource.RLIM_INFINITY))


def _mapped_bytes() -> int:
    """Address space in use; 0 where the system does not tell, which makes the limit tighter, never looser."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _arm_cpu(cpu_s: int) -> None:
    """The kernel ends this process (SIGXCPU) `cpu_s` seconds of CPU from now; only the soft limit can be moved on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + cpu_s + 1, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
