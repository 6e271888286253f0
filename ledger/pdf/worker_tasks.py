"""Reading a stranger's PDF inside the limited child process."""

from collections.abc import Sequence
from typing import Any

from ledger.pdf.errors import PdfError
from ledger.pdf.read import read_certificate


def read_certificate_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blobs: the PDF, our signer's certificate (PEM, or empty), then trust anchors for time (DER).

    Out: signature facts and the attached bundle.
    """
    anchors = [bytes(blob) for blob in blobs[2:]]
    try:
        reading = read_certificate(bytes(blobs[0]), trusted_cert_pem=bytes(blobs[1]) or None, time_anchors=anchors)
    except PdfError as error:
        return {"refused": error.code}, []
    signature = None
    if reading.signature is not None:
        found = reading.signature
        signature = {
            "intact": found.intact,
            "covers_whole_file": found.covers_whole_file,
            "trusted": found.trusted,
            "common_name": found.common_name,
            "claimed_at": found.claimed_at.isoformat() if found.claimed_at else "",
            "stamps": [
                {"gen_time": stamp.gen_time.isoformat(), "authority": stamp.authority, "anchored": stamp.anchored}
                for stamp in found.stamps
            ],
        }
    return {"signature": signature}, [reading.bundle] if reading.bundle is not None else []
