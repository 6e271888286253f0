"""Who is told of new matches, and how: e-mail for oneself, one webhook for the seller, feeds with secret addresses."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from compliance.forms import DigestForm, WebhookForm
from compliance.models import WatchFeed, WebhookDelivery
from compliance.services.alerts import settings_of
from compliance.services.digests import digest_of, feed_xml, make_feed, open_feed, revoke_feed, set_digest
from compliance.services.webhooks import HEADER, send_test, set_webhook, webhook_secret
from ledger.accounts.permissions import Permission
from ledger.anchors.errors import FetchError
from ledger.error_texts import error_text
from ledger.views.common import find_or_404, needs, seller_of

DELIVERIES_SHOWN = 10
CHIPS = {"waiting": "waiting", "delivered": "passed", "failed": "failed"}


@needs(Permission.TRIAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def alerts(request: HttpRequest) -> HttpResponse:
    """All three ways; POST says how often one wants e-mail."""
    if request.method == "POST":
        form = DigestForm(request.POST)
        if not form.is_valid():
            return _page(request, digest=form, status=400)
        set_digest(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            schedule=form.cleaned_data["schedule"],
            hour=form.cleaned_data["hour"],
            language=get_language() or "zh-hans",
        )
        messages.success(request, _("Saved."))
        return redirect("compliance:watch_alerts")
    return _page(request)


def _page(
    request: HttpRequest, digest: DigestForm | None = None, hook: WebhookForm | None = None, status: int = 200
) -> HttpResponse:
    seller = seller_of(request)
    mine, settings = digest_of(seller, request.user), settings_of(seller)  # type: ignore[arg-type]
    deliveries = WebhookDelivery.objects.visible_to(request.user).of(seller).order_by("-pk")[:DELIVERIES_SHOWN]
    context: dict[str, Any] = {
        "digest_form": digest or DigestForm(initial={"schedule": mine.schedule, "hour": mine.hour}),
        "hook_form": hook or WebhookForm(initial={"url": settings.webhook_url}),
        "settings": settings,
        "secret": webhook_secret(settings),
        "header": HEADER,
        "deliveries": [
            {"row": row, "chip": CHIPS[row.state], "text": error_text(row.error_code) if row.error_code else None}
            for row in deliveries
        ],
        "feeds": WatchFeed.objects.visible_to(request.user)
        .of(seller)
        .filter(revoked_at=None)
        .select_related("made_by")
        .order_by("-pk"),
    }
    return render(request, "compliance/watch_alerts.html", context, status=status)


@needs(Permission.TRIAGE)
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Set, change or end the webhook; each time there is a new secret."""
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            set_webhook(actor=request.user, seller=seller_of(request), url=form.cleaned_data["url"])  # type: ignore[arg-type]
        except FetchError as error:
            text = error_text(f"fetch.{error.code}")
            form.add_error("url", f"{text.title} {text.advice} ({text.code})")
        else:
            messages.success(request, _("Saved."))
            return redirect("compliance:watch_alerts")
    return _page(request, hook=form, status=400)


@needs(Permission.TRIAGE)
@require_POST
def webhook_test(request: HttpRequest) -> HttpResponse:
    """Send a message without matches; its fate appears in the list."""
    if send_test(actor=request.user, seller=seller_of(request)) is None:  # type: ignore[arg-type]
        messages.warning(request, _("There is no webhook to test."))
    else:
        messages.success(request, _("A test message is on its way."))
    return redirect("compliance:watch_alerts")


@needs(Permission.TRIAGE)
@require_POST
def feed_new(request: HttpRequest) -> HttpResponse:
    """Make a feed; its address is shown now and never again."""
    token = make_feed(actor=request.user, seller=seller_of(request))  # type: ignore[arg-type]
    address = request.build_absolute_uri(reverse("compliance:watch_feed", args=[token]))
    messages.success(request, _("The feed's address, shown only now: %(address)s") % {"address": address})
    return redirect("compliance:watch_alerts")


@needs(Permission.TRIAGE)
@require_POST
def feed_revoke(request: HttpRequest, number: str) -> HttpResponse:
    """End a feed."""
    found: WatchFeed = find_or_404(request, WatchFeed.objects.select_related("seller"), number)
    revoke_feed(actor=request.user, feed=found)  # type: ignore[arg-type]
    messages.success(request, _("The address answers nobody any more."))
    return redirect("compliance:watch_alerts")


@login_not_required
@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The feed itself, for a reader that cannot sign in; an unknown and a revoked token get the same answer."""
    found = open_feed(token)
    if found is None:
        raise Http404
    content = feed_xml(found, request.build_absolute_uri(reverse("compliance:watch")))
    response = HttpResponse(content, content_type="application/rss+xml; charset=utf-8")
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
