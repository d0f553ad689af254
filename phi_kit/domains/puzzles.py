"""Puzzles: small questions about letters and logic, checkable to the letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.procedural import items
from phi_kit.data.records import Seed
from phi_kit.verify import choice, numeric, puzzle
from phi_kit.verify.base import Verdict

from .base import Benchmarks, Domain, Family


def verify(seed: Seed, response: str) -> Verdict:
    """By the task's scorer where the seed keeps its item; else a number or a word."""
    if '"entry"' in seed.extra and "entry" in seed.facts:
        return puzzle.verify(seed, response)
    checker = numeric if numeric.parse(seed.answer) is not None else choice
    return checker.verify(seed, response)


def _scored(name: str, level: int, task: str, **config: object) -> Family:
    """A family whose answers the task itself checks: any valid solution counts."""
    return Family(name, level, task, config, entry=True, usual=False)


def _family_ties(rng_seed: int, split: str) -> Iterator[Seed]:
    """Family relations, without those that the task names the wrong way round."""
    ties = _scored("family", 3, "family_relationships")
    false = puzzle.FALSE_GOLDS[ties.task]
    for seed in items("puzzles", ties, rng_seed=rng_seed, split=split):
        if not false.fullmatch(seed.answer):
            yield seed


def _count(seed: Seed, name: str, *, letter: str, text: str) -> Seed:
    facts = {"span": text.split(), "target_letter": letter, "transform": name}
    return replace(
        seed,
        prompt=f'How many times does the letter "{letter}" appear in the text: '
        f'"{text}"?',
        answer=str(text.lower().count(letter)),
        source=f"transform/{name}",
        parent=seed.id,
        extra=json.dumps(facts),
    )


def another_letter(seed: Seed, rng_seed: int) -> list[Seed]:
    """Count another letter of the same text."""
    facts = seed.facts
    if "span" not in facts:
        return []
    text = " ".join(facts["span"])
    others = sorted(set(text.lower()) - {facts["target_letter"], " "})
    if not others:
        return []
    letter = others[rng(rng_seed, "another_letter", seed.id).integers(len(others))]
    return [_count(seed, "another_letter", letter=letter, text=text)]


def backwards(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same letter in the text written backwards; the count stays."""
    facts = seed.facts
    if "span" not in facts:
        return []
    text = " ".join(facts["span"])[::-1]
    return [_count(seed, "backwards", letter=facts["target_letter"], text=text)]


_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def note(draw: np.random.Generator) -> tuple[str, str, dict]:
    """Can a note of 1-3 letters be cut out of a magazine of 2-6?

    Worded and drawn as reasoning-gym's `ransom_note`, whose own letters come out
    of a set and so change from process to process.
    """
    from reasoning_gym.algorithmic.ransom_note import QUESTION_TEMPLATE

    def letters(n: int, without: str = "") -> list[str]:
        return list(draw.choice([c for c in _ALPHABET if c != without], size=n))

    words = letters(int(draw.integers(1, 4)))
    spare = int(draw.integers(max(len(words), 2), 7)) - len(words)
    solvable = bool(draw.integers(2))
    if solvable:
        magazine = words + letters(spare)
    else:
        gone = int(draw.integers(len(words)))
        kept = [letter for place, letter in enumerate(words) if place != gone]
        magazine = kept + letters(spare + 1, words[gone])
    shuffled = ("".join(draw.permutation(part)) for part in (words, magazine))
    wording = dict(zip(("ransom_note", "magazine"), shuffled, strict=True))
    return QUESTION_TEMPLATE.format(**wording).strip(), str(solvable), {}


_LETTERS = ("span", "target_letter")

DOMAIN = Domain(
    name="puzzles",
    title="Letters and logic",
    description="Counting letters, building notes, simple syllogisms.",
    instruction="Give only the answer.",
    answer_kind="number or word",
    verifier=verify,
    families=(
        Family(
            "letters-1",
            1,
            "letter_counting",
            {"min_words": 1, "max_words": 1},
            facts=_LETTERS,
        ),
        Family(
            "letters-3",
            2,
            "letter_counting",
            {"min_words": 2, "max_words": 3},
            facts=_LETTERS,
        ),
        Family("syllogism", 3, "syllogism"),
        Family("note", 4, note),
        _scored("backward", 2, "spell_backward", min_word_len=3, max_word_len=4),
        Family("family", 3, stream=_family_ties, entry=True, usual=False),
        _scored("sort", 4, "number_sorting", min_numbers=3, max_numbers=4),
        _scored("palindrome", 5, "palindrome_generation", max_length=6),
        _scored("caesar", 6, "caesar_cipher", max_words=4),
        _scored("anagrams", 6, "group_anagrams"),
        _scored("countdown", 7, "countdown", min_numbers=3, max_numbers=4),
        _scored("knights", 7, "knights_knaves"),
        _scored("sudoku-4", 8, "mini_sudoku"),
        _scored("self-reference", 8, "self_reference"),
        _scored("queens", 9, "n_queens"),
        _scored("hanoi", 9, "tower_of_hanoi"),
    ),
    transforms={"another_letter": another_letter, "backwards": backwards},
    checker="numeric, choice or puzzle",
    benchmarks=Benchmarks(
        dev=("sealed dev items",), test=("sealed test items",), regression=("IFEval",)
    ),
)
