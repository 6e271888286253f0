"""How django-allauth behaves here: nobody signs up, people come by invitation."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpRequest


class InvitationOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Closes the sign-up page and keeps every link on the site's own address."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """There is no user name: the e-mail address is the name people sign in with."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        message: EmailMessage = self.render_mail(template_prefix, email, context)
        message.send(fail_silently=not settings.EMAIL_URL)
