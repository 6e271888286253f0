"""Every way a document can fail to be made, signed or read; one class each, with a code that never changes."""


class PdfError(Exception):
    """Base of all errors of this package; `code` is stable and documented."""

    code = "ERR_PDF"


class PictureRejectedError(PdfError):
    """A picture handed to a document is not a small JPEG, PNG or WebP."""

    code = "ERR_PDF_PICTURE"


class AttachmentRejectedError(PdfError):
    """An attachment's name or relationship is not one a PDF/A-3 reader can be trusted with."""

    code = "ERR_PDF_ATTACHMENT"


class DocumentRejectedError(PdfError):
    """A document states something impossible, such as a naive time or a digest of the wrong length."""

    code = "ERR_PDF_DOCUMENT"


class RenderFailedError(PdfError):
    """The typesetter refused the document; the message is its own."""

    code = "ERR_PDF_RENDER"


class SigningFailedError(PdfError):
    """The key, the x509 certificate or the PDF does not allow a signature."""

    code = "ERR_PDF_SIGN"


class PdfTooLargeError(PdfError):
    """The file, or the bundle inside it, is larger than the reader accepts."""

    code = "ERR_PDF_TOO_LARGE"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{what} has at least {size_bytes} bytes, the limit is {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class NotAPdfError(PdfError):
    """The bytes do not begin like a PDF."""

    code = "ERR_PDF_NOT_A_PDF"


class PdfMalformedError(PdfError):
    """The file is damaged, encrypted, or built in a way our own documents never are; nothing is repaired."""

    code = "ERR_PDF_MALFORMED"
