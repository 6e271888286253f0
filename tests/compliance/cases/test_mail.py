"""Pasted e-mails of platforms: platform, event, moment, numbers; nothing is made up where nothing stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from compliance.cases.mail import MAX_CHARACTERS, read_mail

NOTICE = """From: AliExpress <noreply@notice.aliexpress.com>
Date: Wed, 30 Sep 2026 09:00:00 +0800
Subject: Your product was reported

Dear seller, your product https://www.aliexpress.com/item/1005001234567890.html was reported for copyright.
Complaint ID: ALI20260930X. Please answer within 3 working days.
"""
COUNTERED = """From: eBay <vero@ebay.com>
Sent: Tue, 10 Nov 2026 12:00:00 -0500

A counter notice has been received for report number 5123456789.
Item number: 4000123456
"""
CHINESE = """发件人：阿里巴巴知识产权 <ipp@alibaba.com>
日期：2026-11-20 15:30

您提交的投诉（投诉编号：TS20261120001）不成立。
"""


def test_a_notice_against_us():
    found = read_mail(NOTICE)
    assert (found.platform, found.event) == ("aliexpress", "notice_received")
    assert found.at == datetime(2026, 9, 30, 1, 0, tzinfo=UTC)
    assert found.references == ("ALI20260930X",)
    assert found.items == ("1005001234567890",)
    assert found.urls == ("https://www.aliexpress.com/item/1005001234567890.html",)


def test_a_counter_notice_to_our_complaint():
    found = read_mail(COUNTERED)
    assert (found.platform, found.event) == ("ebay", "countered")
    assert found.at == datetime(2026, 11, 10, 17, 0, tzinfo=UTC)
    assert "5123456789" in found.references
    assert found.items == ("4000123456",)


def test_a_rejection_in_chinese():
    found = read_mail(CHINESE)
    assert (found.platform, found.event) == ("alibaba", "rejected")
    assert found.at == datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    assert found.references == ("TS20261120001",)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("The listing has been removed following your report 123456.", "removed"),
        ("该商品已被下架。", "removed"),
        ("We need additional information: please provide the invoice.", "clarification"),
        ("请补充材料。", "clarification"),
        ("Your complaint was accepted.", "accepted"),
        ("您的投诉成立。", "accepted"),
        ("Your appeal was rejected.", "rejected"),
        ("您的商品被投诉侵权。", "notice_received"),
        ("被投诉方已提交反通知。", "countered"),
        ("Good morning, here is our newsletter.", ""),
    ],
)
def test_what_a_sentence_says(text, event):
    assert read_mail(text).event == event


@pytest.mark.parametrize("text", ["", "\0", "Date: never", "Date: 2026-13-45", "日期：99", "https://[", "x" * 300_000])
def test_nothing_is_made_up(text):
    found = read_mail(text)
    assert (found.event, found.at, found.references) == ("", None, ())


def test_a_huge_mail_is_read_in_bounded_time():
    assert read_mail("Your listing " * 40_000).event in ("", "notice_received")
    assert MAX_CHARACTERS == 200_000
