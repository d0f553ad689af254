"""Traces of programs, held against a run of the same program by Python itself.

The program is rewritten so that every operation reports itself; what it reports is
what the trace has to say, in this order and nothing else.
"""

import ast
import re

from worked_checks.numbers import columns
from worked_checks.reading import Lines, equal, multiplied, need

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Mod: "%", ast.Gt: ">",
         ast.Lt: "<", ast.Eq: "==", ast.In: "in"}  # fmt: skip


class Reporting(ast.NodeTransformer):
    """Puts a call in place of each operation, assignment and loop."""

    def _call(self, name, *parts):
        return ast.Call(ast.Name(name, ast.Load()), list(parts), [])

    def visit_BinOp(self, node):
        self.generic_visit(node)
        sign = ast.Constant(SIGNS[type(node.op)])
        return self._call("_binary", sign, node.left, node.right)

    def visit_Compare(self, node):
        self.generic_visit(node)
        sign = ast.Constant(SIGNS[type(node.ops[0])])
        return self._call("_compare", sign, node.left, node.comparators[0])

    def visit_Subscript(self, node):
        self.generic_visit(node)
        if isinstance(node.slice, ast.Slice):
            return self._call("_turned", node.value, node.slice.step)
        return self._call("_item", node.value, node.slice)

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "upper":
            return self._call("_upper", node.func.value)
        return node

    def visit_Expr(self, node):
        self.generic_visit(node)
        call = node.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append":
            name = call.func.value.id
            grown = self._call("_append", call.func.value, *call.args)
            return self._assigned(name, ast.Name(name, ast.Store()), grown)
        return node

    def _assigned(self, name, target, value):
        return ast.Assign([target], self._call("_set", ast.Constant(name), value))

    def visit_Assign(self, node):
        self.generic_visit(node)
        target = node.targets[0]
        name = ast.unparse(target).strip("()")
        return self._assigned(name, target, node.value)

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        name = node.target.id
        sign = ast.Constant(SIGNS[type(node.op)])
        value = self._call("_binary", sign, ast.Name(name, ast.Load()), node.value)
        return self._assigned(name, node.target, value)

    def visit_For(self, node):
        self.generic_visit(node)
        node.iter = self._call("_each", ast.Constant(node.target.id), node.iter)
        return node

    def visit_comprehension(self, node):
        self.generic_visit(node)
        node.iter = self._call("_each", ast.Constant(node.target.id), node.iter)
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        for argument in reversed(node.args.args):
            name = argument.arg
            said = self._call("_set", ast.Constant(name), ast.Name(name, ast.Load()))
            node.body.insert(0, ast.Expr(said))
        return node


class Report:
    """What a program did, event by event."""

    def __init__(self, program, *, call="", typed=""):
        self.events, self.printed, self.value = [], [], None
        if typed:
            read = repr([int(part) for part in typed.split()])
            program = re.sub(
                r"\[int\(x\) for x in input\(\)\.split\(\)\]", read, program
            )
        tree = ast.fix_missing_locations(Reporting().visit(ast.parse(program)))
        names = {f"_{name}": getattr(self, name) for name in (
            "binary", "compare", "turned", "item", "upper", "append", "set", "each"
        )}  # fmt: skip
        names |= {
            "len": self.len,
            "sum": self.sum,
            "max": self.max,
            "print": self.print,
            "input": self.read,
        }
        exec(compile(tree, "program", "exec"), names)  # an item of the kit's own
        if call:
            self.value = eval(call, names)

    def add(self, kind, *what):
        self.events.append((kind, *what))
        return what[-1]

    def binary(self, sign, a, b):
        done = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b}
        return self.add("binary", sign, a, b, done.get(sign, lambda: a % b)())

    def compare(self, sign, a, b):
        done = {">": lambda: a > b, "<": lambda: a < b, "==": lambda: a == b}
        return self.add("compare", sign, a, b, done.get(sign, lambda: a in b)())

    def turned(self, text, step):
        return self.add("turned", text, step, text[::step])

    def item(self, held, index):
        return self.add("item", held, index, held[index])

    def upper(self, text):
        return self.add("upper", text, text.upper())

    def append(self, held, one):
        return [*held, one]

    def set(self, name, value):
        return self.add("set", name, value)

    def each(self, name, values):
        for one in values:
            yield self.add("loop", name, one)

    def len(self, held):
        return self.add("len", held, len(held))

    def sum(self, values):
        held = list(values)
        return self.add("sum", held, sum(held))

    def max(self, *values):
        held = list(values[0]) if len(values) == 1 else list(values)
        return self.add("max", held, max(held))

    def read(self):
        raise ValueError("nothing more to read")

    def print(self, *values):
        self.printed.append(" ".join(map(str, values)))
        self.add("print", self.printed[-1])


def quoted(value):
    return f'"{value}"' if isinstance(value, str) else str(value)


def follow(report, steps, form):
    """Every event is said, in order, and nothing besides what leads to it."""
    lines = Lines([part for step in steps for part in step.split("; ")])
    events = report.events
    if form == "short" and len(report.printed) == 1 and len(events) > 1:
        last = events[-1]
        if last[0] == "print":  # the answer says it
            events = events[:-1]
    skip = False
    for n, event in enumerate(events):
        if skip:
            skip = False
            continue
        after = events[n + 1] if n + 1 < len(events) else ("",)
        skip = FOLLOWED[event[0]](lines, form, after, *event[1:])
    lines.end()


def _said(lines, after, equation, value):
    """An equation, in one line with the assignment that follows it."""
    if after[0] == "set" and after[2] == value and isinstance(after[1], str):
        lines.exactly(f"{after[1]} = {equation}")
        return True
    lines.exactly(equation)
    return False


