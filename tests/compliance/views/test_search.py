"""The pages that find copies: what they show, to whom, without JavaScript, and at what cost."""

from __future__ import annotations

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from compliance.models import Candidate, RunState, Scope, SearchRun
from compliance.search.limits import describe_limits, measured_alarms, measured_changes
from compliance.services.search import Question, start_search
from compliance.views.search_drawing import overlay
from ledger.accounts.models import Role
from ledger.error_texts import error_text
from ledger.models import Entry, Job, JobState
from ledger.services.jobs import run_job
from ledger.services.originals import Upload
from tests.compliance.listings import ask, copy_of, import_listings, photo, work
from tests.factories import make_member, register_one
from tests.images import jpeg_bytes, product_photo, wrong_crc_png

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
FORM = reverse("compliance:search")
LISTING = {
    "product_id": "1005001",
    "image": "1.jpg",
    "title": "Red dress",
    "listed_at": "2026-05-01",
    "shop_country": "CN",
    "url": "https://shop.example/1005001",
}
BARE = {"product_id": "BARE", "image": "2.jpg"}


@pytest.fixture
def gallery(log, seller):
    """One original (picture 9) and two listings, one with facts and one without."""
    original = register_one(seller, seed=9)
    import_listings(seller, LISTING, BARE, pictures={"1.jpg": photo(1), "2.jpg": photo(2)})
    work()
    return original


def file(content: bytes, name: str = "query.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/jpeg")


def post(client, **fields):
    return client.post(FORM, fields)


def page_of(run: SearchRun, name: str = "search_result") -> str:
    return reverse(f"compliance:{name}", args=[run.number])


def words(response) -> str:
    """The page's text as a reader sees it."""
    text = re.sub(r"<(script|style)[\s\S]*?</\1>|<[^>]+>", " ", response.content.decode())
    return " ".join(text.replace("&#x27;", "'").replace("&quot;", '"').split())


# Asking ---------------------------------------------------------------------------------------------------------------


def test_a_picture_is_searched_with_one_button(client_of, alice, gallery, seller):
    client = client_of(alice)
    answer = post(client, picture=file(copy_of(1)))
    run = SearchRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(run))
    assert (run.seller, run.actor, run.scope, run.threshold, run.category) == (seller, alice, "all", 85, "")
    waiting = client.get(page_of(run))
    assert b'hx-trigger="every' in waiting.content
    run_job(run.job_id)
    done = client.get(page_of(run))
    assert b"hx-trigger" not in done.content
    assert "1 picture at 85 or more" in words(done)


def test_scope_threshold_and_category_are_taken(client_of, alice):
    post(client_of(alice), picture=file(photo(1)), scope="registered", threshold="92", category="shoes")
    run = SearchRun.objects.get()
    assert (run.scope, run.threshold, run.category) == (Scope.REGISTERED, 92, "shoes")


def test_an_address_is_left_to_the_job(client_of, alice):
    post(client_of(alice), url=" https://shop.example/1.jpg ")
    run = SearchRun.objects.get()
    assert (run.source, run.source_url, run.image) == ("url", "https://shop.example/1.jpg", None)
    assert "Fetching the picture" in words(client_of(alice).get(page_of(run)))


def test_a_registered_original_can_be_picked(client_of, alice, gallery):
    client = client_of(alice)
    form = client.get(FORM, {"original": gallery.number})
    assert f'value="{gallery.number}" checked' in form.content.decode()
    assert f"/pictures/{gallery.image_id}/320.webp" in form.content.decode()
    post(client, original=gallery.number)
    assert SearchRun.objects.get().image_id == gallery.image_id


def test_an_upload_goes_before_an_address_and_that_before_an_original(client_of, alice, gallery):
    client = client_of(alice)
    post(client, picture=file(photo(1)), url="https://shop.example/1.jpg", original=gallery.number)
    post(client, url="https://shop.example/1.jpg", original=gallery.number)
    assert list(SearchRun.objects.order_by("pk").values_list("source", flat=True)) == ["upload", "url"]


