"""The pages of hidden-image checks: who may open them, what they say, what they cost."""

import pytest
from django.urls import reverse

from compliance.models import CheckRun
from ledger.accounts.models import Role
from ledger.models import Job, JobState
from ledger.services.jobs import run_job
from ledger.tlog.claims import parse_claim
from tests.compliance.check_pairs import HIDDEN, MAIN, PROFILE_ID, WEBP, begin, checked, finish, form_files
from tests.compliance.checks.pictures import encode, product, with_promotion
from tests.compliance.listings import work
from tests.factories import make_member, register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")
FORM = reverse("compliance:checks")
PAGES = ["check", "check_heatmap", "check_difference", "check_receipt", "check_bundle"]


def page_of(run: CheckRun, name: str = "check") -> str:
    return reverse(f"compliance:{name}", args=[run.number])


def post(client, files=None, **fields):
    return client.post(FORM, {"profile": PROFILE_ID, **(form_files() if files is None else files), **fields})


def words(response) -> str:
    return " ".join(response.content.decode().split())


def test_a_pair_is_checked_with_one_button(client_of, alice):
    client = client_of(alice)
    answer = post(client, category="shoes")
    run = CheckRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(run))
    assert (run.actor, run.category, run.main_image.file_name) == (alice, "shoes", "main.jpg")
    waiting = client.get(page_of(run))
    assert run.job_id is not None
    assert b'hx-trigger="every' in waiting.content
    run_job(run.job_id)
    result = words(client.get(page_of(run)))
    assert "Passed" in result
    assert "1 requirement of the marketplace is not checked yet" in result
    assert "No registered original found" in result


def test_the_page_names_the_original_it_compared_with_in_both_languages(client_of, alice, seller):
    original = register_one(seller, seed=3)
    work()
    photo = product_photo(3)
    run = checked(seller, main=jpeg_bytes(with_promotion(photo)), hidden=jpeg_bytes(photo))
    page = words(client_of(alice).get(page_of(run)))
    link = reverse("ledger:original", args=[original.number])
    assert f'Compared with your registered original <a href="{link}">photo-0.jpg</a>' in page
    chinese = words(client_of(alice).get(page_of(run), headers={"accept-language": "zh-CN"}))
    assert "已与您登记的原创图" in chinese


def test_sending_the_same_form_twice_gives_one_check(client_of, alice):
    client = client_of(alice)
    places = {post(client, request_id="r1")["Location"] for _ in range(2)}
    assert len(places) == CheckRun.objects.count() == 1


def test_the_form_gives_every_visit_a_request_id(client_of, alice):
    client = client_of(alice)
    ids = {client.get(FORM).context["form"]["request_id"].value() for _ in range(2)}
    assert len(ids) == 2


def test_a_new_seller_is_told_what_to_do(client_of, alice):
    assert "No check yet" in words(client_of(alice).get(FORM))


def test_earlier_checks_are_listed_with_their_worst_finding(client_of, alice, seller):
    checked(seller, hidden=WEBP)
    page = words(client_of(alice).get(FORM))
    assert "The hidden image is not a JPG or PNG file" in page
    assert 'data-state="failed"' in page


@pytest.mark.parametrize("missing", ["main", "hidden"])
def test_a_missing_file_is_named_beside_its_field(client_of, alice, missing):
    answer = post(client_of(alice), form_files(**{missing: None}))
    assert answer.status_code == 400
    assert f"check.no_{missing}" in words(answer)
    assert not CheckRun.objects.exists()


@pytest.mark.parametrize(("data", "code"), [(b"", "empty_file"), (b"hello", "unsupported_type")])
def test_a_file_that_is_no_picture_is_named(client_of, alice, data, code):
    answer = post(client_of(alice), form_files(hidden=data))
    assert answer.status_code == 400
    assert f"<code>{code}</code>" in words(answer)


def test_an_unknown_profile_or_category_is_refused(client_of, alice):
    assert post(client_of(alice), profile="nobody").status_code == 400
    assert post(client_of(alice), category="boats").status_code == 400


def test_a_picture_that_breaks_off_is_named_with_its_side(client_of, alice, seller):
    run = begin(seller, main=encode(product())[:2000])
    run_job(run.job_id)
    page = words(client_of(alice).get(page_of(run)))
    assert "check.corrupt_image" in page
    assert "Main image: <span" in page
    assert page_of(run, "check_retry") not in page


