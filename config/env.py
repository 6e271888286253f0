"""Typed readers of environment variables: text, flag, integer, choice, path, secret.

Unset or empty means the default. A value that cannot be what it claims to be stops the program with one sentence that
names the variable: a mistyped setting must never turn into a guess. A secret may come from a file named by NAME_FILE,
as container platforms hand them out; its value is never shown in a message.
"""

import os
from collections.abc import Sequence
from pathlib import Path

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


class SettingError(SystemExit):
    """A malformed environment variable. Being a SystemExit it prints its sentence and ends with status 1."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"The environment variable {name} {problem}.")
        self.name = name


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if value and value not in TRUE + FALSE:
        raise SettingError(name, f"must be one of {', '.join(TRUE + FALSE)}; it is {value!r}")
    return value in TRUE if value else default


def integer(name: str, default: int, minimum: int | None = None, maximum: int | None = None) -> int:
    value = text(name)
    try:
        number = int(value) if value else default
    except ValueError:
        raise SettingError(name, f"must be a whole number; it is {value!r}") from None
    if minimum is not None and number < minimum:
        raise SettingError(name, f"must be at least {minimum}; it is {number}")
    if maximum is not None and number > maximum:
        raise SettingError(name, f"must be at most {maximum}; it is {number}")
    return number


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name, default)
    if value not in choices:
        raise SettingError(name, f"must be one of {', '.join(choices)}; it is {value!r}")
    return value


def path(name: str, default: Path) -> Path:
    """Always absolute: child processes and later chdirs must mean the same place."""
    value = text(name)
    if "\0" in value:
        raise SettingError(name, "must be a path; it holds a NUL character")
    return Path(value).expanduser().absolute() if value else default.absolute()


def secret(name: str, default: str = "") -> str:
    value, file = text(name), text(f"{name}_FILE")
    if value and file:
        raise SettingError(name, f"and {name}_FILE are both set; keep one of them")
    if not file:
        return value or default
    try:
        value = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
        raise SettingError(f"{name}_FILE", f"names a file that cannot be read ({reason}): {file}") from None
    if not value:
        raise SettingError(f"{name}_FILE", f"names an empty file: {file}")
    return value
