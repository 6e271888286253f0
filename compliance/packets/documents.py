"""The packet's two documents, a letter in one language and the comparison pages, as PDF/A-3a or as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from compliance.cases.target import find_target
from compliance.packets.blocks import Block, facts, heading, joined
from compliance.packets.letter import letter_blocks
from compliance.packets.overlay import lay_over, matched_area
from compliance.packets.packet import Comparison, Packet, PacketFile, WorkExhibit
from compliance.packets.wording import Wording, wording
from ledger.pdf.payload import Json, format_utc
from ledger.pdf.pictures import preview_jpeg
from ledger.pdf.text import Escaper
from ledger.pdf.typeset import typeset, typeset_pages

TEMPLATE = Path(__file__).parent / "templates" / "packet.typ"
LANGUAGE_TAGS = {"zh": ("zh", "cn"), "en": ("en", "us"), "es": ("es", "es"), "ru": ("ru", "ru"), "pt": ("pt", "br")}
PAGE_PPI = 150  # every letter can be read; an A4 page of text is about 200 kB as PNG
SMALL, LARGE = (360, 24_000), (900, 140_000)


@dataclass(frozen=True, slots=True)
class Composed:
    """A document ready for the typesetter: the template with its pictures, and the texts."""

    files: dict[str, bytes]
    data: dict[str, Json]
    at: datetime

    def pdf(self) -> bytes:
        return typeset(TEMPLATE.name, self.files, self.data, self.at)

    def pages(self) -> list[bytes]:
        """PNG pictures of the pages, A4 at PAGE_PPI."""
        return typeset_pages(TEMPLATE.name, self.files, self.data, pixels_per_inch=PAGE_PPI)


def compose_letter(packet: Packet, language: str, exhibits: Sequence[PacketFile]) -> Composed:
    """The letter. Raises UnknownLanguageError, PictureRejectedError; setting it, RenderFailedError."""
    words = wording(language)
    pictures = {
        f"work-{number}.jpg": preview_jpeg(item.preview, max_side_px=SMALL[0], target_bytes=SMALL[1])
        for number, item in enumerate(packet.works, start=1)
        if item.preview
    }
    blocks = letter_blocks(packet, language, exhibits)
    return _compose(packet, words, words.text("titles", packet.case.kind), blocks, pictures)


def compose_comparisons(packet: Packet, language: str) -> Composed | None:
    """A page for each listing that has a picture: ours, theirs, theirs over ours, and what was measured; or None."""
    words = wording(language)
    works = {item.number: item for item in packet.works}
    blocks: list[Block] = []
    pictures: dict[str, bytes] = {}
    for number, (item, exhibit) in enumerate(zip(packet.case.infringements, packet.listings, strict=True), start=1):
        work, found = works.get(item.work), exhibit.comparison
        if work is None or found is None or (found.theirs is None and work.preview is None):
            continue
        if blocks:
            blocks.append(Block("page", {}))
        title = joined([f"{words.label('listing')} {number}", item.listing_id or item.url], " · ")
        blocks += [heading(title), _pair(number, work, found, pictures, words), _measured(work, found, words, item.url)]
    if not blocks:
        return None
    return _compose(packet, words, words.text("headings", "comparison"), blocks, pictures)


def _pair(number: int, work: WorkExhibit, found: Comparison, pictures: dict[str, bytes], words: Wording) -> Block:
    shown: list[Json] = []
    for name, label, picture in (
        (f"ours-{number}.jpg", "ours", work.preview),
        (f"theirs-{number}.jpg", "theirs", found.theirs),
    ):
        if picture is not None:
            pictures[name] = preview_jpeg(picture, max_side_px=LARGE[0], target_bytes=LARGE[1])
            shown.append([name, words.label(label)])
    laid: Json = None
    if work.preview is not None and found.theirs is not None and found.corners:
        pictures[f"over-{number}.jpg"] = lay_over(work.preview, found.theirs, found.corners)
        laid = [f"over-{number}.jpg", words.label("overlay")]
    return Block("pictures", {"pair": shown, "over": laid})


def _measured(work: WorkExhibit, found: Comparison, words: Wording, url: str) -> Block:
    score = f"{found.score:.1f} ({words.label('score_note')}; {found.engine})" if found.score is not None else ""
    area = f"{matched_area(found.corners) * 100:.0f} %" if found.corners else ""
    edits = found.edits_zh if words.language == "zh" else found.edits_en
    return facts(
        [
            ("URL", url),
            (words.label("uses"), f"{work.title} · {work.number}"),
            (words.label("score"), score or words.label("not_measured")),
            (words.label("matched_area"), area),
            (words.label("edits"), edits),
            (words.label("sha256"), work.sha256),
        ],
        mono=[words.label("sha256")],
    )


def _compose(
    packet: Packet, words: Wording, title: str, blocks: Sequence[Block], pictures: dict[str, bytes]
) -> Composed:
    escape = Escaper()
    at = packet.created_at.replace(microsecond=0)
    target = find_target(packet.case.target).name
    lang, region = LANGUAGE_TAGS[words.language]
    data: dict[str, Json] = {
        "title": title,
        "lang": lang,
        "region": region,
        "number": packet.number,
        "created": format_utc(at),
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "draft": words.draft if packet.is_draft else None,
        "head": [
            [words.to, target.in_language(words.language)],
            [words.date, format_utc(at)],
            [words.reference, joined([packet.case_number, packet.number], " / ")],
        ],
        "blocks": [block.payload() for block in blocks],
    }
    escaped = _escape(data, escape)
    assert isinstance(escaped, dict)  # noqa: S101 - the same shape
    escaped["escaped"] = list(escape.escaped)
    return Composed({TEMPLATE.name: TEMPLATE.read_bytes(), **pictures}, escaped, at)


def _escape(value: Json, escape: Callable[[str], str]) -> Json:
    """Every text made safe to draw; names of picture files are plain ASCII and come back unchanged."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [_escape(item, escape) for item in value]
    if isinstance(value, dict):
        return {key: _escape(item, escape) for key, item in value.items()}
    return value
