"""Every reason why nothing was read from an address, one class each, with a stable code."""


class FetchError(Exception):
    """Base of every reason not to hand back a body. `code` is stable; the text is for logs, not for people."""

    code = "fetch_error"


class BadUrlError(FetchError):
    """Not a URL: control characters, a backslash, a port that is no number, too long."""

    code = "bad_url"


class BadSchemeError(FetchError):
    """Anything but http and https."""

    code = "bad_scheme"


class CredentialsError(FetchError):
    """A user name or password in front of the host, the classic disguise of another host."""

    code = "credentials"


class BadPortError(FetchError):
    """A port outside the allowed ones."""

    code = "bad_port"


class BadHostError(FetchError):
    """A host that is neither a full domain name nor an address in its canonical form."""

    code = "bad_host"


class PrivateAddressError(FetchError):
    """At least one address of the host is not on the public internet."""

    code = "private_address"


class UnresolvedError(FetchError):
    """The name has no address."""

    code = "unresolved"


class TooManyRedirectsError(FetchError):
    """More redirects than allowed."""

    code = "too_many_redirects"


class InsecureRedirectError(FetchError):
    """A redirect from https to http."""

    code = "insecure_redirect"


class FetchTimeoutError(FetchError):
    """The total time is used up, or the headers took too long."""

    code = "timeout"


class TooLargeError(FetchError):
    """The body announces or delivers more bytes than allowed."""

    code = "too_large"


class UnsupportedTypeError(FetchError):
    """The body is not a picture, judged by its first bytes, or it is wrapped in an encoding nobody asked for."""

    code = "unsupported_type"


class HttpError(FetchError):
    """The server refused, answered with another status than 200, or broke the protocol.

    status is 0 where there was no answer; retry_after_s is what a refusal asks for, in whole seconds.
    """

    code = "http_error"

    def __init__(self, text: str, *, status: int = 0, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s


FETCH_CODES = tuple(
    kind.code
    for kind in (
        BadUrlError,
        BadSchemeError,
        CredentialsError,
        BadPortError,
        BadHostError,
        PrivateAddressError,
        UnresolvedError,
        TooManyRedirectsError,
        InsecureRedirectError,
        FetchTimeoutError,
        TooLargeError,
        UnsupportedTypeError,
        HttpError,
    )
)
