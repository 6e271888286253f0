"""What a seller stores and may store: the owners' page, and the page on which site staff gives a seller another quota."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ledger.accounts.models import Seller
from ledger.accounts.permissions import Permission
from ledger.forms import QuotaForm
from ledger.services.usage import change_quota, list_usage, site_quota, usage_of
from ledger.views.common import needs, seller_of, staff_only


@never_cache
@needs(Permission.VIEW_USAGE)
@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    """Used and allowed, and what takes the room."""
    usage, shares = usage_of(actor=request.user, seller=seller_of(request))  # type: ignore[arg-type]
    return render(request, "ledger/storage.html", {"usage": usage, "shares": shares})


@never_cache
@staff_only
@require_safe
def quotas(request: HttpRequest) -> HttpResponse:
    """All sellers of the site with what they use."""
    return _page(request)


def _page(request: HttpRequest, bound: dict[int, QuotaForm] | None = None, status: int = 200) -> HttpResponse:
    forms = bound or {}
    lines = [
        {"usage": usage, "form": forms.get(usage.seller.pk) or QuotaForm.of(usage.seller)}
        for usage in list_usage(actor=request.user)  # type: ignore[arg-type]
    ]
    site_bytes, site_files = site_quota()
    context = {"lines": lines, "site_bytes": site_bytes, "site_files": site_files}
    return render(request, "ledger/quotas.html", context, status=status)


@staff_only
@require_POST
def quota_change(request: HttpRequest, slug: str) -> HttpResponse:
    """Another quota for one seller."""
    seller = Seller.objects.filter(slug=slug, is_probe=False).first()
    if seller is None:
        raise Http404
    form = QuotaForm(request.POST, prefix=QuotaForm.prefix_of(seller))
    if not form.is_valid():
        return _page(request, {seller.pk: form}, status=400)
    change_quota(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller,
        max_bytes=form.max_bytes(),
        max_files_per_day=form.cleaned_data["files"],
    )
    messages.success(request, _("Saved. It counts from the next file on."))
    return redirect("ledger:quotas")
