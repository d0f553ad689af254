"""Independent checkers of puzzles: constraints read from the item itself.

Nothing here calls reasoning-gym's scorers or looks at an entry's own answer:
a family tree is built from its story, liars are found by trying every
assignment, towers are moved disk by disk. They cover the tasks of the kit's own
puzzle families.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

Entry = Mapping[str, Any]


def is_solution(task: str, entry: Entry, answer: str) -> bool | None:
    """Whether a bare answer solves an item; `None` for a task not known here."""
    check = CHECKS.get(task)
    if check is None:
        return None
    try:
        return bool(check(entry, answer.strip()))
    except (ValueError, SyntaxError, KeyError, IndexError, TypeError):
        return False  # what cannot be read is no solution
    except (ArithmeticError, RecursionError, MemoryError):
        return False


def _backward(entry: Entry, answer: str) -> bool:
    return answer.casefold() == "".join(reversed(entry["metadata"]["word"])).casefold()


def _sorting(entry: Entry, answer: str) -> bool:
    found = ast.literal_eval(answer)
    numbers = [Fraction(text) for text in entry["metadata"]["original_numbers"]]
    down = entry["metadata"]["direction"] == "descending"
    return [Fraction(text) for text in found] == sorted(numbers, reverse=down)


def _palindrome(entry: Entry, answer: str) -> bool:
    mirrored = all(answer[n] == answer[~n] for n in range(len(answer)))
    return mirrored and Counter(answer) == Counter(entry["metadata"]["letters"])


def _caesar(entry: Entry, answer: str) -> bool:
    facts, alphabet = entry["metadata"], "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    turned = alphabet[facts["rotation"] :] + alphabet[: facts["rotation"]]
    clear = facts["cipher_text"].translate(str.maketrans(turned, alphabet))
    return clear.split() == answer.upper().split()


def _anagrams(entry: Entry, answer: str) -> bool:
    groups = json.loads(answer)
    words = Counter(word for group in groups for word in group)
    if words != Counter(entry["metadata"]["words"]):
        return False
    kinds = [{tuple(sorted(word)) for word in group} for group in groups]
    return all(len(kind) == 1 for kind in kinds) and len(
        set.union(*kinds) if kinds else ()
    ) == len(groups)


_SIGNS: Mapping[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


def _countdown(entry: Entry, answer: str) -> bool:
    used: list[int] = []

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            used.append(node.value)
            return Fraction(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            return _SIGNS[type(node.op)](value(node.left), value(node.right))
        raise ValueError("not a sum")

    found = value(ast.parse(answer, mode="eval").body)
    facts = entry["metadata"]
    return found == facts["target"] and sorted(used) == sorted(facts["numbers"])


def _knights(entry: Entry, answer: str) -> bool:
    facts = entry["metadata"]
    names, terms = facts["names"], facts["knight_knave_terms"]
    possible = [
        truth
        for truth in itertools.product((True, False), repeat=len(names))
        if all(
            _says(facts["statements"][n], truth) == truth[n] for n in range(len(truth))
        )
    ]
    if len(possible) != 1:
        return False
    roles = {name: terms["knight" if is_ else "knave"] for name, is_ in
             zip(names, possible[0], strict=True)}  # fmt: skip
    told = re.findall(r"(\w+) is an? (\w+)", answer)
    alone = re.fullmatch(r"(?:,? ?(?:and )?\w+ is an? \w+)+\.?", answer, re.IGNORECASE)
    lower = {name.casefold(): role for name, role in roles.items()}
    said = {name.casefold(): role.casefold() for name, role in told}
    return bool(alone) and len(told) == len(roles) and said == lower


def _says(said: Sequence[Any], truth: Sequence[bool]) -> bool:
    kind, *parts = said
    if kind in ("telling-truth", "lying"):
        return truth[parts[0]] is (kind == "telling-truth")
    parts = [_says(part, truth) for part in parts]
    return {
        "not": lambda: not parts[0],
        "and": lambda: all(parts),
        "or": lambda: any(parts),
        "->": lambda: parts[1] if parts[0] else True,
        "<=>": lambda: parts[0] is parts[1],
    }[kind]()


def _grid(answer: str) -> list[list[str]]:
    return [line.split() for line in answer.splitlines()]


def _sudoku(entry: Entry, answer: str) -> bool:
    grid, given = _grid(answer), entry["metadata"]["puzzle"]
    if [len(row) for row in grid] != [4] * 4:
        return False
    blocks = [
        [grid[y + dy][x + dx] for dy in (0, 1) for dx in (0, 1)]
        for y in (0, 2)
        for x in (0, 2)
    ]
    lines = [*grid, *([row[n] for row in grid] for n in range(4)), *blocks]
    kept = all(
        not clue or str(clue) == grid[y][x]
        for y, row in enumerate(given)
        for x, clue in enumerate(row)
    )
    return kept and all(sorted(line) == list("1234") for line in lines)


def _queens(entry: Entry, answer: str) -> bool:
    board, given = _grid(answer), entry["metadata"]["puzzle"]
    size = len(given)
    if [len(row) for row in board] != [size] * size:
        return False
    if not {cell for row in board for cell in row} <= {"Q", "_"}:
        return False
    places = [(y, x) for y in range(size) for x in range(size) if board[y][x] == "Q"]
    kept = all(
        board[y][x] == "Q" for y in range(size) for x in range(size)
        if given[y][x] == "Q"
    )  # fmt: skip
    attacks = any(
        y == v or x == u or abs(y - v) == abs(x - u)
        for (y, x), (v, u) in itertools.combinations(places, 2)
    )
    return kept and len(places) == size and not attacks


_MOVE = re.compile(r"Move disk (\d+) from Peg (\d+) to Peg (\d+)")


def _hanoi(entry: Entry, answer: str) -> bool:
    facts = entry["metadata"]
    pegs: dict[int, list[int]] = {n: [] for n in range(1, facts["num_pegs"] + 1)}
    pegs[facts["start_peg"]] = list(range(facts["num_disks"], 0, -1))
    for line in answer.splitlines():
        found = _MOVE.fullmatch(line.strip())
        if not found:
            return False
        disk, source, target = map(int, found.groups())
        if pegs[source][-1:] != [disk] or (pegs[target] and pegs[target][-1] < disk):
            return False
        pegs[target].append(pegs[source].pop())
    return len(pegs[facts["target_peg"]]) == facts["num_disks"]


def _reference(entry: Entry, answer: str) -> bool:
    """How many of the 128 ways to call seven statements true are consistent."""
    text = entry["question"]
    least = int(re.search(r"At least (\d) ", text)[1])
    most = int(re.search(r"At most (\d) ", text)[1])
    true, false = map(int, re.findall(r"Exactly (\d) ", text))
    count = 0
    for said in itertools.product((True, False), repeat=7):
        yes = sum(said)
        holds = (
            yes >= least,
            7 - yes <= most,
            yes == true,
            7 - yes == false,
            said[2] != said[3],
            yes in (2, 3, 5, 7),
            7 - yes in (4, 6),
        )
        count += said == holds
    return answer == str(count)


_PAIR = re.compile(
    r"(\w+) is married to (\w+)\.(?: They have (?:a child|children) called ([^.]+)\.)?"
)
# How near kin a person is, with the words for a woman and a man.
_KIN = {
    "parent": ("mother", "father"),
    "child": ("daughter", "son"),
    "spouse": ("wife", "husband"),
    "sibling": ("sister", "brother"),
    "grandparent": ("grandmother", "grandfather"),
    "aunt": ("aunt", "uncle"),
    "niece": ("niece", "nephew"),
    "parent-in-law": ("mother-in-law", "father-in-law"),
    "child-in-law": ("daughter-in-law", "son-in-law"),
}


def _family(entry: Entry, answer: str) -> bool:
    story, _, asked = entry["question"].partition("\n\n")
    one, other = re.search(
        r"(?:is|relation is) (\w+) (?:related )?to (\w+)\?", asked
    ).groups()
    spouse, parents = {}, {}
    for first, second, children in _PAIR.findall(story):
        spouse |= {first: second, second: first}
        for child in re.split(r", | and ", children) if children else ():
            parents[child] = {first, second}
    kin = _related(one, other, spouse, parents)
    return answer.casefold() == _KIN[kin][0 if one in _women() else 1]


def _related(
    one: str, other: str, spouse: Mapping[str, str], parents: Mapping[str, set[str]]
) -> str:
    """What `one` is to `other`."""

    def above(name: str | None) -> set[str]:
        return parents.get(name, set())

    def grand(name: str) -> set[str]:
        return {old for parent in above(name) for old in above(parent)}

    tests = {
        "parent": one in above(other),
        "child": other in above(one),
        "spouse": spouse.get(one) == other,
        "sibling": bool(above(one)) and above(one) == above(other),
        "grandparent": one in grand(other),
        "aunt": bool(above(one) & grand(other)),
        "niece": bool(above(other) & grand(one)),
        "child-in-law": other in above(spouse.get(one)),
        "parent-in-law": one in above(spouse.get(other)),
    }
    return next(kin for kin, holds in tests.items() if holds)


def _women() -> frozenset[str]:
    from reasoning_gym.graphs.family_relationships import FamilyRelationshipsConfig

    return frozenset(FamilyRelationshipsConfig().female_names)


CHECKS: Mapping[str, Callable[[Entry, str], bool]] = {
    "spell_backward": _backward,
    "number_sorting": _sorting,
    "palindrome_generation": _palindrome,
    "caesar_cipher": _caesar,
    "group_anagrams": _anagrams,
    "countdown": _countdown,
    "knights_knaves": _knights,
    "mini_sudoku": _sudoku,
    "n_queens": _queens,
    "tower_of_hanoi": _hanoi,
    "self_reference": _reference,
    "family_relationships": _family,
}
