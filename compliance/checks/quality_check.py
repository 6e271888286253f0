"""One picture before it is registered or searched with: large enough, untouched, no screenshot, little text.

The rules are the pair's in form, and look at one file. A stripped or recompressed file is still accepted everywhere:
the report says what it costs and what to do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from compliance.checks import report
from compliance.checks.barcodes import codes_of
from compliance.checks.base import Finding, Level, Verdict, judge
from compliance.checks.marks import LINE_ELONGATION, SURE_SCORE, texts_of
from compliance.checks.need import check_need
from compliance.checks.ocr import TextBox
from compliance.checks.opening import open_side
from compliance.checks.pair import Side
from compliance.checks.profile import Profile
from compliance.checks.screens import has_status_bar, is_screen_size
from ledger.imaging.metadata import read_metadata
from ledger.imaging.results import Metadata, PrivateMetadata

REPORT_VERSION = 1
EXIF_NOTE = "WARN_IMG_EXIF_LOST"  # a note, whatever its name says: the code was a warning once and stays stable
# Notes too: it is right in the file that is registered, and wrong in the one that is listed.
PLACE_NOTE, SERIAL_NOTE, NAME_NOTE = "WARN_IMG_HAS_PLACE", "WARN_IMG_HAS_SERIAL", "WARN_IMG_HAS_NAME"
ORDER = (Level.ERROR, Level.CONFIRM, Level.WARNING)
Check = Callable[["Photo", Profile], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture and what its file says about itself."""

    side: Side
    metadata: Metadata

    @property
    def has_camera(self) -> bool:
        """Whether EXIF names a camera or tells an exposure."""
        facts = self.metadata
        return bool(facts.camera_make or facts.camera_model or facts.exposure_time_s or facts.f_number)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All that is known about one picture; text_share is 0..1 of its area, jpeg_quality the IJG scale 1..100 or None."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    name: str
    format: str
    width: int
    height: int
    size_bytes: int
    metadata: tuple[str, ...]
    has_camera: bool
    jpeg_quality: int | None
    text_share: float
    codes: int
    category: str
    hidden_need: str
    profile_id: str
    profile_version: int
    timings_ms: dict[str, float]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values. Keys are stable; new ones may be added."""
        values = {key: value for key, value in asdict(self).items() if not key.startswith("profile_")}
        return {
            "report_version": REPORT_VERSION,
            **values,
            "verdict": self.verdict.value,
            "findings": [_finding_dict(finding) for finding in self.findings],
            "metadata": list(self.metadata),
            "notes": list(self.notes),
            "profile": {"id": self.profile_id, "version": self.profile_version},
        }


def check_quality(
    data: bytes,
    *,
    name: str,
    profile: Profile,
    category: str = "",
    without_hidden: bool = False,
    clock: Callable[[], float] = perf_counter,
) -> QualityReport:
    """Check one picture. Raises PictureRefused (side "image") when it cannot be decoded.

    without_hidden: the picture is a main image that goes without a hidden one, so the category's rule is asked too.
    Runs on hostile bytes: call it in the limited child.
    """
    timings: dict[str, float] = {}
    since = clock()
    side = open_side("image", data, name)
    photo = Photo(side, read_metadata(data))
    timings["decode"] = _elapsed_ms(clock, since)
    findings: list[Finding] = []
    for rule, check in CHECKS:
        since = clock()
        findings += check(photo, profile)
        timings[rule] = _elapsed_ms(clock, since)
    need = check_need(side, category)
    if without_hidden:
        findings += need.findings
    timings["total"] = round(sum(timings.values()), 2)
    ordered = tuple(sorted(findings, key=lambda finding: (ORDER.index(finding.level), finding.rule)))
    return QualityReport(
        verdict=judge(ordered, is_unknown=False),
        findings=ordered,
        name=name,
        format=side.format,
        width=side.width,
        height=side.height,
        size_bytes=side.size_bytes,
        metadata=side.metadata,
        has_camera=photo.has_camera,
        jpeg_quality=photo.metadata.jpeg_quality,
        text_share=text_share(side),
        codes=len(codes_of(side)),
        category=category,
        hidden_need=need.word,
        profile_id=profile.id,
        profile_version=profile.version,
        timings_ms=timings,
        notes=notes_of(photo, ordered),
    )


def check_resolution(photo: Photo, profile: Profile) -> tuple[Finding, ...]:
    """Q01: the shortest side, upright."""
    allowed, measured = profile.integer("side_min_px"), min(photo.side.width, photo.side.height)
    if measured >= allowed:
        return ()
    return (Finding("Q01", "ERR_IMG_LOW_RESOLUTION", Level.ERROR, None, measured, allowed, "px"),)


def check_text_share(photo: Photo, profile: Profile) -> tuple[Finding, ...]:
    """Q02: the share of the picture that lines of text take, and codes."""
    side = photo.side
    allowed, measured = profile.number("text_share_max"), text_share(side)
    found = [
        Finding("Q02", "ERR_IMG_QRCODE", Level.ERROR, side.from_detail(code.box), 1, 0, "codes", code.format)
        for code in codes_of(side)
    ]
    if measured > allowed:
        found.append(Finding("Q02", "WARN_IMG_TEXT_HEAVY", Level.WARNING, None, measured, allowed, "share"))
    return tuple(found)


def text_share(side: Side) -> float:
    """The share of a picture's area that its text boxes cover, each pixel once, 0..1."""
    height, width = side.detail.shape[:2]
    covered = np.zeros((height, width), np.bool_)
    for text in filter(_is_text, texts_of(side)):
        left, top, right, bottom = text.box
        covered[top:bottom, left:right] = True
    return round(float(covered.mean()), 4)


