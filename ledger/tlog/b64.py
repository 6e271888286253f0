"""Base64 with exactly one spelling per value (RFC 4648 section 4, padding bits zero).

Python's decoder ignores the unused bits of the last character, so a changed letter could go unnoticed.
"""

import base64
import binascii

from ledger.tlog.errors import Base64Error


def encode(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes behind canonical base64, or Base64Error."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Base64Error(f"not base64: {error}") from error
    if encode(data) != text:
        raise Base64Error("not the canonical base64 spelling", expected=encode(data), actual=text)
    return data
