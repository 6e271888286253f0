"""The answer of the gate, and every code with which it turns a file away. Words for people: ledger/error_texts.py."""

from dataclasses import dataclass
from typing import Any

# Codes beside those of pictures (ledger/imaging/errors.py).
ARCHIVE_CODES = frozenset(
    {
        "corrupt_zip",
        "duplicate_member",
        "encrypted",
        "unsafe_member",
        "unsafe_path",
        "unsupported_member",
        "zip_empty",
        "zip_nested",
        "zip_overlap",
        "zip_ratio",
        "zip_size_mismatch",
        "zip_too_large",
        "zip_too_many",
    }
)
PDF_CODES = frozenset({"corrupt_pdf", "encrypted", "pdf_active_content", "pdf_too_large", "pdf_too_many_pages"})
TABLE_CODES = frozenset({"bad_csv", "bad_encoding"})
GENERAL_CODES = frozenset({"empty_file", "too_large", "unsupported_type", "type_mismatch", "polyglot"})


class FileRefused(Exception):
    """The file is turned away. `code` is stable, `detail` narrows it with a short token or the values that disagree."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Verdict:
    """code: empty for an accepted file. flags: what the seller should know of an accepted one.

    cpu_s: processor seconds that looking took; rss_mb: most memory held meanwhile, in MiB, the interpreter's own with it.
    """

    kind: str
    code: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    cpu_s: float = 0.0
    rss_mb: float = 0.0

    @property
    def is_accepted(self) -> bool:
        return not self.code

    def to_dict(self) -> dict[str, Any]:
        """JSON values; keys are stable, new ones may be added."""
        return {
            "kind": self.kind,
            "verdict": "accept" if self.is_accepted else "reject",
            "code": self.code,
            "detail": self.detail,
            "flags": list(self.flags),
            "cpu_s": self.cpu_s,
            "rss_mb": self.rss_mb,
        }
