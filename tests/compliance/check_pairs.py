"""Pairs to check, as the services and pages take them; drawn, never read from disk.

The runs are typed Any: what may be None in general (job, statement, heatmap) is known to be there in a test.
"""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from compliance.models import CheckRun
from compliance.services.checks import run_check, start_check
from ledger.accounts.models import Seller, User
from ledger.services.originals import Upload
from tests.compliance.checks.pictures import encode, product, with_promotion

PROFILE_ID = "aliexpress-seed-2024"
PROMOTION = (40, 40, 300, 120)
MAIN = encode(with_promotion(product(), PROMOTION), "JPEG")
HIDDEN = encode(product(), "JPEG")
WEBP = encode(product(), "WEBP")


def begin(seller: Seller, *, main: Any = MAIN, hidden: Any = HIDDEN, **changes: Any) -> Any:
    """A check that waits for its worker; files as bytes, or as start_check takes them."""
    values = {
        "actor": None,
        "seller": seller,
        "main": Upload("main.jpg", main) if isinstance(main, bytes) else main,
        "hidden": Upload("hidden.jpg", hidden) if isinstance(hidden, bytes) else hidden,
        "profile_id": PROFILE_ID,
        **changes,
    }
    return start_check(**values)


def finish(run: CheckRun) -> Any:
    """What the worker does."""
    run_check(run.pk)
    related = ("seller", "statement__entry", "main_image__blob", "hidden_image__blob", "heatmap", "job")
    return CheckRun.objects.select_related(*related).get(pk=run.pk)


def checked(seller: Seller, *, actor: User | None = None, **changes: Any) -> Any:
    """A finished check."""
    return finish(begin(seller, actor=actor, **changes))


def form_files(main: bytes | None = MAIN, hidden: bytes | None = HIDDEN) -> dict[str, SimpleUploadedFile]:
    """The two files of the page's form."""
    files = {"main": main, "hidden": hidden}
    return {side: SimpleUploadedFile(f"{side}.jpg", data) for side, data in files.items() if data is not None}
