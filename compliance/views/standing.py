"""Strikes and quota of each store: the counters, what was recorded, and the forms that record and withdraw it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from compliance.forms import StoreEventForm, StoreRulesForm
from compliance.models import CheckRun, StoreEvent
from compliance.services.rates import category_rates
from compliance.services.standing import (
    Happening,
    Standing,
    record_event,
    set_store_rules,
    standings_of,
    withdraw_event,
    zone_of,
)
from compliance.standing.judge import standing_limits
from ledger.accounts.models import Store
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.views.common import Page, find_or_404, needs, seller_of


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def standing(request: HttpRequest) -> HttpResponse:
    """The stores with their counters; POST records what happened."""
    if request.method == "POST":
        return _record(request)
    run = _run(request, request.GET.get("run", ""))
    initial: dict[str, Any] = {"kind": request.GET.get("kind", ""), "amount": 1, "store": request.GET.get("store", "")}
    stores = list(Store.objects.of(seller_of(request)).values_list("pk", flat=True)[:2])
    if len(stores) == 1:
        initial["store"] = stores[0]
    if run is not None:
        initial |= {"run": run.number, "product": run.sku or run.hidden_image.file_name[:120]}
    return _page(request, StoreEventForm(initial=initial, seller=seller_of(request)))


def _record(request: HttpRequest) -> HttpResponse:
    require_permission(request.user, seller_of(request), Permission.CHECK)  # type: ignore[arg-type]
    form = StoreEventForm(request.POST, seller=seller_of(request))
    if not form.is_valid():
        return _page(request, form, status=400)
    values = form.cleaned_data
    written, store = values["happened_at"], values["store"]
    # Django read the wall clock as UTC; it is the store's.
    moment = written.replace(tzinfo=zone_of(store)).astimezone(UTC) if written else timezone.now()
    happening = Happening(
        kind=values["kind"],
        happened_at=moment,
        product=values["product"],
        code=values["code"],
        amount=values["amount"] or 1,
        run=_run(request, values["run"]),
    )
    try:
        record_event(actor=request.user, store=store, happening=happening)  # type: ignore[arg-type]
    except ValidationError as error:
        form.add_error("happened_at", error)
        return _page(request, form, status=400)
    messages.success(request, _("Recorded. If it was a mistake, withdraw it below."))
    return redirect("compliance:standing")


def _run(request: HttpRequest, text: str) -> CheckRun | None:
    """The check of the seller at hand that the record is about."""
    number = parse_number(text) if text else None
    rows = CheckRun.objects.visible_to(request.user).of(seller_of(request)).select_related("hidden_image")
    found: CheckRun | None = rows.filter(number=number).first() if number else None
    return found


def _page(request: HttpRequest, form: StoreEventForm, status: int = 200) -> HttpResponse:
    seller = seller_of(request)
    events = StoreEvent.objects.visible_to(request.user).of(seller).select_related("store", "actor", "run")
    page = Page(events, request)
    context = {
        "form": form,
        "standings": [_card(each, request) for each in standings_of(seller=seller, now=timezone.now())],
        "page": page,
        "rows": [{"event": event, "local": _local(event)} for event in page],
        "limits": standing_limits().values(),
        "rates": category_rates(seller, timezone.now()),
    }
    return render(request, "compliance/standing.html", context, status=status)


def _card(each: Standing, request: HttpRequest) -> dict[str, Any]:
    initial = {
        "store": each.store.pk,
        "tier": each.tier,
        "calendar": each.calendar.name,
        "time_zone": each.zone_name,
    }
    form = StoreRulesForm(initial=initial, seller=each.store.seller, auto_id=f"id_{each.store.pk}_%s")
    return {"standing": each, "form": form, **penalty_times(each)}


def penalty_times(each: Standing) -> dict[str, datetime]:
    """The penalty's ends on the store's clock, if one is running."""
    penalty = each.strikes.penalty
    return {"delisted_local": penalty.delisted_until.astimezone(zone_of(each.store))} if penalty else {}


def _local(event: StoreEvent) -> datetime:
    return event.happened_at.astimezone(zone_of(event.store))


@needs(Permission.CHECK)
@require_POST
def standing_withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Count a mistaken record no longer."""
    event: StoreEvent = find_or_404(request, StoreEvent.objects.select_related("seller"), number)
    withdraw_event(actor=request.user, event=event)  # type: ignore[arg-type]
    messages.success(request, _("Withdrawn. It no longer counts."))
    return redirect("compliance:standing")


@needs(Permission.MANAGE_STORES)
@require_POST
def standing_rules(request: HttpRequest) -> HttpResponse:
    """Tier, calendar and time zone of one store."""
    form = StoreRulesForm(request.POST, seller=seller_of(request))
    if not form.is_valid():
        messages.error(request, _("A choice on the form does not exist."))
        return redirect("compliance:standing")
    try:
        set_store_rules(actor=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        messages.success(request, _("Saved."))
    except ValidationError as error:
        messages.error(request, error.messages[0])
    return redirect("compliance:standing")
