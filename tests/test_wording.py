"""What people read promises nothing that nobody can keep: no court, no marketplace, no share of a whole market.

Pages, messages in both languages, printed documents, error texts and the pages of docs/ are read as text. docs/claims.md and
docs/requirements.md quote what marketplaces and sellers claim, so they are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
QUOTING = {ROOT / "docs/claims.md", ROOT / "docs/requirements.md"}
READ = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "templates/**/*.html",
        "ledger/pdf/**/*.typ",
        "ledger/pdf/**/*.py",
        "ledger/tlog/data/*.txt",
        "ledger/error_texts.py",
        "compliance/error_texts.py",
        "config/locale/**/*.po",
    )
    for path in ROOT.glob(pattern)
    if path not in QUOTING
)

# A promise, and how it may be worded in either language.
PROMISES = {
    "acceptance by courts": r"100\s?%.{0,30}(court|法院|采信)|(court|法院|采信率).{0,30}100\s?%|courts? (will|always) accept|法院(必然|一定|均会)采信",
    "a judgment nobody here has read": r"1287\s?号|民初",
    "approval by a marketplace": r"(?<!\bI )\bguarantee[sd]?\b|保证(通过|过审|胜诉)|必(过|胜)|包过|pass(es)? the review for sure",
    "accuracy of somebody else's search": r"98\.7\s?%|99\.2\s?%|94\.7\s?%",
    "a blockchain": r"blockchain|区块链|上链",
    "ownership": r"proves (the )?(owner|author)(ship)?\b(?! of nothing)|证明(您|你)(拥有|是作者)",
}


@pytest.mark.parametrize("promise", PROMISES)
def test_nothing_people_read_promises(promise):
    said = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in READ
        for found in re.finditer(PROMISES[promise], path.read_text(), re.IGNORECASE)
    ]
    assert said == []


def test_the_audit_reads_pages_documents_and_both_languages():
    kinds = {path.suffix for path in READ}
    assert kinds >= {".md", ".html", ".typ", ".txt", ".po", ".py"}
    assert len(READ) > 150


def test_the_audit_would_notice():
    lies = ["Accepted by courts: court acceptance 100 %", "准确率 98.7%", "区块链存证", "We guarantee approval"]
    assert all(any(re.search(pattern, lie, re.IGNORECASE) for pattern in PROMISES.values()) for lie in lies)


def test_the_whole_product_is_free_of_charge_under_one_licence():
    """One licence for everything, and no page, setting or message speaks of a plan, a price or a licence key."""
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    paid = re.compile(
        r"premium|licen[cs]e key|upgrade your plan|subscription fee|付费(版|套餐|功能)|升级套餐|会员费", re.IGNORECASE
    )
    settings = [ROOT / "config/settings.py", ROOT / "docs/operate/settings.md"]
    assert [path.name for path in [*READ, *settings] if paid.search(path.read_text())] == []
