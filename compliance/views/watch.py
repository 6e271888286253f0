"""Triage: what the watch found, one key per decision, whole clusters at once, and what is thought of shops."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from compliance.models import MatchState, RuleKind, SellerRule, WatchMatch
from compliance.services.shops import UnknownShopError, copies_by, set_rule, shops_of
from compliance.services.triage import CLUSTERS, DECISIONS, cluster_matches, clusters, decide, last_decision, undo
from compliance.views.match_page import (
    KEYS,
    LIST_FIELDS,
    PICTURE_FIELDS,
    cluster_name,
    decision_words,
    describe_match,
    state_name,
)
from compliance.views.search_drawing import agreement_map
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.views.common import PAGE_SIZE, Page, find_or_404, needs, seller_of, send_file, text_parameter

FILTERS = ("state", "original", "shop", "transform", "rule")
MOST_PAGES = 200


# The queue -------------------------------------------------------------------------------------------------------


@needs(Permission.TRIAGE)
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """The newest match beside the original it copies, with one button and key per decision; the rest as a strip."""
    seller, filters = seller_of(request), _filters(request)
    rows = _filtered(request, filters)
    page = Page(rows.only(*LIST_FIELDS).select_related(*PICTURE_FIELDS), request)
    asked = parse_number(request.GET.get("at", "")) or ""
    shown = next((row for row in page if row.number == asked), page.rows[0] if page.rows else None)
    context: dict[str, Any] = {
        "page": page,
        "filters": filters,
        "is_filtered": any(filters[name] for name in FILTERS if name != "state"),
        "query": _query(request),
        "chips": _chips(request, filters),
        "last": last_decision(actor=request.user, seller=seller),  # type: ignore[arg-type]
        "keys": KEYS,
    }
    if context["last"]:
        context["last_words"] = decision_words(context["last"].state_after)
    if shown is not None:
        place = page.rows.index(shown)
        following = page.rows[place + 1] if place + 1 < len(page.rows) else None
        full = (
            WatchMatch.objects.visible_to(request.user).select_related(*PICTURE_FIELDS, "decided_by").get(pk=shown.pk)
        )
        context |= {"current": shown, "next": following.number if following else ""}
        context |= describe_match(full, copies_by(seller, [full.shop_key]))
    return render(request, "compliance/watch.html", context)


def _filters(request: HttpRequest) -> dict[str, str]:
    filters = {name: text_parameter(request, name) for name in FILTERS}
    if filters["state"] not in MatchState.values:
        filters["state"] = str(MatchState.OPEN)
    return filters


def _filtered(request: HttpRequest, filters: dict[str, str]) -> Any:
    """An allowed shop's matches stay out of what is open unless they are asked for."""
    rows = WatchMatch.objects.visible_to(request.user).of(seller_of(request)).filter(state=filters["state"])
    for name, field in CLUSTERS.items():
        if filters[name]:
            rows = rows.filter(**{field: filters[name]})
    if filters["rule"] in RuleKind.values:
        return rows.filter(rule=filters["rule"])
    return rows.exclude(rule=RuleKind.ALLOW) if filters["state"] == MatchState.OPEN else rows


def _query(request: HttpRequest) -> str:
    """The filters as they stand in the address, to be found again after a decision."""
    return urlencode({name: request.GET[name] for name in (*FILTERS, "before", "after") if request.GET.get(name)})


def _chips(request: HttpRequest, filters: dict[str, str]) -> list[dict[str, Any]]:
    """One per state with how many there are, and one for what allowed shops have."""
    counted = WatchMatch.objects.visible_to(request.user).of(seller_of(request)).order_by().values("state")
    quiet = Q(rule=RuleKind.ALLOW, state=MatchState.OPEN)
    rows = list(counted.annotate(n=Count("pk", filter=~quiet), allowed=Count("pk", filter=quiet)))
    numbers = {row["state"]: row["n"] for row in rows}
    allowed = sum(row["allowed"] for row in rows)
    is_allowed = filters["rule"] == RuleKind.ALLOW
    base = reverse("compliance:watch")
    chips: list[dict[str, Any]] = [
        {
            "label": state_name(state),
            "url": f"{base}?state={state}",
            "active": filters["state"] == state and not is_allowed,
            "count": numbers.get(str(state), 0),
        }
        for state in MatchState
    ]
    if allowed or is_allowed:
        url = f"{base}?rule=allow"
        chips.append({"label": _("Allowed shops"), "url": url, "active": is_allowed, "count": allowed})
    return chips


