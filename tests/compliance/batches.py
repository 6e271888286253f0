"""Batches of pairs as the services take them, from drawn files."""

import io
import zipfile
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from compliance.models import CheckBatch
from compliance.services.batch_orders import read_order
from compliance.services.check_batches import Choices, start_batch
from ledger.services.jobs import run_job
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.checks.pictures import encode, with_promotion
from tests.images import product_photo


def pair(seed: int = 1) -> dict[str, bytes]:
    """A compliant pair by role; another product for each seed."""
    clean = product_photo(seed, (640, 640))
    return {"main": encode(with_promotion(clean), "JPEG"), "hidden": encode(clean, "JPEG")}


def pair_files(*skus: str) -> dict[str, bytes]:
    """Files of compliant pairs by name, another product for each SKU."""
    return {f"{sku}_{role}.jpg": data for seed, sku in enumerate(skus, start=1) for role, data in pair(seed).items()}


def uploads(files: dict[str, bytes]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, data) for name, data in files.items()]


def zipped(files: dict[str, bytes]) -> SimpleUploadedFile:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return SimpleUploadedFile("launch.zip", target.getvalue())


def begin_batch(seller: Any, files: dict[str, bytes], *, table: bytes | None = None, **changes: Any) -> Any:
    """A batch that waits for its worker."""
    order = read_order(
        files=uploads(files), archive=None, table=SimpleUploadedFile("pairs.csv", table) if table else None
    )
    choices = Choices(PROFILE_ID, changes.get("category", ""), changes.get("request_id", ""))
    return start_batch(actor=changes.get("actor"), seller=seller, order=order, choices=choices)


def finish_batch(batch: Any) -> Any:
    """What the worker does."""
    run_job(batch.job_id)
    return CheckBatch.objects.select_related("job").get(pk=batch.pk)
