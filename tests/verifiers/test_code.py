"""The code verifier: what passes, what cannot be faked, what it costs."""

from __future__ import annotations

import json
from textwrap import indent

import pytest

from phi_kit.data.records import Seed
from phi_kit.sandbox import sandbox
from phi_kit.sandbox.inside.plain_values import (
    Exchange,
    MalformedError,
    UnsendableError,
    same_value,
)
from phi_kit.sandbox.sandbox import Limits
from phi_kit.verifiers.code import verifier
from phi_kit.verifiers.code.blocks import all_code, presented_code
from phi_kit.verifiers.code.tests import UnreadableTestError, read_tests


def seed(**extra):
    return Seed("coding", "Add.", "", extra=json.dumps(extra))


ADD = seed(tests=["assert add(1, 2) == 3", "assert add(-1, 1) == 0"])
DOUBLE = seed(cases=[{"stdin": "2\n", "stdout": "4\n"}, {"stdin": "5", "stdout": "10"}])


# Each one tries to be called right without computing anything.
FAKES = {
    "prints a success": 'print("2 of 2 tests pass")\ndef add(a, b):\n    return None',
    "prints the protocol": """
print('{"nonce": "", "index": 0, "value": ["i", "0x3"]}')
def add(a, b): return None
""",
    "exits at once": "import sys\nsys.exit(0)",
    "exits hard": "import os\ndef add(a, b): os._exit(0)",
    "exits in the call": "def add(a, b): raise SystemExit(0)",
    "equals everything": """
class Any(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def add(a, b): return Any()
""",
    "a string that equals": """
class Any(str):
    __eq__ = lambda self, other: True
    __hash__ = None
def add(a, b): return Any("x")
""",
    "claims a type": """
class Any:
    __class__ = int
    def __eq__(self, other): return True
def add(a, b): return Any()
""",
    "replaces builtins": """
import builtins
builtins.type = lambda value: int
builtins.hex = lambda value: "0x3"
builtins.eval = lambda *given: 3
def add(a, b): return object()
""",
    "replaces json": """
import json, os
json.dumps = lambda *given, **named: '{"index": 0, "value": ["i", "0x3"]}'
os.write = lambda fd, data: len(data)
def add(a, b): return object()
""",
    "answers for the runner": """
import os, sys, json
def add(a, b):
    frame, nonce = sys._getframe(), None
    while frame:
        answer = frame.f_locals.get("answer")
        if answer:
            for cell in answer.__closure__:
                if isinstance(cell.cell_contents, str):
                    nonce = cell.cell_contents
        frame = frame.f_back
    assert nonce, "this test must find it"
    for index in (0, 1, 2, [1], None, "0", 10 ** 30):
        for value in (["i", "0x7"], [], None, 5, ["dict", [[["list", []], 1]]], [[]]):
            line = {"index": index, "value": value, "loaded": 3, "error": []}
            for fd in range(3, 20):
                try:
                    os.write(fd, (json.dumps(line | {"nonce": nonce}) + "\\n").encode())
                except OSError:
                    pass
    os._exit(0)
""",
    "looks for the expected": """
import gc, sys
def add(a, b):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "expected" in thing:
            return thing["expected"][0]
    return [sys.argv, open("/proc/self/cmdline").read()]
""",
    "reads the source": """
import glob
def add(a, b): return [open(p).read() for p in glob.glob("/**/*.json")] or 9
""",
    "a generator": "def add(a, b): yield a + b",
    "a coroutine": "async def add(a, b): return a + b",
    "holds itself": "x = []\nx.append(x)\ndef add(a, b): return x",
    "nested without end": """
def add(a, b):
    x = 3
    for _ in range(10 ** 5): x = [x]
    return x
""",
    "a dict that lies": """
class D(dict):
    def items(self): return [(1, 3)]
def add(a, b): return D()
""",
    "a huge answer": "def add(a, b): return 'a' * 10 ** 7",
    "a huge number": "def add(a, b): return 1 << 400000",
    "not a number": "def add(a, b): return float('nan')",
    "an exception that lies": """
class Right(Exception):
    def __str__(self): return "passes 2 of 2 tests"
def add(a, b): raise Right
""",
    "threads that go on": """
import threading
def spin():
    while True: pass
threading.Thread(target=spin).start()
def add(a, b): return 4
""",
    "only the first": "def add(a, b): return 3",
    "true is not one": "def add(a, b): return a + b == 3",
}


@pytest.mark.parametrize("name", FAKES)
def test_success_cannot_be_faked(name):
    verdict = verifier.verify(ADD, f"```python\n{FAKES[name]}\n```")
    assert (verdict.value, verdict.lenient) == ("wrong", "wrong"), verdict


