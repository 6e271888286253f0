"""The queue's settings: which broker, and limits that fit each other."""

from __future__ import annotations

import pytest
from django.utils.module_loading import import_string

from config.queue import TIMEOUT_S, queue_settings
from ledger.services.job_registry import JOB_KINDS, MAX_TIMEOUT_S


@pytest.mark.parametrize(
    ("url", "broker"),
    [("", "config.job_broker.JobBroker"), ("redis://h/0", "config.redis_broker.StreamBroker")],
)
def test_redis_is_used_when_it_is_named(url, broker):
    found = queue_settings(url, "secret")
    assert found["broker_class"] == broker
    assert callable(import_string(broker))


def test_every_kind_may_take_less_time_than_the_queue_allows():
    assert MAX_TIMEOUT_S < TIMEOUT_S < queue_settings("", "secret")["retry"]
    assert all(kind.timeout_s <= MAX_TIMEOUT_S for kind in JOB_KINDS.values())


def test_no_results_are_kept_twice():
    assert queue_settings("", "secret")["save_limit"] == -1
