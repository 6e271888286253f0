"""Headers that neither Django nor its CSP package sends: who may embed what we answer, and which powers pages give up."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# No page of ours is an image, a script or a frame of somebody else's page.
RESOURCE_POLICY = "same-origin"
PERMISSIONS = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")


class HeadersMiddleware:
    """First in the list, so that errors and redirects of all the others carry the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Resource-Policy", RESOURCE_POLICY)
        response.headers.setdefault("Permissions-Policy", ", ".join(f"{name}=()" for name in PERMISSIONS))
        return response
