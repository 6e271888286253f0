"""Every reason why a whole catalogue file cannot be taken, one class each, with a stable code."""


class FeedError(Exception):
    """Base of why a whole file cannot be taken; `code` is stable."""

    code = "feed.malformed"


class FeedMalformedError(FeedError):
    """Not what its name says: a quote that never ends, a cell beyond every measure, a broken sheet or line."""

    code = "feed.malformed"


class FeedTooLargeError(FeedError):
    """More than MAX_FILE_BYTES, MAX_ROWS or MAX_COLUMNS."""

    code = "feed.too_large"


class FeedEncodingError(FeedError):
    """Neither UTF-8 nor GB18030."""

    code = "feed.encoding"


class FeedHeaderError(FeedError):
    """No column for the product id or the picture, or two for one thing."""

    code = "feed.header"


class FeedKindError(FeedError):
    """None of the kinds of file that catalogues come in."""

    code = "feed.kind"


class FeedEmptyError(FeedError):
    """There is no row, or no picture, in it."""

    code = "feed.empty"


class WebArchiveError(FeedError):
    """Not a web archive that can be read: a record without its header, a length that is wrong."""

    code = "feed.web_archive"
