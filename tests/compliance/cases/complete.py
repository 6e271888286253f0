"""A case file in which nothing is missing, for any target, and the same with one thing taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from compliance.cases.case_file import (
    Attachment,
    CaseFile,
    Complainant,
    Infringement,
    Notice,
    Relationship,
    Right,
    Statement,
    Work,
)
from compliance.cases.facts import ATTACHMENT_ROLES
from compliance.cases.target import Target, load_targets

TODAY = date(2026, 11, 30)
NUMBER = "0123456789ABCDEF"


def every_kind() -> list[tuple[str, str]]:
    return [(target.id, kind) for target in load_targets().values() for kind in target.kinds]


def complete(target: Target, kind: str) -> CaseFile:
    """Everything any target asks for, within this one's limits."""
    is_picture_only = any(
        rule.accepts and kind in rule.kinds and "application/pdf" not in rule.accepts for rule in target.files
    )
    mime = "image/png" if is_picture_only else "application/pdf"
    return CaseFile(
        kind=kind,
        target=target.id,
        today=TODAY,
        languages=(target.languages[0],),
        complainant=Complainant(
            "owner",
            "Acme Trading",
            "business",
            "1 Long Street",
            "+86 571 0000",
            "qiang@example.org",
            "mei@example.org",
            "CN",
            "Acme",
        ),
        right=Right(
            type="photo",
            title="Mug on a table",
            author="Yu",
            owner="Acme Trading",
            ownership_basis="own",
            created_on=date(2026, 1, 3),
            published_on=date(2026, 1, 9),
            publication_url="https://shop.example.org/mug",
            publication_item="100500",
            registration_no="VA 2-345",
            registration_authority="Copyright office",
            registration_country="CN",
            registered_on=date(2026, 2, 1),
            work_link="https://shop.example.org/mug",
            work_description="A photo of a mug.",
        ),
        works=(
            Work(
                NUMBER, "Mug", "ab" * 32, frozenset({"original", "outtake"}), proven_at=datetime(2026, 1, 5, tzinfo=UTC)
            ),
        ),
        infringements=(
            Infringement(
                platform=target.platforms[0],
                market="ES",
                listing_id="4000",
                url="https://market.example.org/item/4000",
                seller_name="Thief Shop",
                reason=next(iter(target.reasons), "copyright"),
                position="main",
                work=NUMBER,
                first_seen=datetime(2026, 6, 1, tzinfo=UTC),
                last_seen=datetime(2026, 11, 1, tzinfo=UTC),
                captures=frozenset({"screenshot", "video"}),
            ),
        ),
        relationship=Relationship("self", "employee", "no", "no", "no"),
        attachments=tuple(Attachment(role, f"{role}.pdf", mime, 1000) for role in ATTACHMENT_ROLES),
        statements=tuple(
            Statement(rule.which, "Qiang", datetime(2026, 11, 30, tzinfo=UTC))
            for rule in target.statements
            if kind in rule.kinds
        ),
        notice=Notice("N-77", datetime(2026, 11, 27, tzinfo=UTC), "Thief Shop"),
        signature="Qiang",
        message="Our photo is used without our consent.",
        actions=("remove_image",),
        has_account="yes",
        portal_ref="",
    )


def without(case: CaseFile, fact: str) -> CaseFile:
    """The same case with one fact taken away, wherever it could come from."""
    part, _, name = fact.partition(".")
    if part == "attachment":
        return _without_file(case, name)
    if part == "statement":
        return replace(case, statements=tuple(each for each in case.statements if each.which != name))
    if part == "infringement":
        return _without_in_listings(case, name)
    if fact == "complainant.contact":
        return replace(case, complainant=replace(case.complainant, address="", phone="", email=""))
    if fact == "works.proven":
        return replace(case, works=tuple(replace(work, proven_at=None) for work in case.works))
    if name:
        empty: Any = None if name.endswith(("_on", "_at")) else ""
        return replace(case, **{part: replace(getattr(case, part), **{name: empty})})
    return replace(case, **{part: type(getattr(case, part))()})


def _without_file(case: CaseFile, role: str) -> CaseFile:
    return replace(
        case,
        attachments=tuple(each for each in case.attachments if each.role != role),
        works=tuple(replace(work, roles=frozenset()) for work in case.works),
        infringements=tuple(replace(each, captures=frozenset()) for each in case.infringements),
    )


def _without_in_listings(case: CaseFile, name: str) -> CaseFile:
    changes: dict[str, Any] = {name: ""}
    if name == "place":
        changes = {"url": "", "listing_id": ""}
    elif name == "one_market":
        changes = {"market": ""}
    elif name == "capture":
        kept = tuple(each for each in case.attachments if each.role != "infringing_screenshot")
        case, changes = replace(case, attachments=kept), {"captures": frozenset()}
    return replace(case, infringements=tuple(replace(each, **changes) for each in case.infringements))
