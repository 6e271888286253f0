"""What the log looks like: one JSON object per event and line, in UTC, with the request or job it belongs to.

Secrets stay out by construction: requests are named by their route, never by path or query (links carry tokens), headers and
bodies are never handed to a logger; and, as a second line, by the names of the fields that somebody might add.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

Event = MutableMapping[str, Any]
SECRET_NAME = re.compile(r"pass|secret|token|cookie|authoriz|session|csrf|body|key$", re.I)
REDACTED = "[redacted]"


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Whatever is called like a secret is not written."""
    return {name: REDACTED if SECRET_NAME.search(name) else value for name, value in event.items()}


def _place(_logger: Any, _method: str, event: Event) -> Event:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["process"] = record.process
    return event


class RouteFilter(logging.Filter):
    """Django names a request by its path, and paths carry one-time links: say its route instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is not None:
            match = getattr(request, "resolver_match", None)
            status = getattr(record, "status_code", "")
            record.msg, record.args = "answered %s to route %s", (status, match.route if match else "(none)")
        return True


def json_formatter() -> logging.Formatter:
    """For the logging settings: every record, of this code or a library's, as one line of JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["fields"]),
        _spread,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _place,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=True),
        ],
    )


def _spread(_logger: Any, _method: str, event: Event) -> Event:
    """`extra={"fields": {...}}` of a plain logger become fields of the line."""
    fields = event.pop("fields", None)
    if isinstance(fields, dict):
        event.update(fields)
    return event


def logging_settings(level: str, *, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, as JSON or as lines for a person's terminal."""
    text = {"format": "{asctime} {levelname} {name} {message}", "style": "{"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"route": {"()": "config.logs.RouteFilter"}},
        "formatters": {"line": {"()": "config.logs.json_formatter"} if as_json else text},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["route"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # django-q2 would add a handler of its own to a logger without one.
            "django-q": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "django.server": {"handlers": [], "propagate": True},
            "httpx": {"level": "WARNING"},  # at INFO it writes whole addresses
            "httpcore": {"level": "WARNING"},
            # At INFO they tell how they were loaded, at every start and before every command.
            "faiss": {"level": "WARNING"},
            "pikepdf": {"level": "WARNING"},
        },
    }
