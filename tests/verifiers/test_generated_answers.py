"""A property of every reader: right is right, near is wrong, nothing is nothing."""

from __future__ import annotations

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

from . import generated_answers


@pytest.mark.parametrize("n", [400, pytest.param(6000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", generated_answers.MAKERS)
def test_in_whatever_form(name, n):
    check, seen, failed = verifiers.get(name), set(), []
    for gold, extra, response, wanted in generated_answers.pairs(name, n, seed=n):
        verdict = check(Seed("made", "", gold, extra=extra), response)
        said = (
            "unparsed" if verdict.unparsed and wanted == "unparsed" else verdict.value
        )
        seen.add(wanted)
        if said != wanted:
            failed.append((gold, response, wanted, verdict))
    assert not failed, failed[:5]
    assert seen == {"right", "wrong", "unparsed"}