def _is_text(text: TextBox) -> bool:
    """Read, or surely a line: what the detector merely suspects does not count into the share."""
    return text.is_read or (text.score >= SURE_SCORE and text.elongation >= LINE_ELONGATION)


def check_screenshot(photo: Photo, profile: Profile) -> tuple[Finding, ...]:
    """Q03: no camera in EXIF, and the size of a screen or a status bar."""
    side = photo.side
    if photo.has_camera:
        return ()
    signs = []
    if is_screen_size(side.width, side.height):
        signs.append("screen_size")
    if has_status_bar(side.detail):
        signs.append("status_bar")
    if not signs:
        return ()
    size = f"{side.width}x{side.height}"
    return (Finding("Q03", "WARN_IMG_SCREENSHOT", Level.WARNING, None, size, "photo", "px", ", ".join(signs)),)


def check_recompression(photo: Photo, profile: Profile) -> tuple[Finding, ...]:
    """Q04: no EXIF, and compressed as chat programs do."""
    quality, allowed = photo.metadata.jpeg_quality, profile.integer("chat_quality_max")
    if photo.metadata.has_exif or quality is None or quality > allowed:
        return ()
    return (Finding("Q04", "WARN_IMG_RECOMPRESSED", Level.WARNING, None, quality, allowed + 1, "quality"),)


def notes_of(photo: Photo, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Codes of what is worth knowing and no fault: missing EXIF alone is right for an upload, and says little else;
    what tells a place, a device or a name is right for the evidence, and has to go before the upload."""
    told = private_notes(photo.metadata.private)
    if told or photo.metadata.has_exif or any(finding.rule == "Q04" for finding in findings):
        return told
    return (EXIF_NOTE,)


def private_notes(private: PrivateMetadata) -> tuple[str, ...]:
    """What strangers could read from a file: where it was taken, with which device, by whom."""
    has_place = private.latitude is not None or private.altitude_m is not None or bool(private.gps_time)
    said = (
        (PLACE_NOTE, has_place),
        (SERIAL_NOTE, bool(private.body_serial or private.lens_serial)),
        (NAME_NOTE, bool(private.owner or private.artist)),
    )
    return tuple(code for code, is_told in said if is_told)


# What these checks may say, and the limits that they read.
QUALITY_CODES = (
    "ERR_IMG_LOW_RESOLUTION",
    "ERR_IMG_QRCODE",
    "WARN_IMG_TEXT_HEAVY",
    "WARN_IMG_SCREENSHOT",
    "WARN_IMG_RECOMPRESSED",
    EXIF_NOTE,
    PLACE_NOTE,
    SERIAL_NOTE,
    NAME_NOTE,
)
QUALITY_LIMITS = ("side_min_px", "text_share_max", "chat_quality_max")
CHECKS: tuple[tuple[str, Check], ...] = (
    ("Q01", check_resolution),
    ("Q02", check_text_share),
    ("Q03", check_screenshot),
    ("Q04", check_recompression),
)


def parse_quality(values: Mapping[str, Any]) -> QualityReport:
    """The other half of QualityReport.to_dict, for what comes from the child; ReportMalformed names a wrong value."""
    profile = report.read_mapping(values, "profile")
    timings = report.read_mapping(values, "timings_ms")
    return QualityReport(
        verdict=report.read_verdict(values),
        findings=report.read_findings(values),
        name=report.read_text(values, "name"),
        format=report.read_text(values, "format"),
        width=report.read_integer(values, "width"),
        height=report.read_integer(values, "height"),
        size_bytes=report.read_integer(values, "size_bytes"),
        metadata=report.read_texts(values, "metadata"),
        has_camera=values.get("has_camera") is True,
        jpeg_quality=None if values.get("jpeg_quality") is None else report.read_integer(values, "jpeg_quality"),
        text_share=float(report.read_number(values, "text_share")),
        codes=report.read_integer(values, "codes"),
        category=report.read_text(values, "category"),
        hidden_need=report.read_text(values, "hidden_need"),
        profile_id=report.read_text(profile, "id"),
        profile_version=report.read_integer(profile, "version"),
        timings_ms={str(key): float(report.read_number(timings, key)) for key in timings},
        notes=report.read_texts({"notes": values.get("notes", [])}, "notes"),
    )


def _finding_dict(finding: Finding) -> dict[str, Any]:
    box = None if finding.bbox is None else list(finding.bbox)
    return {**asdict(finding), "level": finding.level.value, "bbox": box}


def _elapsed_ms(clock: Callable[[], float], since: float) -> float:
    return round((clock() - since) * 1000, 2)
