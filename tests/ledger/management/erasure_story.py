"""A seller whose picture left traces everywhere: run as a program on directories of its own, prints what to look for.

Prints JSON: {number, person, markers: name -> hex of bytes that must be nowhere after an erasure}.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from compliance.models import GalleryItem, IndexSegment  # noqa: E402 - Django is set up first
from compliance.search.segments import Segment  # noqa: E402
from compliance.services import check_receipt, feature_index, receipts  # noqa: E402
from compliance.services.checks import run_check, start_check  # noqa: E402
from compliance.services.gallery import update_gallery  # noqa: E402
from compliance.services.packs import PackOrder, make_packs, order_packs  # noqa: E402
from compliance.services.search import Question, run_search, start_search  # noqa: E402
from ledger.accounts.models import Role, Seller  # noqa: E402
from ledger.models import ImageFile, Original  # noqa: E402
from ledger.services.archives import KIND, enqueue_zip  # noqa: E402
from ledger.services.blobs import read_part  # noqa: E402
from ledger.services.evidence import certificate_of, evidence_zip  # noqa: E402
from ledger.services.jobs import run_job  # noqa: E402
from ledger.services.log import seal  # noqa: E402
from ledger.services.originals import Upload, register_originals, rename_original  # noqa: E402
from ledger.services.pictures import pixel_pool  # noqa: E402
from ledger.services.setup import prepare  # noqa: E402
from tests.compliance.check_pairs import PROFILE_ID  # noqa: E402
from tests.factories import analyse_all, make_member, make_seller, register_one  # noqa: E402
from tests.images import captioned, exif_bytes, jpeg_bytes, product_photo, recompressed  # noqa: E402

NAME = "zebra-zanzibar-7q.jpg"
PERSON = "yolanda.zzyzx@shop.example"


def main() -> None:
    prepare()
    feature_index.SEAL_FROM = 2
    seller = make_seller("acme")
    make_member("lin@shop.example", seller, Role.OWNER)
    yolanda = make_member(PERSON, seller, Role.OWNER)
    photo = product_photo(1)
    content = jpeg_bytes(photo, exif=exif_bytes())
    answer = register_originals(actor=yolanda, seller=seller, uploads=[Upload(NAME, content)])[0]
    assert answer.original is not None
    original = Original.objects.select_related("image__blob", "statement__entry", "seller").get(pk=answer.original.pk)
    rename_original(actor=yolanda, original=original, title="Quagga Nightlight", category="")
    register_one(seller, 2)
    analyse_all()
    _zip(seller, yolanda, content)
    update_gallery(seller=seller, image_ids=list(ImageFile.objects.values_list("pk", flat=True)))
    feature_index.seal_segments(seller=seller)
    original.refresh_from_db()
    seal()
    evidence_zip(actor=None, certificate=certificate_of(actor=None, original=original), with_original=True)
    _compliance(seller, original, photo)
    print(json.dumps({"number": original.number, "person": PERSON, "markers": _markers(original)}))
    pixel_pool().close()


def _zip(seller: Seller, actor: Any, content: bytes) -> None:
    """The picture once more, inside an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"shoot/{NAME}", content)
        archive.writestr("shoot/notes.txt", b"no picture")
    job = enqueue_zip(actor=actor, seller=seller, name=f"{NAME}.zip", content=out.getvalue())
    assert job.kind == KIND
    run_job(job.pk)


def _compliance(seller: Seller, original: Original, photo: Any) -> None:
    """A search with it, one that finds it, a check, a pack; receipts of all."""
    for upload in (None, Upload("copy.jpg", jpeg_bytes(recompressed(photo, 50))), Upload(NAME, jpeg_bytes(photo))):
        run = start_search(
            actor=None, seller=seller, question=Question(), upload=upload, original=None if upload else original
        )
        run_search(run.pk)
        run.refresh_from_db()
        receipts.receipt_of(actor=None, run=run)
    main = Upload("quagga-main.jpg", jpeg_bytes(captioned(photo)))
    hidden = Upload("quagga-hidden.jpg", jpeg_bytes(photo, quality=90))
    check = start_check(actor=None, seller=seller, main=main, hidden=hidden, profile_id=PROFILE_ID)
    check = run_check(check.pk)
    if check.statement is not None:
        check_receipt.receipt_of(actor=None, run=check)
    packs = order_packs(actor=None, seller=seller, orders=[PackOrder("quagga-sku-9", original)], profile_id=PROFILE_ID)
    make_packs(packs.pk, progress=lambda done, total, note: None, cancelled=lambda: False)


def _markers(original: Original) -> dict[str, str]:
    image = original.image
    item = GalleryItem.objects.get(image=image)
    segment = IndexSegment.objects.get(seller=original.seller)
    folder = feature_index.index_folder(original.seller_id) / segment.folder
    opened = Segment.open(folder)
    place = opened.image_ids.tolist().index(item.pk)
    geometry = opened.geometry[opened.starts[place] : opened.starts[place + 1]].tobytes()
    values = {
        "file name": NAME.encode(),
        "title": b"Quagga Nightlight",
        "sku": b"quagga-sku-9",
        "checked file": b"quagga-hidden",
        "digest": bytes(original.sha256),
        "digest as text": bytes(original.sha256).hex().encode(),
        "digest of pixels": bytes(image.pixel_sha256 or b""),
        "fingerprint": bytes(image.fingerprints.order_by("pk")[0].value),
        "salt and claim": bytes(original.statement.claim),
        "identity": bytes(original.statement.identity),
        "wrapped key": bytes(image.blob.wrapped_key),
        "thumbnail": read_part(image.blob, "thumb-s")[:64],
        "sealed file": Path(_path(image)).read_bytes()[16:80],
        "sealed thumbnail": Path(_path(image) + ".thumb-s").read_bytes()[16:80],
        "index": geometry[:64],
    }
    return {name: value.hex() for name, value in values.items()}


def _path(image: ImageFile) -> str:
    blob = image.blob
    return f"{os.environ['ORIGINMARK_DATA']}/blobs/{blob.seller_id}/{blob.id.hex[:6]}/{blob.id.hex}"


if __name__ == "__main__":
    main()
