"""The two outside clock readings around an entry, the level they make, and the files that prove them. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from ledger.models import Checkpoint, Entry, Statement, TimestampToken
from ledger.pdf.documents import OutsideTime, TimeBracket
from ledger.services.log import proof_of
from ledger.tlog.outside_time import (
    MAX_LINKS,
    MAX_RENEWALS,
    EarlierFiles,
    RenewalFiles,
    TokenFiles,
    time_files,
)
from ledger.tlog.proof import format_proof

CHECKPOINT_SIGNED, ONE_CLOCK, TWO_CLOCKS = 1, 2, 3
DEVELOPMENT_NOTE = "(开发用时钟，无证明力 / development clock, proves nothing)"
CANDIDATES = 24  # tokens looked at behind an entry: a better-stamped checkpoint a little later wins over a poorer one
RENEW_IN_BUNDLE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Outside:
    """later: tokens over one checkpoint that contains the entry; earlier: the newest that the entry is younger than."""

    later: tuple[TimestampToken, ...] = ()
    earlier: TimestampToken | None = None

    @property
    def level(self) -> int:
        """1 to 3; the development clock counts for nothing."""
        return level_of(self.later)

    @property
    def checkpoint(self) -> Checkpoint | None:
        return self.later[0].checkpoint if self.later else None

    @property
    def bracket(self) -> TimeBracket:
        """Earlier and later reading as documents print them; of several later ones the first."""
        later = min(self.later, key=lambda token: token.gen_time, default=None)
        return TimeBracket(_reading(self.earlier), _reading(later, self.later))


def _reading(token: TimestampToken | None, also: Sequence[TimestampToken] = ()) -> OutsideTime | None:
    if token is None:
        return None
    names = dict.fromkeys(shown_name(each) for each in (token, *also))
    return OutsideTime(token.gen_time, " · ".join(names), _anchor_number(token))


def _anchor_number(token: TimestampToken) -> int:
    """The number of its anchor entry, in the log that this one is in."""
    return int(token.seq)  # type: ignore[attr-defined]  # by shown_tokens()


def shown_name(token: TimestampToken) -> str:
    """In both languages, because documents are."""
    return f"{token.authority_name} {DEVELOPMENT_NOTE}" if token.is_development else token.authority_name


def level_of(tokens: Iterable[TimestampToken]) -> int:
    """L2 with one outside authority, L3 with two that end at different roots or one marked as accredited."""
    real = [token for token in tokens if not token.is_development]
    if len({bytes(token.root_sha256) for token in real}) > 1 or any(token.authority.is_accredited for token in real):
        return TWO_CLOCKS
    return ONE_CLOCK if real else CHECKPOINT_SIGNED


def shown_tokens() -> QuerySet[TimestampToken]:
    rows = TimestampToken.objects.select_related("authority", "checkpoint").annotate(seq=F("entry__statement__seq"))
    return rows if settings.DEV_TSA else rows.filter(is_development=False)


def outside_time(seq: int, first: int = 0) -> Outside:
    """What outside clocks say about an entry: its key, and that of entry 0 of its log.

    A token says something about one log only: the one whose checkpoint it covers.
    """
    rows = shown_tokens()
    groups: dict[int, list[TimestampToken]] = {}
    after = rows.filter(checkpoint__gt=seq).order_by("checkpoint", "authority__priority", "pk")
    for token in after[:CANDIDATES]:
        if token.checkpoint.first != first:
            continue
        groups.setdefault(token.checkpoint_id, []).append(token)
    best = max(groups.values(), key=lambda group: (level_of(group), -group[0].checkpoint_id), default=[])
    # An anchor about the log before stands in this one, but does not bind it: its checkpoint has another name.
    before = rows.filter(entry__lt=seq, entry__gte=first, checkpoint__gt=first).order_by("-entry")
    earlier = before.first()
    if earlier is not None and earlier.is_development:  # a real clock says more, even one that spoke before
        earlier = before.filter(is_development=False).first() or earlier
    return Outside(tuple(best), earlier)


def files_of(statement: Statement, outside: Outside, now: datetime) -> dict[str, bytes]:
    """The files of a bundle that hold these readings: docs/spec/timestamp.md."""
    later = [_token(token) for token in outside.later]
    renewals = _renewals(outside.later[0], now) if outside.later else []
    return time_files(later, _earlier(statement, outside.earlier), renewals)


def _token(token: TimestampToken) -> TokenFiles:
    return TokenFiles(bytes(token.response), bytes(token.note), token.chain.encode(), token.crls.encode())


def _anchor_claim(token: TimestampToken) -> bytes:
    return bytes(Statement.objects.values_list("claim", flat=True).get(entry=token.entry_id))


def _earlier(statement: Statement, token: TimestampToken | None) -> EarlierFiles | None:
    if token is None or statement.entry_id - token.entry_id > MAX_LINKS:
        return None
    between = Entry.objects.filter(seq__gte=token.entry_id, seq__lt=statement.entry_id).order_by("seq")
    entries = tuple(bytes(body) for body in between.values_list("body", flat=True))
    return EarlierFiles(_token(token), _anchor_claim(token), entries)


def _renewals(token: TimestampToken, now: datetime) -> list[RenewalFiles]:
    """Younger tokens, each made before the certificates of the one before expire, until one lasts long enough."""
    found: list[RenewalFiles] = []
    while token.valid_until - now < RENEW_IN_BUNDLE and len(found) < MAX_RENEWALS:
        younger = (
            shown_tokens()
            .filter(checkpoint__gt=token.entry_id, valid_until__gt=token.valid_until, gen_time__lte=token.valid_until)
            .order_by("-valid_until", "checkpoint")
            .first()
        )
        if younger is None or not token.checkpoint.first == younger.checkpoint.first <= token.entry_id:
            break  # the proof leads through one log only
        proof = format_proof(proof_of(token.entry, younger.checkpoint))
        found.append(RenewalFiles(_token(younger), bytes(token.entry.body), _anchor_claim(token), proof))
        token = younger
    return found
