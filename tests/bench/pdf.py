"""How long documents take: each step as a ratio to a bare typesetter run of one Chinese line with the same fonts.

Run from the repository: python -m tests.bench.pdf [rounds]. Ratios travel between machines; milliseconds do not.
"""

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable

import typst

from ledger.pdf.documents import Attachment
from ledger.pdf.read import read_certificate
from ledger.pdf.render import render_certificate, render_check_receipt, render_query_receipt
from ledger.pdf.sign import make_document_signer, sign_pdf
from ledger.pdf.typeset import FONTS
from tests.ledger.pdf import samples

BARE = '#set document(title: "原证")\n#set text(font: "Noto Sans SC", lang: "zh")\n原创图存证证书'.encode()


def median_ms(step: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main(rounds: int) -> None:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    bundle = Attachment("originmark-bundle.zip", "application/zip", random.Random(1).randbytes(9_000))
    signer = make_document_signer("bench", now=samples.ISSUED)
    numbers = iter(range(10**9))

    def certificate() -> bytes:
        # another name each time: the typesetter remembers what it has laid out before
        facts = samples.file_facts(f"DSC_{next(numbers):06d}.jpg")
        return render_certificate(samples.certificate(file=facts), attachments=[bundle])

    pdf = certificate()
    signed = sign_pdf(pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED)
    steps: dict[str, Callable[[], object]] = {
        "bare typst compile": lambda: typst.Compiler(BARE, font_paths=fonts, ignore_system_fonts=True).compile(
            format="pdf", pdf_standards=["a-3a", "ua-1"], timestamp=0
        ),
        "certificate": certificate,
        "query receipt": lambda: render_query_receipt(samples.query_receipt(), attachments=[bundle]),
        "check receipt": lambda: render_check_receipt(samples.check_receipt(), attachments=[bundle]),
        "sign": lambda: sign_pdf(pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED),
        "read": lambda: read_certificate(signed, trusted_cert_pem=signer.cert_pem),
    }
    bare = 0.0
    for name, step in steps.items():
        milliseconds = median_ms(step, rounds)
        bare = bare or milliseconds
        print(f"{name:20} {milliseconds:8.1f} ms  {milliseconds / bare:6.1f} x bare")
    print(f"certificate with a 9 kB bundle: {len(pdf) / 1000:.1f} kB, signed {len(signed) / 1000:.1f} kB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
