"""Equations line by line, sequences by their rule, word problems by their own steps."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from phi_kit.data.records import Seed

from .text import Form, Work, solution

_EQUATION = re.compile(r": ([^:=]+) = (-?\d+)$")
_TERM = re.compile(r"([+-]?)(?:(\d+)\*)?([a-z])|([+-]?\d+)")


def _linear(text: str) -> tuple[int, int, str] | None:
    """`173 - 34*l` as its coefficient, its constant and its variable."""
    plain = text.replace(" ", "")
    if not re.fullmatch(rf"(?:{_TERM.pattern})+", plain):
        return None
    slope, constant, names = 0, 0, set()
    for sign, times, name, number in _TERM.findall(plain):
        if name:
            slope += int(f"{sign}{times or 1}")
            names.add(name)
        else:
            constant += int(number)
    return (slope, constant, names.pop()) if slope and len(names) == 1 else None


def equation(seed: Seed, form: Form) -> str | None:
    """Bring the numbers to one side, divide by the coefficient."""
    found = _EQUATION.search(seed.prompt)
    read = _linear(found[1]) if found else None
    if read is None:
        return None
    (slope, constant, name), right = read, int(found[2])
    # What stands on the side of the numbers, the coefficient made positive.
    first, second = (right, constant) if slope > 0 else (constant, right)
    size, total = abs(slope), first - second
    value, rest = divmod(total, size)
    if rest:
        return None
    one = name if size == 1 else f"{size}*{name}"
    moved = f"{first} {'-' if second >= 0 else '+'} {abs(second)}"
    lines = []
    if constant:
        lines.append(f"{one} = {moved}")
    lines.append(f"{one} = {total}")
    if size > 1:
        lines += _division(total, size)
        lines.append(f"{name} = {total} / {size} = {value}")
    if form == "long":
        if constant:
            lines.insert(0, f"Bring the numbers to one side and {one} to the other.")
        if size > 1:
            place = lines.index(f"{one} = {total}") + 1
            lines.insert(place, f"Divide both sides by {size}.")
        lines += _check(found[1], name, slope, value, right)
    return solution(seed, lines, value)


def _division(total: int, by: int) -> list[str]:
    """Long division: the multiples that are taken away, the largest place first."""
    rest, lines = abs(total), []
    digits = str(rest // by)
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        part = int(digit) * 10**place
        if part:
            taken = by * part
            lines.append(f"{by} * {part} = {taken}, {rest} - {taken} = {rest - taken}")
            rest -= taken
    return lines


def _check(left: str, name: str, slope: int, value: int, right: int) -> list[str]:
    """The value put in where the variable stood."""
    size = abs(slope)
    put_in = left.replace(f"*{name}", f" * {value}").replace(name, str(value))
    lines = [f"{size} * {value} = {size * value}"] if size > 1 else []
    return [*lines, f"Check: {put_in} = {right}"]


# A rule is a list of operations on a term: add, multiply, square, halve (rounding
# down), add the term before. These are reasoning-gym's.
_Rule = tuple[tuple[str, int], ...]
_MOST = 10
_CONSTANTS = [n for n in range(-_MOST, _MOST + 1) if n]
_TIMES = [n for n in _CONSTANTS if n != 1]
_OPERATIONS = (
    *[("+", n) for n in _CONSTANTS],
    *[("*", n) for n in _TIMES],
    *[("//", 2), ("prev", 0), ("square", 0)],
)
_LONGEST = 3
_SHORTEST_SHOWN = 2


def _next(rule: _Rule, term: int, before: int) -> int:
    for sign, number in rule:
        if sign == "+":
            term += number
        elif sign == "*":
            term *= number
        elif sign == "//":
            term //= number
        elif sign == "prev":
            term += before
        else:
            term *= term
    return term


def _shown(rule: _Rule, term: str, before: str) -> str:
    """A rule as an expression in a term and the term before it."""
    text, loose = term, False  # loose: a sum, which a product must put in brackets
    for sign, number in rule:
        if sign == "+":
            text = f"{text} {'-' if number < 0 else '+'} {abs(number)}"
        elif sign == "prev":
            text = f"{text} + {before}"
        else:
            text = f"({text})" if loose else text
            other = text if sign == "square" else str(number)
            if sign == "square" and not loose and text != term:
                text = other = f"({text})"
            text = f"{text} {'//' if sign == '//' else '*'} {other}"
        loose = sign in ("+", "prev")
    return text


def _fits(rule: _Rule, terms: Sequence[int]) -> bool:
    # The second term has no term before its own: a rule with one begins later.
    first = 1 if any(sign == "prev" for sign, _ in rule) else 0
    return all(
        _next(rule, terms[n], terms[n - 1]) == terms[n + 1]
        for n in range(first, len(terms) - 1)
    )


def _terms(prompt: str) -> list[int]:
    """The terms that a prompt shows, or none where it is no sequence."""
    numbers = prompt.removesuffix(", ?").split(", ")
    whole = all(re.fullmatch(r"-?\d+", one) for one in numbers)
    return [int(one) for one in numbers] if whole else []


def next_terms(prompt: str) -> set[str]:
    """How the shortest rules that fit a sequence go on; nothing where none is found."""
    terms = _terms(prompt)
    if len(terms) <= _LONGEST:  # any rule fits so few
        return set()
    for length in range(1, _LONGEST + 1):
        rules = _fitting(terms, length)
        if found := {str(_next(rule, terms[-1], terms[-2])) for rule in rules}:
            return found
    return set()


def _rule(terms: Sequence[int], gold: int) -> _Rule | None:
    """The shortest rule that gives every term after the first, and the gold."""
    for length in range(1, _LONGEST + 1):
        for rule in _fitting(terms, length):
            if _next(rule, terms[-1], terms[-2]) == gold:
                return rule
    return None


def _fitting(terms: Sequence[int], length: int) -> Iterator[_Rule]:
    """The rules of a length that give every term, in the operations' order."""
    before, term, after = terms[:3]
    for begun in itertools.product(_OPERATIONS, repeat=length - 1):
        # What the last operation must be follows from one step: no need to try all.
        for last in _leading(_next(begun, term, before), after, before):
            if _fits((*begun, last), terms):
                yield (*begun, last)


