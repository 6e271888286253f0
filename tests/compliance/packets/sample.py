"""A packet in which everything is known, for any target and kind; pictures are made here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from compliance.cases.target import find_target
from compliance.packets.packet import CaptureExhibit, Comparison, ListingExhibit, Packet, PacketFile, WorkExhibit
from tests.compliance.cases.complete import NUMBER, complete
from tests.images import jpeg_bytes, product_photo

AT = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def packet(target: str = "temu_portal", kind: str = "complaint", languages: tuple[str, ...] = ("en",)) -> Packet:
    case = replace(complete(find_target(target), kind), languages=languages)
    ours, theirs = jpeg_bytes(product_photo(1)), jpeg_bytes(product_photo(1).crop((60, 60, 700, 700)))
    work = WorkExhibit(
        number=NUMBER,
        title="青瓷马克杯 Mug",
        sha256="ab" * 32,
        entry=17,
        logged_at=AT,
        level=2,
        later_at=AT,
        later_by="Example TSA",
        camera="Canon EOS R6",
        preview=ours,
    )
    comparison = Comparison(
        theirs=theirs,
        score=96.4,
        engine="originmark 2",
        corners=((0.075, 0.075), (0.875, 0.075), (0.875, 0.875), (0.075, 0.875)),
        edits_zh="裁剪至 64 %",
        edits_en="cropped to 64 %",
    )
    capture = CaptureExhibit("screenshot", "party", AT, "cd" * 32, 19)
    listing = ListingExhibit("Кружка керамическая", "US $4.20", "RU", comparison, (capture,))
    files = (
        PacketFile("10-work-1-evidence.zip", "evidence", "application/zip", b"PK\x03\x04evidence", "evidence bundle"),
        PacketFile("20-listing-1-capture-1.jpg", "capture", "image/jpeg", theirs, "screenshot"),
    )
    return Packet("7KQ2M8Z4A1B2C3D4", "0C4S3NUMB3R00000", AT, languages, case, (work,), (listing,), files)
