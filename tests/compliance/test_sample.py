"""Sample data: a seller of its own, filled by a job that can be killed and run again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import pytest

from compliance.models import CheckRun, Listing, ListingImage, RunState, SearchRun
from compliance.sample.design import PATTERNS, SHAPES, Design, original_design, stranger_design
from compliance.sample.worker_tasks import draw_task
from compliance.services import sample
from compliance.services.checks import run_check
from compliance.services.sample import CHECKS, COPIES, LISTINGS, ORIGINALS, SEARCHES, load_sample, start_sample
from ledger.accounts.models import Membership, Role, Seller
from ledger.models import ImageFile, ImageState, Job, JobState, Original, Statement
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import run_job

pytestmark = pytest.mark.django_db


def draw(design, edit="", quality=90):
    _values, (content,) = draw_task([], {"design": asdict(design), "edit": edit, "quality": quality})
    return content


# Pictures ---------------------------------------------------------------------------------------------------------


def test_the_same_number_draws_the_same_bytes():
    assert draw(original_design(3)) == draw(original_design(3))


def test_no_product_of_a_stranger_looks_like_an_original():
    originals = {_look(original_design(number)) for number in range(ORIGINALS)}
    strangers = {_look(stranger_design(number)) for number in range(COPIES, LISTINGS + 2)}
    assert len(originals) == ORIGINALS
    assert not originals & strangers


def _look(design: Design) -> tuple[str, str, int]:
    return design.shape, design.pattern, design.palette


def test_every_shape_and_pattern_appears():
    designs = [original_design(number) for number in range(ORIGINALS)]
    assert {design.shape for design in designs} == set(SHAPES)
    assert {design.pattern for design in designs} == set(PATTERNS)


@pytest.mark.parametrize("edit", ["brighter", "darker", "cropped", "mirrored", "smaller", "sticker"])
def test_an_edit_changes_the_picture(edit):
    assert draw(original_design(1), edit) != draw(original_design(1))


# The button -------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """The same work with fewer pictures."""
    for name, value in {"ORIGINALS": 3, "LISTINGS": 3, "COPIES": 2, "BATCH": 2}.items():
        monkeypatch.setattr(sample, name, value)


def test_strangers_cannot_press_it(client_of):
    assert client_of().post("/sample/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.IP_MANAGER])
def test_only_owners_may_make_a_seller(client_of, log, seller, role, alice):
    Membership.objects.filter(user=alice).update(role=role)
    assert client_of(alice).post("/sample/").status_code == 403
    assert not Seller.objects.filter(is_sample=True).exists()


def test_it_needs_a_post(client_of, alice):
    assert client_of(alice).get("/sample/").status_code == 405


def test_it_turns_the_person_to_a_marked_seller_and_says_so(client_of, log, alice, seller):
    client = client_of(alice)
    response = client.post("/sample/", follow=True)
    made = Seller.objects.get(is_sample=True)
    assert Membership.objects.get(seller=made).role == Role.OWNER
    job = Job.objects.get(kind="sample.load")
    assert response.redirect_chain == [(f"/jobs/{job.public_id}/", 302)]
    assert "You now look at" in response.content.decode()
    assert '<span class="om-badge">Sample</span>' in client.get("/").content.decode()
    assert not Statement.objects.filter(seller=seller).exists()


def test_pressed_twice_it_is_one_seller_and_one_job(client_of, log, alice):
    first, second = start_sample(actor=alice), start_sample(actor=alice)
    assert first.seller == second.seller
    assert first.job == second.job


def test_two_people_get_two_sellers(log, alice, mallory):
    assert start_sample(actor=alice).seller != start_sample(actor=mallory).seller


# The job ----------------------------------------------------------------------------------------------------------


def load(actor) -> Job:
    started = start_sample(actor=actor)
    run_job(started.job.pk)
    for run in CheckRun.objects.filter(state=RunState.WAITING):
        run_check(run.pk)
    return Job.objects.get(pk=started.job.pk)


def test_every_page_has_content_and_the_job_run_again_adds_nothing(quick, log, alice, assert_log_valid):
    job = load(alice)
    seller = job.seller
    assert seller is not None
    assert (job.state, job.progress_done) == (JobState.DONE, job.progress_total)
    assert Original.objects.of(seller).count() == 3
    assert Listing.objects.of(seller).count() == 3
    assert not ImageFile.objects.of(seller).exclude(state=ImageState.READY).exists()
    assert SearchRun.objects.of(seller).filter(state=RunState.DONE).count() == SEARCHES
    verdicts = CheckRun.objects.of(seller).filter(state=RunState.DONE).values_list("verdict", flat=True)
    assert sorted(verdicts) == ["FAILED", "PASSED"]
    outcomes = Statement.objects.of(seller).filter(kind="query.recorded").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["needs-you", "needs-you", "passed"]
    assert assert_log_valid() == 3 + SEARCHES + CHECKS
    first = Original.objects.order_by("pk").first()
    assert first is not None
    assert bytes(first.sha256) == hashlib.sha256(draw(original_design(0))).digest()
    models = (Original, Listing, ListingImage, SearchRun, CheckRun, ImageFile, Statement)
    rows = [model.objects.count() for model in models]
    load(alice)
    assert rows == [model.objects.count() for model in models]


def test_a_job_that_was_stopped_goes_on_where_it_was(quick, log, alice, monkeypatch):
    started = start_sample(actor=alice)
    Job.objects.filter(pk=started.job.pk).update(state=JobState.RUNNING, worker="w", attempts=1)
    job = Job.objects.get(pk=started.job.pk)
    calls = iter([False, True])
    context = JobContext(job)
    monkeypatch.setattr(context, "cancelled", lambda: next(calls))
    load_sample(context)
    assert 0 < Original.objects.of(started.seller).count() <= 3
    before = set(Original.objects.values_list("number", flat=True))
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, lease_until=None)
    run_job(job.pk)
    assert Job.objects.get(pk=job.pk).state == JobState.DONE
    assert before <= set(Original.objects.values_list("number", flat=True))
    assert Original.objects.of(started.seller).count() == 3


def test_it_refuses_a_real_seller(log, alice, seller):
    job = Job.objects.create(seller=seller, actor=alice, kind="sample.load")
    with pytest.raises(JobError, match="not_sample"):
        load_sample(JobContext(job))
    assert not Original.objects.exists()