@needs(Permission.TRIAGE)
@require_safe
def match(request: HttpRequest, number: str) -> HttpResponse:
    """One match with its evidence and what was decided about it."""
    found: WatchMatch = find_or_404(
        request, WatchMatch.objects.select_related(*PICTURE_FIELDS, "decided_by", "seller", "relist_of"), number
    )
    decisions = list(found.decisions.select_related("actor", "undone_by"))
    context = describe_match(found, copies_by(found.seller, [found.shop_key])) | {
        "history": [{"row": row, "words": decision_words(row.state_after)} for row in decisions],
        "keys": KEYS,
        "query": "",
        "next": "",
        "stay": True,
        "last": last_decision(actor=request.user, seller=found.seller),  # type: ignore[arg-type]
    }
    return render(request, "compliance/match.html", context)


@needs(Permission.TRIAGE)
@require_POST
def match_decide(request: HttpRequest, number: str) -> HttpResponse:
    """Decide about one match and go on to the next, or stay where `stay` says so."""
    found: WatchMatch = find_or_404(request, WatchMatch.objects.select_related("seller").defer("evidence"), number)
    state = request.POST.get("decision", "")
    if state not in DECISIONS:
        return _refused(request)
    decide(
        actor=request.user,  # type: ignore[arg-type]
        seller=found.seller,
        matches=WatchMatch.objects.of(found.seller).filter(pk=found.pk),
        state=state,
        reason=request.POST.get("reason", ""),
    )
    if request.POST.get("stay"):
        return redirect("compliance:match", number=found.number)
    return _back(request, request.POST.get("next", ""))


def _back(request: HttpRequest, number: str = "") -> HttpResponseRedirect:
    """The queue with the filters the form came from; only known names are taken from it."""
    asked = HttpRequest()
    asked.GET = asked.GET.__class__(request.POST.get("query", "")[:2000])
    query = _query(asked)
    at = urlencode({"at": number}) if parse_number(number) else ""
    return HttpResponseRedirect(reverse("compliance:watch") + "?" + "&".join(filter(None, [query, at])))


def _refused(request: HttpRequest) -> HttpResponse:
    return render(request, "ledger/trouble.html", {"text": error_text("watch.no_decision")}, status=400)


@needs(Permission.TRIAGE)
@require_POST
def take_back(request: HttpRequest) -> HttpResponse:
    """Undo a decision with all that was decided by the same key."""
    seller = seller_of(request)
    batch = parse_number(request.POST.get("batch", "")) or ""
    number = request.POST.get("number", "")
    count = undo(actor=request.user, seller=seller, batch=batch)  # type: ignore[arg-type]
    if not count:
        messages.warning(request, _("There was nothing to take back: somebody has decided anew since."))
    if request.POST.get("stay") and parse_number(number):
        return redirect("compliance:match", number=number)
    return _back(request, number)


@needs(Permission.TRIAGE)
@require_safe
def match_agreement(request: HttpRequest, number: str) -> HttpResponse:
    """Where the pixels of the listing's picture and of the original agree, to lay over the original."""
    found: WatchMatch = find_or_404(request, WatchMatch.objects.select_related("seller"), number)
    content = agreement_map(found.evidence)
    if content is None:
        raise Http404
    return send_file(content, name=f"agreement-{found.number}.png", mime="image/png", inline=True)


# Clusters --------------------------------------------------------------------------------------------------------


