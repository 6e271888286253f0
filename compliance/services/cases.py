"""Cases: opening one, filling it in, and moving it from state to state. Every change is an event; owners and IP managers
only.

What people swear to has to be what is filed: a change after a statement was ticked withdraws the ticks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from compliance.cases import steps
from compliance.cases.errors import CaseError, ClosedError, NotReadyError
from compliance.cases.gate import judge
from compliance.cases.platforms import item_of, market_of, platform_of
from compliance.cases.right_to_complain import has_earlier_proof
from compliance.cases.target import find_target
from compliance.catalogues.feed import plain_url
from compliance.models import Candidate, Case, CaseKind, CaseWork, Infringement, Listing, WatchMatch
from compliance.services.case_deadlines import deadlines_after
from compliance.services.case_events import COSTS, EDITED, MOVED, OPENED, UNTICKED, record
from compliance.services.case_files import Captures, case_file
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Original
from ledger.services.holds import place_hold, release_hold

MAX_LISTINGS = 1000
# Who we are is the same in the next case; the latest one is copied.
REMEMBERED = (
    *("complainant_role", "legal_name", "entity", "address", "phone", "email", "secondary_contact", "country", "brand"),
)
# So is what is known about an original and whose it is; who the other side is has to be asked each time.
REMEMBERED_OF_WORK = (
    *("right", "right_type", "right_title", "author", "right_owner", "ownership_basis", "made_on", "published_on"),
    *("publication_url", "publication_item", "registration_no", "registration_authority", "registration_country"),
    *("registered_on", "work_link", "work_description", "image_source", "photographer"),
)
EDITABLE = (
    *REMEMBERED,
    *REMEMBERED_OF_WORK,
    *("title", "languages", "has_account", "in_ebay_catalogue", "on_shared_asin", "is_authorised_reseller"),
    *("prior_contacts", "actions", "message", "notice_ref", "notice_received_at", "notice_sender"),
)
UNSWORN = ("title",)  # a change of these says nothing else to the target
CHANGEABLE = steps.PREPARING | {steps.CLARIFICATION, steps.REJECTED}


class NotChangeableError(CaseError):
    """What was submitted stays as it was submitted, until the target asks or refuses."""

    code = "case.not_changeable"


class TooManyListingsError(CaseError):
    """More listings than one case holds."""

    code = "case.too_many_listings"


@dataclass(frozen=True, slots=True)
class ListingFacts:
    """One listing that uses a picture of ours. original: which, by its row; None where nobody said so yet."""

    url: str = ""
    listing_ref: str = ""
    platform: str = ""
    market: str = ""
    title: str = ""
    seller_name: str = ""
    seller_country: str = ""
    price: str = ""
    position: str = ""
    reason: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    original: Original | None = None
    listing: Listing | None = None
    match_number: str = ""
    search_number: str = ""
    score_milli: int | None = None


# Opening --------------------------------------------------------------------------------------------------------


def open_case(
    *,
    actor: User | None,
    seller: Seller,
    kind: str,
    target: str,
    works: Sequence[Original] = (),
    infringements: Sequence[ListingFacts] = (),
    values: Mapping[str, Any] | None = None,
) -> Case:
    """Begin a case about some originals and the listings that use them; the originals are on hold until it is closed.

    values: columns of EDITABLE to begin with; who we are comes from the latest case, what is known about the originals
    from the latest one about the same. Raises UnknownTargetError.
    """
    require_permission(actor, seller, Permission.MANAGE_CASES)
    chosen = find_target(target, CaseKind(kind))
    if any(original.seller_id != seller.pk for original in works):
        raise ValueError("a work of another seller")
    with transaction.atomic():
        known = remembered(seller) | {"right_type": "photo"} | remembered_of_works(seller, works)
        known |= {"languages": list(chosen.languages[:1])}
        case = Case(seller=seller, kind=kind, target=target, created_by=actor, **known)
        for name, value in (values or {}).items():
            _require_editable(name)
            setattr(case, name, value)
        case.title = (case.title or _title(works, infringements))[:200]
        case.save()
        record(case, OPENED, actor=actor, after=target)
        rows = {original.pk: hold_work(case, original, actor) for original in works}
        for facts in infringements:
            write_listing(case, facts, rows)
        if case.notice_received_at:
            deadlines_after(case, "notice_received", case.notice_received_at, actor=actor)
    return case


def remembered(seller: Seller) -> dict[str, Any]:
    """Who spoke in the seller's latest case; nothing for the first one."""
    latest = Case.objects.of(seller).order_by("-pk").values(*REMEMBERED).first()
    return dict(latest or {})


