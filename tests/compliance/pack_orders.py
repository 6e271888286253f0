"""Packs ordered and made, as the services and pages take them."""

from typing import Any

from compliance.models import PackRun
from compliance.services.packs import PackOrder, make_packs, order_packs
from ledger.accounts.models import Seller, User
from ledger.models import Original
from ledger.services.jobs import run_job
from ledger.services.originals import Upload
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.packs.pictures import original, overlay
from tests.factories import register

OVERLAY = Upload("overlay.png", overlay())


def registered(seller: Seller, seed: int = 5) -> Original:
    """The drawn original of packs/pictures.py, registered."""
    answer = register(seller, original(seed))[0]
    return Original.objects.select_related("image").get(pk=answer.original.pk)


def order(seller: Seller, *orders: PackOrder, actor: User | None = None, request_id: str = "") -> Any:
    """An order that waits for its worker; one pack with an overlay unless told otherwise."""
    wanted = orders or (PackOrder("A-1", registered(seller), OVERLAY, "overlay"),)
    return order_packs(actor=actor, seller=seller, orders=wanted, profile_id=PROFILE_ID, request_id=request_id)


def make(run: Any) -> Any:
    """What the worker does."""
    return make_packs(run.pk, progress=lambda done, total, note: None, cancelled=lambda: False)


def packed(seller: Seller, *orders: PackOrder, actor: User | None = None) -> Any:
    """A finished order."""
    run = order(seller, *orders, actor=actor)
    run_job(run.job.pk)
    return PackRun.objects.get(pk=run.pk)