def test_a_right_answer_survives_noise():
    noisy = """
import atexit, sys
print("hello", file=sys.stderr)
print("a lot " * 100)
atexit.register(lambda: print("bye"))
def add(a, b):
    print("adding")
    return a + b
if __name__ == "__main__":
    raise RuntimeError("a script's part is not run")
"""
    assert (
        verifier.verify(ADD, f"Sure!\n```python\n{noisy}```\nThis adds.").value
        == "right"
    )


@pytest.mark.parametrize(
    ("program", "value", "lenient", "word"),
    [
        ("print(int(input()) * 2)", "right", "right", "2 of 2"),
        (
            "import os\nprint(int(input()) * 2, flush=True)\nos._exit(0)",
            *["right"] * 2,
            "",
        ),
        ("print(' ', int(input()) * 2)", "wrong", "right", "printed"),
        ("print(4)", "wrong", "wrong", "case 2 of 2"),
        ("print(int(input()) * 2)\nraise SystemExit(1)", "wrong", "wrong", "exited"),
        ("print(input() + input())", "wrong", "wrong", "EOFError"),
        ("while True: pass", "wrong", "wrong", "out of time"),
        ("while True: print(4)", "wrong", "wrong", "too much output"),
        ("x = [0] * 10 ** 9", "wrong", "wrong", "out of memory"),
        ("import socket\nsocket.socket()", "wrong", "wrong", "forbidden"),
        ("print(", "wrong", "wrong", "SyntaxError"),
    ],
)
def test_programs(program, value, lenient, word, monkeypatch):
    monkeypatch.setattr(verifier, "LIMITS", Limits(seconds=5, cpu=1))
    verdict = verifier.verify(DOUBLE, f"```\n{program}\n```")
    assert (verdict.value, verdict.lenient) == (value, lenient), verdict
    assert word in verdict.reason


@pytest.mark.parametrize(
    ("response", "strict", "loose"),
    [
        (
            "```python\nx = 1\n```\nand\n```python\ny = 2\n```",
            "y = 2\n",
            "x = 1\n\ny = 2\n",
        ),
        ("```json\n{}\n```", None, None),
        ("```py\nx = 1", None, "x = 1"),
        ("x = 1", "x = 1", None),
        ("Sure", None, None),
        ("Here:\ndef f():\n    return 1\nThat is it.", None, "def f():\n    return 1"),
        ("", None, None),
    ],
)
def test_where_code_stands(response, strict, loose):
    assert (presented_code(response), all_code(response)) == (strict, loose)


SUM = "def add(a, b):\n    return a + b\n"
INDENTED = SUM.replace("def", "   def").replace("    return", "       return")
FENCES = {
    "the opening fence is missing": f"{SUM}```",
    "an example of the output follows": f"```python\n{SUM}```\nPrints:\n```\n3\n```",
    "an example of its use follows": f"```python\n{SUM}```\n```python\nadd(1, 2)\n```",
    "a shell session follows": f"```python\n{SUM}```\n```bash\npython add.py\n```",
    "text follows in a fence": f"```python\n{SUM}```\n```text\nx = 3\n```",
    "another function follows": f"```\n{SUM}```\n```\ndef main():\n    add(1, 2)\n```",
    "a usage in one line follows": f"```\n{SUM}```\nUse:\n```\nprint(add(1, 2))\n```",
    "a wrong attempt comes first": f"```\ndef add(a, b): pass\n```\nNo:\n```\n{SUM}```",
    "in a list": f"1. Do this:\n   ```python\n{INDENTED}   ```\n",
    "in a deeper list": f"- so:\n{indent(f'```{chr(10)}{SUM}```', ' ' * 6)}",
    "a fence further left than its code": f"```\n{indent(SUM, '  ')}```",
    "an indent of tabs": indent(f"```\n{SUM}```", "\t"),
    "py3": f"```py3\n{SUM}```",
    "python3": f"```python3\n{SUM}```",
    "python 3.11": f"```python3.11\n{SUM}```",
    "capitals": f"```PYTHON\n{SUM}```",
    "attributes": f"```python title=add.py\n{SUM}```",
    "braces": f"```{{.python}}\n{SUM}```",
    "a space": f"``` python\n{SUM}```",
    "tildes": f"~~~python\n{SUM}~~~",
    "bare tildes": f"~~~\n{SUM}~~~",
    "four backticks": f"````python\n{SUM}````",
    "a fence in a docstring": "````python\ndef add(a, b):\n    '''\n    ```\n"
    "    add(1, 2)\n    ```\n    '''\n    return a + b\n````",
    "lines end as on Windows": f"```python\n{SUM}```\n".replace("\n", "\r\n"),
    "json comes last": f'```python\n{SUM}```\n```json\n{{"add": 1}}\n```',
    "quoted": "> ```python\n> def add(a, b):\n>     return a + b\n> ```",
    "a lambda": "```python\nadd = lambda a, b: a + b\n```",
    "an import": "```python\nfrom operator import add\n```",
    "an alias": f"```python\n{SUM.replace('add', 'plus')}add: object = plus\n```",
}


