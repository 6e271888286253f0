"""The workers of one queue without the rest of `manage.py up`, for machines that only work."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management import BaseCommand

from ledger.management.cluster import run_cluster
from ledger.management.supervisor import die_with_parent
from ledger.services.job_registry import QUEUES


class Command(BaseCommand):
    help = "Run the workers of one queue."
    # As in `up`: what the database promises is checked, advice about the site is not repeated by every worker.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("queue", choices=QUEUES)
        parser.add_argument("--workers", type=int, default=settings.Q_CLUSTER["workers"])

    def handle(self, *args: Any, queue: str, workers: int, **options: Any) -> None:
        self.check(tags=[Tags.database], databases=["default"])
        # The cluster forks a guard, the guard forks workers: none may outlive the one above it.
        os.register_at_fork(after_in_child=die_with_parent)
        run_cluster(queue, workers)
