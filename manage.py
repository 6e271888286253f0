#!/usr/bin/env python3
"""Starts any command with config.settings; config/bootstrap.py first makes sure that the dependencies are there."""

import os
import sys

from config import bootstrap


def main() -> None:
    bootstrap.ensure_environment(sys.argv)
    if sys.argv[1:2] == ["test"]:
        bootstrap.run_tests(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as missing:
        bootstrap.explain_missing(missing)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
