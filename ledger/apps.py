"""The ledger app: originals, the log, evidence, jobs."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register jobs and start-up checks; both only add to registries."""
        from ledger import system_checks, tasks  # noqa: F401