@pytest.mark.parametrize("name", FENCES)
def test_the_block_that_defines_the_function_counts(name):
    assert verifier.verify(ADD, FENCES[name]).value == "right", presented_code(
        FENCES[name], ["add"]
    )


@pytest.mark.parametrize(
    "response",
    [
        "```js\nfunction add(a, b) { return a + b }\n```",
        f"```python\n{SUM}```\n```python\ndef add(a, b):\n    return a - b\n```",
        "```\nadd(1, 2) == 3\n```",
        "```\n```",
        "```",
    ],
)
def test_no_other_block_does(response):
    assert verifier.verify(ADD, response).value == "wrong"


def test_code_in_the_thinking_does_not_count():
    thought = "<think>```python\ndef add(a, b): return a + b\n```</think>I cannot."
    assert verifier.verify(ADD, thought).reason == "no answer found"


def test_what_tests_need_is_read_from_their_text():
    found = read_tests(
        [
            "import math, numpy",
            "def helper(x):\n    return [f(y) for y in x]",
            "assert helper([1]) == [math.inf]",
            "s = Stack(LIMIT)\ntry:\n    s.pop()\nexcept EmptyError:\n    pass",
        ],
        setup="class Node:\n    def __init__(self):\n        self.next = None",
    )
    assert found.names == ("EmptyError", "LIMIT", "Stack", "f")
    assert found.makers == ("EmptyError", "Stack")
    assert found.shared == ("Node",)
    assert found.errors == ("EmptyError",)
    assert found.allowed == ("inf",)
    assert found.needs == ("numpy",)
    assert not found.look
    assert not found.forgiving


@pytest.mark.parametrize(
    ("test", "look"),
    [
        ("f(xs)\nassert xs == [1]", True),
        ("assert f(xs) is None\nassert xs == [1]", True),
        ("k = f(xs)\nassert xs[:k] == wanted[:k]", True),
        ("k = f(xs)\nassert k == 2 and sorted(xs) == [1, 2]", True),
        ("assert f(xs) == sum(xs)", False),
        ("r = f(xs)\nassert r == sorted(xs)", False),
        ("r = f(xs)\nassert xs == r", False),
        ("assert f([1]) == 1", False),
        ("for x in xs:\n    assert f(x) == x * x", False),
    ],
)
def test_arguments_are_looked_at_only_where_tests_mean_it(test, look):
    assert read_tests(f"xs = [3]\nwanted = [1]\n{test}").look is look


def test_humanevals_check_function():
    text = """
METADATA = {"author": "x"}
def check(candidate):
    assert candidate([1, 2]) == 3
    assert candidate([]) == 0, "empty"
"""
    item = seed(tests=[text], entry="total")
    assert read_tests(text, entry="total").entry == "total"
    assert read_tests(f"{text}\ncheck(total)").entry == ""
    assert read_tests(text, gold="def total(x): pass").entry == "total"
    assert verifier.verify(item, "def total(x): return sum(x)").value == "right"
    assert verifier.verify(item, "def total(x): return 3").value == "wrong"


@pytest.mark.parametrize(
    "test",
    ["f(1) == 2", "assert 1 == 1", "assert", "", "import os", "assert True\nf(1)"],
)
def test_a_test_that_nobody_can_fail_is_unreadable(test):
    with pytest.raises(UnreadableTestError):
        read_tests([test])


@pytest.mark.parametrize(
    ("test", "response", "value"),
    [
        ("assert f(1) < 3", "def f(x): return x", "right"),
        ("assert f(1) < 3", "def f(x): return 3", "wrong"),
        ("for x in range(3):\n    assert f(x) == x", "def f(x): return x", "right"),
        ("assert f(1) == g(1)", "def f(x): return x\ng = f", "right"),
        ("assert f(1) == g(1)", "def f(x): return x", "wrong"),
    ],
)
def test_tests_may_be_any_python(test, response, value):
    assert verifier.verify(seed(tests=[test]), response).value == value


def test_a_vertical_tab_is_no_new_line():
    item = Seed("coding", "", "1\n2")
    assert verifier.verify(item, "1\n2").right
    assert verifier.verify(item, "1\x0b2").value == "wrong"
    assert verifier.verify(item, "1\r\n2\r\n").right


