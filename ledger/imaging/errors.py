"""Every way a picture can be wrong, one class each, with a stable code.

AdmissionError means the file is turned away before anything is kept. DecodeError means the exact bytes are sound
enough to seal, but no pixels could be had from them. Messages for people are chosen from the code, elsewhere.
"""

from typing import Any, ClassVar


class ImagingError(Exception):
    """Base of all: `code` is stable, `detail` narrows it with a short token or the values that disagree."""

    code: ClassVar[str] = "imaging_error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.code}: {detail}" if detail else self.code)
        self.detail = detail


class AdmissionError(ImagingError):
    """The file is refused before it is sealed."""


class EmptyFile(AdmissionError):
    code = "empty_file"


class TooLarge(AdmissionError):
    code = "too_large"


class UnsupportedType(AdmissionError):
    """Not JPEG, PNG or WebP; detail names what it looks like: heic, avif, raw, gif, tiff, ... or unknown."""

    code = "unsupported_type"


class TypeMismatch(AdmissionError):
    """The name says one picture format, the bytes another; detail is `extension/format`."""

    code = "type_mismatch"


class CorruptStructure(AdmissionError):
    code = "corrupt_image"


class Animated(AdmissionError):
    code = "animated"


class TooManyScans(AdmissionError):
    code = "too_many_scans"


class MetadataTooLarge(AdmissionError):
    code = "metadata_too_large"


class BadDimensions(AdmissionError):
    code = "bad_dimensions"


class Polyglot(AdmissionError):
    """The same bytes are also a file of another kind; detail names it."""

    code = "polyglot"


class DecodeError(ImagingError):
    """No pixels (or no result) could be had; the sealed bytes stay as they are."""


class TooManyPixels(DecodeError):
    code = "too_many_pixels"


class DecodeMemory(DecodeError):
    code = "decode_memory"


class CorruptPixels(DecodeError):
    code = "corrupt_image"


class DecodeTimeout(DecodeError):
    code = "decode_timeout"


class DecodeCrashed(DecodeError):
    """The child ended, or failed in a way it has no name for; detail is the signal or the exception's class."""

    code = "decode_crashed"


class OperationRefused(DecodeError):
    """The sandbox was asked for a function outside its allow-list: a fault of the caller, never of a file."""

    code = "operation_refused"


ADMISSION_ERRORS: dict[str, type[AdmissionError]] = {
    kind.code: kind
    for kind in (
        EmptyFile,
        TooLarge,
        UnsupportedType,
        TypeMismatch,
        CorruptStructure,
        Animated,
        TooManyScans,
        MetadataTooLarge,
        BadDimensions,
        Polyglot,
    )
}
DECODE_ERRORS: dict[str, type[DecodeError]] = {
    kind.code: kind
    for kind in (TooManyPixels, DecodeMemory, CorruptPixels, DecodeTimeout, DecodeCrashed, OperationRefused)
}


def format_error(error: ImagingError) -> dict[str, str]:
    """The error as JSON, for the way out of the child process."""
    kind = "admission" if isinstance(error, AdmissionError) else "decode"
    return {"kind": kind, "code": error.code, "detail": error.detail}


def parse_error(fields: dict[str, Any]) -> ImagingError:
    """The error that `format_error` wrote; an unknown code is a crash, because the child is not to be trusted."""
    table = ADMISSION_ERRORS if fields.get("kind") == "admission" else DECODE_ERRORS
    kind = table.get(str(fields.get("code", "")))
    if kind is None:
        return DecodeCrashed(str(fields.get("code", ""))[:80])
    return kind(str(fields.get("detail", ""))[:200])
