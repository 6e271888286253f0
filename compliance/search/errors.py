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
