"""Which characters are printed as they are, and how the others are spelled."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ledger.pdf.text import Escaper, drawable


@given(st.text())
def test_the_result_holds_only_characters_the_fonts_draw(text: str) -> None:
    assert {ord(char) for char in Escaper()(text)} <= drawable()


@given(st.text(alphabet="abc 中文，。①€0[]+U"))
def test_ordinary_text_is_left_alone(text: str) -> None:
    escape = Escaper()
    assert (escape(text), escape.escaped) == (text, [])


def test_controls_and_bidirectional_marks_are_never_drawable() -> None:
    assert not [p for p in drawable() if unicodedata.category(chr(p)) in {"Cc", "Cf"}]
    assert not {0x202E, 0x2066, 0x200B, 0xAD, 0xFEFF} & drawable()


def test_the_list_names_each_code_point_once_in_order() -> None:
    escape = Escaper()
    assert escape("😀a\u202eb😀") == "[U+1F600]a[U+202E]b[U+1F600]"
    assert escape.escaped == ["U+202E RIGHT-TO-LEFT OVERRIDE", "U+1F600 GRINNING FACE"]


def test_every_gbk_character_can_be_drawn() -> None:
    assert {ord(char) for char in "深圳市鑫淼囍喆㈱龘犇".encode("gbk", "ignore").decode("gbk")} <= drawable()
