"""The web server's settings, for `manage.py up` and for `gunicorn -c python:config.gunicorn config.wsgi` alone.

ORIGINMARK_BIND counts only for the latter: `up` opens the socket itself.
"""

import os
from typing import Any

from django.conf import settings

from ledger.management.supervisor import die_with_parent

bind = os.environ.get("ORIGINMARK_BIND", "127.0.0.1:8000")
workers = max(1, min(os.cpu_count() or 1, 4))
threads = 8
worker_class = "gthread"
preload_app = True  # one import for all workers; nothing in it opens a connection
timeout = 120  # a 512 MiB archive on a slow line takes long, and threads do not block one another
graceful_timeout = 4  # `up` waits for 5 s before it kills
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
errorlog = "-"
accesslog = None
loglevel = "warning"
control_socket_disable = True
# Its own messages look like everybody's.
_own = {"handlers": ["stderr"], "level": "WARNING", "propagate": False}
logconfig_dict = settings.LOGGING | {
    "loggers": settings.LOGGING["loggers"] | {"gunicorn.error": _own, "gunicorn.access": _own}
}


def post_fork(server: Any, worker: Any) -> None:
    """A killed master must not leave workers that hold the port."""
    die_with_parent()
