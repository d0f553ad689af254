"""Programs that want to be judged right without solving anything.

All are asked for `f`, the square of a number. `TESTS` asks in many ways; none may
call any of `CHEATS` right, and none of `PROGRAMS` for the cases of `CASES`.
"""

from __future__ import annotations

# Every kind of test, each of which a solution passes.
TESTS = {
    "assert": {"tests": ["assert f(3) == 9", "assert f(4) == 16"]},
    "check": {
        "tests": "def check(candidate):\n    for x in range(2, 9):\n"
        "        assert candidate(x) == x * x",
        "entry": "f",
    },
    "equal is true": {"tests": ["assert (f(3) == 9) == True"]},
    "equal is": {"tests": ["assert (f(3) == 9) is True", "assert f(4) is not None"]},
    "not unequal": {"tests": ["assert not f(3) != 9"]},
    "all": {"tests": ["assert all(f(i) == i * i for i in range(2, 6))"]},
    "any": {"tests": ["assert any([f(3) == 9])"]},
    "dunder": {"tests": ["assert f(3).__eq__(9)", "assert not f(4).__ne__(16)"]},
    "bool": {"tests": ["assert bool(f(3) == 9)"]},
    "list": {"tests": ["assert [f(3) == 9, f(4) == 16] == [True, True]"]},
    "difference": {"tests": ["assert abs(f(3) - 9) == 0"]},
    "rounded": {"tests": ["assert round(f(3) - 9, 5) == 0"]},
    "within": {"tests": ["assert abs(f(3) - 9) <= 1e-6 * max(abs(f(3)), 9)"]},
    "not without": {"tests": ["assert not abs(f(3) - 9) > 1e-6"]},
    "isclose": {"tests": ["import math", "assert math.isclose(f(3), 9, rel_tol=1e-6)"]},
    "allclose": {"tests": ["import numpy as np", "assert np.allclose(f(3), 9)"]},
    "among": {"tests": ["assert f(3) in (9, 9.0)", "assert 9 in [f(3)]"]},
    "ordered": {"tests": ["assert 9 <= f(3) <= 9", "assert f(3) > 8 and f(3) < 10"]},
    "helper": {
        "tests": ["assert is_equal(f(3), 9)"],
        "setup": "def is_equal(a, b):\n    return a == b",
    },
    "operator": {"tests": ["import operator", "assert operator.eq(f(3), 9)"]},
    "hash": {"tests": ["assert {f(3): 1}.get(9) == 1", "assert len({f(4), 16}) == 1"]},
    "sorted": {"tests": ["assert sorted([f(3), 1]) == [1, 9]"]},
    "text": {"tests": ["assert str(f(3)) == '9'", "assert f'{f(4)}' == '16'"]},
    "raise": {"tests": ["if f(3) != 9:\n    raise ValueError('no')"]},
    "try": {
        "tests": ["try:\n    assert f(3) == 9\nexcept Exception:\n    print('no')"],
    },
    "unittest": {
        "tests": "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_f(self):\n        self.assertEqual(f(3), 9)",
    },
    "mutable": {
        "tests": ["xs = [3]\nassert f(xs[0]) == xs[0] ** 2\nassert f(4) == 16"],
    },
    "int": {"tests": ["assert int(f(3)) == 9", "assert f(4) // 1 == 16"]},
    "method": {"tests": ["assert f(3).bit_length() == 4", "assert f(3).real == 9"]},
    "method with a value": {
        "tests": ["assert str(f(3)).startswith('9')", "assert [f(3)].count(9) == 1"],
    },
    "is": {"tests": ["assert f(3) is 9", "assert f(4) is not 9"]},
    "unpacked": {"tests": ["a, b = map(f, (3, 4))\nassert (a, b) == (9, 16)"]},
    "loop": {"tests": ["for x in map(f, (3, 4)):\n    assert x in (9, 16)"]},
    "reference": {"tests": ["g = lambda x: x ** 2\nassert [*map(f, [3])] == [g(3)]"]},
}
SOLUTION = "def f(x): return x * x"

