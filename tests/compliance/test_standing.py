"""Strikes and quota of stores: recorded by hand, withdrawn, counted where the store is, shown where they matter."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from compliance.models import StoreEvent
from compliance.services.standing import Happening, record_event, set_store_rules, standings_of, withdraw_event
from ledger.accounts.models import Store
from ledger.accounts.services import add_store
from tests.compliance.check_pairs import checked

PAGE = reverse("compliance:standing")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in Shanghai


@pytest.fixture
def store(seller):
    return add_store(actor=None, seller=seller, marketplace="aliexpress", name="Harbour Shop", shop_id="1")


def fail(store, moment=NOON, **changes):
    return record_event(actor=None, store=store, happening=Happening("failure", moment, **changes))


def submit(store, moment=NOON, amount=1):
    return record_event(actor=None, store=store, happening=Happening("submission", moment, amount=amount))


def standing(store, now=NOON):
    (found,) = standings_of(seller=store.seller, now=now)
    return found


def words(response):
    return " ".join(response.content.decode().split())


def test_failures_count_per_store_and_a_mistake_is_withdrawn(seller, store, alice):
    other = add_store(actor=None, seller=seller, marketplace="temu", name="Other", shop_id="2")
    events = [fail(store) for _ in range(2)]
    fail(other)
    found = {each.store.name: each.strikes for each in standings_of(seller=seller, now=NOON)}
    assert (found["Harbour Shop"].state, found["Harbour Shop"].count, found["Other"].count) == ("warning", 2, 1)
    withdraw_event(actor=alice, event=events[0])
    withdraw_event(actor=None, event=events[0])
    event = StoreEvent.objects.get(pk=events[0].pk)
    assert (event.withdrawn_by, StoreEvent.objects.count()) == (alice, 3)
    assert {each.strikes.count for each in standings_of(seller=seller, now=NOON)} == {1}


def test_the_quota_counts_each_submission_of_the_store_s_own_day(store):
    submit(store, amount=28)
    submit(store)
    assert (standing(store).quota.left, standing(store).is_low) == (1, True)
    evening = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
    assert standing(store, evening).quota.left == 1
    midnight = evening + timedelta(minutes=1)  # in Shanghai
    assert (standing(store, midnight).quota.left, f"{standing(store, midnight).quota.day}") == (30, "2026-03-03")
    submit(store, amount=50)
    assert standing(store).quota.left == 0


def test_tier_calendar_and_time_zone_are_the_store_s(seller, store, alice, olga):
    submit(store, amount=10)
    values = {"store": store, "tier": "growth", "calendar": "WEEKENDS", "time_zone": "America/New_York"}
    with pytest.raises(PermissionDenied):
        set_store_rules(actor=olga, **values)
    with pytest.raises(ValidationError):
        set_store_rules(actor=alice, **values | {"time_zone": "Mars/Olympus"})
    set_store_rules(actor=alice, **values)
    found = standing(Store.objects.get())
    assert (found.quota.limit, f"{found.quota.day}", found.calendar.name) == (100, "2026-03-01", "WEEKENDS")
    assert found.quota.left == 90


def test_a_time_zone_the_machine_does_not_know_counts_as_utc(store):
    Store.objects.update(time_zone="Nowhere/Land")
    assert f"{standing(Store.objects.get()).quota.day}" == "2026-03-02"


def test_rights_and_refusals(seller, other_seller, store, bob, mallory, log):
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            record_event(actor=person, store=store, happening=Happening("failure", NOON))
    with pytest.raises(ValidationError):
        fail(store, timezone.now() + timedelta(hours=1))
    with pytest.raises(ValidationError):
        submit(store, amount=0)
    with pytest.raises(ValueError, match="another seller"):
        fail(store, run=checked(other_seller))
    event = fail(store)
    with pytest.raises(PermissionDenied):
        withdraw_event(actor=bob, event=event)


def test_the_form_reads_the_clock_of_the_store(client_of, alice, store):
    client = client_of(alice)
    sent = client.post(
        PAGE,
        {"store": store.pk, "kind": "failure", "happened_at": "2026-03-02T10:30", "product": "A1", "code": "ERR_X"},
    )
    assert sent.status_code == 302
    event = StoreEvent.objects.get()
    assert event.happened_at == datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    page = words(client.get(PAGE))
    assert "2026-03-02 10:30 CST" in page
    assert "ERR_X" in page
    client.post(reverse("compliance:standing_withdraw", args=[event.number]))
    assert "withdrawn" in words(client.get(PAGE))


def test_a_result_page_leads_to_the_form_with_its_product(client_of, alice, seller, store, log):
    run = checked(seller)
    client = client_of(alice)
    page = client.get(reverse("compliance:check", args=[run.number])).content.decode()
    assert f"{PAGE}?run={run.number}&amp;kind=failure" in page
    form = client.get(PAGE, {"run": run.number, "kind": "failure"}).context["form"]
    assert form["product"].value() == "hidden.jpg"
    client.post(PAGE, {"store": store.pk, "kind": "failure", "run": run.number})
    assert StoreEvent.objects.get().run == run


def test_another_seller_s_store_and_event_are_out_of_reach(client_of, mallory, store):
    client = client_of(mallory)
    assert client.post(PAGE, {"store": store.pk, "kind": "failure"}).status_code == 400
    assert client.post(reverse("compliance:standing_withdraw", args=[fail(store).number])).status_code == 404
    assert "Harbour Shop" not in words(client.get(PAGE))


def test_warning_and_alarm_stand_where_people_look(client_of, alice, store, log):
    client, overview = client_of(alice), reverse("compliance:overview")
    now = timezone.now()
    submit(store, now, amount=29)
    assert "Harbour Shop: few submissions left today" in words(client.get(overview))
    assert "1 of 30 submissions left today" in words(client.get(reverse("compliance:checks")))
    fail(store, now), fail(store, now)
    assert "one more failure leads to a penalty" in words(client.get(overview))
    fail(store, now)
    assert "listings are down and publishing is frozen" in words(client.get(overview))
    page = words(client.get(PAGE))
    assert "Listings are down until" in page
    assert "3 of 3 failures" in page


def test_a_seller_without_a_store_is_told_what_to_do(client_of, alice):
    assert "No store yet" in words(client_of(alice).get(PAGE))


def test_an_owner_sets_tier_and_zone_on_the_page(client_of, alice, store):
    client = client_of(alice)
    rules = reverse("compliance:standing_rules")
    client.post(rules, {"store": store.pk, "tier": "growth", "calendar": "CN", "time_zone": "Asia/Tokyo"})
    assert "100 submissions left today" in words(client.get(PAGE))
    assert "Asia/Tokyo" in words(client.get(PAGE))
    client.post(rules, {"store": store.pk, "tier": "growth", "calendar": "CN", "time_zone": "Mars"})
    assert "There is no such time zone." in words(client.get(PAGE))
