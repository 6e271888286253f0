"""Strings that hurt, by what they try: the tests' own list, and the reader of a longer one kept outside the project.

A cocktail is as many of them as a field takes, behind a mark: an element that no page of ours has. A page that shows
the mark as an element, or lets it end an attribute, escapes nothing there. The number in it tells the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

SUM = "7006652"  # of 1234*5678: what an engine shows that runs our text instead of printing it
KINDS: dict[str, list[str]] = {
    "markup": [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'><svg/onload=alert(1)>",
        "</title><script>alert(2)</script>",
        "</textarea><script>alert(3)</script>",
        "<a href='javascript:alert(4)'>k</a>",
        "javascript:alert(5)//",
        "data:text/html,<script>alert(6)</script>",
        "--><!--",
        "]]><x/><![CDATA[",
        "&lt;b&gt;&amp;#60;",
        "<IMG SRC=jav&#x09;ascript:alert(7)>",
    ],
    "quotes": ["'", '"', "''''\"", "`", "“”‘’«»", "\\'", "a\\", "Ted O'Toole"],
    "templates": [
        "{{ 1234*5678 }}",
        "{% debug %}",
        "{#",
        "${1234*5678}",
        "#{1234*5678}",
        "<%= 1234*5678 %>",
        "{{ settings.SECRET_KEY }}",
        "{% load x %}{{ a|b:",
    ],
    "typst": [
        "#(1234*5678)",
        "#eval(\"1234*5678\")",
        '#read("/etc/passwd")',
        "#set text(red)[x]",
        "$ sum_(i=0) $",
        "*bold* _emph_ `raw`",
        "= Heading",
        "@label <label>",
        "https://a.example/ // comment",
        "/* open",
        "```",
        "#panic()",
    ],
    "formulas": [
        '=HYPERLINK("http://evil.example","x")',
        "=1234*5678",
        "+1234*5678",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)",
        "\t=1234*5678",
        "\r=1234*5678",
        "\n=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
    ],
    "direction": ["a\u202egpj.exe", "\u2066x\u2069", "\u200f\u200e", "שלום עולם", "صورة المنتج", "\u061cx"],
    "invisible": ["a\u200bb", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u034f", "\u180e", "\u3164", "\u2028x\u2029"],
    "combining": ["cafe\u0301", "Z\u0351\u036b\u0343\u036aa\u0327\u0321l\u0354\u0320g\u0349o\u0348", "각", "ﷺ", "ก็็็็็"],
    "controls": ["nul\x00nul", "a\nb", "a\r\nX-Zq: 1", "\x1b[31mred", "\x07\x08\x0b\x0c", "\x7f\x85\x9f", "\\x00%00"],
    "lines": ["\r\nSet-Cookie: zq=1", "%0d%0aX-Zq:1", "a\r\nBEGIN:VEVENT\r\nX-ZQ:1", "a;b,c:d\\n", "\nBcc: x@evil.example"],
    "emoji": ["👩‍👩‍👧‍👦🏽", "🇨🇳🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👾🙇💁🙅", "1️⃣", "🫠", "\U0001f1fa"],
    "planes": ["𠜎𠜱𠝹", "\U0010ffff", "\ufffe\uffff", "\ue000", "𝕋𝕙𝕖", "⅛⅜", "田中さんにあげて下さい", "原证"],
    "sql": ["1;DROP TABLE ledger_entry", "1' OR '1'='1", "'; --", "%", "_", "\\%", "') OR 1=1--", "x'; EXEC xp_cmdshell"],
    "format": ["%s%s%n%d", "%(name)s", "{0}{name!r}", "{self.__class__}", "$HOME", "$(id)", "`id`", "%c%99999d", "{}"],
    "paths": ["../../../etc/passwd", "..\\..\\x", "/etc/passwd", "C:\\CON", "file:///etc/passwd", ".", "..", "~/x", "a/b"],
    "words": ["null", "None", "undefined", "NaN", "true", "[]", "{}", "-1", "0", "1e309", "0x10", "１２３", "1,5", "Infinity"],
    "numbers": ["99999999999999999999999", "-9223372036854775809", "1" * 400, "٣", "²", "1_000", "0.1e-400", "२"],
    "spaces": [" ", "\u00a0", "\u3000", "　x　", "\u2003", "a  b"],
    "long": ["x" * 300, "A" * 5000, "长" * 3000, "<b>" * 1000, "\u0301" * 500],
}  # fmt: skip
STRINGS = [text for texts in KINDS.values() for text in texts]
# What begins like a formula harms only where the cell begins with it: such a text opens its cocktail.
OPENERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def read_strings(path: Path) -> list[str]:
    """Names, naughty strings and cells of a strings.json (shared/data/hostile-files)."""
    data = json.loads(path.read_text(encoding="utf-8"))
    cells = [row["input"] for row in data["csv_cells"]]
    return list(dict.fromkeys([*data["names"], *data["blns"], *cells]))


def mark(number: int) -> str:
    """What no page may show as an element, with quotes that would end an attribute."""
    return f"\"'><zq{number}>"


def cocktails(strings: Sequence[str], number: int, limit: int) -> Iterator[str]:
    """All strings that fit, in as few texts of at most limit characters as may be, each with the mark of its field."""
    room = limit - len(mark(number))
    if room < 1:
        return
    cup = ""
    for text in strings:
        if len(text) > room:
            continue
        joined = f"{cup} {text}" if cup else text
        if cup and (len(joined) > room or text.startswith(OPENERS)):
            yield cup + mark(number)
            joined = text
        cup = joined
    if cup:
        yield cup + mark(number)
