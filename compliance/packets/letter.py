"""The letter of a packet in one language: who, which right, which works, which listings, what is asked, what is stated.

What is not known is left out; nothing is said that the case does not hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from compliance.cases.case_file import COMPLAINT, COUNTER_NOTICE, COURT_BUNDLE, DEFENCE
from compliance.cases.target import find_target
from compliance.packets.blocks import (
    Block,
    day,
    facts,
    heading,
    joined,
    listed,
    moment,
    paragraph,
    size,
    statement,
    table,
    work,
)
from compliance.packets.packet import ListingExhibit, Packet, PacketFile, WorkExhibit
from compliance.packets.wording import Wording, wording

ANSWERS = (COUNTER_NOTICE, DEFENCE)


def letter_blocks(packet: Packet, language: str, exhibits: Sequence[PacketFile]) -> list[Block]:
    """The letter, block after block. exhibits: every other file of the packet, as it will be listed."""
    words = wording(language)
    made: list[Block] = [paragraph(words.dear), paragraph(words.text("opening", packet.case.kind))]
    for part in (_notice, _sender, _right, _works, _listings, _message, _relationship, _actions, _statements):
        made += part(packet, words)
    made += _exhibits(words, exhibits)
    made += [heading(words.text("headings", "verify")), paragraph(words.text("verify", "text"))]
    made += _signature(packet, words)
    return made


def _notice(packet: Packet, words: Wording) -> Iterator[Block]:
    if packet.case.kind not in ANSWERS:
        return
    notice = packet.case.notice
    rows = [
        (words.label("notice_reference"), notice.reference),
        (words.label("notice_sender"), notice.sender),
        (words.label("notice_received"), moment(notice.received_at)),
    ]
    if any(value for _label, value in rows):
        yield heading(words.text("headings", "notice"))
        yield facts(rows)


def _sender(packet: Packet, words: Wording) -> Iterator[Block]:
    who = packet.case.complainant
    yield heading(words.text("headings", "sender"))
    yield facts(
        [
            (words.label("legal_name"), who.legal_name),
            (words.label("role"), words.value(who.role)),
            (words.label("entity"), words.value(who.entity)),
            (words.label("address"), who.address),
            (words.label("phone"), who.phone),
            (words.label("email"), who.email),
            (words.label("secondary_contact"), who.secondary_contact),
            (words.label("country"), who.country),
            (words.label("brand"), who.brand),
        ]
    )


def _right(packet: Packet, words: Wording) -> Iterator[Block]:
    right = packet.case.right
    registration = [
        right.registration_no,
        right.registration_authority,
        right.registration_country,
        day(right.registered_on),
    ]
    published = [day(right.published_on), right.publication_url, right.publication_item]
    rows = [
        (words.label("type"), words.value(right.type)),
        (words.label("title"), right.title),
        (words.label("author"), right.author),
        (words.label("owner"), right.owner),
        (words.label("ownership_basis"), words.value(right.ownership_basis)),
        (words.label("created_on"), day(right.created_on)),
        (words.label("published"), joined(published)),
        (words.label("registration"), joined(registration)),
        (words.label("work_link"), right.work_link),
        (words.label("work_description"), right.work_description),
    ]
    if any(value for _label, value in rows):
        yield heading(words.text("headings", "right"))
        yield facts(rows)


def _works(packet: Packet, words: Wording) -> Iterator[Block]:
    if not packet.works:
        return
    yield heading(words.text("headings", "works"))
    for number, item in enumerate(packet.works, start=1):
        picture = f"work-{number}.jpg" if item.preview else ""
        yield work(f"{number}. {item.title}", picture, words.label("ours"), _work_rows(item, words), item.sha256)


def _work_rows(item: WorkExhibit, words: Wording) -> list[tuple[str, str]]:
    outside = f"{moment(item.later_at)}, {item.later_by}" if item.later_at else words.label("none_outside")
    return [
        (words.label("proof"), item.number),
        (words.label("entry"), str(item.entry)),
        (words.label("logged"), moment(item.logged_at)),
        (words.label("outside"), outside),
        (words.label("camera"), joined([item.camera, item.shot_at])),
    ]


def _listings(packet: Packet, words: Wording) -> Iterator[Block]:
    if not packet.case.infringements:
        return
    name = "disputed" if packet.case.kind in ANSWERS else "listings"
    yield heading(words.text("headings", name))
    reasons = find_target(packet.case.target).reasons
    works = {item.number: number for number, item in enumerate(packet.works, start=1)}
    for number, item in enumerate(packet.case.infringements, start=1):
        exhibit = packet.listings[number - 1]
        reason = reasons[item.reason].in_language(words.language) if item.reason in reasons else item.reason
        ours = works.get(item.work)
        yield facts(
            [
                (f"{words.label('listing')} {number}", joined([item.listing_id, exhibit.title])),
                ("URL", item.url),
                (words.label("platform"), joined([item.platform, item.market])),
                (words.label("seller"), joined([item.seller_name, exhibit.country])),
                (words.label("price"), exhibit.price),
                (words.label("reason"), reason),
                (words.label("position"), words.value(item.position)),
                (words.label("seen"), joined([moment(item.first_seen), moment(item.last_seen)], " – ")),
                (words.label("uses"), f"{ours}. {packet.works[ours - 1].title}" if ours else ""),
                (words.label("score"), _score(exhibit, words)),
                *(_capture_row(words, exhibit, at) for at in range(len(exhibit.captures))),
            ]
        )


def _score(exhibit: ListingExhibit, words: Wording) -> str:
    found = exhibit.comparison
    if found is None or found.score is None:
        return ""
    return f"{found.score:.1f} ({words.label('score_note')}; {found.engine})"


def _capture_row(words: Wording, exhibit: ListingExhibit, at: int) -> tuple[str, str]:
    item = exhibit.captures[at]
    said = joined([words.value(item.kind), words.value(item.observer), moment(item.captured_at)])
    return words.label("capture"), f"{said}, {words.label('entry')} {item.entry}, SHA-256 {item.sha256[:16]}…"


def _message(packet: Packet, words: Wording) -> Iterator[Block]:
    if packet.case.message.strip():
        yield heading(words.text("headings", "facts"))
        yield from (paragraph(line) for line in packet.case.message.strip().splitlines() if line.strip())


def _relationship(packet: Packet, words: Wording) -> Iterator[Block]:
    said = packet.case.relationship
    rows = [
        (words.label("image_source"), words.value(said.image_source)),
        (words.label("photographer"), words.value(said.photographer)),
        (words.label("reseller"), words.value(said.is_authorised_reseller)),
    ]
    if any(value for _label, value in rows):
        yield heading(words.text("headings", "relationship"))
        yield facts(rows)


def _actions(packet: Packet, words: Wording) -> Iterator[Block]:
    wanted = [words.text("actions", name) for name in packet.case.actions if name in words.tables["actions"]]
    if wanted and packet.case.kind in (COMPLAINT, COURT_BUNDLE):
        yield heading(words.text("headings", "ask"))
        yield listed(wanted)


def _statements(packet: Packet, words: Wording) -> Iterator[Block]:
    if not packet.case.statements:
        return
    yield heading(words.text("headings", "statements"))
    answers = packet.case.kind in ANSWERS
    for each in packet.case.statements:
        ticked = words.label("ticked").format(name=each.name, time=moment(each.at))
        yield statement(words.statement(each.which, answers=answers), ticked)


def _exhibits(words: Wording, exhibits: Sequence[PacketFile]) -> Iterator[Block]:
    if not exhibits:
        return
    yield heading(words.text("headings", "exhibits"))
    rows = [
        (file.name, file.note or file.role, size(len(file.data)), hashlib.sha256(file.data).hexdigest())
        for file in exhibits
    ]
    head = [words.label(name) for name in ("file", "what", "size", "sha256")]
    yield table(head, rows)


def _signature(packet: Packet, words: Wording) -> Iterator[Block]:
    if packet.case.signature:
        yield heading(words.text("headings", "signature"))
        said = f"{words.label('signed_by')}: {packet.case.signature}, {moment(packet.created_at)}"
        yield paragraph(joined([packet.case.complainant.legal_name, said], " · "))
