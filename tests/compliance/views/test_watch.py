"""The pages of the watch: the queue and its keys, clusters, shops, what stays filtered, and how many queries it takes."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from compliance.models import Listing, ListingImage, MatchState, SellerRule, WatchMatch
from ledger.models import Blob, ImageFile, ImageState
from tests.compliance.matches import edited_match, many_matches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
QUEUE = reverse("compliance:watch")
CLUSTERS = reverse("compliance:watch_clusters")
SHOPS = reverse("compliance:watch_shops")
MOST_QUERIES = 16


def words(response) -> str:
    text = re.sub(r"<(script|style)[\s\S]*?</\1>|<[^>]+>", " ", response.content.decode())
    return " ".join(text.split())


def hidden(response, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())[1]


def test_without_a_match_the_page_says_where_they_come_from(client_of, ivan):
    assert "Nothing to decide" in words(client_of(ivan).get(QUEUE))


def test_a_match_stands_beside_its_original_with_the_evidence(client_of, ivan, seller):
    match = edited_match(seller)
    page = client_of(ivan).get(QUEUE)
    said = words(page)
    assert "Theirs: P1" in said
    assert "mirrored" in said
    assert "What agrees" in said
    assert f"/watch/{match.number}/agreement.png" in page.content.decode()
    assert client_of(ivan).get(reverse("compliance:match_agreement", args=[match.number])).content[:4] == b"\x89PNG"


def test_one_button_decides_and_the_next_match_comes(client_of, ivan, seller):
    many_matches(seller, 5)
    client = client_of(ivan)
    page = client.get(QUEUE)
    first = WatchMatch.objects.order_by("-pk")[0]
    following = WatchMatch.objects.order_by("-pk")[1]
    data = {"decision": "copy", "next": hidden(page, "next"), "query": hidden(page, "query"), "reason": "seen"}
    answer = client.post(reverse("compliance:match_decide", args=[first.number]), data, follow=True)
    first.refresh_from_db()
    assert (first.state, first.reason) == ("copy", "seen")
    assert reverse("compliance:match", args=[following.number]) in answer.content.decode()
    assert "Last decided: copy." in words(answer)


def test_undo_brings_the_match_back_to_the_front(client_of, ivan, seller):
    match = edited_match(seller)
    client = client_of(ivan)
    client.post(reverse("compliance:match_decide", args=[match.number]), {"decision": "ours"})
    page = client.get(QUEUE)
    answer = client.post(
        reverse("compliance:watch_undo"),
        {"batch": hidden(page, "batch"), "number": hidden(page, "number"), "query": ""},
        follow=True,
    )
    match.refresh_from_db()
    assert match.state == MatchState.OPEN
    assert "Theirs: P1" in words(answer)


def test_filters_survive_a_decision(client_of, ivan, seller):
    many_matches(seller, 12)
    client = client_of(ivan)
    page = client.get(QUEUE, {"shop": "id:s3"})
    current = re.search(r'action="/watch/(\w+)/decide/"', page.content.decode())[1]
    answer = client.post(
        reverse("compliance:match_decide", args=[current]), {"decision": "copy", "query": hidden(page, "query")}
    )
    assert answer["Location"].startswith(f"{QUEUE}?shop=id%3As3")


@pytest.mark.parametrize("query", ["next=//evil.example", "state=open\0", "at=%00", "before=9" * 300, "state=nothing"])
def test_no_address_is_taken_from_the_form(client_of, ivan, seller, query):
    match = edited_match(seller)
    client = client_of(ivan)
    answer = client.post(
        reverse("compliance:match_decide", args=[match.number]),
        {"decision": "later", "query": query, "next": "//evil.example"},
    )
    assert answer["Location"].startswith(f"{QUEUE}?")
    assert "evil" not in answer["Location"]
    assert client.get(answer["Location"]).status_code == 200


def test_what_is_no_decision_is_named(client_of, ivan, seller):
    match = edited_match(seller)
    answer = client_of(ivan).post(reverse("compliance:match_decide", args=[match.number]), {"decision": "mine"})
    assert answer.status_code == 400
    assert "no decision" in words(answer)


def test_a_thousand_matches_cost_as_many_queries_as_few(client_of, ivan, seller):
    many_matches(seller, 3)
    client = client_of(ivan)
    client.get(QUEUE)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(QUEUE)
    pictures = list(WatchMatch.objects.order_by("pk"))
    _multiply(seller, pictures[-1], 1000)
    for url in (QUEUE, CLUSTERS, f"{CLUSTERS}?by=shop", SHOPS, f"{QUEUE}?shop=id:s1"):
        with CaptureQueriesContext(connection) as many:
            assert client.get(url).status_code == 200
        assert len(many) <= max(len(few), MOST_QUERIES), url
    assert len(few) <= MOST_QUERIES


def _multiply(seller, match: WatchMatch, count: int) -> None:
    """Matches of one picture with a thousand originals' rows would need their files; rows of listings are enough."""
    catalogue = match.listing_image.listing.catalogue
    listings = Listing.objects.bulk_create(
        Listing(seller=seller, catalogue=catalogue, product_id=f"X{n}", shop_name=f"Shop {n % 7}") for n in range(count)
    )
    blobs = Blob.objects.bulk_create(Blob(seller=seller, size_bytes=1, wrapped_key=b"k") for _ in range(count))
    images = ImageFile.objects.bulk_create(
        ImageFile(
            seller=seller,
            blob=blob,
            sha256=bytes(32),
            size_bytes=1,
            file_name="x.jpg",
            format="JPEG",
            state=ImageState.READY,
        )
        for blob in blobs
    )
    pictures = ListingImage.objects.bulk_create(
        ListingImage(seller=seller, listing=listing, image=image, sha256=bytes(32))
        for listing, image in zip(listings, images, strict=True)
    )
    WatchMatch.objects.bulk_create(
        WatchMatch(
            seller=seller,
            original=match.original,
            listing_image=picture,
            engine=match.engine,
            score_milli=90_000,
            verdict=match.verdict,
            transform=match.transform,
            evidence=match.evidence,
            shop_key=f"id:s{n % 10}",
            shop_name=f"Shop {n % 10}",
        )
        for n, picture in enumerate(pictures)
    )


