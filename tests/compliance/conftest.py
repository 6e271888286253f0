"""What every test of the compliance app starts from."""

from __future__ import annotations

import pytest

from compliance.services.gallery import indexes


@pytest.fixture(autouse=True)
def _no_index_of_an_earlier_test() -> None:
    """A rolled back transaction gives the next test the same seller id at the same generation, with other pictures."""
    for seller_id in indexes.sellers:
        indexes.drop(seller_id)
