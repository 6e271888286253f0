"""The compliance app: copy search, hidden-image checks, catalogues."""

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register jobs and texts of codes, listen to the ledger's news; all only add to registries."""
        from compliance import error_texts, receivers, tasks  # noqa: F401
