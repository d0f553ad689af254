"""Reading a worked solution line by line, with nothing taken on trust."""

import ast
import operator
import re
from fractions import Fraction

NUMBER = r"-?\d+(?:\.\d+)?"


class FaultError(Exception):
    """A line that is not what the item calls for."""


def need(right, line):
    if not right:
        raise FaultError(line)


class Lines:
    """The steps of a solution, taken one by one; every one must be taken."""

    def __init__(self, steps):
        self.steps = steps
        self.at = 0

    def peek(self):
        return self.steps[self.at] if self.at < len(self.steps) else ""

    def take(self, pattern):
        """The groups of the next line, which must be of this form."""
        found = self.maybe(pattern)
        need(found is not None, f"{self.peek()!r} is not {pattern!r}")
        return found

    def maybe(self, pattern):
        """The groups of the next line if it is of this form."""
        found = (
            re.fullmatch(pattern, self.peek()) if self.at < len(self.steps) else None
        )
        if found is None:
            return None
        self.at += 1
        return found.groups()

    def exactly(self, line):
        self.take(re.escape(line))

    def end(self):
        need(self.at == len(self.steps), f"left over: {self.peek()!r}")


_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def value(text):
    """The exact value of an expression of numbers, by its syntax tree."""

    def of(node):
        if isinstance(node, ast.Constant):
            return Fraction(ast.get_source_segment(text, node))
        if isinstance(node, ast.UnaryOp):
            return -of(node.operand)
        need(isinstance(node, ast.BinOp), text)
        return _OPERATORS[type(node.op)](of(node.left), of(node.right))

    text = text.strip()
    try:
        return of(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        raise FaultError(text) from error


def equal(line):
    """All sides of a chain of equations are one number; returns it."""
    sides = [value(side) for side in line.split(" = ")]
    need(len(sides) > 1 and len(set(sides)) == 1, line)
    return sides[-1]


def numbers(text):
    return [int(one) for one in re.findall(r"-?\d+", text)]


def split(text):
    """The steps and the answer; there has to be one mark, and steps before it."""
    parts = text.split("\nAnswer:")
    need(len(parts) == 2 and parts[0].strip(), "one mark, after steps")
    answer = parts[1]
    need(answer[:1] in (" ", "\n") and answer[1:].strip(), "an answer behind the mark")
    need(answer[0] == "\n" or "\n" not in answer, "several lines stand below the mark")
    return parts[0].split("\n"), answer[1:]


def multiplied(lines, a, b, *, last=True):
    """Lines that lead to a product: every equation holds, and they build on each other.

    The equation of the product itself ends them, if `last`.
    """
    target = f"{a} * {b} = {a * b}"
    known = {a, b, 10, 100, 1000}
    for number in (a, b):
        known |= {int(d) * 10**n for n, d in enumerate(reversed(str(number)))}
        known |= set(map(int, str(number)))
    while re.fullmatch(r"\d+ [*+] \d+ = \d+", lines.peek()):
        line = lines.peek()
        if line == target:
            break
        one, other = map(int, re.findall(r"\d+", line.partition("=")[0]))
        for part in (one, other):
            need(part in known or set(str(part)[1:]) <= {"0"}, line)
        known.add(int(equal(line)))
        lines.at += 1
    if last:
        lines.exactly(target)


def divided(lines, total, by):
    """Lines that take multiples away until nothing is left: they make the quotient."""
    rest, quotient = Fraction(total), Fraction(0)
    line = (
        rf"({NUMBER}) \* ({NUMBER}) = ({NUMBER}), ({NUMBER}) - ({NUMBER}) = ({NUMBER})"
    )
    seen = False
    while found := lines.maybe(line):
        seen = True
        divisor, part, taken, before, away, left = map(Fraction, found)
        need(divisor == by and divisor * part == taken == away, found)
        need(before == rest and before - away == left >= 0, found)
        rest, quotient = left, quotient + part
    if seen:
        need(rest == 0 and quotient * by == total, f"{total} / {by}")
    return seen
