"""What goes into a case's packet: works with their evidence, listings with comparison and captures, attached files.

A place or a serial number is in none of it unless somebody ticked so: exact originals and the files of a shoot only go when
asked for, and a picture among captures and attachments that holds one is left out and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from compliance.cases.facts import SAME_AS_WORK_FILE
from compliance.models import Candidate, Capture, Case, CaseWork, Infringement, ListingImage, WatchMatch
from compliance.packets.overlay import invert
from compliance.packets.packet import CaptureExhibit, Comparison, ListingExhibit, PacketFile, WorkExhibit
from compliance.services.bilingual import both_languages
from compliance.services.captures import file_extension
from compliance.services.case_captures import captures_of
from compliance.services.edit_words import edit_words
from ledger.imaging.results import PrivateMetadata, parse_analysis
from ledger.imaging.sandbox import TaskResult
from ledger.models import EvidenceFile, ImageFile, ImageState, Original, Statement
from ledger.services.blobs import read_blob
from ledger.services.evidence import EXTENSIONS, assured_level, certificate_of, core_files, evidence_of
from ledger.services.pictures import ANALYSE, pixel_pool, thumbnail
from ledger.tlog import bundle

PREVIEW_PX = 1024
ZIP, PDF = "application/zip", "application/pdf"
IDENTITY = "identity"
NOT_TICKED, PRIVATE, UNREADABLE = "not_ticked", "private", "unreadable"
ROLE_OF_FILE = {role: name for name, roles in SAME_AS_WORK_FILE.items() for role in roles}


@dataclass(frozen=True, slots=True)
class Ticks:
    """What somebody ticked for this packet. originals: exact originals and files of the shoot; private: pictures that
    hold a place or serial numbers; identity: identity papers."""

    originals: bool = False
    private: bool = False
    identity: bool = False


@dataclass(slots=True)
class Exhibits:
    """Collected while the case is read. left_out: (name, why)."""

    works: list[WorkExhibit] = field(default_factory=list)
    listings: list[ListingExhibit] = field(default_factory=list)
    files: list[PacketFile] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    originals: list[Original] = field(default_factory=list)

    def add(self, name: str, role: str, mime: str, data: bytes, note: str = "") -> None:
        self.files.append(PacketFile(name, role, mime, data, note))

    @property
    def level(self) -> int:
        """The weakest of the works decides."""
        return min((work.level for work in self.works), default=0)


def collect(case: Case, ticks: Ticks) -> Exhibits:
    """Read everything of a case. The caller has checked who asks."""
    made = Exhibits()
    works = list(case.works.select_related("original__image__blob", "original__statement__entry", "original__seller"))
    for number, work in enumerate(works, start=1):
        _work(made, number, work, ticks)
    rows = list(case.infringements.select_related("listing", "work__original__image"))
    captures = captures_of(case, rows)
    for number, row in enumerate(rows, start=1):
        _listing(made, number, row, captures[row.pk], ticks)
    _attachments(made, case, ticks)
    return made


# Works ----------------------------------------------------------------------------------------------------------


def _work(made: Exhibits, number: int, work: CaseWork, ticks: Ticks) -> None:
    original = work.original
    image, statement = original.image, original.statement
    evidence = evidence_of(statement)
    later = evidence.outside.bracket.later
    said = image.metadata if image.state == ImageState.READY else {}
    made.originals.append(original)
    made.works.append(
        WorkExhibit(
            number=original.number,
            title=str(original),
            sha256=bytes(original.sha256).hex(),
            entry=statement.seq,
            logged_at=statement.logged_at,
            level=assured_level(evidence.outside),
            later_at=later.at if later else None,
            later_by=later.authority if later else "",
            camera=" ".join(part for part in (said.get("camera_make", ""), said.get("camera_model", "")) if part),
            shot_at=said.get("captured_at", ""),
            preview=thumbnail(image, PREVIEW_PX),
        )
    )
    prefix = f"10-work-{number}"
    certificate = certificate_of(actor=None, original=original)
    made.add(
        f"{prefix}-certificate.pdf", "certificate", PDF, read_blob(certificate.blob), f"certificate {original.number}"
    )
    core = bundle.format_bundle(core_files(evidence))
    made.add(f"{prefix}-evidence.zip", "evidence", ZIP, core, f"evidence bundle {original.number}")
    name = f"{prefix}-original.{EXTENSIONS.get(image.mime, 'bin')}"
    if ticks.originals:
        made.add(name, "camera_original", image.mime, read_blob(image.blob), "exact bytes as registered")
    else:
        made.left_out.append((name, NOT_TICKED))
    _shoot(made, number, work, ticks)


def _shoot(made: Exhibits, number: int, work: CaseWork, ticks: Ticks) -> None:
    """Files of evidence sets that belong to the work, and the proof of each set."""
    files = list(work.files.filter(is_erased=False).select_related("blob", "evidence_set__statement__entry"))
    sets: dict[int, Statement] = {}
    for at, file in enumerate(files, start=1):
        name = f"11-work-{number}-{file.role}-{at}.{_ending(file)}"
        if not ticks.originals:
            made.left_out.append((name, NOT_TICKED))
            continue
        role = ROLE_OF_FILE.get(file.role, file.role)
        made.add(name, role, file.mime, read_blob(file.blob), f"{file.role}: {file.file_name.rsplit('/', 1)[-1]}")
        if file.evidence_set.statement is not None:
            sets[file.evidence_set_id] = file.evidence_set.statement
    for at, statement in enumerate(sets.values(), start=1):
        core = bundle.format_bundle(core_files(evidence_of(statement)))
        made.add(f"12-work-{number}-set-{at}.zip", "evidence", ZIP, core, f"evidence bundle of set {statement.number}")


def _ending(file: EvidenceFile) -> str:
    ending = PurePosixPath(file.file_name.lower()).suffix.lstrip(".")
    return ending if ending.isascii() and ending.isalnum() and len(ending) <= 8 else "bin"


# Listings -------------------------------------------------------------------------------------------------------


def _listing(made: Exhibits, number: int, row: Infringement, captures: Sequence[Capture], ticks: Ticks) -> None:
    shown = []
    for at, capture in enumerate(captures, start=1):
        assert capture.statement is not None  # noqa: S101 - captures_of takes entered ones
        shown.append(
            CaptureExhibit(
                kind=str(capture.kind),
                observer=str(capture.observer),
                captured_at=capture.captured_at,
                sha256=bytes(capture.sha256).hex(),
                entry=capture.statement.seq,
            )
        )
        _capture(made, f"20-listing-{number}-capture-{at}", capture, ticks)
    made.listings.append(ListingExhibit(row.title, row.price, row.seller_country, _comparison(row), tuple(shown)))


def _capture(made: Exhibits, prefix: str, capture: Capture, ticks: Ticks) -> None:
    assert capture.blob is not None  # noqa: S101 - entered captures have their files
    assert capture.record is not None  # noqa: S101
    assert capture.statement is not None  # noqa: S101
    role = {"screenshot": "infringing_screenshot", "video": "screen_recording"}.get(str(capture.kind), "capture")
    _picture_or_file(made, f"{prefix}.{file_extension(capture)}", role, capture.mime, read_blob(capture.blob), ticks)
    core = core_files(evidence_of(capture.statement), {1: ("json", read_blob(capture.record))})
    made.add(
        f"{prefix}-evidence.zip",
        "evidence",
        ZIP,
        bundle.format_bundle(core),
        f"evidence bundle of capture {capture.number}",
    )


def _comparison(row: Infringement) -> Comparison | None:
    """Our picture beside theirs, measured where a search of ours found it; else theirs alone, to compare by eye."""
    found = _candidate(row)
    if found is not None:
        candidate, is_reversed = found
        theirs = candidate.run.image if is_reversed else candidate.image
        return _measured(theirs, candidate.score, candidate.run.engine, candidate.evidence, is_reversed=is_reversed)
    match = WatchMatch.objects.of(row.seller).filter(number=row.match_number or None).first()
    if match is not None and row.work is not None and match.original_id == row.work.original_id:
        # The watch asks with the listing's picture, so what it knows is about theirs in ours.
        return _measured(match.listing_image.image, match.score, match.engine, match.evidence, is_reversed=True)
    picture = ListingImage.objects.filter(listing=row.listing_id).select_related("image__blob").order_by("pk").first()
    return Comparison(thumbnail(picture.image, PREVIEW_PX)) if row.listing_id and picture else None


def _measured(
    theirs: ImageFile | None, score: float, engine: str, evidence: dict[str, Any], *, is_reversed: bool
) -> Comparison:
    """is_reversed: their picture asked, so the place is that of theirs in ours."""
    place = tuple((float(x), float(y)) for x, y in evidence.get("place") or ())
    english, chinese = both_languages(lambda: ["; ".join(edit_words(evidence.get("edits", {})))])
    return Comparison(
        theirs=thumbnail(theirs, PREVIEW_PX) if theirs else None,
        score=score,
        engine=engine,
        corners=invert(place) if is_reversed and len(place) == 4 else place if len(place) == 4 else (),
        edits_zh=chinese[0],
        edits_en=english[0],
    )


def _candidate(row: Infringement) -> tuple[Candidate, bool] | None:
    """The search result that compares this listing with this work, newest first, and whether theirs was the query."""
    if row.work is None:
        return None
    original = row.work.original
    rows = Candidate.objects.of(row.seller).select_related("run__image__blob", "image__blob").order_by("-pk")
    if row.search_number:
        rows = rows.filter(run__number=row.search_number)
    theirs = (
        rows.filter(run__image=original.image_id, listing_image__listing=row.listing_id)
        if row.listing_id
        else rows.none()
    )
    found = theirs.first()
    if found is not None:
        return found, False
    found = rows.filter(original=original).first() if row.search_number else None
    return (found, True) if found is not None else None


# Attached files -------------------------------------------------------------------------------------------------


def _attachments(made: Exhibits, case: Case, ticks: Ticks) -> None:
    for number, row in enumerate(case.attachments.select_related("blob"), start=1):
        ending = PurePosixPath(row.file_name.lower()).suffix.lstrip(".")
        kept = ending if ending.isascii() and ending.isalnum() and len(ending) <= 8 else "bin"
        name = f"40-{row.role.replace('_', '-')}-{number}.{kept}"
        if row.role == IDENTITY and not ticks.identity:
            made.left_out.append((name, NOT_TICKED))
            continue
        _picture_or_file(made, name, row.role, row.mime, read_blob(row.blob), ticks, row.file_name)


def _picture_or_file(
    made: Exhibits, name: str, role: str, mime: str, data: bytes, ticks: Ticks, note: str = ""
) -> None:
    """Take a file along, unless it is a picture with a place or serial numbers in it and that was not ticked."""
    why = "" if ticks.private or not mime.startswith("image/") else private_reason(data)
    if why:
        made.left_out.append((name, why))
    else:
        made.add(name, role, mime, data, note)


def private_reason(data: bytes) -> str:
    """PRIVATE for a picture that says where or with which device it was made, UNREADABLE where nobody can tell."""
    outcome = pixel_pool().submit(ANALYSE, [data], {}).wait()
    if not isinstance(outcome, TaskResult):
        return UNREADABLE
    try:
        found = parse_analysis(outcome.values, outcome.blobs).metadata.private
    except (ValueError, KeyError, TypeError):
        return UNREADABLE
    return "" if found == PrivateMetadata() else PRIVATE
