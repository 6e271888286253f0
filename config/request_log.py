"""A number for each request, on every line of the log that belongs to it and in the answer, and one line when it ends."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import empty

logger = logging.getLogger("originmark.request")

HEADER = "X-Request-Id"
NUMBER = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestLogMiddleware:
    """First of all, so that what others refuse has a number too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        number = request_number(request)
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(request=number):
            response = self.get_response(request)
            response[HEADER] = number
            logger.info("request", extra={"fields": _facts(request, response, started)})
        return response


def request_number(request: HttpRequest) -> str:
    """The number given by the proxy in front, which only a public site has; otherwise one of our own."""
    given = request.headers.get(HEADER, "")
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT > 0
    return given if trusted and NUMBER.fullmatch(given) else uuid.uuid4().hex


def _facts(request: HttpRequest, response: HttpResponseBase, started: float) -> dict[str, Any]:
    """Who did what to whose things, by numbers: no path, no query, no header, no address."""
    match = request.resolver_match
    user, desk = _known(request, "user"), _known(request, "desk")
    seller = desk.seller if desk is not None else None
    return {
        "method": request.method if request.method in METHODS else "other",
        "route": match.route if match else None,
        "view": match.view_name if match else None,
        "status": response.status_code,
        "ms": round((time.monotonic() - started) * 1000, 1),
        "actor": user.pk if user is not None else None,
        "seller": seller.pk if seller is not None else None,
    }


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _known(request: HttpRequest, name: str) -> Any:
    """What the view looked up already; a log line is no reason for a query."""
    lazy = getattr(request, name, None)
    found = getattr(lazy, "_wrapped", lazy)
    return None if found is empty else found
