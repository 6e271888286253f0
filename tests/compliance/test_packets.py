"""Packets built from cases: gate first, every byte under the recorded manifest, nothing private unless ticked."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from PIL import Image

from compliance.models import Capture, CaseAttachment, CasePacket, CaseStatement, Listing, WatchMatch
from compliance.packets.errors import ItemTooLargeError
from compliance.services.case_files import gate_of
from compliance.services.gallery import update_gallery
from compliance.services.packet_exhibits import PRIVATE, Ticks
from compliance.services.packets import (
    GateClosedError,
    build_packet,
    draft_letter,
    packet_file,
    packet_part,
    packet_proof,
)
from compliance.services.watch import watch_gallery
from ledger.accounts.numbers import new_number
from ledger.models import Handout, Statement
from ledger.services.anchoring import stamp
from ledger.services.authorities import AuthoritySettings, save_authority
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erasure import OnHoldError, erase_original
from ledger.services.erasure_plan import preview_erasure
from ledger.services.evidence import ErasedError
from ledger.services.evidence_sets import add_files, open_draft, register_set
from ledger.services.holds import place_hold, release_hold
from ledger.services.log import own_policy, seal
from ledger.services.originals import Upload
from ledger.tlog.bundle import format_bundle, read_bundle
from ledger.tlog.claims import parse_claim
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from ledger.tlog.x509_path import pem_of
from tests.compliance.captured import capture_page
from tests.compliance.cases.complete import every_kind
from tests.compliance.complete_case import THEIR_URL, attach, complete_case
from tests.compliance.listings import ask, import_listings, work
from tests.compliance.test_checks_service import text_of
from tests.factories import register, register_one
from tests.images import jpeg_bytes, product_photo
from tests.ledger.anchors.authority_server import FaultyAuthority, Ticking

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

SERIAL = "SN-0123-SECRET"
# Stands for 48.8566 N 2.3522 E.
LATITUDE, LONGITUDE = (48.0, 51.0, 23.76), (2.0, 21.0, 7.92)


def with_place(seed: int = 1) -> bytes:
    """A JPEG whose EXIF holds a place and a serial number."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: LATITUDE, 3: "E", 4: LONGITUDE}
    exif[0x8769] = {0xA431: SERIAL}
    exif[0x010F], exif[0x0110] = "Canon", "EOS R6"
    product_photo(seed).save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def parts_of(packet: CasePacket) -> list[bytes]:
    return [read_blob(part.blob) for part in packet.parts.select_related("blob")]


def names_in(packet: CasePacket) -> set[str]:
    return {row[0] for row in packet.files}


# The gate


# tests/compliance/packets has every kind of every target; here one of each goes through database, signature and log.
FIRST_KINDS = {target: kind for target, kind in reversed(every_kind()) if target != "cn_court"}


@pytest.mark.parametrize(("target", "kind"), sorted(FIRST_KINDS.items()))
def test_every_target_gets_a_complete_packet_whose_parts_verify(seller, alice, target, kind):
    packet = build_packet(actor=alice, case=complete_case(seller, target, kind))
    for part in parts_of(packet):
        report = verify_bundle(part, own_policy())
        assert (report.verdict, report.unchecked) == (Verdict.PASSED, ())
    assert {"00-read-me.txt", "03-fields.txt", "04-packet.json", "10-work-1-certificate.pdf"} <= names_in(packet)


def test_a_court_bundle_waits_for_an_outside_clock(seller, alice):
    with pytest.raises(GateClosedError) as refused:
        build_packet(actor=alice, case=complete_case(seller, "cn_court", "court_bundle"))
    assert [item.id for item in refused.value.gate.missing] == ["works.proven"]