def test_an_original_of_ones_other_seller_is_searched_there(client_of, alice, seller, other_seller):
    make_member("alice@example.org", other_seller, Role.OPERATOR)
    original = register_one(other_seller, seed=3)
    client = client_of(alice)
    assert other_seller.name in words(client.get(FORM, {"original": original.number}))
    post(client, original=original.number)
    assert SearchRun.objects.get().seller == other_seller


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_original_of_a_stranger_does_not_exist(client_of, alice, other_seller, method):
    original = register_one(other_seller, seed=3)
    assert getattr(client_of(alice), method)(FORM, {"original": original.number}).status_code == 404
    assert not SearchRun.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "There is nothing to search for yet."),
        ({"scope": "everything", "url": "https://a.example/"}, "Select a valid choice"),
        ({"threshold": "20", "url": "https://a.example/"}, "greater than or equal to 50"),
        ({"category": "shoelaces", "url": "https://a.example/"}, "Select a valid choice"),
        ({"original": "nonsense"}, None),
    ],
)
def test_a_form_that_cannot_be_used_says_why(client_of, alice, fields, said):
    answer = post(client_of(alice), **fields)
    assert answer.status_code == (400 if said else 404)
    assert said is None or said in words(answer)
    assert not SearchRun.objects.exists()


@pytest.mark.parametrize(("content", "code"), [(b"", "empty_file"), (b"no picture", "unsupported_type")])
def test_a_file_that_is_no_picture_is_refused_beside_the_field(client_of, alice, content, code):
    answer = post(client_of(alice), picture=file(content))
    assert answer.status_code == 400
    assert str(error_text(code).title) in words(answer)
    assert code in words(answer)


def test_sending_the_same_form_twice_asks_once(client_of, alice):
    client = client_of(alice)
    places = {post(client, picture=file(photo(1)), request_id="r1")["Location"] for _ in range(2)}
    assert len(places) == SearchRun.objects.count() == Job.objects.filter(kind="search.run").count() == 1


def test_a_viewer_reads_and_cannot_ask(client_of, bob, gallery):
    client = client_of(bob)
    assert "looks at searches but does not start them" in words(client.get(FORM))
    assert b'<form method="post" enctype' not in client.get(FORM).content
    assert post(client, picture=file(photo(1))).status_code == 403
    assert not SearchRun.objects.exists()


def test_the_form_says_what_will_be_searched_and_what_not(client_of, alice, gallery):
    said = words(client_of(alice).get(FORM))
    assert "1 original · 2 listing pictures · newest import 20" in said
    assert "Not AliExpress's internal gallery" in said


def test_a_new_seller_is_told_what_to_do(client_of, alice):
    said = words(client_of(alice).get(FORM))
    assert "There is nothing to search through yet." in said
    assert "None yet. Each search becomes an entry" in said


def test_pictures_that_are_being_analysed_are_announced(client_of, alice, seller):
    register_one(seller)
    assert "being analysed right now" in words(client_of(alice).get(FORM))
    work()
    assert "being analysed right now" not in words(client_of(alice).get(FORM))


def test_a_link_can_fill_the_form_in(client_of, alice):
    page = client_of(alice).get(FORM, {"threshold": "92", "scope": "registered", "url": "https://a.example/1.jpg"})
    html = page.content.decode()
    assert re.search(r'name="threshold"[^>]*value="92"', html)
    assert 'value="registered" checked' in html
    assert 'value="https://a.example/1.jpg"' in html


def test_nonsense_in_a_link_does_no_harm(client_of, alice):
    for query in ({"threshold": "x"}, {"scope": "\0"}, {"category": "'\""}):
        assert client_of(alice).get(FORM, query).status_code == 200


def test_the_latest_searches_are_listed(client_of, alice, gallery, seller):
    run = ask(seller, copy_of(1), actor=alice, name="stolen-dress.jpg")
    said = words(client_of(alice).get(FORM))
    assert "stolen-dress.jpg" in said
    assert page_of(run) in client_of(alice).get(FORM).content.decode()


# The answer -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(gallery, seller, alice) -> SearchRun:
    return ask(seller, copy_of(1), actor=alice)


def test_the_answer_shows_each_candidates_facts(client_of, alice, run):
    page = client_of(alice).get(page_of(run))
    said = words(page)
    for fact in (
        "1005001",
        "Red dress",
        "2026-05-01",
        "CN",
        "Same picture, saved again",
        "1 original · 2 listing pictures",
    ):
        assert fact in said
    assert said.count("not in feed") >= 2  # shop and price
    link = '<a class="btn" href="https://shop.example/1005001" target="_blank" rel="external noreferrer noopener">'
    assert link in page.content.decode()


def test_any_candidate_can_be_laid_beside_the_query(client_of, alice, gallery, seller):
    import_listings(seller, {"product_id": "AGAIN", "image": "a.jpg"}, pictures={"a.jpg": photo(1)})
    work()
    run = ask(seller, copy_of(1), actor=alice)
    second = run.candidates.get(rank=2)
    page = client_of(alice).get(page_of(run), {"pick": "2"})
    assert f"/pictures/{second.image_id}/1024.webp" in page.content.decode()
    assert f"Candidate 2: {second.facts['title'] or second.facts['ref']}" in words(page)


