"""Erasing originals and people: who may, what goes with it, what stays, what refuses."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from compliance.models import CheckRun, HiddenShot, PackItem, QualityRun, SearchRun
from compliance.services.checks import ERASED, CheckFinishedError, retry_check
from compliance.services.gallery import update_gallery
from compliance.services.packs import PackOrder
from compliance.services.quality import check_pictures
from compliance.services.search import Question, run_search, start_search
from ledger.accounts.models import Invitation, Membership, Role, User
from ledger.accounts.services import invite
from ledger.models import Blob, Erasure, Fingerprint, ImageState, Job, Original, Statement
from ledger.services.archives import enqueue_zip
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erase_person import LastOwnerError, UnknownPersonError, erase_person, find_person
from ledger.services.erasure import AlreadyErasedError, OnHoldError, erase_original
from ledger.services.erasure_plan import preview_erasure
from ledger.services.evidence import ErasedError, certificate_of
from ledger.services.holds import place_hold, release_hold
from ledger.services.jobs import run_job
from ledger.services.log import seal
from ledger.services.originals import Upload
from ledger.services.verification import verify_own
from ledger.tlog.claims import parse_claim
from ledger.tlog.errors import ClaimError
from ledger.tlog.report import Verdict
from tests.compliance.batches import begin_batch, finish_batch, pair_files
from tests.compliance.check_pairs import HIDDEN, MAIN, PROFILE_ID, checked
from tests.compliance.pack_orders import packed
from tests.factories import make_member, register, register_one
from tests.images import jpeg_bytes, product_photo
from tests.ledger.services.test_archives import pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


def gone(original: Original) -> Original:
    return Original.with_erased.select_related("image__blob", "statement__entry").get(pk=original.pk)


def test_only_an_owner_erases(original, bob, olga, ivan):
    for person in (bob, olga, ivan):
        with pytest.raises(PermissionDenied):
            erase_original(actor=person, original=original, reason="request")
        with pytest.raises(PermissionDenied):
            preview_erasure(actor=person, original=original)


def test_the_entry_stays_and_the_rest_goes(original, alice, assert_log_valid):
    leaf = bytes(original.statement.entry.leaf_hash)
    erase_original(actor=alice, original=original, reason="request")
    left = gone(original)
    assert not Original.objects.filter(pk=original.pk).exists()
    assert (left.image.file_name, bytes(left.image.sha256), left.image.state) == ("", b"", ImageState.ERASED)
    assert (bytes(left.statement.claim), bytes(left.statement.identity), left.statement.label) == (b"", b"", "")
    assert not Fingerprint.objects.filter(image=left.image).exists()
    with pytest.raises(BlobUnreadableError):
        read_blob(left.image.blob)
    assert bytes(left.statement.entry.leaf_hash) == leaf
    assert assert_log_valid() == 2


def test_the_log_says_what_was_erased_and_nothing_about_it(original, alice):
    erasure = erase_original(actor=alice, original=original, reason="legal")
    (seq,) = erasure.entries
    statement = Statement.objects.get(entry=seq)
    assert parse_claim("erasure", bytes(statement.claim)) == {
        "kind": "erasure",
        "v": 1,
        "entries": [{"seq": 0, "leaf": bytes(original.statement.entry.leaf_hash).hex()}],
        "scope": ["claim", "identity", "files"],
        "reason": "legal",
    }
    seal()
    assert verify_own(statement).verdict is Verdict.PASSED


def test_every_other_proof_is_as_it_was(original, seller, alice):
    other = register_one(seller, 2, analyse=True)
    erase_original(actor=alice, original=original, reason="request")
    seal()
    assert verify_own(other.statement).verdict is Verdict.PASSED
    report = verify_own(gone(original).statement)
    assert report.verdict is Verdict.INDETERMINATE, "the claim is not there to compare with"
    assert {check.verdict for check in report.checks if check.name == "inclusion"} == {Verdict.PASSED}


def test_a_reason_that_the_format_does_not_know_changes_nothing(original, alice):
    with pytest.raises(ClaimError):
        erase_original(actor=alice, original=original, reason="because")
    assert Original.objects.filter(pk=original.pk).exists()
    assert not Erasure.objects.exists()


def test_a_second_erasure_is_refused_by_name(original, alice):
    erase_original(actor=alice, original=original, reason="request")
    with pytest.raises(AlreadyErasedError):
        erase_original(actor=alice, original=original, reason="request")


def test_a_hold_refuses_until_it_is_released(original, alice, ivan):
    hold = place_hold(actor=ivan, original=original, reason="case 7 is open")
    assert preview_erasure(actor=alice, original=original).holds == ("case 7 is open",)
    with pytest.raises(OnHoldError) as refusal:
        erase_original(actor=alice, original=original, reason="request")
    assert refusal.value.reasons == ("case 7 is open",)
    release_hold(actor=ivan, hold=hold)
    erase_original(actor=alice, original=original, reason="request")


def test_operators_place_no_holds_and_a_hold_needs_a_reason(original, olga, ivan):
    with pytest.raises(PermissionDenied):
        place_hold(actor=olga, original=original, reason="x")
    with pytest.raises(ValueError, match="reason"):
        place_hold(actor=ivan, original=original, reason="  ")


def test_the_same_bytes_can_be_registered_again(original, seller, alice):
    erase_original(actor=alice, original=original, reason="mistake")
    (answer,) = register(seller, jpeg_bytes(product_photo(1)))
    assert answer.status == "registered"
    assert answer.original is not None
    assert answer.original.statement.entry_id == 2


def test_another_sellers_same_picture_is_untouched(original, other_seller, alice):
    theirs = register_one(other_seller, analyse=True)
    erase_original(actor=alice, original=original, reason="request")
    assert read_blob(theirs.image.blob) == jpeg_bytes(product_photo(1))
    assert Original.objects.filter(pk=theirs.pk).exists()


def test_certificates_are_named_as_handed_out_and_are_not_made_again(original, alice):
    certificate = certificate_of(actor=alice, original=original)
    digest = bytes(certificate.sha256).hex()
    erasure = erase_original(actor=alice, original=original, reason="request")
    assert [(row["kind"], row["sha256"]) for row in erasure.handed_out] == [("certificate", digest)]
    with pytest.raises(ErasedError):
        certificate_of(actor=alice, original=gone(original))


def test_a_search_that_found_it_forgets_it_and_keeps_the_rest(original, seller, alice):
    twin = register_one(seller, 2, analyse=True)
    update_gallery(seller=seller, image_ids=[original.image_id, twin.image_id])
    run = start_search(
        actor=alice,
        seller=seller,
        question=Question(threshold=50),
        upload=Upload("q.jpg", jpeg_bytes(product_photo(1), 60)),
    )
    run_search(run.pk)
    assert run.candidates.filter(original=original).exists()
    others = run.candidates.exclude(original=original).count()
    erase_original(actor=alice, original=original, reason="request")
    run = SearchRun.objects.select_related("statement").get(pk=run.pk)
    assert (run.state, run.candidates.count()) == ("done", others)
    assert run.statement is not None
    assert run.statement.erasure is not None


def test_a_search_with_it_and_a_check_of_it_are_over_for_good(log, seller, alice):
    (answer,) = register(seller, HIDDEN, analyse=True)
    assert answer.original is not None
    search = start_search(actor=alice, seller=seller, question=Question(), original=answer.original)
    check = checked(seller, actor=alice, main=MAIN, hidden=HIDDEN)
    erase_original(actor=alice, original=answer.original, reason="request")
    assert run_search(search.pk).error_code == ERASED
    check = CheckRun.objects.get(pk=check.pk)
    assert (check.error_code, check.report, check.heatmap, check.findings.count()) == (ERASED, {}, None, 0)
    assert check.hidden_image.state == check.main_image.state == ImageState.ERASED
    with pytest.raises(CheckFinishedError):
        retry_check(actor=alice, run=check)


def test_packs_made_from_it_go_and_those_of_others_stay(log, seller, alice):
    answers = register(seller, *(jpeg_bytes(product_photo(n)) for n in (1, 2)), analyse=True)
    first, second = (answer.original for answer in answers)
    assert first is not None
    assert second is not None
    packed(seller, PackOrder("A-1", first), PackOrder("B-2", second), actor=alice)
    erase_original(actor=alice, original=first, reason="request")
    mine, theirs = PackItem.objects.order_by("position")
    assert (mine.error_code, mine.files, mine.report) == (ERASED, (), {})
    assert theirs.sku == "B-2"
    assert all(read_blob(file.image.blob) for _role, file in theirs.files)


def test_an_unpacked_archive_is_destroyed_at_once_and_a_failed_one_by_an_erasure(original, seller, alice):
    packed_again = pack({"photo-0.jpg": jpeg_bytes(product_photo(1))})
    good = enqueue_zip(actor=alice, seller=seller, name="photo-0.jpg", content=packed_again)
    run_job(good.pk)
    with pytest.raises(BlobUnreadableError):
        read_blob(Blob.objects.get(pk=good.args["blob_id"]))
    bad = enqueue_zip(actor=alice, seller=seller, name="more.zip", content=packed_again)
    Job.objects.filter(pk=bad.pk).update(state="dead")
    erase_original(actor=alice, original=original, reason="request")
    bad.refresh_from_db()
    assert bad.args == {}
    good.refresh_from_db()
    assert "photo-0.jpg" not in str(good.args) + good.progress_note


# People -----------------------------------------------------------------------------------------------------------


def test_a_person_goes_and_what_they_registered_stays(log, seller, alice, assert_log_valid):
    yu = make_member("yu@example.org", seller, Role.OPERATOR)
    original = register_one(seller, actor=yu, analyse=True)
    invited = invite(actor=alice, seller=seller, email="yu@elsewhere.example", role=Role.VIEWER)
    Invitation.objects.filter(pk=invited.invitation.pk).update(accepted_by=yu)
    certificate_of(actor=alice, original=original)
    erasure = erase_person(actor=alice, seller=seller, user=yu, reason="request")
    assert erasure.lost == {"memberships": 1, "identities": 1, "invitations": 1, "certificates": 1}
    assert not User.objects.filter(email="yu@example.org").exists()
    assert not Invitation.objects.filter(email="yu@elsewhere.example").exists()
    statement = Statement.objects.get(pk=original.statement_id)
    assert (statement.actor, bytes(statement.identity)) == (None, b"")
    assert statement.claim
    assert verify_own(statement).verdict is Verdict.PASSED
    assert certificate_of(actor=alice, original=Original.objects.get(pk=original.pk)).pk
    assert_log_valid()


def test_a_person_of_two_sellers_stays_with_the_other(log, seller, other_seller, alice):
    yu = make_member("yu@example.org", seller, Role.OPERATOR)
    Membership.objects.create(user=yu, seller=other_seller, role=Role.OPERATOR)
    theirs = register_one(other_seller, actor=yu)
    erase_person(actor=alice, seller=seller, user=yu, reason="request")
    assert [m.seller for m in User.objects.get(pk=yu.pk).memberships.all()] == [other_seller]
    statement = Statement.objects.get(pk=theirs.statement_id)
    assert statement.actor == yu
    assert statement.identity


def test_the_last_owner_and_strangers_are_refused(log, seller, alice, mallory):
    with pytest.raises(LastOwnerError):
        erase_person(actor=alice, seller=seller, user=alice, reason="request")
    with pytest.raises(UnknownPersonError):
        find_person(seller=seller, email=mallory.email)
    with pytest.raises(UnknownPersonError):
        erase_person(actor=alice, seller=seller, user=mallory, reason="request")


def test_an_owner_may_go_when_there_is_another(log, seller, alice):
    make_member("lin@example.org", seller, Role.OWNER)
    erasure = erase_person(actor=alice, seller=seller, user=alice, reason="request")
    assert Erasure.objects.get(pk=erasure.pk).actor is None
    assert not User.objects.filter(email="alice@example.org").exists()


def test_its_row_in_a_batch_goes_with_what_was_sent_and_the_other_rows_stay(log, seller, alice):
    files = pair_files("S1", "S2")
    original = register(seller, files["S1_hidden.jpg"], actor=alice)[0].original
    batch = finish_batch(begin_batch(seller, files, actor=alice))
    archive = batch.archive
    erase_original(actor=alice, original=original, reason="request")
    batch.refresh_from_db()
    first, second = batch.items.order_by("position")
    assert (first.sku, first.main_name, first.hidden_name, first.error_code) == ("", "", "", ERASED)
    assert (second.sku, second.run.verdict, second.run.error_code) == ("S2", "PASSED", "")
    assert batch.archive is None
    with pytest.raises(BlobUnreadableError):
        read_blob(Blob.objects.get(pk=archive.pk))
    assert set(HiddenShot.objects.values_list("sku", flat=True)) <= {"S2"}


def test_a_quality_check_of_it_forgets_what_it_saw(log, seller, alice):
    photo = jpeg_bytes(product_photo(1, (700, 700)))
    original = register(seller, photo, actor=alice)[0].original
    (line,) = check_pictures(actor=alice, seller=seller, uploads=[Upload("a.jpg", photo, "q")], profile_id=PROFILE_ID)
    erase_original(actor=alice, original=original, reason="request")
    run = QualityRun.objects.get(number=line.number)
    assert (run.file_name, bytes(run.sha256), run.report, run.verdict) == ("", b"", {}, "")