def test_a_court_bundle_carries_the_outside_clocks_reading(seller, alice):
    """A real authority answers over HTTP; the token goes into the bundle of the work and is checked with it."""
    case = complete_case(seller, "cn_court", "court_bundle")
    seal()
    server = FaultyAuthority()
    try:
        anchors = pem_of([server.clock.anchor]).decode()
        wanted = AuthoritySettings("First", server.url, anchors, allows_local=True)
        save_authority(actor=None, wanted=wanted)
        (token,) = stamp(now=Ticking(server))
    finally:
        server.stop()
    packet = build_packet(actor=alice, case=case)
    (part,) = parts_of(packet)
    assert verify_bundle(part, own_policy()).verdict is Verdict.PASSED
    files = read_bundle(part)
    inner = next(files[name] for name in files if name.startswith("packet/10-work-1-") and name.endswith(".zip"))
    report = verify_bundle(inner, own_policy(), anchors=[server.clock.anchor])
    assert report.verdict is Verdict.PASSED
    assert [(time.side, time.stamp.gen_time, time.stamp.anchored) for time in report.times] == [
        ("later", token.gen_time, True)
    ]


def test_what_is_missing_is_named_and_nothing_is_recorded(seller, alice):
    case = complete_case(seller, "dmca_512c3")
    CaseStatement.objects.filter(case=case, which="good_faith").delete()
    before = Statement.objects.count()
    with pytest.raises(GateClosedError, match="good_faith"):
        build_packet(actor=alice, case=case)
    assert (CasePacket.objects.count(), Statement.objects.count()) == (0, before)


def test_a_draft_is_there_all_the_same_and_is_marked(seller, alice):
    case = complete_case(seller, "dmca_512c3", signature="")
    printed = text_of(draft_letter(actor=alice, case=case, language="en"))
    assert "DRAFT" in printed
    assert not CasePacket.objects.exists()


def test_captures_of_the_listing_count_for_the_gate(seller):
    case = complete_case(seller, "cn_ecl42", captures=False)
    CaseAttachment.objects.filter(case=case, role="infringing_screenshot").delete()
    assert "infringement.capture" in [item.id for item in gate_of(case).missing]
    capture_page(seller, url=THEIR_URL)
    assert gate_of(case).is_open


def test_an_attached_file_over_the_cap_is_refused_by_its_name(seller, alice):
    case = complete_case(seller, "aliexpress_seed")
    attach(case, "other", b"%PDF" + bytes(9_999_000), "application/pdf")
    with pytest.raises(ItemTooLargeError, match="40-other-"):
        build_packet(actor=alice, case=case)
    assert not CasePacket.objects.exists()


# The record and the verifier


def test_the_entry_commits_to_the_manifest_and_names_nobody(seller, alice, assert_log_valid):
    case = complete_case(seller)
    packet = build_packet(actor=alice, case=case)
    claim = parse_claim("packet.recorded", bytes(packet.statement.claim))
    manifest = read_bundle(parts_of(packet)[0])["originals/0001.json"]
    assert claim["manifest"] == {"sha256": hashlib.sha256(manifest).hexdigest(), "size": len(manifest)}
    assert (claim["target"], claim["purpose"], claim["parts"]) == ("temu_portal", "complaint", packet.parts.count())
    assert claim["case"] == hashlib.sha256(case.number.encode()).hexdigest()
    assert not {"Acme", case.number, THEIR_URL} & set(bytes(packet.statement.claim).decode().split('"'))
    assert_log_valid()


def test_a_changed_byte_in_any_file_is_found_and_named(seller, alice):
    (part,) = parts_of(build_packet(actor=alice, case=complete_case(seller)))
    files = {name: data for name, data in read_bundle(part).items() if name != "SHA256SUMS"}
    for name in sorted(name for name in files if name.startswith("packet/")):
        data = files[name]
        changed = format_bundle(files | {name: data[:-1] + bytes([data[-1] ^ 1])})  # with fitting SHA256SUMS
        report = verify_bundle(changed, own_policy())
        assert (report.verdict, report.disagreement.item) == (Verdict.FAILED, name)
        assert report.disagreement.code == "packet.digest"


