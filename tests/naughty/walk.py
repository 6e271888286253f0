"""A walk over the whole site with strings that hurt, as its owner who also runs it: every page, form, parameter and address.

It starts at each row of the matrix with an object made for it, follows links and forms as a browser does, and sends

    texts      every free field filled, the rest as a person would; what is taken is kept and shown everywhere after
    nonsense   every field of the form at once, hidden ones and choices too, and each that is not free by itself
    parameters every name that any view reads from a query string
    addresses  the strings in the place of numbers and names

Whatever comes back is judged by tests/naughty/outputs.py. A refusal is fine; a page of its own making is the fault.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import got_request_exception
from django.db import transaction
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django.urls.exceptions import NoReverseMatch

from ledger.accounts.tokens import create_token
from tests.matrix.rows import OWNER, AnyRow, ApiRow, LibraryRow, Row, StaffRow, World
from tests.naughty.outputs import Judged, judge
from tests.naughty.pages import Field, Form
from tests.naughty.strings import cocktails, mark

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(r"""GET\.get(?:list)?\("([a-z_]+)"|_parameter\(request, "([a-z_]+)\"""")
POSTS = re.compile(r"""POST\.get(?:list)?\("([a-z_-]+)\"""")
# Text with a grammar of its own: taken only when it is right, so it is right while others are tried, then wrong by itself.
GRAMMAR = frozenset(
    [
        "number",
        "numbers",
        "addresses",
        "url",
        "country",
        "registration_country",
        "currency",
        "time_zone",
        "publication_url",
        "work_link",
        "number",
        "vkey",
        "trust_anchors",
        "policy",
        "login",
        "code",
        "originals",
        "phone",
        "email",
        "skus",
        "costs",
    ]
)
# Ends the session or the walker's own place in the team, or builds for long.
LEAVES = frozenset({"account_logout", "accounts:switch", "accounts:remove_member", "accounts:end_session"})
# Signs: the signer would remember what is taken back.
SIGNS = frozenset({"ledger:seal", "ledger:anchor", "compliance:case_packets"})
TRIES = 4
# What goes wrong by itself, where a whole cocktail is refused for another reason first.
DOES = ("do", "by", "kind")
SPECIMENS = ["\x00", "1" * 400, "9" * 19, "-1", "２", "\u202e" + mark(0), "%", "0001-01-01T00:00", "9999-12-31T23:59"]


@dataclass
class Walk:
    """Where the walker has been, and what went wrong there."""

    world: World
    rows: dict[str, AnyRow]
    strings: Sequence[str]
    is_thorough: bool = False
    rounds: int = 2  # texts for each field
    faults: dict[str, str] = field(default_factory=dict)  # fault with its place -> what was sent
    asked: int = 0
    taken: int = 0
    seen: set[str] = field(default_factory=set)  # route names answered
    posted: set[str] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    pages: dict[tuple[str, str], str] = field(default_factory=dict)  # (route, parameters by name) -> address
    forms: dict[tuple[str, ...], tuple[str, Form]] = field(default_factory=dict)
    _client: Client = field(init=False)
    _token: str = field(init=False)
    _errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turn, self._cups = 0, cycle(cocktails(self.strings, 0, 1000))
        owner = self.world.people[OWNER]
        type(owner).objects.filter(pk=owner.pk).update(is_site_staff=True)
        self._client = Client(headers={"accept-language": "en"}, raise_request_exception=False)
        self._client.force_login(owner)
        scopes = [str(scope) for row in self.rows.values() if isinstance(row, ApiRow) for scope in row.scopes.values()]
        self._token = create_token(
            actor=owner, seller=self.world.seller, name="w", scopes=sorted(set(scopes)), days=30
        ).secret
        got_request_exception.connect(self._note)

    def close(self) -> None:
        got_request_exception.disconnect(self._note)

    def _note(self, sender: object, request: Any, **kwargs: object) -> None:
        kind, error, trace = sys.exc_info()
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        self._errors.append(f"{kind.__name__ if kind else ''} at {place}: {error}"[:200])

    # Asking ----------------------------------------------------------------------------------------------------

    def ask(self, method: str, address: str, data: Any = None, *, headers: dict[str, str] | None = None) -> Judged:
        """One request, judged; a page's forms and links are remembered."""
        self.asked += 1
        self._errors.clear()
        sender = self._client.get if method == "GET" else self._client.post
        response = sender(address, data or {}, headers=headers or {})
        found = judge(response)
        name = name_of(address)
        self.seen.add(name)
        self.shown |= found.shown
        for fault in found.faults:
            self.faults.setdefault(
                f"{method} {name}: {fault} {' '.join(self._errors)}".strip(), f"{address} {data}"[:300]
            )
        if found.page is not None and response.status_code < 500:
            self._remember(address, found)
        return found

    def _remember(self, address: str, found: Judged) -> None:
        page = found.page
        assert page is not None
        for link in page.links:
            self._add_page(urljoin(address, link))
        for form in page.forms:
            target = urljoin(address, form.action or address)
            name = name_of(target)
            if not name or urlsplit(target).netloc:
                continue
            if form.method == "get":
                named = [(each.name, each.value) for each in form.fields]
                self._add_page(target.partition("?")[0] + "?" + urlencode(named))
                continue
            # What a form does may hang on a button or a hidden word; for one look its fields are enough.
            does = [f"{each.name}={each.value}" for each in form.fields if each.kind == "button" or each.name in DOES]
            key = (name, *sorted({each.name for each in form.fields}), *(does[:4] if self.is_thorough else ()))
            self.forms.setdefault(key, (target, form))

    def _add_page(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.netloc or parts.scheme not in ("", "http") or not parts.path:
            return
        name = name_of(address)
        # A page shows other parts by what `edit` or `do` says; for other parameters their names are enough.
        query = [f"{key}={value}" if key in ("edit", "layout") else key for key, value in parse_qsl(parts.query)]
        if name and name not in LEAVES:
            self.pages.setdefault(
                (name, ",".join(sorted(query))), parts.path + (f"?{parts.query}" if parts.query else "")
            )

    # Going -----------------------------------------------------------------------------------------------------

    def begin(self, names: Sequence[str] | None = None) -> None:
        """An object for each row, and its address; rows that name the same maker share what it made."""
        made: dict[Any, dict[str, Any]] = {}
        for name, row in sorted(self.rows.items()):
            if names is not None and name not in names:
                continue
            if isinstance(row, LibraryRow):
                self._add_page(reverse(name, kwargs=dict(row.kwargs)))
            else:
                if row.make and row.make not in made:
                    made[row.make] = dict(row.make(self.world))
                kwargs = made[row.make] if row.make else {}
                self._add_page(reverse(name, kwargs=kwargs))
                methods = row.scopes if isinstance(row, ApiRow) else row.answers
                if "GET" not in methods:
                    self.pages.pop((name, ""), None)
                if "POST" in methods:  # for forms that only a script or a program sends
                    self.forms.setdefault((name,), (reverse(name, kwargs=kwargs), Form("", "post")))

    def read(self) -> None:
        """Every page known, and those it leads to."""
        done: set[str] = set()
        while left := [address for address in self.pages.values() if address not in done]:
            for address in left:
                done.add(address)
                self.ask("GET", address, headers=self._headers(name_of(address)))

    def _headers(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"} if isinstance(self.rows.get(name), ApiRow) else {}

    def fill(self) -> None:
        """Texts into every free field of every form. Every field refuses NUL, so it would hide the rest of its cocktail."""
        kept = [text for text in self.strings if "\0" not in text]
        for key, (address, form) in list(self.forms.items()):
            name = key[0]
            if name in LEAVES:
                continue
            free = [each for each in form.fields if each.is_free and each.name.rpartition("-")[2] not in GRAMMAR]
            names = [each.name for each in free]
            cups: dict[str, Iterator[str]] = {}
            for each in free:
                self.marks[len(self.marks)] = f"{name} {each.name}"
                # Another beginning for each field: with few rounds all strings still meet some field.
                start = 37 * len(self.marks) % len(kept)
                cups[each.name] = cocktails([*kept[start:], *kept[:start]], len(self.marks) - 1, each.limit)
            for _round in range(self.rounds):
                texts = {known: cup for known in names if (cup := next(cups[known], None)) is not None}
                if not texts:
                    break
                self._fill_once(name, address, form, texts)
            if not free:
                self._fill_once(name, address, form, {})

    def _fill_once(self, name: str, address: str, form: Form, texts: dict[str, str]) -> None:
        """Send; what the page marks as wrong is sent again as a person would have it."""
        for _attempt in range(TRIES):
            data = {**self._plain(name, form), **texts}
            with taken_back(not texts and name not in SIGNS):
                found = self.ask("POST", address, data, headers=self._headers(name))
            if found.status < 400:
                self.posted.add(name)
                self.taken += bool(texts)
                if texts and found.location:  # to what was made
                    self.ask("GET", found.location.partition("#")[0])
            wrong = [each.name for each in _fields(found) if each.is_wrong and each.name in texts]
            if not wrong:
                return
            texts = {key: text for key, text in texts.items() if key not in wrong}
            if not texts:
                return

    def _plain(self, name: str, form: Form) -> dict[str, Any]:
        """What a person would send: what the page holds, first choices where it holds none, what the matrix sends."""
        row = self.rows.get(name)
        data: dict[str, Any] = {}
        for each in form.fields:
            if each.kind in ("checkbox", "radio"):
                if each.is_chosen:
                    data.setdefault(each.name, []).append(each.value)
            elif each.kind == "select":
                data[each.name] = each.value or next(iter(filter(None, each.options)), "")
            elif each.kind not in ("file", "button", "submit"):
                data[each.name] = each.value
        buttons = [each for each in form.fields if each.kind == "button"]
        if buttons:
            data[buttons[0].name] = buttons[0].value
        if isinstance(row, (Row, StaffRow)) and row.data:
            known = {each.name for each in form.fields}
            sent = row.data(self.world) if callable(row.data) else row.data
            data |= {key: value for key, value in sent.items() if not known or key in known}
        return data

    def nonsense(self) -> None:
        """Every field of every form at once, then each that is not free by itself. Nothing of it is kept."""
        posts = source_names(POSTS)
        for key, (address, form) in list(self.forms.items()):
            name = key[0]
            if name in LEAVES:
                continue
            fields = {each.name: each for each in form.fields if each.kind != "file"}
            for text in self._samples():
                self._try(name, address, dict.fromkeys(fields, text) | dict.fromkeys(posts, text))
            for text in SPECIMENS if self.is_thorough else ():
                for each in fields.values():
                    if not each.is_free or each.name.rpartition("-")[2] in GRAMMAR:
                        self._try(name, address, {**self._plain(name, form), each.name: text})
            for file_name in self._samples()[:4]:
                files = {k: v for k, v in self._plain(name, form).items() if isinstance(_first(v), SimpleUploadedFile)}
                if files:
                    renamed = {key: _renamed(_first(value), file_name) for key, value in files.items()}
                    self._try(name, address, {**self._plain(name, form), **renamed}, keep=name not in SIGNS)

    def _try(self, name: str, address: str, data: dict[str, Any], *, keep: bool = False) -> None:
        with taken_back(not keep and name not in SIGNS):
            self.ask("POST", address, data, headers=self._headers(name))

    def _samples(self) -> list[str]:
        """All strings when there is time, else the next of them in turn."""
        if self.is_thorough:
            return [*cocktails(self.strings, 0, 1000), *SPECIMENS]
        self._turn += 1
        return [SPECIMENS[self._turn // 4 % len(SPECIMENS)] if self._turn % 4 == 0 else next(self._cups)]

    def parameters(self) -> None:
        """Every name that any view reads, on every page, at once; when there is time, each by itself."""
        names = source_names(READS)
        for (name, _query), address in sorted(self.pages.items()):
            bare = address.partition("?")[0]
            for text in self._samples():
                self.ask("GET", bare, dict.fromkeys(names, text), headers=self._headers(name))
            if self.is_thorough:
                for each in names:
                    for text in SPECIMENS:
                        self.ask("GET", bare, {each: text}, headers=self._headers(name))

    def addresses(self) -> None:
        """The strings where numbers and names stand."""
        for name, _query in sorted({(name, "") for name, _ in self.pages}):
            kwargs = resolve(self.pages_of(name).partition("?")[0]).kwargs
            for key, value in kwargs.items():
                if not isinstance(value, str):
                    continue
                self._turn += 1
                for text in self._samples() if not self.is_thorough else self.strings[self._turn % 4 :: 4]:
                    try:
                        reverse(name, kwargs={**kwargs, key: text})
                    except NoReverseMatch:
                        continue  # no address can say that
                    path = reverse(name, kwargs={**kwargs, key: "ZQZQ"}).replace("ZQZQ", quote(text, safe=""))
                    self.ask("GET", path[:3000], headers=self._headers(name))

    def pages_of(self, name: str) -> str:
        return next(address for (known, _query), address in self.pages.items() if known == name)

    def never_shown(self) -> list[str]:
        """Fields whose text was sent and stands on no page."""
        return sorted({what for number, what in self.marks.items() if number not in self.shown})


def _fields(found: Judged) -> list[Field]:
    return [each for form in found.page.forms for each in form.fields] if found.page else []


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _renamed(file: SimpleUploadedFile, name: str) -> SimpleUploadedFile:
    """The file under another name, which a browser sends with quotes and line breaks escaped."""
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    ending = file.name.rpartition(".")[2]
    made = SimpleUploadedFile("x", file.read(), file.content_type)
    made._name = f"{escaped}.{ending}"  # type: ignore[attr-defined]  # as sent: the constructor would tidy it up
    return made


def name_of(address: str) -> str:
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


def source_names(pattern: re.Pattern[str]) -> list[str]:
    """What views read by name, from their source."""
    found = {
        next(filter(None, match)) if isinstance(match, tuple) else match
        for package in ("ledger", "compliance", "config")
        for path in (ROOT / package).rglob("*.py")
        for match in pattern.findall(path.read_text(encoding="utf-8"))
    }
    return sorted(found)


class taken_back:  # noqa: N801 - reads as a word of the sentence
    """Whatever the database was told inside is gone afterwards."""

    def __init__(self, wanted: bool) -> None:
        self._wanted, self._atomic = wanted, transaction.atomic()

    def __enter__(self) -> None:
        if self._wanted:
            self._atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._wanted:
            transaction.set_rollback(True)
            self._atomic.__exit__(None, None, None)
