"""Captures for tests: a screenshot of a listing, made as people make one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from compliance.models import Capture, CaptureKind
from compliance.services.captures import Seen, add_capture
from ledger.accounts.models import Seller, User
from ledger.services.originals import Upload
from tests.images import jpeg_bytes, product_photo

URL = "https://shop.example/item/1005001"
SEEN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def capture_page(
    seller: Seller,
    *,
    actor: User | None = None,
    content: bytes | None = None,
    name: str = "page.jpg",
    number: str = "",
    original: Any = None,
    listing: Any = None,
    **said: Any,
) -> Capture:
    seen = Seen(**{"url": URL, "captured_at": SEEN_AT, "kind": CaptureKind.SCREENSHOT, **said})
    upload = Upload(name, jpeg_bytes(product_photo(5)) if content is None else content)
    return add_capture(
        actor=actor, seller=seller, seen=seen, upload=upload, number=number, original=original, listing=listing
    )
