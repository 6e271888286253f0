"""Searching for copies as a service: what is found, what is recorded, what stays apart, what happens twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from PIL import Image

from compliance.models import Candidate, RunState, Scope, SearchRun
from compliance.search.copy_score import Verdict
from compliance.services.gallery import remove_from_gallery
from compliance.services.search import (
    LOST,
    LOST_AFTER,
    Question,
    failure_of,
    retry_search,
    run_search,
    searched_counts,
    start_search,
    waiting_pictures,
)
from ledger.anchors.errors import FETCH_CODES
from ledger.anchors.fetch import fetch_url
from ledger.error_texts import TEXTS
from ledger.imaging.errors import ImagingError
from ledger.models import Entry, ImageFile, ImageState, Job, JobState, Statement
from ledger.services.job_context import JobError
from ledger.services.jobs import run_job
from ledger.services.originals import Upload, rename_original
from ledger.tlog.claims import parse_claim
from tests.compliance.listings import ask, copy_of, found, import_listings, matches, photo, work
from tests.factories import make_member, register_one
from tests.images import cropped, flat_picture, jpeg_bytes, mirrored, product_photo, wrong_crc_png, zip_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
LISTING = {"product_id": "P1", "image": "1.jpg", "category": "shoes", "listed_at": "2026-05-01", "shop_country": "CN"}
REGISTERED = Question(scope=Scope.REGISTERED)


@pytest.fixture
def listings(log, seller) -> None:
    """P1 and P2 with pictures 1 and 2, analysed and in the search."""
    pictures = {f"{number}.jpg": photo(number) for number in (1, 2)}
    import_listings(seller, LISTING, {"product_id": "P2", "image": "2.jpg"}, pictures=pictures)
    work()


@pytest.fixture
def original(log, seller):
    registered = register_one(seller, seed=9)
    work()
    return registered


def claim_of(run: SearchRun):
    return parse_claim("query.recorded", bytes(run.statement.claim))


# What is found --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("listings")
def test_a_copy_is_found_and_named_by_how_it_equals(seller):
    kinds = {
        Verdict.IDENTICAL_FILE: photo(1),
        Verdict.SAME_PICTURE: jpeg_bytes(product_photo(1, (480, 600)), quality=60),
        Verdict.EDITED_COPY: jpeg_bytes(product_photo(1, (480, 600)).rotate(9, expand=True, fillcolor=(250, 250, 250))),
    }
    for kind, content in kinds.items():
        run = ask(seller, content)
        assert (run.state, run.verdict, matches(run)) == (RunState.DONE, kind, ["P1"])


@pytest.mark.usefixtures("listings")
def test_a_mirrored_copy_is_found(seller):
    assert matches(ask(seller, jpeg_bytes(mirrored(product_photo(1, (480, 600)))))) == ["P1"]


@pytest.mark.usefixtures("listings")
def test_a_different_picture_is_no_match_and_that_is_recorded(seller):
    run = ask(seller, photo(77))
    assert (matches(run), run.verdict) == ([], Verdict.NO_MATCH)
    assert claim_of(run)["verdict"] == "nothing_found"
    assert run.statement.outcome == "passed"


def test_an_empty_gallery_answers_nothing(seller, assert_log_valid):
    run = ask(seller, photo(1))
    assert (run.verdict, found(run), claim_of(run)["searched"]) == (
        Verdict.NO_MATCH,
        [],
        {"originals": 0, "listing_images": 0},
    )
    assert assert_log_valid() == 1


def test_at_most_five_candidates_best_first(seller):
    rows = [{"product_id": f"P{n}", "image": f"{n}.jpg"} for n in range(8)]
    import_listings(seller, *rows, pictures={f"{n}.jpg": photo(n) for n in range(8)})
    work()
    run = ask(seller, copy_of(3))
    scores = [row.score for row in run.candidates.all()]
    assert len(scores) <= 5
    assert (found(run)[0], scores) == ("P3", sorted(scores, reverse=True))


@pytest.mark.usefixtures("listings")
def test_the_candidate_keeps_the_facts_of_that_moment(seller):
    run = ask(seller, photo(1))
    facts = run.candidates.get(rank=1).facts
    assert (facts["kind"], facts["ref"], facts["shop_country"]) == ("listing", "P1", "CN")
    assert facts["listed_at"].startswith("2026-05-01")
    assert (facts["url"], facts["title"], facts["delisted_at"]) == ("", "", "")


def test_a_registered_original_is_found_with_its_number_and_time(seller, original):
    run = ask(seller, jpeg_bytes(product_photo(9), quality=50))
    row = run.candidates.get(rank=1)
    assert (row.original, row.facts["ref"], row.facts["entry"]) == (
        original,
        original.number,
        original.statement.entry_id,
    )
    assert row.facts["listed_at"] == original.registered_at.isoformat()


@pytest.mark.usefixtures("listings")
def test_an_original_that_is_the_query_is_left_out_of_the_answer(seller, original):
    run = ask(seller, original=original)
    assert original.number not in found(run)
    assert (run.source, run.verdict) == ("original", Verdict.NO_MATCH)


def test_the_listings_picture_of_ones_own_original_is_found(seller, original):
    stolen = {"product_id": "STOLEN", "image": "x.jpg"}
    import_listings(seller, stolen, pictures={"x.jpg": jpeg_bytes(product_photo(9), quality=40)})
    work()
    assert matches(ask(seller, original=original)) == ["STOLEN"]


@pytest.mark.usefixtures("listings")
def test_what_was_done_to_a_copy_is_named_with_its_measure(seller):
    turned = product_photo(1, (480, 600)).rotate(-12, resample=Image.Resampling.BICUBIC, expand=True)
    width, height = turned.size
    copy = turned.crop((int(width * 0.2), int(height * 0.2), int(width * 0.85), int(height * 0.85)))
    run = ask(seller, jpeg_bytes(copy))
    edits = run.candidates.get(rank=1).evidence["edits"]
    assert (matches(run), run.verdict) == (["P1"], Verdict.EDITED_COPY)
    assert {"turned", "cropped"} <= set(edits["names"])
    assert edits["turned"] == pytest.approx(12, abs=0.5)
    assert edits["kept"] == pytest.approx(0.6, abs=0.15)


def test_a_changed_copy_is_found_beside_the_same_file(seller):
    photo_1 = product_photo(1)
    changed = photo_1.rotate(5, resample=Image.Resampling.BICUBIC).crop((60, 60, 740, 940))
    rows = [{"product_id": "SAME", "image": "1.jpg"}, {"product_id": "CHANGED", "image": "2.jpg"}]
    import_listings(seller, *rows, pictures={"1.jpg": jpeg_bytes(photo_1), "2.jpg": jpeg_bytes(changed)})
    work()
    assert matches(ask(seller, jpeg_bytes(photo_1))) == ["SAME", "CHANGED"]


def test_a_small_picture_among_others_is_found_and_called_contained(seller, original):
    collage = Image.new("RGB", (1000, 1000), (245, 245, 245))
    for n, place in enumerate([(20, 20), (520, 20), (20, 520), (520, 520)]):
        collage.paste(product_photo(9 if n == 2 else 40 + n).resize((352, 440)), place)
    run = ask(seller, jpeg_bytes(collage))
    assert (matches(run), run.verdict) == ([original.number], Verdict.CONTAINED)
    place = run.candidates.get(rank=1).evidence["place"]
    assert place[0] == pytest.approx([0.02, 0.52], abs=0.02)
    assert place[2] == pytest.approx([0.372, 0.96], abs=0.02)


def test_the_same_search_gives_the_same_answer_bit_by_bit(seller, original):
    copy = jpeg_bytes(product_photo(9).rotate(7, expand=True))
    answers = [[(row.score_milli, row.evidence) for row in ask(seller, copy).candidates.all()] for _again in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0][1]["lines"]


def test_a_plain_picture_is_found_by_its_bytes_only(seller):
    plain = jpeg_bytes(flat_picture(size=(400, 400)))
    rows = [{"product_id": "PLAIN", "image": "1.jpg"}, {"product_id": "OTHER", "image": "2.jpg"}]
    pictures = {"1.jpg": plain, "2.jpg": jpeg_bytes(flat_picture((9, 9, 9), (400, 400)))}
    import_listings(seller, *rows, pictures=pictures)
    work()
    assert found(ask(seller, plain)) == ["PLAIN"]


# Scope, category, threshold -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("listings", "original")
def test_scope_registered_leaves_listings_out(seller, original):
    assert ask(seller, photo(1), question=REGISTERED).searched["listing_images"] == 0
    assert found(ask(seller, photo(1), question=REGISTERED)) in ([], [original.number])


def test_the_last_90_days_go_by_listing_time_else_by_first_seen(seller):
    recently = (timezone.now() - timedelta(days=5)).isoformat()
    long_ago = (timezone.now() - timedelta(days=200)).isoformat()
    rows = [
        {"product_id": "NEW", "image": "1.jpg", "listed_at": recently},
        {"product_id": "OLD", "image": "2.jpg", "listed_at": long_ago},
        {"product_id": "UNDATED", "image": "3.jpg", "listed_at": ""},
    ]
    import_listings(seller, *rows, pictures={f"{n}.jpg": photo(n) for n in (1, 2, 3)})
    work()
    recent = Question(scope=Scope.RECENT)
    run = ask(seller, photo(2), question=recent)
    assert set(found(run)) <= {"NEW", "UNDATED"}
    assert run.searched["listing_images"] == searched_counts(seller, recent)["listing_images"] == 2
    assert claim_of(run)["scope"] == "recent"


@pytest.mark.usefixtures("listings")
def test_a_category_is_a_filter_not_a_hint(seller):
    shoes = ask(seller, photo(2), question=Question(category="shoes"))
    assert (matches(shoes), shoes.searched["listing_images"], claim_of(shoes)["category"]) == ([], 1, "shoes")
    assert matches(ask(seller, photo(1), question=Question(category="shoes"))) == ["P1"]


@pytest.mark.usefixtures("listings")
def test_the_threshold_divides_matches_from_candidates(seller):
    edited = jpeg_bytes(cropped(product_photo(1, (480, 600)), 0.02))
    score = ask(seller, edited).candidates.get(rank=1).score
    assert 50 < score < 99
    low, high = int(score), min(100, int(score) + 1)
    assert matches(ask(seller, edited, question=Question(threshold=low))) == ["P1"]
    assert matches(ask(seller, edited, question=Question(threshold=high))) == []


@pytest.mark.parametrize(
    "wrong",
    [{"scope": "other"}, {"threshold": 49}, {"threshold": 101}, {"category": "no-such"}],
)
def test_a_question_that_means_nothing_cannot_be_asked(wrong):
    with pytest.raises(ValueError, match="no such"):
        Question(**wrong)


# What is recorded -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("listings", "original")
def test_the_entry_says_what_was_searched_and_found(seller, alice, assert_log_valid):
    entries = Entry.objects.count()
    run = ask(seller, copy_of(1), actor=alice, name="stolen?.jpg")
    claim = claim_of(run)
    assert claim["searched"] == {"originals": 1, "listing_images": 2}
    assert claim["query"]["sha256"] == bytes(run.image.sha256).hex()
    assert (claim["threshold"], claim["verdict"], claim["scope"]) == (85, "matches_found", "all")
    assert claim["results"][0]["sha256"] == bytes(run.candidates.get(rank=1).image.sha256).hex()
    statement = run.statement
    assert (statement.kind, statement.number, statement.actor) == ("query.recorded", run.number, alice)
    assert (statement.label, statement.outcome) == ("stolen?.jpg", "needs-you")
    assert assert_log_valid() == entries + 1


@pytest.mark.usefixtures("listings")
def test_running_an_answered_search_again_changes_nothing(seller):
    run = ask(seller, photo(1))
    before = (Entry.objects.count(), Candidate.objects.count(), run.finished_at)
    again = run_search(run.pk)
    assert (Entry.objects.count(), Candidate.objects.count(), again.finished_at) == before


@pytest.mark.usefixtures("listings")
def test_the_job_answers_once_however_often_it_is_delivered(seller, alice):
    run = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)))
    assert (run.state, failure_of(run)) == (RunState.WAITING, "")
    for _delivery in range(2):
        run_job(run.job_id)
    run.refresh_from_db()
    assert (run.state, run.job.state, run.candidates.count()) == (RunState.DONE, JobState.DONE, 1)
    assert Statement.objects.filter(kind="query.recorded").count() == 1


def test_the_same_request_is_asked_once(seller, alice):
    ask_once = partial(start_search, actor=alice, seller=seller, request_id="r1")
    first = ask_once(question=Question(), upload=Upload("q.jpg", photo(1)))
    assert ask_once(question=Question(), upload=Upload("q.jpg", photo(1))) == first
    assert ask_once(question=Question(), upload=Upload("q.jpg", photo(2))) != first
    assert ask_once(question=Question(threshold=92), upload=Upload("q.jpg", photo(1))) != first
    assert Job.objects.count() == SearchRun.objects.count() == 3


@pytest.mark.usefixtures("listings")
def test_a_query_gets_its_previews_but_never_joins_the_gallery(seller):
    run = ask(seller, photo(50))
    image = ImageFile.objects.get(pk=run.image_id)
    assert (image.state, image.has_thumbnails, image.width) == (ImageState.READY, True, 480)
    assert not hasattr(image, "gallery_item")
    assert found(ask(seller, photo(50))) == found(run)


# Whose pictures -------------------------------------------------------------------------------------------------------


def test_the_same_picture_at_another_seller_is_never_found_nor_counted(seller, other_seller):
    import_listings(other_seller, LISTING, pictures={"1.jpg": photo(1)})
    register_one(other_seller, seed=2)
    work()
    empty = {"originals": 0, "listing_images": 0, "newest_import": ""}
    run = ask(seller, photo(1))
    assert (found(run), run.verdict, run.searched) == ([], Verdict.NO_MATCH, empty)
    assert searched_counts(seller) == empty
    assert not waiting_pictures(seller).exists()
    assert matches(ask(other_seller, photo(1))) == ["P1"]


def test_a_query_of_another_seller_leaves_nothing_behind(seller, other_seller, listings):
    before = found(ask(seller, photo(60)))
    ask(other_seller, photo(60))
    assert found(ask(seller, photo(60))) == before


def test_an_original_of_another_seller_cannot_be_the_query(seller, other_seller, original):
    both = make_member("agency@example.org", seller, "owner")
    make_member("agency@example.org", other_seller, "owner")
    with pytest.raises(PermissionDenied):
        start_search(actor=both, seller=other_seller, question=Question(), original=original)
    assert not SearchRun.objects.exists()


@pytest.mark.parametrize("person", ["bob", "mallory"])
def test_who_may_not_query_leaves_no_picture_behind(request, seller, person):
    with pytest.raises(PermissionDenied):
        start_search(
            actor=request.getfixturevalue(person),
            seller=seller,
            question=Question(),
            upload=Upload("q.jpg", photo(1)),
        )
    assert not (SearchRun.objects.exists() or ImageFile.objects.exists())  # noqa: PT018


def test_pictures_taken_out_of_the_gallery_are_not_found(seller, listings):
    (image_id,) = ImageFile.objects.filter(listing_image__listing__product_id="P1").values_list("pk", flat=True)
    assert remove_from_gallery(seller=seller, image_ids=[image_id]) == 1
    run = ask(seller, photo(1))
    assert ("P1" in found(run), run.searched["listing_images"]) == (False, 1)


def test_waiting_pictures_are_those_that_no_search_sees_yet(seller):
    import_listings(seller, LISTING, pictures={"1.jpg": photo(1)})
    start_search(actor=None, seller=seller, question=Question(), upload=Upload("q.jpg", photo(5)), enqueue=False)
    assert waiting_pictures(seller).count() == 1
    work()
    assert not waiting_pictures(seller).exists()


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "code"), [(b"", "empty_file"), (zip_bytes(), "unsupported_type")])
def test_what_is_no_picture_is_refused_before_anything_is_kept(seller, content, code):
    with pytest.raises(ImagingError) as refused:
        start_search(actor=None, seller=seller, question=Question(), upload=Upload("q.jpg", content))
    assert refused.value.code == code
    assert not SearchRun.objects.exists()


def test_a_query_that_cannot_be_decoded_fails_with_its_name_and_can_be_tried_again(seller, alice):
    run = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.png", wrong_crc_png()))
    run_job(run.job_id)
    run.refresh_from_db()
    assert (run.state, failure_of(run), run.job.state) == (RunState.FAILED, run.error_code, JobState.FAILED)
    assert run.error_code in TEXTS
    again = retry_search(actor=alice, run=run)
    assert (again.state, failure_of(again), again.job_id) == (RunState.WAITING, "", run.job_id)
    assert retry_search(actor=alice, run=again).job_id == run.job_id
    assert Job.objects.filter(kind="search.run").count() == 1


def test_a_search_without_a_worker_is_lost_only_after_a_while(seller, alice):
    run = start_search(actor=None, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)), enqueue=False)
    assert failure_of(run) == ""
    run.created_at -= LOST_AFTER * 2
    run.save()
    assert failure_of(run) == LOST
    again = retry_search(actor=alice, run=run)
    assert failure_of(again) == ""
    run_job(again.job_id)
    again.refresh_from_db()
    assert again.state == RunState.DONE


def test_a_viewer_cannot_retry(seller, bob):
    run = start_search(actor=None, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)), enqueue=False)
    with pytest.raises(PermissionDenied):
        retry_search(actor=bob, run=run)


def test_an_original_filed_under_another_category_is_found_there(seller, alice, original):
    shoes = Question(category="shoes")
    assert found(ask(seller, photo(9), question=shoes)) == []
    rename_original(actor=alice, original=original, title="", category="shoes")
    work()
    run = ask(seller, photo(9), question=shoes)
    assert (found(run), run.searched["originals"]) == ([original.number], 1)


# A query from the web -------------------------------------------------------------------------------------------------


class Shop(BaseHTTPRequestHandler):
    """Serves what the test put into `pages`: path -> (status, headers, body)."""

    pages: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def do_GET(self) -> None:
        status, headers, body = self.pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Be quiet."""


