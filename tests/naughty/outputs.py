"""What leaves the site, judged by its kind: nothing of somebody's text may act in it, and nothing may be computed from it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import zipfile
from dataclasses import dataclass, field
from typing import Any

from defusedxml.ElementTree import fromstring

from tests.naughty.pages import Page
from tests.naughty.strings import OPENERS, SUM

MARKS = re.compile(r"<zq(\d+)>")


@dataclass(slots=True)
class Judged:
    """faults of an answer, the fields whose texts it shows, its page when it is one."""

    faults: list[str] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    page: Page | None = None
    status: int = 0
    location: str = ""


def judge(response: Any) -> Judged:
    """An HTTP answer with its headers. Somebody's own page, handed back as a file, is not ours to judge."""
    kind = response.get("Content-Type", "").partition(";")[0]
    if kind == "text/html" and response.get("Content-Disposition", "").startswith("attachment"):
        kind = ""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    found = judge_content(kind, content)
    found.status, found.location = response.status_code, response.get("Location", "")
    if response.status_code >= 500 and response.status_code not in (503, 507):
        found.faults.append(f"answered {response.status_code}")
    for name, value in response.items():
        if not (value.isascii() and value.isprintable()) or name.lower() == "x-zq":
            found.faults.append(f"header {name}: {value!r}"[:200])
    if "zq" in response.cookies:
        found.faults.append("a text set a cookie")
    if response.get("Location", "").startswith(("//", "/\\")) or re.match(r"[a-z]+:", response.get("Location", "")):
        found.faults.append(f"leads to {response['Location']!r}"[:200])
    return found


def judge_content(kind: str, content: bytes) -> Judged:
    if kind == "application/zip":
        return _judge_zip(content)
    if kind == "application/pdf":
        return _judge_text(pdf_text(content))
    if not (kind.startswith("text/") or kind.endswith(("json", "xml"))):
        return Judged()
    text = content.decode("utf-8-sig")
    if kind == "text/html":
        return _judge_html(text)
    found = _judge_text(text)
    if kind == "text/csv":
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        found.faults += [f"a sheet runs {cell[:40]!r}" for cell in cells if cell.startswith(OPENERS)]
    elif kind.endswith("json"):
        found.shown |= _marks(json.dumps(json.loads(text), ensure_ascii=False).replace('\\"', '"'))
    elif kind.endswith("xml"):
        tree = fromstring(text)
        found.faults += [f"the element {node.tag} came from a text" for node in tree.iter() if "zq" in str(node.tag)]
        found.shown |= _marks(html.unescape(text))
    elif kind == "text/calendar":
        lines = text.split("\r\n")
        found.faults += [f"the line {line[:40]!r} came from a text" for line in lines if line.startswith("X-ZQ")]
        found.faults += ["a bare line break in a calendar"] if "\n" in "".join(lines) else []
    return found


def _marks(text: str) -> set[int]:
    return {int(number) for number in MARKS.findall(text)}


def _judge_text(text: str) -> Judged:
    return Judged(["a text was computed"] if SUM in text else [], _marks(re.sub(r"\s+", "", text)))


def _judge_html(text: str) -> Judged:
    found = _judge_text(html.unescape(text))
    found.page = Page(text)
    found.faults += found.page.faults
    if "&amp;lt;zq" in text:
        found.faults.append("a text is escaped twice")
    return found


def _judge_zip(content: bytes) -> Judged:
    """The archive's members, each by the ending of its name; names stay inside."""
    found = Judged()
    kinds = {"pdf": "application/pdf", "json": "application/json", "csv": "text/csv", "txt": "text/plain"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            name = info.filename
            if not name.isprintable() or name.startswith("/") or ".." in name.split("/") or "\\" in name:
                found.faults.append(f"a member is called {name!r}"[:200])
            inner = judge_content(kinds.get(name.rpartition(".")[2], ""), archive.read(info))
            found.faults += [f"{name}: {fault}"[:300] for fault in inner.faults]
            found.shown |= inner.shown
    return found


def pdf_text(content: bytes) -> str:
    """What a reader sees; nothing of a file that only somebody calls a PDF."""
    command = ["pdftotext", "-raw", "-", "-"]
    return subprocess.run(command, input=content, capture_output=True, check=False).stdout.decode()