def remembered_of_works(seller: Seller, works: Sequence[Original]) -> dict[str, Any]:
    """What the latest case about just these originals says of them; nothing where there was none.

    A right record that was replaced or withdrawn since is left out with all that came from it.
    """
    if not works:
        return {}
    about = Case.objects.of(seller).annotate(number_of_works=Count("works", distinct=True))
    about = about.filter(number_of_works=len(works)).order_by("-pk")
    for original in works:
        about = about.filter(works__original=original)
    latest = about.select_related("right").first()
    if latest is None or (latest.right is not None and not latest.right.is_current):
        return {}
    return {name: getattr(latest, name) for name in REMEMBERED_OF_WORK}


def _title(works: Sequence[Original], infringements: Sequence[ListingFacts]) -> str:
    names = [str(original) for original in works] or [facts.title or facts.url for facts in infringements]
    return names[0] if names else ""


def hold_work(case: Case, original: Original, actor: User | None) -> CaseWork:
    """Put an original into a case and on hold."""
    if original.seller_id != case.seller_id:
        raise ValueError("a work of another seller")
    hold = place_hold(actor=actor, original=original, reason=f"案件 / case {case.number}")
    return CaseWork.objects.create(seller_id=case.seller_id, case=case, original=original, hold=hold)


def write_listing(case: Case, facts: ListingFacts, works: Mapping[int, CaseWork]) -> Infringement:
    """One row of a listing; platform and market come from its address where nobody gave them."""
    if case.infringements.count() >= MAX_LISTINGS:
        raise TooManyListingsError(f"{MAX_LISTINGS}")
    only = next(iter(works.values())) if len(works) == 1 else None
    url = plain_url(facts.url)
    reasons = find_target(case.target).reasons
    return Infringement.objects.create(
        seller_id=case.seller_id,
        case=case,
        work=works.get(facts.original.pk) if facts.original else only,
        listing=facts.listing,
        match_number=facts.match_number,
        search_number=facts.search_number,
        platform=facts.platform or platform_of(url),
        market=facts.market or market_of(url),
        listing_ref=facts.listing_ref or item_of(url),
        url=url,
        title=facts.title,
        seller_name=facts.seller_name,
        seller_country=facts.seller_country,
        price=facts.price,
        position=facts.position,
        reason=facts.reason or next(iter(reasons), ""),  # the first is the one about pictures in a listing
        first_seen=facts.first_seen,
        last_seen=facts.last_seen,
        score_milli=facts.score_milli,
    )


def facts_of_candidate(candidate: Candidate) -> ListingFacts:
    """What a search knew about a picture it found. When the found picture is our original, the query is theirs."""
    facts, run = candidate.facts, candidate.run
    if candidate.original is not None:
        return ListingFacts(
            url=run.source_url,
            original=candidate.original,
            first_seen=run.created_at,
            search_number=run.number,
            score_milli=candidate.score_milli,
        )
    listing = candidate.listing_image.listing if candidate.listing_image else None
    seen = facts.get("listed_at") or facts.get("first_seen")
    return ListingFacts(
        url=facts.get("url", ""),
        listing_ref=facts.get("ref", ""),
        title=facts.get("title", ""),
        seller_name=facts.get("shop_name", ""),
        seller_country=facts.get("shop_country", ""),
        price=facts.get("price", ""),
        first_seen=datetime.fromisoformat(seen) if seen else None,
        last_seen=run.created_at,
        original=getattr(run.image, "original", None) if run.image else None,
        listing=listing,
        search_number=run.number,
        score_milli=candidate.score_milli,
    )


def facts_of_match(match: WatchMatch) -> ListingFacts:
    """What the watch knows about a listing whose picture is a copy of an original."""
    listing = match.listing_image.listing
    return ListingFacts(
        url=listing.url,
        listing_ref=listing.product_id,
        title=listing.title,
        seller_name=listing.shop_name,
        seller_country=listing.shop_country,
        price=listing.price,
        first_seen=listing.listed_at or listing.first_seen,
        last_seen=listing.last_seen,
        original=match.original,
        listing=listing,
        match_number=match.number,
        score_milli=match.score_milli,
    )


# Filling in -----------------------------------------------------------------------------------------------------


