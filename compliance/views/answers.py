"""The seller's answers to a check's questions, and another check of the same pair."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from compliance.checks.answers import open_questions
from compliance.checks.errors import ProfileUnknown
from compliance.checks.report import parse_report
from compliance.models import CheckRun, RunState
from compliance.services.answers import ANSWERS, NoQuestionError, answer_questions, by_number, withdraw_answers
from compliance.services.checks import start_check
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.views.common import find_or_404, needs

RELATED = ("seller", "original", "main_image", "hidden_image")
WITHDRAW = "withdraw"


@needs(Permission.CHECK)
@require_POST
def check_answer(request: HttpRequest, number: str) -> HttpResponse:
    """One answer, the same answer to every open question, or one taken back."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related(*RELATED), number)
    answer, finding = request.POST.get("answer", ""), request.POST.get("finding", "")
    try:
        numbers = _numbers(run, finding)
        if answer == WITHDRAW:
            withdraw_answers(actor=request.user, run=run, numbers=numbers)  # type: ignore[arg-type]
        elif answer in ANSWERS:
            answer_questions(actor=request.user, run=run, numbers=numbers, answer=answer)  # type: ignore[arg-type]
        else:
            raise NoQuestionError
    except NoQuestionError as error:
        text = error_text(error.code)
        messages.error(request, f"{text.title} {text.advice}")
    place = f"#finding-{int(finding)}" if finding.isdecimal() and len(finding) < 4 else ""
    return redirect(reverse("compliance:check", args=[run.number]) + place)


def _numbers(run: CheckRun, finding: str) -> list[int]:
    """The finding that was named, or every question that nobody has answered."""
    if run.state != RunState.DONE:
        raise NoQuestionError
    if finding == "all":
        answered = by_number(run.answers)
        return [number for number in open_questions(parse_report(run.report)) if number not in answered]
    if not (finding.isascii() and finding.isdecimal() and len(finding) < 4):
        raise NoQuestionError
    return [int(finding)]


@needs(Permission.CHECK)
@require_POST
def check_again(request: HttpRequest, number: str) -> HttpResponse:
    """The same two files against the rules as they are now: a check of its own."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related(*RELATED), number)
    try:
        again = start_check(
            actor=request.user,  # type: ignore[arg-type]
            seller=run.seller,
            main=run.main_image,
            hidden=run.hidden_image,
            category=run.category,
            profile_id=run.profile_id,
            sku=run.sku,
            request_id=request.POST.get("request_id", "")[:80],
        )
    except ProfileUnknown as error:
        text = error_text(error.code)
        messages.error(request, f"{text.title} {text.advice}")
        return redirect("compliance:check", number=run.number)
    return redirect("compliance:check", number=again.number)
