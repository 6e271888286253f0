"""The settings of a public site for tests: what config/settings.py says when ORIGINMARK_PUBLIC_URL is set."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

SETTINGS = Path(__file__).resolve().parent.parent / "config" / "settings.py"
URL = "https://shop.example"
# Tests have their own.
LEFT_ALONE = (
    "DATA_DIR",
    "KEYS_DIR",
    "DATABASES",
    "STORAGES",
    "PASSWORD_HASHERS",
    "SECRET_KEY",
    "STATIC_ROOT",
    "TEMPLATES",
)


def make_public(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the rest of the test with the settings of https://shop.example, each as the settings file computes it."""
    monkeypatch.setenv("ORIGINMARK_PUBLIC_URL", URL)
    monkeypatch.setenv("ORIGINMARK_DATA", str(settings.DATA_DIR))
    monkeypatch.setenv("ORIGINMARK_KEYS", str(settings.KEYS_DIR))
    public = runpy.run_path(str(SETTINGS))
    for name, value in public.items():
        if name.isupper() and name not in LEFT_ALONE and getattr(settings, name, None) != value:
            setattr(settings, name, value)
