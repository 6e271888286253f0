"""Outside time for checkpoints: one token per checkpoint and authority, its digest back into the log as an anchor.

An append never waits for any of this. A call is noted before it is made, token and anchor entry are one transaction: a
process killed at any point leaves either both or neither, and the next run goes on from there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.anchors import tsa
from ledger.anchors.errors import FetchError, HttpError
from ledger.models import Checkpoint, Job, PastEpoch, Statement, TimeAuthority, TimestampToken
from ledger.services import authorities
from ledger.services.identity import system_identity
from ledger.services.jobs import enqueue_job
from ledger.services.log import Draft, append_statements, latest_checkpoint, lock_head, log_head, seal
from ledger.tlog import claim_documents, x509_path
from ledger.tlog.entry import format_utc_ms
from ledger.tlog.errors import TimestampError

ANCHOR = "anchor"
STAMP_JOB = "anchors.stamp"
CRL_AGE = timedelta(days=1)
RENEW_BEFORE = timedelta(days=30)
RENEW_EVERY = timedelta(days=1)  # while an authority has not got its own new certificate yet
DEVELOPMENT = "authority_development"

Now = Callable[[], datetime]
Ask = Callable[..., tsa.Answer]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checkpoint that should get tokens, how many more, and whose it has already."""

    checkpoint: Checkpoint
    missing: int
    have: frozenset[int]


def stamp_if_due() -> Job | None:
    """Have a worker ask for outside time when something new is sealed and an authority may be asked; a chore."""
    now = timezone.now()
    rows = authorities.askable()
    if not rows or wanted(now) is None:
        return None
    if not any(not authorities.is_resting(row, now) and authorities.quota_left(row, now) for row in rows):
        return None
    return enqueue_job(kind=STAMP_JOB, args={}, seller=None, actor=None, dedupe_key="stamp")


def anchor_now(*, actor: User, seller: Seller) -> Job:
    """Seal what there is and have it stamped at a person's request; quotas and rests still count."""
    require_permission(actor, seller, Permission.SEAL)
    seal()
    return enqueue_job(
        kind=STAMP_JOB, args={"at_request": True}, seller=seller, actor=actor, dedupe_key="stamp at request"
    )


def wanted(now: datetime, *, at_request: bool = False) -> Wanted | None:
    """Which checkpoint lacks outside time; None when all that was registered has it.

    Entries that only hold tokens are nothing new: a quiet log is not stamped again and again, until the certificates
    behind its newest token are about to expire.
    """
    newest = latest_checkpoint()
    if newest is None:
        return None
    last_of_ended = _last_of_ended()
    if last_of_ended is not None:
        return last_of_ended
    if at_request or _renewal_is_due(now):
        first_size = newest.tree_size
    else:
        said = Statement.objects.filter(entry__lt=newest.tree_size).exclude(kind=ANCHOR)
        last = said.order_by("-entry").values_list("entry_id", flat=True).first()
        if last is None:
            return None
        first_size = last + 1
    # Tokens of a second authority go to the checkpoint that the first has stamped: together they count as two.
    tokens = list(
        TimestampToken.objects.filter(checkpoint__gte=first_size).select_related("checkpoint").order_by("checkpoint")
    )
    have = frozenset(token.authority_id for token in tokens)
    missing = min(settings.TSA_QUORUM, len(authorities.askable())) - len(have)
    return Wanted(tokens[0].checkpoint if tokens else newest, missing, have) if missing > 0 else None


def _last_of_ended() -> Wanted | None:
    """The last checkpoint that is held of an ended log: no later one can ever bring its entries outside time."""
    for past in PastEpoch.objects.filter(covered__gt=0):
        final = Checkpoint.objects.get(tree_size=past.first + past.covered)
        have = frozenset(final.tokens.values_list("authority_id", flat=True))
        missing = min(settings.TSA_QUORUM, len(authorities.askable())) - len(have)
        if missing > 0:
            return Wanted(final, missing, have)
    return None


