"""The specification names what the code has: every error code, every field, every kind."""

from pathlib import Path

import pytest

from ledger.tlog import errors
from ledger.tlog.bundle import Limits
from ledger.tlog.entry import KINDS
from ledger.tlog.verify import verify_bundle
from tests.ledger.tlog.sample import claims, who

SPEC = Path(__file__).parents[3] / "docs" / "spec"
TEXT = "\n".join(
    (SPEC / f"{page}.md").read_text() for page in ("entry", "claim", "checkpoint", "bundle", "policy", "timestamp")
)
CODES = sorted(
    {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.TlogError) and not error.__subclasses__()
    }
)


def names(value):
    """Every key of a document, at every level."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_documented(code):
    assert f"`{code}`" in TEXT


def test_no_two_errors_share_a_code():
    classes = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.TlogError)]
    assert len({error.code for error in classes}) == len(classes)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_and_claim_field_is_documented(kind):
    page = (SPEC / "claim.md").read_text()
    assert f"**{kind}**" in page
    for field in names(claims()[kind]):
        assert f"`{field}`" in page or f'"{field}"' in page


def test_every_identity_field_is_documented():
    page = (SPEC / "claim.md").read_text()
    assert all(f"`{field}`" in page for field in names(who()))


def test_every_report_field_is_documented():
    page = (SPEC / "bundle.md").read_text()
    assert all(f"`{field}`" in page for field in verify_bundle(b"").to_dict())


def test_the_documented_limits_are_the_real_ones():
    limits = Limits()
    assert (limits.files, limits.ratio, limits.text_bytes, limits.total_bytes) == (2100, 200, 2 * 2**20, 512 * 2**20)
