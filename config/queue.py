"""Settings of django-q2: how jobs reach the workers (docs/adr/0010-jobs.md).

The Job row is the truth. Without Redis the table itself is the queue; with Redis the job ids travel through a stream.
Both deliver at least once, and a second delivery finds the row taken.
"""

import hashlib
import os
from importlib.util import find_spec
from typing import Any

from config.env import SettingError

# The longest a worker may hold one job; a kind may ask for less. Deliveries are repeated later than that.
TIMEOUT_S = 600


def queue_settings(redis_url: str, secret_key: str) -> dict[str, Any]:
    """Q_CLUSTER for the table (empty URL) or for Redis Streams.

    Messages are signed with the secret; two sites on one Redis have two secrets, so the names of their streams differ.
    """
    workers = max(1, min(os.cpu_count() or 1, 8))
    shared = {
        "name": f"originmark-{hashlib.sha256(b'queue ' + secret_key.encode()).hexdigest()[:12]}",
        # django-q2 keeps no results: the default of 250 kept ones costs 5.6-8x throughput, and Job keeps them.
        "save_limit": -1,
        "ack_failures": True,
        "max_attempts": 3,
        "timeout": TIMEOUT_S,
        "retry": TIMEOUT_S + 60,
        "catch_up": False,
        "scheduler": False,  # the clock of `manage.py up` does what is due
        "workers": workers,
        "queue_limit": workers,  # fetched ahead; more would only wait in the wrong place
        "bulk": workers,
        "poll": 0.2,
        "recycle": 200,  # jobs per worker process, against memory that native libraries never give back
        "cache": "none",  # no such cache: the cluster's own statistics are not kept
        "log_level": "WARNING",
    }
    if redis_url:
        _require_redis(redis_url)
        return {**shared, "broker_class": "config.redis_broker.StreamBroker", "redis": redis_url}
    return {**shared, "broker_class": "config.job_broker.JobBroker"}


def _require_redis(url: str) -> None:
    """Say at the start what would otherwise break the first request that adds a job."""
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingError("ORIGINMARK_REDIS_URL", "must start with redis://, rediss:// or unix://")
    if find_spec("redis") is None:
        raise SettingError("ORIGINMARK_REDIS_URL", "needs the Python package redis, which is not installed")
