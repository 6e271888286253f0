"""The policy for PDF attachments: readable without repair, without password, and inert. Runs in the limited child.

No stream of content is inflated. An action, a script, an attached file or a form that runs in the reader is refused,
wherever in the file it stands. Our own certificates carry an attachment and go another way (ledger/pdf/read.py).
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf

from ledger.admission.verdict import FileRefused
from ledger.imaging.scan import name_tail

MAX_PDF_BYTES = 50 << 20
MAX_PAGES = 2_000
MAX_OBJECTS = 200_000
MAX_DEPTH = 64
# Keys whose mere presence makes a reader act, or that carry other files (ISO 32000-1, 12.6, 7.11, 12.7.8, 13).
ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EF", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
)
ACTIVE_ACTIONS = frozenset(
    {
        "/JavaScript",
        "/Launch",
        "/URI",
        "/SubmitForm",
        "/ImportData",
        "/ResetForm",
        "/GoToR",
        "/GoToE",
        "/Movie",
        "/Sound",
        "/Rendition",
        "/RichMediaExecute",
        "/Hide",
        "/SetOCGState",
        "/Trans",
        "/GoTo3DView",
    }
)
ACTIVE_SUBTYPES = frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"})
END = b"%%EOF"
SPACE = b"\r\n\t \x00"


def admit_pdf(data: bytes) -> tuple[str, ...]:
    """The flags of a PDF that may come in (none so far), or FileRefused."""
    if not data:
        raise FileRefused("empty_file")
    if len(data) > MAX_PDF_BYTES:
        raise FileRefused("pdf_too_large", f"{len(data)} > {MAX_PDF_BYTES}")
    if not data.startswith(b"%PDF-"):
        raise FileRefused("unsupported_type", "not a pdf")
    end = data.rfind(END)
    if end < 0:
        raise FileRefused("corrupt_pdf", "no end marker")
    also = name_tail(data[end + len(END) :].lstrip(SPACE))
    if also:
        raise FileRefused("polyglot", also)
    _admit_opened(data)
    return ()


def _admit_opened(data: bytes) -> None:
    try:
        with pikepdf.open(BytesIO(data), attempt_recovery=False, suppress_warnings=True) as pdf:
            if pdf.is_encrypted:
                raise FileRefused("encrypted")
            if len(pdf.objects) > MAX_OBJECTS:
                raise FileRefused("pdf_too_large", f"{len(pdf.objects)} objects")
            _count_pages(pdf)
            for found in pdf.objects:
                _refuse_active(found)
            _refuse_active(pdf.trailer)
    except pikepdf.PasswordError as error:
        raise FileRefused("encrypted") from error
    except (pikepdf.PdfError, ValueError, TypeError, KeyError, RuntimeError, RecursionError) as error:
        raise FileRefused("corrupt_pdf", type(error).__name__) from error


def _refuse_active(found: Any, depth: int = 0) -> None:
    """Look through one object and what is written inside it; references lead to objects that are looked at anyway."""
    if depth > MAX_DEPTH:
        raise FileRefused("corrupt_pdf", f"nested deeper than {MAX_DEPTH}")
    if isinstance(found, pikepdf.Array):
        for item in _direct(found):
            _refuse_active(item, depth + 1)
    elif isinstance(found, pikepdf.Dictionary | pikepdf.Stream):
        entries = found.stream_dict if isinstance(found, pikepdf.Stream) else found
        _refuse_entries(entries)
        for item in _direct(entries.values()):
            _refuse_active(item, depth + 1)


def _refuse_entries(entries: Any) -> None:
    names = set(entries.keys())
    active = names & ACTIVE_KEYS
    if active:
        raise FileRefused("pdf_active_content", min(active))
    for key, refused in (("/S", ACTIVE_ACTIONS), ("/Subtype", ACTIVE_SUBTYPES)):
        value = entries.get(key)
        if isinstance(value, pikepdf.Name) and str(value) in refused:
            raise FileRefused("pdf_active_content", str(value))


def _direct(items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, pikepdf.Object) and not item.is_indirect:
            yield item


def _count_pages(pdf: pikepdf.Pdf) -> None:
    """Walk the tree of pages by hand: a library's own list makes a page of every reference."""
    pages, seen, waiting = 0, set(), [pdf.Root.Pages]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, pikepdf.Dictionary):
            raise FileRefused("corrupt_pdf", "page tree")
        if node.get("/Type") == pikepdf.Name.Page or "/Kids" not in node:
            pages += 1
        else:
            if node.is_indirect and node.objgen in seen:
                raise FileRefused("corrupt_pdf", "page tree loops")
            seen.add(node.objgen)
            if pages + len(waiting) + len(node.Kids) > MAX_PAGES:
                raise FileRefused("pdf_too_many_pages", f"> {MAX_PAGES}")
            waiting += list(node.Kids)
    if not pages:
        raise FileRefused("corrupt_pdf", "no page")