def test_findings_stand_on_the_picture_and_in_the_list(client_of, alice, seller):
    hidden = encode(product(seed=5), "JPEG")
    run = checked(seller, hidden=hidden)
    number = next(i for i, f in enumerate(run.report["findings"], start=1) if f["bbox"])
    page = words(client_of(alice).get(page_of(run)))
    assert f'id="mark-{number}" href="#finding-{number}" data-pair="{number}"' in page
    assert f'id="finding-{number}"' in page
    assert f'href="#mark-{number}"' in page


def test_measured_and_allowed_stand_beside_a_finding(client_of, alice, seller):
    run = checked(seller, hidden=WEBP)
    page = words(client_of(alice).get(page_of(run)))
    assert "<b>WEBP</b>" in page
    assert "JPEG, PNG" in page
    assert "Renaming the file does not change its format." in page


def test_the_page_names_profile_version_source_and_what_was_not_looked_at(client_of, alice, seller):
    page = words(client_of(alice).get(page_of(checked(seller))))
    assert PROFILE_ID in page
    assert "version 2" in page
    assert "Seller document on hidden images (S1): JPG/PNG" in page
    assert "No QR code or barcode" in page


def test_an_old_check_opens_with_the_limits_it_was_made_with(client_of, alice, seller):
    waiting = begin(seller)
    CheckRun.objects.update(profile_version="1")
    run = finish(CheckRun.objects.get(pk=waiting.pk))
    page = words(client_of(alice).get(page_of(run)))
    assert "version 1" in page
    assert "version 2" not in page
    assert "in force from 2024-07-01" in page
    assert parse_claim("check.recorded", bytes(run.statement.claim))["profile"] == {"id": PROFILE_ID, "version": "1"}


def test_a_check_with_a_version_this_installation_lost_still_opens(client_of, alice, seller):
    run = checked(seller)
    run.report["profile"]["version"] = 99
    run.save()
    answer = client_of(alice).get(page_of(run))
    assert answer.status_code == 200
    assert "no longer carries this version" in words(answer)


def test_the_page_is_chinese_for_a_chinese_reader(client_of, alice, seller):
    client = client_of(alice)
    answer = client.get(page_of(checked(seller, hidden=WEBP)), headers={"accept-language": "zh-CN"})
    assert "未通过" in words(answer)
    assert "隐藏图不是 JPG 或 PNG 文件" in words(answer)


def test_nothing_is_inline(client_of, alice, seller):
    page = client_of(alice).get(page_of(checked(seller, hidden=encode(product(seed=5), "JPEG")))).content
    assert b" style=" not in page
    assert b"<style" not in page


def test_htmx_gets_the_progress_alone(client_of, alice, seller):
    run = begin(seller)
    answer = client_of(alice).get(page_of(run), headers={"HX-Request": "true"})
    assert words(answer).startswith("<section")
    assert "HX-Request" in answer["Vary"]


