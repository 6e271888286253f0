"""The accounts app: people, sellers and what each person may do."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out


class AccountsConfig(AppConfig):
    name = "ledger.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Keep the list of sessions with what Django says about them."""
        user_logged_in.connect(_signed_in)
        user_logged_out.connect(_signed_out)


def _signed_in(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    from ledger.accounts.sign_ins import note_sign_in

    note_sign_in(request, user)


def _signed_out(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    from ledger.accounts.sign_ins import forget_session

    forget_session(request.session.session_key)