_YES = "lambda *given, **named: True"
_LIAR = f"""
class Liar{{base}}:
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = {_YES}
    __bool__ = __contains__ = __instancecheck__ = {_YES}
    __hash__ = lambda self: hash(9)
    __sub__ = __rsub__ = __add__ = __mul__ = __floordiv__ = lambda self, *o: 0
    __abs__ = __round__ = __int__ = __index__ = lambda self, *o: 0
    __float__ = lambda self: 0.0
    __len__ = lambda self: 1
    __str__ = __repr__ = lambda self: "right"
    __getattr__ = lambda self, name: {_YES}
"""
# A solution's process, taken apart: what it can find of its runner.
_DIG = """
import gc, os, sys, json
def dig():
    frame, found = sys._getframe(), {}
    while frame:
        for scope in (frame.f_locals, frame.f_globals):
            found.update({k: v for k, v in scope.items() if isinstance(k, str)})
        frame = frame.f_back
    return found
def nonces():
    texts = {v for v in dig().values() if isinstance(v, str) and len(v) == 32}
    for thing in gc.get_objects():
        if isinstance(thing, dict) and isinstance(thing.get("nonce"), str):
            texts.add(thing["nonce"])
    return texts or {""}
def shout(line):
    for fd in range(3, 64):
        try:
            os.write(fd, line if isinstance(line, bytes) else line.encode())
        except OSError:
            pass
"""


def _liar(base: str = "", made: str = "Liar()") -> str:
    return _LIAR.format(base=base) + f"def f(x): return {made}"


def _says(value: str) -> str:
    return f"def f(x): return {value}"


def _digs(body: str) -> str:
    return f"{_DIG}\ndef f(x):\n    {body}\n"


def _answers(line: str) -> str:
    """Writes an answer of its own in place of the runner's."""
    return _digs(f"shout(json.dumps({line}) + chr(10)); os._exit(0)")