@contextmanager
def shop(pages) -> Iterator[partial]:
    """A fetch whose every public name leads to a server on the loopback."""
    handler = type("Handler", (Shop,), {"pages": pages})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.server_port), timeout_s)

    def resolve(host: str) -> list[str]:
        return ["192.168.1.4" if host.startswith("intranet") else "8.8.4.4"]

    try:
        yield partial(fetch_url, resolve=resolve, connect=connect)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def from_url(seller, url: str, fetch) -> SearchRun:
    run = start_search(actor=None, seller=seller, question=Question(), url=url, enqueue=False)
    return run_search(run.pk, fetch=fetch)


@pytest.mark.usefixtures("listings")
def test_a_picture_behind_an_address_is_fetched_sealed_and_searched(seller):
    with shop({"/a/1.webp?x=1": (200, {"Content-Type": "image/webp"}, photo(1))}) as fetch:
        run = from_url(seller, "http://shop.example/a/1.webp?x=1", fetch)
    assert (run.source, matches(run), run.statement.label) == ("url", ["P1"], "1")
    assert bytes(run.image.sha256) == bytes(run.candidates.get(rank=1).image.sha256)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://shop.example/page.html", "fetch.unsupported_type"),
        ("http://shop.example/missing", "fetch.http_error"),
        ("http://intranet.example/1.jpg", "fetch.private_address"),
        ("http://127.0.0.1/1.jpg", "fetch.private_address"),
        ("http://shop.example/loop", "fetch.too_many_redirects"),
        ("file:///etc/hostname", "fetch.bad_scheme"),
        ("http://shop.example:8080/1.jpg", "fetch.bad_port"),
        ("http://a:b@shop.example/1.jpg", "fetch.credentials"),
        ("http://shop.example/zip.jpg", "corrupt_image"),
    ],
)
def test_an_address_that_cannot_be_read_is_named(seller, url, code):
    pages = {
        "/page.html": (200, {"Content-Type": "text/html"}, b"<html>" * 10),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/zip.jpg": (200, {}, b"\xff\xd8\xff\xe0" + bytes(40)),
    }
    with shop(pages) as fetch, pytest.raises(JobError) as failed:
        from_url(seller, url, fetch)
    run = SearchRun.objects.get()
    assert (failed.value.code, run.error_code, run.state) == (code, code, RunState.FAILED)
    assert not Entry.objects.exists()


def test_every_way_a_fetch_fails_has_words():
    assert {f"fetch.{code}" for code in FETCH_CODES} <= TEXTS.keys()
