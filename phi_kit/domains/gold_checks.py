"""Which generated items have a gold that holds: checks of their own, no verifier.

A verifier compares a response with the gold; it cannot see that the gold is false.
Some of reasoning-gym's tasks (0.1.25) make such items now and then. Of those families
an item is made only where the gold is found again by other means, so each of these
functions says of an item whether it may be made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache

from phi_kit.data.records import Seed
from phi_kit.verifiers.puzzle import FALSE_GOLDS

from .worked import algebra, logic

_Claim = tuple[str, str, str]  # a quantity and two terms


def syllogism(seed: Seed) -> bool:
    """Whether the conclusion follows where the gold says so, and only there.

    The task takes an undistributed middle for valid: 12 of 100 golds are false. What
    follows only where there is at least one thing of each kind (Aristotle's reading:
    `All dogs are cats` gives `Some cats are dogs`) has two answers: 19 of 100, and
    they are not made either.
    """
    claims = logic.claims(seed.prompt)
    if claims is None:
        return False
    short = _renamed(claims)
    return {follows(*short, existing=there) for there in (True, False)} == {
        seed.answer == "Yes"
    }


def _renamed(claims: Sequence[_Claim]) -> list[_Claim]:
    """The same claims about a, b and c: a few hundred cases in all."""
    names = list(dict.fromkeys(name for claim in claims for name in claim[1:]))
    short = dict(zip(names, "abcdef", strict=False))
    return [(kind, short[one], short[other]) for kind, one, other in claims]


@cache
def follows(*claims: _Claim, existing: bool) -> bool:
    """Whether the last claim is true in every world in which the others are.

    A world says which kinds of thing there are; a kind is the set of the terms that
    apply to it.

    Args:
        claims: the premises and then the conclusion.
        existing: whether every term applies to something.
    """
    *premises, asked = claims
    terms = sorted({term for claim in claims for term in claim[1:]})
    kinds = list(_subsets(terms))
    for world in _subsets(kinds):
        if existing and not all(any(t in kind for kind in world) for t in terms):
            continue
        if all(_true(claim, world) for claim in premises) and not _true(asked, world):
            return False
    return True


def _subsets(things: Sequence) -> Iterable[tuple]:
    sizes = range(len(things) + 1)
    return itertools.chain.from_iterable(
        itertools.combinations(things, size) for size in sizes
    )


def _true(claim: _Claim, world: Iterable[tuple[str, ...]]) -> bool:
    quantity, one, other = claim
    those = [other in kind for kind in world if one in kind]
    return {
        "All": all(those),
        "No": not any(those),
        "Some": any(those),
        "Some not": not all(those),
    }[quantity]


def word(seed: Seed) -> bool:
    """Whether each step of the item's own solution calculates, up to the gold.

    Of 1,000 items 78 say what is false (`0.68*40 = 27`, `15÷2/3=22`), and some of
    their golds are that. Templates whose steps cannot be read as equations (24 of 85)
    are not made either: nobody could say which of their golds hold.
    """
    return algebra.word(seed, "short") is not None


def equation(seed: Seed) -> bool:
    """Whether the equation has one solution, the gold; the task asks `0 = 0`, too."""
    return algebra.equation(seed, "short") is not None


def sequence(seed: Seed) -> bool:
    """Whether the shortest rules that fit the terms all go on with the gold."""
    return algebra.next_terms(seed.prompt) == {seed.answer}


def tie(seed: Seed) -> bool:
    """Whether a family relation is named the right way round."""
    return not FALSE_GOLDS["family_relationships"].fullmatch(seed.answer)
