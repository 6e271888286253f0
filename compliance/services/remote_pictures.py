"""Fetching the pictures that feeds give as addresses: through the one guarded client, after their rows are there.

One job per seller takes a few at a time; what cannot be reached is tried again later, what will never be a picture is
named at its row. Hosts are not hurried: one address after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from compliance.models import ImportProblem, RemotePicture
from compliance.services.catalogues import add_picture
from ledger.accounts.models import Seller
from ledger.anchors.errors import FetchError, FetchTimeoutError, HttpError, UnresolvedError
from ledger.anchors.fetch import Fetched, fetch_url
from ledger.services.jobs import enqueue_job

KIND = "catalogues.fetch"
PORTION = 20
BUDGET_S = 400.0
MOST_ATTEMPTS = 4
DELAYS = (timedelta(minutes=2), timedelta(minutes=20), timedelta(hours=3))
FINAL_STATUSES = (400, 401, 403, 404, 410, 451)

Fetch = Callable[[str], Fetched]


def sweep_remote() -> int:
    """Enqueue the sellers that have pictures to fetch; called every few seconds."""
    due = RemotePicture.objects.filter(state=RemotePicture.WAITING, next_at__lte=timezone.now())
    sellers = list(Seller.objects.filter(pk__in=due.order_by().values("seller").distinct()))
    for seller in sellers:
        with transaction.atomic():
            enqueue_job(kind=KIND, args={}, seller=seller, actor=None, dedupe_key="fetch")
    return len(sellers)


def fetch_remote(
    *,
    seller: Seller,
    fetch: Fetch = fetch_url,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    budget_s: float = BUDGET_S,
) -> int:
    """Fetch what is due, one by one; how many pictures came. Safe to run twice: a picture is kept once per listing."""
    end, came, tried = time.monotonic() + budget_s, 0, 0
    waiting = RemotePicture.objects.of(seller).filter(state=RemotePicture.WAITING, next_at__lte=timezone.now())
    while rows := list(waiting.select_related("listing__catalogue", "listing__seller").order_by("pk")[:PORTION]):
        for row in rows:
            came += _fetch_one(row, fetch)
            tried += 1
            if time.monotonic() > end or cancelled():
                return came
        progress(tried, tried + waiting.count())
    return came


def _fetch_one(row: RemotePicture, fetch: Fetch) -> int:
    row.attempts += 1
    try:
        fetched = fetch(row.url)
    except FetchError as error:
        return _not_fetched(row, f"fetch.{error.code}", is_final=not _may_pass(error))
    name = fetched.final_url.split("?")[0].rstrip("/").rsplit("/", 1)[-1][:200] or "picture"
    code = add_picture(listing=row.listing, name=name, content=fetched.data)
    if code:
        return _not_fetched(row, code, is_final=True)
    row.state, row.error_code = RemotePicture.DONE, ""
    row.save(update_fields=["state", "error_code", "attempts"])
    return 1


def _may_pass(error: FetchError) -> bool:
    if isinstance(error, HttpError):
        return error.status not in FINAL_STATUSES
    return isinstance(error, FetchTimeoutError | UnresolvedError)


def _not_fetched(row: RemotePicture, code: str, *, is_final: bool) -> int:
    row.error_code = code
    if is_final or row.attempts >= MOST_ATTEMPTS:
        row.state = RemotePicture.FAILED
    else:
        row.next_at = timezone.now() + DELAYS[min(row.attempts, len(DELAYS)) - 1]
    with transaction.atomic():
        row.save(update_fields=["state", "error_code", "attempts", "next_at"])
        if row.state == RemotePicture.FAILED and row.run_id is not None:
            ImportProblem.objects.create(
                seller=row.seller,
                run_id=row.run_id,
                row=row.row,
                product_id=row.listing.product_id,
                code=code,
                is_refused=True,
            )
    return 0