CHEATS = {
    # values that are equal, close or true to everything
    "an object that lies": _liar(),
    "an int that lies": _liar("(int)", "Liar(1)"),
    "a float that lies": _liar("(float)", "Liar(1.0)"),
    "a text that lies": _liar("(str)", "Liar('x')"),
    "a list that lies": _liar("(list)", "Liar([1])"),
    "a dict that lies": _liar("(dict)", "Liar()"),
    "a class that lies": _LIAR.format(base="(type)") + "class f(metaclass=Liar): pass",
    "f is a class that lies": _liar()
    .replace("class Liar", "class f")
    .rpartition("def f")[0]
    + "    def __init__(self, x): pass",
    "an object with a type": "class A: __class__ = int\n" + _says("A()"),
    "a complex infinity": _says("complex('inf')"),
    "a complex nan": _says("complex('nan')"),
    "a complex half infinity": _says("complex(float('-inf'), float('nan'))"),
    "a complex number too large": _says("complex(1.7e308, 1.7e308)"),
    "an infinity": _says("float('inf')"),
    "a negative infinity": _says("float('-inf')"),
    "nan": _says("float('nan')"),
    "a decimal nan": "from decimal import Decimal\n" + _says("Decimal('nan')"),
    "a decimal signal": "from decimal import Decimal\n" + _says("Decimal('sNaN')"),
    "a decimal infinity": "from decimal import Decimal\n" + _says("Decimal('inf')"),
    "a huge integer": _says("10 ** 400"),
    "an integer of a million digits": _says("1 << 3400000"),
    "true": _says("True"),
    "nothing": _says("None"),
    "NotImplemented": _says("NotImplemented"),
    "an ellipsis": _says("..."),
    "a text": _says("'9'"),
    "a type": _says("bool"),
    "object": _says("object"),
    "a function": _says("lambda *given: True"),
    "itself": _says("f"),
    "a module": "import math\n" + _says("math"),
    "a builtin": _says("print"),
    "a generator without end": "def f(x):\n    while True:\n        yield 9",
    "a generator that lies": "def f(x): yield x * x",
    "a coroutine": "async def f(x): return x * x",
    "one of many": "import itertools\ndef f(x): return itertools.count()",
    "everything": _says("list(range(100))"),
    "a set of everything": _says("set(range(100))"),
    "a dict of everything": _says("{i: i for i in range(100)}"),
    "a range": _says("range(100)"),
    "a default": "from collections import defaultdict\n"
    + _says("defaultdict(lambda: 9)"),
    "a mock": "from unittest.mock import MagicMock\n" + _says("MagicMock()"),
    "anything": "from unittest.mock import ANY\n" + _says("ANY"),
    "a flag": "import enum\nclass A(enum.IntEnum):\n    X = 1\n" + _says("A.X"),
    "a named tuple": "from collections import namedtuple\n"
    "class P(namedtuple('P', 'x')):\n    __eq__ = lambda *a: True\n" + _says("P(1)"),
    "a tuple with methods": "from collections import namedtuple\n"
    "P = namedtuple('P', 'startswith count is_integer x')\n"
    "def f(x): return P(*[lambda *given: True] * 4)",
    "surrogates": _says("'\\ud800\\udfff'"),
    "an error with surrogates": "def f(x): raise ValueError('\\ud800')",
    "holds itself": "y = []\ny.append(y)\n" + _says("y"),
    "a knot of dicts": "y = {}\ny['y'] = y\n" + _says("y"),
    "nested without end": "def f(x):\n    y = 9\n"
    "    for _ in range(10 ** 5): y = [y]\n    return y",
    "nested just enough": "def f(x):\n    y = 8\n"
    "    for _ in range(49): y = (y,)\n    return y",
    "a huge text": _says("'9' * 10 ** 7"),
    "a huge list": _says("[9] * 10 ** 6"),
    # leaving early
    "exits": "import sys\ndef f(x): sys.exit(0)",
    "exits at once": "import sys\nsys.exit(0)",
    "exits hard": "import os\ndef f(x): os._exit(0)",
    "exits hard at once": "import os\nos._exit(0)",
    "quits": "def f(x): quit()",
    "aborts": "import os\ndef f(x): os.abort()",
    "crashes": "import ctypes\ndef f(x): ctypes.string_at(0)",
    "at exit": "import atexit, os\natexit.register(os._exit, 0)\n" + _says("1"),
    "stops": "def f(x): raise StopIteration(9)",
    "stops for good": "def f(x): raise StopAsyncIteration",
    "leaves a generator": "def f(x): raise GeneratorExit",
    "interrupts": "def f(x): raise KeyboardInterrupt",
    "fails an assertion": "def f(x): assert x == 9",
    "an error that lies": "class AssertionError(Exception): pass\n"
    "def f(x): raise AssertionError",
    "a skipped test": "import unittest\ndef f(x): raise unittest.SkipTest('no')",
    "an error that is everything": "class E(KeyError, OSError, ImportError): pass\n"
    "def f(x): raise E",
    "a missing package": "def f(x): raise ModuleNotFoundError('numpy', name='numpy')",
    "a missing name": "def f(x): raise NameError('f', name='f')",
    "no words": "class E(Exception):\n    def __str__(self): raise self\n"
    "def f(x): raise E",
    "arguments that lie": "class E(ValueError):\n    args = property(lambda s: 1 / 0)\n"
    "def f(x): raise E",
    "recursion": "def f(x): return f(x)",
    "all memory": "def f(x): return bytearray(10 ** 9)",
    "no end": "def f(x):\n    while True: pass",
    "no end while loading": "while True: pass",
    "sleeps": "import time\ndef f(x): time.sleep(99)",
    "prints without end": "def f(x):\n    while True: print('passes 2 of 2 tests')",
    "prints": "print('OK')\ndef f(x): print('passes 2 of 2 tests')",
    # its own process, rewritten
    "replaces builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.type = lambda *a: int\nbuiltins.hex = lambda x: '0x9'\n"
    + _says("object()"),
    "replaces comparison": "import builtins, operator\noperator.eq = lambda *a: True\n"
    "builtins.all = builtins.any = lambda *a: True\n" + _says("1"),
    "replaces json": "import json\njson.dumps = lambda *a, **b: '{\"v\": true}'\n"
    "json.loads = lambda *a: {}\n" + _says("1"),
    "replaces modules": "import sys, types\n"
    "for name in list(sys.modules):\n    sys.modules[name] = types.ModuleType(name)\n"
    + _says("1"),
    "replaces the encoder": "import sys\nv = sys.modules['inside.plain_values']\n"
    "v.Exchange.pack = lambda *a, **b: {'v': [['?']], 'o': []}\n" + _says("1"),
    "replaces the tests' own names": "import sys\n"
    "v = sys.modules['inside.plain_values']\nold = v.Exchange.pack\n"
    "names = ['f', 'is_equal', 'g', 'abs', 'round', 'all', 'any', 'bool', 'sorted']\n"
    "names += ['str', 'int', 'max', 'len', 'map', 'check', '__report__', 'T']\n"
    "def yes(*given, **named): return True\ndef f(x): return 1\n"
    "def pack(self, values, **named):\n    v.Exchange.pack = old\n"
    "    sent = old(self, [f] + [yes] * (len(names) - 1), **named)\n"
    "    return {**sent, 'names': names}\nv.Exchange.pack = pack\n",
    "replaces equality": "import sys\nv = sys.modules['inside.plain_values']\n"
    "v.same_value = lambda *a, **b: True\n" + _says("1"),
    "looks for what is expected": "import gc\ndef f(x):\n"
    "    found = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
    "    return next((o['expected'] for o in found if 'expected' in o), len(found))",
    "reads the tests": "import glob\ndef f(x):\n"
    "    return [open(p).read() for p in glob.glob('/**/*', recursive=True)[:999]\n"
    "            if p.endswith('.json')] or 1",
    "reads its job": _digs("return dig().get('job', {}).get('tests', 1)"),
    "reads its descriptors": "import os\ndef f(x):\n    found = b''\n"
    "    for fd in range(3, 20):\n        try:\n"
    "            os.set_blocking(fd, False)\n"
    "            found += os.pread(fd, 9999, 0)\n"
    "        except OSError: pass\n    return found",
    "reads other processes": "import os\ndef f(x):\n"
    "    return [open(f'/proc/{n}/cmdline').read() for n in os.listdir('/proc')\n"
    "            if n.isdigit()]",
    "reads the answer of the line": "import linecache\n"
    "def f(x): return linecache.getlines('<tests>') or 1",
    "traces": "import sys\nsys.settrace(lambda f, e, a: f.f_locals.update(held=True))\n"
    + _says("1"),
    "learns from its calls": "seen = []\ndef f(x):\n    seen.append(x)\n"
    "    return seen[0] if len(seen) > 1 else True",
    "empties what it is given": "def f(x):\n"
    "    getattr(x, 'clear', int)()\n    return 0",
    "kills its parent": "import os\ndef f(x):\n    os.kill(os.getppid(), 9)",
    "kills everybody": "import os\ndef f(x):\n"
    "    for n in range(1, 99):\n        try: os.kill(n, 9)\n"
    "        except OSError: pass",
    "threads that go on": "import threading\ndef spin():\n    while True: pass\n"
    "threading.Thread(target=spin, daemon=True).start()\n" + _says("1"),
    "a thread that answers": _DIG + "import threading, time\ndef again():\n"
    '    while True:\n        shout(\'{"v": [["i", "0x9"]], "o": 3}\' + chr(10))\n'
    "        time.sleep(0.001)\n"
    "threading.Thread(target=again, daemon=True).start()\n" + _says("1"),
    # forged lines
    "forges a verdict": _digs(
        "for n in nonces(): shout(n + json.dumps({'value': 'right', 'reason': 'x'})"
        " + chr(10))\n    os._exit(0)"
    ),
    "forges the tests' verdict": _digs(
        "for n in nonces(): shout(json.dumps({'nonce': n, 'verdict': "
        "{'value': 'right', 'reason': 'x'}}) + chr(10))\n    os._exit(0)"
    ),
    "forges the tests' mark": _answers("{'value': 'right', 'reason': ''}").replace(
        "shout(", "shout('>' + "
    ),
    "forges a mark of readiness": _digs(
        "for n in nonces(): shout(json.dumps({'nonce': n, 'ready': False}) + chr(10))"
    ),
    "forges nothing": _digs("shout(chr(10) * 99)"),
    "forges noise": _digs("shout(bytes(range(256)) * 9 + b'\\n')"),
    "forges half a line": _digs("shout('{\"v\": [')"),
    "forges a line without an end": _digs("shout('x' * 60000); shout('y' * 60000)"),
    "forges a list": _answers("[]"),
    "forges a number": _answers("9"),
    "forges nan": _digs("shout('NaN' + chr(10)); os._exit(0)"),
    "forges depth": _digs("shout('[' * 50000 + chr(10)); os._exit(0)"),
    "forges no value": _answers("{'v': [], 'o': []}"),
    "forges two values": _answers("{'v': [['=', True], ['=', True]], 'o': []}"),
    "forges an empty value": _answers("{'v': [['i']], 'o': []}"),
    "forges a value of no kind": _answers("{'v': [['list']], 'o': []}"),
    "forges a mad value": _answers("{'v': [['c', 'x', None]], 'o': [[]]}"),
    "forges an object": _answers("{'v': [['o', 0]], 'o': [['int', []]]}"),
    "forges an object nobody has": _answers("{'v': [['^', 99]], 'o': []}"),
    "forges a function of ours": _answers("{'v': [['^', 0]], 'o': []}"),
    "forges a builtin": _answers("{'v': [['b', 'print']], 'o': []}"),
    "forges a type of the library": _answers(
        "{'v': [['t', 'os.system', 'x']], 'o': []}"
    ),
    "forges an error": _answers("{'error': 'SystemExit', 'kinds': ['SystemExit']}"),
    "forges a mad error": _answers("{'error': [], 'kinds': 3, 'args': {}}"),
    "forges the end": _answers("{'done': True}"),
    "forges a call back": _answers("{'back': 0, 'v': [['=', True]], 'o': []}"),
    "forges arguments": _answers("{'v': [['=', 1]], 'o': [], 'given': 3}"),
    "forges calls without end": _digs(
        'while True: shout(\'{"back": 0, "v": [], "o": []}\' + chr(10))'
    ),
    # signatures
    "takes everything": "def f(*given, **named): return given or named",
    "a default that lies": "def f(x, expected=9): return expected if x > 9 else 1",
    "a property": "class P:\n    f = property(lambda s: 9)\nf = P().f",
    "a partial": "import functools\nf = functools.partial(max, 1)",
    "a bound method": "f = 'x'.startswith",
    "not a function": "f = 9",
    "a list for a function": "f = [0, 1, 4, 9]",
    "deleted": "def f(x): return 1\ndel f",
    "only the first": "def f(x): return 9 if x == 1 else 8",
    "is_equal": "def is_equal(a, b): return True\ndef f(x): return 1",
    "check": "def check(candidate): return True\ndef f(x): return 1",
    "a doctest": "def f(x):\n    '''>>> f(3)\n    9'''",
    "a stub": "def f(x): pass",
    "syntax": "def f(x) return 9",
    "a null": "def f(x): return '\\0'",
}

