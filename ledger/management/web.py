"""The web server inside a child of the supervisor: gunicorn with the settings of config/gunicorn.py.

The supervisor owns the listening socket. While the server is being replaced, connections wait in the socket's queue
instead of being refused.
"""

from __future__ import annotations

import socket
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from gunicorn.app.base import Application


class WebServer(Application):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        super().__init__()

    def load_config(self) -> None:
        # By name, because the ledger knows nothing of config.
        self.load_config_from_module_name_or_filename("python:config.gunicorn")
        self.cfg.set("bind", [f"fd://{self.listener.detach()}"])

    def load(self) -> Any:
        return import_string(settings.WSGI_APPLICATION)


def run_web(listener: socket.socket) -> None:
    """Serve until SIGTERM. The socket is given up to gunicorn, so call this in a process of its own."""
    WebServer(listener).run()


def open_listener(port: int, address: str = "127.0.0.1", backlog: int = 512) -> socket.socket:
    """Listen, on this machine alone unless told; a proxy in front makes it public. OSError when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
