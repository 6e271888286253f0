"""What a rendered document must be: archivable, accessible, complete, repeatable, and deaf to hostile text."""

import dataclasses
import io
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import pikepdf
import pytest
from PIL import Image

from ledger.pdf.assurance import ASSURANCES, assurance
from ledger.pdf.documents import Attachment, Relationship, TimeBracket
from ledger.pdf.errors import AttachmentRejectedError, DocumentRejectedError, PictureRejectedError
from ledger.pdf.payload import LARGE
from ledger.pdf.pictures import preview_jpeg
from ledger.pdf.render import render_certificate, render_check_receipt, render_query_receipt, render_record
from ledger.pdf.sign import DocumentSigner, sign_pdf
from tests.ledger.pdf import samples
from tests.ledger.pdf.conftest import Tool

RENDERED = {
    "certificate": lambda: render_certificate(samples.certificate(), attachments=[samples.bundle()]),
    "query": lambda: render_query_receipt(samples.query_receipt(), attachments=[samples.bundle()]),
    "check": lambda: render_check_receipt(samples.check_receipt(), attachments=[samples.bundle()]),
    "record": lambda: render_record(samples.record(), attachments=[samples.bundle()]),
}


@pytest.fixture(scope="module", params=RENDERED)
def pdf(request: pytest.FixtureRequest) -> bytes:
    return RENDERED[request.param]()


def dictionaries(document: pikepdf.Pdf) -> Iterator[pikepdf.Dictionary]:
    for item in document.objects:
        if isinstance(item, pikepdf.Dictionary):
            yield item


def squeezed(text: str) -> str:
    """Without white space: where a line breaks is layout, not content."""
    return re.sub(r"\s+", "", text)


