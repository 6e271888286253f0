"""The measurements of one comparison, put into the two forms the score weighs.

`whole` asks whether the pictures agree as a whole; `region` only whether they agree between the features that are in
place, which is all that is left of a product cut out and put on another background. Shares near 1 are stretched (log
odds): a copy agrees to .99 where another photograph of the same pack reaches .95.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What compare.py measures, in order.
MEASURES = (
    "inliers",
    "share",
    "spread",
    "agreeing",
    "median",
    "well",
    "residual",
    "agreeing_inliers",
    "share_agreeing",
    "scaled",
    "stretched",
    "overlap",
    "texture",
    "cover",
    "cover_agreeing",
    "overall",
    "perspective",
    "explained",
    "hull",
    "hull_agreeing",
    "hull_well",
    "hull_median",
    "hull_detail",
    "detail",
    "detail_agreeing",
    "region",
    "region_inliers",
    "repeats",
    "repeats_well",
)
COLUMN = {name: number for number, name in enumerate(MEASURES)}

_WHOLE_ODDS = (("hull_median", 0.01), ("hull_well", 0.02), ("hull_detail", 0.02), ("median", 0.01), ("detail", 0.02))
_REGION_ODDS = (("hull_median", 0.01), ("hull_well", 0.02), ("hull_detail", 0.02), ("hull_agreeing", 0.02))
_REGION_PLAIN = ("inliers", "hull", "spread", "repeats", "share")
# Pairs whose product the region form also sees: chosen as "this counts for more where that is large".
_REGION_PRODUCTS = (
    ("inliers", "odds_hull_median"),
    ("inliers", "odds_hull_well"),
    ("inliers", "odds_hull_detail"),
    ("inliers", "log_residual"),
    ("hull", "odds_hull_well"),
    ("hull", "odds_hull_median"),
    ("odds_hull_well", "repeats"),
    ("odds_hull_detail", "repeats"),
    ("inliers", "repeats"),
    ("spread", "odds_hull_well"),
    ("inliers", "hull"),
    ("share", "odds_hull_well"),
    ("share", "inliers"),
    ("inliers", "log_hull"),
)


def whole_terms(measures: Floats) -> dict[str, Floats]:
    """Named columns (n,) of the whole form, from measurements (n, 29)."""
    plain = {name: measures[:, number] for name, number in COLUMN.items()}
    terms = dict(plain)
    terms.update({f"odds_{name}": _odds(plain[name], slack) for name, slack in _WHOLE_ODDS})
    terms["log_residual"] = np.log(plain["residual"] + 0.2)
    terms["hull_well*repeats"] = plain["hull_well"] * plain["repeats"]
    for name, factor in (
        ("hull_well", plain["hull_well"]),
        ("odds_hull_median", terms["odds_hull_median"]),
        ("odds_hull_detail", terms["odds_hull_detail"]),
        ("log_residual", terms["log_residual"]),
    ):
        terms[f"inliers*{name}"] = plain["inliers"] * factor
    return terms


def region_terms(measures: Floats) -> dict[str, Floats]:
    """Named columns (n,) of the region form, from measurements (n, 29)."""
    terms = {name: measures[:, COLUMN[name]] for name in _REGION_PLAIN}
    terms.update({f"odds_{name}": _odds(measures[:, COLUMN[name]], slack) for name, slack in _REGION_ODDS})
    terms["log_residual"] = np.log(measures[:, COLUMN["residual"]] + 0.2)
    terms["log_hull"] = np.log(terms["hull"] + 0.01)
    terms.update({f"{left}*{right}": terms[left] * terms[right] for left, right in _REGION_PRODUCTS})
    return terms


def _odds(share: Floats, slack: float) -> Floats:
    """Log odds of a share, finite at 0 and 1."""
    inside = np.clip(share, 0, 1)
    odds: Floats = np.log((inside + slack) / (1 - inside + slack))
    return odds


FORMS = {"whole": whole_terms, "region": region_terms}

# What must not raise the score when it grows: misses, distortion, and agreement of what repeats itself anyway. All else
# must not lower it. Without these signs a fit can call pictures unlike its own copies: drawn ones with three features
# in place and 3 % agreeing were.
LOWERING = frozenset(
    {
        "residual",
        "log_residual",
        "inliers*log_residual",
        "scaled",
        "stretched",
        "perspective",
        "repeats",
        "repeats_well",
    }
    | {"hull_well*repeats", "odds_hull_well*repeats", "odds_hull_detail*repeats", "inliers*repeats", "texture"}
)


def sign_of(term: str) -> float:
    """-1 for a term that may only lower the score, else 1."""
    return -1.0 if term in LOWERING else 1.0


TERM_NAMES = {form: tuple(make(np.zeros((1, len(MEASURES))))) for form, make in FORMS.items()}


def columns(form: str, measures: Floats) -> Floats:
    """float64 (n, terms of the form), in the order of TERM_NAMES, from measurements (n, 29)."""
    return np.column_stack(list(FORMS[form](measures).values()))
