"""The queue's settings: which broker, and limits that fit each other."""

from __future__ import annotations

import pytest
from django.utils.module_loading import import_string

from config.env import SettingError
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


def test_a_malformed_address_stops_the_start_and_keeps_the_password():
    with pytest.raises(SettingError, match="must start with redis://") as stopped:
        queue_settings("http://:hush@h/0", "secret")
    assert "hush" not in str(stopped.value)


def test_a_missing_package_stops_the_start(monkeypatch):
    monkeypatch.setattr("config.queue.find_spec", lambda name: None)
    with pytest.raises(SettingError, match="needs the Python package redis"):
        queue_settings("redis://h/0", "secret")
