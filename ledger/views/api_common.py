"""What every API view shares: the bearer token, its scope, JSON answers and named errors.

A session cookie counts for nothing here, so nothing here can be forged by another site. The token's person and rights are read
from the database on every request; a foreign object is answered exactly like a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from ledger.accounts.models import ApiToken, User
from ledger.accounts.numbers import parse_number
from ledger.accounts.sign_ins import address_of
from ledger.accounts.tokens import find_token, may
from ledger.error_texts import error_text
from ledger.services.access_log import record_access
from ledger.services.evidence import ErasedError
from ledger.views.common import TROUBLE

MAX_REQUEST_ID = 64
ApiView = Callable[..., HttpResponseBase]


class ApiError(Exception):
    """A refusal by name; status is the HTTP status it is answered with."""

    def __init__(self, code: str, status: int = 400, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.status, self.detail = code, status, detail


def problem(code: str, status: int, detail: str = "") -> JsonResponse:
    """An error as JSON: its stable code, what happened, what to do."""
    text = error_text(code)
    error = {"code": code, "message": str(text.title), "advice": str(text.advice)}
    return JsonResponse({"error": error | ({"detail": detail} if detail else {})}, status=status)


def api(scopes: Mapping[str, str]) -> Callable[[ApiView], ApiView]:
    """Let programs call a view: scopes maps each method that it answers to the scope the token must have."""

    def decorate(view: ApiView) -> ApiView:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                request.token = _authenticate(request, scopes)  # type: ignore[attr-defined]
                return view(request, *args, **kwargs)
            except ApiError as error:
                return _refuse(error, scopes)
            except Http404:
                return problem("not_found", 404)
            except PermissionDenied:
                return problem("api_forbidden", 403)
            except TROUBLE as error:
                return problem(error.code, 410 if isinstance(error, ErasedError) else 503)

        return login_not_required(csrf_exempt(never_cache(guarded)))

    return decorate


def _authenticate(request: HttpRequest, scopes: Mapping[str, str]) -> ApiToken:
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    token = find_token(secret.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise ApiError("api_unauthorized", 401)
    method = "GET" if request.method == "HEAD" else request.method or ""
    if method not in scopes:
        raise ApiError("api_method", 405)
    if scopes[method] not in token.scopes:
        raise ApiError("api_scope", 403)
    if not may(token, scopes[method]):
        raise PermissionDenied
    return token


def _refuse(error: ApiError, scopes: Mapping[str, str]) -> HttpResponse:
    response = problem(error.code, error.status, error.detail)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Originmark"'
    if error.status == 405:
        response["Allow"] = ", ".join(scopes)
    return response


def token_of(request: HttpRequest) -> ApiToken:
    token: ApiToken = request.token  # type: ignore[attr-defined]
    return token


def person_of(request: HttpRequest) -> User:
    """As whom the token acts; views under @api always have one."""
    person = token_of(request).created_by
    assert person is not None  # noqa: S101 - find_token() found one
    return person


def find_in(queryset: Any, request: HttpRequest, number: str) -> Any:
    """The object of that number in the token's seller, or 404."""
    parsed = parse_number(number)
    found = queryset.of(token_of(request).seller).filter(number=parsed).first() if parsed else None
    if found is None:
        raise Http404
    return found


def request_id_of(request: HttpRequest) -> str:
    """The Idempotency-Key header: sending the same request again gives the first answer."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_REQUEST_ID or not key.isascii() or not key.isprintable():
        raise ApiError("api_request_id")
    return f"api-{key}" if key else ""


def note_api_access(request: HttpRequest, kind: str, number: str) -> None:
    """Write into the seller's access log what the token took away."""
    token = token_of(request)
    record_access(
        actor=token.created_by,
        seller=token.seller,
        kind=kind,
        number=number,
        token=token.number,
        address=address_of(request),
    )


def form_problem(errors: Any) -> ApiError:
    """Fields a form refused, by name and code."""
    fields = [f"{name}: {error.code}" for name, found in errors.as_data().items() for error in found]
    return ApiError("form_invalid", 400, "; ".join(fields) or _("unknown"))