def test_claims_pdf_a_3a_and_pdf_ua_1(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document, document.open_metadata() as metadata:
        claims = [metadata.get(key) for key in ("pdfaid:part", "pdfaid:conformance", "pdfuaid:part")]
    assert claims == ["3", "A", "1"]


def test_has_an_output_intent_tags_a_language_and_a_title(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        root = document.Root
        assert [str(intent.S) for intent in root.OutputIntents] == ["/GTS_PDFA1"]
        assert bool(root.MarkInfo.Marked)
        assert "/StructTreeRoot" in root
        assert str(root.Lang).startswith("zh")
        assert bool(root.ViewerPreferences.DisplayDocTitle)


def test_embeds_every_font_and_uses_only_ours(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        fonts = [d for d in dictionaries(document) if d.get("/Type") == "/FontDescriptor"]
        assert all({"/FontFile2", "/FontFile3"} & set(font.keys()) for font in fonts)
        names = {str(font.FontName).split("+")[1].split("-")[0] for font in fonts}
    assert names == {"NotoSansSC", "JetBrainsMono"}


def test_every_picture_has_an_alternative_text(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        figures = [d for d in dictionaries(document) if d.get("/S") == "/Figure"]
        assert figures
        assert all(str(figure.Alt) for figure in figures)


def test_qpdf_finds_nothing_wrong(pdf: bytes, tool: Tool) -> None:
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", pdf=pdf)


@pytest.mark.parametrize("name", RENDERED)
def test_same_document_gives_the_same_bytes(name: str) -> None:
    assert RENDERED[name]() == RENDERED[name]()


def test_another_time_gives_other_bytes() -> None:
    shared = samples.common()
    later = dataclasses.replace(shared, issued_at=shared.issued_at + timedelta(seconds=1))
    assert render_certificate(samples.certificate(shared=shared)) != render_certificate(
        samples.certificate(shared=later)
    )


def test_names_each_attachment_with_its_relationship() -> None:
    original = Attachment("original.jpg", "image/jpeg", b"\xff\xd8\xff", Relationship.SOURCE, "the file itself")
    pdf = render_certificate(samples.certificate(), attachments=[samples.bundle(), original])
    with pikepdf.open(io.BytesIO(pdf)) as document:
        listed = {str(f.UF): (str(f.AFRelationship), f.EF.F.read_bytes()) for f in document.Root.AF}
    assert listed == {
        "originmark-bundle.zip": ("/Data", samples.bundle().data),
        "original.jpg": ("/Source", b"\xff\xd8\xff"),
    }


@pytest.mark.parametrize("name", ["", "../up.zip", "a/b.zip", "空.zip", "a" * 101, ".hidden", 'x".zip', "a\n.zip"])
def test_refuses_an_attachment_name_that_could_leave_its_folder(name: str) -> None:
    with pytest.raises(AttachmentRejectedError):
        render_certificate(samples.certificate(), attachments=[Attachment(name, "application/zip", b"x")])


def test_refuses_two_attachments_of_one_name() -> None:
    with pytest.raises(AttachmentRejectedError):
        render_certificate(samples.certificate(), attachments=[samples.bundle(), samples.bundle()])


def test_prints_the_facts_a_stranger_needs(tool: Tool) -> None:
    document = samples.certificate()
    text = squeezed(tool("pdftotext", pdf=render_certificate(document)))
    ledger = document.common.ledger
    wanted = [
        document.file.sha256.hex(),
        ledger.leaf_hash.hex(),
        ledger.root_hash.hex(),
        ledger.entry_text,
        squeezed(ledger.checkpoint_note),
        *(node.hex() for node in ledger.inclusion_proof),
        document.common.seller,
    ]
    assert [item for item in wanted if squeezed(item) not in text] == []


def test_says_registered_by_and_never_owner_or_blockchain(tool: Tool) -> None:
    text = tool("pdftotext", pdf=render_certificate(samples.certificate()))
    assert "Registered by" in text
    assert "not evidence by itself" in text
    assert [word for word in ("owner:", "blockchain", "区块链", "court-proof", "所有人") if word in text.lower()] == []


def test_a_copied_digest_holds_no_invisible_characters(tool: Tool) -> None:
    text = tool("pdftotext", pdf=render_certificate(samples.certificate()))
    assert re.search(samples.digest("file").hex(), text)
    assert "\u200b" not in text


@pytest.mark.parametrize("level", range(6))
def test_each_level_prints_what_it_lacks(level: int, tool: Tool) -> None:
    text = squeezed(tool("pdftotext", pdf=render_certificate(samples.certificate(shared=samples.common(level=level)))))
    assert squeezed(assurance(level).lacks.zh) in text
    assert squeezed(assurance(level).lacks.en) in text
    assert all(squeezed(each.name.zh) in text for each in ASSURANCES)


def test_an_open_bracket_is_shown_as_pending_and_a_closed_one_with_its_authorities(tool: Tool) -> None:
    pending = tool("pdftotext", pdf=render_certificate(samples.certificate()))
    closed = tool(
        "pdftotext",
        pdf=render_certificate(samples.certificate(shared=samples.common(bracket=samples.closed_bracket()))),
    )
    half = TimeBracket(samples.closed_bracket().earlier, None)
    half_open = tool("pdftotext", pdf=render_certificate(samples.certificate(shared=samples.common(bracket=half))))
    assert [text.count("待外部时间证明") for text in (pending, half_open, closed)] == [2, 1, 0]
    assert "国家授时中心" in closed
    assert "Example Timestamp 2026" in closed


def test_no_public_url_means_no_qr_code(tool: Tool) -> None:
    text = tool("pdftotext", pdf=render_certificate(samples.certificate(shared=samples.common(verify_url=None))))
    assert "扫码核验" not in text


HOSTILE = [
    '#import "parts.typ": * #panic("x") $x^2$ *bold* _it_ @ref <label> `raw` // comment \\ = heading',
    ']#eval("1")[ ${jndi} {{7*7}} <script>alert(1)</script> \' " --',
    "A" * 300,
    "漫" * 300,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_printed_letter_by_letter(name: str, tool: Tool) -> None:
    document = samples.certificate(file=samples.file_facts(name), shared=samples.common(seller=name), title=name)
    assert squeezed(name) in squeezed(tool("pdftotext", pdf=render_certificate(document)))


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\u202e", "[U+202E]"),
        ("\x00", "[U+0000]"),
        ("😀", "[U+1F600]"),
        ("\n", "[U+000A]"),
        ("\ud800", "[U+D800]"),
        ("ก", "[U+0E01]"),
    ],
)
def test_characters_that_deceive_or_cannot_be_drawn_are_spelled_out_and_listed(
    char: str, shown: str, tool: Tool
) -> None:
    text = tool("pdftotext", pdf=render_certificate(samples.certificate(file=samples.file_facts(f"a{char}b.jpg"))))
    assert f"a{shown}b.jpg" in text
    assert shown[1:-1] + " " in text


def widest_ink(pdf: bytes, tool: Tool) -> float:
    """Right edge of the rightmost word on any page, as a share of the page's width."""
    boxes = tool("pdftotext", "-bbox", pdf=pdf)
    page = float(re.search(r'<page width="([\d.]+)"', boxes)[1])
    return max(float(x) for x in re.findall(r'xMax="([\d.]+)"', boxes)) / page


@pytest.mark.parametrize("name", ["W" * 300, "中" * 300, "x.jpg"])
def test_nothing_leaves_the_page(name: str, tool: Tool) -> None:
    document = samples.certificate(file=samples.file_facts(name), shared=samples.common(seller=name), title=name)
    assert widest_ink(render_certificate(document), tool) <= 1 - 17.5 / 210


@pytest.mark.parametrize("size", [(200, 600), (600, 200), (1, 1), (20, 20)])
def test_a_picture_of_any_shape_fits(size: tuple[int, int]) -> None:
    with pikepdf.open(io.BytesIO(render_certificate(samples.certificate(thumbnail=samples.picture(*size))))) as pdf:
        assert len(pdf.pages) == 2


def test_a_sealed_file_without_a_preview_still_gets_its_certificate(tool: Tool) -> None:
    facts = dataclasses.replace(samples.file_facts("shot.cr3"), width_px=None, height_px=None, fingerprints=())
    text = tool("pdftotext", pdf=render_certificate(samples.certificate(file=facts, thumbnail=None)))
    assert "无预览" in text


def test_a_previews_metadata_stays_out_of_the_document() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "place-of-the-shoot"
    Image.new("RGB", (300, 300), "white").save(out, "JPEG", exif=exif)
    assert b"place-of-the-shoot" in out.getvalue()
    assert b"place-of-the-shoot" not in render_certificate(samples.certificate(thumbnail=out.getvalue()))


@pytest.mark.parametrize("data", [b"", b"not a picture", b"GIF89a" + bytes(20), bytes(5_000_000)])
def test_refuses_a_preview_that_is_no_picture(data: bytes) -> None:
    with pytest.raises(PictureRejectedError):
        render_certificate(samples.certificate(thumbnail=data))


def test_refuses_times_that_are_not_utc_and_digests_of_the_wrong_length() -> None:
    shared = samples.common()
    hongkong = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(DocumentRejectedError):
        render_certificate(samples.certificate(shared=dataclasses.replace(shared, issued_at=hongkong)))
    with pytest.raises(DocumentRejectedError):
        render_certificate(samples.certificate(file=dataclasses.replace(samples.file_facts(), sha256=b"short")))
    with pytest.raises(DocumentRejectedError):
        render_certificate(samples.certificate(shared=samples.common(ledger=samples.ledger_facts(5, 5))))


def test_a_receipt_without_candidates_says_so(tool: Tool) -> None:
    assert "没有候选" in tool("pdftotext", pdf=render_query_receipt(samples.query_receipt(0)))


def test_verdicts_are_words_and_not_only_colours(tool: Tool) -> None:
    text = tool("pdftotext", pdf=render_check_receipt(samples.check_receipt()))
    assert all(word in text for word in ("通过", "未通过", "不能确定", "cannot tell"))


def test_the_first_tree_has_an_empty_proof(tool: Tool) -> None:
    shared = samples.common(ledger=samples.ledger_facts(0, 1, 0))
    assert "仅此一叶" in tool("pdftotext", pdf=render_certificate(samples.certificate(shared=shared)))


def test_a_signed_certificate_with_a_16_kb_bundle_in_a_log_of_two_million_stays_under_150_kb(
    signer: DocumentSigner,
) -> None:
    photo = io.BytesIO()
    grain = Image.frombytes("L", (240, 240), random.Random(7).randbytes(240 * 240))
    Image.blend(grain, Image.new("L", grain.size, 200), 0.7).resize((480, 480)).convert("RGB").save(photo, "PNG")
    assert 15_000 < len(preview_jpeg(photo.getvalue(), max_side_px=LARGE[0], target_bytes=LARGE[1])) <= LARGE[1]
    full = Attachment("originmark-bundle.zip", "application/zip", photo.getvalue()[:16_000])
    shared = samples.common(bracket=samples.closed_bracket(), ledger=samples.ledger_facts(1_000_000, 2_000_000, 21))
    document = samples.certificate(shared=shared, thumbnail=photo.getvalue())
    pdf = render_certificate(document, attachments=[full])
    assert len(sign_pdf(pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED)) <= 150_000


def test_the_qr_code_leads_to_the_verify_page(tool: Tool, tmp_path: Path) -> None:
    tool("pdftoppm", "-png", "-r", "150", "-l", "1", pdf=render_certificate(samples.certificate()))
    page = cv2.imread(str(tmp_path / "page-1.png"))
    assert cv2.QRCodeDetector().detectAndDecode(page)[0] == samples.common().verify_url
