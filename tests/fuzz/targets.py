"""The parsers that meet foreign bytes, each with sound inputs to start from and the errors it is allowed to raise.

No Django is needed: every one of them is in a pure package.
"""

from __future__ import annotations

import dataclasses
import io
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pikepdf

from ledger.admission.archives import admit_archive
from ledger.admission.pdfs import admit_pdf
from ledger.admission.pictures import admit_picture
from ledger.admission.tables import admit_table
from ledger.admission.verdict import FileRefused
from ledger.imaging.errors import ImagingError
from ledger.imaging.feature_blob import format_features, make_reference, parse_features
from ledger.pdf.errors import PdfError
from ledger.pdf.read import read_certificate
from ledger.pdf.render import render_certificate
from ledger.pdf.sign import make_document_signer, sign_pdf
from ledger.tlog import claims, policy, x509_path
from ledger.tlog.bundle import format_bundle, parse_sums, read_bundle
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.entry import canonical_json, parse_entry, parse_parameters
from ledger.tlog.errors import TlogError
from ledger.tlog.note import parse_note, parse_signature_lines, parse_vkey, verify_note
from ledger.tlog.proof import format_proof, parse_proof
from ledger.tlog.report import Report
from ledger.tlog.tiles import parse_entries, parse_path, parse_tile
from ledger.tlog.timestamp import verify_timestamp
from ledger.tlog.verify import verify_bundle
from ledger.tlog.witnessing import parse_request
from tests import images
from tests.fuzz import mutate
from tests.ledger.pdf import samples
from tests.ledger.tlog.sample import POLICY, SIGNER, SampleLog, pack, who, with_sums
from tests.ledger.tlog.sample import claims as sample_claims
from tests.ledger.tlog.timed import clocks, timed_files


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. parse may raise any of `named`; everything else is a fault of ours."""

    name: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    aware: tuple[mutate.Mutate, ...] = ()
    named: tuple[type[Exception], ...] = (TlogError,)


def _pictures() -> list[bytes]:
    photo = images.product_photo(3, (48, 64))
    exif = images.exif_bytes()
    return [
        images.jpeg_bytes(photo),
        images.jpeg_bytes(photo, exif=exif),
        images.jpeg_bytes(photo, progressive=True),
        images.jpeg_bytes(photo.convert("CMYK")),
        images.png_bytes(photo),
        images.png_bytes(photo.convert("P")),
        images.transparent_png((48, 48)),
        images.sixteen_bit_png((32, 32)),
        images.webp_bytes(photo),
        images.webp_bytes(photo, lossless=True),
    ]


def _zips() -> list[bytes]:
    made = []
    photo = images.jpeg_bytes(images.product_photo(4, (32, 32)))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("a.jpg", photo)
            archive.writestr("图/b.txt", "hello " * 50)
        made.append(out.getvalue())
    return made


def _pdfs() -> list[bytes]:
    made = []
    for mode in (pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate):
        out = io.BytesIO()
        with pikepdf.new() as document:
            for _ in range(3):
                document.add_blank_page()
            document.docinfo["/Title"] = "A title"
            document.save(out, object_stream_mode=mode)
        made.append(out.getvalue())
    return made


def _signed() -> list[bytes]:
    """A certificate as the site makes it, and two small documents."""
    signer = make_document_signer("example.org", now=samples.ISSUED)
    pdf = render_certificate(samples.certificate(), attachments=[samples.bundle()])
    signed = sign_pdf(
        pdf, key_pem=signer.key_pem, cert_pem=signer.cert_pem, reason="evidence", signed_at=samples.ISSUED
    )
    return [signed, *_pdfs()]


def _features() -> list[bytes]:
    reference = make_reference(np.asarray(images.product_photo(5, (120, 90))))
    few = dataclasses.replace(reference, features=reference.features.first(2))
    return [format_features(reference), format_features(few)]


def _tables() -> list[bytes]:
    text = 'sku,name,price\n"A-1","a ""quoted"" mug",3\n图-2,"two\nlines",4\n'
    return [text.encode(), text.encode("gb18030"), text.encode("utf-8-sig")]


def _bundles() -> list[bytes]:
    timed = with_sums(timed_files(random.Random(1)))
    return [format_bundle(SampleLog(5).files(3)), pack(timed), pack(timed, zipfile.ZIP_DEFLATED)]


def _notes() -> list[bytes]:
    log = SampleLog(7)
    return [log.proof(2).checkpoint, timed_files(random.Random(2))["checkpoint"]]


def _checkpoint(data: bytes) -> object:
    note = parse_note(data)
    verify_note(note, [SIGNER.key])
    return parse_checkpoint(note.text)


def _tokens() -> list[bytes]:
    return [clock.stamp(b"a message", nonce=7) for clock in clocks()]


def _token(data: bytes) -> object:
    return verify_timestamp(data, b"a message", nonce=7, anchors=[clock.anchor for clock in clocks()])


def _claims() -> list[bytes]:
    return [canonical_json(claim) for claim in sample_claims().values()]


def _claim(data: bytes) -> object:
    first: Exception | None = None
    for kind in sample_claims():
        try:
            return claims.parse_claim(kind, data)
        except TlogError as error:
            first = first or error
    raise first or AssertionError("no claim kind")


def _tile_path(data: bytes) -> object:
    return parse_path(data.decode("utf-8", "surrogateescape"))


def _vkey(data: bytes) -> object:
    return parse_vkey(data.decode("utf-8", "surrogateescape"))


def _verify(data: bytes) -> Report:
    """The whole verifier: it answers with a report, whatever the bytes are."""
    return verify_bundle(data, POLICY, anchors=[clock.anchor for clock in clocks()])


def _certificates() -> list[bytes]:
    return [x509_path.pem_of(clock.chain) for clock in clocks()]


def _log() -> SampleLog:
    return SampleLog(300)


TEXT = (mutate.lines, mutate.numbers, mutate.base64_inside)
JSON = (mutate.json_values, mutate.numbers)
IMAGE = (mutate.jpeg, mutate.png, mutate.riff)
FILE_ERRORS = (FileRefused, ImagingError)


def _aware_picture(draw: random.Random, data: bytes) -> bytes:
    """The tool that fits these first bytes."""
    tool = mutate.png if data[:1] == b"\x89" else mutate.riff if data[:4] == b"RIFF" else mutate.jpeg
    return tool(draw, data)


TARGETS: tuple[Target, ...] = (
    Target("image", lambda data: admit_picture(data, ""), _pictures, (_aware_picture,), FILE_ERRORS),
    Target("zip", admit_archive, _zips, (mutate.zip_fields,), FILE_ERRORS),
    Target("pdf", admit_pdf, _pdfs, (mutate.pdf_words, mutate.numbers), FILE_ERRORS),
    Target("csv", admit_table, _tables, (mutate.table_bits,), FILE_ERRORS),
    Target("certificate", partial(read_certificate, trusted_cert_pem=None), _signed, (mutate.pdf_words,), (PdfError,)),
    Target("features", parse_features, _features, (), (ImagingError,)),
    Target("bundle", read_bundle, _bundles, (mutate.zip_fields,)),
    Target("verify", _verify, _bundles, (mutate.zip_fields,), ()),
    Target("checkpoint", _checkpoint, _notes, TEXT),
    Target("signatures", parse_signature_lines, lambda: [note.split(b"\n\n", 1)[1] for note in _notes()], TEXT),
    Target("proof", parse_proof, lambda: [format_proof(SampleLog(n).proof(n // 2)) for n in (1, 6, 300)], TEXT),
    Target("sums", parse_sums, lambda: [read_bundle(bundle)["SHA256SUMS"] for bundle in _bundles()], TEXT),
    Target("policy", policy.parse_policy, lambda: [policy.format_policy(POLICY)], TEXT),
    Target("vkey", _vkey, lambda: [read_bundle(_bundles()[0])["policy"].split()[1]], TEXT),
    Target("token", _token, _tokens, (mutate.der,)),
    Target("x509", x509_path.load_certificates, _certificates, (mutate.base64_inside, mutate.lines)),
    Target("entry", parse_entry, lambda: SampleLog(3).entries, JSON),
    Target("claim", _claim, _claims, JSON),
    Target("identity", claims.parse_identity, lambda: [canonical_json(who())], JSON),
    Target("parameters", parse_parameters, lambda: [read_bundle(_bundles()[0])["log.json"]], JSON),
    Target("tile", lambda data: parse_tile(data, max(1, len(data) // 32)), lambda: [b"".join(_log().levels[0][:256])]),
    Target("entries", lambda data: parse_entries(data, 3), lambda: [b"".join(len(e).to_bytes(2) + e for e in _log().entries[:3])]),
    Target("tile path", _tile_path, lambda: [b"tile/0/x001/067", b"tile/entries/000.p/17", b"tile/3/255"], (mutate.numbers,)),
    Target("witness request", parse_request, lambda: [b"old 3\n" + b"A" * 43 + b"=\n\n" + _notes()[0]], TEXT),
)  # fmt: skip
