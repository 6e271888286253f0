"""What every test of the compliance app starts from."""

from __future__ import annotations

import pytest

from compliance.services.feature_index import features
from compliance.services.gallery import indexes


@pytest.fixture(autouse=True)
def _no_index_of_an_earlier_test() -> None:
    """A rolled back transaction gives the next test the same seller id at the same generation, with other pictures."""
    for cache in (indexes, features):
        for seller_id in cache.sellers:
            cache.drop(seller_id)