def test_a_file_too_many_another_manifest_and_a_missing_file_are_found(seller, alice):
    (part,) = parts_of(build_packet(actor=alice, case=complete_case(seller)))
    files = {name: data for name, data in read_bundle(part).items() if name != "SHA256SUMS"}
    report = verify_bundle(format_bundle(files | {"packet/extra.txt": b"x"}), own_policy())
    assert (report.verdict, report.disagreement.code) == (Verdict.FAILED, "packet.unlisted")
    report = verify_bundle(format_bundle(files | {"originals/0001.json": b"{}"}), own_policy())
    assert (report.verdict, report.disagreement.code) == (Verdict.FAILED, "original.digest")
    del files["packet/04-packet.json"]
    report = verify_bundle(format_bundle(files), own_policy())
    assert (report.verdict, report.disagreement.item) == (Verdict.INDETERMINATE, "packet/04-packet.json")


def test_the_programs_in_a_part_and_the_bare_verifier_agree(seller, alice, tmp_path):
    (part,) = parts_of(build_packet(actor=alice, case=complete_case(seller)))
    for answer, code, edit in (("PASSED", 0, lambda data: data), ("FAILED", 1, lambda data: data + b"!")):
        folder = tmp_path / answer
        files = {name: data for name, data in read_bundle(part).items() if name != "SHA256SUMS"}
        files["packet/03-fields.txt"] = edit(files["packet/03-fields.txt"])
        path = tmp_path / f"{answer}.zip"
        path.write_bytes(format_bundle(files))
        zipfile.ZipFile(path).extractall(folder)
        for command in (["sh", "verify.sh"], [sys.executable, "-I", "verify.py"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == code, done.stdout + done.stderr
        bare = [sys.executable, "-m", "ledger.tlog", "verify", str(path)]
        assert subprocess.run(bare, capture_output=True, check=False, cwd=Path(__file__).parents[2]).returncode == code


def test_the_letter_and_the_comparison_are_signed(seller, alice):
    packet = build_packet(actor=alice, case=complete_case(seller))
    letter = packet_file(actor=alice, packet=packet, name="01-letter-en.pdf")
    assert b"/ETSI.CAdES.detached" in letter.data
    assert f"{packet.number}" in text_of(letter.data)


def test_the_proof_of_a_packet_verifies_without_its_files(seller, alice):
    packet = build_packet(actor=alice, case=complete_case(seller))
    report = verify_bundle(packet_proof(actor=alice, packet=packet), own_policy())
    assert report.verdict is Verdict.PASSED


# What goes along


def test_no_place_no_serial_number_and_no_identity_paper_unless_ticked(seller, alice):
    (answer,) = register(seller, with_place(), analyse=True)
    case = complete_case(seller, original=answer.original, captures=False)
    capture_page(seller, url=THEIR_URL, content=with_place(7), name="shot.jpg", original=answer.original)
    attach(case, "other", with_place(8), "image/jpeg")
    packet = build_packet(actor=alice, case=case)
    raw = b"".join(parts_of(packet))
    for secret in (SERIAL.encode(), b"Exif\0\0"):
        assert secret not in raw
    assert not any(name.startswith(("40-identity", "10-work-1-original")) for name in names_in(packet))
    assert [why for name, why in packet.left_out if "capture" in name or "40-other-18" in name] == [PRIVATE, PRIVATE]


def test_what_is_ticked_goes_along_byte_for_byte(seller, alice):
    (answer,) = register(seller, with_place(), analyse=True)
    case = complete_case(seller, original=answer.original)
    packet = build_packet(actor=alice, case=case, ticks=Ticks(originals=True, private=True, identity=True))
    exact = packet_file(actor=alice, packet=packet, name="10-work-1-original.jpg")
    assert exact.data == with_place()
    assert any(name.startswith("40-identity") for name in names_in(packet))
    assert packet.left_out == []


def test_files_of_the_shoot_come_with_the_proof_of_their_set(seller, alice):
    draft = open_draft(actor=alice, seller=seller, number=new_number())
    add_files(actor=alice, draft=draft, uploads=[Upload("IMG_1.CR2", b"raw" * 900), Upload("bts/2.jpg", b"bts" * 99)])
    evidence = register_set(actor=alice, draft=draft, title="Shoot")
    case = complete_case(seller, files=list(evidence.files.all()))
    packet = build_packet(actor=alice, case=case, ticks=Ticks(originals=True))
    assert {"11-work-1-raw-1.cr2", "11-work-1-outtake-2.jpg", "12-work-1-set-1.zip"} <= names_in(packet)
    bundled = packet_file(actor=alice, packet=packet, name="12-work-1-set-1.zip")
    assert verify_bundle(bundled.data, own_policy()).verdict is Verdict.PASSED


def test_evidence_inside_a_packet_is_evidence_by_itself(seller, alice):
    packet = build_packet(actor=alice, case=complete_case(seller))
    zips = [name for name in names_in(packet) if name.endswith(".zip")]
    assert len(zips) == 3  # the original's and two captures'
    for name in zips:
        inner = packet_file(actor=alice, packet=packet, name=name)
        assert verify_bundle(inner.data, own_policy()).verdict is Verdict.PASSED


# Who, and handing out


@pytest.mark.parametrize("who", ["bob", "olga", "mallory"])
def test_only_who_works_on_cases_builds_and_takes_away(seller, alice, who, request):
    case = complete_case(seller)
    packet = build_packet(actor=alice, case=case)
    person = request.getfixturevalue(who)
    for act in (
        lambda: build_packet(actor=person, case=case),
        lambda: draft_letter(actor=person, case=case, language="en"),
        lambda: packet_part(actor=person, part=packet.parts.first()),
        lambda: packet_file(actor=person, packet=packet, name="00-read-me.txt"),
        lambda: packet_proof(actor=person, packet=packet),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_a_part_is_the_same_bytes_every_time_and_counted(seller, alice, client_of):
    packet = build_packet(actor=alice, case=complete_case(seller))
    url = reverse("compliance:packet_part", args=[packet.number, 1])
    first, second = (client_of(alice).get(url).content for _ in range(2))
    assert first == second
    assert Handout.objects.get(kind="case_packet").times == 2


def test_it_is_built_on_the_page(seller, ivan, client_of):
    case = complete_case(seller)
    url = reverse("compliance:case_packets", args=[case.number])
    answer = client_of(ivan).post(url, {"languages": ["en", "zh"]})
    packet = CasePacket.objects.get()
    assert answer["Location"] == reverse("compliance:packet", args=[packet.number])
    text = client_of(ivan).get(answer["Location"]).text
    for said in ("01-letter-zh.pdf", "not ticked", "python -m ledger.tlog verify", "Our photo is used"):
        assert said in text


def test_nothing_is_ticked_beforehand_and_a_closed_gate_has_no_button(seller, ivan, client_of):
    case = complete_case(seller)
    url = reverse("compliance:case_packets", args=[case.number])
    text = client_of(ivan).get(url).text
    assert 'name="originals"' in text
    assert text.count("checked") == 1  # the language of the case
    case.signature = ""
    case.save()
    text = client_of(ivan).get(url).text
    assert "Build and record" not in text
    assert "Signature" in text
    assert client_of(ivan).post(url, {"languages": ["en"]}).status_code == 400


# Erasing


def test_a_packet_goes_with_an_original_in_it(seller, alice, assert_log_valid):
    original = register_one(seller, analyse=True)
    packet = build_packet(actor=alice, case=complete_case(seller, original=original))
    packet_part(actor=alice, part=packet.parts.select_related("packet__statement", "blob", "seller").first())
    assert preview_erasure(actor=alice, original=original).lost["packets_built"] == 1
    erasure = erase_original(actor=alice, original=original, reason="request")
    assert "case_packet" in [row["kind"] for row in erasure.handed_out]
    packet = CasePacket.objects.select_related("statement", "seller").get(pk=packet.pk)
    assert (packet.files, bytes(packet.statement.claim)) == ([], b"")
    for part in packet.parts.select_related("blob"):
        with pytest.raises(BlobUnreadableError):
            read_blob(part.blob)
    with pytest.raises(ErasedError):
        packet_proof(actor=alice, packet=packet)
    assert Capture.objects.exclude(url="").count() == 0
    assert_log_valid()


def test_a_hold_keeps_packet_and_captures(seller, alice):
    original = register_one(seller, analyse=True)
    packet = build_packet(actor=alice, case=complete_case(seller, original=original))
    hold = place_hold(actor=alice, original=original, reason="in dispute")
    with pytest.raises(OnHoldError):
        erase_original(actor=alice, original=original, reason="request")
    assert verify_bundle(parts_of(packet)[0], own_policy()).verdict is Verdict.PASSED
    release_hold(actor=alice, hold=hold)


def test_the_page_of_an_erased_packet_says_so(seller, alice, client_of):
    original = register_one(seller, analyse=True)
    packet = build_packet(actor=alice, case=complete_case(seller, original=original))
    erase_original(actor=alice, original=original, reason="request")
    client = client_of(alice)
    assert "erased with an original" in client.get(reverse("compliance:packet", args=[packet.number])).text
    assert client.get(reverse("compliance:packet_part", args=[packet.number, 1])).status_code == 410


# The comparison


def copied(seller, original):
    """A listing whose picture is ours, turned a little and cut; both are in the search."""
    update_gallery(seller=seller, image_ids=[original.image_id])
    theirs = product_photo(1).rotate(4, expand=False).crop((60, 60, 700, 700))
    row = {"product_id": "4000", "url": THEIR_URL, "image": "1.jpg"}
    import_listings(seller, row, pictures={"1.jpg": jpeg_bytes(theirs)})
    work()
    return Listing.objects.get(product_id="4000")


def compared(seller, alice, original, run, listing) -> str:
    case = complete_case(seller, original=original, captures=False)
    case.infringements.update(listing=listing, search_number=run.number)
    packet = build_packet(actor=alice, case=case)
    pages = packet_file(actor=alice, packet=packet, name="02-comparison.pdf")
    assert b"/Subtype/Image" in pages.data
    return text_of(pages.data)


def test_a_copy_that_was_found_is_shown_beside_ours_measured_and_laid_over(seller, alice):
    original = register_one(seller, analyse=True)
    listing = copied(seller, original)
    run = ask(seller, original=original)
    text = compared(seller, alice, original, run, listing)
    assert f"{run.candidates.first().score:.1f}" in text
    assert "Theirslaidoverours" in text
    assert "turned" in text


def test_a_suspicious_picture_that_was_searched_is_compared_the_other_way_round(seller, alice):
    original = register_one(seller, analyse=True)
    copied(seller, original)
    theirs = jpeg_bytes(product_photo(1).rotate(4, expand=False).crop((60, 60, 700, 700)), quality=70)
    run = ask(seller, theirs)
    assert run.candidates.filter(original=original).exists()
    text = compared(seller, alice, original, run, None)
    assert "Theirslaidoverours" in text


def test_a_match_of_the_watch_is_measured_in_the_packet(seller, alice):
    original = register_one(seller, analyse=True)
    listing = copied(seller, original)
    watch_gallery(seller=seller)
    match = WatchMatch.objects.of(seller).get(listing_image__listing=listing, original=original)
    case = complete_case(seller, original=original, captures=False)
    case.infringements.update(listing=listing, match_number=match.number)
    packet = build_packet(actor=alice, case=case)
    text = text_of(packet_file(actor=alice, packet=packet, name="02-comparison.pdf").data)
    assert f"{match.score:.1f}" in text
    assert "Theirslaidoverours" in text


def test_without_a_search_the_pictures_stand_side_by_side_unmeasured(seller, alice):
    original = register_one(seller, analyse=True)
    case = complete_case(seller, original=original, captures=False)
    case.infringements.update(listing=copied(seller, original))
    packet = build_packet(actor=alice, case=case)
    text = text_of(packet_file(actor=alice, packet=packet, name="02-comparison.pdf").data)
    assert "notmeasured" in text
    assert "Theirslaidoverours" not in text
