"""Ways a search can be asked or configured wrongly; each has one stable code."""


class SearchError(ValueError):
    """Base of everything this package refuses."""

    code = "search_error"


class BadItemError(SearchError):
    """An index row with a digest of the wrong length or a number out of range."""

    code = "bad_item"


class BadFilterError(SearchError):
    """A filter that contradicts itself, such as a recent scope without a date."""

    code = "bad_filter"


class BadWeightsError(SearchError):
    """The shipped weights do not describe a score that falls as distances grow."""

    code = "bad_weights"


class BadCodebookError(SearchError):
    """A codebook of the wrong shape, or a segment whose codes were made with another codebook."""

    code = "bad_codebook"


class BadSegmentError(SearchError):
    """A saved segment that is cut, altered or of an unknown version."""

    code = "bad_segment"
