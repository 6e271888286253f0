"""Figures for monitoring: right, readable by Prometheus, and given to nobody else."""

from __future__ import annotations

import re

import pytest

from ledger.services.jobs import enqueue_job
from ledger.services.log import seal
from tests.factories import register_one

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

LINE = re.compile(r'originmark_[a-z_]+(\{[a-z]+="[a-z]+"(,[a-z]+="[a-z]+")*\})? [0-9.e+-]+')


def figures(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.fixture(autouse=True)
def _data(settings) -> None:
    settings.DATA_DIR.mkdir(exist_ok=True)


def test_figures_are_those_of_the_site(client_of, seller):
    register_one(seller)
    seal()
    enqueue_job(kind="pictures.analyse", args={"image_ids": []}, seller=seller, actor=None)
    answer = client_of().get("/metrics")
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = figures(answer.content.decode())
    assert found["originmark_log_entries"] == found["originmark_log_entries_signed"] == 1
    assert found['originmark_jobs{queue="heavy",state="queued"}'] == 2
    assert found['originmark_process_alive{process="clock"}'] == 0
    assert found["originmark_disk_free_bytes"] > 0


def test_every_figure_has_one_type_line(client_of):
    text = client_of().get("/metrics").content.decode()
    types = re.findall(r"^# TYPE (\S+) gauge$", text, re.M)
    assert len(types) == len(set(types)) >= 8


def test_with_a_token_only_its_holder_is_answered(client_of, settings):
    settings.METRICS_TOKEN = "long-and-random"
    assert client_of().get("/metrics").status_code == 404
    assert client_of().get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
    assert client_of().get("/metrics", headers={"authorization": "Bearer long-and-random"}).status_code == 200


def test_other_machines_are_told_that_there_is_nothing(client_of):
    assert client_of().get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 404


def test_a_public_site_without_a_token_gives_nothing_even_to_its_proxy(client_of, settings):
    settings.IS_PUBLIC = True
    assert client_of().get("/metrics").status_code == 404
