"""RFC 3161 tokens: a sound one is read, and each way to be wrong has its own name."""

import datetime as dt
import shutil
import subprocess
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.anchors.local_tsa import AuthoritySettings, LocalAuthority
from ledger.tlog import errors, x509_path
from ledger.tlog.timestamp import build_request, embedded_certificates, verify_timestamp
from tests.ledger.tlog.clocks import DAY, NOW, POLICY, Clock, der, make_middle, make_root, revocation_list

NOTE = b"log.example/sample\n5\nAAAA\n\n\xe2\x80\x94 log.example/sample signature\n"


def check(clock: Clock, data: bytes | None = None, **more: Any):
    options: dict[str, Any] = {"anchors": [clock.anchor], "nonce": 7} | more
    return verify_timestamp(data or clock.stamp(NOTE), NOTE, **options)


def test_a_sound_token_says_when_by_whom_and_on_whose_word():
    clock = Clock()
    stamp = check(clock, policy=POLICY)
    assert (stamp.gen_time, stamp.authority, stamp.serial, stamp.policy) == (NOW, "Example clock", 4711, POLICY)
    assert stamp.anchored
    assert list(stamp.chain) == clock.chain
    assert not stamp.is_development
    assert stamp.valid_until == clock.end


def test_the_bare_token_is_read_like_the_whole_response():
    clock = Clock()
    response = clock.stamp(NOTE)
    bare = response[response.index(bytes.fromhex("06092a864886f70d010702")) - 4 :]
    assert check(clock, bare) == check(clock, response)


def test_a_request_is_answered_by_openssl_and_the_answer_verified(tmp_path):
    authority = LocalAuthority(tmp_path / "tsa")
    answer = authority.reply(build_request(NOTE, nonce=99))
    stamp = verify_timestamp(answer, NOTE, nonce=99, anchors=x509_path.load_certificates(authority.root_pem))
    assert stamp.anchored
    assert stamp.is_development  # it says itself that nobody should trust it


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_openssl_accepts_what_the_test_clock_makes(tmp_path):
    clock = Clock(middle=make_middle(root := make_root()), root=root)
    for name, data in {"t.tsr": clock.stamp(NOTE), "note": NOTE, "root.pem": x509_path.pem_of([clock.anchor])}.items():
        (tmp_path / name).write_bytes(data)
    command = ["openssl", "ts", "-verify", "-data", "note", "-in", "t.tsr", "-CAfile", "root.pem"]
    done = subprocess.run([*command, "-attime", str(int(NOW.timestamp()))], cwd=tmp_path, capture_output=True)
    assert b"Verification: OK" in done.stdout + done.stderr


def test_without_anchors_the_chain_is_shown_but_not_vouched_for():
    stamp = check(Clock(), anchors=())
    assert not stamp.anchored
    assert len(stamp.chain) == 2


def test_the_order_of_the_certificates_does_not_matter():
    root = make_root()
    clock = Clock(root=root, middle=make_middle(root), certificates="reversed")
    assert list(check(clock).chain) == clock.chain


def test_certificates_may_come_from_beside_the_token():
    root = make_root()
    clock = Clock(root=root, middle=make_middle(root), certificates="none")
    with pytest.raises(errors.TimestampCertificateMissing):
        check(clock)
    assert check(clock, certificates=clock.chain[::-1]).anchored
    assert embedded_certificates(clock.stamp(NOTE)) == []


def test_granted_with_changes_counts():
    assert check(Clock(status="granted_with_mods")).gen_time == NOW


def test_the_identifier_of_the_first_standard_is_understood():
    assert check(Clock(identifier="v1")).gen_time == NOW


def test_other_strong_digests_are_understood():
    assert check(Clock(imprint_digest="sha512", digest="sha512")).gen_time == NOW


def test_a_token_outlives_its_certificate():
    """Valid at genTime is what counts; that it has expired since is for renewals to worry about."""
    clock = Clock(start=NOW - 900 * DAY, end=NOW - 100 * DAY, at=NOW - 200 * DAY, root=make_root(start=NOW - 999 * DAY))
    assert check(clock).valid_until == NOW - 100 * DAY


def wrong_usage(critical, *usages):
    return (critical, list(usages))


FAULTS = {
    "timestamp.imprint": Clock(change=lambda info: info["message_imprint"].update(hashed_message=b"\1" * 32)),
    "timestamp.nonce": Clock(change=lambda info: info.update(nonce=8)),
    "timestamp.policy": Clock(change=lambda info: info.update(policy="1.2.3")),
    "timestamp.rejected": Clock(status="rejection"),
    "timestamp.certificate_missing": Clock(certificates="none"),
    "timestamp.certificate_id": Clock(identifier="wrong"),
    "timestamp.expired": Clock(end=NOW - DAY),
    "timestamp.algorithm": Clock(digest="sha1"),
    "timestamp.usage": Clock(usage=None),
}


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_has_its_name(code):
    with pytest.raises(errors.TimestampError) as caught:
        check(FAULTS[code], policy=POLICY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "clock",
    [
        Clock(usage=wrong_usage(False, ExtendedKeyUsageOID.TIME_STAMPING)),
        Clock(usage=wrong_usage(True, ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)),
        Clock(usage=wrong_usage(True, ExtendedKeyUsageOID.CODE_SIGNING)),
    ],
)
def test_a_certificate_for_anything_else_does_not_stamp_time(clock):
    with pytest.raises(errors.TimestampUsage):
        check(clock)


def test_an_answer_without_a_nonce_is_no_answer():
    with pytest.raises(errors.TimestampNonce):
        check(Clock(change=lambda info: info.update(nonce=None)))


def test_a_weak_imprint_is_refused():
    with pytest.raises(errors.TimestampAlgorithm):
        check(Clock(imprint_digest="sha1"))


