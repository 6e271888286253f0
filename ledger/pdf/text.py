"""Text nobody controls, made safe to look at: what the fonts cannot draw, or what would deceive the eye, is spelled out.

A code point outside the fonts becomes [U+1F600] instead of an empty box; controls, bidirectional and other invisible
format characters become [U+202E] instead of acting on the line. Everything escaped is collected, so that the document
can list it. Nothing is normalised or dropped: the digest, not the text, identifies the file.
"""

import unicodedata
from functools import cache
from pathlib import Path

COVERAGE = Path(__file__).parent / "fonts" / "coverage.txt"
# Control, format, surrogate, private, unassigned, line and paragraph separators; Mn and Me would land on a neighbour.
UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})


@cache
def drawable() -> frozenset[int]:
    """Code points the committed fonts draw, less those that must never act on a line."""
    points: set[int] = set()
    for line in COVERAGE.read_text(encoding="ascii").split():
        first, last = (int(end, 16) for end in line.split("-"))
        points.update(range(first, last + 1))
    return frozenset(p for p in points if unicodedata.category(chr(p)) not in UNSHOWABLE)


class Escaper:
    """Makes texts printable and remembers, in order of code point, what it had to spell out."""

    def __init__(self) -> None:
        self._escaped: set[int] = set()

    def __call__(self, text: str) -> str:
        known = drawable()
        self._escaped.update(ord(char) for char in text if ord(char) not in known)
        return "".join(char if ord(char) in known else f"[U+{ord(char):04X}]" for char in text)

    @property
    def escaped(self) -> list[str]:
        """One line per escaped code point with its Unicode name, for the list at the end of a document."""
        return [f"U+{point:04X} {unicodedata.name(chr(point), '(no name)')}" for point in sorted(self._escaped)]
