"""Word puzzles read back: from their sentences alone to what gets written down."""

import re

# In this order: what stands within another must be read before it.
_SAID = (
    (r"the word True if (.+?), else the word False", r"bool(\1)"),
    (r"an empty text", '""'),
    (r"an empty list", "[]"),
    (r"how many (?:letters|numbers) there are in (\S+)", r"len(\1)"),
    (r"the sum of the numbers in (\S+)", r"sum(\1)"),
    (r"the largest of the numbers in (\S+)", r"max(\1)"),
    (r"the smallest of the numbers in (\S+)", r"min(\1)"),
    (r"the largest of ([^.]+)", r"max(\1)"),
    (r"the smallest of ([^.]+)", r"min(\1)"),
    (r"the remainder of (\([^()]*\)|\S+) divided by (\S+)", r"(\1) % (\2)"),
    (r"the (?:letter|number) at place (\S+) of (the list of [^.]+|\S+)", r"(\2)[\1]"),
    (r"what the rule (\w+) makes of (\S+)", r"\1(\2)"),
    (r"(\S+) spelled backwards", r"\1[::-1]"),
    (r"(\S+) in capital letters", r"\1.upper()"),
    (r" is one of the letters of ", " in "),
    (r" is greater than ", " > "),
    (r" is at least ", " >= "),
    (r" is less than ", " < "),
    (r" is at most ", " <= "),
    (r" is equal to ", " == "),
    (r"(\S+) written (\S+) times in a row", r"\1 * \2"),
    (r" followed at once by ", " + "),
    (r" plus ", " + "),
    (r" minus ", " - "),
    (r" times ", " * "),
)
_FOR_EACH = re.compile(
    r"the list of (.+?) for (\w+) from (\d+) to (\d+)(?: wherever (.+))?"
)
_LIST = re.compile(r"the list of ([^()\[\]]+)")


def _expression(text):
    found = _FOR_EACH.fullmatch(text)
    if found:
        made, name, low, high, only = found.groups()
        test = f" if {_expression(only)}" if only else ""
        over = f"range({low}, {high} + 1)"
        return f"[{_expression(made)} for {name} in {over}{test}]"
    for said, meant in _SAID:
        text = re.sub(said, meant, text)
    return _LIST.sub(r"[\1]", text)


_SENTENCES = (
    (r"Let (\w+) be (.+)\.", lambda a, b: f"{a} = {_expression(b)}"),
    (r"Add (.+) to (\w+)\.", lambda a, b: f"{b} += {_expression(a)}"),
    (r"Subtract (.+) from (\w+)\.", lambda a, b: f"{b} -= {_expression(a)}"),
    (r"Multiply (\w+) by (.+)\.", lambda a, b: f"{a} *= {_expression(b)}"),
    (r"Put (.+) at the end of (\w+)\.", lambda a, b: f"put({_expression(a)}, {b!r})"),
    (
        r"There is a rule (\w+): it makes (.+) of (\w+)\.",
        lambda a, b, c: f"{a} = lambda {c}: {_expression(b)}",
    ),
    (r"If (.+):", lambda a: f"if {_expression(a)}:"),
    (r"Otherwise:", lambda: "else:"),
    (r"As long as (.+), again and again:", lambda a: f"while {_expression(a)}:"),
    (
        r"For (\w+) from (\d+) to (\d+), in this order:",
        lambda a, b, c: f"for {a} in range({b}, {c} + 1):",
    ),
    (
        r"For each (?:letter|number) of (.+), called (\w+), in this order:",
        lambda a, b: f"for {b} in {_expression(a)}:",
    ),
)


def _statement(sentence):
    if found := re.fullmatch(r"Write down (.+)\.", sentence):
        parts = found[1].removesuffix(", with a space between").split(" and then ")
        return f"write({', '.join(map(_expression, parts))})"
    if found := re.fullmatch(r"At the same moment (.+)\.", sentence):
        pairs = re.findall(r"(\w+) becomes what (\w+) was", found[1])
        return f"{', '.join(a for a, _ in pairs)} = {', '.join(b for _, b in pairs)}"
    for pattern, meant in _SENTENCES:
        if found := re.fullmatch(pattern, sentence):
            return meant(*found.groups())
    raise ValueError(sentence)


def written_down(puzzle):
    """What the sentences of a puzzle let one write down, line by line."""
    first, *steps, _ = puzzle.split("\n")
    assert first == "Follow these steps in order."
    code = []
    for step in steps:
        indent, sentence = re.fullmatch(r"((?:   )*)(?:\d+\. |- )(.+)", step).groups()
        code.append(f"{indent}{_statement(sentence)}")
    lines = []

    def write(*values):
        lines.append(" ".join(map(str, values)))

    def put(value, name):
        if isinstance(space[name], list):
            space[name].append(value)
        else:
            space[name] += value

    space = {"write": write, "put": put}
    exec("\n".join(code), space)
    return "\n".join(lines)
