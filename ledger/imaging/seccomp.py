"""A filter of system calls for a child that opens foreign bytes (seccomp(2), no root needed).

Refused is what such a child never needs and what a program that took it over would try next: starting programs, sockets
of its own, signals to others, looking into other processes, mounts, namespaces, modules, and the parts of the kernel in
which holes are found most often (bpf, io_uring, perf, userfaultfd, keys). A refused call fails with EPERM, as for somebody
without the right. What remains is memory, reading, and the sockets that are open already. A list of what is refused, not of
what is allowed: libraries and the C library change which harmless calls they make, and a picture must not fail for that.

Calls by another architecture's door (32 bits on a 64-bit kernel) end the process. Only x86_64 and aarch64 are known here;
elsewhere nothing is done and version() says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, MODE_FILTER = 22, 2
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# linux/bpf_common.h: load a word, jump if equal, if at least, if any bit is set, return.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
CLONE_THREAD = 0x10000
X32 = 0x40000000  # numbers of the third door of x86_64
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
INSTRUCTION = struct.Struct("=HBBI")

# Since 2019 new calls have one number everywhere.
COMMON = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "process_mrelease": 448,
}  # fmt: skip
REFUSED: dict[int, dict[str, int]] = {
    X86_64: COMMON | {
        "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "fork": 57, "vfork": 58,
        "execve": 59, "ptrace": 101, "personality": 135, "pivot_root": 155, "chroot": 161, "acct": 163, "mount": 165,
        "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172,
        "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "tkill": 200, "kexec_load": 246,
        "add_key": 248, "request_key": 249, "keyctl": 250, "migrate_pages": 256, "unshare": 272, "move_pages": 279,
        "accept4": 288, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
        "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    },
    AARCH64: COMMON | {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89, "personality": 92,
        "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "ptrace": 117, "tkill": 130,
        "reboot": 142, "sethostname": 161, "setdomainname": 162, "socket": 198, "socketpair": 199, "bind": 200,
        "listen": 201, "accept": 202, "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219, "execve": 221,
        "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241, "accept4": 242,
        "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280, "execveat": 281,
        "userfaultfd": 282, "kexec_file_load": 294,
    },
}  # fmt: skip
# Looked at closer: threads yes, processes no; signals to oneself (abort) yes, to others no; clone3 hides its flags in memory,
# so it "does not exist" and the C library takes clone.
CLONE, KILL, TGKILL, CLONE3 = "clone", "kill", "tgkill", "clone3"
CLOSER: dict[int, dict[str, int]] = {
    X86_64: {CLONE: 56, KILL: 62, TGKILL: 234, CLONE3: 435},
    AARCH64: {CLONE: 220, KILL: 129, TGKILL: 131, CLONE3: 435},
}
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def architecture() -> int:
    """This machine's number for the filter, 0 where none is known."""
    known = MACHINES.get(platform.machine(), 0) if sys.platform == "linux" else 0
    return known if struct.calcsize("P") == 8 else 0


def is_there() -> bool:
    """Whether the kernel takes filters and we know its calls. Asking changes nothing."""
    if not architecture():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # Without a program the kernel that knows filters says that the address is bad.
    return int(libc.prctl(PR_SET_SECCOMP, MODE_FILTER, None, 0, 0)) != 0 and ctypes.get_errno() == errno.EFAULT


def refuse_calls() -> bool:
    """From now on this thread and all it starts are refused those calls; whether the kernel agreed.

    PR_SET_NO_NEW_PRIVS has to be set. Threads that run already are free of it: call it before the first is started.
    """
    machine = architecture()
    if not machine:
        return False
    code = assemble(machine, os.getpid())
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // INSTRUCTION.size, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0)) == 0


def assemble(machine: int, pid: int) -> bytes:
    """The filter as the kernel reads it: a list of small steps, each returning or going on with the next."""
    closer = CLOSER[machine]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, machine),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == X86_64:
        steps += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL_PROCESS)]
    for number in sorted(REFUSED[machine].values()):
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    steps += [(EQUAL, 0, 1, closer[CLONE3]), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    # Of an argument the lower half is looked at: flags of clone and process numbers have 32 bits.
    steps += [
        (EQUAL, 0, 4, closer[CLONE]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, CLONE_THREAD),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
    ]
    for name in (KILL, TGKILL):
        steps += [
            (EQUAL, 0, 4, closer[name]),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (EQUAL, 0, 1, pid),
            (RETURN, 0, 0, ALLOW),
            (RETURN, 0, 0, ERRNO | errno.EPERM),
        ]
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(INSTRUCTION.pack(code, yes, no, value) for code, yes, no, value in steps)
