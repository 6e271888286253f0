"""Environment variables: the right type, the default, or a sentence that names the variable."""

from pathlib import Path

import pytest

from config import env

NAME = "ORIGINMARK_TEST_VALUE"


@pytest.fixture
def set_to(monkeypatch):
    return lambda value, name=NAME: monkeypatch.setenv(name, value)


@pytest.mark.parametrize("value", ["", "   "])
def test_empty_means_the_default(set_to, value):
    set_to(value)
    assert env.text(NAME, "default") == "default"
    assert env.flag(NAME, True) is True
    assert env.integer(NAME, 7) == 7
    assert env.choice(NAME, "a", ["a", "b"]) == "a"
    assert env.secret(NAME, "default") == "default"


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)])
def test_a_flag_has_eight_spellings(set_to, value, flag):
    set_to(value)
    assert env.flag(NAME, not flag) is flag


def test_a_path_is_absolute(set_to):
    set_to("some/where")
    assert env.path(NAME, Path("x")) == Path.cwd() / "some/where"
    set_to("~/data")
    assert env.path(NAME, Path("x")) == Path.home() / "data"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("maybe", lambda: env.flag(NAME)),
        ("12a", lambda: env.integer(NAME, 1)),
        ("1.5", lambda: env.integer(NAME, 1)),
        ("0", lambda: env.integer(NAME, 1, minimum=1)),
        ("99", lambda: env.integer(NAME, 1, maximum=9)),
        ("c", lambda: env.choice(NAME, "a", ["a", "b"])),
    ],
)
def test_a_malformed_value_stops_with_a_sentence(set_to, value, read):
    set_to(value)
    with pytest.raises(SystemExit) as stopped:
        read()
    assert NAME in str(stopped.value)
    assert str(stopped.value).endswith(".")


def test_a_secret_may_come_from_a_file(set_to, tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    set_to(str(tmp_path / "secret"), f"{NAME}_FILE")
    assert env.secret(NAME) == "from a file"


def test_a_secret_given_twice_stops(set_to, tmp_path):
    (tmp_path / "secret").write_text("one")
    set_to(str(tmp_path / "secret"), f"{NAME}_FILE")
    set_to("two")
    with pytest.raises(env.SettingError, match="both set"):
        env.secret(NAME)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_an_unusable_secret_file_stops_without_showing_it(set_to, tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    set_to(str(path), f"{NAME}_FILE")
    with pytest.raises(env.SettingError, match=f"{NAME}_FILE"):
        env.secret(NAME)


def test_a_secret_is_never_in_the_message(set_to, tmp_path):
    set_to("hush", NAME)
    set_to(str(tmp_path / "missing"), f"{NAME}_FILE")
    with pytest.raises(env.SettingError) as stopped:
        env.secret(NAME)
    assert "hush" not in str(stopped.value)
