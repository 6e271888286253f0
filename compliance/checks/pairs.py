"""Which of many files belong together: main and hidden images by their names, or as the rows of a CSV name them.

Names are labels only, with "/" between folders; nothing is opened here. What cannot be paired is named, never dropped.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ledger.admission.text import decode_text

MAIN_WORDS = ("main", "主图", "首图")
HIDDEN_WORDS = ("hidden", "hide", "隐藏图", "隐藏")
ROLES = dict.fromkeys(MAIN_WORDS, "main") | dict.fromkeys(HIDDEN_WORDS, "hidden")
REQUIRED = ("id", "main", "hidden")
OPTIONAL = ("original", "category")
# UTF-8 first: text that is valid UTF-8 is hardly ever meant as anything else. Chinese spreadsheets write GB18030.
MAX_ID = 100
MAX_NAME = 255
_SEPARATORS = " _.·-"
ALONE = "pair"  # the id of two files that are called main and hidden and nothing else
_WORDS = "|".join(sorted(ROLES, key=len, reverse=True))
# A role at the end or at the start of a name, set apart unless it is written in Chinese.
_LAST = re.compile(
    rf"(?P<id>.+?)(?:[{_SEPARATORS}]+(?P<role>{_WORDS})|(?P<plain>主图|首图|隐藏图|隐藏))", re.IGNORECASE
)
_FIRST = re.compile(
    rf"(?:(?P<role>{_WORDS})[{_SEPARATORS}]+|(?P<plain>主图|首图|隐藏图|隐藏))(?P<id>.+)", re.IGNORECASE
)


class PairsMalformed(Exception):
    """The CSV cannot be read as pairs; `detail` names the first line that is wrong."""

    code = "batch.malformed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class PairPlan:
    """One pair to check: names of files, or what a CSV says of them. code says why it cannot be checked, if it cannot."""

    id: str
    main: str = ""
    hidden: str = ""
    original: str = ""
    category: str = ""
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    folder: str
    id: str
    role: str
    name: str


def plan_pairs(names: Sequence[str]) -> tuple[list[PairPlan], list[str]]:
    """Pairs by the names of files, in the order of their first file, and the names that say no role.

    A1_main.jpg and A1_hidden.png, main_A1 and hidden_A1, A1/main and A1/hidden, main/A1 and hidden/A1, A1主图 and
    A1隐藏图. A file without its twin, and two of one role, are plans with a code.
    """
    groups: dict[tuple[str, str], list[_Named]] = {}
    rest = []
    for name in names:
        found = _read_name(name)
        if found is None:
            rest.append(name)
        else:
            groups.setdefault((found.folder.casefold(), found.id.casefold()), []).append(found)
    labels = _labels([group[0] for group in groups.values()])
    return [_plan(label, group) for label, group in zip(labels, groups.values(), strict=True)], rest


def plan_hidden(names: Sequence[str], declared: Sequence[str]) -> list[PairPlan]:
    """The hidden image of each SKU, in the order of `declared` and then of the files; a SKU may have none.

    A file is named after its SKU (A1.jpg, A1_hidden.jpg, A1/hidden.jpg). Main images are left out, and so is what lies in
    a folder beside a file that says hidden.
    """
    read = [_read_name(name) or _Named("", PurePosixPath(name).stem.strip(), "", name) for name in names]
    said = {str(PurePosixPath(each.name).parent) for each in read if each.role == "hidden"} - {"."}
    read = [
        each
        for each in read
        if each.role == "hidden" or (not each.role and str(PurePosixPath(each.name).parent) not in said)
    ]
    found: dict[str, list[_Named]] = {sku.casefold(): [] for sku in declared}
    labels = {sku.casefold(): sku for sku in declared}
    for each in read:
        key = each.id.casefold()
        labels.setdefault(key, each.id[:MAX_ID])
        found.setdefault(key, []).append(each)
    return [_sku_plan(labels[key], files) for key, files in found.items()]


def _sku_plan(sku: str, files: Sequence[_Named]) -> PairPlan:
    if len(files) > 1:
        return PairPlan(sku, code="batch.two_hidden", detail=", ".join(each.name for each in files))
    return PairPlan(sku, hidden=files[0].name if files else "")


def _read_name(name: str) -> _Named | None:
    """What a name says: the role stands in the stem, or is all of it, or is the name of a folder."""
    path = PurePosixPath(name)
    stem, folders = path.stem.strip(), list(path.parts[:-1])
    role = ROLES.get(stem.casefold())
    if role is not None:
        return _Named("/".join(folders[:-1]), folders[-1] if folders else ALONE, role, name)
    for pattern in (_LAST, _FIRST):
        match = pattern.fullmatch(stem)
        if match:
            word = (match["role"] or match["plain"]).casefold()
            return _Named("/".join(folders), match["id"].strip(_SEPARATORS) or stem, ROLES[word], name)
    for place in reversed(range(len(folders))):
        role = ROLES.get(folders[place].strip().casefold())
        if role is not None:
            return _Named("/".join(folders[:place] + folders[place + 1 :]), stem, role, name)
    return None


def _labels(firsts: Sequence[_Named]) -> list[str]:
    """The ids; where two folders hold the same one, with the folder."""
    ids = [each.id.casefold() for each in firsts]
    return [
        (f"{each.folder}/{each.id}" if each.folder and ids.count(each.id.casefold()) > 1 else each.id)[-MAX_ID:]
        for each in firsts
    ]


def _plan(label: str, group: Sequence[_Named]) -> PairPlan:
    by_role = {role: [each.name for each in group if each.role == role] for role in ("main", "hidden")}
    for role, names in by_role.items():
        if len(names) > 1:
            return PairPlan(label, code=f"batch.two_{role}", detail=", ".join(names))
    main, hidden = (next(iter(by_role[role]), "") for role in ("main", "hidden"))
    code = "batch.no_main" if not main else "batch.no_hidden" if not hidden else ""
    return PairPlan(label, main, hidden, code=code)


def parse_pairs(data: bytes) -> list[PairPlan]:
    """The rows of a CSV with columns id, main, hidden and, if wanted, original and category. Raises PairsMalformed."""
    reader = csv.DictReader(io.StringIO(_decode(data), newline=""))
    try:
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or [])]
        if missing:
            raise PairsMalformed(f"no column {', '.join(missing)}")
        rows = [_row(number, cells) for number, cells in enumerate(reader, start=2)]
    except csv.Error as error:
        raise PairsMalformed(f"line {reader.line_num}: {error}") from error
    _refuse_twins(rows)
    return rows


def _decode(data: bytes) -> str:
    try:
        return decode_text(data)[0]
    except UnicodeError as error:
        raise PairsMalformed(str(error)) from error


def _row(number: int, cells: dict[str, str | None]) -> PairPlan:
    values = {name: (cells.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    if any("\x00" in value for value in values.values()):
        raise PairsMalformed(f"line {number}: a cell holds a zero byte")
    if not 1 <= len(values["id"]) <= MAX_ID:
        raise PairsMalformed(f"line {number}: an id has 1 to {MAX_ID} characters")
    if any(len(values[name]) > MAX_NAME for name in ("main", "hidden", "original")):
        raise PairsMalformed(f"line {number}: a name has more than {MAX_NAME} characters")
    code = "batch.no_main" if not values["main"] else "batch.no_hidden" if not values["hidden"] else ""
    return PairPlan(**values, code=code)


def _refuse_twins(rows: Iterable[PairPlan]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        if row.id in seen:
            raise PairsMalformed(f"line {number}: id {row.id} stands there twice")
        seen.add(row.id)
