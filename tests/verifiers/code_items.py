"""Code items of every shape, each with what solves it and what does not.

An item is what a seed carries (`tests`, `cases`, `setup`, `entry`, `prompt`,
`gold`), one solution that is right and some that are wrong.
"""

from __future__ import annotations

HE = """
METADATA = {"author": "x"}


def check(candidate):
    assert candidate([1, 2]) == 3, "two"
    assert candidate([]) == 0
    assert abs(candidate([0.1, 0.2]) - 0.3) < 1e-6
    assert True, "the end"
"""
HE_PROMPT = '''from typing import List


def total(numbers: List[float]) -> float:
    """ Add up a list of numbers.
    >>> total([1, 2])
    3
    """
'''
RANDOM_PROMPT = '''def encode(text: str):
    """ A rotated text. """
    return text[1:] + text[:1]


def decode(text: str):
    """ The text that encode was given. """
'''
RANDOM = """
def check(candidate):
    from random import randint, choice
    import copy
    import string

    for _ in range(30):
        str = "".join(choice(string.ascii_lowercase) for i in range(randint(2, 9)))
        assert candidate(copy.deepcopy(encode(str))) == str
"""
EVALPLUS = """
import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert type(out) == type(exp)
        assert np.allclose(exp, out, rtol=1e-07, atol=atol)
    else:
        assert exact_match

def check(candidate):
    inputs = [[[1.0, 2.0]], [[0.1, 0.2, 0.3]], [[7]]]
    results = [1.5, 0.2, 7]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
"""
CASE_CLASS = """
import unittest

class TestCases(unittest.TestCase):
    def test_words(self):
        self.assertEqual(count("a b a"), {"a": 2, "b": 1})

    def test_empty(self):
        self.assertEqual(count(""), {})

    def test_wrong_type(self):
        with self.assertRaises(AttributeError):
            count(3)
"""
LIST_NODE = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

def made(values):
    head = None
    for one in reversed(values):
        head = ListNode(one, head)
    return head

def told(node):
    found = []
    while node:
        found.append(node.val)
        node = node.next
    return found
"""
STACK = """
s = Stack()
s.push(3)
s.push([4, 5])
assert len(s) == 2
assert s.pop() == [4, 5]
assert s.pop() == 3
try:
    s.pop()
    assert False
except IndexError:
    pass
