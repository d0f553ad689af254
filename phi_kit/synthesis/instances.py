"""Other instances of a seed's own family, solved a second time.

A seed at the student's edge names a family and a level that the student is just
learning: another item of that family is at the edge, too. Its gold is found again by
other means before the item is taken, and where a puzzle must have one solution every
other one is ruled out.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from phi_kit import domains
from phi_kit.core.answer_style import Style
from phi_kit.core.errors import StudyError
from phi_kit.core.rng import label_seed
from phi_kit.data.generators import Family, generate_items
from phi_kit.data.records import Seed
from phi_kit.domains.transform import SOURCE, Transform
from phi_kit.domains.worked import worked

_TRIED = 5  # items of the family, before it is given up
_SIDE, _BOX = 4, 2
_GRID = re.compile(r"((?:[1-4_] ){3}[1-4_]\n){4}")


def same_family(seed: Seed, rng_seed: int) -> list[Seed]:
    """Another item of the seed's family; its gold is worked out again."""
    try:
        (family,) = domains.get(seed.domain).chosen([seed.family])
    except (StudyError, ValueError):  # no family of the kit's made it
        return []
    family = replace(family, style=_style(family, seed))
    own = label_seed(rng_seed, "same_family", seed.id)
    drawn = generate_items(seed.domain, family, rng_seed=own, split="train")
    for item in itertools.islice(drawn, _TRIED):
        if item.prompt != seed.prompt and solved_again(item):
            facts = item.facts | {"transform": "same_family"}
            return [
                replace(
                    item,
                    source=f"{SOURCE}same_family",
                    licence=seed.licence,
                    parent=seed.id,
                    extra=json.dumps(facts, default=str),
                )
            ]
    return []


def _style(family: Family, seed: Seed) -> Style:
    """The style that a seed's prompt asks in: with the family's demands, or without."""
    bare = any(demand in seed.prompt for demand in family.demands)
    return "answer" if bare else "steps"


def solved_again(seed: Seed) -> bool:
    """Whether a second way arrives at an item's gold, and at nothing else.

    The second way is the family's worked solution, which starts from the prompt; of
    puzzles with one solution it is a search through all.
    """
    if unique := _UNIQUE.get(seed.family):
        return unique(seed)
    return worked(seed) is not None


def _one_sudoku(seed: Seed) -> bool:
    found = _GRID.search(f"{seed.prompt}\n")
    if not found:
        return False
    board = [line.split() for line in found[0].splitlines()]
    solutions = list(itertools.islice(completed(board), 2))
    return ["\n".join(" ".join(row) for row in one) for one in solutions] == [
        seed.answer
    ]


def completed(board: list[list[str]]) -> Iterator[list[list[str]]]:
    """Every way to fill in a 4x4 sudoku, by trying each number in each free cell."""
    free = [(r, c) for r in range(_SIDE) for c in range(_SIDE) if board[r][c] == "_"]
    if not free:
        yield [row[:] for row in board]
        return
    row, column = free[0]
    top, left = row - row % _BOX, column - column % _BOX
    seen = set(board[row]) | {line[column] for line in board}
    seen |= {board[top + n // _BOX][left + n % _BOX] for n in range(_SIDE)}
    for number in "1234":
        if number not in seen:
            board[row][column] = number
            yield from completed(board)
            board[row][column] = "_"


# Families whose puzzles must have one solution; the worked ways of `knights` and
# `self-reference` go through every case already.
_UNIQUE: Mapping[str, Callable[[Seed], bool]] = {"sudoku-4": _one_sudoku}
TRANSFORMS = (
    Transform(
        "same_family",
        same_family,
        about="another item of the seed's family, solved again",
        usual=False,
    ),
)
