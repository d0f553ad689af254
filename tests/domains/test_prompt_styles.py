"""Prompts in a domain's style: where steps are wanted none asks for a bare answer."""

import itertools
import re
from dataclasses import replace

import pytest
from worked_checks import fault

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.domains.worked import worked

PAIRS = [(n, f) for n in domains.names() for f in domains.get(n).families]
TERSE = {
    *("sum-1", "gcd-30", "sum-2", "product-1"),
    *("family", "palindrome", "caesar", "countdown", "sudoku-4", "queens", "hanoi"),
}
BARE = re.compile(
    r"\bonly (?:the|with the word)\b|other text|^State the final answer|in one word|"
    r"with a single word|\boutput should\b|your response as",
    re.IGNORECASE | re.MULTILINE,
)
EVERY = pytest.mark.parametrize(
    ("name", "family"), PAIRS, ids=[f"{name}-{family.name}" for name, family in PAIRS]
)


def drawn(name, family, style, count=40):
    domain = replace(domains.get(name), style=style)
    (styled,) = domain.chosen([family.name])
    assert styled.style == style
    stream = generate_items(name, styled, rng_seed=11, split="train")
    return domain, list(itertools.islice(stream, count))


@EVERY
def test_a_bare_answer_is_demanded_in_its_own_style_only(name, family):
    _, bare = drawn(name, family, "answer")
    domain, steps = drawn(name, family, "steps")
    assert drawn(name, family, "think")[1] == steps
    assert len(bare) == len(steps) > 20
    assert [s.answer for s in bare] == [s.answer for s in steps]
    assert not [s.prompt for s in steps if BARE.search(s.prompt)]
    if family.name not in TERSE:
        assert steps == bare
        return
    assert all(BARE.search(seed.prompt) for seed in bare)
    for seed in steps:
        for form in ("short", "long"):
            text = worked(seed, form)
            assert not fault(seed, form, text), text
        assert domain.verifier(seed, text).right


@EVERY
def test_transforms_know_both_wordings(name, family):
    pairs = zip(
        drawn(name, family, "answer", 8)[1],
        drawn(name, family, "steps", 8)[1],
        strict=True,
    )
    for bare, steps in pairs:
        for transform in domains.get(name).transforms.values():
            variants = transform(steps, 5)
            assert len(variants) == len(transform(bare, 5))
            assert not any(BARE.search(variant.prompt) for variant in variants)
