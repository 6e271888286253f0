"""What each document states: a certificate, a search receipt, a check receipt. Frozen data, no layout, no wording.

Times are aware UTC datetimes, digests are bytes, pictures are small previews in any of JPEG, PNG and WebP (they are
encoded anew, so no metadata of theirs reaches the PDF). There is no field for a place or for an owner, on purpose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain

from ledger.pdf.assurance import Assurance, Bilingual
from ledger.pdf.errors import DocumentRejectedError

SHA256_BYTES = 32
# The attachment that holds the core bundle; the reader looks for this name and no other.
BUNDLE_NAME = "originmark-bundle.zip"


class Verdict(StrEnum):
    """ETSI EN 319 102-1: "wrong" and "cannot tell" are never the same answer."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


class Relationship(StrEnum):
    """How an attached file relates to the document (ISO 32000-2, AFRelationship)."""

    SOURCE = "source"
    DATA = "data"
    ALTERNATIVE = "alternative"
    SUPPLEMENT = "supplement"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file carried inside the PDF; name is plain ASCII, at most 100 characters."""

    name: str
    mime: str
    data: bytes = field(repr=False)
    relationship: Relationship = Relationship.DATA
    description: str = ""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A similarity code of the pixels, printed as hex beside its algorithm's name and version."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Exact bytes and what was measured from them; pixel size is None for a file that stays sealed and undecoded."""

    name: str
    size_bytes: int
    mime: str
    sha256: bytes
    width_px: int | None = None
    height_px: int | None = None
    fingerprints: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What the file says about its own making; unverified, and never where."""

    make: str = ""
    model: str = ""
    lens: str = ""
    captured_at: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True)
class OutsideTime:
    """A time attested by somebody else: the authority's name, its time, and the log entry that holds the token."""

    at: datetime
    authority: str
    anchor_seq: int | None = None


@dataclass(frozen=True, slots=True)
class TimeBracket:
    """Later than `earlier`, before `later`; None means open, which is drawn as pending and not as proven."""

    earlier: OutsideTime | None = None
    later: OutsideTime | None = None


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """Everything the log says about one entry, enough to check it with pencil and SHA-256."""

    origin: str
    seq: int
    logged_at: datetime
    entry_text: str
    leaf_hash: bytes
    prev_hash: bytes
    tree_size: int
    root_hash: bytes
    key_id: str
    inclusion_proof: tuple[bytes, ...]
    checkpoint_note: str


@dataclass(frozen=True, slots=True)
class Common:
    """What every document shares: its number, who registered, the log's facts, their level, and when it was issued."""

    number: str
    issued_at: datetime
    seller: str
    ledger: LedgerFacts
    assurance: Assurance
    bracket: TimeBracket = TimeBracket()
    verify_url: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateDocument:
    """Certificate of one registered original; without a thumbnail for a file that was sealed but not decoded."""

    common: Common
    file: FileFacts
    thumbnail: bytes | None = field(default=None, repr=False)
    camera: CameraFacts | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class SetFile:
    """One file of an evidence set: its number in the claim, from 1, what it is, and its exact bytes' digest."""

    number: int
    role: Bilingual
    name: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class SetCertificateDocument:
    """Certificate of one evidence set. files may be the first of many; file_count and size_bytes are of all."""

    common: Common
    title: str
    files: tuple[SetFile, ...]
    file_count: int
    size_bytes: int
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One retrieved picture; score is 0..100, higher is closer."""

    product_id: str
    score: float
    thumbnail: bytes | None = field(default=None, repr=False)
    listed_at: datetime | None = None
    shop_country: str = ""
    shop_name: str = ""
    url: str = ""
    registered: bool = False
    what: Bilingual | None = None  # the verdict and the edits found


@dataclass(frozen=True, slots=True)
class QueryReceiptDocument:
    """Receipt of one search: what was asked, what was searched, and at most five candidates, closest first."""

    common: Common
    query: FileFacts
    thumbnail: bytes | None = field(repr=False)
    scope: Bilingual
    searched_count: int
    threshold: int
    candidates: tuple[Candidate, ...]
    limits: tuple[Bilingual, ...]
    category: str = ""
    matches_count: int | None = None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule of a check: stable code, what was measured, what is allowed, and where the limit comes from."""

    code: str
    name: Bilingual
    verdict: Verdict
    measured: str
    allowed: str
    source: str


@dataclass(frozen=True, slots=True)
class CheckReceiptDocument:
    """Receipt of one hidden-image check: both files, the difference heatmap, the verdict and the rules behind it."""

    common: Common
    main: FileFacts
    hidden: FileFacts
    main_thumbnail: bytes | None = field(repr=False)
    hidden_thumbnail: bytes | None = field(repr=False)
    heatmap: bytes | None = field(repr=False)
    verdict: Verdict
    rules: tuple[RuleResult, ...]
    profile: str
    limits: tuple[Bilingual, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordDocument:
    """Receipt of any other entry: what it is, its pictures and files with captions, facts, and rules if any were asked.

    verdict None and no rules for a record that judges nothing, such as a file made from an original.
    """

    common: Common
    title: Bilingual
    lead: Bilingual
    pictures: tuple[tuple[Bilingual, bytes | None], ...] = field(repr=False)
    files: tuple[tuple[Bilingual, FileFacts], ...]
    facts: tuple[tuple[Bilingual, str], ...] = ()
    verdict: Verdict | None = None
    rules: tuple[RuleResult, ...] = ()
    limits: tuple[Bilingual, ...] = ()


Document = CertificateDocument | SetCertificateDocument | QueryReceiptDocument | CheckReceiptDocument | RecordDocument


def _times(document: Document) -> Iterator[datetime]:
    common = document.common
    yield common.issued_at
    yield common.ledger.logged_at
    for outside in (common.bracket.earlier, common.bracket.later):
        if outside is not None:
            yield outside.at
    if isinstance(document, QueryReceiptDocument):
        yield from (c.listed_at for c in document.candidates if c.listed_at is not None)


def _digests(document: Document) -> Iterator[bytes]:
    ledger = document.common.ledger
    yield from chain((ledger.leaf_hash, ledger.prev_hash, ledger.root_hash), ledger.inclusion_proof)
    if isinstance(document, CertificateDocument):
        yield document.file.sha256
    elif isinstance(document, SetCertificateDocument):
        yield from (file.sha256 for file in document.files)
    elif isinstance(document, QueryReceiptDocument):
        yield document.query.sha256
    elif isinstance(document, RecordDocument):
        yield from (file.sha256 for _caption, file in document.files)
    else:
        yield document.main.sha256
        yield document.hidden.sha256


def check_document(document: Document) -> None:
    """Raise DocumentRejectedError for a statement that cannot be true, before it is printed and signed."""
    for at in _times(document):
        if at.utcoffset() != timedelta(0):
            raise DocumentRejectedError(f"time {at.isoformat()} is not in UTC")
    for digest in _digests(document):
        if len(digest) != SHA256_BYTES:
            raise DocumentRejectedError(f"a SHA-256 digest has {SHA256_BYTES} bytes, got {len(digest)}")
    ledger = document.common.ledger
    if not 0 <= ledger.seq < ledger.tree_size:
        raise DocumentRejectedError(f"entry {ledger.seq} is not inside a tree of {ledger.tree_size} leaves")
