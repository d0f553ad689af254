"""What step 3 says when nothing is teachable: too hard, or only the form fails."""

from __future__ import annotations

import pandas as pd
import pytest

from phi_kit.domains import tiers

ROWS = pd.DataFrame({"tier": ["frontier"] * 4})


def samples(*readings):
    return pd.DataFrame(readings, columns=["verdict", "lenient"])


def test_the_form_fails():
    drawn = samples(("wrong", "right"), *[("wrong", "wrong")] * 3)
    error = tiers.nothing_teachable(ROWS, drawn)
    said = str(error)
    assert "0% of the samples are right strictly; 25% contain the gold" in said
    assert "the form fails" in said
    assert "`contains`" in said


@pytest.mark.parametrize(
    "drawn",
    [
        samples(*[("wrong", "wrong")] * 4),
        samples(*[("right", "right")] * 4),
        samples(("right", "right"), ("wrong", "right"), ("right", "right")),
    ],
)
def test_the_seeds_are_too_hard_or_too_easy(drawn):
    said = str(tiers.nothing_teachable(ROWS, drawn))
    assert "{'frontier': 4}" in said
    assert "leniently" in said
    assert "form fails" not in said
