"""The compliance app: copy search, hidden-image checks, catalogues."""

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register jobs and listen to the ledger's news; both only add to registries."""
        from compliance import receivers, tasks  # noqa: F401, PLC0415
