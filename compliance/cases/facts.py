"""The facts that a target can ask for, each by the name used in targets/*.toml, and how a case file answers them.

A fact is answered by every infringement and every work, or it is not answered: one listing without its address makes
the whole packet come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TypeVar

from compliance.cases.case_file import AGENT, CaseFile, Complainant, Infringement, Notice, Right

T = TypeVar("T")
Answer = Callable[[CaseFile], bool]
ATTACHMENT_ROLES = (
    "identity",
    "authorisation",
    "claim_statement",
    "registration_certificate",
    "first_publication",
    "official_site_screenshot",
    "infringing_screenshot",
    "camera_original",
    "outtake",
    "contract",
    "third_party_proof",
    "invoice",
    "environment_report",
    "screen_recording",
    "reply_document",
    "court_order",
    "other",
)
# Files registered as evidence serve as well as attached ones: role of a work's file -> role of an attachment.
SAME_AS_WORK_FILE = {
    "camera_original": ("original", "raw", "layered"),
    "outtake": ("outtake",),
    "contract": ("contract",),
}
CAPTURE_SERVES = {"infringing_screenshot": ("screenshot",), "screen_recording": ("video",)}


def _all(items: Iterable[T], holds: Callable[[T], bool]) -> bool:
    found = list(items)
    return bool(found) and all(holds(item) for item in found)


def _of_part(part: str, name: str) -> Answer:
    return lambda case: bool(getattr(getattr(case, part), name))


def _of_each_infringement(name: str) -> Answer:
    return lambda case: _all(case.infringements, lambda item: bool(getattr(item, name)))


def valid_attachments(case: CaseFile, role: str) -> bool:
    """Whether a file of that role is attached that has not expired."""
    return any(
        item.role == role and (item.expires_on is None or item.expires_on >= case.today) for item in case.attachments
    )


def _attached(role: str) -> Answer:
    def answer(case: CaseFile) -> bool:
        registered = SAME_AS_WORK_FILE.get(role, ())
        captured = CAPTURE_SERVES.get(role, ())
        return (
            valid_attachments(case, role)
            or (bool(registered) and _all(case.works, lambda work: bool(work.roles & set(registered))))
            or (bool(captured) and _all(case.infringements, lambda item: bool(item.captures & set(captured))))
        )

    return answer


def _contact(case: CaseFile) -> bool:
    who = case.complainant
    return bool(who.email and (who.address or who.phone))


def _capture(case: CaseFile) -> bool:
    shown = valid_attachments(case, "infringing_screenshot")
    return shown or _all(case.infringements, lambda item: bool(item.captures))


def _one_market(case: CaseFile) -> bool:
    markets = {item.market for item in case.infringements}
    return len(markets) == 1 and "" not in markets


FACTS: dict[str, Answer] = {
    **{f"complainant.{item.name}": _of_part("complainant", item.name) for item in fields(Complainant)},
    **{f"right.{item.name}": _of_part("right", item.name) for item in fields(Right)},
    **{f"notice.{item.name}": _of_part("notice", item.name) for item in fields(Notice)},
    **{f"infringement.{item.name}": _of_each_infringement(item.name) for item in fields(Infringement)},
    **{f"attachment.{role}": _attached(role) for role in ATTACHMENT_ROLES},
    "complainant.contact": _contact,
    "works": lambda case: bool(case.works),
    "works.proven": lambda case: _all(case.works, lambda work: work.proven_at is not None),
    "infringement.place": lambda case: _all(case.infringements, lambda item: bool(item.url or item.listing_id)),
    "infringement.capture": _capture,
    "infringement.one_market": _one_market,
    "message": lambda case: bool(case.message.strip()),
    "signature": lambda case: bool(case.signature),
    "actions": lambda case: bool(case.actions),
    "portal_ref": lambda case: bool(case.portal_ref),
    "account": lambda case: case.has_account == "yes",
}


def needs_authority(case: CaseFile) -> bool:
    """Whether somebody speaks for the owner and so has to show a letter."""
    return case.complainant.role == AGENT
