"""Text of a table that somebody sends: UTF-8, or what spreadsheets of a Chinese system write. Never guesses further."""

# With or without a byte order mark. GB18030 contains GBK and GB2312.
ENCODINGS = ("utf-8-sig", "gb18030")


def decode_text(data: bytes) -> tuple[str, str]:
    """(text, encoding: utf-8 or gb18030) of the first encoding that reads all of it, or UnicodeError."""
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise UnicodeError("neither UTF-8 nor GB18030")
