"""Logic: syllogisms by their rule, families by their ties, statements case by case."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from phi_kit.data.records import Seed

from .text import Form, Work, solution

_PREMISE = re.compile(r"(All|No|Some) (.+?) are (not )?(.+)")
_SYLLOGISM = re.compile(
    r"1\. (.+)\n2\. (.+)\n\nDoes it logically follow that:\n(.+)\?\n"
)
_Claim = tuple[str, str, str]


def _claim(text: str) -> _Claim | None:
    """`Some cats are not dogs` as (`Some not`, cats, dogs)."""
    found = _PREMISE.fullmatch(text.strip())
    if not found:
        return None
    return (found[1] + (" not" if found[3] else ""), found[2], found[4])


def claims(prompt: str) -> list[_Claim] | None:
    """The two premises and the conclusion of a syllogism's prompt."""
    found = _SYLLOGISM.search(prompt)
    read = [_claim(text) for text in found.groups()] if found else [None]
    return None if None in read else read


def _said(claim: _Claim) -> str:
    quantity, one, other = claim
    if quantity == "Some not":
        return f"Some {one} are not {other}"
    return f"{quantity} {one} are {other}"


# What `Q1 A are B` and `Q2 B are C` say together, as a quantity and its direction:
# from A to C, or back. Nothing where the pair is not here.
_CHAINED = {
    ("All", "All"): ("All", 1), ("All", "No"): ("No", 1),
    ("Some", "All"): ("Some", 1), ("Some", "No"): ("Some not", 1),
    ("No", "All"): ("Some not", -1), ("No", "Some"): ("Some not", -1),
}  # fmt: skip
# What one claim says of its two terms: the same way, and turned round. There is
# at least one of each kind of thing, as in Aristotle's logic.
_WEAKER = {"All": {"All", "Some"}, "No": {"No", "Some not"}}
_TURNED = {"All": {"Some"}, "No": {"No", "Some not"}, "Some": {"Some"}}


def _chained(first: _Claim, second: _Claim) -> _Claim | None:
    """What two claims that share their middle term say of the outer ones."""
    found = _CHAINED.get((first[0], second[0]))
    if found is None:
        return None
    outer = (first[1], second[2]) if found[1] == 1 else (second[2], first[1])
    return (found[0], *outer)


def _follows(known: _Claim, asked: _Claim) -> bool:
    quantity, one, other = known
    if asked[1:] == (one, other):
        return asked[0] in _WEAKER.get(quantity, {quantity})
    return asked[0] in _TURNED.get(quantity, set())


def syllogism(seed: Seed, form: Form) -> str | None:
    """What the premises say of the two terms that are asked about, then yes or no."""
    read = claims(seed.prompt)
    if read is None:
        return None
    first, second, asked = read
    if first[2] != second[1]:
        return None
    outer = {first[1], second[2]}
    if set(asked[1:]) == outer:
        known, from_what = _chained(first, second), "1 and 2"
    else:
        number = 1 if set(asked[1:]) == set(first[1:]) else 2
        known, from_what = (first, second)[number - 1], str(number)
        if set(asked[1:]) != set(known[1:]):
            return None
    lines = [f"Asked: {_said(asked)}."]
    if form == "long":
        lines = [f"1: {_said(first)}.", f"2: {_said(second)}.", *lines]
    if known is None:
        lines.append(
            f"From {from_what} nothing follows about {first[1]} and {second[2]}."
        )
        return solution(seed, lines, "No")
    right = _follows(known, asked)
    lines.append(f"From {from_what}: {_said(known)}.")
    verb = "gives" if right else "does not give"
    if form == "long":
        way = "the same way" if asked[1:] == known[1:] else "turned round"
        lines.append(f"{known[0]}, {way}, {verb} {asked[0]}.")
    else:
        lines.append(f"That {verb} it.")
    return solution(seed, lines, "Yes" if right else "No")


_COUPLE = re.compile(
    r"(\w+) is married to (\w+)\.(?: They have (?:a child|children) called "
    r"(\w+(?:, \w+)*(?: and \w+)?)\.)?"
)
_ASKED = re.compile(r"\n\n(?:What|How|What relation) is (\w+) (?:related )?to (\w+)\?")
_KIN = {
    "child": ("son", "daughter"), "parent": ("father", "mother"),
    "spouse": ("husband", "wife"), "sibling": ("brother", "sister"),
    "grandparent": ("grandfather", "grandmother"),
    "sibling of a parent": ("uncle", "aunt"),
}  # fmt: skip


def family(seed: Seed, form: Form) -> str | None:
    """The ties between the two people, one a line, then the word for them."""
    from reasoning_gym.graphs.family_relationships import FamilyRelationshipsConfig

    asked = _ASKED.search(seed.prompt)
    if not asked:
        return None
    one, other = asked.groups()
    parents: dict[str, tuple[str, str]] = {}
    spouses: dict[str, str] = {}
    for his, hers, children in _COUPLE.findall(seed.prompt):
        spouses |= {his: hers, hers: his}
        for child in re.findall(r"\w+", children.replace(" and ", ", ")):
            parents[child] = (his, hers)
    found = _tie(one, other, parents, spouses)
    if found is None:
        return None
    tie, lines = found
    config = FamilyRelationshipsConfig()
    male = one in config.male_names
    if male == (one in config.female_names):
        return None
    if form == "long":
        lines.append(f"So {one} is a {tie} of {other}.")
    lines.append(f"{one} is {'male' if male else 'female'}: {_KIN[tie][not male]}.")
    return solution(seed, lines, _KIN[tie][not male])