@pytest.mark.parametrize("pick", ["0", "9", "x", "-1", "\0"])
def test_a_pick_that_is_not_there_shows_the_best(client_of, alice, run, pick):
    assert "Candidate 1: 1005001" in words(client_of(alice).get(page_of(run), {"pick": pick}))


def test_candidates_below_the_threshold_are_set_apart_and_called_what_they_are(client_of, alice, gallery, seller):
    run = ask(seller, copy_of(1), question=Question(threshold=100), actor=alice)
    said = words(client_of(alice).get(page_of(run)))
    assert "Nothing found at 100 or more" in said
    below = said[said.index("Below your threshold") :]
    assert "1005001" in below
    assert "Same picture, saved again" in below


def test_what_was_done_to_a_copy_is_said_and_drawn(client_of, alice, gallery, seller):
    turned = product_photo(1, (480, 600)).rotate(-12, resample=Image.Resampling.BICUBIC, expand=True)
    run = ask(seller, jpeg_bytes(turned), actor=alice)
    page = client_of(alice).get(page_of(run))
    html = page.content.decode()
    assert "turned 12° clockwise" in words(page)
    assert html.count("<line x1") == min(60, run.candidates.get(rank=1).evidence["inliers"])
    corners = json.loads(re.search(r'data-matrix="([^"]*)"', html)[1])
    assert len(corners) == 9
    answer = client_of(alice).get(reverse("compliance:search_agreement", args=[run.number, 1]))
    assert (answer["Content-Type"], answer.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    for rank in (4, 0, 10**20):
        assert client_of(alice).get(reverse("compliance:search_agreement", args=[run.number, rank])).status_code == 404


def test_the_query_is_laid_where_it_belongs():
    """A query that shows the right half of the picture found: its left edge lies in the middle."""
    place = [(-1.0, 0.0), (1.0, 0.0), (1.0, 1.0), (-1.0, 1.0)]
    a, b, c, d, e, f, g, h, i = json.loads(overlay(place))
    lay = lambda x, y: ((a * x + b * y + c) / (g * x + h * y + i), (d * x + e * y + f) / (g * x + h * y + i))  # noqa: E731
    assert lay(0, 0) == pytest.approx((0.5, 0.0))
    assert lay(1, 1) == pytest.approx((1.0, 1.0))
    assert overlay([(0.5, 0.5)] * 4) == ""


def test_a_registered_original_carries_its_badge_number_and_time(client_of, alice, gallery, seller):
    found = ask(seller, jpeg_bytes(product_photo(9), quality=50), actor=alice)
    page = client_of(alice).get(page_of(found))
    number = f"{gallery.number[:4]}-{gallery.number[4:8]}"
    said = words(page)
    assert "registered 已存证" in said
    assert number in said
    assert gallery.registered_at.strftime("%Y-%m-%d %H:%M:%S UTC") in said
    assert reverse("ledger:original", args=[gallery.number]) in page.content.decode()


def test_a_candidate_whose_listing_is_gone_still_shows_its_facts(client_of, alice, run):
    Candidate.objects.update(listing_image=None, original=None)
    assert "Red dress" in words(client_of(alice).get(page_of(run)))


def test_an_address_that_is_no_link_is_not_made_one(client_of, alice, run):
    row = run.candidates.get(rank=1)
    row.facts["url"] = "javascript:alert(1)"
    row.save()
    assert "javascript:" not in client_of(alice).get(page_of(run)).content.decode()


def test_nothing_found_says_what_was_searched_and_what_may_be_missed(client_of, alice, seller):
    page = client_of(alice).get(page_of(ask(seller, photo(1), actor=alice)))
    said = words(page)
    assert "Nothing found at 85 or more" in said
    assert "0 originals · 0 listing pictures" in said
    assert "No picture resembles it" in said
    for change in describe_limits():
        assert change.text in said
        assert f"{change.found}/{change.tried}" in said


def test_percent_signs_come_out_once(client_of, alice, run):
    pages = [page_of(run), reverse("compliance:search_method")]
    said = " ".join(words(client_of(alice).get(page)) for page in pages)
    assert "5 % cropped away" in said
    assert "99.9 % of" in said
    assert "%%" not in said


def test_scores_below_85_are_not_praised_by_a_low_threshold(client_of, alice, gallery, seller):
    found = ask(seller, copy_of(1), question=Question(threshold=50))
    Candidate.objects.filter(run=found, rank=1).update(score_milli=60_000)
    said = words(client_of(alice).get(page_of(found)))
    assert "Above your threshold, but below 85" in said


def test_the_fragment_stops_asking_when_the_answer_is_there(client_of, alice, seller):
    waiting = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)))
    client = client_of(alice)
    fragment = client.get(page_of(waiting), headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every' in fragment
    assert "<html" not in fragment
    run_job(waiting.job_id)
    fragment = client.get(page_of(waiting), headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in fragment
    assert "data-finished" in fragment
    assert "<title>Nothing found at 85 or more · q.jpg · 原证 Originmark</title>" in fragment


def test_without_javascript_a_link_refreshes_the_waiting_page(client_of, alice, seller):
    waiting = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)))
    assert (
        f'class="btn btn-sm no-js" href="{page_of(waiting)}"' in client_of(alice).get(page_of(waiting)).content.decode()
    )


