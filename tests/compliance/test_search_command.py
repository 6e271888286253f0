"""search_copies: the search from the command line, without a queue."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from compliance.models import SearchRun
from ledger.models import ImageFile, ImageState, Job, JobState
from tests.compliance.listings import copy_of, import_listings, photo
from tests.factories import register_one

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
LISTING = {
    "product_id": "P1",
    "image": "1.jpg",
    "title": "Red dress",
    "listed_at": "2026-05-01",
    "shop_country": "CN",
    "url": "https://shop.example/P1",
}


@pytest.fixture
def query(tmp_path: Path) -> Path:
    path = tmp_path / "queries" / "query.jpg"
    path.parent.mkdir()
    path.write_bytes(copy_of(1))
    return path


def run_command(*words: str | Path) -> tuple[list[str], str]:
    out, err = StringIO(), StringIO()
    call_command("search_copies", *map(str, words), stdout=out, stderr=err)
    return out.getvalue().splitlines(), err.getvalue()


def answers(*words: str | Path) -> list[dict]:
    return [json.loads(line) for line in run_command(*words, "--json")[0]]


def test_each_picture_gets_one_json_object(seller, query, assert_log_valid):
    import_listings(seller, LISTING, pictures={"1.jpg": photo(1)})
    (answer,) = answers(query, "--seller", seller.slug, "--scope", "all", "--threshold", "85")
    run = SearchRun.objects.get()
    assert list(answer) == ["file", "number", "verdict", "searched", "candidates", "seq", "took_ms"]
    assert (answer["file"], answer["number"], answer["seq"]) == (str(query), run.number, run.statement.entry_id)
    assert (answer["verdict"], answer["searched"]["listing_images"]) == ("same_picture", 1)
    first = answer["candidates"][0]
    assert (first.pop("score") > 85, first) == (
        True,
        {
            "rank": 1,
            "verdict": "same_picture",
            "ref": "P1",
            "kind": "listing",
            "title": "Red dress",
            "listed_at": "2026-05-01T00:00:00+00:00",
            "shop_country": "CN",
            "url": "https://shop.example/P1",
            "registered": False,
            "edits": [],
        },
    )
    assert assert_log_valid() == 1


def test_what_the_feed_did_not_say_is_null(seller, query):
    import_listings(seller, {"product_id": "P1", "image": "1.jpg"}, pictures={"1.jpg": photo(1)})
    first = answers(query, "--seller", seller.slug)[0]["candidates"][0]
    assert (first["listed_at"], first["shop_country"], first["url"]) == (None, None, None)


def test_a_registered_original_says_so(seller, query):
    original = register_one(seller, seed=1)
    first = answers(query, "--seller", seller.slug)[0]["candidates"][0]
    assert (first["ref"], first["registered"], first["kind"]) == (original.number, True, "original")


def test_pictures_that_wait_are_analysed_first(seller, query):
    import_listings(seller, LISTING, pictures={"1.jpg": photo(1)})
    register_one(seller, seed=2)
    lines, err = run_command(query, "--seller", seller.slug, "--json")
    assert "2 new pictures" in err
    searched = json.loads(lines[0])["searched"]
    assert (searched["originals"], searched["listing_images"]) == (1, 1)
    assert not ImageFile.objects.filter(state=ImageState.SEALED).exists()


def test_without_waiting_only_what_is_ready_is_searched(seller, query):
    import_listings(seller, LISTING, pictures={"1.jpg": photo(1)})
    (answer,) = answers(query, "--seller", seller.slug, "--no-wait")
    assert (answer["verdict"], answer["candidates"]) == ("no_match", [])


def test_nothing_is_put_into_the_queue(seller, query):
    answers(query, "--seller", seller.slug)
    assert not Job.objects.filter(state=JobState.QUEUED).exists()


def test_a_file_that_cannot_be_searched_is_named_and_the_rest_goes_on(seller, query, tmp_path):
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    given = answers(tmp_path / "missing.jpg", tmp_path / "text.jpg", query, "--seller", seller.slug)
    codes = [answer.get("error", {}).get("code") for answer in given]
    assert codes == ["search.file_unreadable", "unsupported_type", None]


def test_a_folder_stands_for_its_files(seller, query):
    assert [answer["file"] for answer in answers(query.parent, "--seller", seller.slug)] == [str(query)]


def test_words_for_people(seller, query):
    register_one(seller, seed=1)
    lines, _err = run_command(query, "--seller", seller.slug)
    assert lines[0].startswith(str(query))
    assert lines[1].endswith("registered")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seller", "nobody"], "no seller nobody"),
        (["--seller", "acme", "--threshold", "20"], "50 to 100"),
        (["--seller", "acme", "--scope", "everything"], "invalid choice"),
        (["--seller", "acme", "--category", "shoelaces"], "invalid choice"),
    ],
)
def test_a_search_that_means_nothing_is_refused(seller, query, words, message):
    with pytest.raises(CommandError, match=message):
        run_command(query, *words)
