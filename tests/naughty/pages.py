"""A page as a browser reads it: its forms, its links, and whatever of it came from somebody's text and acts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

URL_ATTRIBUTES = ("href", "src", "action", "formaction", "hx-get", "hx-post", "srcset", "poster", "xlink:href")
# A scheme as browsers read it: leading spaces and controls, and line breaks inside, do not count.
SCHEME = re.compile(r"^[\x00-\x20]*((?:j\s*a\s*v\s*a|v\s*b)\s*s\s*c\s*r\s*i\s*p\s*t|data)\s*:", re.IGNORECASE)
TYPED = frozenset({"email", "url", "number", "date", "datetime-local", "hidden", "password", "range", "color", "time"})
DEFAULT_LIMIT = 2000


@dataclass(slots=True)
class Field:
    """One field: kind is the input's type, "textarea" or "select"; options of selects and radios."""

    name: str
    kind: str
    value: str = ""
    limit: int = DEFAULT_LIMIT
    is_chosen: bool = False
    is_wrong: bool = False
    options: list[str] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        """Takes any text, as far as the page says."""
        return self.kind in ("text", "textarea", "search")


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: list[Field] = field(default_factory=list)


class Page(HTMLParser):
    """forms, links and faults of a page; faults are what a text did to it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.faults: list[str] = []
        self._named: dict[str, Form] = {}
        self._stack: list[Form] = []
        self._area: Field | None = None
        self._select: Field | None = None
        self._script = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._judge(tag, values)
        if tag == "form":
            form = Form(values.get("action", ""), values.get("method", "get").lower())
            self.forms.append(form)
            self._stack.append(form)
            if "id" in values:
                self._named[values["id"]] = form
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "script":
            self._script = "src" not in values and values.get("type") != "application/json"
        elif tag in ("input", "textarea", "select", "button"):
            self._add_field(tag, values)
        elif tag == "option" and self._select is not None:
            self._select.options.append(values.get("value", ""))
            if "selected" in values:
                self._select.value = values.get("value", "")

    def _judge(self, tag: str, values: dict[str, str]) -> None:
        if tag.startswith("zq") or any("zq" in name for name in values):
            self.faults.append(f"text of a field became the element {tag} {sorted(values)}"[:200])
        self.faults += [f"the attribute {name} of {tag} runs" for name in values if name.startswith("on")]
        for name in URL_ATTRIBUTES:
            if SCHEME.match(values.get(name, "")):
                self.faults.append(f"{name} of {tag} is {values[name][:60]!r}")

    def _add_field(self, tag: str, values: dict[str, str]) -> None:
        form = self._named.get(values.get("form", "")) or (self._stack[-1] if self._stack else None)
        name = values.get("name", "")
        if form is None or not name:
            return
        kind = values.get("type", "text").lower() if tag == "input" else tag
        if tag == "button":
            kind = "button"
        made = Field(name, kind, values.get("value", ""))
        if values.get("maxlength", "").isdecimal():
            made.limit = int(values["maxlength"])
        made.is_chosen = "checked" in values
        made.is_wrong = "is-invalid" in values.get("class", "") or values.get("aria-invalid") == "true"
        form.fields.append(made)
        self._area = made if tag == "textarea" else None
        self._select = made if tag == "select" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._stack:
            self._stack.pop()
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag == "script":
            self._script = False

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.value += data
        if self._script and data.strip():
            self.faults.append(f"a script on the page itself: {data.strip()[:60]!r}")
