"""A real RFC 3161 authority for development and tests: `openssl ts -reply` behind a small HTTP server.

It says in its own certificate that nobody should trust it, and the ledger counts its tokens for no assurance level.
Needs the openssl command. Deliberately absent: keeping its key safe.
"""

from __future__ import annotations

import http.server
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from ledger.tlog.timestamp import DEVELOPMENT_ORGANIZATION

POLICY = "2.999.3161.1"  # under the arc that is reserved for examples
MAX_REQUEST_BYTES = 16 * 1024
REQUEST_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
_OPENSSL_TIMEOUT_S = 20

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
O = {organization}
CN = {name}
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
{usage}
subjectKeyIdentifier = hash
[tsa_config]
default_tsa = stamp
[stamp]
serial = {folder}/serial
signer_cert = {folder}/tsa.crt.pem
certs = {folder}/root.crt.pem
signer_key = {folder}/tsa.key.pem
signer_digest = {signer_digest}
default_policy = {policy}
other_policies = 2.999.3161.2
digests = sha256, sha384, sha512{more_digests}
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """How the authority is made. usage and signer_digest let tests make broken ones."""

    name: str = "Local development clock"
    organization: str = DEVELOPMENT_ORGANIZATION
    usage: str = "extendedKeyUsage = critical,timeStamping"
    signer_digest: str = "sha256"
    days: int = 3650
    more_digests: str = ""


class LocalAuthority:
    """The key, certificates and openssl configuration of one authority in a directory; made when they are missing."""

    def __init__(self, folder: Path, settings: AuthoritySettings | None = None) -> None:
        self.folder = folder
        self.settings = settings or AuthoritySettings()
        self._lock = threading.Lock()  # openssl keeps the serial number in a file
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "tsa.crt.pem").exists():
            self._create()

    @property
    def root_pem(self) -> bytes:
        """The trust anchor, for whoever wants to try it out."""
        return (self.folder / "root.crt.pem").read_bytes()

    def reply(self, request: bytes) -> bytes:
        """The DER response to a DER request, granted or rejected as openssl decides."""
        with self._lock:
            query, answer = self.folder / "request.tsq", self.folder / "answer.tsr"
            query.write_bytes(request)
            answer.unlink(missing_ok=True)
            self._openssl(
                "ts", "-reply", "-queryfile", str(query), "-out", str(answer), "-config", str(self.folder / "tsa.cnf"),
                "-section", "stamp",
            )  # fmt: skip
            return answer.read_bytes()

    def _create(self) -> None:
        folder, settings = self.folder, self.settings
        text = _CONFIG.format(
            folder=folder,
            name=settings.name,
            organization=settings.organization,
            usage=settings.usage,
            signer_digest=settings.signer_digest,
            policy=POLICY,
            more_digests=f", {settings.more_digests}" if settings.more_digests else "",
        )
        (folder / "tsa.cnf").write_text(text)
        (folder / "root.cnf").write_text(text.replace(f"CN = {settings.name}", f"CN = {settings.name} root"))
        (folder / "serial").write_text("01\n")
        days = str(settings.days)
        for name in ("root", "tsa"):
            key = folder / f"{name}.key.pem"
            self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
            key.chmod(0o600)
        self._openssl(
            "req", "-new", "-x509", "-key", str(folder / "root.key.pem"), "-out", str(folder / "root.crt.pem"),
            "-config", str(folder / "root.cnf"), "-extensions", "root", "-days", days,
        )  # fmt: skip
        request = folder / "tsa.csr.pem"
        self._openssl(
            "req", "-new", "-key", str(folder / "tsa.key.pem"), "-out", str(request), "-config", str(folder / "tsa.cnf")
        )
        self._openssl(
            "x509", "-req", "-in", str(request), "-CA", str(folder / "root.crt.pem"),
            "-CAkey", str(folder / "root.key.pem"), "-CAcreateserial", "-days", days, "-sha256",
            "-extfile", str(folder / "tsa.cnf"), "-extensions", "tsa", "-out", str(folder / "tsa.crt.pem"),
        )  # fmt: skip

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_OPENSSL_TIMEOUT_S,
        )


class _Handler(http.server.BaseHTTPRequestHandler):
    server: AuthorityServer

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Content-Type") != REQUEST_TYPE or not 0 < length <= MAX_REQUEST_BYTES:
            self.send_error(400, "a time-stamp request is wanted")
            return
        answer = self.server.authority.reply(self.rfile.read(length))
        self.send_response(200)
        self.send_header("Content-Type", REPLY_TYPE)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        body = b"Originmark development clock. It is not to be trusted and proves nothing.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent: whoever runs it prints what matters."""


class AuthorityServer(http.server.ThreadingHTTPServer):
    """The authority on 127.0.0.1; port 0 takes any free one."""

    daemon_threads = True

    def __init__(self, authority: LocalAuthority, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.authority = authority

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"