def _leading(value: int, to: int, before: int) -> Iterator[tuple[str, int]]:
    """The operations that make one number of another."""
    if to != value and abs(to - value) <= _MOST:
        yield ("+", to - value)
    for times in _TIMES if not value and not to else (to // value,) if value else ():
        if value * times == to and times in _TIMES:
            yield ("*", times)
    if value // 2 == to:
        yield ("//", 2)
    if value + before == to:
        yield ("prev", 0)
    if value * value == to:
        yield ("square", 0)


def sequence(seed: Seed, form: Form) -> str | None:
    """Differences first, then the rule, held against the terms that are there."""
    terms = _terms(seed.prompt)
    if len(terms) <= _LONGEST or not re.fullmatch(r"-?\d+", seed.answer):
        return None
    rule = _rule(terms, int(seed.answer))
    if rule is None:
        return None
    gaps = [after - before for before, after in itertools.pairwise(terms)]
    lines = [f"Differences: {', '.join(map(str, gaps))}"]
    text = _shown(rule, "n", "p")
    notes = [", p is the term before n"] * ("p" in text)
    notes += [", // rounds down"] * ("//" in text)
    lines.append(f"Rule: {text}{''.join(notes)}")
    first = 1 if "p" in text else 0
    if form == "short":
        first = max(first, len(terms) - _SHORTEST_SHOWN)
    for n in range(first, len(terms)):
        value = _next(rule, terms[n], terms[n - 1])
        lines.append(f"{_shown(rule, str(terms[n]), str(terms[n - 1]))} = {value}")
    return solution(seed, lines, _next(rule, terms[-1], terms[-2]))


_UNIT = r"(?:/[a-zA-Z]+| [a-zA-Z][a-zA-Z'/-]*)"
_FIGURE = r"\d+(?:\.\d+)?"
_SIDE = rf"{_FIGURE}(?: ?[-+*/] ?{_FIGURE})*"
_CHAIN = re.compile(rf"(?<![\d./*+-]){_SIDE}(?: ?= ?{_SIDE})+(?![\d/*+-]| [-+*/]|\.\d)")
# Prose to arithmetic, in this order.
_PLAINER = (
    (re.compile(r"[£$€%]|(?<=\d),(?=\d{3})"), ""),
    (re.compile(r"(?<=\d) ?[x×] ?(?=\d)"), " * "),
    (re.compile("÷"), "/"),
    (re.compile(rf"(?<=\d){_UNIT}+(?= ?[-+*/=×]| x )"), ""),
    (re.compile(r"(?<=\d) ?[x×] (?=\d)"), " * "),
    (re.compile("  +"), " "),
)


def _calculates(line: str) -> bool:
    """Whether a line of prose holds equations that can be read, all of them right."""
    for pattern, plainer in _PLAINER:
        line = pattern.sub(plainer, line)
    chains = [found[0].split("=") for found in _CHAIN.finditer(line)]
    told = sum(len(chain) - 1 for chain in chains)
    return told == line.count("=") > 0 and all(
        len({_value(side) for side in chain}) == 1 for chain in chains
    )


def _value(side: str) -> Fraction | str:
    """What numbers with signs between them come to; the text where that is nothing."""
    total = Fraction(0)
    for sign, product in re.findall(r"(^|[+-])([^+-]+)", side.replace(" ", "")):
        first, *rest = re.split(r"([*/])", product)
        part = Fraction(first)
        for sign_in, number in zip(rest[::2], rest[1::2], strict=True):
            if sign_in == "/" and not Fraction(number):
                return side
            part = (
                part * Fraction(number) if sign_in == "*" else part / Fraction(number)
            )
        total += -part if sign == "-" else part
    return total


def word(seed: Seed, form: Form) -> str | None:
    """reasoning-gym's own steps, where each line holds an equation and all are right.

    Some of its templates write `half * 186`, `15=15` or a line that only tells the
    story again; such a solution is left out.
    """
    steps, mark, answer = seed.facts.get("answer_cot", "").partition("\n#### ")
    lines = [line.strip() for line in steps.splitlines() if line.strip()]
    if not mark or not all(map(_calculates, lines)):
        return None
    if re.search(r"\d\.0+\b|(?<![\d.] )\b(\d+)=\1\b", steps):
        return None
    return solution(seed, lines, answer.strip())


FAMILIES: dict[str, Work] = {"equation": equation, "sequence": sequence, "word": word}