def edit_case(*, actor: User | None, case: Case, values: Mapping[str, Any]) -> Case:
    """Set some columns of EDITABLE. Raises NotChangeableError, ClosedError."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    for name in values:
        _require_editable(name)
    with transaction.atomic():
        locked = lock_case(case)
        changed = [name for name, value in values.items() if getattr(locked, name) != value]
        if not changed:
            return locked
        for name in changed:
            setattr(locked, name, values[name])
        locked.save(update_fields=[*changed])
        record(locked, EDITED, actor=actor, note=", ".join(changed))
        if "notice_received_at" in changed and locked.notice_received_at:
            deadlines_after(locked, "notice_received", locked.notice_received_at, actor=actor)
        settle(locked, actor, is_sworn=bool(set(changed) - set(UNSWORN)))
    return locked


def _require_editable(name: str) -> None:
    if name not in EDITABLE:
        raise ValueError(f"{name} is not edited like this")


def lock_case(case: Case) -> Case:
    """The row under a lock, as it is now, if its content may still change. Raises ClosedError, NotChangeableError."""
    locked = Case.objects.select_for_update(of=("self",)).select_related("seller", "right").get(pk=case.pk)
    if locked.status == steps.CLOSED:
        raise ClosedError
    if locked.status not in CHANGEABLE:
        raise NotChangeableError
    return locked


def settle(case: Case, actor: User | None, *, is_sworn: bool = True, captures: Captures | None = None) -> None:
    """After a change, inside its transaction: withdraw ticks that were about something else, and move a case that is
    being prepared to where the gate says it is."""
    if is_sworn and case.statements.exists():
        case.statements.all().delete()
        case.signature = ""
        case.save(update_fields=["signature"])
        record(case, UNTICKED, actor=actor)
    if case.status in steps.PREPARING:
        is_open = judge(case_file(case, captures=captures)).is_open
        _set_status(case, steps.READY if is_open else steps.GAP, actor)
    case.updated_at = timezone.now()
    case.save(update_fields=["updated_at"])


def _set_status(case: Case, status: str, actor: User | None, note: str = "") -> None:
    if case.status == status:
        return
    record(case, MOVED, actor=actor, before=case.status, after=status, note=note)
    case.status = status
    case.save(update_fields=["status"])


# Moving ---------------------------------------------------------------------------------------------------------


def move_case(
    *,
    actor: User | None,
    case: Case,
    to: str,
    note: str = "",
    portal_ref: str = "",
    at: datetime | None = None,
    captures: Captures | None = None,
) -> Case:
    """Take a case one step further. at: when it happened, now unless said.

    Raises StepError, ClosedError, NoteMissingError, and NotReadyError naming every required item that is missing.
    """
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    moment = min(at or timezone.now(), timezone.now())
    with transaction.atomic():
        rows = Case.objects.select_for_update(of=("self",)).select_related("seller")
        locked = rows.get(pk=case.pk)
        steps.require_step(locked.status, to, note)
        known = case_file(locked, captures=captures)
        gate = judge(known)
        if to in (steps.READY, steps.SUBMITTED) and not gate.is_open:
            raise NotReadyError(items=tuple(item.id for item in gate.missing))
        if to == steps.SUBMITTED and locked.submitted_at is None:
            locked.submitted_at, locked.submitted_by = moment, actor
            locked.items_at_submission = [item.id for item in gate.items if item.is_met]
            locked.had_earlier_proof = has_earlier_proof(known)
        if to in steps.DECIDED:
            _decide(locked, to, note, moment)
        if portal_ref:
            locked.portal_ref = portal_ref[:120]
        locked.updated_at = timezone.now()
        locked.save()
        _set_status(locked, to, actor, note)
        deadlines_after(locked, to, moment, actor=actor)
        if to == steps.CLOSED:
            _close(locked, actor)
    return locked


def _decide(case: Case, to: str, note: str, moment: datetime) -> None:
    case.decided_at = case.decided_at or moment
    case.outcome, case.outcome_reason = to, note[:500] or case.outcome_reason
    case.was_countered = case.was_countered or to == steps.COUNTERED


def _close(case: Case, actor: User | None) -> None:
    """Release what the case kept from being erased."""
    Case.objects.filter(pk=case.pk).update(closed_at=timezone.now())
    case.refresh_from_db()
    for work in case.works.exclude(hold=None).select_related("hold"):
        assert work.hold is not None  # noqa: S101 - the query says so
        release_hold(actor=actor, hold=work.hold)
    case.deadlines.filter(done_at=None).update(done_at=timezone.now())


def note_costs(*, actor: User | None, case: Case, costs: Decimal | None, currency: str) -> None:
    """What the case has cost so far; possible at any time."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        locked.costs, locked.costs_currency = costs, currency[:3].upper()
        locked.save(update_fields=["costs", "costs_currency"])
        record(locked, COSTS, actor=actor, after=f"{costs} {locked.costs_currency}" if costs is not None else "")
