"""The policy for pictures: JPEG, PNG or WebP, whole, still, within the limits, and decodable to the last row.

Registration seals a picture that cannot be decoded, because its bytes are evidence all the same; here it is refused.
Runs in the limited child.
"""

from ledger.admission.verdict import FileRefused
from ledger.imaging.decode import decode_picture
from ledger.imaging.errors import ImagingError
from ledger.imaging.metadata import read_metadata
from ledger.imaging.scan import PADDING, FileScan, scan_picture

PADDING_UNSAID = 1024


def admit_picture(data: bytes, name: str) -> tuple[str, ...]:
    """The flags of a picture that may come in, or FileRefused. The name serves for its extension only."""
    try:
        scan = scan_picture(data, file_name=name)
        _refuse_unusable(scan)
        picture = decode_picture(data)
    except ImagingError as error:
        raise FileRefused(error.code, error.detail) from error
    metadata = read_metadata(data)
    flags = [*scan.flags, *picture.flags, *metadata.flags]
    if metadata.private.latitude is not None or metadata.private.longitude is not None:
        flags.append("gps_present")
    # Many programs leave a little padding behind a picture; more of it may have held something.
    if scan.format != "WEBP" and len(data) - len(data.rstrip(PADDING)) > PADDING_UNSAID:
        flags.append("trailing_data")
    if "icc_unreadable" in flags:
        flags.append("metadata_unreadable")
    return tuple(dict.fromkeys(flags))


def _refuse_unusable(scan: FileScan) -> None:
    if "too_many_pixels" in scan.flags:
        raise FileRefused("too_many_pixels", f"{scan.width}x{scan.height}")
    if "truncated" in scan.flags:
        raise FileRefused("corrupt_image", "truncated")