def _binary(lines, form, after, sign, a, b, value):
    if isinstance(a, str) and sign == "+":
        return _said(
            lines, after, f"{quoted(a)} + {quoted(b)} = {quoted(value)}", value
        )
    if isinstance(a, str):
        if not value:
            return _said(lines, after, f'{quoted(a)} * {b} = ""', value)
        grown = ", ".join(f"{n} {''.join([a] * n)}" for n in range(1, b + 1))
        lines.exactly(f"{quoted(a)} * {b}: {grown}")
        return False
    if sign == "%":
        if form == "long" or abs(b) > 9:
            need(equal(lines.peek()) == a, lines.peek())
            lines.take(rf"{a} = -?\d+ \* {b} \+ {value}")
        lines.exactly(f"{a} % {b} is {value}")
        return False
    small, large = min(a, b), max(a, b)
    if sign == "*" and small > 1:
        multiplied(lines, a, b, last=False)
    elif sign == "+" and form == "long" and small >= 0 and large > 9:
        columns(lines, a, "+", b)
    elif sign == "-" and form == "long" and small >= 0 and large > 9:
        if a < b:
            lines.exactly(f"below zero, so {b} - {a}")
        columns(lines, large, "-", small)
        if a < b:
            lines.exactly(f"{b} - {a} = {b - a}")
    return _said(lines, after, f"{a} {sign} {b} = {value}", value)


def _compare(lines, form, after, sign, a, b, value):
    if sign == "==":
        lines.exactly(f"{quoted(a)}, {quoted(b)}: {'equal' if value else 'not equal'}")
    else:
        lines.exactly(f"{quoted(a)} {sign} {quoted(b)} is {value}")


def _turned(lines, form, after, text, step, value):
    by = "" if step == -1 else f" by {-step}"
    lines.exactly(f"letters: {', '.join(text)}")
    lines.exactly(f"backward{by}: {', '.join(value)}")


def _item(lines, form, after, held, index, value):
    told = lines.take(r"(\[-?\d+\] .+)")[0].split(", ")
    for n, part in enumerate(told):
        place, one = re.fullmatch(r"\[(-?\d+)\] (.+)", part).groups()
        need(int(place) == (n if index >= 0 else -1 - n), told)
        need(str(held[int(place)]) == one, told)
    need(int(place) == index, told)


def _upper(lines, form, after, text, value):
    pairs = ", ".join(f"{a} {b}" for a, b in zip(text, value, strict=True))
    lines.exactly(f"{pairs}: {value}" if text else 'upper: ""')


def _set(lines, form, after, name, value):
    told = ", ".join(map(quoted, value)) if isinstance(value, tuple) else quoted(value)
    lines.exactly(f"{name} = {told}")


def _len(lines, form, after, held, value):
    told = lines.take(r"count (.+)")[0]
    found = re.findall(r"(\S+?) \((\d+)\)(?:, |$)", told)
    need([one for one, _ in found] == list(map(str, held)), told)
    need([int(n) for _, n in found] == list(range(1, value + 1)), told)
    need(", ".join(f"{one} ({n})" for one, n in found) == told or value == 0, told)


def _sum(lines, form, after, held, value):
    for n in range(1, len(held)):
        before = sum(held[:n])
        lines.exactly(f"{int(before)} + {int(held[n])} = {before + held[n]}")
    if len(held) < 2:
        lines.exactly(f"sum {int(value)}")


def _max(lines, form, after, held, value):
    told = re.findall(r"(-?\d+) \((-?\d+)\)", lines.take(r"largest so far: (.+)")[0])
    need([int(one) for one, _ in told] == held, told)
    for n, (_, top) in enumerate(told, 1):
        need(int(top) == sorted(held[:n])[-1], told)


def _print(lines, form, after, text):
    lines.exactly(f"print {text}")


FOLLOWED = {
    "binary": _binary, "compare": _compare, "turned": _turned, "item": _item,
    "upper": _upper, "set": _set, "loop": _set, "len": _len, "sum": _sum, "max": _max,
    "print": _print,
}  # fmt: skip


def prints(seed, form, steps, answer):
    program = re.search(r"```python\n(.*)\n```", seed.prompt, re.DOTALL)[1]
    report = Report(program)
    need(answer == "```\n" + "\n".join(report.printed) + "\n```", answer)
    follow(report, steps, form)


def writes(seed, form, steps, answer):
    code = re.fullmatch(r"```python\n(.*)\n```", answer, re.DOTALL)[1]
    tree = ast.parse(code).body[-1]
    last = tree.body[-1].value if isinstance(tree, ast.FunctionDef) else None
    needed = ast.get_source_segment(code, last or tree.value.args[0])
    lines = Lines(steps[:2])
    lines.exactly(f"Needed: {needed}")
    if "Example input" in seed.prompt:
        given, shown = re.search(
            r"input: (.+)\nExample output: (.+)", seed.prompt
        ).groups()
        report = Report(code, typed=given)
        need(report.printed == [shown], answer)
        for case in seed.facts["cases"]:
            one = Report(code, typed=case["stdin"])
            need(one.printed == [case["stdout"].strip()], answer)
    else:
        given, shown = re.search(r"Example: (.+) returns (.+)\.$", seed.prompt).groups()
        report = Report(code, call=given)
        need(report.value == ast.literal_eval(shown), answer)
        names = {}
        exec("\n".join([code, *seed.facts["tests"]]), names)
    lines.exactly(f"Example: {given}")
    lines.end()
    follow(report, steps[2:], form)


CHECKS = {
    "print-value": prints, "print-expression": prints, "print-variables": prints,
    "print-loop": prints, "write-line": writes, "write-list": writes,
    "write-program": writes,
}  # fmt: skip
