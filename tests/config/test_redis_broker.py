"""Redis Streams as a queue, against a real Redis at 127.0.0.1:6379; every test has streams of its own there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.utils import timezone
from django_q.conf import Conf
from django_q.signing import SignedPackage

from config import redis_broker
from config.queue import queue_settings
from config.redis_broker import StreamBroker
from ledger.models import Job, JobState
from ledger.services import jobs
from ledger.services.jobs import enqueue_job, requeue_job, run_job, sweep_jobs

URL = os.environ.get("ORIGINMARK_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
NOWHERE = "redis://127.0.0.1:9/0"
KIND = "gallery.update"  # any kind of the fast queue


@pytest.fixture
def server() -> redis.Redis:
    connection = redis.Redis.from_url(URL)
    try:
        connection.ping()
    except redis.ConnectionError:
        message = f"no Redis answers at {URL}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return connection


@pytest.fixture
def stream(server, settings, monkeypatch) -> Iterator[str]:
    """The product's settings for Redis, under a prefix of this test."""
    settings.Q_CLUSTER = queue_settings(URL, secrets.token_hex())
    monkeypatch.setattr(Conf, "PREFIX", settings.Q_CLUSTER["name"])
    monkeypatch.setattr(Conf, "REDIS", URL)
    monkeypatch.setattr(Conf, "BROKER_CLASS", "config.redis_broker.StreamBroker")
    monkeypatch.setattr(Conf, "BULK", 2)
    monkeypatch.setattr(redis_broker, "BLOCK_MS", 20)
    monkeypatch.setattr(redis_broker, "AWAY_S", 0.0)
    yield f"{Conf.PREFIX}:fast"
    server.delete(f"{Conf.PREFIX}:fast", f"{Conf.PREFIX}:heavy")


@pytest.fixture
def broker(stream) -> StreamBroker:
    made = StreamBroker("fast")
    made.dequeue()  # the first look makes the group
    return made


@pytest.fixture
def add(stream, seller, django_capture_on_commit_callbacks):
    def add(**options) -> Job:
        with django_capture_on_commit_callbacks(execute=True):
            return enqueue_job(kind=KIND, args={"image_ids": []}, seller=seller, actor=None, **options)

    return add


def drop_connections(broker: StreamBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "REDIS", NOWHERE)
    broker.connection = broker.get_connection()


def age(row: Job, seconds: float = 60) -> None:
    Job.objects.filter(pk=row.pk).update(enqueued_at=timezone.now() - timedelta(seconds=seconds))


def fetched_jobs(broker: StreamBroker) -> list[int]:
    return [SignedPackage.loads(message)["args"][0] for _entry, message in broker.dequeue()]


# The stream -----------------------------------------------------------------------------------------------------


def test_messages_come_in_order_and_once(broker):
    for text in ("first", "second", "third"):
        broker.enqueue(text)
    assert [text for _entry, text in broker.dequeue()] == ["first", "second"]
    assert [text for _entry, text in broker.dequeue()] == ["third"]
    assert broker.dequeue() == []


def test_what_was_sent_before_anybody_listened_is_not_lost(stream):
    StreamBroker("fast").enqueue("early")
    late = StreamBroker("fast")
    late.dequeue()
    assert [text for _entry, text in late.dequeue()] == ["early"]


def test_what_a_dead_cluster_fetched_is_taken_over(broker, monkeypatch):
    monkeypatch.setattr(redis_broker, "TAKE_OVER_AFTER_MS", 0)
    broker.enqueue("lost")
    broker.fetch()
    assert [text for _entry, text in StreamBroker("fast").dequeue()] == ["lost"]


def test_what_is_at_work_is_not_taken_over_at_once(broker):
    broker.enqueue("at work")
    broker.dequeue()
    assert StreamBroker("fast").dequeue() == []
    assert broker.lock_size() == 1


def test_what_was_acknowledged_is_gone(broker, monkeypatch):
    monkeypatch.setattr(redis_broker, "TAKE_OVER_AFTER_MS", 0)
    broker.enqueue("done")
    broker.acknowledge(broker.dequeue()[0][0])
    assert broker.dequeue() == []
    assert (broker.queue_size(), broker.lock_size()) == (0, 0)


