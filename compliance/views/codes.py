"""Explanations of error codes, found by the code or a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from compliance.services.code_search import CodeExplanation, find_codes
from compliance.views.check_rows import FIX_HINTS, FIX_LABELS
from ledger.accounts.permissions import Permission
from ledger.views.common import needs, text_parameter

MAX_QUERY = 60


@needs(Permission.VIEW)
@require_safe
def codes(request: HttpRequest) -> HttpResponse:
    """The box, and what every code that contains the text means."""
    text = text_parameter(request, "q")[:MAX_QUERY]
    return render(request, "compliance/codes.html", {"q": text, "rows": code_rows(find_codes(text))})


def code_rows(codes: Sequence[CodeExplanation]) -> list[dict[str, Any]]:
    """The explanations with the words of their repairs, as code_list.html takes them."""
    return [
        {
            "code": each,
            "fix_label": FIX_LABELS[each.fix] if each.fix else "",
            "fix_hint": FIX_HINTS[each.fix] if each.fix else "",
        }
        for each in codes
    ]
