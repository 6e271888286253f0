"""The gate from outside: one file in, one verdict out, whatever the file does to the child that looks at it."""

from ledger.admission.kinds import IMAGE, PDF, ZIP, kind_of
from ledger.admission.verdict import Verdict
from ledger.admission.worker_tasks import ADMIT_TASK
from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import PixelPool, TaskResult

CPU_S = 2
WALL_TIMEOUT_S = 10.0
# With what Python and the libraries hold, below 512 MiB resident.
ADDRESS_SPACE_BYTES = 384 << 20
# What a child that was ended says of the file, by its kind; pictures keep the child's own codes.
DAMAGED = {ZIP: "corrupt_zip", PDF: "corrupt_pdf"}


def gate_pool(size: int = 1) -> PixelPool:
    """Limited children for `admit`."""
    return PixelPool(size=size, cpu_s=CPU_S, wall_timeout_s=WALL_TIMEOUT_S, address_space_bytes=ADDRESS_SPACE_BYTES)


def admit(pool: PixelPool, data: bytes, *, name: str, kind: str = "") -> Verdict:
    """The verdict on one file; kind: image, zip, pdf or csv, by the first bytes when empty."""
    kind = kind or kind_of(data, name)
    return verdict_of(kind, pool.submit(ADMIT_TASK, [data], {"kind": kind, "name": name}).wait())


def verdict_of(kind: str, outcome: TaskResult | ImagingError) -> Verdict:
    """The verdict that the child's answer, or its end, means."""
    if isinstance(outcome, ImagingError):
        code = outcome.code if kind == IMAGE else DAMAGED.get(kind, outcome.code)
        return Verdict(kind, code, outcome.code if code != outcome.code else outcome.detail)
    values = outcome.values
    return Verdict(
        kind,
        str(values["code"]),
        str(values["detail"])[:200],
        tuple(map(str, values["flags"])),
        float(values["cpu_s"]),
        float(values["rss_mb"]),
    )
