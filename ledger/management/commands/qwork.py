"""One cluster of workers for one queue; started by `manage.py up`. The queue's name comes in Q_CLUSTER_NAME."""

import os
from typing import Any

from django_q.management.commands.qcluster import Command as ClusterCommand

from ledger.management.supervisor import die_with_parent
from ledger.services.job_registry import HEAVY

HEAVY_NICENESS = 5  # pages and searches come first when both want the processor


class Command(ClusterCommand):  # type: ignore[misc]  # django-q2 has no types
    help = "Run the workers of one queue."

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get("Q_CLUSTER_NAME") == HEAVY:
            os.nice(HEAVY_NICENESS)
        # The cluster forks a guard, the guard forks workers: none may outlive the one above it.
        os.register_at_fork(after_in_child=die_with_parent)
        super().handle(*args, **options)