def test_htmx_is_told_to_load_the_result(client_of, alice, seller):
    answer = client_of(alice).get(page_of(checked(seller)), headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"


def test_without_a_script_the_waiting_page_has_a_refresh_link(client_of, alice, seller):
    run = begin(seller)
    assert f'<a class="btn btn-sm no-js" href="{page_of(run)}">' in words(client_of(alice).get(page_of(run)))


@pytest.mark.parametrize("state", [JobState.DEAD, JobState.FAILED, JobState.CANCELLED])
def test_a_check_whose_job_ended_can_be_started_again(client_of, olga, seller, state):
    run = begin(seller)
    Job.objects.update(state=state, error_code="job.worker_died")
    client = client_of(olga)
    assert page_of(run, "check_retry") in words(client.get(page_of(run)))
    assert client.post(page_of(run, "check_retry")).status_code == 302
    assert Job.objects.get().state == JobState.QUEUED
    assert b'hx-trigger="every' in client.get(page_of(run)).content


def test_starting_a_finished_check_again_does_nothing(client_of, olga, seller):
    run = checked(seller)
    answer = client_of(olga).post(page_of(run, "check_retry"), follow=True)
    assert "finished or already running" in words(answer)


def test_viewer_sees_checks_but_no_form(client_of, bob, seller):
    client = client_of(bob)
    run = begin(seller)
    Job.objects.update(state=JobState.DEAD)
    assert b'name="hidden"' not in client.get(FORM).content
    assert page_of(run, "check_retry") not in words(client.get(page_of(run)))


def test_viewer_cannot_start_a_check(client_of, bob, seller):
    assert post(client_of(bob)).status_code == 403
    assert client_of(bob).post(page_of(begin(seller), "check_retry")).status_code == 403


@pytest.mark.parametrize("name", PAGES)
def test_another_sellers_check_is_not_found(client_of, mallory, seller, name):
    assert client_of(mallory).get(page_of(checked(seller), name)).status_code == 404


def test_another_sellers_check_cannot_be_started_again(client_of, mallory, seller):
    assert client_of(mallory).post(page_of(begin(seller), "check_retry")).status_code == 404


def test_another_sellers_checks_are_not_listed(client_of, mallory, seller):
    checked(seller, hidden=WEBP)
    assert "No check yet" in words(client_of(mallory).get(FORM))


def test_another_sellers_main_image_cannot_be_used_again(client_of, mallory, seller):
    answer = post(client_of(mallory), form_files(main=None), again=checked(seller).number)
    assert answer.status_code == 400
    assert "check.no_main" in words(answer)


def test_the_main_image_of_an_earlier_check_is_used_again(client_of, alice, seller):
    first = checked(seller, hidden=WEBP)
    client = client_of(alice)
    assert "Main image of the earlier check" in words(client.get(FORM, {"again": first.number}))
    post(client, form_files(main=None), again=first.number)
    assert CheckRun.objects.latest("pk").main_image == first.main_image


@pytest.mark.parametrize("name", ["checks", *PAGES, "check_retry"])
def test_strangers_are_asked_to_sign_in(client_of, seller, name):
    url = FORM if name == "checks" else page_of(begin(seller), name)
    for method in ("get", "post"):
        answer = getattr(client_of(), method)(url)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_for_reading(client_of, alice, seller, name):
    assert client_of(alice).post(page_of(begin(seller), name)).status_code == 405


def test_other_methods_are_refused(client_of, alice, seller):
    client = client_of(alice)
    assert client.delete(FORM).status_code == 405
    assert client.get(page_of(begin(seller), "check_retry")).status_code == 405


@pytest.mark.parametrize("name", PAGES[1:])
def test_a_check_without_a_result_has_nothing_to_take_away(client_of, alice, seller, name):
    assert client_of(alice).get(page_of(begin(seller), name)).status_code == 404


@pytest.mark.parametrize("number", ["nonsense", "0" * 16])
def test_an_unknown_number_is_not_found(client_of, alice, number):
    assert client_of(alice).get(reverse("compliance:check", args=[number])).status_code == 404


@pytest.mark.parametrize(
    ("name", "start", "mime"),
    [
        ("check_heatmap", b"\x89PNG", "image/png"),
        ("check_difference", b"RIFF", "image/webp"),
        ("check_receipt", b"%PDF-", "application/pdf"),
        ("check_bundle", b"PK", "application/zip"),
    ],
)
def test_files_are_sent_as_what_they_are(client_of, bob, seller, name, start, mime):
    answer = client_of(bob).get(page_of(checked(seller), name))
    assert answer.status_code == 200
    assert answer.content.startswith(start)
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == (mime, "nosniff")


def test_the_list_costs_the_same_for_one_check_and_for_many(client_of, alice, seller, django_assert_num_queries):
    client = client_of(alice)
    first = checked(seller, hidden=WEBP)
    client.get(FORM)
    with django_assert_num_queries(7):
        client.get(FORM)
    for _ in range(3):
        CheckRun.objects.create(
            seller=seller,
            main_image=first.main_image,
            hidden_image=first.hidden_image,
            profile_id=PROFILE_ID,
            profile_version="1",
            job=first.job,
        )
    with django_assert_num_queries(7):
        client.get(FORM)


def test_a_result_costs_a_fixed_number_of_queries(client_of, alice, seller, django_assert_num_queries):
    client = client_of(alice)
    run = checked(seller, hidden=WEBP)
    client.get(page_of(run))
    with django_assert_num_queries(8):
        client.get(page_of(run))


def test_a_person_of_two_sellers_opens_both_sellers_checks(client_of, alice, seller, other_seller):
    make_member(alice.email, other_seller, Role.VIEWER)
    client = client_of(alice)
    for owner in (seller, other_seller):
        assert client.get(page_of(checked(owner, main=MAIN, hidden=HIDDEN))).status_code == 200
