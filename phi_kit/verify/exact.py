"""Short exact answers: a word, a name, a list, yes or no."""

from __future__ import annotations

import re

from phi_kit.data.records import Seed, normal

from . import marks
from .base import Case, Verdict, compare, visible

_STYLE = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit)\s*\{([^{}]*)\}")
_SPANS = re.compile(r"\*\*(.+?)\*\*|`([^`\n]+)`|[\"“]([^\"”\n]+)[\"”]")
_TAIL = re.compile(r"^[^:]*?\b(?:is|are|be|was)\b:?\s+(.+)$|^[^:]{0,80}:\s*(.+)$", re.S)


def parse(text: str) -> str | None:
    """An answer as it is compared: one case, no quotes, no full stop."""
    text = normal(_STYLE.sub(r"\1", text) if "\\" in text else text)
    text = re.sub(r"\s*,\s*", ", ", text) if "," in text else text
    return text.strip("\"'`*_.$“”‘’ ") or None


def stated(text: str) -> str:
    """What a visible response presents as its answer: its mark, or all of it."""
    found = marks.marked(text)
    return found[-1] if found else text


def verify(seed: Seed, response: str) -> Verdict:
    """The whole answer must be the gold one, up to case and quotes.

    A sentence that merely contains the gold is no answer: that rule is what
    lets guessers pass. Leniently, the gold may be what any mark, bold span,
    quote, line or the last sentence ends with.
    """
    text = visible(response)
    shown = stated(text)
    gold, found = parse(seed.answer), parse(shown)
    lenient = "wrong"
    if gold is not None and gold != found:
        lenient = "right" if gold in map(parse, _candidates(text)) else "wrong"
    return compare(gold, found, shown=shown, lenient=lenient)


def _candidates(text: str) -> list[str]:
    last = marks.last_sentence(text)
    lines = [line for line in text.splitlines() if line.strip()]
    spans = [next(filter(None, found)) for found in _SPANS.findall(last)]
    tail = _TAIL.match(last)
    tails = [next(filter(None, tail.groups()))] if tail else []
    return [*marks.everywhere(text), *spans, *tails, last, *lines[:1], *lines[-1:]]


CASES = (
    Case("apple", "Apple", "right"),
    Case("apple", "**apple**", "right"),
    Case("apple", '"apple".', "right"),
    Case("apple", r"\boxed{\text{apple}}", "right"),
    Case("apple", "Answer: apple", "right"),
    Case("apple", "<think>pear</think>apple", "right"),
    Case("apple", "<think>apple</think>pear", "wrong"),
    Case("apple", "<think>apple", "wrong", about="lm-eval #3382"),
    Case("apple", "The word is **apple**.", "wrong", "right", about="lm-eval #2552"),
    Case("apple", "It could be apple or pear", "wrong"),
    Case("apple", "pineapple", "wrong"),
    Case("apple", "apples", "wrong"),
    Case("apple", "not apple", "wrong"),
    Case("a, b, c", "a,b,c", "right"),
    Case("a, b, c", "a, c, b", "wrong"),
    Case("", "anything", "unknown", about="NeMo-Skills #1092"),
    Case("apple", "", "wrong"),
)
