"""The first page and the box that finds anything: what they show, to whom, and at what cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from compliance.models import Catalogue, CheckRun, Listing, SearchRun
from compliance.services import overview
from compliance.services.checks import run_check, start_check
from compliance.services.gallery import update_gallery
from compliance.services.repairs import run_repair, start_repair
from compliance.services.search import Question, run_search, start_search
from ledger.models import ImageFile, ImageState, Job, JobState, LogHead, Original, Statement
from ledger.services import keys
from ledger.services.log import seal
from ledger.services.originals import Upload, rename_original
from tests.compliance.check_pairs import checked
from tests.compliance.checks.pictures import product, with_promotion
from tests.factories import register, register_one
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db

PROFILE = "aliexpress-seed-2024"


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


def search_for(original: Original, actor) -> SearchRun:
    update_gallery(seller=original.seller, image_ids=[original.image_id])
    copy = Upload("copy.jpg", jpeg_bytes(product_photo(1), quality=70))
    run = start_search(actor=actor, seller=original.seller, question=Question(), upload=copy, enqueue=False)
    return run_search(run.pk)


def fail_a_check(seller, actor) -> CheckRun:
    main, hidden = jpeg_bytes(product_photo(3, (800, 800))), jpeg_bytes(product_photo(4, (800, 500)))
    run = start_check(
        actor=actor,
        seller=seller,
        main=Upload("main.jpg", main),
        hidden=Upload("hidden.jpg", hidden),
        profile_id=PROFILE,
    )
    return run_check(run.pk)


def dead_job(seller, **fields) -> Job:
    values = {"kind": "pictures.analyse", "state": JobState.DEAD, "error_code": "job.worker_died", **fields}
    return Job.objects.create(seller=seller, finished_at=timezone.now(), **values)


def text_of(response):
    return response.content.decode()


# Who may see it ---------------------------------------------------------------------------------------------------


def test_strangers_are_sent_to_sign_in(client_of):
    assert client_of().get("/").headers["Location"].startswith("/accounts/login/")


def test_viewer_sees_the_overview(client_of, original, bob):
    assert client_of(bob).get("/").status_code == 200


def test_the_overview_cannot_be_posted_to(client_of, alice):
    assert client_of(alice).post("/").status_code == 405


def test_nothing_of_another_seller_shows(client_of, original, mallory, other_seller):
    register(other_seller, jpeg_bytes(product_photo(9)))
    page = text_of(client_of(mallory).get("/"))
    assert original.number not in page
    assert page.count("data-item") == 2  # the second factor that is advised, and mallory's own entry


# A new seller -----------------------------------------------------------------------------------------------------


def test_a_new_seller_gets_three_steps_and_a_place_to_drop(client_of, log, alice):
    page = text_of(client_of(alice).get("/"))
    assert page.count("<li><strong>") == 3
    assert 'action="/originals/register/" data-upload' in page
    assert 'action="/sample/"' in page
    assert "om-stat" not in page
    assert "data-chart" not in page


def test_a_viewer_of_a_new_seller_is_offered_nothing_they_may_not_do(client_of, log, bob):
    page = text_of(client_of(bob).get("/"))
    assert "data-upload" not in page
    assert "/sample/" not in page


# Numbers ----------------------------------------------------------------------------------------------------------


def test_four_numbers_say_how_they_move(client_of, original, alice, seller):
    search_for(original, alice)
    week_ago = timezone.now() - timedelta(days=8)
    Statement.objects.filter(kind="query.recorded").update(logged_at=week_ago)
    response = client_of(alice).get("/")
    stats = {stat["label"]: (stat["value"], stat["trend"]) for stat in response.context["stats"]}
    assert stats["Originals"] == (1, "+1 this week")
    assert stats["Queries"] == (1, "none this week")
    assert stats["Hidden-image checks"] == (0, "none this week")
    assert stats["Entries this week"][0] == 1


def test_weeks_begin_on_monday_where_the_seller_is(original, seller):
    monday_utc = datetime(2026, 3, 1, 17, tzinfo=UTC)  # Monday, 2 March, 01:00 in Shanghai
    Statement.objects.update(logged_at=monday_utc)
    weeks = overview.count_activity(seller, monday_utc).weeks
    assert str(weeks[-1].starts) == "2026-03-02"
    assert [week.counts["image.registered"] for week in weeks] == [0] * 11 + [1]


def test_an_entry_before_the_chart_counts_in_the_total_only(original, seller):
    Statement.objects.update(logged_at=timezone.now() - timedelta(days=300))
    activity = overview.count_activity(seller, timezone.now())
    assert activity.totals["image.registered"] == 1
    assert not any(sum(week.counts.values()) for week in activity.weeks)


def test_a_time_zone_nobody_knows_counts_as_utc(original, seller):
    seller.time_zone = "Atlantis/Capital"
    assert overview.count_activity(seller, timezone.now()).totals["image.registered"] == 1


def test_counting_is_one_query(original, seller, django_assert_num_queries):
    with django_assert_num_queries(1):
        overview.count_activity(seller, timezone.now())


# Needs you --------------------------------------------------------------------------------------------------------


def test_a_dead_job_can_be_started_again_from_here(client_of, original, alice, seller):
    job = dead_job(seller)
    assert reverse("ledger:job_again", args=[job.public_id]) in text_of(client_of(alice).get("/"))


def test_a_viewer_is_shown_the_dead_job_without_the_button(client_of, original, bob, seller):
    page = text_of(client_of(bob).get("/"))
    job = dead_job(seller)
    page = text_of(client_of(bob).get("/"))
    assert reverse("ledger:job", args=[job.public_id]) in page
    assert reverse("ledger:job_again", args=[job.public_id]) not in page


def test_a_job_that_failed_long_ago_is_history(original, seller):
    job = dead_job(seller, state=JobState.FAILED, error_code="zip_ratio")
    assert [row.pk for row in overview.find_tasks(seller, timezone.now()).jobs] == [job.pk]
    assert not overview.find_tasks(seller, timezone.now() + timedelta(days=15)).jobs


def test_more_jobs_than_shown_are_one_link(client_of, original, alice, seller):
    for _ in range(5):
        dead_job(seller)
    page = text_of(client_of(alice).get("/"))
    assert page.count("/again/") == overview.SHOWN
    assert "/jobs/?state=stuck" in page


def test_a_search_with_matches_needs_somebody(client_of, original, alice):
    run = search_for(original, alice)
    page = text_of(client_of(alice).get("/"))
    assert f'<a class="btn" href="{reverse("compliance:search_result", args=[run.number])}">See the matches' in page
    assert f"/pictures/{run.image_id}/320.webp" in page


def test_a_failed_check_needs_somebody(client_of, original, alice, seller):
    run = fail_a_check(seller, alice)
    assert run.verdict == "FAILED"
    page = text_of(client_of(alice).get("/"))
    assert f'<a class="btn" href="{reverse("compliance:check", args=[run.number])}">See the findings' in page


def test_a_failed_check_that_was_repaired_needs_nobody(client_of, original, alice, seller):
    hidden = jpeg_bytes(product(), quality=75, exif=exif_bytes(gps=(1, 2)))
    run = checked(seller, main=jpeg_bytes(with_promotion(product()), quality=75), hidden=hidden, actor=alice)
    assert "See the findings" in text_of(client_of(alice).get("/"))
    repair = run_repair(start_repair(actor=alice, run=run, fix="all").pk)
    run_check(repair.check_run.pk)
    assert CheckRun.objects.get(pk=repair.check_run.pk).verdict == "PASSED"
    assert "See the findings" not in text_of(client_of(alice).get("/"))


def test_a_picture_that_cannot_be_opened_needs_somebody(client_of, original, alice):
    ImageFile.objects.update(state=ImageState.UNDECODABLE, error_code="decode_timeout")
    page = text_of(client_of(alice).get("/"))
    assert "decode_timeout" in page
    assert reverse("ledger:original", args=[original.number]) in page


def test_an_owner_without_a_second_factor_is_advised(client_of, original, alice, bob):
    assert "/accounts/2fa/" in text_of(client_of(alice).get("/")).split('class="om-todo"')[1]
    assert "om-todo" not in text_of(client_of(bob).get("/"))


def test_nothing_to_do_is_said(client_of, original, bob):
    assert "Nothing needs you." in text_of(client_of(bob).get("/"))


# Trouble of the log -----------------------------------------------------------------------------------------------


def test_no_trouble_while_checkpoints_are_fresh(original):
    assert overview.find_log_trouble(timezone.now()) == ""
    seal()
    assert overview.find_log_trouble(timezone.now() + timedelta(days=1)) == ""


def test_entries_that_wait_too_long_are_trouble(original):
    assert overview.find_log_trouble(timezone.now() + timedelta(hours=1)) == "checkpoint_overdue"


def test_a_restored_old_database_is_trouble(client_of, original, bob):
    seal()
    origin = LogHead.objects.get().origin
    state = keys.read_signer_state(origin)
    assert state is not None
    keys.write_signer_state(origin, keys.SignerState(state.tree_size + 5, state.root_hash))
    assert overview.find_log_trouble(timezone.now()) == "log_behind"
    assert "log_behind" in text_of(client_of(bob).get("/"))


def test_new_entries_on_a_restored_old_database_are_trouble(original, seller):
    seal()
    origin = LogHead.objects.get().origin
    keys.write_signer_state(origin, keys.SignerState(2, b"\x01" * 32))  # another second entry was signed
    register_one(seller, 5)
    assert overview.find_log_trouble(timezone.now()) == "log_fork"


def test_a_signer_that_forgot_its_state_is_trouble(original, settings):
    seal()
    (settings.KEYS_DIR / keys.SIGNER_STATE).unlink()
    assert overview.find_log_trouble(timezone.now()) == "log_fork"


def test_a_missing_key_is_trouble(original, settings):
    (settings.KEYS_DIR / keys.LOG_KEY).unlink()
    assert overview.find_log_trouble(timezone.now()) == "key_missing"


def test_a_log_that_was_never_made_is_trouble(client_of, alice):
    assert overview.find_log_trouble(timezone.now()) == "log_not_ready"
    assert client_of(alice).get("/").status_code == 200


# Cost -------------------------------------------------------------------------------------------------------------


def test_the_page_costs_the_same_for_one_entry_and_for_many(
    client_of, original, alice, seller, django_assert_num_queries
):
    client = client_of(alice)
    client.get("/")
    with django_assert_num_queries(20):
        client.get("/")
    register(seller, *(jpeg_bytes(product_photo(seed, (120, 90))) for seed in range(20, 40)), actor=alice)
    for _ in range(5):
        dead_job(seller)
    for _ in range(4):
        search_for(original, alice)
    with django_assert_num_queries(20):
        client.get("/")


def test_a_new_sellers_page_has_no_more_queries(client_of, log, alice, django_assert_num_queries):
    client = client_of(alice)
    client.get("/")
    with django_assert_num_queries(18):
        client.get("/")


# Find -------------------------------------------------------------------------------------------------------------


def find(client, text):
    return client.get("/find/", {"q": text})


def test_strangers_cannot_find(client_of):
    assert find(client_of(), "x").headers["Location"].startswith("/accounts/login/")


def test_find_cannot_be_posted_to(client_of, alice):
    assert client_of(alice).post("/find/").status_code == 405


@pytest.mark.parametrize("typed", ["{n}", "{g}", "{l}", " {g} ", "{o}"])
def test_a_proof_number_leads_to_its_original_however_it_is_typed(client_of, original, bob, typed):
    number = original.number
    grouped = "-".join(number[i : i + 4] for i in range(0, 16, 4))
    text = typed.format(n=number, g=grouped, l=number.lower(), o=number.replace("0", "O").replace("1", "I"))
    assert find(client_of(bob), text).headers["Location"] == f"/originals/{number}/"


def test_the_number_of_a_search_leads_to_it(client_of, original, alice):
    run = search_for(original, alice)
    assert find(client_of(alice), run.number).headers["Location"] == f"/search/{run.number}/"


def test_the_number_of_a_check_leads_to_it(client_of, log, alice, seller):
    run = fail_a_check(seller, alice)
    assert find(client_of(alice), run.number).headers["Location"] == f"/hidden/{run.number}/"


def test_a_number_of_another_seller_is_not_found(client_of, original, mallory):
    response = find(client_of(mallory), original.number)
    assert response.status_code == 200
    assert response.context["found"].is_empty


@pytest.mark.parametrize("digits", [8, 9, 16, 63, 64])
def test_the_beginning_of_a_digest_finds_the_original(client_of, original, bob, digits):
    response = find(client_of(bob), bytes(original.sha256).hex()[:digits].upper())
    assert [row.pk for row in response.context["found"].by_digest] == [original.pk]


def test_a_digest_as_pages_shorten_it_finds_the_original(client_of, original, bob):
    digest = bytes(original.sha256).hex()
    response = find(client_of(bob), f"{digest[:8]}…{digest[-8:]}")
    assert [row.pk for row in response.context["found"].by_digest] == [original.pk]


def test_seven_digits_are_too_few_for_a_digest(client_of, original, bob):
    assert not find(client_of(bob), bytes(original.sha256).hex()[:7]).context["found"].by_digest


def test_a_digest_of_another_seller_finds_nothing(client_of, original, mallory):
    assert find(client_of(mallory), bytes(original.sha256).hex()).context["found"].is_empty


def test_part_of_a_file_name_or_title_finds_the_original(client_of, original, alice, bob):
    rename_original(actor=alice, original=original, title="蓝色托特包", category="")
    client = client_of(bob)
    assert [row.pk for row in find(client, "PHOTO-0").context["found"].by_name] == [original.pk]
    assert [row.pk for row in find(client, "托特").context["found"].by_name] == [original.pk]


@pytest.fixture
def listing(seller) -> Listing:
    catalogue = Catalogue.objects.create(seller=seller, name="spring")
    return Listing.objects.create(
        seller=seller, catalogue=catalogue, product_id="1005006", title="Blue tote bag", url="https://shop.example/1"
    )


@pytest.mark.parametrize("text", ["1005006", "05006", "tote"])
def test_a_product_or_its_title_finds_the_listing(client_of, listing, bob, text):
    response = find(client_of(bob), text)
    assert [row.pk for row in response.context["found"].listings] == [listing.pk]
    assert "https://shop.example/1" in text_of(response)


def test_a_listing_of_another_seller_is_not_found(client_of, listing, mallory):
    assert find(client_of(mallory), "1005006").context["found"].is_empty


def test_more_than_shown_is_said(client_of, listing, bob, seller):
    rows = [
        Listing(seller=seller, catalogue=listing.catalogue, product_id=f"1005006-{n}", title="tote") for n in range(25)
    ]
    Listing.objects.bulk_create(rows)
    page = text_of(find(client_of(bob), "1005006"))
    assert page.count("data-item") == 20
    assert "Only the newest 20" in page


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "\0",
        "%",
        "_",
        "'",
        "x" * 5000,
        "１２３",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ],
)
def test_whatever_is_typed_gets_an_answer(client_of, original, bob, text):
    response = find(client_of(bob), text)
    assert response.status_code == 200
    assert response.context["found"].is_empty


def test_what_was_typed_is_escaped(client_of, original, bob):
    page = text_of(find(client_of(bob), '"><script>alert(1)</script>'))
    assert "<script>alert" not in page


def test_finding_costs_the_same_for_many(client_of, original, alice, seller, django_assert_num_queries):
    client = client_of(alice)
    find(client, "photo")
    with django_assert_num_queries(6):
        find(client, "photo")
    register(seller, *(jpeg_bytes(product_photo(seed, (120, 90))) for seed in range(20, 40)), actor=alice)
    with django_assert_num_queries(6):
        find(client, "photo")
