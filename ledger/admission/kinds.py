"""Which of the four policies a file meets, by its first bytes; tables have none, so there the name is asked too."""

from pathlib import PurePath

from ledger.imaging import structure
from ledger.imaging.scan import EXTENSIONS

IMAGE, ZIP, PDF, CSV = "image", "zip", "pdf", "csv"
KINDS = (IMAGE, ZIP, PDF, CSV)
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
PDF_MAGIC = b"%PDF-"
TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
BY_SUFFIX = {".zip": ZIP, ".wacz": ZIP, ".pdf": PDF, **dict.fromkeys(TABLE_SUFFIXES, CSV)}


def kind_of(data: bytes, name: str) -> str:
    """The kind by magic bytes, else by the name's extension, else image, whose policy names what it looks like instead.

    A file named like a picture meets the policy of pictures whatever it holds: under that name it would be opened as one.
    """
    suffix = PurePath(name).suffix.lower()
    if structure.picture_format(data) is not None or suffix in EXTENSIONS:
        return IMAGE
    if data.startswith(ZIP_MAGICS):
        return ZIP
    if data.startswith(PDF_MAGIC):
        return PDF
    return BY_SUFFIX.get(suffix, IMAGE)