def test_pages_of_fifty_lead_on(client_of, ivan, seller):
    match = edited_match(seller)
    _multiply(seller, match, 60)
    page = client_of(ivan).get(QUEUE).content.decode()
    assert page.count('class="om-card-item') == 50
    assert 'rel="next"' in page


def test_a_whole_cluster_is_decided_at_once(client_of, ivan, seller):
    many_matches(seller, 12)
    client = client_of(ivan)
    assert "Shop 3" in words(client.get(CLUSTERS, {"by": "shop"}))
    answer = client.post(
        reverse("compliance:watch_cluster_decide"), {"by": "shop", "key": "id:s3", "decision": "copy"}, follow=True
    )
    assert WatchMatch.objects.filter(state="copy", shop_key="id:s3").count() == 1
    assert "1 match decided: copy." in words(answer)


def test_a_shop_is_denied_and_then_nothing_is_said_of_it_again(client_of, ivan, seller):
    edited_match(seller)
    client = client_of(ivan)
    client.post(SHOPS, {"shop": "id:n-1", "kind": "deny", "note": "second time"})
    assert SellerRule.objects.get().note == "second time"
    assert "Denied shop" in words(client.get(QUEUE))
    client.post(SHOPS, {"shop": "id:n-1", "kind": ""})
    assert not SellerRule.objects.exists()


def test_a_shop_nobody_found_is_refused(client_of, ivan, seller):
    assert client_of(ivan).post(SHOPS, {"shop": "id:none", "kind": "deny"}).status_code == 400


def test_repeat_offenders_and_relistings_are_named(client_of, ivan, seller):
    match = edited_match(seller)
    client = client_of(ivan)
    client.post(reverse("compliance:match_decide", args=[match.number]), {"decision": "copy"})
    said = words(client.get(reverse("compliance:match", args=[match.number])))
    assert "Repeat offender" in said
    assert "1 picture of this shop was called a copy." in said


@pytest.mark.parametrize(("listed_at", "is_named"), [("2001-01-01", True), ("2090-01-01", False)])
def test_who_listed_it_before_the_registration_is_named(client_of, ivan, seller, listed_at, is_named):
    edited_match(seller, listed_at=listed_at)
    assert ("Listed before you registered" in words(client_of(ivan).get(QUEUE))) is is_named


def test_the_overview_counts_what_waits_for_those_who_decide(client_of, ivan, olga, seller):
    edited_match(seller)
    assert "1 copy found in listings" in words(client_of(ivan).get("/"))
    assert "found in listings" not in words(client_of(olga).get("/"))


def test_operators_and_viewers_have_no_watch(client_of, olga, bob, seller):
    edited_match(seller)
    for person in (olga, bob):
        client = client_of(person)
        assert client.get(QUEUE).status_code == 403
        assert QUEUE not in client.get("/").content.decode()
