"""Puzzles: small questions about letters and logic, checkable to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.verifiers import choice, exact, puzzle
from phi_kit.verifiers.base import Verdict
from phi_kit.verifiers.math import numeric

from . import gold_checks
from .base import Domain, Family
from .transform import made_row


def verify(seed: Seed, response: str) -> Verdict:
    """By the task's scorer where the seed keeps its item; else a number or words."""
    facts = seed.facts
    if "entry" in facts:
        return puzzle.verify(seed, response)
    if "words" in facts:
        return exact.verify(seed, response)
    checker = numeric if numeric.parse_number(seed.answer) is not None else choice
    return checker.verify(seed, response)


# What the tasks say to get nothing but an answer; what to say where steps are asked
# for. The form of the answer is still told.
_WORD = "The answer is a single word."
_DEMANDS: Mapping[str, Mapping[str, str]] = {
    "family_relationships": {
        "Answer with a single word.": _WORD,
        "Provide the relationship in one word.": _WORD,
        "Respond only with the word that describes their relationship.": _WORD,
    },
    "palindrome_generation": {"Your output should be": "Your answer should be"},
    "caesar_cipher": {" Provide only the decrypted text as your final answer.": ""},
    "countdown": {"\n5. Do not include any other text or formatting.": ""},
    "mini_sudoku": {"Format your response as": "Format your answer as"},
    "n_queens": {"Your output should be": "Your answer should be"},
    "tower_of_hanoi": {"\n- Do not include any other text or formatting.": ""},
}


def _scored(
    name: str,
    level: int,
    task: str,
    *,
    balance: int = 0,
    valid: Callable[[Seed], bool] | None = None,
    **config: object,
) -> Family:
    """A family whose answers the task itself checks: any valid solution counts."""
    return Family(
        name,
        level,
        task,
        config,
        entry=True,
        balance=balance,
        valid=valid,
        demands=_DEMANDS.get(task, {}),
        usual=False,
    )


_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_SHORT = 5  # letters of a word in a row of them
_MOST = 3  # of one letter, where words are drawn to fit a count


@cache
def _words() -> tuple[str, ...]:
    """Everyday English words of 3 letters and more, lower-case, in order."""
    from reasoning_gym.data import read_data_file

    found = re.findall(r"[a-z]{3,}", read_data_file("words.csv").lower())
    found += re.findall(r"[a-z]{3,}", read_data_file("in_the_year_2889.txt").lower())
    return tuple(sorted(set(found) - {"letter"}))  # the header of words.csv


@cache
def _holding(times: int) -> tuple[str, ...]:
    """The words that some letter stands in exactly so often."""
    return tuple(
        word for word in _words() if any(word.count(c) == times for c in _ALPHABET)
    )


def _counting(letter: str, text: str) -> tuple[str, str, dict]:
    """How often a letter stands in a text, worded as reasoning-gym words it."""
    return (
        f'How many times does the letter "{letter}" appear in the text: "{text}"?',
        str(text.lower().count(letter)),
        {"span": text.split(), "target_letter": letter},
    )


def letters(
    draw: np.random.Generator, *, words: tuple[int, int]
) -> tuple[str, str, dict]:
    """Count a letter in a few words: as often 0 as 1, 2 or 3.

    The answer is drawn first, then words that fit it. reasoning-gym's own
    `letter_counting` draws the letter first: 92 of 100 of its answers for single
    words are 1, and whoever always says so looks able to count.
    """
    wanted = int(draw.integers(_MOST + 1))
    size = int(draw.integers(words[0], words[1] + 1))
    pool = _holding(wanted) if size == 1 else _words()
    while True:
        text = " ".join(pool[i] for i in draw.integers(len(pool), size=size))
        fitting = [c for c in _ALPHABET if text.count(c) == wanted]
        if fitting:
            return _counting(str(draw.choice(fitting)), text)


def _count(seed: Seed, name: str, *, letter: str, text: str) -> Seed:
    prompt, answer, facts = _counting(letter, text)
    return made_row(seed, name, prompt=prompt, answer=answer, **facts)


