"""Everything known about one case, as plain values: what the gate judges and a packet is made from.

Times are aware datetimes, days are dates; an empty text or None says that nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

COMPLAINT, COUNTER_NOTICE, DEFENCE, COURT_BUNDLE = "complaint", "counter_notice", "defence", "court_bundle"
KINDS = (COMPLAINT, COUNTER_NOTICE, DEFENCE, COURT_BUNDLE)
OWNER, AGENT = "owner", "agent"
YES, NO = "yes", "no"

# What a right can be and how somebody came to hold it.
RIGHT_TYPES = ("photo", "art", "text", "design", "trademark", "patent")
OWNERSHIP = ("own", "work_for_hire", "assignment", "exclusive_licence")
IMAGE_SOURCES = ("self", "supplier", "ai_generated", "mixed")
PHOTOGRAPHERS = ("self", "employee", "assignment", "none")
ACTIONS = ("remove_image", "remove_listing", "preserve_data")


@dataclass(frozen=True, slots=True)
class Complainant:
    """Who speaks. role: owner or agent; entity: person or business; country: ISO 3166 code."""

    role: str = ""
    legal_name: str = ""
    entity: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    secondary_contact: str = ""
    country: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """The right that is claimed. work_link and work_description stand for a work without a registration."""

    type: str = ""
    title: str = ""
    author: str = ""
    owner: str = ""
    ownership_basis: str = ""
    created_on: date | None = None
    published_on: date | None = None
    publication_url: str = ""
    publication_item: str = ""
    registration_no: str = ""
    registration_authority: str = ""
    registration_country: str = ""
    registered_on: date | None = None
    work_link: str = ""
    work_description: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """One of our pictures. number: its proof number; roles: of the files that go with it (original, raw, layered,
    outtake, contract, derivative); proven_at: outside time that covers its entry, logged_at: our own clock."""

    number: str
    title: str = ""
    sha256: str = ""
    roles: frozenset[str] = frozenset()
    proven_at: datetime | None = None
    logged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Infringement:
    """One listing that uses a picture of ours. work: the proof number of ours; captures: kinds of what was kept of it."""

    platform: str = ""
    market: str = ""
    listing_id: str = ""
    url: str = ""
    seller_name: str = ""
    reason: str = ""
    position: str = ""
    work: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    captures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relationship:
    """What may stand in the way of a complaint, as somebody answered it. Unanswered is empty; else yes or no, and for
    image_source and photographer one of IMAGE_SOURCES and PHOTOGRAPHERS."""

    image_source: str = ""
    photographer: str = ""
    in_ebay_catalogue: str = ""
    on_shared_asin: str = ""
    is_authorised_reseller: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along; expires_on: of an authorisation or a certificate."""

    role: str
    file_name: str
    mime: str
    size_bytes: int
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that a person ticked, under that person's name."""

    which: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """What we received, where the case answers somebody else's notice. reference: their number."""

    reference: str = ""
    received_at: datetime | None = None
    sender: str = ""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The whole. message: the text that goes to the target; today: the day for what expires; account: whether the
    complainant has a verified account at the target, as somebody answered it."""

    kind: str
    target: str
    today: date
    languages: tuple[str, ...] = ()
    complainant: Complainant = field(default_factory=Complainant)
    right: Right = field(default_factory=Right)
    works: tuple[Work, ...] = ()
    infringements: tuple[Infringement, ...] = ()
    relationship: Relationship = field(default_factory=Relationship)
    attachments: tuple[Attachment, ...] = ()
    statements: tuple[Statement, ...] = ()
    notice: Notice = field(default_factory=Notice)
    signature: str = ""
    message: str = ""
    actions: tuple[str, ...] = ()
    has_account: str = ""
    portal_ref: str = ""