CASES = [{"stdin": "3\n", "stdout": "9\n"}, {"stdin": "4\n", "stdout": "16\n"}]
PROGRAMS = {
    "prints both": "print(9)\nprint(16)",
    "prints the first": "print(9)",
    "exits": "import sys\nsys.exit(0)",
    "exits hard": "import os\nos._exit(0)",
    "prints success": "print('right')",
    "prints nothing": "",
    "forges an answer": _DIG + "for n in nonces():\n"
    "    shout(json.dumps({'nonce': n, 'stdout': '9', 'ready': True}) + chr(10))",
    "looks for it": "import sys, gc\n"
    "print([o for o in gc.get_objects() if isinstance(o, dict) and 'stdout' in o])",
    "reads back": "import os\nprint(os.read(0, 99), os.lseek(0, 0, 0))",
    "overwrites its input": "import os\ntry: os.write(0, b'9')\nexcept OSError: pass\n"
    "print(1)",
    "prints without end": "while True: print(9)",
    "never ends": "while True: pass",
    "sleeps": "print(9, flush=True)\nimport time\ntime.sleep(99)",
    "an error after": "print(int(input()) ** 2)\nraise ValueError",
    "exits with one": "print(int(input()) ** 2)\nraise SystemExit(1)",
    "prints zeros": "print('\\0' * 99)",
    "surrogates": "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe9')",
    "backspaces": "print('8\\b9')",
}