"""

ITEMS = {
    "mbpp": {
        "tests": ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"],
        "right": ["def add(a, b): return a + b", "add = lambda a, b: a + b"],
        "wrong": [
            "def add(a, b): pass",
            "def add(a, b): return a - b",
            "add = 3",
            "x=1",
        ],
    },
    "mbpp with a constant": {
        "tests": ["assert LIMIT == 10", "assert clip(99) == LIMIT"],
        "right": ["LIMIT = 10\ndef clip(x): return min(x, LIMIT)"],
        "wrong": ["LIMIT = 9\ndef clip(x): return 10", "def clip(x): return 10"],
    },
    "mbpp with a tuple": {
        "tests": ["assert pair(1) == (1, [1])", "assert pair('a') == ('a', ['a'])"],
        "right": ["def pair(x): return x, [x]"],
        "loose": ["def pair(x): return [x, [x]]"],
        "wrong": ["def pair(x): return x, (x, x)"],
    },
    "humaneval": {
        "tests": HE,
        "entry": "total",
        "prompt": HE_PROMPT,
        "gold": "    return sum(numbers)\n",
        "right": [
            "```python\ndef total(x): return sum(x)\n```",
            "```python\ndef total(x: List[float]): return sum(x)\n```",
            "    return sum(numbers)\n",
            "    s = 0\n    for n in numbers:\n        s += n\n    return s",
        ],
        "wrong": ["    pass\n", "def total(x): return 3", "    return complex('inf')"],
    },
    "humaneval with a helper": {
        "tests": [RANDOM],
        "entry": "decode",
        "prompt": RANDOM_PROMPT,
        "right": [
            "def decode(text): return text[-1:] + text[:-1]",
            "    return text[-1:] + text[:-1]\n",
        ],
        "wrong": [
            "def encode(text): return text\ndef decode(text): return text",
            "def decode(text): return text",
        ],
    },
    "humaneval with a helper of the gold": {
        "tests": [RANDOM],
        "entry": "decode",
        "gold": RANDOM_PROMPT + "    return text[-1:] + text[:-1]\n",
        "right": ["def decode(text): return text[-1:] + text[:-1]"],
        "wrong": ["def encode(text): return text\ndef decode(text): return text"],
    },
    "evalplus": {
        "tests": [EVALPLUS],
        "entry": "median",
        "right": [
            "def median(x):\n    x = sorted(x)\n    n = len(x)\n"
            "    return x[n // 2] if n % 2 else (x[n // 2 - 1] + x[n // 2]) / 2"
        ],
        "wrong": [
            "def median(x): return x[0]",
            "def median(x): return float('nan')",
            "def median(x): return [1.5]",
        ],
    },
    "livecodebench stdin": {
        "cases": [
            {"input": "2\n1 2\n", "output": "3\n", "testtype": "stdin"},
            {"input": "1\n5\n", "output": "5", "testtype": "stdin"},
        ],
        "right": ["input()\nprint(sum(map(int, input().split())))"],
        "loose": ["input()\nprint('', sum(map(int, input().split())))"],
        "wrong": ["print(3)", "def solve(): pass", "input()\nprint(input())"],
    },
    "livecodebench functional": {
        "cases": [
            {"input": "[2, 7]\n9", "output": "[0, 1]", "testtype": "functional"},
            {"input": "[3, 2, 4]\n6", "output": "[1, 2]", "testtype": "functional"},
        ],
        "entry": "twoSum",
        "prompt": "class Solution:\n    def twoSum(self, nums, target):\n        ",
        "right": [
            "class Solution:\n    def twoSum(self, nums, target):\n"
            "        for i, a in enumerate(nums):\n"
            "            for j in range(i):\n"
            "                if a + nums[j] == target:\n"
            "                    return [j, i]"
        ],
        "wrong": [
            "class Solution:\n    def twoSum(self, nums, target): return [0, 1]",
            "def twoSum(nums, target): return [0, 1]",
        ],
    },
    "a loop over a reference": {
        "tests": [
            "def square(x):\n    return x * x",
            "for x in range(-5, 6):\n    assert power(x, 2) == square(x), x",
        ],
        "right": ["def power(x, n): return x ** n"],
        "wrong": ["def power(x, n): return x * n", "def power(x, n): return None"],
    },
    "tolerance": {
        "tests": [
            "import math",
            "assert math.isclose(root(2), 1.41421356, rel_tol=1e-6)",
            "assert abs(root(9) - 3) <= 1e-6 * max(abs(root(9)), 3)",
            "assert round(root(3), 3) == 1.732",
            "assert not abs(root(16) - 4) > 1e-9",
        ],
        "right": ["def root(x): return x ** 0.5"],
        "wrong": [
            "def root(x): return float('nan')",
            "def root(x): return float('inf')",
            "def root(x): return complex('inf')",
            "def root(x): return complex(1.7e308, 1.7e308)",
            "def root(x): return 10 ** 400",
            "def root(x): return x / 2",
        ],
    },
    "infinity is meant": {
        "tests": ["assert least([]) == float('inf')", "assert least([2, 1]) == 1"],
        "right": ["def least(x): return min(x, default=float('inf'))"],
        "wrong": ["def least(x): return float('inf')", "def least(x): return 1"],
    },
    "nan is meant": {
        "tests": [
            "import math",
            "assert math.isnan(mean([]))",
            "assert mean([2]) == 2",
        ],
        "right": ["def mean(x): return sum(x) / len(x) if x else float('nan')"],
        "wrong": ["def mean(x): return float('nan')", "def mean(x): return 2"],
    },
    "an error is meant": {
        "tests": [
            "try:\n    root(-1)\n    assert False\nexcept ValueError:\n    pass",
            "assert root(4) == 2",
        ],
        "right": ["import math\ndef root(x): return math.sqrt(x)"],
        "wrong": [
            "def root(x): return 2.0",
            "def root(x): raise ValueError",
            "def root(x):\n    if x < 0: raise KeyError\n    return 2.0",
        ],
    },
    "pytest's words": {
        "tests": [
            "import pytest",
            "with pytest.raises(ValueError, match='negative'):\n    root(-1)",
            "assert root(2) == pytest.approx(1.41421356)",
        ],
        "right": [
            "def root(x):\n    if x < 0: raise ValueError('negative number')\n"
            "    return x ** 0.5"
        ],
        "wrong": ["def root(x): return 1.41421356", "def root(x): raise ValueError"],
    },
    "its own exception": {
        "tests": [
            "try:\n    check_age(-1)\nexcept AgeError as error:\n"
            "    assert 'age' in str(error)\nelse:\n    assert False",
            "assert check_age(3) is True",
        ],
        "gold": "class AgeError(Exception): pass\ndef check_age(x): pass",
        "right": [
            "class AgeError(ValueError): pass\ndef check_age(x):\n"
            "    if x < 0: raise AgeError('no age')\n    return True"
        ],
        "wrong": [
            "class AgeError(Exception): pass\ndef check_age(x): return True",
            "def check_age(x): return True",
        ],
    },
    "in place": {
        "tests": ["xs = [3, 1, 2]\nsort(xs)\nassert xs == [1, 2, 3]"],
        "right": ["def sort(x): x.sort()", "def sort(x): x[:] = sorted(x)"],
        "wrong": ["def sort(x): return sorted(x)", "def sort(x): x.clear()"],
    },
    "in place, and a count": {
        "tests": [
            "xs = [1, 1, 2]\nk = unique(xs)\nassert k == 2\nassert xs[:k] == [1, 2]",
        ],
        "right": ["def unique(x):\n    x[:] = sorted(set(x))\n    return len(x)"],
        "wrong": ["def unique(x): return 2", "def unique(x): x.clear(); return 2"],
    },
    "in place, rows of rows": {
        "tests": ["m = [[1, 2], [3, 4]]\nrow = m[0]\nturn(m)\nassert row == [2, 1]"],
        "right": ["def turn(m):\n    for r in m: r.reverse()"],
        "wrong": ["def turn(m): pass"],
    },
    "not in place": {
        "tests": [
            "xs = [3, 1, 2]\nassert total(xs) == sum(xs)\nassert total([4]) == 4"
        ],
        "right": ["def total(x): return sum(x)"],
        "wrong": [
            "def total(x):\n    if len(x) > 1: x.clear(); return 0\n    return 4"
        ],
    },
    "a function is handed over": {
        "tests": [
            "assert twice(lambda x: x + 1, 3) == 5",
            "assert twice(str.upper, 'a') == 'A'",
            "assert twice(abs, -2) == 2",
        ],
        "right": ["def twice(f, x): return f(f(x))"],
        "wrong": ["def twice(f, x): return f(x)", "def twice(f, x): return 5"],
    },
    "a function comes back": {
        "tests": ["assert adder(3)(4) == 7", "assert adder(0)(1) == 1"],
        "right": ["def adder(n): return lambda x: x + n"],
        "wrong": ["def adder(n): return 7", "def adder(n): return lambda x: 7"],
    },
    "a generator": {
        "tests": [
            "from itertools import islice",
            "assert list(islice(count(3), 3)) == [3, 4, 5]",
            "g = count(0)\nassert next(g) == 0 and next(g) == 1",
        ],
        "right": [
            "def count(n):\n    while True:\n        yield n\n        n += 1",
            "import itertools\ncount = itertools.count",
        ],
        "wrong": ["def count(n): return [3, 4, 5]", "def count(n): yield n"],
    },
    "views, ranges, deques": {
        "tests": [
            "assert sorted(keys({'a': 1})) == ['a']",
            "assert list(span(3)) == [0, 1, 2]",
            "from collections import deque, Counter",
            "assert queue([1]) == deque([1])",
            "assert letters('aa') == {'a': 2}",
        ],
        "right": [
            "from collections import *\nkeys = lambda d: d.keys()\nspan = range\n"
            "queue = deque\nletters = Counter"
        ],
        "wrong": [
            "keys = lambda d: d.keys()\nspan = range\nqueue = list\nletters = len"
        ],
    },
    "exact numbers": {
        "tests": [
            "from fractions import Fraction\nfrom decimal import Decimal",
            "assert half(1) == Fraction(1, 2)",
            "assert price('1.10') == Decimal('1.1')",
        ],
        "right": [
            "import fractions, decimal\nhalf = lambda x: fractions.Fraction(x, 2)\n"
            "price = decimal.Decimal"
        ],
        "wrong": ["half = lambda x: 1\nprice = str"],
    },
    "a class": {
        "tests": [STACK],
        "right": [
            "class Stack:\n    def __init__(self): self.x = []\n"
            "    def push(self, v): self.x.append(v)\n"
            "    def pop(self): return self.x.pop()\n"
            "    def __len__(self): return len(self.x)",
            "class Stack(list):\n    push = list.append",
        ],
        "wrong": [
            "class Stack:\n    def push(self, v): pass\n    def pop(self): return 3\n"
            "    def __len__(self): return 2",
            "def Stack(): return []",
        ],
    },
    "a class with attributes": {
        "tests": [
            "p = Point(1, 2)\nassert (p.x, p.y) == (1, 2)",
            "p.x = 5\nassert p.x == 5 and p.norm() == 29",
            "assert str(p) == 'Point(5, 2)'\nassert (p + p).x == 10",
            "assert isinstance(p, Point)\nassert not isinstance(3, Point)",
        ],
        "right": [
            "class Point:\n    def __init__(self, x, y): self.x, self.y = x, y\n"
            "    def norm(self): return self.x ** 2 + self.y ** 2\n"
            "    def __str__(self): return f'Point({self.x}, {self.y})'\n"
            "    def __add__(self, o): return Point(self.x + o.x, self.y + o.y)"
        ],
        "wrong": [
            "class Point:\n    def __init__(self, x, y): self.x, self.y = x, y\n"
            "    def norm(self): return 29\n    __str__ = lambda s: 'Point(5, 2)'",
            "def Point(x, y): return (x, y)",
        ],
    },
    "leetcode": {
        "tests": [
            "assert told(Solution().turn(made([1, 2, 3]))) == [3, 2, 1]",
            "assert told(Solution().turn(made([]))) == []",
        ],
        "setup": LIST_NODE,
        "right": [
            "class Solution:\n    def turn(self, head):\n        last = None\n"
            "        while head:\n"
            "            last, head.next, head = head, last, head.next\n"
            "        return last",
        ],
        "wrong": [
            "class Solution:\n    def turn(self, head): return head",
            "class Solution:\n    def turn(self, head): return [3, 2, 1]",
            "def told(x): return [3, 2, 1]\n"
            "class Solution:\n    def turn(self, head): return head",
        ],
    },
    "leetcode's list of a thousand": {
        "tests": ["assert told(same(made(list(range(1000))))) == list(range(1000))"],
        "setup": LIST_NODE,
        "right": ["def same(head): return head"],
        "wrong": ["def same(head): return head.next"],
    },
    "an expression as entry": {
        "tests": "def check(candidate):\n    assert candidate([3, 1]) == [1, 3]",
        "entry": "Solution().sort",
        "right": ["class Solution:\n    def sort(self, x): return sorted(x)"],
        "wrong": ["class Solution:\n    def sort(self, x): return x"],
    },
    "test cases": {
        "tests": CASE_CLASS,
        "right": [
            "def count(text):\n    words = {}\n    for w in text.split():\n"
            "        words[w] = words.get(w, 0) + 1\n    return words"
        ],
        "wrong": ["def count(text): return {}", "def count(x): raise TypeError"],
    },
    "test functions": {
        "tests": "def test_add():\n    assert add(1, 2) == 3",
        "right": ["def add(a, b): return a + b"],
        "wrong": ["def add(a, b): return a"],
    },
    "asyncio": {
        "tests": ["import asyncio", "assert asyncio.run(double(3)) == 6"],
        "right": ["async def double(x): return x * 2"],
        "wrong": ["async def double(x): return x", "def double(x): return 6"],
    },
    "types": {
        "tests": [
            "assert type(to_int('3')) is int\nassert to_int('3') == 3",
            "assert isinstance(words('a b'), list)\nassert words('a b') == ['a', 'b']",
            "assert kind(3) is int",
        ],
        "right": ["to_int = int\nwords = str.split\nkind = type"],
        "wrong": ["to_int = float\nwords = str.split\nkind = type"],
    },
    "true is not one": {
        "tests": ["assert ones([1]) == {1}", "assert flags([1]) == {1: True}"],
        "right": ["ones = set\nflags = lambda x: {1: True}"],
        "loose": ["ones = lambda x: {True}\nflags = lambda x: {1: True}"],
        "wrong": ["ones = lambda x: {2}\nflags = lambda x: {1: True}"],
    },
    "a name of Python's own": {
        "tests": ["assert sum(10, 15) == 6", "assert sum(4, 8) == 7"],
        "gold": "def sum(a, b):\n    return 0",
        "right": [
            "def sum(a, b):\n"
            "    return __builtins__['sum'](i for i in range(1, a + 1)\n"
            "        if a % i == 0 == b % i) if isinstance(__builtins__, dict) else\\\n"
            "        __import__('builtins').sum(i for i in range(1, a + 1)\n"
            "        if a % i == 0 == b % i)"
        ],
        "wrong": ["def sum(a, b): return 6", "x = 1"],
    },
    "what is printed": {
        "tests": [
            "import io, contextlib\nout = io.StringIO()",
            "with contextlib.redirect_stdout(out):\n    greet('you')",
            "assert out.getvalue() == 'hello, you\\n'",
        ],
        "right": ["def greet(name): print('hello,', name)"],
        "wrong": ["def greet(name): return 'hello, ' + name", "def greet(n): print(n)"],
    },
    "a module named solution": {
        "tests": ["from solution import double\nassert double(3) == 6"],
        "right": ["def double(x): return 2 * x"],
        "wrong": ["def double(x): return 6 * 2", "def triple(x): return 6"],
    },
    "a module named solution, whole": {
        "tests": ["import solution as s\nassert s.double(s.START) == 6"],
        "right": ["START = 3\ndef double(x): return 2 * x"],
        "wrong": ["START = 4\ndef double(x): return 2 * x", "def double(x): return 6"],
    },
    "a main block": {
        "tests": [
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
            "        self.assertEqual(double(3), 6)",
            "if __name__ == '__main__':\n    unittest.main()",
        ],
        "right": ["def double(x): return 2 * x"],
        "wrong": ["def double(x): return 7", "import sys\nsys.exit(0)"],
    },
    "classes of the item's own": {
        "setup": "from dataclasses import dataclass\nfrom enum import Enum\n"
        "class Colour(Enum):\n    RED = 1\n    BLUE = 2\n"
        "class NoColour(Exception):\n    pass\n"
        "@dataclass\nclass Pixel:\n    x: int\n    colour: Colour",
        "tests": [
            "assert paint(Pixel(1, Colour.RED)) == Pixel(1, Colour.BLUE)",
            "try:\n    paint(None)\n    assert False\nexcept NoColour:\n    pass",
        ],
        "right": [
            "def paint(p):\n    if p is None: raise NoColour\n"
            "    return Pixel(p.x, Colour.BLUE)"
        ],
        "wrong": [
            "def paint(p):\n    if p is None: raise NoColour\n    return p",
            "class Pixel:\n    def __init__(self, *given): pass\n"
            "    def __eq__(self, other): return True\n"
            "def paint(p):\n    if p is None: raise NoColour\n    return Pixel()",
            "class Colour:\n    RED = BLUE = 1\n"
            "def paint(p):\n    if p is None: raise NoColour\n    return p",
        ],
    },
    "a method that takes what is expected": {
        "setup": "class Node:\n    def __init__(self, name):\n        self.name = name",
        "tests": ["assert upper('abc').startswith('ABC')"],
        "right": ["upper = str.upper"],
        "wrong": [
            "upper = str.lower",
            "class T:\n    def startswith(self, x): return True\n"
            "def upper(x): return T()",
            "from collections import namedtuple\nT = namedtuple('T', 'startswith')\n"
            "def upper(x): return T(lambda x: True)",
            "from collections import namedtuple\nT = namedtuple('T', 'startswith')\n"
            "def upper(x): return T(bool)",
            "def upper(x):\n    n = Node(x)\n    n.startswith = lambda x: True\n"
            "    return n",
            "def upper(x):\n    n = Node(x)\n    n.startswith = bool\n    return n",
        ],
    },
    "annotations without an import": {
        "tests": ["assert first([3]) == 3"],
        "right": ["def first(x: List[int]) -> Optional[int]: return x[0]"],
        "wrong": ["def first(x: List[int]) -> int: return List"],
    },
    "setup that needs the solution": {
        "tests": ["assert depth(root) == 2"],
        "setup": "root = Node(1)\nroot.left = Node(2)",
        "right": [
            "class Node:\n    def __init__(self, v): self.left = self.right = None\n"
            "def depth(n):\n"
            "    return 1 + max(depth(n.left), depth(n.right)) if n else 0"
        ],
        "wrong": [
            "class Node:\n    def __init__(self, v): pass\ndef depth(n): return 1"
        ],
    },
}

# Nobody could pass or fail these, whatever a solution does.
UNKNOWN = {
    "no assertion": {"tests": ["f(1) == 2"]},
    "nothing asked": {"tests": ["assert 1 == 1"]},
    "nothing said": {"tests": ["assert True", "f(3)"]},
    "half a line": {"tests": ["assert"]},
    "empty": {"tests": [""]},
    "only an import": {"tests": ["import os"]},
    "not Python": {"tests": ["assert f(1) is equal to 2"]},
    "fails by itself": {"tests": ["assert 1 == 2, f(3)"]},
    "raises before it asks": {"tests": ["x = 1 / 0", "assert f(3) == x"]},
    "raises in its setup": {"tests": ["assert f(3) == x"], "setup": "x = [][0]"},
    "setup is no Python": {"tests": ["assert f(3) == 9"], "setup": "x ="},
    "a package that is not here": {
        "tests": ["import pandas", "assert f(3) == 9"],
    },
    "a package, later": {
        "tests": ["assert f(3) == 9\nimport torch\nassert torch.equal(f(3), 9)"],
    },
    "a name nobody has": {
        "tests": ["assert f(3) == expected_of_f(3)"],
        "gold": "def f(x):\n    return x * x",
    },
    "check for nobody": {
        "tests": ["def check(candidate):\n    assert candidate(3) == 9"]
    },
    "its own objects": {"tests": ["assert Point(1, 2) == Point(1, 2)"]},
    "its own constants": {"tests": ["assert f(3) == Colour.RED"]},
    "no list of texts": {"tests": [3]},
    "no text": {"tests": {"a": 1}},
    "cases without output": {"cases": [{"stdin": "3"}]},
    "cases without a function": {
        "cases": [{"input": "3", "output": "9", "testtype": "functional"}]
    },
    "cases that are no JSON": {
        "cases": [{"input": "x", "output": "9", "testtype": "functional"}],
        "entry": "f",
    },
}
