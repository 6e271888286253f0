"""One signer and one signed certificate for the tests that only read them, and the outside tools they ask."""

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.pdf.render import render_certificate
from ledger.pdf.sign import DocumentSigner, make_document_signer, sign_pdf
from tests.ledger.pdf import samples

Tool = Callable[..., str]


@pytest.fixture(scope="session")
def signer() -> DocumentSigner:
    return make_document_signer("Originmark 测试", now=datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def unsigned_pdf() -> bytes:
    return render_certificate(samples.certificate(), attachments=[samples.bundle()])


@pytest.fixture(scope="session")
def signed_pdf(unsigned_pdf: bytes, signer: DocumentSigner) -> bytes:
    return sign_pdf(unsigned_pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Run a command-line tool on PDF bytes and give its output; absent tools skip here and fail in CI."""

    def run(command: str, *options: str, pdf: bytes) -> str:
        if shutil.which(command) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{command} is not installed, and CI=true")
            pytest.skip(f"{command} is not installed")
        path = tmp_path / "document.pdf"
        path.write_bytes(pdf)
        # -raw: in the order of the page's content, which is the order it is read aloud in
        first, last = {
            "pdftotext": (["-raw"], ["-"]),
            "pdftoppm": ([], [str(tmp_path / "page")]),
        }.get(command, ([], []))
        done = subprocess.run([command, *first, *options, str(path), *last], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run
