"""The accounts app: people, sellers and what each person may do."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ledger.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