@needs(Permission.TRIAGE)
@require_safe
def cluster_list(request: HttpRequest) -> HttpResponse:
    """Open matches gathered by original, shop or change, largest first, each with one decision for all of it."""
    by = request.GET.get("by", "")
    by = by if by in CLUSTERS else "original"
    text = request.GET.get("page", "")
    number = min(int(text), MOST_PAGES) if text.isascii() and text.isdecimal() and 0 < len(text) < 5 else 1
    start = (max(number, 1) - 1) * PAGE_SIZE
    found = list(clusters(seller_of(request), by, MatchState.OPEN)[start : start + PAGE_SIZE + 1])
    pictures = WatchMatch.objects.visible_to(request.user).only(*LIST_FIELDS).select_related(*PICTURE_FIELDS)
    newest = pictures.in_bulk([row["newest"] for row in found])
    lines = []
    for row in found[:PAGE_SIZE]:
        example = newest[row["newest"]]
        lines.append(
            {
                "key": row["key"],
                "count": row["n"],
                "best": row["best"] / 1000,
                "example": example,
                "name": cluster_name(by, example),
                "url": reverse("compliance:watch") + "?" + urlencode({by: row["key"]}),
            }
        )
    names = {"original": _("By original"), "shop": _("By shop"), "transform": _("By what was done")}
    base = reverse("compliance:watch_clusters")
    context = {
        "by": by,
        "lines": lines,
        "chips": [{"label": names[name], "url": f"{base}?by={name}", "active": name == by} for name in CLUSTERS],
        "previous_url": f"{base}?by={by}&page={number - 1}" if number > 1 else "",
        "next_url": f"{base}?by={by}&page={number + 1}" if len(found) > PAGE_SIZE else "",
        "keys": KEYS,
    }
    return render(request, "compliance/watch_clusters.html", context)


@needs(Permission.TRIAGE)
@require_POST
def cluster_decide(request: HttpRequest) -> HttpResponse:
    """One decision for all open matches of a cluster."""
    by, key, state = (request.POST.get(name, "").replace("\0", "") for name in ("by", "key", "decision"))
    if by not in CLUSTERS or state not in DECISIONS:
        return _refused(request)
    seller = seller_of(request)
    done = decide(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller,
        matches=cluster_matches(seller, by, key),
        state=state,
        reason=request.POST.get("reason", ""),
    )
    words = ngettext("%(count)d match decided: %(word)s.", "%(count)d matches decided: %(word)s.", done.count)
    messages.success(request, words % {"count": done.count, "word": decision_words(state)})
    return HttpResponseRedirect(reverse("compliance:watch_clusters") + "?" + urlencode({"by": by}))


# Shops -----------------------------------------------------------------------------------------------------------


@needs(Permission.TRIAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def shops(request: HttpRequest) -> HttpResponse:
    """Shops with matches, those with most copies first; POST says what is thought of one."""
    seller = seller_of(request)
    if request.method == "POST":
        kind = request.POST.get("kind", "")
        key = request.POST.get("shop", "").replace("\0", "")
        try:
            set_rule(actor=request.user, seller=seller, key=key, kind=kind, note=request.POST.get("note", ""))  # type: ignore[arg-type]
        except UnknownShopError as error:
            return render(request, "ledger/trouble.html", {"text": error_text(error.code)}, status=400)
        except ValueError:
            return _refused(request)
        messages.success(request, _("Saved."))
        return redirect("compliance:watch_shops")
    text = request.GET.get("page", "")
    number = min(int(text), MOST_PAGES) if text.isascii() and text.isdecimal() and 0 < len(text) < 5 else 1
    start = (max(number, 1) - 1) * PAGE_SIZE
    found = list(shops_of(seller)[start : start + PAGE_SIZE + 1])
    rules = SellerRule.objects.visible_to(request.user).of(seller)
    notes = {rule.shop_key: rule for rule in rules.filter(shop_key__in=[row["shop_key"] for row in found])}
    lines = [
        row
        | {
            "url": reverse("compliance:watch") + "?" + urlencode({"shop": row["shop_key"]}),
            "rule": notes.get(str(row["shop_key"])),
        }
        for row in found[:PAGE_SIZE]
    ]
    base = reverse("compliance:watch_shops")
    context = {
        "lines": lines,
        "kinds": RuleKind.choices,
        "previous_url": f"{base}?page={number - 1}" if number > 1 else "",
        "next_url": f"{base}?page={number + 1}" if len(found) > PAGE_SIZE else "",
    }
    return render(request, "compliance/watch_shops.html", context)
