"""Background jobs on a page: what runs, what gave up, starting and stopping it."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from ledger.models import Job, JobState

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

LIST = "/jobs/"


@pytest.fixture
def dead(seller) -> Job:
    return make(seller, JobState.DEAD, error_code="job.worker_died", attempts=3, finished_at=timezone.now())


def make(seller, state: str, **fields) -> Job:
    return Job.objects.create(
        seller=seller, kind="pictures.analyse", args={"image_ids": []}, **{"state": state, **fields}
    )


def url(job: Job, action: str = "") -> str:
    return f"{LIST}{job.public_id}/{action}"


# Who --------------------------------------------------------------------------------------------------------------


def test_strangers_are_sent_to_sign_in(client_of, dead):
    for path in (LIST, url(dead)):
        assert client_of().get(path).headers["Location"].startswith("/accounts/login/")
    for action in ("again/", "cancel/"):
        assert client_of().post(url(dead, action)).headers["Location"].startswith("/accounts/login/")


def test_other_sellers_jobs_are_not_there(client_of, dead, mallory):
    client = client_of(mallory)
    assert str(dead.public_id) not in client.get(LIST).content.decode()
    assert client.get(url(dead)).status_code == 404
    for action in ("again/", "cancel/"):
        assert client.post(url(dead, action)).status_code == 404
    dead.refresh_from_db()
    assert dead.state == JobState.DEAD


def test_jobs_of_the_machine_are_not_there(client_of, alice):
    machine = make(None, JobState.DEAD)
    assert client_of(alice).get(url(machine)).status_code == 404
    assert client_of(alice).get(f"{LIST}{uuid.uuid4()}/").status_code == 404


def test_viewers_look_and_do_not_touch(client_of, dead, bob):
    client = client_of(bob)
    assert client.get(LIST).status_code == 200
    page = client.get(url(dead)).content.decode()
    assert "again/" not in page
    for action in ("again/", "cancel/"):
        assert client.post(url(dead, action)).status_code == 403


def test_acting_needs_a_post(client_of, dead, alice):
    client = client_of(alice)
    assert client.post(LIST).status_code == 405
    assert client.post(url(dead)).status_code == 405
    for action in ("again/", "cancel/"):
        assert client.get(url(dead, action)).status_code == 405


# What they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", JobState.values)
def test_every_state_has_a_page_and_a_line(client_of, seller, bob, state):
    job = make(seller, state, progress_done=3, progress_total=10)
    client = client_of(bob)
    assert "3 / 10" in client.get(url(job)).content.decode()
    assert str(job.public_id) in client.get(LIST).content.decode()


def test_why_a_job_gave_up_is_in_words(client_of, dead, bob):
    page = client_of(bob).get(url(dead)).content.decode()
    assert "The work was interrupted too many times." in page
    assert "job.worker_died" in page


def test_an_unknown_code_is_still_shown(client_of, seller, bob):
    job = make(seller, JobState.FAILED, error_code="something.new")
    assert "something.new" in client_of(bob).get(url(job)).content.decode()


def test_the_error_of_an_attempt_that_will_be_repeated_is_no_answer_yet(client_of, seller, bob):
    job = make(seller, JobState.QUEUED, error_code="job.unexpected", attempts=1)
    assert "job.unexpected" not in client_of(bob).get(url(job)).content.decode()


def test_refused_files_of_an_archive_are_named(client_of, seller, bob):
    result = {
        "counts": {"registered": 2, "rejected": 1},
        "failures": [{"file": "a/<b>.jpg", "code": "zip_member_damaged", "detail": ""}],
    }
    job = make(seller, JobState.DONE, result=result)
    page = client_of(bob).get(url(job)).content.decode()
    assert "a/&lt;b&gt;.jpg" in page
    assert "This file inside the ZIP is damaged." in page


def test_a_running_job_asks_again_and_a_finished_one_does_not(client_of, seller, bob):
    client = client_of(bob)
    running, done = make(seller, JobState.RUNNING), make(seller, JobState.DONE)
    assert f'hx-get="{url(running)}"' in client.get(url(running)).content.decode()
    assert "hx-get" not in client.get(url(done)).content.decode().split("<main")[1]


def test_the_script_gets_the_progress_part_alone(client_of, seller, bob):
    job = make(seller, JobState.RUNNING)
    part = client_of(bob).get(url(job), headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div id="job"')
    assert "<html" not in part


def test_the_list_can_show_only_what_needs_somebody(client_of, dead, seller, bob):
    make(seller, JobState.DONE)
    rows = client_of(bob).get(LIST, {"state": "stuck"}).context["rows"]
    assert [row["job"] for row in rows] == [dead]


def test_an_empty_list_says_so(client_of, bob):
    assert client_of(bob).get(LIST).status_code == 200


# Acting -----------------------------------------------------------------------------------------------------------


def test_a_job_that_gave_up_starts_again(client_of, dead, olga):
    response = client_of(olga).post(url(dead, "again/"), follow=True)
    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == (JobState.QUEUED, 0)
    assert "Started again." in response.content.decode()


def test_a_waiting_job_stops_and_a_finished_one_says_it_cannot(client_of, seller, olga):
    waiting, done = make(seller, JobState.QUEUED), make(seller, JobState.DONE)
    client = client_of(olga)
    client.post(url(waiting, "cancel/"))
    waiting.refresh_from_db()
    assert waiting.state == JobState.CANCELLED
    assert "already ended" in client.post(url(done, "cancel/"), follow=True).content.decode()
    page = client.post(url(done, "again/"), follow=True).content.decode()
    assert "is not one that can be started again" in page


def test_costs_are_fixed(client_of, dead, seller, bob, django_assert_num_queries):
    client = client_of(bob)
    client.get(LIST)
    for _ in range(2):
        with django_assert_num_queries(5):
            client.get(LIST)
        for _n in range(60):
            make(seller, JobState.DONE)
    with django_assert_num_queries(5):
        client.get(url(dead))
