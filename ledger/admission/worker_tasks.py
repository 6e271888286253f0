"""What the limited child does for the gate: apply one policy, and say what it cost."""

import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

from ledger.admission.archives import admit_archive
from ledger.admission.kinds import CSV, IMAGE, PDF, ZIP
from ledger.admission.pdfs import admit_pdf
from ledger.admission.pictures import admit_picture
from ledger.admission.tables import admit_table
from ledger.admission.verdict import FileRefused

# Only pictures are asked for their names: there the extension has to agree.
POLICIES: dict[str, Callable[[bytes, str], tuple[str, ...]]] = {
    IMAGE: admit_picture,
    ZIP: lambda data, name: admit_archive(data),
    PDF: lambda data, name: admit_pdf(data),
    CSV: lambda data, name: admit_table(data),
}
ADMIT_TASK = "ledger.admission.worker_tasks:admit_task"


def admit_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """One blob in; code, detail, flags, cpu_s and rss_mb out. params: kind, name."""
    _forget_peak()
    since = time.process_time()
    code, detail = "", ""
    flags: tuple[str, ...] = ()
    try:
        flags = POLICIES[str(params["kind"])](blobs[0], str(params["name"]))
    except FileRefused as refused:
        code, detail = refused.code, refused.detail
    cost = {"cpu_s": round(time.process_time() - since, 4), "rss_mb": round(_peak_mib(), 1)}
    return {"code": code, "detail": detail, "flags": list(flags), **cost}, []


def _forget_peak() -> None:
    """Begin counting the most memory anew (proc(5), clear_refs 5); where that is not allowed, the peak is the process's."""
    try:
        with open("/proc/self/clear_refs", "wb") as file:  # noqa: PTH123
            file.write(b"5")
    except OSError:
        pass


def _peak_mib() -> float:
    try:
        with open("/proc/self/status", "rb") as file:  # noqa: PTH123
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith(b"VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