def test_a_token_without_a_named_certificate_is_refused():
    with pytest.raises(errors.TimestampCertificateId):
        check(Clock(identifier="none"))


def test_not_yet_valid_is_not_valid():
    with pytest.raises(errors.TimestampExpired):
        check(Clock(start=NOW + DAY))


def test_another_authority_is_unknown_not_wrong():
    with pytest.raises(errors.TimestampUntrusted):
        check(Clock(), anchors=[Clock(root=make_root("Another root")).anchor])


def test_an_impostor_of_the_same_name_breaks_the_chain():
    clock, real = Clock(), Clock()  # two roots with one name and different keys
    with pytest.raises(errors.TimestampChain):
        check(clock, anchors=[real.anchor])


def test_whoever_may_not_issue_breaks_the_chain():
    root = make_root()
    with pytest.raises(errors.TimestampChain):
        check(Clock(root=root, middle=make_middle(root, ca=False)))


def test_a_chain_signed_with_sha1_is_refused():
    root = make_root()
    middle = make_middle(root)
    weak = Clock(root=root, middle=middle)
    weak.certificate = _resigned_with_sha1(weak.certificate, middle)
    with pytest.raises(errors.TimestampChain, match="sha1"):
        check(weak)


def _resigned_with_sha1(old, middle):
    changed = asn1_x509.Certificate.load(der(old))
    body = changed["tbs_certificate"]
    body["signature"] = {"algorithm": "sha1_ecdsa"}
    signature = middle.key.sign(body.dump(force=True), ec.ECDSA(hashes.SHA1()))  # noqa: S303
    parts = {"tbs_certificate": body, "signature_algorithm": {"algorithm": "sha1_ecdsa"}, "signature_value": signature}
    return x509.load_der_x509_certificate(asn1_x509.Certificate(parts).dump())


def test_the_authoritys_own_certificate_may_be_the_anchor():
    clock = Clock()
    stamp = check(clock, anchors=[der(clock.certificate)])
    assert stamp.anchored
    assert len(stamp.chain) == 1


def test_a_changed_signature_is_named():
    clock = Clock()
    data = bytearray(clock.stamp(NOTE))
    at = bytes(data).index(NOW.strftime("%Y%m%d%H%M%SZ").encode())
    data[at + 3] ^= 1
    with pytest.raises(errors.TimestampSignature):
        check(clock, bytes(data))


@pytest.mark.parametrize("data", [b"", b"<html>503</html>", b"\x30\x03\x02\x01\x00", b"\x30\x80", b"\0" * 500])
def test_what_is_no_answer_is_named_so(data):
    with pytest.raises(errors.TimestampSyntax):
        verify_timestamp(data, NOTE)


def test_trailing_bytes_and_every_cut_are_refused():
    clock = Clock()
    whole = clock.stamp(NOTE)
    with pytest.raises(errors.TimestampSyntax):
        check(clock, whole + b"\0")
    for cut in range(1, len(whole), 7):
        with pytest.raises(errors.TimestampError):
            check(clock, whole[:cut])


def test_no_changed_byte_changes_what_the_token_says():
    clock = Clock(certificates="none")
    whole = clock.stamp(NOTE)
    true = check(clock, certificates=clock.chain)
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
        try:
            found = check(clock, changed, certificates=clock.chain)
        except errors.TimestampError:
            continue
        assert found == true


REASONS = x509.ReasonFlags


def test_a_list_without_the_certificate_is_noted():
    clock = Clock()
    assert check(clock, crls=[revocation_list(clock.root, None)]).revocation_known
    assert not check(clock).revocation_known
    stranger = revocation_list(make_root(), clock.certificate)
    assert not check(clock, crls=[stranger]).revocation_known  # a list by another key of that name says nothing


@pytest.mark.parametrize("reason", [None, REASONS.key_compromise, REASONS.ca_compromise])
def test_a_compromised_key_spoils_earlier_tokens_too(reason):
    clock = Clock()
    crl = revocation_list(clock.root, clock.certificate, reason=reason, at=NOW + DAY)
    with pytest.raises(errors.TimestampRevoked):
        check(clock, crls=[crl])


@pytest.mark.parametrize("reason", [REASONS.superseded, REASONS.cessation_of_operation, REASONS.affiliation_changed])
def test_a_retired_key_spoils_only_later_tokens(reason):
    clock = Clock()
    later = revocation_list(clock.root, clock.certificate, reason=reason, at=NOW + DAY)
    assert check(clock, crls=[later]).revocation_known
    earlier = revocation_list(clock.root, clock.certificate, reason=reason, at=NOW - dt.timedelta(hours=1))
    with pytest.raises(errors.TimestampRevoked):
        check(clock, crls=[earlier])


def test_openssl_signing_with_sha1_is_refused(tmp_path):
    authority = LocalAuthority(tmp_path / "tsa", AuthoritySettings(signer_digest="sha1"))
    with pytest.raises(errors.TimestampAlgorithm):
        verify_timestamp(authority.reply(build_request(NOTE, nonce=1)), NOTE, nonce=1)


def test_a_policy_that_the_authority_lacks_is_a_rejection(tmp_path):
    authority = LocalAuthority(tmp_path / "tsa")
    with pytest.raises(errors.TimestampRejected, match="policy"):
        verify_timestamp(authority.reply(build_request(NOTE, nonce=1, policy="2.999.9")), NOTE)


def test_certificates_and_lists_round_trip_as_pem():
    clock = Clock()
    assert x509_path.load_certificates(x509_path.pem_of(clock.chain)) == clock.chain
    lists = [revocation_list(clock.root, None), revocation_list(clock.root, clock.certificate)]
    assert x509_path.load_crls(x509_path.crl_pem(lists)) == lists
