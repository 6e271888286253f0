"""django-q2 broker on Redis Streams: at least once, also when a worker, a cluster or the machine dies.

The stock Redis broker pops a task and forgets it. Here an entry stays pending until it is acknowledged, and any
cluster takes over what stays pending for too long. A job that is still running is then delivered twice on purpose: its
row is taken, so the second delivery does nothing. A Redis that is away stops no process: jobs wait in their table, and
what could not be sent is sent by the sweep. Needs Redis 6.2.
"""

import logging
import os
import socket
import time
from datetime import UTC, datetime
from typing import Any

import redis
from django_q.brokers import Broker
from django_q.conf import Conf

logger = logging.getLogger(__name__)

GROUP = "workers"
TAKE_OVER_AFTER_MS = 10_000
BLOCK_MS = 1000
AWAY_S = 1.0  # how long to wait when Redis cannot be reached
TIMEOUT_S = 5.0  # a web request must not hang for longer on a Redis that does not answer

Entries = list[tuple[bytes, dict[bytes, bytes]]]


class StreamBroker(Broker):  # type: ignore[misc]  # django-q2 has no types
    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self.stream = f"{Conf.PREFIX}:{self.list_key}"

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self.stream = f"{Conf.PREFIX}:{self.list_key}"

    @staticmethod
    def get_connection(list_key: str | None = None) -> "redis.Redis":
        return redis.Redis.from_url(Conf.REDIS, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    def enqueue(self, task: str) -> str:
        return str(self.connection.xadd(self.stream, {"task": task, "sent_at": repr(time.time())}).decode())

    def dequeue(self) -> list[tuple[str, str]]:
        try:
            return self.fetch()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            logger.warning("%s: Redis cannot be reached: %s", self.list_key, error)
            time.sleep(AWAY_S)
        except redis.ResponseError as refusal:
            if not str(refusal).startswith("NOGROUP"):
                raise
            self.make_group()  # the first time, or Redis lost its memory
        return []

    def fetch(self) -> list[tuple[str, str]]:
        """What others left unfinished for too long, else what is new; waits for it up to BLOCK_MS."""
        consumer = f"{socket.gethostname()}:{os.getpid()}"
        abandoned = self.connection.xautoclaim(
            self.stream, GROUP, consumer, min_idle_time=TAKE_OVER_AFTER_MS, count=Conf.BULK
        )[1]
        if abandoned:
            return messages(abandoned)
        fresh = self.connection.xreadgroup(GROUP, consumer, {self.stream: ">"}, count=Conf.BULK, block=BLOCK_MS)
        return messages(fresh[0][1]) if fresh else []

    def make_group(self) -> None:
        try:
            self.connection.xgroup_create(self.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as refusal:
            if not str(refusal).startswith("BUSYGROUP"):  # it exists: what we wanted
                raise

    def unfetched_since(self) -> datetime | None:
        """When the oldest entry was sent that no cluster has fetched yet; None when all have been fetched."""
        try:
            groups = self.connection.xinfo_groups(self.stream)
        except redis.ResponseError:  # no such stream
            groups = []
        fetched = groups[0]["last-delivered-id"].decode() if groups else "0-0"
        oldest = self.connection.xrange(self.stream, min=f"({fetched}", count=1)
        return datetime.fromtimestamp(float(oldest[0][1][b"sent_at"]), UTC) if oldest else None

    def acknowledge(self, task_id: str) -> None:
        try:
            self.connection.pipeline().xack(self.stream, GROUP, task_id).xdel(self.stream, task_id).execute()
        except (redis.ConnectionError, redis.TimeoutError):  # it comes once more, and finds the job ended
            logger.warning("%s: Redis cannot be reached; %s stays unacknowledged", self.list_key, task_id)

    delete = fail = acknowledge

    def queue_size(self) -> int:
        return int(self.connection.xlen(self.stream))

    def lock_size(self) -> int:
        self.make_group()
        return int(self.connection.xpending(self.stream, GROUP)["pending"])

    def delete_queue(self) -> None:
        self.connection.delete(self.stream)

    purge_queue = delete_queue

    def ping(self) -> bool:
        return bool(self.connection.ping())

    def info(self) -> str:
        return "Redis Streams"


def messages(entries: Entries) -> list[tuple[str, str]]:
    return [(entry_id.decode(), fields[b"task"].decode()) for entry_id, fields in entries if fields]
