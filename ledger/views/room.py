"""No room is answered with 507 and a name: before an upload is read, and wherever a service finds out later."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from ledger.error_texts import error_text
from ledger.services.room import NoRoomError, require_disk
from ledger.views.api_common import problem

STATUS = 507  # Insufficient Storage, RFC 4918
API = "/api/"


class RoomMiddleware:
    """Asks about the disk before a body with files is read, so that a refused upload is not even spooled."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in ("POST", "PUT", "PATCH") and request.content_type == "multipart/form-data":
            try:
                require_disk(announced_bytes(request))
            except NoRoomError as error:
                return refuse(request, error)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refuse(request, exception) if isinstance(exception, NoRoomError) else None


def announced_bytes(request: HttpRequest) -> int:
    """What Content-Length says; a hint, and the reserve is there for those who lie."""
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def refuse(request: HttpRequest, error: NoRoomError) -> HttpResponse:
    """The refusal as a page, or as JSON for programs and for the page's own script."""
    if request.path.startswith(API):
        return problem(error.code, STATUS)
    text = error_text(error.code)
    if request.accepts("application/json") and not request.accepts("text/html"):
        line = {
            "file": "",
            "status": "rejected",
            "code": error.code,
            "message": f"{text.title} {text.advice}",
            "url": "",
        }
        return JsonResponse({"results": [line]}, status=STATUS)
    return render(request, "ledger/no_room.html", {"text": text}, status=STATUS)