def _tie(
    one: str, other: str, parents: dict[str, tuple[str, str]], spouses: dict[str, str]
) -> tuple[str, list[str]] | None:
    """What one person is to another, and the lines of the story that say so."""

    def born(child: str) -> str:
        return f"{child} is a child of {' and '.join(parents[child])}."

    mine, theirs = parents.get(one, ()), parents.get(other, ())
    if one in theirs:
        return "parent", [born(other)]
    if other in mine:
        return "child", [born(one)]
    if spouses.get(one) == other:
        return "spouse", [f"{one} is married to {other}."]
    if mine and mine == theirs:
        return "sibling", [born(one), born(other)]
    for parent in theirs:
        above = parents.get(parent, ())
        if one in above:
            return "grandparent", [born(other), born(parent)]
        if above and mine == above:
            return "sibling of a parent", [born(other), born(parent), born(one)]
    return None


def _holds(statement: Sequence[Any], truthful: Sequence[bool]) -> bool:
    """Whether a statement of a knights-and-knaves item is true in one case."""
    kind, *parts = statement
    if kind in ("telling-truth", "lying"):
        return truthful[parts[0]] == (kind == "telling-truth")
    values = [_holds(part, truthful) for part in parts]
    if kind == "not":
        return not values[0]
    if kind == "and":
        return all(values)
    if kind == "or":
        return any(values)
    if kind == "->":
        return not values[0] or values[1]
    return values[0] == values[1]


def knights(seed: Seed, form: Form) -> str | None:
    """Case by case: each statement must be as true as its speaker is truthful.

    The short form leaves a case at its first contradiction.
    """
    facts = seed.facts.get("entry", {}).get("metadata", {})
    if not facts.get("statements"):
        return None
    names, terms = facts["names"], facts["knight_knave_terms"]
    lines, found = [], []
    for case in itertools.product((True, False), repeat=len(names)):
        kinds = [terms["a_knight"] if true else terms["a_knave"] for true in case]
        roles = list(zip(names, kinds, strict=True))
        suppose = ", ".join(f"{name} {kind}" for name, kind in roles)
        checks, stands = [], True
        for (name, _), statement, truthful in zip(
            roles, facts["statements"], case, strict=True
        ):
            said = _holds(statement, case)
            fits = said == truthful
            parts = _parts(statement, case)
            because = "" if parts == _word(said) else f"{parts}, so "
            checks.append(f"{name} says {because}{_word(said)}, {_FITS[fits]}")
            stands = stands and fits
            if not fits and form == "short":
                break
        lines.append(f"{suppose}: {'; '.join(checks)}.")
        if stands:
            found.append(roles)
    if len(found) != 1:
        return None
    told = [f"{name} is {kind}" for name, kind in found[0]]
    return solution(seed, lines, f"{', '.join(told[:-1])}, and {told[-1]}.")


_FITS = {True: "fits", False: "no"}


def _word(value: bool) -> str:
    return "true" if value else "false"


def _parts(statement: Sequence[Any], truthful: Sequence[bool]) -> str:
    """A statement with true or false in place of each of its claims."""
    kind, *parts = statement
    if kind in ("telling-truth", "lying"):
        return _word(_holds(statement, truthful))
    if kind == "not" and parts[0][0] in ("telling-truth", "lying"):
        # The prompt says the opposite instead.
        return _word(_holds(statement, truthful))
    told = [_parts(part, truthful) for part in parts]
    told = [one if " " not in one else f"({one})" for one in told]
    if kind == "not":
        return f"not {told[0]}"
    if kind == "->":
        return f"if {told[0]} then {told[1]}"
    return {"and": " and ", "or": " or "}.get(kind, " if and only if ").join(told)


_NUMBER_IN = (
    r"Statement 1: 'At least (\d) of these 7 statements are true\.'",
    r"Statement 2: 'At most (\d) of these 7 statements are false\.'",
    r"Statement 3: 'Exactly (\d) of these 7 statements are true\.'",
    r"Statement 4: 'Exactly (\d) of these 7 statements are false\.'",
)
_OF = 7
_PRIMES, _COMPOSITES = (2, 3, 5, 7), (4, 6)


def self_reference(seed: Seed, form: Form) -> str | None:
    """For each number of true statements: how many would then be true?"""
    found = [re.search(pattern, seed.prompt) for pattern in _NUMBER_IN]
    if None in found:
        return None
    least, most, true, false = (int(match[1]) for match in found)
    lines, count = [], 0
    for t in range(_OF + 1):
        f = _OF - t
        values = [t >= least, f <= most, t == true, f == false]
        values += [values[2] != values[3], t in _PRIMES, f in _COMPOSITES]
        fits = sum(values) == t
        count += fits
        marks = " ".join("T" if value else "F" for value in values)
        verdict = f"yes ({count})" if fits else "no"
        if form == "long":
            lines.append(f"If {t} are true, {f} are false.")
        lines.append(f"{t} true: {marks}, {sum(values)} true: {verdict}")
    return solution(seed, lines, count)


FAMILIES: dict[str, Work] = {
    "syllogism": syllogism,
    "family": family,
    "knights": knights,
    "self-reference": self_reference,
}
