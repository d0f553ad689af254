"""However an answer is spelled it is that answer, and its neighbour is not."""

from __future__ import annotations

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

from . import spellings

SIGNS = {"+": "right", "-": "wrong"}
ROWS = [
    *(("math", kind, *row) for kind, rows in spellings.MATH.items() for row in rows),
    *(
        ("math", "formulas", gold, rf"\boxed{{{response}}}", sign)
        for gold, response, sign in spellings.FORMULAS
    ),
    *(("numeric", "numbers with a tail", *row) for row in spellings.NUMERIC),
]


@pytest.mark.parametrize(("name", "kind", "gold", "response", "sign"), ROWS)
def test_row(name, kind, gold, response, sign):
    verdict = verifiers.get(name)(Seed("math", "", gold), response)
    assert verdict.value == SIGNS[sign], verdict


def test_every_kind_has_right_and_wrong_ones():
    for kind, rows in spellings.MATH.items():
        signs = {sign for _, _, sign in rows}
        assert signs == {"+", "-"}, kind
        assert len(rows) >= 10