def another_letter(seed: Seed, rng_seed: int) -> list[Seed]:
    """Count another letter in the same text.

    First a count is drawn among those that any letter would give, then a letter:
    most letters of a word stand in it once, and more than that not at all.
    """
    facts = seed.facts
    if "span" not in facts:
        return []
    text = " ".join(facts["span"])
    by_count: dict[int, list[str]] = {}
    for letter in _ALPHABET:
        if letter != facts["target_letter"]:
            by_count.setdefault(text.lower().count(letter), []).append(letter)
    draw = rng(rng_seed, "another_letter", seed.id)
    fitting = by_count[sorted(by_count)[draw.integers(len(by_count))]]
    letter = fitting[draw.integers(len(fitting))]
    return [_count(seed, "another_letter", letter=letter, text=text)]


def backwards(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same letter in the text written backwards; the count stays."""
    facts = seed.facts
    if "span" not in facts:
        return []
    text = " ".join(facts["span"])[::-1]
    return [_count(seed, "backwards", letter=facts["target_letter"], text=text)]


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


def _row(draw: np.random.Generator, low: int, high: int) -> list[str]:
    """So many different short words; the numbers are the fewest and the most."""
    words = [word for word in _words() if len(word) <= _SHORT]
    chosen = draw.choice(
        len(words), size=int(draw.integers(low, high + 1)), replace=False
    )
    return [words[i] for i in chosen]


def initials(draw: np.random.Generator) -> tuple[str, str, dict]:
    """The first letters of 3 or 4 words, as one word."""
    words = _row(draw, 3, 4)
    asked = f"Write the first letters of these words as one word: {' '.join(words)}"
    return asked, "".join(word[0] for word in words), {"words": words}


def place(draw: np.random.Generator) -> tuple[str, str, dict]:
    """The word at a place of a list of 4 to 6."""
    words = _row(draw, 4, 6)
    number = int(draw.integers(2, len(words) + 1))
    asked = f"Which word is number {number} in this list: {', '.join(words)}?"
    return asked, words[number - 1], {"words": words}


def reverse(draw: np.random.Generator) -> tuple[str, str, dict]:
    """3 or 4 words in the opposite order."""
    words = _row(draw, 3, 4)
    asked = f"Write these words in the opposite order: {' '.join(words)}"
    return asked, " ".join(reversed(words)), {"words": words}


DOMAIN = Domain(
    name="puzzles",
    title="Letters and logic",
    description="Counting letters, building notes, simple syllogisms.",
    instruction="Give only the answer.",
    answer_kind="number or word",
    verifier=verify,
    families=(
        Family("letters-1", 1, partial(letters, words=(1, 1)), balance=4),
        Family("letters-3", 2, partial(letters, words=(2, 3)), balance=4),
        Family("syllogism", 3, "syllogism", balance=2, valid=gold_checks.syllogism),
        Family("note", 4, note, balance=2),
        Family("initials", 1, initials, usual=False),
        Family("place", 2, place, usual=False),
        Family("reverse", 3, reverse, usual=False),
        _scored("backward", 2, "spell_backward", min_word_len=3, max_word_len=4),
        _scored("family", 3, "family_relationships", valid=gold_checks.tie),
        _scored("sort", 4, "number_sorting", min_numbers=3, max_numbers=4),
        _scored("palindrome", 5, "palindrome_generation", max_length=6),
        _scored("caesar", 6, "caesar_cipher", max_words=4),
        _scored("anagrams", 6, "group_anagrams"),
        _scored("countdown", 7, "countdown", min_numbers=3, max_numbers=4),
        _scored("knights", 7, "knights_knaves"),
        _scored("sudoku-4", 8, "mini_sudoku"),
        _scored("self-reference", 8, "self_reference", balance=4),
        _scored("queens", 9, "n_queens"),
        _scored("hanoi", 9, "tower_of_hanoi"),
    ),
    transforms={"another_letter": another_letter, "backwards": backwards},
    checker="numeric, choice or puzzle",
)
