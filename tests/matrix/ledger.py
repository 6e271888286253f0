"""Who may do what on the ledger's pages. One line per URL name; rows.py explains the words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from ledger.accounts.models import Membership
from ledger.accounts.numbers import new_number
from ledger.models import EvidenceSet, Job, JobState
from ledger.services.evidence_sets import add_files, open_draft, register_set
from ledger.services.holds import place_hold
from ledger.services.linking import link_upload
from ledger.services.log import seal
from ledger.services.originals import Upload
from ledger.services.papers import add_paper
from ledger.services.rights import RightFacts, record_right
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo
from tests.matrix.rows import (
    EVERYBODY,
    MANAGERS,
    OWNER,
    OWNERS,
    VIEWER,
    WORKERS,
    AnyRow,
    StaffRow,
    World,
    action,
    form,
    page,
    public_form,
    public_page,
)

PHOTO = jpeg_bytes(product_photo(2))


def original(world: World) -> Mapping[str, Any]:
    return {"number": register_one(world.seller).number}


def sealed_original(world: World) -> Mapping[str, Any]:
    """Also ready for a certificate: analysed, and covered by a checkpoint."""
    number = register_one(world.seller, analyse=True).number
    seal()
    return {"number": number}


def derived_photo(world: World) -> Mapping[str, Any]:
    copy = jpeg_bytes(product_photo(1), quality=60)
    return {"file": SimpleUploadedFile("copy.jpg", copy, "image/jpeg"), "role": "upload"}


def linked_file(world: World) -> Mapping[str, Any]:
    copy = Upload("copy.jpg", jpeg_bytes(product_photo(1), quality=60))
    made = link_upload(actor=None, original=register_one(world.seller), upload=copy)
    return {"number": made.statement.number}


def draft_set(world: World) -> Mapping[str, Any]:
    draft = open_draft(actor=None, seller=world.seller, number=new_number())
    add_files(actor=None, draft=draft, uploads=[Upload("a.raw", b"raw"), Upload("b.pdf", b"contract")])
    return {"number": draft.number}


def registered_set(world: World) -> Mapping[str, Any]:
    made = register_set(actor=None, draft=EvidenceSet.objects.get(**draft_set(world)))
    seal()
    return {"number": made.number}


def set_file(world: World) -> Mapping[str, Any]:
    return {**registered_set(world), "position": 0}


def right_record(world: World) -> Mapping[str, Any]:
    facts = RightFacts("trademark", "Mark")
    return {"number": record_right(actor=None, seller=world.seller, facts=facts).number}


def an_original_number(world: World) -> Mapping[str, Any]:
    return {"numbers": register_one(world.seller).number}


def held_original(world: World) -> Mapping[str, Any]:
    found = register_one(world.seller)
    return {"number": found.number, "hold_id": place_hold(actor=None, original=found, reason="a dispute").pk}


def viewer(world: World) -> Mapping[str, Any]:
    return {"membership_id": Membership.objects.get(user=world.people[VIEWER]).pk}


def preview(world: World) -> Mapping[str, Any]:
    return {"image_id": register_one(world.seller, analyse=True).image.pk, "size": 320}


def dead_job(world: World) -> Mapping[str, Any]:
    job = Job.objects.create(seller=world.seller, kind="pictures.analyse", args={"image_ids": []}, state=JobState.DEAD)
    return {"public_id": job.public_id}


def checkpoint(world: World) -> Mapping[str, Any]:
    register_one(world.seller)
    signed = seal()
    assert signed is not None
    return {"tree_size": signed.tree_size}


def sealed_entry(world: World) -> Mapping[str, Any]:
    checkpoint(world)
    return {"seq": 0}


def first_tile(world: World) -> Mapping[str, Any]:
    checkpoint(world)
    return {"path": "0/000.p/1"}


def first_epoch(world: World) -> Mapping[str, Any]:
    return {"epoch": 1}


def one_photo(world: World) -> Mapping[str, Any]:
    return {"files": SimpleUploadedFile("photo.jpg", PHOTO, "image/jpeg")}


def not_evidence(world: World) -> Mapping[str, Any]:
    return {"evidence": SimpleUploadedFile("bundle.zip", b"not a ZIP")}


def one_paper(world: World) -> Mapping[str, Any]:
    return {"kind": "licence", "document": SimpleUploadedFile("licence.pdf", b"%PDF-1.7", "application/pdf")}


def paper(world: World) -> Mapping[str, Any]:
    upload = Upload("licence.pdf", b"%PDF-1.7")
    return {"number": add_paper(actor=world.people[OWNER], seller=world.seller, kind="licence", upload=upload).number}


def seller_slug(world: World) -> Mapping[str, Any]:
    return {"slug": world.seller.slug}


ROWS: dict[str, AnyRow] = {}
ROWS["ledger:originals"] = page(EVERYBODY)
ROWS["ledger:register"] = form(WORKERS, data=one_photo, ok=200)
ROWS["ledger:original"] = form(EVERYBODY, post=WORKERS, make=original, data={"title": "Mug"})
ROWS["ledger:original_file"] = page(MANAGERS, make=original)
ROWS["ledger:original_certificate"] = page(EVERYBODY, make=sealed_original)
ROWS["ledger:original_bundle"] = page(EVERYBODY, make=sealed_original)
ROWS["ledger:picture"] = page(EVERYBODY, make=preview)
ROWS["ledger:link_derivative"] = action(WORKERS, make=original, data=derived_photo)
ROWS["ledger:derivative_bundle"] = page(EVERYBODY, make=linked_file)
ROWS["ledger:sets"] = page(EVERYBODY)
ROWS["ledger:set_new"] = form(WORKERS, data=one_photo)
ROWS["ledger:set"] = form(EVERYBODY, post=WORKERS, make=draft_set, data={"title": "Shoot"})
ROWS["ledger:set_discard"] = action(WORKERS, make=draft_set)
ROWS["ledger:set_certificate"] = page(EVERYBODY, make=registered_set)
ROWS["ledger:set_bundle"] = page(EVERYBODY, make=registered_set)
ROWS["ledger:set_file"] = page(MANAGERS, make=set_file)
ROWS["ledger:rights"] = page(EVERYBODY)
ROWS["ledger:right_new"] = form(WORKERS, data={"kind": "trademark", "title": "Mark"})
ROWS["ledger:right_correct"] = form(WORKERS, make=right_record, data={"kind": "trademark", "title": "M", "reason": "x"})
ROWS["ledger:right_withdraw"] = action(WORKERS, make=right_record)
ROWS["ledger:right"] = form(EVERYBODY, post=WORKERS, make=right_record, data=an_original_number)
ROWS["ledger:erase"] = form(OWNERS, make=original, data={"reason": "request", "sure": "on"})
ROWS["ledger:hold"] = action(MANAGERS, make=original, data={"reason": "a dispute"})
ROWS["ledger:release_hold"] = action(MANAGERS, make=held_original)
ROWS["ledger:erase_member"] = form(OWNERS, make=viewer, data={"reason": "request", "sure": "on"})
ROWS["ledger:erasures"] = page(OWNERS)
ROWS["ledger:history"] = page(EVERYBODY)
ROWS["ledger:history_csv"] = page(EVERYBODY)
ROWS["ledger:jobs"] = page(EVERYBODY)
ROWS["ledger:job"] = page(EVERYBODY, make=dead_job)
ROWS["ledger:job_again"] = action(WORKERS, make=dead_job)
ROWS["ledger:job_cancel"] = action(WORKERS, make=dead_job)
ROWS["ledger:log"] = page(EVERYBODY)
ROWS["ledger:seal"] = action(MANAGERS)
# Only who runs the site decides about clocks, and on a site with several sellers no seller's role does.
ROWS["ledger:clocks"] = form(EVERYBODY, post=frozenset())
ROWS["ledger:clock_try"] = action(frozenset())
ROWS["ledger:witnesses"] = form(EVERYBODY, post=frozenset())
ROWS["ledger:witness_change"] = action(frozenset())
ROWS["ledger:anchor"] = action(MANAGERS)
ROWS["ledger:checkpoint_file"] = page(EVERYBODY, make=checkpoint, shared=True)
ROWS["ledger:explorer"] = public_page()
ROWS["ledger:entry"] = public_page(make=sealed_entry)
ROWS["ledger:entry_proof"] = public_page(make=sealed_entry)
ROWS["ledger:epoch_explorer"] = public_page(make=first_epoch)
ROWS["ledger:epoch_entry"] = public_page(make=lambda world: {**first_epoch(world), **sealed_entry(world)})
ROWS["ledger:epoch_entry_proof"] = public_page(make=lambda world: {**first_epoch(world), **sealed_entry(world)})
ROWS["ledger:epoch_parameters"] = public_page(make=first_epoch)
ROWS["ledger:epoch_tile"] = public_page(make=lambda world: {**first_epoch(world), **first_tile(world)})
ROWS["ledger:epoch_checkpoint"] = public_page(make=first_epoch, ok=404)
ROWS["ledger:last_signed"] = public_page(make=first_epoch, ok=404)  # the first log has not ended
ROWS["ledger:parameters"] = public_page()
ROWS["ledger:tile"] = public_page(make=first_tile)
ROWS["ledger:checkpoint"] = public_page(ok=404)  # nothing is signed in an empty log
ROWS["ledger:policy"] = public_page()
ROWS["ledger:offline_page"] = public_page()
ROWS["ledger:health"] = public_page()  # one word; every part for who runs the site
ROWS["ledger:metrics"] = (
    public_page()
)  # asked from this machine, as tests do; tests/ledger/views/test_metrics.py has the rest
ROWS["ledger:verify"] = public_form(data=not_evidence, ok=200)
ROWS["ledger:certificate_public"] = public_page(make=sealed_original)
ROWS["ledger:access_log"] = page(OWNERS)
ROWS["ledger:access_log_csv"] = page(OWNERS)
ROWS["ledger:papers"] = form(OWNERS, data=one_paper)
ROWS["ledger:paper_file"] = page(OWNERS, make=paper)
ROWS["ledger:paper_tick"] = action(OWNERS, make=paper, data={"tick": "1"})
ROWS["ledger:paper_remove"] = action(OWNERS, make=paper)
ROWS["ledger:review_list"] = StaffRow({"GET": 200})
ROWS["ledger:review_file"] = StaffRow({"GET": 200}, paper)
ROWS["ledger:review"] = StaffRow({"POST": 302}, paper, {"answer": "approve"})
ROWS["ledger:review_bank"] = StaffRow({"POST": 302}, seller_slug, {"arrived_on": "2026-01-05"})
ROWS["ledger:storage"] = page(OWNERS)
ROWS["ledger:quotas"] = StaffRow({"GET": 200})
ROWS["ledger:quota_change"] = StaffRow({"POST": 302}, seller_slug, {})
