"""The typesetter: templates, data and files in, the same PDF bytes out.

Data reaches the templates as JSON (sys.inputs) and as files of a private directory that is gone afterwards; no text is
ever template source, system fonts and packages are out of reach, and the only time is the document's own.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

import typst

from ledger.pdf.errors import RenderFailedError
from ledger.pdf.payload import Json

FONTS = Path(__file__).parent / "fonts"


@cache
def _fonts() -> typst.Fonts:
    """The committed subsets and nothing else; read once per process (20 ms)."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


def typeset(main: str, files: Mapping[str, bytes], data: Mapping[str, Json], at: datetime) -> bytes:
    """The PDF/A-3a + PDF/UA-1 of the template `main`, which may read `files` (templates among them) and sys.inputs.data.

    at: the document's own time, UTC. Raises RenderFailedError.
    """
    with _compiler(main, files, data) as compiler:
        pdf = compiler.compile(format="pdf", pdf_standards=["a-3a", "ua-1"], timestamp=int(at.timestamp()))
    if not isinstance(pdf, bytes):
        raise RenderFailedError(f"{main}: the typesetter returned no document")
    return pdf


def typeset_pages(
    main: str, files: Mapping[str, bytes], data: Mapping[str, Json], *, pixels_per_inch: int
) -> list[bytes]:
    """The same document as PNG pictures, one for each page, for who takes no PDF. Raises RenderFailedError."""
    with _compiler(main, files, data) as compiler:
        pages = compiler.compile(format="png", ppi=float(pixels_per_inch))
    return [pages] if isinstance(pages, bytes) else list(pages or ())


@contextmanager
def _compiler(main: str, files: Mapping[str, bytes], data: Mapping[str, Json]) -> Iterator[typst.Compiler]:
    """The typesetter over a private directory; what it complains of becomes RenderFailedError."""
    with tempfile.TemporaryDirectory(prefix="originmark-pdf-") as directory:
        root = Path(directory)
        for name, content in files.items():
            (root / name).write_bytes(content)
        try:
            yield typst.Compiler(
                root / main,
                root=root,
                font_paths=_fonts(),
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
                package_path=root / "packages",
                package_cache_path=root / "packages",
            )
        except typst.TypstError as error:
            raise RenderFailedError(f"{main}: {error.message} {' '.join(error.hints)}") from error
