"""Puzzles: full credit only for a solution that satisfies the constraints.

reasoning-gym's scorer decides, with two guards, because several of its
scorers pay in full for answers that are none (they look for the right one
inside, ignore what they cannot read, or round; reasoning-gym PR #265 mended
one). A puzzle with one solution: what the scorer accepts must also be the
entry's answer, token by token. A puzzle with many: it must be written in that
puzzle's own alphabet, whole.

A seed carries `{"task": ..., "entry": {...}}` in `extra`, and the task's `config`
where a scorer depends on it. Without them the
answer is compared as a number, a word of a pair or a text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from phi_kit.data.records import Seed
from phi_kit.verifiers.code.blocks import fenced_blocks
from phi_kit.verifiers.math import numeric
from phi_kit.verifiers.math.answer_comparison import STRICT_DIGITS
from phi_kit.verifiers.math.exact_arithmetic import parse_exact as exact_number

from . import answer_extraction, choice, exact
from .base import NO_ANSWER, Verdict, visible
from .worker_pool import CHECK_SECONDS, pool

_GRID = r"{0}(?:[ \t]+{0})*(?:\n{0}(?:[ \t]+{0})*)*"
_SUMS = r"[\d+\-*/() ]+"
_CALCULUS = (
    r"(?:\s|[-+*/^().,\d]|\*\*|\b(?:C|E|pi|sqrt|exp|log|ln|a?sinh?|a?cosh?|a?tanh?|"
    r"sec|csc|cot|Abs|[a-zA-Z])\b)+"
)
_JSON = r"\s*[\[{].*[\]}]\s*"
# Tasks with more than one right answer, and the shape each must have, whole.
SHAPES: Mapping[str, str] = {
    "countdown": _SUMS,
    "puzzle24": _SUMS,
    "sokoban": r"[UDLRudlr]+",
    "word_ladder": r"[A-Za-z]+(?:\s*,\s*[A-Za-z]+)+",
    "palindrome_generation": r"[a-zA-Z]+",
    "quantum_lock": r"[A-Z](?:\s*→\s*[A-Z])*",
    "kakurasu": _GRID.format("[01]"),
    "survo": _GRID.format(r"\d+"),
    "n_queens": _GRID.format("[Q_]"),
    "tower_of_hanoi": r"(?:Move disk \d+ from Peg \d+ to Peg \d+\s*)+",
    "prime_factorization": r"\d+(?:\s*×\s*\d+)*",
    "simple_integration": _CALCULUS,
    "intermediate_integration": _CALCULUS,
    "polynomial_multiplication": _CALCULUS,
    "graph_color": _JSON,
    "jugs": _JSON,
    "knight_swap": r"\[.*\]|No",
    "group_anagrams": _JSON,
    "boxnet": _JSON,
    "rubiks_cube": r"[UDLRFBudlrfbxyzMES]['2w]*(?:\s+[UDLRFBudlrfbxyzMES]['2w]*)*",
    "rush_hour": r"[A-Z][+-]\d+(?:\s+[A-Z][+-]\d+)*",
    "shortest_path": r"(?:up|down|left|right)(?:\s+(?:up|down|left|right))*|infeasible",
    "propositional_logic": r"[A-Z∧∨¬→↔() ]+",
}  # fmt: skip
_SHAPES = {task: re.compile(shape, re.DOTALL) for task, shape in SHAPES.items()}
# Golds that answer another question: asked what a man is to his wife's father,
# reasoning-gym 0.1.25 says what the father is to him, and calls a niece by her
# uncle's sex.
FALSE_GOLDS: Mapping[str, re.Pattern[str]] = {
    "family_relationships": re.compile(r".*-in-law|niece|nephew", re.IGNORECASE),
}
# Tasks that ask for a rounded number themselves.
_DIGITS = {"power_function": 3}
_TOKEN = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[^\W\d_]+|[^\w\s'\"]")
_HUGE = re.compile(r"[eE][-+]?\d{4}")  # `1e99999999` would take a day to compute
_LONG = 20_000


def verify(seed: Seed, response: str) -> Verdict:
    """Whether the response's answer solves the puzzle, any valid solution.

    Raises:
        RunError: a scorer is needed and reasoning-gym is missing.
    """
    facts = seed.facts
    if not facts.get("task") or not isinstance(facts.get("entry"), Mapping):
        return _plain(seed, response)
    task = str(facts["task"])
    entry = {"answer": seed.answer, **facts["entry"]}
    if not isinstance(entry.get("metadata"), Mapping):
        entry["metadata"] = {}
    entry["config"] = facts.get("config")
    false_gold = FALSE_GOLDS.get(task)
    if false_gold and false_gold.fullmatch(str(entry["answer"]).strip()):
        return Verdict("unknown", "the gold answers another question than was asked")
    pieces = candidate_solutions(visible(response))
    if not pieces:
        return Verdict("wrong", NO_ANSWER)
    value, reason = _verdict_on(task, entry, pieces[0])
    lenient = value
    if value == "wrong" and any(
        _verdict_on(task, entry, piece)[0] == "right" for piece in pieces[1:]
    ):
        lenient = "right"
    return Verdict(value, reason, pieces[0][:200], lenient)


def _plain(seed: Seed, response: str) -> Verdict:
    """A number where the gold is one; a word of a pair; else a text."""
    if numeric.parse_number(seed.answer) is not None:
        return numeric.verify(seed, response)
    words = seed.answer.strip().lower() in {"yes", "no", "true", "false"}
    return (choice if words else exact).verify(seed, response)


def candidate_solutions(text: str) -> list[str]:
    """The texts that may be the solution, the strictest reading first; at most five."""
    last = answer_extraction.from_last_mark(text)
    pieces = _pieces(last) + (_pieces(text) if last != text else [])
    clean = [_trim(piece) for piece in pieces]
    return list(dict.fromkeys(p for p in clean if p and len(p) <= _LONG))[:5]


def _pieces(text: str) -> list[str]:
    announced = answer_extraction.find_marks(text)
    tagged = [mark.text for mark in announced if mark.kind == "tag"]
    fenced = [code for closed, code in fenced_blocks(text, any_kind=True) if closed]
    strongest = announced[:1] and announced[0].kind
    return [
        *tagged[-1:],
        *answer_extraction.boxes(text)[-1:],
        *fenced[-1:],
        answer_extraction.after_first_mark(text),
        *[mark.text for mark in announced if mark.kind == strongest][-1:],
        text,
        answer_extraction.last_sentence(text),
    ]


def _trim(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    text = text.strip("`*").removeprefix("$").removesuffix("$").strip()
    # A full stop belongs to the sentence around an answer, not to the answer.
    return text if text.endswith("..") else text.removesuffix(".").strip("* ")


def _verdict_on(task: str, entry: Mapping[str, Any], answer: str) -> tuple[str, str]:
    """The verdict of one piece as the answer, with its reason."""
    gold = entry.get("answer")
    shape = _SHAPES.get(task)
    if gold and _trim(str(gold)) == answer:
        return "right", "the entry's own answer"
    if shape is None:
        if not gold:
            return "unknown", "the entry has no answer to compare with"
        digits = _DIGITS.get(task, STRICT_DIGITS)
        if not same_tokens(_trim(str(gold)), answer, digits=digits):
            return "wrong", "another answer"
    elif not shape.fullmatch(answer) or not _own_rules(task, entry, answer):
        return "wrong", "not a solution of this puzzle"
    return _scored(task, entry, answer)


def _scored(task: str, entry: Mapping[str, Any], answer: str) -> tuple[str, str]:
    job = {"task": task, "entry": dict(entry), "answer": answer}
    job["config"] = entry.get("config")
    reply = pool("puzzle_worker").ask(job)
    if reply.result == "full":
        return "right", "solves the puzzle"
    if reply.result == "less":
        return "wrong", "does not solve the puzzle"
    what = f"ran out of time ({CHECK_SECONDS:g} s)" if reply.late else reply.result
    if reply.stage == "entry":
        return "unknown", f"the checker {what} on the entry"
    return "wrong", f"the checker {what}"


def same_tokens(gold: str, answer: str, *, digits: int = STRICT_DIGITS) -> bool:
    """Whether two texts are the same tokens: words in one case, numbers by value.

    A number may be a rounding of the gold's, to so many significant digits.
    """
    ours, theirs = _TOKEN.findall(gold), _TOKEN.findall(answer)
    if ours and ours[-1] == "°" and theirs[-1:] != ["°"]:
        ours.pop()  # the degree sign may be left off
    return len(ours) == len(theirs) and all(
        _token(one, other, least=digits)
        for one, other in zip(ours, theirs, strict=True)
    )


def _token(gold: str, answer: str, *, least: int) -> bool:
    if gold.casefold() == answer.casefold():
        return True
    if not re.search(r"\d", gold) or not re.search(r"\d", answer):
        return False
    if len(gold) + len(answer) > 200 or _HUGE.search(f"{gold} {answer}"):
        return False
    expected, value = Fraction(gold), Fraction(answer)
    if expected == value:
        return True
    digits = answer.lower().partition("e")[0]
    if len(digits.replace(".", "").strip("+-0")) < least or "." not in digits:
        return False
    power = int(answer.lower().partition("e")[2] or 0)
    unit = Fraction(10) ** (power - len(digits.partition(".")[2]))
    return abs(expected - value) <= unit / 2


def _own_rules(task: str, entry: Mapping[str, Any], answer: str) -> bool:
    """Rules that a scorer is known to have overlooked, checked here."""
    if task in ("countdown", "puzzle24"):
        return _uses_each_number_once(entry["metadata"].get("numbers"), task, answer)
    if _SHAPES[task].pattern == _JSON:
        try:
            json.loads(answer)
        except ValueError:
            return False
    return True


def _uses_each_number_once(numbers: object, task: str, answer: str) -> bool:
    """Every number exactly once, and no other (reasoning-gym PR #265)."""
    if not isinstance(numbers, list) or "**" in answer:
        return False
    if Counter(re.findall(r"\d+", answer)) != Counter(map(str, numbers)):
        return False
    value = exact_number(answer)
    return value is not None and (task != "puzzle24" or value.value == 24)
