"""The receipt of a finished check: a signed PDF in both languages, with the evidence bundle inside."""

from __future__ import annotations

from collections.abc import Sequence

from compliance.checks.answers import ADDED, PRODUCT
from compliance.checks.check import PairReport
from compliance.checks.report import parse_report
from compliance.checks.words import gettext_noop
from compliance.models import CheckRun
from compliance.services.answers import Answers, by_number
from compliance.services.bilingual import both_languages, say_both
from compliance.services.check_sheet import CheckSheet, RuleLine, check_sheet
from compliance.services.checks import DIFFERENCE
from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Certificate
from ledger.pdf.assurance import Bilingual
from ledger.pdf.documents import Attachment, CheckReceiptDocument, Common, RuleResult, Verdict
from ledger.pdf.render import render_check_receipt
from ledger.services.blobs import BlobUnreadableError, read_part
from ledger.services.evidence import file_facts, issue
from ledger.services.pictures import thumbnail

THUMBNAIL_PX = 320  # printed 53 mm wide
OURS = gettext_noop(
    "The verdict is this software's, by the limits named above. The marketplace decides by itself, and nobody has "
    "promised that it uses the same limits."
)
ANSWER_WORDS = {
    PRODUCT: gettext_noop("the seller says that it belongs to the product"),
    ADDED: gettext_noop("the seller says that it was added"),
}
NOT_APPLICABLE = "不适用 n/a"
NOT_CHECKED = gettext_noop("Not checked:")


class CheckUnfinishedError(Exception):
    """A check without a result has no receipt."""

    code = "check.unfinished"


def receipt_of(*, actor: User | None, run: CheckRun) -> Certificate:
    """The receipt of a check's newest entry, made at the first call and the same bytes ever after.

    Raises CheckUnfinishedError.
    """
    require_permission(actor, run.seller, Permission.VIEW)
    if run.statement is None:
        raise CheckUnfinishedError
    newest = run.verdicts.select_related("statement__entry", "statement__seller").last()
    statement = newest.statement if newest else run.statement
    report, answers = parse_report(run.report), newest.answers if newest else run.answers

    def render(common: Common, attachments: Sequence[Attachment]) -> bytes:
        return render_check_receipt(_document(run, report, answers, common), attachments=attachments)

    return issue(statement, render)


def difference_picture(run: CheckRun) -> bytes | None:
    """The difference as WebP in the main image's frame, or None when there is none."""
    if run.heatmap is None:
        return None
    try:
        return read_part(run.heatmap, DIFFERENCE)
    except BlobUnreadableError:
        return None


def _document(run: CheckRun, report: PairReport, answers: Answers, common: Common) -> CheckReceiptDocument:
    english, chinese = both_languages(lambda: check_sheet(report, by_number(answers)))
    return CheckReceiptDocument(
        common=common,
        main=file_facts(run.main_image),
        hidden=file_facts(run.hidden_image),
        main_thumbnail=thumbnail(run.main_image, THUMBNAIL_PX),
        hidden_thumbnail=thumbnail(run.hidden_image, THUMBNAIL_PX),
        heatmap=difference_picture(run),
        verdict=Verdict(english.verdict),
        rules=tuple(_rule(en, zh) for en, zh in zip(english.rules, chinese.rules, strict=True)),
        profile=f"{report.profile_id} v{report.profile_version}",
        limits=(*_answers(english, chinese, answers), *_limits(english, chinese)),
    )


def _answers(english: CheckSheet, chinese: CheckSheet, answers: Answers) -> tuple[Bilingual, ...]:
    """Which findings rest on the seller's word, whose, and since when."""
    said = []
    for each in answers:
        en, zh = (sheet.findings[each["finding"] - 1] for sheet in (english, chinese))
        words = say_both(ANSWER_WORDS[each["answer"]])
        who, at = each["by"] or "—", each["at"]
        said.append(
            Bilingual(
                f"问题 {zh.number}（{zh.rule} {zh.title}）：{words.zh}。{who}，{at}。",
                f"Finding {en.number} ({en.rule} {en.title}): {words.en}. {who}, {at}.",
            )
        )
    return tuple(said)


def _rule(english: RuleLine, chinese: RuleLine) -> RuleResult:
    return RuleResult(
        code=" ".join((english.rule, *english.codes, *_count(english))),
        name=Bilingual(chinese.title, english.title),
        verdict=Verdict(english.verdict),
        measured=NOT_APPLICABLE if english.had_nothing_to_measure else english.measured,
        allowed=english.allowed,
        source="; ".join(f"{limit.source} ({limit.status})" for limit in english.limits[:1]),
    )


def _count(line: RuleLine) -> tuple[str, ...]:
    """How many findings a rule made, where it made several, so that the receipt counts what the page counts."""
    return (f"× {len(line.numbers)}",) if len(line.numbers) > 1 else ()


def _limits(english: CheckSheet, chinese: CheckSheet) -> tuple[Bilingual, ...]:
    """What the check does not tell: why rules were undecided, what no rule looks at, and whose verdict it is."""
    reasons = [Bilingual(zh, en) for zh, en in zip(chinese.reasons, english.reasons, strict=True)]
    return (*reasons, _not_checked(english, chinese), say_both(OURS))


def _not_checked(english: CheckSheet, chinese: CheckSheet) -> Bilingual:
    head = say_both(NOT_CHECKED)
    zh = "、".join(f"{rule} {title}" for rule, title in chinese.not_looked_at)
    en = ", ".join(f"{rule} {title}" for rule, title in english.not_looked_at)
    return Bilingual(f"{head.zh}{zh}。", f"{head.en} {en}.")