def test_a_redis_that_lost_its_memory_is_used_again(broker, server):
    server.delete(broker.stream)
    assert broker.dequeue() == []
    broker.enqueue("again")
    assert [text for _entry, text in broker.dequeue()] == ["again"]


def test_two_sites_on_one_redis_do_not_see_each_others_messages(broker, monkeypatch):
    monkeypatch.setattr(Conf, "PREFIX", queue_settings(URL, "another secret")["name"])
    other = StreamBroker("fast")
    broker.enqueue("ours")
    other.dequeue()
    assert other.dequeue() == []
    other.delete_queue()


def test_the_streams_name_does_not_tell_the_secret():
    assert "a secret" not in queue_settings(URL, "a secret")["name"]


def test_a_redis_that_is_away_ends_no_process(broker, monkeypatch):
    drop_connections(broker, monkeypatch)
    assert broker.dequeue() == []
    broker.acknowledge("1-0")


def test_the_oldest_message_nobody_fetched_tells_since_when(broker):
    assert broker.unfetched_since() is None
    before = timezone.now()
    for text in ("first", "second", "third"):
        broker.enqueue(text)
    assert before - timedelta(seconds=1) <= broker.unfetched_since() <= timezone.now()
    broker.dequeue()
    broker.dequeue()
    assert broker.unfetched_since() is None


def test_without_a_stream_nothing_is_unfetched(stream):
    assert StreamBroker("fast").unfetched_since() is None


# Jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_is_sent_after_its_commit(broker, seller, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        row = enqueue_job(kind=KIND, args={"image_ids": []}, seller=seller, actor=None)
    assert broker.queue_size() == 0
    for callback in callbacks:
        callback()
    assert fetched_jobs(broker) == [row.pk]


def test_a_job_started_again_is_sent_again(broker, add, django_capture_on_commit_callbacks):
    row = add()
    fetched_jobs(broker)
    Job.objects.filter(pk=row.pk).update(state=JobState.DEAD)
    with django_capture_on_commit_callbacks(execute=True):
        requeue_job(actor=None, job=Job.objects.get(pk=row.pk))
    assert fetched_jobs(broker) == [row.pk]


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_is_away_stops_no_registration(broker, seller, monkeypatch):
    monkeypatch.setattr(Conf, "REDIS", NOWHERE)
    row = enqueue_job(kind=KIND, args={"image_ids": []}, seller=seller, actor=None)
    monkeypatch.setattr(Conf, "REDIS", URL)
    age(row)
    assert sweep_jobs().resent == 1
    assert fetched_jobs(broker) == [row.pk]


def test_what_redis_forgot_is_sent_again_once(broker, add, server):
    row = add()
    server.delete(broker.stream)
    age(row)
    assert (sweep_jobs().resent, sweep_jobs().resent) == (1, 0)
    broker.dequeue()
    assert fetched_jobs(broker) == [row.pk]


def test_what_still_waits_in_the_stream_is_not_sent_again(broker, add, monkeypatch):
    """Its message may be an hour old when there is much to do."""
    an_hour = timedelta(hours=1)
    monkeypatch.setattr("config.redis_broker.time.time", lambda: (timezone.now() - an_hour).timestamp())
    row = add()
    age(row, an_hour.total_seconds())
    assert sweep_jobs().resent == 0


def test_a_job_tried_again_does_not_wait_for_the_stream_to_be_empty(broker, add):
    """Its message was acknowledged by the attempt that failed, and others were sent since."""
    row = add()
    ((entry, _message),) = broker.dequeue()
    broker.acknowledge(entry)
    age(row)
    add()
    assert sweep_jobs().resent == 1
    assert row.pk in fetched_jobs(broker)


def test_a_message_that_came_twice_runs_once(broker, add):
    row = add()
    jobs._push(row)
    delivered = fetched_jobs(broker)
    for job_id in delivered:
        run_job(job_id)
    assert delivered == [row.pk, row.pk]
    assert Job.objects.get(pk=row.pk).attempts == 1


def test_a_job_of_a_kind_not_known_here_is_sent_all_the_same(broker, add, server):
    row = add()
    server.delete(broker.stream)
    age(row)
    Job.objects.filter(pk=row.pk).update(kind="test.newer")
    assert sweep_jobs().resent == 1
