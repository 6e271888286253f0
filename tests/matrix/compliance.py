"""Who may do what on the compliance pages. One line per URL name; rows.py explains the words."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from compliance.models import WatchFeed
from compliance.services.catalogues import find_or_create_catalogue
from compliance.services.digests import make_feed
from compliance.services.gallery import update_gallery
from compliance.services.imports import confirm_import, run_import, start_import
from compliance.services.packets import build_packet
from compliance.services.quality import check_pictures
from compliance.services.repairs import run_repair, start_repair
from compliance.services.search import Question, run_search, start_search
from compliance.services.standing import Happening, record_event
from ledger.accounts.services import add_store
from ledger.models import Job, JobState
from ledger.services.originals import Upload
from tests.compliance.batches import begin_batch, finish_batch, pair_files, uploads
from tests.compliance.captured import capture_page
from tests.compliance.check_pairs import PROFILE_ID, WEBP, checked, form_files
from tests.compliance.complete_case import complete_case
from tests.compliance.matches import edited_match
from tests.compliance.pack_orders import packed
from tests.compliance.test_sku_sets import GOOD, checked_set
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo
from tests.matrix.ledger import PHOTO
from tests.matrix.rows import (
    EVERYBODY,
    IP_MANAGER,
    MANAGERS,
    OWNERS,
    WORKERS,
    AnyRow,
    World,
    action,
    form,
    page,
    public_page,
)


def catalogue(world: World) -> Mapping[str, Any]:
    return {"number": find_or_create_catalogue(actor=None, seller=world.seller, name="Feed").number}


FEED = b"product_id,image\nP1,https://shop.example.com/1.jpg\n"


def feed_file(world: World) -> Mapping[str, Any]:
    return {"file": SimpleUploadedFile("feed.csv", FEED, "text/csv")}


def draft_import(world: World) -> Mapping[str, Any]:
    return {"number": start_import(actor=None, seller=world.seller, file_name="feed.csv", file=io.BytesIO(FEED)).number}


def finished_import(world: World) -> Mapping[str, Any]:
    run = start_import(actor=None, seller=world.seller, file_name="feed.csv", file=io.BytesIO(FEED))
    confirm_import(actor=None, run=run, mapping=run.mapping, name="")
    return {"number": run_import(run.pk).number}


def found_match(world: World) -> Mapping[str, Any]:
    return {"number": edited_match(world.seller).number}


def watch_feed(world: World) -> Mapping[str, Any]:
    make_feed(actor=world.people[IP_MANAGER], seller=world.seller)
    return {"number": WatchFeed.objects.of(world.seller).latest("pk").number}


def feed_token(world: World) -> Mapping[str, Any]:
    return {"token": make_feed(actor=world.people[IP_MANAGER], seller=world.seller)}


def shop_rule(world: World) -> Mapping[str, Any]:
    for seller in (world.seller, world.other_seller):
        edited_match(seller)
    return {"shop": "id:n-1", "kind": "deny"}


def check(world: World) -> Mapping[str, Any]:
    return {"number": checked(world.seller).number}


def mendable(world: World) -> Mapping[str, Any]:
    return {"number": checked(world.seller, hidden=WEBP).number}


def asked(world: World) -> Mapping[str, Any]:
    """A check that asks one question."""
    run = checked(world.seller)
    question = {"rule": "H12", "code": "ERR_IMG_HID_TEXT", "level": "CONFIRM", "bbox": [10, 10, 90, 40]}
    run.report["findings"].append({**question, "measured": 1, "allowed": 0, "unit": "marks", "detail": ""})
    run.save()
    return {"number": run.number}


def repaired(world: World) -> Mapping[str, Any]:
    run = checked(world.seller, hidden=WEBP)
    return {"number": run_repair(start_repair(actor=None, run=run, fix="all").pk).number}


def failed_repair(world: World) -> Mapping[str, Any]:
    run = checked(world.seller, hidden=WEBP)
    repair = start_repair(actor=None, run=run, fix="all")
    Job.objects.filter(pk=repair.job_id).update(state=JobState.DEAD)
    return {"number": repair.number}


def pair(world: World) -> Mapping[str, Any]:
    return {"profile": PROFILE_ID, **form_files()}


def packs(world: World) -> Mapping[str, Any]:
    return {"number": packed(world.seller).number}


def pack_order(world: World) -> Mapping[str, Any]:
    """A row that names a file which either seller registered, each for itself."""
    for seller in (world.seller, world.other_seller):
        register_one(seller, seed=3)
    batch = b"sku,original\nA-1,photo-0.jpg\n"
    return {"profile": PROFILE_ID, "batch": SimpleUploadedFile("packs.csv", batch, "text/csv")}


def pair_batch(world: World) -> Mapping[str, Any]:
    return {"number": finish_batch(begin_batch(world.seller, pair_files("A1"))).number}


def pair_batch_files(world: World) -> Mapping[str, Any]:
    return {"profile": PROFILE_ID, "files": uploads(pair_files("A1"))}


def sku_set(world: World) -> Mapping[str, Any]:
    return {"number": checked_set(world.seller, GOOD).number}


def sku_files(world: World) -> Mapping[str, Any]:
    return {"profile": PROFILE_ID, "main": SimpleUploadedFile("collage.jpg", PHOTO), "files": uploads(GOOD)}


def quality_check(world: World) -> Mapping[str, Any]:
    upload = Upload("photo.jpg", PHOTO)
    (line,) = check_pictures(actor=None, seller=world.seller, uploads=[upload], profile_id=PROFILE_ID)
    return {"number": line.number}


def pack_file(world: World) -> Mapping[str, Any]:
    return {"number": packed(world.seller).items.first().main.statement.number}


def store_event(world: World) -> Mapping[str, Any]:
    store = add_store(actor=None, seller=world.seller, marketplace="ebay", name="Shop", shop_id="7")
    happening = Happening("failure", timezone.now())
    return {"number": record_event(actor=None, store=store, happening=happening).number}


def search(world: World) -> Mapping[str, Any]:
    run = start_search(actor=None, seller=world.seller, question=Question(), upload=Upload("query.jpg", PHOTO))
    return {"number": run_search(run.pk).number}


def search_with_map(world: World) -> Mapping[str, Any]:
    """A copy that digests do not settle, so that its pixels were compared."""
    original = register_one(world.seller, seed=2, analyse=True)
    update_gallery(seller=world.seller, image_ids=[original.image_id])
    copy = jpeg_bytes(product_photo(2).rotate(7, resample=Image.Resampling.BICUBIC))
    run = start_search(actor=None, seller=world.seller, question=Question(), upload=Upload("query.jpg", copy))
    return {"number": run_search(run.pk).number, "rank": 1}


def picture(world: World) -> Mapping[str, Any]:
    return {"picture": SimpleUploadedFile("query.jpg", PHOTO, "image/jpeg")}


def pictures(world: World) -> Mapping[str, Any]:
    return {"profile": PROFILE_ID, "pictures": [SimpleUploadedFile("photo.jpg", PHOTO, "image/jpeg")]}


def captured(world: World) -> Mapping[str, Any]:
    return {"number": capture_page(world.seller).number}


def capture_file(world: World) -> Mapping[str, Any]:
    return {
        "file": SimpleUploadedFile("page.html", b"<p>a listing</p>", "text/html"),
        "kind": "html",
        "url": "https://shop.example/item/1",
        "captured_at": "2026-01-02T03:04:05",
        "observer": "party",
    }


def open_case(world: World) -> Mapping[str, Any]:
    return {"number": complete_case(world.seller, captures=False).number}


def draft_of_case(world: World) -> Mapping[str, Any]:
    return {**open_case(world), "language": "en"}


def built_packet(world: World) -> Mapping[str, Any]:
    return {"number": build_packet(actor=None, case=complete_case(world.seller, captures=False)).number}


def part_of_packet(world: World) -> Mapping[str, Any]:
    return {**built_packet(world), "part": 1}


def file_of_packet(world: World) -> Mapping[str, Any]:
    return {**built_packet(world), "name": "00-read-me.txt"}


ROWS: dict[str, AnyRow] = {}
ROWS["compliance:case_packets"] = form(MANAGERS, make=open_case, ok=400)  # no language is chosen; building signs
ROWS["compliance:case_draft"] = page(MANAGERS, make=draft_of_case)
ROWS["compliance:packet"] = page(MANAGERS, make=built_packet)
ROWS["compliance:packet_part"] = page(MANAGERS, make=part_of_packet)
ROWS["compliance:packet_file"] = page(MANAGERS, make=file_of_packet)
ROWS["compliance:packet_proof"] = page(MANAGERS, make=built_packet)
ROWS["compliance:captures"] = page(MANAGERS)
ROWS["compliance:capture_new"] = form(MANAGERS, data=capture_file)
ROWS["compliance:capture"] = page(MANAGERS, make=captured)
ROWS["compliance:capture_file"] = page(MANAGERS, make=captured)
ROWS["compliance:capture_preview"] = page(MANAGERS, make=captured)
ROWS["compliance:capture_bundle"] = page(MANAGERS, make=captured)
ROWS["compliance:overview"] = page(EVERYBODY)
ROWS["compliance:find"] = page(EVERYBODY, query={"q": "mug"})
ROWS["compliance:sample"] = action(OWNERS)
ROWS["compliance:catalogues"] = page(EVERYBODY)
ROWS["compliance:catalogue"] = page(EVERYBODY, make=catalogue)
ROWS["compliance:catalogue_template"] = page(EVERYBODY)
ROWS["compliance:checks"] = form(EVERYBODY, post=WORKERS, data=pair)
ROWS["compliance:check"] = page(EVERYBODY, make=check)
ROWS["compliance:check_retry"] = action(WORKERS, make=check)
ROWS["compliance:check_heatmap"] = page(EVERYBODY, make=check)
ROWS["compliance:check_difference"] = page(EVERYBODY, make=check)
ROWS["compliance:check_receipt"] = page(EVERYBODY, make=check)
ROWS["compliance:check_bundle"] = page(EVERYBODY, make=check)
ROWS["compliance:check_repair"] = action(WORKERS, make=mendable, data={"fix": "all"})
ROWS["compliance:check_answer"] = action(WORKERS, make=asked, data={"finding": "1", "answer": "product"})
ROWS["compliance:check_again"] = action(WORKERS, make=check)
ROWS["compliance:codes"] = page(EVERYBODY, query={"q": "MISMATCH"})
ROWS["compliance:repair"] = page(EVERYBODY, make=failed_repair)
ROWS["compliance:repair_retry"] = action(WORKERS, make=failed_repair)
ROWS["compliance:repair_file"] = page(EVERYBODY, make=repaired)
ROWS["compliance:quality"] = form(EVERYBODY, post=WORKERS, data=pictures, ok=200)
ROWS["compliance:batches"] = form(EVERYBODY, post=WORKERS, data=pair_batch_files)
ROWS["compliance:batch_template"] = page(EVERYBODY)
ROWS["compliance:batch"] = page(EVERYBODY, make=pair_batch)
ROWS["compliance:batch_retry"] = action(WORKERS, make=pair_batch)
ROWS["compliance:batch_csv"] = page(EVERYBODY, make=pair_batch)
ROWS["compliance:sku_sets"] = form(EVERYBODY, post=WORKERS, data=sku_files)
ROWS["compliance:sku_set"] = page(EVERYBODY, make=sku_set)
ROWS["compliance:sku_set_retry"] = action(WORKERS, make=sku_set)
ROWS["compliance:sku_set_receipt"] = page(EVERYBODY, make=sku_set)
ROWS["compliance:quality_record"] = page(EVERYBODY, make=quality_check)
ROWS["compliance:quality_receipt"] = page(EVERYBODY, make=quality_check)
ROWS["compliance:derivative_receipt"] = page(EVERYBODY, make=pack_file)
ROWS["compliance:packs"] = form(EVERYBODY, post=WORKERS, data=pack_order)
ROWS["compliance:pack_template"] = page(EVERYBODY)
ROWS["compliance:pack"] = page(EVERYBODY, make=packs)
ROWS["compliance:pack_retry"] = action(WORKERS, make=packs)
ROWS["compliance:pack_archive"] = page(EVERYBODY, make=packs)
ROWS["compliance:standing"] = form(EVERYBODY, post=WORKERS, data={"kind": "failure"}, ok=400)  # no store is named
ROWS["compliance:standing_rules"] = action(OWNERS)
ROWS["compliance:standing_withdraw"] = action(WORKERS, make=store_event)
ROWS["compliance:import_new"] = form(MANAGERS, data=feed_file)
ROWS["compliance:import"] = form(EVERYBODY, post=MANAGERS, make=finished_import, data={}, ok=200)
ROWS["compliance:import_discard"] = action(MANAGERS, make=draft_import)
ROWS["compliance:import_retry"] = action(MANAGERS, make=draft_import)
ROWS["compliance:watch"] = page(MANAGERS)
ROWS["compliance:watch_clusters"] = page(MANAGERS)
ROWS["compliance:watch_cluster_decide"] = action(
    MANAGERS, data={"by": "transform", "key": "mirrored", "decision": "copy"}
)
ROWS["compliance:watch_shops"] = form(MANAGERS, data=shop_rule)
ROWS["compliance:watch_alerts"] = form(MANAGERS, data={"schedule": "daily", "hour": "8"})
ROWS["compliance:watch_webhook"] = action(MANAGERS, data={"url": "https://shop.example.com/hook"})
ROWS["compliance:watch_webhook_test"] = action(MANAGERS)
ROWS["compliance:watch_feed_new"] = action(MANAGERS)
ROWS["compliance:watch_feed_revoke"] = action(MANAGERS, make=watch_feed)
ROWS["compliance:watch_feed"] = public_page(make=feed_token)
ROWS["compliance:watch_undo"] = action(MANAGERS, data={"batch": "2222222222222222"})
ROWS["compliance:match"] = page(MANAGERS, make=found_match)
ROWS["compliance:match_decide"] = action(MANAGERS, make=found_match, data={"decision": "copy"})
ROWS["compliance:match_agreement"] = page(MANAGERS, make=found_match)
ROWS["compliance:search"] = form(EVERYBODY, post=WORKERS, data=picture)
ROWS["compliance:search_method"] = page(EVERYBODY)
ROWS["compliance:search_result"] = page(EVERYBODY, make=search)
ROWS["compliance:search_again"] = action(WORKERS, make=search)
ROWS["compliance:search_agreement"] = page(EVERYBODY, make=search_with_map)
ROWS["compliance:search_receipt"] = page(EVERYBODY, make=search)
ROWS["compliance:search_bundle"] = page(EVERYBODY, make=search)
