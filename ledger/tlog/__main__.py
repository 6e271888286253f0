"""`python -m ledger.tlog verify BUNDLE.zip`: checks evidence on a machine that has nothing but Python.

Exit codes: 0 PASSED, 1 FAILED, 2 INDETERMINATE, 64 wrong usage.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from ledger.tlog.errors import TimestampError, TlogError
from ledger.tlog.policy import Policy, parse_policy
from ledger.tlog.report import Report, Verdict
from ledger.tlog.verify import match_file, verify_bundle
from ledger.tlog.x509_path import load_certificates

EXIT_CODES = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INDETERMINATE: 2}
USAGE = 64


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m ledger.tlog", description="Check evidence from a transparency log.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    verify = commands.add_parser("verify", help="check an evidence bundle (ZIP)")
    verify.add_argument("bundle", type=Path, help="the bundle, a ZIP file")
    verify.add_argument("--policy", type=Path, help="whom you trust: a file in C2SP tlog-policy form")
    verify.add_argument("--anchors", type=Path, help="time-stamping authorities you trust: certificates as PEM")
    verify.add_argument("--file", type=Path, help="also say whether this file is a registered one")
    verify.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    # A name in a claim must not stop the answer from being printed where the terminal lacks its characters.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        policy = _read_policy(options.policy)
        anchors = load_certificates(options.anchors.read_bytes()) if options.anchors else []
        report = verify_bundle(options.bundle.read_bytes(), policy, anchors=anchors)
        if options.file:
            content = options.file.read_bytes()
            report = match_file(report, sha256(content).digest(), len(content))
    except OSError as error:
        parser.error(f"cannot read {error.filename}: {error.strerror}")
    except TlogError as error:
        parser.error(f"{options.anchors if isinstance(error, TimestampError) else options.policy}: {error.message}")
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(report)))
    return EXIT_CODES[report.verdict]


def _read_policy(path: Path | None) -> Policy | None:
    return parse_policy(path.read_bytes()) if path else None


def _lines(report: Report) -> list[str]:
    lines = [f"{check.verdict.value:<13} {check.name:<10} {check.item}: {check.detail}" for check in report.checks]
    lines += [f"{'NOT CHECKED':<13} {'other':<10} {name}: only its SHA-256 at most" for name in report.unchecked]
    lines.append("")
    if report.entry and report.verdict is not Verdict.FAILED:
        lines.append(f"entry {report.entry.seq}: {report.entry.kind}, logged {report.entry.ts} by the log's own clock")
        lines += [f"{digest.role}: sha256 {digest.sha256}, {digest.size} bytes" for digest in report.digests]
    if report.key:
        lines.append(f"key {report.key_id}, SHA-256 of the public key {report.key.fingerprint}")
    lines.append(report.summary)
    return lines


if __name__ == "__main__":
    sys.exit(main())
