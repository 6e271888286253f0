"""Signed PDFs of the records without a layout of their own: a collage's check, a quality check, a file of a pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext_noop

from compliance.checks.base import Finding
from compliance.checks.quality_check import parse_quality
from compliance.checks.report import parse_report, read_findings
from compliance.models import CheckBatch, QualityRun
from compliance.services.bilingual import both_languages, say_both
from compliance.services.check_sheet import FindingLine, finding_lines
from compliance.services.quality import quality_line
from ledger.accounts.models import User
from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Certificate, Derivative
from ledger.pdf.assurance import Bilingual
from ledger.pdf.documents import Attachment, Common, FileFacts, RecordDocument, RuleResult
from ledger.pdf.documents import Verdict as Printed
from ledger.pdf.render import render_record
from ledger.services.evidence import file_facts, issue
from ledger.services.pictures import thumbnail

PREVIEW_PX = 320
LEVEL_VERDICTS = {"ERROR": Printed.FAILED, "CONFIRM": Printed.INDETERMINATE, "WARNING": Printed.PASSED}
MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


class RecordUnfinishedError(Exception):
    """A check without a result has no receipt."""

    code = "skus.unfinished"


def sku_receipt_of(*, actor: User | None, batch: CheckBatch) -> Certificate:
    """The receipt of a collage's check. Raises RecordUnfinishedError."""
    require_permission(actor, batch.seller, Permission.VIEW)
    if batch.statement is None:
        raise RecordUnfinishedError
    return issue(batch.statement, lambda common, files: render_record(_sku_document(batch, common), attachments=files))


def quality_receipt_of(*, actor: User | None, run: QualityRun) -> Certificate:
    """The receipt of a quality check."""
    require_permission(actor, run.seller, Permission.VIEW)
    return issue(run.statement, lambda common, files: render_record(_quality_document(run, common), attachments=files))


def derivative_receipt_of(*, actor: User | None, derivative: Derivative) -> Certificate:
    """The PDF of an entry that links a file to its original."""
    require_permission(actor, derivative.seller, Permission.VIEW)

    def render(common: Common, files: Sequence[Attachment]) -> bytes:
        return render_record(_derivative_document(derivative, common), attachments=files)

    return issue(derivative.statement, render)


def _sku_document(batch: CheckBatch, common: Common) -> RecordDocument:
    main = batch.main_image
    assert main is not None  # noqa: S101 - a finished check has its collage
    items = list(batch.items.select_related("image__blob"))
    with_image = [(item.sku, item.image) for item in items if item.image is not None]
    rules = list(_rules("", read_findings(batch.report)))
    for item in items:
        if item.report:
            rules += _rules(item.sku, parse_report(item.report).findings)
    return RecordDocument(
        common=common,
        title=say_both(gettext_noop("Receipt of a check of SKUs")),
        lead=say_both(gettext_noop("A collage and one hidden image per SKU were checked.")),
        pictures=(
            (say_both(gettext_noop("Main image")), thumbnail(main, PREVIEW_PX)),
            *((Bilingual(sku, sku), thumbnail(image, PREVIEW_PX)) for sku, image in with_image),
        ),
        files=(
            (say_both(gettext_noop("Main image")), file_facts(main)),
            *((Bilingual(f"隐藏图 {sku}", f"Hidden image {sku}"), file_facts(image)) for sku, image in with_image),
        ),
        facts=(
            (say_both(gettext_noop("SKUs")), ", ".join(item.sku for item in items)),
            (say_both(gettext_noop("Rules")), f"{batch.profile_id} v{batch.profile_version}"),
        ),
        verdict=Printed(batch.verdict),
        rules=tuple(rules),
        limits=(
            say_both(gettext_noop("A SKU's hidden image is not compared with the collage: it is no twin of it.")),
            say_both(gettext_noop("Rules without a finding are not listed here; the check's page lists all of them.")),
        ),
    )


def _quality_document(run: QualityRun, common: Common) -> RecordDocument:
    report = parse_quality(run.report)
    english, chinese = both_languages(lambda: quality_line(run))
    facts = tuple(
        (Bilingual(zh[0], en[0]), en[1] if en[1] == zh[1] else f"{zh[1]} {en[1]}")
        for en, zh in zip(english.facts, chinese.facts, strict=True)
    )
    mime = MIMES.get(report.format, "application/octet-stream")
    file = FileFacts(run.file_name, run.size_bytes, mime, bytes(run.sha256), report.width, report.height)
    return RecordDocument(
        common=common,
        title=say_both(gettext_noop("Receipt of a quality check")),
        lead=say_both(gettext_noop("One picture was looked at before it was used. The picture itself was not kept.")),
        pictures=(),
        files=((say_both(gettext_noop("Picture")), file),),
        facts=(*facts, (say_both(gettext_noop("Rules")), f"{report.profile_id} v{report.profile_version}")),
        verdict=Printed(run.verdict),
        rules=tuple(_rules("", report.findings)),
        limits=(say_both(gettext_noop("Rules without a finding are not listed here.")),),
    )


def _derivative_document(made: Derivative, common: Common) -> RecordDocument:
    role = say_both(
        {"main": gettext_noop("Main image"), "hidden": gettext_noop("Hidden image")}.get(
            made.role, gettext_noop("Detail image")
        )
    )
    original = made.original
    matrix = ", ".join(f"{value / 1_000_000:g}" for value in made.matrix_micro)
    facts = [
        (say_both(gettext_noop("Original")), f"{original.image.file_name} · {format_number(original.number)}"),
        (say_both(gettext_noop("Role")), f"{role.zh} {role.en}"),
        (say_both(gettext_noop("Geometry")), f"{made.geometry}: {matrix}"),
        (say_both(gettext_noop("Remaining distance")), f"{made.residual_milli / 1000:g} px"),
    ]
    if made.steps:
        facts.append((say_both(gettext_noop("Steps")), ", ".join(made.steps)))
    return RecordDocument(
        common=common,
        title=say_both(gettext_noop("Record of a file made from an original")),
        lead=say_both(gettext_noop("The file below was made from the registered original below.")),
        pictures=(
            (say_both(gettext_noop("Original")), thumbnail(original.image, PREVIEW_PX)),
            (role, thumbnail(made.image, PREVIEW_PX)),
        ),
        files=((role, file_facts(made.image)), (say_both(gettext_noop("Original")), file_facts(original.image))),
        facts=tuple(facts),
        limits=(say_both(gettext_noop("What was drawn over the picture is not part of the geometry.")),),
    )


def _rules(sku: str, findings: Sequence[Finding]) -> Iterator[RuleResult]:
    english, chinese = both_languages(lambda: finding_lines(findings))
    for en, zh in zip(english, chinese, strict=True):
        yield _rule(sku, en, zh)


def _rule(sku: str, en: FindingLine, zh: FindingLine) -> RuleResult:
    named = f"{sku}: " if sku else ""
    detail = f" ({en.detail})" if en.detail else ""
    return RuleResult(
        code=f"{en.rule} {en.code}",
        name=Bilingual(named + zh.title, named + en.title),
        verdict=LEVEL_VERDICTS[en.level],
        measured=en.measured + detail,
        allowed=en.allowed,
        source="",
    )
