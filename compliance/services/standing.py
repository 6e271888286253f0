"""What happened to each store at its marketplace, recorded by hand: failures (P01) and submissions (P02).

We cannot see the marketplace, so the counters are as right as the records. A mistaken record is withdrawn and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.calendars.business_days import Calendar, load_calendar
from compliance.models import CheckRun, StoreCalendar, StoreEvent, StoreEventKind, StoreRules, StoreTier
from compliance.standing.judge import Quota, Strikes, day_bounds, judge_failures, local_day, standing_limits
from ledger.accounts.models import Seller, Store, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.accounts.services import set_store_time_zone

MAX_AMOUNT = 1000
MAX_EARLY = timedelta(minutes=5)  # a clock that is a little fast


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one store stands now."""

    store: Store
    zone_name: str
    tier: str
    calendar: Calendar
    strikes: Strikes
    quota: Quota

    @property
    def is_low(self) -> bool:
        """Few submissions are left today."""
        return self.quota.left <= standing_limits()["quota_warn"].value


@dataclass(frozen=True, slots=True)
class Happening:
    """What to record. happened_at: aware; amount: of submissions."""

    kind: str
    happened_at: datetime
    product: str = ""
    code: str = ""
    amount: int = 1
    run: CheckRun | None = None


def record_event(*, actor: User | None, store: Store, happening: Happening) -> StoreEvent:
    """Count a failure or submissions of a store. Raises ValidationError for what lies ahead or is no amount."""
    require_permission(actor, store.seller, Permission.CHECK)
    if happening.happened_at > timezone.now() + MAX_EARLY:
        raise ValidationError(_("This moment has not come yet."), code="standing.future")
    if not 1 <= happening.amount <= MAX_AMOUNT:
        raise ValidationError(_("Record 1 to 1000 submissions at once."), code="standing.amount")
    if happening.run is not None and happening.run.seller_id != store.seller_id:
        raise ValueError("the check belongs to another seller")
    return StoreEvent.objects.create(
        seller=store.seller,
        store=store,
        kind=happening.kind,
        happened_at=happening.happened_at,
        product=happening.product[:120],
        code=happening.code[:60],
        amount=happening.amount if happening.kind == StoreEventKind.SUBMISSION else 1,
        run=happening.run,
        actor=actor,
    )


def withdraw_event(*, actor: User | None, event: StoreEvent) -> None:
    """Count a mistaken record no longer; the second time changes nothing."""
    require_permission(actor, event.seller, Permission.CHECK)
    StoreEvent.objects.filter(pk=event.pk, withdrawn_at=None).update(withdrawn_at=timezone.now(), withdrawn_by=actor)


def set_store_rules(*, actor: User, store: Store, tier: str, calendar: str, time_zone: str) -> None:
    """By which quota, calendar and midnight a store is counted. Raises ValidationError for an unknown time zone."""
    require_permission(actor, store.seller, Permission.MANAGE_STORES)
    set_store_time_zone(actor=actor, store=store, time_zone=time_zone)
    values = {"seller": store.seller, "tier": StoreTier(tier), "calendar": StoreCalendar(calendar)}
    StoreRules.objects.update_or_create(store=store, defaults=values)


def standings_of(*, seller: Seller, now: datetime) -> list[Standing]:
    """Every store of the seller; two queries and one more for each store, one when it has none."""
    stores = list(Store.objects.of(seller).select_related("rules").order_by("marketplace", "name"))
    if not stores:
        return []
    valid = StoreEvent.objects.of(seller).filter(withdrawn_at=None, happened_at__lte=now + MAX_EARLY)
    failures: dict[int, list[datetime]] = {}
    for store_id, moment in valid.filter(kind=StoreEventKind.FAILURE).values_list("store_id", "happened_at"):
        failures.setdefault(store_id, []).append(moment)
    return [_standing(store, failures.get(store.pk, []), now) for store in stores]


def _standing(store: Store, failures: Sequence[datetime], now: datetime) -> Standing:
    rules = getattr(store, "rules", None) or StoreRules(store=store, seller_id=store.seller_id)
    zone, calendar = zone_of(store), load_calendar(rules.calendar)
    day = local_day(now, zone)
    since, until = day_bounds(day, zone)
    submitted = StoreEvent.objects.filter(store=store, kind=StoreEventKind.SUBMISSION, withdrawn_at=None)
    today = submitted.filter(happened_at__gte=since, happened_at__lt=until)
    used = today.aggregate(used=Sum("amount"))["used"] or 0
    limit = standing_limits()[f"quota_{rules.tier}"].value
    strikes = judge_failures(failures, now=now, zone=zone, calendar=calendar)
    return Standing(store, store.time_zone, rules.tier, calendar, strikes, Quota(day, used, limit))


def zone_of(store: Store) -> tzinfo:
    """UTC where the machine has no time zone data, or none of that name."""
    try:
        return ZoneInfo(store.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
