"""An authority on a real HTTP server that can be told to misbehave in each way that real ones do."""

import datetime as dt
import http.server
import threading
import time

from tests.ledger.tlog.clocks import NOW, Clock, make_middle, make_root

FAULTS = (
    "hanging",
    "503",
    "429",
    "html",
    "wrong nonce",
    "wrong imprint",
    "another authority",
    "no usage",
    "sha1",
    "expired",
    "rejection",
    "replay",
    "too large",
    "drops the line",
)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "FaultyAuthority"

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(request)
        fault = self.server.fault
        if fault in ("503", "429"):
            self.send_response(int(fault))
            self.send_header("Retry-After", "1200")
            self.end_headers()
        elif fault == "drops the line":
            self.connection.close()
        elif fault == "hanging":
            self.server.released.wait(30)
        else:
            self._send(self.server.body(request))

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class FaultyAuthority(http.server.ThreadingHTTPServer):
    """clock makes the good answers; fault is one of FAULTS or empty."""

    daemon_threads = True

    def __init__(self, name: str = "Example clock", root_name: str = "Example root") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        root = make_root(root_name)
        self.clock = Clock(name=name, root=root, middle=make_middle(root), certificates="reversed")
        self.others = {
            "another authority": Clock(root=make_root("Another root")),
            "no usage": Clock(name=name, root=root, usage=None),
            "sha1": Clock(name=name, root=root, digest="sha1"),
            "expired": Clock(name=name, root=root, end=NOW - dt.timedelta(hours=1)),
            "rejection": Clock(name=name, root=root, status="rejection"),
            "wrong nonce": Clock(name=name, root=root, change=lambda info: info.update(nonce=1)),
            "wrong imprint": Clock(
                name=name, root=root, change=lambda info: info["message_imprint"].update(hashed_message=bytes(32))
            ),
        }
        self.fault = ""
        self.requests: list[bytes] = []
        self.released = threading.Event()
        self.first: bytes = b""
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/tsa"

    def body(self, request: bytes) -> bytes:
        if self.fault == "html":
            return b"<!doctype html><title>Maintenance</title>"
        if self.fault == "too large":
            return b"0" * 400_000
        if self.fault == "replay":
            return self.first
        clock = self.others.get(self.fault, self.clock)
        clock.at = self.clock.at
        answer = clock.answer(request)
        self.first = self.first or answer
        return answer

    def stop(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()


class Ticking:
    """A clock of the test's own: now() is what the site sees, and what the authority stamps."""

    def __init__(self, *servers: FaultyAuthority, start: dt.datetime = NOW) -> None:
        self.time = start
        self.servers = servers

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_by(self, **amount: float) -> dt.datetime:
        self.time += dt.timedelta(**amount)
        for server in self.servers:
            server.clock.at = self.time.replace(microsecond=0)
        return self.time


def wait_for(condition, seconds: float = 5.0) -> bool:
    """Whether something becomes true soon."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())
