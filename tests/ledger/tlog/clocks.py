"""Time-stamping authorities made in Python: good ones, and ones that are wrong in exactly one way."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
POLICY = "1.3.6.1.4.1.99999.1"
TIME_STAMPING = (True, [ExtendedKeyUsageOID.TIME_STAMPING])
Certificate = x509.Certificate


def _name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


def der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Issuer:
    """A certificate authority: its key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: Certificate


def make_root(name: str = "Example root", *, start=NOW - 365 * DAY, end=NOW + 3650 * DAY) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer(key, _certificate(name, key, None, key, start=start, end=end, ca=True))


def make_middle(root: Issuer, name: str = "Example middle", *, ca: bool = True, end=NOW + 365 * DAY) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer(key, _certificate(name, key, root.certificate, root.key, ca=ca, end=end))


def _certificate(
    name, key, issuer, issuer_key, *, start=NOW - 30 * DAY, end=NOW + 365 * DAY, ca=False, usage=None
) -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.subject if issuer else _name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage[1]), critical=usage[0])
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass
class Clock:
    """One authority. Every field that a test changes makes its tokens wrong, or different, in that one way."""

    root: Issuer = field(default_factory=make_root)
    middle: Issuer | None = None
    name: str = "Example clock"
    start: dt.datetime = NOW - 30 * DAY
    end: dt.datetime = NOW + 365 * DAY
    usage: Any = TIME_STAMPING
    at: dt.datetime = NOW
    digest: str = "sha256"
    imprint_digest: str = "sha256"
    status: str = "granted"
    certificates: str = "ordered"  # none, reversed
    identifier: str = "v2"  # v1, wrong, none
    change: Any = None  # (token info fields) -> None

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = _certificate(
            self.name, self.key, self.issuer.certificate, self.issuer.key,
            start=self.start, end=self.end, usage=self.usage,
        )  # fmt: skip

    @property
    def issuer(self) -> Issuer:
        return self.middle or self.root

    @property
    def chain(self) -> list[bytes]:
        """DER, from the signer upwards."""
        return [der(self.certificate), *([der(self.middle.certificate)] if self.middle else []), self.anchor]

    @property
    def anchor(self) -> bytes:
        return der(self.root.certificate)

    def answer(self, request: bytes) -> bytes:
        """The response to a DER TimeStampReq."""
        wanted = tsp.TimeStampReq.load(request)
        policy = wanted["req_policy"].native or POLICY
        return self.respond(wanted["message_imprint"]["hashed_message"].native, wanted["nonce"].native, policy)

    def stamp(self, message: bytes, nonce: int | None = 7) -> bytes:
        return self.respond(hashlib.new(self.imprint_digest, message).digest(), nonce, POLICY)

    def respond(self, imprint: bytes, nonce: int | None, policy: str) -> bytes:
        if self.status not in ("granted", "granted_with_mods"):
            info = tsp.PKIStatusInfo({"status": self.status, "status_string": ["come back tomorrow"]})
            return core.Sequence.load(b"\x30" + bytes([len(info.dump())]) + info.dump()).dump()
        fields: dict[str, Any] = {
            "version": "v1",
            "policy": policy,
            "message_imprint": {"hash_algorithm": {"algorithm": self.imprint_digest}, "hashed_message": imprint},
            "serial_number": 4711,
            "gen_time": self.at,
            "nonce": nonce,
        }
        if self.change:
            self.change(fields)
        token = self._token(tsp.TSTInfo({key: value for key, value in fields.items() if value is not None}))
        return tsp.TimeStampResp({"status": {"status": self.status}, "time_stamp_token": token}).dump()

    def _token(self, info: tsp.TSTInfo) -> cms.ContentInfo:
        content = core.ParsableOctetString(info.dump())
        attributes = [
            _attribute("content_type", "tst_info"),
            _attribute("message_digest", hashlib.new(self.digest, info.dump()).digest()),
            *self._identifier(),
        ]
        signed = cms.CMSAttributes(attributes)
        own = asn1_x509.Certificate.load(der(self.certificate))
        hash_class: Any = {"sha256": hashes.SHA256, "sha1": hashes.SHA1, "sha512": hashes.SHA512}[self.digest]
        signer = {
            "version": "v1",
            "sid": {"issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}},
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": self.digest}),
            "signed_attrs": signed,
            "signature_algorithm": {"algorithm": f"{self.digest}_ecdsa"},
            "signature": self.key.sign(signed.untag().dump(), ec.ECDSA(hash_class())),
        }
        chain = [asn1_x509.Certificate.load(each) for each in self.chain]
        carried = {"none": [], "ordered": chain, "reversed": chain[::-1]}[self.certificates]
        data = {
            "version": "v3",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": self.digest})],
            "encap_content_info": {"content_type": "tst_info", "content": content},
            "signer_infos": [signer],
        }
        if carried:
            # A CMS SET in DER is sorted, so asn1crypto would undo the order: written as it stands.
            data["certificates"] = carried
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})

    def _identifier(self) -> list[Any]:
        own = der(self.certificate)
        if self.identifier == "none":
            return []
        if self.identifier == "v1":
            return [_attribute("signing_certificate", {"certs": [{"cert_hash": hashlib.sha1(own).digest()}]})]
        named = own if self.identifier == "v2" else self.anchor
        entry = {"hash_algorithm": {"algorithm": "sha256"}, "cert_hash": hashlib.sha256(named).digest()}
        return [_attribute("signing_certificate_v2", {"certs": [entry]})]


def _attribute(name: str, value: Any) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": name, "values": [value]})


def revocation_list(issuer: Issuer, revoked: Certificate | None, *, reason: Any = None, at=NOW - DAY) -> bytes:
    """A CRL (DER) by that issuer, with at most one certificate on it."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + 7 * DAY)
    )
    if revoked is not None:
        entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(at)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
