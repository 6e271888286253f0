"""Outside time: one token per checkpoint, its digest in the log, and no fault of an authority costs anything."""

import datetime as dt
import functools
import hashlib
import json

import pytest
from django.core.exceptions import PermissionDenied

from ledger.anchors import tsa
from ledger.models import AuthorityCall, Entry, Job, Original, Statement, TimeAuthority, TimestampToken
from ledger.services import anchoring, authorities
from ledger.services.anchoring import anchor_now, stamp, stamp_if_due, wanted
from ledger.services.authorities import AuthorityError, AuthoritySettings, save_authority, state_of, try_authority
from ledger.services.log import latest_checkpoint, seal
from ledger.services.outside_time import outside_time
from ledger.tlog import x509_path
from ledger.tlog.timestamp import verify_timestamp
from tests.factories import register_one
from tests.ledger.anchors.authority_server import FAULTS
from tests.ledger.tlog.clocks import NOW, Clock, make_middle, revocation_list

pytestmark = pytest.mark.django_db

SHORT = functools.partial(tsa.request_token, timeout_s=0.3)


@pytest.fixture
def registered(log, seller) -> Original:
    original = register_one(seller)
    seal()
    return original


def test_a_sealed_entry_gets_a_token_and_the_log_gets_its_digest(registered, authority, ticking, assert_log_valid):
    (token,) = stamp(now=ticking)
    checkpoint = latest_checkpoint()
    assert token.checkpoint == checkpoint
    assert bytes(token.note) == checkpoint.note.encode()
    anchor = Statement.objects.get(entry=token.entry)
    claim = json.loads(bytes(anchor.claim))
    assert claim["token"]["sha256"] == hashlib.sha256(bytes(token.response)).hexdigest()
    assert claim["attested_at"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert (anchor.kind, anchor.seller, anchor.entry_id) == ("anchor", None, 1)
    assert_log_valid()


def test_one_token_per_checkpoint_never_per_file(log, seller, authority, server, ticking):
    for seed in range(5):
        register_one(seller, seed + 1)
    seal()
    assert len(stamp(now=ticking)) == 1
    ticking.pass_by(hours=1)
    assert stamp(now=ticking) == []
    assert len(server.requests) == 1


def test_a_quiet_log_is_not_stamped_again_and_again(registered, authority, server, ticking):
    stamp(now=ticking)
    for _ in range(5):
        seal()  # the anchor entry itself gets into a checkpoint
        ticking.pass_by(minutes=2)
        stamp(now=ticking)
    assert len(server.requests) == 1


def test_what_comes_later_is_bracketed(registered, authority, ticking, seller):
    (first,) = stamp(now=ticking)
    later = register_one(seller, 2)
    ticking.pass_by(minutes=1)
    seal()
    (second,) = stamp(now=ticking)
    found = outside_time(later.statement.entry_id)
    assert (found.earlier, found.later) == (first, (second,))
    assert found.level == 2
    assert outside_time(registered.statement.entry_id).earlier is None


def test_two_authorities_make_level_three(registered, server, second_server, use_authority, ticking):
    use_authority(server, "First")
    use_authority(second_server, "Second", priority=20)
    assert len(stamp(now=ticking)) == 2
    assert outside_time(registered.statement.entry_id).level == 3


def test_an_accredited_authority_makes_level_three_alone(registered, server, use_authority, ticking):
    use_authority(server, is_accredited=True)
    stamp(now=ticking)
    assert outside_time(registered.statement.entry_id).level == 3


def test_two_clocks_of_one_root_are_one(registered, server, use_authority, ticking):
    use_authority(server, "First")
    use_authority(server, "Same house")
    assert len(stamp(now=ticking)) == 2
    assert outside_time(registered.statement.entry_id).level == 2


def test_as_many_as_wanted_are_asked_in_order_of_priority(
    registered, server, second_server, use_authority, ticking, settings
):
    settings.TSA_QUORUM = 1
    use_authority(server, "Spare", priority=20)
    use_authority(second_server, "Preferred", priority=5)
    (token,) = stamp(now=ticking)
    assert token.authority.name == "Preferred"
    assert server.requests == []


def test_a_spare_steps_in(registered, server, second_server, use_authority, ticking, settings):
    settings.TSA_QUORUM = 1
    use_authority(server, "Preferred", priority=5)
    use_authority(second_server, "Spare", priority=20)
    server.fault = "503"
    (token,) = stamp(now=ticking)
    assert token.authority.name == "Spare"


def test_the_second_authority_stamps_the_checkpoint_of_the_first(
    registered, server, second_server, use_authority, ticking, seller
):
    use_authority(server, "First")
    use_authority(second_server, "Second")
    second_server.fault = "503"
    (first,) = stamp(now=ticking)
    seal()  # by now a newer checkpoint exists, with the anchor in it
    second_server.fault = ""
    ticking.pass_by(minutes=25)
    (second,) = stamp(now=ticking)
    assert second.checkpoint == first.checkpoint
    assert outside_time(registered.statement.entry_id).level == 3


# Faults, each by a real server ----------------------------------------------------------------------------------

CODES = {
    "hanging": "timeout",
    "503": "http_error",
    "429": "http_error",
    "html": "timestamp.syntax",
    "wrong nonce": "timestamp.nonce",
    "wrong imprint": "timestamp.imprint",
    "another authority": "timestamp.untrusted",
    "no usage": "timestamp.usage",
    "sha1": "timestamp.algorithm",
    "expired": "timestamp.expired",
    "rejection": "timestamp.rejected",
    "replay": "timestamp.imprint",
    "too large": "too_large",
    "drops the line": "http_error",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_and_costs_nothing(registered, authority, server, ticking, seller, fault, assert_log_valid):
    if fault == "replay":
        stamp(now=ticking)
        register_one(seller, 3)
        seal()
        ticking.pass_by(minutes=2)
    before, tokens = Entry.objects.count(), TimestampToken.objects.count()
    server.fault = fault
    assert stamp(now=ticking, ask=SHORT) == []
    authority.refresh_from_db()
    assert authority.last_error == CODES[fault]
    assert authority.rest_until > ticking()
    assert (Entry.objects.count(), TimestampToken.objects.count()) == (before, tokens)
    register_one(seller, 9)  # registering goes on
    seal()
    server.fault = ""
    ticking.pass_by(hours=1)
    assert len(stamp(now=ticking)) == 1
    authority.refresh_from_db()
    assert (authority.failures, authority.rest_until) == (0, None)
    assert_log_valid()


def test_a_dead_authority_is_named(registered, authority, server, ticking):
    server.stop()
    assert stamp(now=ticking, ask=SHORT) == []
    authority.refresh_from_db()
    assert authority.last_error == "http_error"


def test_a_replay_of_the_same_note_is_caught_by_its_nonce(registered, authority, server, ticking):
    stamp(now=ticking)
    TimestampToken.objects.all().delete()
    server.fault = "replay"
    ticking.pass_by(minutes=2)
    assert stamp(now=ticking) == []
    authority.refresh_from_db()
    assert authority.last_error == "timestamp.nonce"


def test_an_unsorted_chain_is_no_fault(registered, authority, server, ticking):
    assert server.clock.certificates == "reversed"
    (token,) = stamp(now=ticking)
    assert token.chain.count("BEGIN CERTIFICATE") == 3


def test_an_authority_that_asks_for_patience_gets_it(registered, authority, server, ticking):
    server.fault = "429"
    stamp(now=ticking)
    server.fault = ""
    ticking.pass_by(minutes=19)
    assert stamp(now=ticking) == []
    ticking.pass_by(minutes=2)
    assert len(stamp(now=ticking)) == 1


def test_rests_grow_and_the_breaker_opens(registered, authority, server, ticking):
    authority_of = TimeAuthority.objects.get
    server.fault = "html"
    rests = []
    for _ in range(12):
        stamp(now=ticking)
        rests.append(authority_of().rest_until - ticking())
        ticking.pass_by(seconds=rests[-1].total_seconds() + 60)
    assert rests == sorted(rests)
    assert rests[0] == dt.timedelta(seconds=15)
    assert rests[-1] == dt.timedelta(hours=1)
    stamp(now=ticking)
    assert state_of(authority_of(), ticking()).state == "open"


def test_the_quota_holds_whatever_happens(log, seller, authority, server, ticking):
    for minute in range(20):  # every 15 seconds something new
        register_one(seller, minute + 1)
        seal()
        stamp(now=ticking)
        ticking.pass_by(seconds=15)
    assert len(server.requests) == 5
    assert AuthorityCall.objects.count() == 5


def test_a_quota_of_many_in_a_long_window(log, seller, server, use_authority, ticking):
    use_authority(server, quota_calls=3, quota_window_s=1200)
    for number in range(10):
        register_one(seller, number + 1)
        seal()
        stamp(now=ticking)
        ticking.pass_by(seconds=60)
    assert len(server.requests) == 3


def test_a_day_without_the_authority_costs_nothing_and_one_call_catches_up(
    log, seller, authority, server, ticking, assert_log_valid
):
    server.fault = "503"
    originals = []
    for hour in range(24):
        originals.append(register_one(seller, hour + 1))  # none fails
        seal()
        for _ in range(4):
            stamp(now=ticking)
            ticking.pass_by(minutes=15)
    asked = len(server.requests)
    assert TimestampToken.objects.count() == 0
    server.fault = ""
    ticking.pass_by(hours=1)
    assert len(stamp(now=ticking)) == 1
    assert len(server.requests) == asked + 1
    assert all(outside_time(original.statement.entry_id).level == 2 for original in originals)
    assert asked < 40  # not every quarter of an hour: the breaker was open
    assert_log_valid()


def test_before_the_certificate_expires_one_token_renews_the_archive(registered, authority, server, ticking):
    (old,) = stamp(now=ticking)
    seal()
    ticking.pass_by(days=300)
    assert stamp(now=ticking) == []
    ticking.pass_by(days=40)  # 25 days are left
    end = ticking() + dt.timedelta(days=365)
    server.clock = Clock(  # the authority has a new certificate
        root=server.clock.root, middle=make_middle(server.clock.root, end=end), end=end, at=ticking()
    )
    (new,) = stamp(now=ticking)
    assert new.checkpoint_id > old.entry_id  # so it covers the anchor of the old one
    assert new.valid_until > old.valid_until
    seal()
    ticking.pass_by(days=2)
    assert stamp(now=ticking) == []


def test_a_revoked_authority_is_no_longer_believed(registered, authority, server, ticking, seller):
    middle = server.clock.middle
    crl = revocation_list(middle, server.clock.certificate, at=NOW)
    authority.crls, authority.crls_at = x509_path.crl_pem([crl]).decode(), NOW
    authority.save()
    assert stamp(now=ticking) == []
    authority.refresh_from_db()
    assert authority.last_error == "timestamp.revoked"


# Who decides ----------------------------------------------------------------------------------------------------


def test_the_chore_asks_for_a_job_only_when_there_is_something_to_do(registered, authority, ticking):
    job = stamp_if_due()
    assert (job.kind, job.seller) == ("anchors.stamp", None)
    assert stamp_if_due() == job  # the same one while it waits
    Job.objects.all().delete()
    stamp(now=ticking)
    assert stamp_if_due() is None


def test_without_an_authority_nothing_happens(registered):
    assert stamp_if_due() is None
    assert stamp() == []


def test_a_person_may_ask_for_it_at_once(registered, authority, alice, bob, seller, ticking):
    stamp(now=ticking)
    job = anchor_now(actor=alice, seller=seller)
    assert job.args == {"at_request": True}
    ticking.pass_by(minutes=2)
    assert len(stamp(at_request=True, now=ticking)) == 1
    with pytest.raises(PermissionDenied):
        anchor_now(actor=bob, seller=seller)


def test_nobody_stamps_twice_at_the_same_moment(registered, authority, ticking):
    (token,) = stamp(now=ticking)
    answer = tsa.Answer(bytes(token.response), verify_timestamp(bytes(token.response), bytes(token.note)))
    assert anchoring._keep(authority, token.checkpoint, answer, ticking()) == token
    assert Statement.objects.filter(kind="anchor").count() == 1


def test_authorities_are_decided_by_who_runs_the_site(alice, bob, mallory, server):
    wanted = AuthoritySettings("X", server.url, x509_path.pem_of([server.clock.anchor]).decode(), allows_local=True)
    for person in (bob, mallory, alice):  # alice owns one of two sellers
        with pytest.raises(PermissionDenied):
            save_authority(actor=person, wanted=wanted)
    alice.is_site_staff = True
    alice.save()
    assert save_authority(actor=alice, wanted=wanted).name == "X"


def test_the_owner_of_the_only_seller_runs_the_site(alice, bob, server):
    wanted = AuthoritySettings("X", server.url, x509_path.pem_of([server.clock.anchor]).decode(), allows_local=True)
    assert save_authority(actor=alice, wanted=wanted).is_enabled
    with pytest.raises(PermissionDenied):
        save_authority(actor=bob, wanted=wanted)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "ftp://x.example"}, "authority_url"),
        ({"url": "http://user@x.example/"}, "authority_url"),
        ({"url": "http://127.0.0.1:318/"}, "authority_local"),
        ({"trust_anchors": "hello"}, "authority_anchors"),
        ({"name": "First"}, "authority_name"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(authority, server, change, code):
    fields = {"name": "X", "url": "https://tsa.example:318/", "trust_anchors": authority.trust_anchors}
    with pytest.raises(AuthorityError) as caught:
        save_authority(actor=None, wanted=AuthoritySettings(**(fields | change)))
    assert caught.value.code == code


def test_local_addresses_are_asked_only_when_allowed(registered, authority, ticking):
    TimeAuthority.objects.update(allows_local=False)
    stamp(now=ticking)
    authority.refresh_from_db()
    assert authority.last_error == "private_address"


def test_trying_an_authority_says_what_is_wrong(authority, server, alice, bob):
    server.clock.at = NOW
    answer = try_authority(actor=None, authority=authority, nonce=5)
    assert answer.stamp.gen_time == NOW
    with pytest.raises(AuthorityError, match="authority_quota"):
        try_authority(actor=None, authority=authority, nonce=5)
    AuthorityCall.objects.all().delete()
    server.fault = "html"
    with pytest.raises(AuthorityError, match=r"timestamp\.syntax"):
        try_authority(actor=None, authority=authority, nonce=5)
    with pytest.raises(PermissionDenied):
        try_authority(actor=bob, authority=authority, nonce=5)


def test_a_switched_off_authority_is_not_asked(registered, authority, server, ticking):
    TimeAuthority.objects.update(is_enabled=False)
    assert stamp(now=ticking) == []
    assert server.requests == []
    assert authorities.trusted_anchors() == [server.clock.anchor]


def test_wanted_says_nothing_before_the_first_checkpoint(log, authority):
    assert wanted(NOW) is None
