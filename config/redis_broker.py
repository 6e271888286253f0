"""django-q2 broker on Redis Streams: at least once, also when a worker, a cluster or the machine dies.

The stock Redis broker pops a task and forgets it. Here an entry stays pending until it is acknowledged, and any
cluster takes over what stays pending for too long. A job that is still running is then delivered twice on purpose: its
row is taken, so the second delivery does nothing. Needs Redis 6.2.
"""

import os
import socket

import redis
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf

GROUP = "workers"
TAKE_OVER_AFTER_MS = 10_000
BLOCK_MS = 1000


class StreamBroker(Redis):  # type: ignore[misc]  # django-q2 has no types
    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self.has_group = False

    def enqueue(self, task: str) -> str:
        return str(self.connection.xadd(self.list_key, {"task": task}).decode())

    def dequeue(self) -> list[tuple[str, str]]:
        self.make_group()
        consumer = f"{socket.gethostname()}:{os.getpid()}"
        place = {"name": self.list_key, "groupname": GROUP, "consumername": consumer}
        abandoned = self.connection.xautoclaim(**place, min_idle_time=TAKE_OVER_AFTER_MS, count=Conf.BULK)[1]
        if abandoned:
            return self.messages(abandoned)
        fresh = self.connection.xreadgroup(GROUP, consumer, {self.list_key: ">"}, count=Conf.BULK, block=BLOCK_MS)
        return self.messages(fresh[0][1]) if fresh else []

    def make_group(self) -> None:
        if self.has_group:
            return
        try:
            self.connection.xgroup_create(self.list_key, GROUP, id="0", mkstream=True)
        except redis.ResponseError as refusal:
            if "BUSYGROUP" not in str(refusal):  # it exists: what we wanted
                raise
        self.has_group = True

    @staticmethod
    def messages(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[tuple[str, str]]:
        return [(entry_id.decode(), fields[b"task"].decode()) for entry_id, fields in entries if fields]

    def acknowledge(self, task_id: str) -> None:
        pipeline = self.connection.pipeline()
        pipeline.xack(self.list_key, GROUP, task_id).xdel(self.list_key, task_id).execute()

    delete = fail = acknowledge

    def queue_size(self) -> int:
        return int(self.connection.xlen(self.list_key))

    def lock_size(self) -> int:
        self.make_group()
        return int(self.connection.xpending(self.list_key, GROUP)["pending"])

    def purge_queue(self) -> None:
        self.has_group = False
        self.connection.delete(self.list_key)

    delete_queue = purge_queue