def test_no_sandbox_means_unknown(monkeypatch):
    def refuse(*given, **named):
        raise sandbox.RunError("code cannot be run safely on this machine")

    monkeypatch.setattr(verifier, "run_tests", refuse)
    verdict = verifier.verify(ADD, "def add(a, b): return a + b")
    assert verdict.value == "unknown"
    assert "cannot be run" in verdict.reason


VALUES = [
    *(0, -7, 1 << 20000, 1.5, float("inf"), 2j, True, None, "", "é\ud800\n", b"\xff"),
    *(
        [],
        [1, [2, (3,)]],
        (),
        {1, 2},
        set(),
        frozenset({1}),
        {"a": {1: [None]}, (1,): 0},
    ),
]


def sent(value):
    """A value as it arrives on the other side."""
    ours = Exchange(lambda *named: None, host=True)
    theirs = Exchange(lambda place, kind, name: (place, kind, name), host=False)
    return theirs.unpack(json.loads(json.dumps(ours.pack([value]))))[0]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_plain_values_come_out_as_they_were(value):
    found = sent(value)
    assert found == value
    assert type(found) is type(value)


def test_what_is_no_plain_value_stays_where_it_was():
    assert sent(object()) == (0, "object", "object")
    assert sent(iter([1])) == (0, "iterator", "list_iterator")
    assert sent([len]) == [(0, "callable", "builtin_function_or_method")]
    with pytest.raises(UnsendableError):
        Exchange(lambda *named: None, host=False).pack([object()])


class Liar(int):
    __eq__ = __ne__ = lambda self, other: True
    __hash__ = None
    __int__ = __index__ = lambda self: 9


class Lists(list):
    def __iter__(self):
        return iter([9])


class Pairs(dict):
    def items(self):
        return [(9, 9)]


@pytest.mark.parametrize(
    ("value", "plain"), [(Liar(3), 3), (Lists([1]), [1]), (Pairs(a=1), {"a": 1})]
)
def test_a_subclass_arrives_as_what_it_is_underneath(value, plain):
    found = sent(value)
    assert found == plain
    assert type(found) is type(plain)


JUNK = [
    *(None, [], 3, ["=", 3], ["i", 3], ["f", "x"], ["?", "x"], ["i"], ["="], ["list"]),
    *([[]], ["dict", [[1]]], ["set", [["list", []]]], ["c", "x"], ["o", 0], ["o", -1]),
    *(["b", "print"], ["b", "x"], ["t", "os.system", "x"], ["n", "a", ["b"], []]),
    *(["^", 0], ["^", "x"], ["@", 1], ["@", "1", "object", "x"], ["range", 1]),
    *(["t", "decimal.Decimal", "x"], ["t", "fractions.Fraction", "0x1", "0x0"]),
    *(["bytes", "0"], ["t"], ["items", [["i", "0x1"]]], {"a": 1}, "x", True),
]


@pytest.mark.parametrize("value", JUNK, ids=repr)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: ["list", [x]]])
def test_values_that_are_never_sent(value, wrap):
    books = Exchange(lambda *named: None, host=False)
    with pytest.raises(MalformedError):
        books.unpack({"v": [wrap(value)], "o": []})


@pytest.mark.parametrize("value", [None, [], {}, {"v": 3}, {"v": [], "o": 3}])
def test_messages_that_are_never_sent(value):
    books = Exchange(lambda *named: None, host=False)
    with pytest.raises(MalformedError):
        books.unpack(value)


@pytest.mark.parametrize(
    ("a", "b", "strict", "loose"),
    [
        (0.3, 0.1 + 0.2, True, True),
        (0.3, 0.3000001, False, True),
        (2, 2.0, True, True),
        (1, True, False, True),
        ([1], (1,), False, True),
        ("1", 1, False, False),
        ({"a": 1}, {"a": 1, "b": 2}, False, False),
        ([1], [1, 2], False, False),
        (10**400, 1.0, False, False),
        (None, False, False, False),
        ({True}, {1}, False, True),
        ({1: 2}, {True: 2}, False, True),
        ({1: True}, {1: 1}, False, True),
        ([{1, 2}], [{True, 2}], False, True),
        ({(1, True)}, {(True, 1)}, False, True),
        ({frozenset({1})}, {frozenset({True})}, False, True),
        ({1}, {1.0}, True, True),
        (3, complex("inf"), False, False),
        (complex(1, 1), complex("inf"), False, False),
        (complex("inf"), complex("inf"), True, True),
        (3, complex(1.7e308, 1.7e308), False, False),
        (1.0, 10**400, False, False),
        (3, float("nan"), False, False),
        (float("inf"), float("inf"), True, True),
        (1e308, float("inf"), False, False),
        (3 + 0j, 3, True, True),
    ],
)
def test_equality_of_plain_data(a, b, strict, loose):
    assert same_value(a, b) is strict
    assert same_value(a, b, loosely=True) is loose
