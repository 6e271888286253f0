"""How django-allauth behaves here: nobody signs up, people come by invitation."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.mail import EmailMessage
from django.http import HttpRequest

logger = logging.getLogger(__name__)


class InvitationOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Closes the sign-up page and keeps every link on the site's own address."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """There is no user name: the e-mail address is the name people sign in with."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """An unreachable mail server must neither break the page nor tell strangers which addresses exist."""
        message: EmailMessage = self.render_mail(template_prefix, email, context)
        try:
            message.send()
        except OSError:  # every SMTPException is one
            logger.exception("the mail server did not accept a message")
