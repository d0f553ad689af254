"""However an answer is spelled it is that answer, and its neighbour is not."""

from __future__ import annotations

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

from . import spellings

SIGNS = {"+": "right", "-": "wrong"}
KINDS = {
    **{("math", kind): rows for kind, rows in spellings.MATH.items()},
    ("math", "formulas"): [
        (gold, rf"\boxed{{{response}}}", sign)
        for gold, response, sign in spellings.FORMULAS
    ],
    ("numeric", "numbers with a tail"): spellings.NUMERIC,
}


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_spelling_gets_its_verdict(name, kind):
    verify, failed = verifiers.get(name), []
    for gold, response, sign in KINDS[name, kind]:
        verdict = verify(Seed("math", "", gold), response)
        if verdict.value != SIGNS[sign]:
            failed.append((gold, response, verdict))
    assert not failed


def test_every_kind_has_right_and_wrong_ones():
    for kind, rows in spellings.MATH.items():
        signs = {sign for _, _, sign in rows}
        assert signs == {"+", "-"}, kind
        assert len(rows) >= 10
