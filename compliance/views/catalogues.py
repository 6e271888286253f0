"""Catalogues: which feeds were imported, and the listings in one of them with their pictures."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from compliance.catalogues.feed import COLUMNS, NEEDED
from compliance.models import Catalogue, Listing, ListingImage
from compliance.services.retention import held_listings, kept_until, months_kept
from ledger.accounts.permissions import Permission
from ledger.categories import load_categories
from ledger.models import ImageFile, ImageState, SellerQuerySet
from ledger.views.common import Page, find_or_404, needs, seller_of, send_file, text_parameter

FILTERS = ("q", "category", "country", "state")
PICTURES_SHOWN = 4


@needs(Permission.VIEW)
@require_safe
def catalogues(request: HttpRequest) -> HttpResponse:
    """The seller's catalogues with how much is in them; without any, how to import one."""
    page = Page(_with_waiting(Catalogue.objects.visible_to(request.user).of(seller_of(request))), request)
    context = {
        "page": page,
        "columns": COLUMNS,
        "needed": NEEDED,
        "seller": seller_of(request),
        "months_kept": months_kept(seller_of(request)),
    }
    return render(request, "compliance/catalogue_list.html", context)


def _with_waiting(rows: SellerQuerySet[Any]) -> SellerQuerySet[Any]:
    """With waiting_count: pictures that no search sees yet. Few are sealed at a time, so these are counted from there."""
    sealed = ImageFile.objects.filter(
        seller=OuterRef("seller"), state=ImageState.SEALED, listing_image__listing__catalogue=OuterRef("pk")
    )
    counted = sealed.order_by().values("seller").annotate(n=Count("pk")).values("n")
    return rows.annotate(waiting_count=Coalesce(Subquery(counted), 0))


@needs(Permission.VIEW)
@require_safe
def catalogue(request: HttpRequest, number: str) -> HttpResponse:
    """One catalogue: its listings, newest first, with filters."""
    rows = _with_waiting(Catalogue.objects.select_related("seller"))
    found: Any = find_or_404(request, rows, number)
    filters = {name: text_parameter(request, name) for name in FILTERS}
    pictures = ListingImage.objects.select_related("image").order_by("pk")
    listings = _filtered(Listing.objects.visible_to(request.user).filter(catalogue=found), filters)
    page = Page(listings.prefetch_related(Prefetch("images", queryset=pictures)), request)
    gone = [row for row in page if row.delisted_at is not None]
    months = months_kept(found.seller)
    held = held_listings([row.pk for row in gone]) if gone and months else set()
    context = {
        "catalogue": found,
        "page": page,
        "filters": filters,
        "is_filtered": any(filters.values()),
        "categories": load_categories(),
        "rows": [
            {
                "listing": row,
                "pictures": list(row.images.all()),
                "is_held": row.pk in held,
                "kept_until": kept_until(row, months),
            }
            for row in page
        ],
        "pictures_shown": PICTURES_SHOWN,
    }
    return render(request, "compliance/catalogue_detail.html", context)


def _filtered(rows: QuerySet[Listing], filters: dict[str, str]) -> QuerySet[Listing]:
    if filters["q"]:
        rows = rows.filter(Q(product_id__icontains=filters["q"]) | Q(title__icontains=filters["q"]))
    if filters["category"]:
        rows = rows.filter(category=filters["category"])
    if filters["country"]:
        rows = rows.filter(shop_country=filters["country"].upper())
    if filters["state"] in ("listed", "delisted"):
        rows = rows.filter(delisted_at__isnull=filters["state"] == "listed")
    return rows


@needs(Permission.VIEW)
@require_safe
def catalogue_template(request: HttpRequest) -> HttpResponse:
    """A CSV with the header line alone, marked as UTF-8 so that spreadsheets open and save it rightly."""
    header = "\ufeff" + ",".join(COLUMNS) + "\r\n"
    return send_file(header.encode(), name="originmark-catalogue.csv", mime="text/csv; charset=utf-8")
