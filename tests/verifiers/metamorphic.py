"""Cases made from a verifier's table: right answers in other dress, near misses."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace

from phi_kit.verifiers import puzzle

from . import perturbations, puzzle_checkers
from .cases import Case

DRESSED, NEAR_MISS = "right answers in other dress", "near misses"
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?")
_WORDS = ("yes", "no", "true", "false")
# Small enough that a human can read what disagrees.
_SMALL = {
    "number_sorting": {"max_numbers": 4},
    "palindrome_generation": {"max_length": 6},
    "caesar_cipher": {"max_words": 4},
    "group_anagrams": {"max_anagram_groups": 3},
    "countdown": {"min_numbers": 3, "max_numbers": 4},
    "tower_of_hanoi": {"max_disks": 3},
}
_SEED = 20_260_101  # any: no data set is made with it


def variants(name: str, table: tuple[Case, ...]) -> Iterator[tuple[str, Case]]:
    """Right answers in other formatting and near misses, each with its due verdict."""
    seen = set()
    for case in table:
        key = (case.gold, json.dumps(dict(case.extra), sort_keys=True))
        if key in seen or case.value not in ("right", _least_verdict(name, case)):
            continue
        seen.add(key)
        if name == "judge":
            yield from _judge_replies(case)
            continue
        for response in dressed(name, case):
            right = replace(case, value="right", lenient=None, about="")
            yield DRESSED, replace(right, response=response)
        yield from _near_misses(name, case)


def _least_verdict(name: str, case: Case) -> str:
    """The least verdict of a case from which variants can be made.

    Where the gold itself is the right answer a wrong case will do as well.
    """
    by_response = name in ("refusal", "judge") or case.extra.get("tests")
    return "right" if by_response else "wrong"


def with_drawn_puzzles(name: str, table: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases that variants are made from: for `puzzle` with drawn items as well."""
    return (*table, *_puzzles()) if name == "puzzle" else table


def dressed(name: str, case: Case) -> Iterator[str]:
    """A right answer as models dress it."""
    answer = case.gold
    if name == "refusal" or case.extra.get("tests"):
        answer = case.response
    if not answer.strip() or "think>" in answer:
        return
    forms = dict(perturbations.FORMATS)
    if name == "refusal":
        forms = {
            how: forms[how] for how in ("bare", "spaces", "bold", "after thinking")
        }
        forms["quoted"] = "> {}".format
    elif name == "code":
        forms = {how: forms[how] for how in ("bare", "after thinking")}
        forms["fence"] = "```\n{}\n```".format
    elif re.search(r"[\\{}=]|, |\n", answer):
        # Brackets and lines of its own leave some dresses without meaning.
        del forms["sentence"]
    if "\n" in answer:
        forms = {how: dress for how, dress in forms.items() if "bold" not in how}
    yield from (dress(answer) for dress in forms.values())


def _near_misses(name: str, case: Case) -> Iterator[tuple[str, Case]]:
    for response in misses(name, case):
        variant = replace(
            case, response=response, value="wrong", lenient=None, about=""
        )
        entry = case.extra.get("entry")
        if entry and puzzle_checkers.is_solution(case.extra["task"], entry, response):
            # The change happened to give another solution.
            yield DRESSED, replace(variant, value="right")
        else:
            yield NEAR_MISS, variant


def _judge_replies(case: Case) -> Iterator[tuple[str, Case]]:
    """A judge is read by its reply: dressed it counts, almost right it fails."""
    *before, good = case.extra["replies"]

    def other(reply: str, value: str) -> Case:
        extra = {**case.extra, "replies": [*before, reply]}
        return replace(case, value=value, extra=extra, about="")

    indented = json.dumps(json.loads(good), indent=2)
    for reply in (f"```json\n{good}\n```", f"Here it is: {good} Done.", indented,
                  f"<think>{{8?}}</think>{good}", f"\n\n{good}\n"):  # fmt: skip
        yield DRESSED, other(reply, "right")
    for reply in perturbations.replies(good):
        yield NEAR_MISS, other(reply, "unknown")


def misses(name: str, case: Case) -> Iterator[str]:
    """Answers close to a right one."""
    gold, extra = case.gold, case.extra
    if extra.get("entry"):
        yield from perturbations.solutions(str(extra["entry"]["answer"]), "audit")
    elif name == "quantity":
        yield from perturbations.quantities(gold)
    elif name in ("numeric", "math", "puzzle") and _NUMBER.fullmatch(gold):
        yield from perturbations.numbers(gold, name)
    elif name in ("choice", "puzzle") and gold.lower() in _WORDS:
        yield from perturbations.words(gold)
    elif name in ("exact", "contains", "puzzle"):
        yield from perturbations.texts(gold)
    elif name == "choice" and gold in extra.get("choices", ()):
        yield from perturbations.letters(gold, extra)
    elif name == "code":
        yield from (
            perturbations.functions(case.response)
            if extra.get("tests")
            else perturbations.printed(gold)
        )
    elif name == "refusal" and isinstance(extra.get("should_refuse"), bool):
        wanted = extra["should_refuse"]
        yield from itertools.islice(
            perturbations.helps() if wanted else perturbations.refusals(), 0, None, 20
        )


def _puzzles() -> Iterator[Case]:
    """Two items of every task that can be checked by brute force."""
    import reasoning_gym

    for task in puzzle_checkers.CHECKS:
        config = _SMALL.get(task, {})
        for item in reasoning_gym.create_dataset(task, size=2, seed=_SEED, **config):
            entry = json.loads(json.dumps(dict(item), default=str))
            false = puzzle.FALSE_GOLDS.get(task)
            if false and false.fullmatch(entry["answer"]):
                continue
            extra = {"task": task, "entry": entry}
            yield Case(entry["answer"], entry["answer"], "right", extra=extra)
