"""Whether there is a right to complain at all: questions whose wrong answer makes a notice wrongful, and costly.

Asked of complaints and court bundles. An unanswered question blocks like a wrong answer: nobody is asked to guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from compliance.cases.case_file import COMPLAINT, COURT_BUNDLE, NO, YES, CaseFile, Infringement, Work
from compliance.cases.facts import valid_attachments
from compliance.cases.target import Target

UNANSWERED = "unanswered"
# What shows that a picture of somebody else's making came to us with its rights.
_ASSIGNED = ("assignment", "exclusive_licence")


@dataclass(frozen=True, slots=True)
class Answer:
    """One question with what follows from it. reason: a word that names why it is not met; blocks: whether the case can
    be ready all the same."""

    question: str
    is_met: bool
    blocks: bool = True
    reason: str = ""


def judge_right(target: Target, case: CaseFile) -> Iterator[Answer]:
    """Every question that this target and kind of case raise."""
    if case.kind not in (COMPLAINT, COURT_BUNDLE):
        yield _source(target, case)
        return
    if "ebay_catalogue" in target.checks:
        yield _denied("ebay_catalogue", case.relationship.in_ebay_catalogue)
    if "shared_asin" in target.checks:
        yield _denied("shared_asin", case.relationship.on_shared_asin)
    yield _denied("authorised_reseller", case.relationship.is_authorised_reseller)
    yield _source(target, case)
    yield _photographer(case)
    yield _earlier(case)


def _denied(question: str, answer: str) -> Answer:
    """A question that has to be answered with no."""
    return Answer(question, answer == NO, reason="" if answer == NO else (YES if answer == YES else UNANSWERED))


def _has_assignment(case: CaseFile) -> bool:
    """A contract is there: attached or registered with every work, and the right is said to rest on one."""
    registered = bool(case.works) and all("contract" in work.roles for work in case.works)
    return case.right.ownership_basis in _ASSIGNED and (valid_attachments(case, "contract") or registered)


def _source(target: Target, case: CaseFile) -> Answer:
    """Whose picture it is. A supplier's needs a contract; what a machine made has no author in the law of the US."""
    source = case.relationship.image_source
    if not source:
        return Answer("image_source", False, reason=UNANSWERED)
    if case.kind not in (COMPLAINT, COURT_BUNDLE) or source == "self":
        return Answer("image_source", True)
    if source == "supplier":
        held = _has_assignment(case)
        return Answer("image_source", held, reason="" if held else "supplier")
    if source == "ai_generated":
        return Answer("image_source", False, blocks=target.law == "US", reason="ai_generated")
    return Answer("image_source", False, blocks=False, reason="mixed")


def _photographer(case: CaseFile) -> Answer:
    who = case.relationship.photographer
    if who in ("self", "employee"):
        return Answer("photographer", True)
    if who == "assignment" and _has_assignment(case):
        return Answer("photographer", True)
    return Answer("photographer", False, reason=who or UNANSWERED)


def _earlier(case: CaseFile) -> Answer:
    """Whether something of ours is older than the first time their listing was seen."""
    states = [_earlier_than(case, each) for each in case.infringements]
    if not states:
        return Answer("earlier_proof", False, blocks=False, reason="unknown")
    if all(state == YES for state in states):
        return Answer("earlier_proof", True)
    if NO in states:
        return Answer("earlier_proof", False, reason="later")
    return Answer("earlier_proof", False, blocks=False, reason="unknown")


def _earlier_than(case: CaseFile, infringement: Infringement) -> str:
    seen = infringement.first_seen
    if seen is None:
        return ""
    work = next((each for each in case.works if each.number == infringement.work), None)
    return YES if any(moment < seen for moment in _proofs(case, work)) or _has_maker_files(case, work) else NO


def _proofs(case: CaseFile, work: Work | None) -> Iterator[datetime]:
    """Moments by which something outside says that the work existed."""
    if work is not None and work.proven_at is not None:
        yield work.proven_at
    for day in (case.right.published_on, case.right.registered_on):
        if day is not None:
            yield datetime.combine(day, time(), UTC)


def _has_maker_files(case: CaseFile, work: Work | None) -> bool:
    """Files that only the maker has: they speak for us even when our proof is younger than the copy."""
    kept = work is not None and bool(work.roles & {"raw", "layered", "outtake"})
    return kept or valid_attachments(case, "outtake")


def has_earlier_proof(case: CaseFile) -> bool | None:
    """Whether outside time of every work is older than the first sighting of its copy; None when that is not known."""
    works = {work.number: work for work in case.works}
    pairs = [(works.get(each.work), each.first_seen) for each in case.infringements]
    if not pairs or any(seen is None for _work, seen in pairs):
        return None
    return all(work is not None and work.proven_at is not None and work.proven_at < seen for work, seen in pairs)  # type: ignore[operator]
