"""Asking the Linux kernel to take rights away from this process for good (Landlock, landlock(7), no root needed).

What a child that opens foreign bytes never needs: changing anything in the file system, starting another program, speaking
TCP, sending signals to others, reading anything but the program, its libraries and what those look up. So neither keys nor the
database nor anybody's files are read, though they belong to the same user. Where the kernel is too old for a part, that part is
left out; the other limits of the child do not depend on it.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Sequence

# The same numbers on every architecture since they were added (asm-generic/unistd.h).
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
RULE_PATH_BENEATH = 1
# linux/landlock.h. Bits 2 and 3 are reading a file and a folder.
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
CHANGES = EXECUTE | WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove and make, of every kind: version 1
REFER = 1 << 13  # version 2
TCP = 0b11  # bind and connect: version 4
DEVICES = 1 << 15  # ioctl on a device: version 5
SCOPES = 0b11  # abstract sockets and signals to processes outside: version 6
# Where libraries are, and what they look up: processors and memory, time zones and users' names, devices that give nothing away.
SYSTEM = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/nix/store")
LOOKED_UP = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/mime.types",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu", "/sys/fs/cgroup",
    "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm", "/proc/sys/kernel",
)  # fmt: skip
PEAK = "/proc/self/clear_refs"  # by which a child counts its own memory anew for each job


def version() -> int:
    """What the kernel knows: 0 for nothing, also where it is switched off."""
    if sys.platform != "linux":
        return 0
    found = int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG))
    return max(found, 0)


def give_up_rights(readable: Sequence[str] = (), listed: Sequence[str] = ()) -> int:
    """From now on this thread and all it starts may do none of it. Returns the version that was used, 0 for none.

    readable: files and folders that may be read besides what the system's libraries need; what is not there is left out.
    listed: folders below which names may be listed, and nothing read.
    PR_SET_NO_NEW_PRIVS has to be set. Threads that run already keep their rights: call it before the first is started.
    """
    known = version()
    if known < 1:
        return 0
    files = (
        CHANGES
        | READ_FILE
        | READ_FOLDER
        | (REFER if known >= 2 else 0)
        | (TRUNCATE if known >= 3 else 0)
        | (DEVICES if known >= 5 else 0)
    )
    fields = [files, TCP if known >= 4 else 0, SCOPES if known >= 6 else 0]
    # An older kernel refuses fields that it does not know, even empty ones.
    attributes = struct.pack("=3Q", *fields)[: 8 if known < 4 else 16 if known < 6 else 24]
    libc = _libc()
    ruleset = int(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    if ruleset < 0:
        return 0
    try:
        _allow(ruleset, PEAK, files & (WRITE_FILE | TRUNCATE | READ_FILE))
        for path in (*SYSTEM, *LOOKED_UP, *readable):
            _allow(ruleset, path, READ_FILE | READ_FOLDER)
        for path in listed:
            _allow(ruleset, path, READ_FOLDER)
        return known if int(libc.syscall(RESTRICT_SELF, ruleset, 0)) == 0 else 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Except this file, or all in this folder, from what is given up."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ~READ_FOLDER  # the kernel refuses a rule about a file that speaks of folders
        rule = struct.pack("=Qi", rights, place)
        _libc().syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