# Failure --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(log, seller, alice) -> SearchRun:
    waiting = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.png", wrong_crc_png()))
    run_job(waiting.job_id)
    waiting.refresh_from_db()
    assert waiting.state == RunState.FAILED
    return waiting


def test_a_failure_is_named_and_can_be_tried_again(client_of, alice, failed):
    client = client_of(alice)
    said = words(client.get(page_of(failed)))
    assert "This search has no answer" in said
    assert str(error_text(failed.error_code).title) in said
    assert failed.error_code in said
    assert client.post(page_of(failed, "search_again")).status_code == 302
    assert "Searching" in words(client.get(page_of(failed)))
    assert Job.objects.get(kind="search.run").state == JobState.QUEUED


def test_a_viewer_sees_the_failure_and_no_button(client_of, bob, failed):
    page = client_of(bob).get(page_of(failed))
    assert page_of(failed, "search_again") not in page.content.decode()
    assert client_of(bob).post(page_of(failed, "search_again")).status_code == 403


def test_a_failed_search_has_no_receipt(client_of, alice, failed):
    for name in ("search_receipt", "search_bundle"):
        assert client_of(alice).get(page_of(failed, name)).status_code == 404


# Taken away -----------------------------------------------------------------------------------------------------------


def test_receipt_and_bundle_are_sent_as_files(client_of, bob, run, assert_log_valid):
    receipt = client_of(bob).get(page_of(run, "search_receipt"))
    assert (receipt["Content-Type"], receipt.content[:5]) == ("application/pdf", b"%PDF-")
    assert f"originmark-search-{run.number}.pdf" in receipt["Content-Disposition"]
    bundle = client_of(bob).get(page_of(run, "search_bundle"))
    assert (bundle["Content-Type"], bundle.content[:2]) == ("application/zip", b"PK")
    assert bundle["X-Content-Type-Options"] == "nosniff"
    assert assert_log_valid() == Entry.objects.count()


def test_the_method_page_prints_every_measured_figure(client_of, bob):
    said = words(client_of(bob).get(reverse("compliance:search_method")))
    for change in measured_changes():
        assert change.text in said
        assert f"{change.found}/{change.tried}" in said
    for alarm in measured_alarms():
        assert f"{alarm.alarms}/{alarm.tried}" in said


# Whose, how, at what cost ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["search_result", "search_receipt", "search_bundle"])
def test_another_sellers_search_does_not_exist(client_of, mallory, run, name):
    assert client_of(mallory).get(page_of(run, name)).status_code == 404


@pytest.mark.parametrize("name", ["search_result", "search_again", "search_receipt", "search_bundle"])
def test_a_wrong_method_is_refused(client_of, alice, run, name):
    wrong = client_of(alice).put if name != "search_again" else client_of(alice).get
    assert wrong(page_of(run, name)).status_code == 405


def test_strangers_are_sent_to_the_sign_in_page(client_of, run):
    for place in (FORM, page_of(run), reverse("compliance:search_method")):
        answer = client_of().get(place)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")


def test_the_form_costs_a_fixed_number_of_queries(client_of, alice, run, seller, django_assert_num_queries):
    client = client_of(alice)
    client.get(FORM)
    with django_assert_num_queries(10):
        client.get(FORM)
    ask(seller, photo(50), actor=alice)
    register_one(seller, seed=51, analyse=True)
    with django_assert_num_queries(10):
        client.get(FORM)


def test_the_answer_costs_a_fixed_number_of_queries(client_of, alice, run, django_assert_num_queries):
    client = client_of(alice)
    client.get(page_of(run))
    with django_assert_num_queries(7):
        client.get(page_of(run), {"pick": "2"})


def test_the_waiting_fragment_is_cheap(client_of, alice, seller, django_assert_max_num_queries):
    waiting = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)))
    client = client_of(alice)
    client.get(page_of(waiting))
    with django_assert_max_num_queries(5):
        client.get(page_of(waiting), headers={"HX-Request": "true"})
