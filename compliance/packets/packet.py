"""Everything that goes into one packet, as frozen values after the merged complaint schema (version 1).

The case itself is compliance.cases.CaseFile; here are the exhibits: works with their place in the log, listings with
comparison and captures, and files. Times are aware UTC; pictures are small previews (JPEG, PNG or WebP) without metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from compliance.cases.case_file import CaseFile

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class PacketFile:
    """One file that goes along. name: as in the manifest; is_public: whether it may be shown to the target by itself."""

    name: str
    role: str
    mime: str
    data: bytes = field(repr=False)
    note: str = ""  # what it is, for the list of exhibits


@dataclass(frozen=True, slots=True)
class WorkExhibit:
    """A registered picture and what the log says about it. level: L0 to L5; camera facts as the file claims them."""

    number: str
    title: str
    sha256: str
    entry: int
    logged_at: datetime
    level: int
    later_at: datetime | None = None
    later_by: str = ""
    camera: str = ""
    shot_at: str = ""
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our picture beside theirs. score: 0..100, or None where nothing was measured; corners: where the corners of
    theirs lie in ours, clockwise from top left, as shares of width and height; edits: words in zh and in en."""

    theirs: bytes | None = field(repr=False)
    score: float | None = None
    engine: str = ""
    corners: tuple[tuple[float, float], ...] = ()
    edits_zh: str = ""
    edits_en: str = ""


@dataclass(frozen=True, slots=True)
class CaptureExhibit:
    """A capture of a listing: what is in the packet of it, who looked, when by that machine's clock, and its entry."""

    kind: str
    observer: str
    captured_at: datetime
    sha256: str
    entry: int


@dataclass(frozen=True, slots=True)
class ListingExhibit:
    """What goes with one infringement of the case, in the case's order."""

    title: str = ""
    price: str = ""
    country: str = ""
    comparison: Comparison | None = None
    captures: tuple[CaptureExhibit, ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. case_number: printed for our own reference; files: evidence in the order of the list of exhibits."""

    number: str
    case_number: str
    created_at: datetime
    languages: tuple[str, ...]
    case: CaseFile
    works: tuple[WorkExhibit, ...]
    listings: tuple[ListingExhibit, ...]
    files: tuple[PacketFile, ...]
    level: int = 0
    is_draft: bool = False
