"""Answers of a seller to a check's questions, remembered per SKU and applied to what is recorded.

Each answer that is given or withdrawn makes a new entry, so that anybody can see which verdict rests on whose word.
Stored form, in CheckRun.answers: [{finding, answer, by, at, id}]; finding is the number from 1, at is UTC.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from compliance.checks.answers import (
    ADDED,
    PRODUCT,
    entry_levels,
    is_same_kind,
    is_same_place,
    open_questions,
    relative_place,
    with_answers,
)
from compliance.checks.check import PairReport
from compliance.checks.report import parse_report
from compliance.models import CheckRun, CheckVerdict, FindingAnswer, RunState
from compliance.services.check_sheet import VERDICT_STATES
from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import LogHead
from ledger.services.identity import identity_document
from ledger.services.log import Draft, append_statements, lock_head
from ledger.tlog.claim_documents import CheckFinding, ClaimFile, NamedVersion, check_recorded_claim

Answers = list[dict[str, Any]]
ANSWERS = (PRODUCT, ADDED)


class NoQuestionError(Exception):
    """The check asks nothing of that number, or has no result yet."""

    code = "answer.no_question"


def subject_of(run: CheckRun) -> str:
    """What an answer is remembered for: the SKU that was given, else the registered original, else the main image."""
    if run.sku:
        return f"sku:{run.sku}"
    if run.original is not None:
        return f"original:{run.original.number}"
    return f"main:{bytes(run.main_image.sha256).hex()}"


def known_answers(run: CheckRun, report: PairReport) -> Answers:
    """What this seller has said about the report's questions for the run's SKU; the newest word counts."""
    rows = FindingAnswer.objects.of(run.seller).filter(subject=subject_of(run), withdrawn_at=None)
    rows = rows.select_related("actor").order_by("-pk")
    found: Answers = []
    for number in open_questions(report):
        place = _place(report, number)
        code = report.findings[number - 1].code
        fitting = (row for row in rows if is_same_kind(row.code, code) and _fits(row, place))
        row = next(fitting, None)
        if row is not None:
            found.append(_stored(number, row))
    return found


def settled_report(report: PairReport, answers: Sequence[Mapping[str, Any]]) -> PairReport:
    """The report as the stored answers make it."""
    return with_answers(report, by_number(answers))


def by_number(answers: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The answers by the finding's number."""
    return {int(each["finding"]): str(each["answer"]) for each in answers}


def answer_questions(*, actor: User | None, run: CheckRun, numbers: Sequence[int], answer: str) -> CheckRun:
    """Say of findings that they belong to the product, or that they were added; one entry for all of them.

    Raises NoQuestionError for a number that asks nothing, ValueError for an unknown answer.
    """
    require_permission(actor, run.seller, Permission.CHECK)
    if answer not in ANSWERS:
        raise ValueError(f"unknown answer {answer!r}")
    report = _report(run, numbers)
    with transaction.atomic():
        head = lock_head()
        subject = subject_of(run)
        _withdraw(actor, run, numbers, report)
        for number in numbers:
            FindingAnswer.objects.create(
                seller=run.seller,
                subject=subject,
                code=report.findings[number - 1].code,
                place=_place(report, number),
                belongs=answer == PRODUCT,
                run=run,
                actor=actor,
            )
        _record(actor, run, report, head)
    return run


def withdraw_answers(*, actor: User | None, run: CheckRun, numbers: Sequence[int]) -> CheckRun:
    """Take answers back, for this check and for later ones; other checks stay as they were recorded."""
    require_permission(actor, run.seller, Permission.CHECK)
    report = _report(run, numbers)
    with transaction.atomic():
        head = lock_head()
        _withdraw(actor, run, numbers, report)
        _record(actor, run, report, head)
    return run


def record_draft(run: CheckRun, report: PairReport, *, actor: User | None, request_id: str, number: str = "") -> Draft:
    """The check.recorded entry of a run as its answers make it; report is what the check itself said."""
    main, hidden = run.main_image, run.hidden_image
    settled = settled_report(report, run.answers)
    levels = entry_levels(report, by_number(run.answers))
    claim = check_recorded_claim(
        secrets.token_bytes(32),
        main=ClaimFile("main", bytes(main.sha256), main.size_bytes),
        hidden=ClaimFile("hidden", bytes(hidden.sha256), hidden.size_bytes),
        profile=NamedVersion(run.profile_id, run.profile_version),
        verdict=settled.verdict.value,
        findings=[
            CheckFinding(each.rule, each.code, level) for each, level in zip(report.findings, levels, strict=True)
        ],
    )
    return Draft(
        kind="check.recorded",
        claim=claim,
        identity=identity_document(actor=actor, seller=run.seller),
        request_id=request_id,
        label=f"{main.file_name[:120]} / {hidden.file_name[:120]}",
        outcome=VERDICT_STATES[settled.verdict],
        number=number,
    )


def _report(run: CheckRun, numbers: Sequence[int]) -> PairReport:
    if run.state != RunState.DONE:
        raise NoQuestionError
    report = parse_report(run.report)
    if not numbers or set(numbers) - set(open_questions(report)):
        raise NoQuestionError
    return report


def _withdraw(actor: User | None, run: CheckRun, numbers: Sequence[int], report: PairReport) -> None:
    """What was said before about these places is history, wherever it was said; also what this check still shows."""
    shown = [each["id"] for each in run.answers if each["finding"] in numbers]
    rows = FindingAnswer.objects.of(run.seller).filter(Q(subject=subject_of(run)) | Q(pk__in=shown), withdrawn_at=None)
    codes_places = [(report.findings[number - 1].code, _place(report, number)) for number in numbers]
    meant = [
        row.pk
        for row in rows
        if any(is_same_kind(row.code, code) and _fits(row, place) for code, place in codes_places)
    ]
    FindingAnswer.objects.filter(pk__in=meant).update(withdrawn_at=timezone.now(), withdrawn_by=actor)


def _record(actor: User | None, run: CheckRun, report: PairReport, head: LogHead) -> None:
    """The run and a new entry, when what is known now differs from what the newest entry says."""
    run.refresh_from_db(fields=["answers"])
    answers = known_answers(run, report)
    if answers == run.answers:
        return
    run.answers, run.verdict = answers, settled_report(report, answers).verdict.value
    request_id = f"check-{run.number}-{CheckVerdict.objects.filter(run=run).count() + 1}"
    draft = record_draft(run, report, actor=actor, request_id=request_id)
    (statement,) = append_statements(seller=run.seller, actor=actor, drafts=[draft], head=head)
    CheckVerdict.objects.create(
        run=run, seller=run.seller, statement=statement, verdict=run.verdict, answers=run.answers
    )
    run.save(update_fields=["answers", "verdict"])


def _place(report: PairReport, number: int) -> list[int] | None:
    return relative_place(report.findings[number - 1], report.hidden.width, report.hidden.height)


def _fits(row: FindingAnswer, place: list[int] | None) -> bool:
    if place is None or row.place is None:
        return place is row.place
    first, second = ((box[0], box[1], box[2], box[3]) for box in (row.place, place))
    return is_same_place(first, second)


def _stored(number: int, row: FindingAnswer) -> dict[str, Any]:
    return {
        "finding": number,
        "answer": PRODUCT if row.belongs else ADDED,
        "by": "" if row.actor is None else str(row.actor),
        "at": _utc(row.created_at),
        "id": row.pk,
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