def _renewal_is_due(now: datetime) -> bool:
    newest = TimestampToken.objects.order_by("-checkpoint", "-pk").first()
    return newest is not None and newest.valid_until - now < RENEW_BEFORE and now - newest.gen_time > RENEW_EVERY


def stamp(*, at_request: bool = False, now: Now = timezone.now, ask: Ask = tsa.request_token) -> list[TimestampToken]:
    """Ask as many authorities as are missing, in order; return the tokens that were kept. Never raises for a refusal."""
    due = wanted(now(), at_request=at_request)
    if due is None:
        return []
    kept: list[TimestampToken] = []
    for authority in authorities.askable():
        if len(kept) == due.missing:
            break
        if authority.pk in due.have or not authorities.reserve_call(authority, now()):
            continue
        token = _ask(authority, due.checkpoint, now, ask)
        if token is not None:
            kept.append(token)
    return kept


def _ask(authority: TimeAuthority, checkpoint: Checkpoint, now: Now, ask: Ask) -> TimestampToken | None:
    note = checkpoint.note.encode()
    try:
        answer = ask(authorities.client_of(authority), note, nonce=secrets.randbits(63))
        if answer.stamp.is_development and not settings.DEV_TSA:
            authorities.note_failure(authority, now(), DEVELOPMENT, "its certificate says that it proves nothing")
            return None
        _refresh_crls(authority, answer, now())
    except HttpError as error:
        authorities.note_failure(authority, now(), error.code, str(error), error.retry_after_s)
    except (FetchError, TimestampError) as error:
        authorities.note_failure(authority, now(), error.code, str(error))
    else:
        return _keep(authority, checkpoint, answer, now())
    return None


def _refresh_crls(authority: TimeAuthority, answer: tsa.Answer, now: datetime) -> None:
    """Revocation lists once a day, beside the first token of the day; a revoked chain is refused from the next on."""
    if authority.crls_at is not None and now - authority.crls_at < CRL_AGE:
        return
    found = tsa.fetch_crls(answer.stamp.chain)
    authority.crls = x509_path.crl_pem(found).decode() if found else authority.crls
    authority.crls_at = now
    authority.save(update_fields=["crls", "crls_at"])


def _keep(authority: TimeAuthority, checkpoint: Checkpoint, answer: tsa.Answer, now: datetime) -> TimestampToken:
    """Token and anchor entry together; the one that is there already when somebody else was faster."""
    said, note = answer.stamp, checkpoint.note.encode()
    with transaction.atomic():
        head = lock_head()
        known = TimestampToken.objects.filter(authority=authority, checkpoint=checkpoint).first()
        if known is not None:
            return known
        claim = claim_documents.anchor_claim(
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=bytes(checkpoint.root_hash),
            note=note,
            authority=said.authority[:200],
            token=answer.response,
            attested_at=format_utc_ms(int(said.gen_time.timestamp() * 1000)),
        )
        request_id = f"anchor-{authority.pk}-{checkpoint.tree_size}"
        draft = Draft(ANCHOR, claim, system_identity(), request_id, label=said.authority)
        (statement,) = append_statements(seller=None, actor=None, drafts=[draft], head=head)
        TimeAuthority.objects.filter(pk=authority.pk).update(
            failures=0,
            rest_until=None,
            last_token_at=now,
            last_skew_ms=round((said.gen_time - now).total_seconds() * 1000),
        )
        return TimestampToken.objects.create(
            authority=authority,
            checkpoint=checkpoint,
            entry=statement.entry,
            note=note,
            response=answer.response,
            sha256=hashlib.sha256(answer.response).digest(),
            chain=x509_path.pem_of(tsa.chain_of(answer.response, said)).decode(),
            crls=authority.crls,
            root_sha256=bytes.fromhex(said.root_sha256),
            gen_time=said.gen_time,
            authority_name=said.authority[:200],
            policy=said.policy,
            valid_until=said.valid_until,
            is_development=said.is_development,
        )


def unstamped_entries() -> int:
    """How many entries no outside clock has seen yet."""
    newest = TimestampToken.objects.order_by("-checkpoint").values_list("checkpoint_id", flat=True).first()
    return log_head().end - (newest or 0)
