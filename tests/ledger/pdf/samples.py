"""Documents and pictures for the tests of ledger.pdf: plain functions, drawn here, the same on every run."""

import hashlib
import io
from datetime import UTC, datetime

from PIL import Image, ImageDraw

from ledger.pdf.assurance import Bilingual, assurance
from ledger.pdf.documents import (
    Attachment,
    CameraFacts,
    Candidate,
    CertificateDocument,
    CheckReceiptDocument,
    Common,
    FileFacts,
    Fingerprint,
    LedgerFacts,
    OutsideTime,
    QueryReceiptDocument,
    RecordDocument,
    RuleResult,
    TimeBracket,
    Verdict,
)

ISSUED = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
ORIGIN = "originmark.example/4f2a"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def picture(width: int = 600, height: int = 600, colour: str = "#3a6ea5", file_format: str = "WEBP") -> bytes:
    image = Image.new("RGB", (width, height), "#f4f3f0")
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.2, height * 0.2, width * 0.8, height * 0.8), fill=colour)
    out = io.BytesIO()
    image.save(out, file_format)
    return out.getvalue()


def ledger_facts(seq: int = 1041, tree_size: int = 1050, proof_length: int = 9) -> LedgerFacts:
    entry = (
        f'{{"claim":"{digest("claim").hex()}","kind":"image.registered","log":"{ORIGIN}","prev":"{digest("prev").hex()}"'
        f',"seq":{seq},"ts":"2026-11-21T16:00:03.217Z","v":1,"who":"{digest("who").hex()}"}}'
    )
    return LedgerFacts(
        origin=ORIGIN,
        seq=seq,
        logged_at=datetime(2026, 11, 21, 16, 0, 3, 217_000, tzinfo=UTC),
        entry_text=entry,
        leaf_hash=hashlib.sha256(b"\0" + entry.encode()).digest(),
        prev_hash=digest("prev"),
        tree_size=tree_size,
        root_hash=digest("root"),
        key_id="cca8a10d",
        inclusion_proof=tuple(digest(f"node {n}") for n in range(proof_length)),
        checkpoint_note=f"{ORIGIN}\n{tree_size}\nq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n\n— {ORIGIN} zKihDVdrBIcAeQ0vW3Jc3Jp5p9rJjU0oIg==\n",
    )


def common(
    *,
    seller: str = "深圳市云帆电子商务有限公司",
    level: int = 1,
    bracket: TimeBracket | None = None,
    verify_url: str | None = "https://originmark.example/v/7K3Q-9XWD-21MM",
    ledger: LedgerFacts | None = None,
) -> Common:
    return Common(
        number="7K3Q-9XWD-21MM",
        issued_at=ISSUED,
        seller=seller,
        ledger=ledger or ledger_facts(),
        assurance=assurance(level),
        bracket=bracket or TimeBracket(),
        verify_url=verify_url,
    )


def closed_bracket() -> TimeBracket:
    return TimeBracket(
        OutsideTime(datetime(2026, 11, 21, 15, 59, 12, tzinfo=UTC), "Example Timestamp 2026", 1033),
        OutsideTime(datetime(2026, 11, 21, 16, 1, 5, tzinfo=UTC), "国家授时中心", 1049),
    )


def file_facts(name: str = "DSC_0412 主图.jpg") -> FileFacts:
    return FileFacts(
        name=name,
        size_bytes=2_412_345,
        mime="image/jpeg",
        sha256=digest("file"),
        width_px=4000,
        height_px=4000,
        fingerprints=(Fingerprint("imagehash.phash/1", bytes.fromhex("c3d1e0f03c1e0f87")),),
    )


def certificate(
    *, shared: Common | None = None, file: FileFacts | None = None, thumbnail: bytes | None = b"draw", title: str = ""
) -> CertificateDocument:
    return CertificateDocument(
        common=shared or common(),
        file=file or file_facts(),
        thumbnail=picture() if thumbnail == b"draw" else thumbnail,
        camera=CameraFacts("SONY", "ILCE-7M4", "FE 90mm F2.8", "2026-11-20 10:21:07", "Capture One 23"),
        title=title,
    )


def query_receipt(candidates: int = 5) -> QueryReceiptDocument:
    found = tuple(
        Candidate(
            product_id=f"10050{n}7712345",
            score=100 - n * 8.5,
            thumbnail=picture(300, 300),
            listed_at=datetime(2026, 10, n + 1, tzinfo=UTC),
            shop_country="CN",
            shop_name="Example Store",
            url=f"https://shop.example/item/{n}.html",
            registered=n == 0,
        )
        for n in range(candidates)
    )
    return QueryReceiptDocument(
        common=common(level=2, bracket=closed_bracket()),
        query=file_facts(),
        thumbnail=picture(),
        scope=Bilingual("自有货盘与已登记原图", "your catalogues and registered originals"),
        searched_count=12_480,
        threshold=85,
        candidates=found,
        limits=(Bilingual("尚不能发现大幅裁剪。", "Strong crops are not found yet."),),
        category="消费电子",
    )


def check_receipt() -> CheckReceiptDocument:
    rules = tuple(
        RuleResult(f"HID.{verdict}", Bilingual("规则", "Rule"), verdict, "0.931", ">= 0.92", "seed profile")
        for verdict in Verdict
    )
    return CheckReceiptDocument(
        common=common(level=0, verify_url=None),
        main=file_facts("main.jpg"),
        hidden=file_facts("hidden.jpg"),
        main_thumbnail=picture(),
        hidden_thumbnail=picture(200, 600),
        heatmap=picture(400, 400, "#ff5500", "PNG"),
        verdict=Verdict.FAILED,
        rules=rules,
        profile="seed profile 2026-10",
        limits=(Bilingual("SSIM 只是预测。", "SSIM is a forecast."),),
    )


def record() -> RecordDocument:
    rules = check_receipt().rules
    return RecordDocument(
        common=common(verify_url=None),
        title=Bilingual("多 SKU 检测回执", "Receipt of a check of SKUs"),
        lead=Bilingual("检测了一张拼图。", "A collage was checked."),
        pictures=tuple((Bilingual(f"红-{n}", f"red-{n}"), picture()) for n in range(7)),
        files=((Bilingual("主图", "Main image"), file_facts("main.jpg")),),
        facts=((Bilingual("规则", "Rules"), "seed 2"),),
        verdict=Verdict.FAILED,
        rules=rules,
        limits=(Bilingual("未列出无问题的规则。", "Rules without a finding are not listed."),),
    )


def bundle() -> Attachment:
    return Attachment("originmark-bundle.zip", "application/zip", b"PK\x05\x06" + bytes(18), description="core bundle")
