"""Reads a platform's e-mail that somebody pasted: which platform, what happened, when, and about what.

It proposes and decides nothing: a mail can be forged, and words can be missed. What it did not find stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from compliance.cases.platforms import HOSTS, OTHER, item_of, platform_of
from compliance.cases.steps import ACCEPTED, CLARIFICATION, COUNTERED, REJECTED, REMOVED

NOTICE = "notice_received"
MAX_CHARACTERS = 200_000

_ADDRESS = re.compile(r"https?://[^\s<>\"'）)】]+", re.I)
_SENDER = re.compile(r"^(?:from|发件人|发件者|de|remitente|от)\s*[:：]\s*(.+)$", re.I | re.M)
_DATE = re.compile(r"^(?:date|sent|日期|发送时间|时间|fecha|enviado|дата)\s*[:：]\s*(.+)$", re.I | re.M)
_ISO_DATE = re.compile(r"(20\d\d)[-/年.](\d{1,2})[-/月.](\d{1,2})日?(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_REFERENCE = re.compile(
    r"(?:complaint|notice|report|case|reference|ticket|claim|投诉|通知|案件|举报|工单|denuncia|reclamo|жалоб\w*)"
    r"\s*(?:id|no\.?|number|reference|编号|单号|号|n[úu]mero|№)?\s*(?:is|为|是)?\s*[#:：]?\s*"
    r"([A-Z0-9][A-Z0-9_-]{4,39})",
    re.I,
)
_ITEM = re.compile(
    r"(?:item|asin|product|listing|商品|产品)\s*(?:id|no\.?|number|编号)?\s*[#:：]?\s*([A-Z0-9]{8,20})\b", re.I
)
# In this order: a mail that says both is about the later step.
_EVENTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        COUNTERED,
        re.compile(
            r"counter[- ]?(?:notice|notification|statement) (?:has been |was )?(?:received|filed|submitted)"
            r"|(?:filed|submitted|received) a counter|反通知(?:已|被)?(?:提交|收到)|(?:提交|收到)了?(?:一份)?反通知|不侵权声明",
            re.I,
        ),
    ),
    (
        CLARIFICATION,
        re.compile(
            r"(?:need|require|provide|submit)\w* (?:more|additional|further) (?:information|document|evidence)"
            r"|补充(?:材料|证据|资料|信息)",
            re.I,
        ),
    ),
    (
        REJECTED,
        re.compile(
            r"(?:complaint|report|notice|appeal|claim|counter[- ]?notice)[^.\n]{0,60}(?:rejected|denied|declined|not accepted|unsuccessful)"
            r"|unable to (?:accept|process)|(?:投诉|举报|申诉|反通知)[^。\n]{0,20}(?:不成立|被驳回|未通过|被拒|驳回)",
            re.I,
        ),
    ),
    (
        REMOVED,
        re.compile(
            r"(?:listing|item|content|product)s?[^.\n]{0,60}(?:has been |have been |was |were )(?:removed|taken down|deleted)"
            r"(?![^.\n]*your listing)|(?:商品|产品|链接)[^。\n]{0,20}(?:已|被)(?:下架|删除|移除)",
            re.I,
        ),
    ),
    (
        ACCEPTED,
        re.compile(
            r"(?:complaint|report|notice|appeal)[^.\n]{0,60}(?:accepted|upheld|approved|successful)"
            r"|(?:投诉|举报|申诉)[^。\n]{0,20}(?:成立|通过|已受理)",
            re.I,
        ),
    ),
)
_AGAINST_US = re.compile(
    r"your (?:listing|item|product|content|store|account)s?[^.\n]{0,80}(?:reported|complain|infring|removed|notice)"
    r"|(?:received|submitted) a(?:n)? [^.\n]{0,40}(?:complaint|notice)[^.\n]{0,40}(?:against|about|regarding) (?:you|your)"
    r"|(?:你|您)的(?:商品|产品|店铺|链接)[^。\n]{0,30}(?:被投诉|侵权|被举报|下架)|(?:你|您)[^。\n]{0,10}被投诉",
    re.I,
)


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a mail seems to say. event: notice_received, or a state a case may move to; at: aware, None when no date was
    found; references and items: numbers in the order in which they stand."""

    platform: str = OTHER
    event: str = ""
    at: datetime | None = None
    sender: str = ""
    references: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


def read_mail(text: str) -> MailFacts:
    """Read a pasted mail, header lines included or not."""
    text = text[:MAX_CHARACTERS].replace("\r\n", "\n")
    sender = _first(_SENDER, text)
    urls = tuple(dict.fromkeys(url.rstrip(".,;，。；") for url in _ADDRESS.findall(text)))
    listings = tuple(dict.fromkeys(item_of(url) for url in urls if item_of(url)))
    items = tuple(dict.fromkeys([*(_with_digit(_ITEM.findall(text))), *listings]))
    references = tuple(dict.fromkeys(each for each in _with_digit(_REFERENCE.findall(text)) if each not in items))
    return MailFacts(_platform(sender, urls, text), _event(text), _moment(text), sender, references, items, urls)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1).strip()[:200] if found else ""


def _with_digit(words: list[str]) -> list[str]:
    """Numbers hold a digit; words that merely follow "complaint" do not."""
    return [word for word in words if any(character.isdigit() for character in word)]


def _platform(sender: str, urls: tuple[str, ...], text: str) -> str:
    """By the sender's domain, else by the most frequent platform among the addresses, else by the first name."""
    domain = re.search(r"@([\w.-]+)", sender)
    if domain and (found := platform_of(f"https://{domain.group(1)}")) != OTHER:
        return found
    counts: dict[str, int] = {}
    for url in urls:
        counts[platform_of(url)] = counts.get(platform_of(url), 0) + 1
    counts.pop(OTHER, None)
    if counts:
        return max(counts, key=lambda name: counts[name])
    named: Mapping[str, int] = {
        platform: place.start()
        for name, platform in {
            **HOSTS,
            "速卖通": "aliexpress",
            "亚马逊": "amazon",
            "淘宝": "taobao",
            "天猫": "tmall",
        }.items()
        if (place := re.search(re.escape(name), text, re.I))
    }
    return min(named, key=lambda name: named[name]) if named else OTHER


def _event(text: str) -> str:
    if _AGAINST_US.search(text) and not _EVENTS[2][1].search(text):
        return NOTICE
    return next((event for event, pattern in _EVENTS if pattern.search(text)), "")


def _moment(text: str) -> datetime | None:
    """The header's date; without a zone it is taken as UTC, and the page that shows it says so."""
    header = _first(_DATE, text)
    if header:
        try:
            found = parsedate_to_datetime(header)
        except (ValueError, TypeError):
            found = None
        if found is not None:
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    match = _ISO_DATE.search(header) or _ISO_DATE.search(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
