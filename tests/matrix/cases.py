"""Who may do what on the pages about cases: owners and IP managers, nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from compliance.services.case_feed import make_feed
from tests.compliance.case_world import attach, draft, ready
from tests.factories import register_one
from tests.matrix.rows import MANAGERS, OWNER, AnyRow, World, action, form, page, public_page


def case(world: World) -> Mapping[str, Any]:
    return {"number": draft(world.seller).number}


def ready_case(world: World) -> Mapping[str, Any]:
    return {"number": ready(world.seller).number}


def section(world: World) -> Mapping[str, Any]:
    return {"number": draft(world.seller).number, "section": "message"}


def work(world: World) -> Mapping[str, Any]:
    made = draft(world.seller)
    return {"number": made.number, "key": made.works.get().pk}


def listing(world: World) -> Mapping[str, Any]:
    made = draft(world.seller)
    return {"number": made.number, "key": made.infringements.get().pk}


def file(world: World) -> Mapping[str, Any]:
    made = draft(world.seller)
    return {"number": made.number, "key": attach(made).pk}


def deadline(world: World) -> Mapping[str, Any]:
    made = ready(world.seller)
    row = made.deadlines.create(
        seller=world.seller, rule="custom", label="x", starts_at=made.created_at, due_at=made.created_at
    )
    return {"number": made.number, "deadline": row.number}


def another_original(world: World) -> Mapping[str, Any]:
    return {"number": register_one(world.seller, seed=8).number}


def upload(world: World) -> Mapping[str, Any]:
    return {"role": "other", "file": SimpleUploadedFile("proof.pdf", b"%PDF-1.7", "application/pdf")}


def feed(world: World) -> Mapping[str, Any]:
    return {"token": make_feed(actor=world.people[OWNER], seller=world.seller)}


NEW = {"kind": "complaint", "target": "ebay_vero", "addresses": "https://www.ebay.com/itm/4000123456"}

ROWS: dict[str, AnyRow] = {}
ROWS["compliance:case_list"] = page(MANAGERS)
ROWS["compliance:case_new"] = form(MANAGERS, data=NEW)
ROWS["compliance:case_mail"] = form(MANAGERS, data={"text": "Your listing was reported."}, ok=200)
ROWS["compliance:case_outcomes"] = page(MANAGERS)
ROWS["compliance:case_deadlines"] = page(MANAGERS)
ROWS["compliance:case_feed"] = action(MANAGERS, data={"do": "make"})
ROWS["compliance:case_calendar"] = public_page(make=feed)
ROWS["compliance:case_detail"] = page(MANAGERS, make=case)
ROWS["compliance:case_edit"] = action(MANAGERS, make=section, data={"message-message": "Text"})
ROWS["compliance:case_move"] = action(MANAGERS, make=ready_case, data={"to": "submitted"})
ROWS["compliance:case_works"] = action(MANAGERS, make=case, data=another_original)
ROWS["compliance:case_work"] = action(MANAGERS, make=work, data={"do": "remove"})
ROWS["compliance:case_listings"] = action(MANAGERS, make=case, data={"url": "https://www.ebay.com/itm/12345678"})
ROWS["compliance:case_listing"] = action(MANAGERS, make=listing, data={"do": "remove"})
ROWS["compliance:case_files"] = action(MANAGERS, make=case, data=upload)
ROWS["compliance:case_file"] = page(MANAGERS, make=file)
ROWS["compliance:case_file_remove"] = action(MANAGERS, make=file)
ROWS["compliance:case_statements"] = action(MANAGERS, make=case, data={"which": "accuracy", "name": "Qiang"})
ROWS["compliance:case_costs"] = action(MANAGERS, make=case, data={"costs": "12.50", "currency": "CNY"})
ROWS["compliance:case_deadline_add"] = action(
    MANAGERS, make=case, data={"label": "Reply", "due_at": "2026-12-01T10:00"}
)
ROWS["compliance:case_deadline"] = action(MANAGERS, make=deadline, data={"do": "done"})
