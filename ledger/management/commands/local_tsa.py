"""A real RFC 3161 authority on this machine for development: it announces itself as untrusted and counts for nothing."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ledger.anchors.local_tsa import AuthorityServer, LocalAuthority
from ledger.models import TimeAuthority
from ledger.services.authorities import AuthoritySettings, save_authority
from ledger.services.setup import prepare

NAME = "Local development clock"
PORT = 8318


class Command(BaseCommand):
    help = "Run a time-stamping authority for development (openssl ts). It proves nothing. Needs ORIGINMARK_DEV_TSA=1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=PORT)
        parser.add_argument("--register", action="store_true", help="also set it up as an authority of this site")

    def handle(self, *, port: int, register: bool, **options: Any) -> None:
        if not settings.DEV_TSA:
            raise CommandError("The development clock proves nothing and needs ORIGINMARK_DEV_TSA=1.")
        if shutil.which("openssl") is None:
            raise CommandError("The openssl command is not installed.")
        authority = LocalAuthority(Path(settings.DATA_DIR) / "local-tsa")
        try:
            server = AuthorityServer(authority, port)
        except OSError as error:
            raise CommandError(f"port {port}: {error.strerror}") from error
        if register:
            prepare()
            _register(server.url, authority.root_pem)
        self.stdout.write(f"NOT TRUSTED: a development clock at {server.url} proves nothing and counts for no level.")
        self.stdout.write(f"Trust anchor: {authority.folder / 'root.crt.pem'}. Stop with Ctrl-C.")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()


def _register(url: str, root_pem: bytes) -> None:
    wanted = AuthoritySettings(
        name=NAME, url=url, trust_anchors=root_pem.decode(), allows_local=True, priority=99, quota_calls=60
    )
    save_authority(actor=None, wanted=wanted, authority=TimeAuthority.objects.filter(name=NAME).first())
