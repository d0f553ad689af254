"""Of 1,000 answers that are almost right, not one is accepted, by no verifier."""

from __future__ import annotations

import ast
import itertools
import json
from itertools import islice

import pytest

from phi_kit import domains, verifiers
from phi_kit.core.rng import rng
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.sandbox.inside.plain_values import same_value
from phi_kit.sandbox.sandbox import Limits, Program, run_program
from phi_kit.verifiers.code import verifier

from . import perturbations, puzzle_checkers
from .cases import scripted_judge

N = 1000
FEW = 100  # of what needs a process of its own, in the everyday tier
DRESS = [
    perturbations.FORMATS[name] for name in ("bare", "box", "mark", "sentence", "bold")
]
NOUNS = ("apple", "carbon", "blue whale", "Monday", "prime number", "Lake Victoria")


def drawn(domain, *names):
    """Items of these families in turn, without end; of all if none is named."""
    kit = domains.get(domain)
    families = [f for f in kit.families if f.name in names or not names]
    streams = [
        generate_items(domain, f, rng_seed=7, split="near misses") for f in families
    ]
    for row in zip(*streams, strict=False):
        yield from row


def item(gold, extra=None):
    return Seed("test", "", gold, extra=json.dumps(extra or {}))


def golds():
    draw = rng(7, "golds")
    while True:
        size = int(draw.integers(1, 7))
        whole = str(int(draw.integers(2, 10**size)))
        yield whole if draw.random() < 0.7 else f"{whole}.{draw.integers(1, 100):02d}"


def wrong_numbers(name):
    for gold in golds():
        for index, miss in enumerate(perturbations.numbers(gold, name)):
            yield item(gold), DRESS[index % len(DRESS)](miss)


def structures(draw):
    """Intervals, tuples, sets, equations and fractions, each with a neighbour."""
    a, b = sorted(int(n) for n in draw.choice(range(2, 400), 2, replace=False))
    yield f"({a}, {b}]", f"[{a}, {b}]"
    yield f"({a}, {b}]", f"({a}, {b + 1}]"
    yield f"({a}, {b})", f"({b}, {a})"
    yield f"\\{{{a}, {b}\\}}", f"\\{{{a}, {b + 1}\\}}"
    yield f"\\{{{a}, {b}\\}}", f"\\{{{a}\\}}"
    yield f"x = {a}", f"x = {b}"
    yield f"x = {a}", f"y = {a}"
    yield f"\\frac{{{a}}}{{{b + 1}}}", f"\\frac{{{a}}}{{{b + 2}}}"
    yield f"{a} cm", f"{a} m"
    yield f"\\pm {a}", f"{a}"
    yield f"{a}:{b}", f"{b}:{a}"
    yield f"\\frac{{1}}{{2^{{{b}}}}}", f"\\frac{{1}}{{2^{{{b + 1}}}}}"


def wrong_maths():
    draw, numbers = rng(7, "structures"), wrong_numbers("math")
    while True:
        for gold, miss in structures(draw):
            yield item(gold), rf"So \boxed{{{miss}}}."
            yield next(numbers)


def wrong_texts():
    draw = rng(7, "texts")
    letters = "abcdefghijklmnopqrstuvwxyz"
    while True:
        word = "".join(letters[i] for i in draw.integers(0, 26, 7))
        for gold in (word, NOUNS[draw.integers(len(NOUNS))]):
            for index, miss in enumerate(perturbations.texts(gold)):
                yield item(gold), DRESS[index % len(DRESS)](miss)


def wrong_letters():
    draw = rng(7, "letters")
    while True:
        letters = "ABCDEFGHIJ"[: draw.integers(3, 11)]
        extra = {"choices": {x: f"{draw.integers(1000)} {x.lower()}x" for x in letters}}
        gold = letters[draw.integers(len(letters))]
        for miss in perturbations.letters(gold, extra):
            yield item(gold, extra), miss
        for word in ("yes", "No", "True", "false"):
            for miss in perturbations.words(word):
                yield item(word), miss


def wrong_quantities():
    names = ("speed", "distance", "convert-1", "convert-2", "ohm", "density", "energy")
    for seed in drawn("stem", *names):
        for index, miss in enumerate(perturbations.quantities(seed.answer)):
            yield seed, DRESS[index % len(DRESS)](miss)


def wrong_stances():
    helped, refused = ({"should_refuse": wanted} for wanted in (True, False))
    for pair in zip(perturbations.helps(), perturbations.refusals(), strict=True):
        yield item("", helped), pair[0]
        yield item("", refused), pair[1]


def wrong_replies():
    """A judge that says no, and replies that are almost a yes."""
    yes = {"met": {"agrees": True, "commits": True}, "reason": "the same"}
    for number in itertools.count():
        no = yes | {"met": {"agrees": number % 2 > 0, "commits": number % 3 == 0}}
        told = [] if all(no["met"].values()) else [json.dumps(no)]
        for reply in (
            *told,
            *perturbations.replies(json.dumps(yes | {"reason": f"{number}"})),
        ):
            yield item("8", {"replies": [reply]}), f"It is eight, says {number}."


def countdowns():
    """Sums that miss the target, leave a number out, add one or use one twice."""
    draw = rng(7, "countdown")
    while True:
        a, b, c = (int(n) for n in draw.choice(range(2, 60), 3, replace=False))
        gold = f"{a}*{b} + {c}"
        meta = {"numbers": [a, b, c], "target": a * b + c}
        entry = {"question": "", "answer": gold, "metadata": meta}
        misses = (
            f"{a}*{b} - {c}", f"{a}*{c} + {b}", f"{a}*{b}", f"{a * b} + {c}",
            f"{gold} + 0", f"{gold} + {c} - {c}", str(a * b + c), f"{gold} = {a * b}",
            f"{a}*{b} + {c} or {a} + {b}", f"({gold})*1", f"{a}**{b} + {c}",
        )  # fmt: skip
        for miss in misses:
            yield item(gold, {"task": "countdown", "entry": entry}), miss


def almost_solved():
    """Every puzzle family of the kit, an answer changed; some still solve it."""
    for seed in drawn("puzzles"):
        if "entry" in seed.facts:
            misses = perturbations.solutions(seed.answer, seed.id)
        elif seed.answer.isdecimal():
            misses = perturbations.numbers(seed.answer, seed.id)
        elif "words" in seed.facts:
            misses = perturbations.spelled(seed.answer)
        else:
            misses = perturbations.words(seed.answer)
        for miss in islice(misses, 8):
            yield seed, miss


def wrong_prints():
    names = ("print-value", "print-expression", "print-variables", "print-loop")
    dress = itertools.cycle(("{}", "```\n{}\n```", "Output: {}", "It prints {}"))
    for seed in drawn("coding", *names):
        for miss in perturbations.printed(seed.answer):
            if verifier.comparable_lines(miss) != verifier.comparable_lines(
                seed.answer
            ):
                yield seed, next(dress).format(miss)


MAKERS = {
    "numeric": lambda: wrong_numbers("numeric"),
    "math": wrong_maths,
    "exact": wrong_texts,
    "choice": wrong_letters,
    "puzzle": countdowns,
    "quantity": wrong_quantities,
    "refusal": wrong_stances,
    "code": wrong_prints,
}


@pytest.mark.parametrize("name", MAKERS)
def test_none_is_accepted(name):
    check, seen = verifiers.get(name), 0
    for seed, response in islice(MAKERS[name](), N):
        verdict = check(seed, response)
        assert verdict.value == "wrong", (seed, response, verdict)
        seen += 1
    assert seen == N


def test_no_wrong_or_broken_reply_of_a_judge_is_a_yes():
    seen = set()
    for seed, response in islice(wrong_replies(), N):
        verdict = scripted_judge(seed, response)
        assert not verdict.right, (seed.extra, verdict)
        seen.add(verdict.value)
    assert seen == {"wrong", "unknown"}


@pytest.mark.parametrize("n", [FEW, pytest.param(N, marks=pytest.mark.slow)])
def test_puzzles_of_all_families_are_judged_as_their_constraints_say(n):
    check, wrong, families = domains.get("puzzles").verifier, 0, set()
    for seed, response in almost_solved():
        facts = seed.facts
        solves = "entry" in facts and puzzle_checkers.is_solution(
            facts["task"], facts["entry"], response
        )
        verdict = check(seed, response)
        assert verdict.right is bool(solves), (seed, response, verdict)
        wrong += not solves
        families.add(seed.family)
        if wrong == n:
            break
    assert len(families) >= min(16, n // 8)


# Runs sources and calls into them one after the other, in one process; a
# program has standard input and output of its own.
STAGE = """
import contextlib, io, json, sys
def stage(source, stdin):
    out, sys.stdin = io.StringIO(), io.StringIO(stdin)
    with contextlib.redirect_stdout(out):
        exec(source, {"__name__": "__main__"})
    return out.getvalue()
def tried(call, space):
    try:
        return repr(eval(call, space))
    except BaseException:
        return None
found = []
for source, calls in json.load(sys.stdin):
    space = {"stage": stage}
    exec(source, space)
    found.append([tried(call, space) for call in calls])
print(json.dumps(found))
"""


def batch(asked):
    """What calls give that are made in one sandbox: one list per source."""
    done = run_program(Program(STAGE, stdin=json.dumps(asked)), Limits(memory=512))
    found = json.loads(done.stdout)
    assert [len(calls) for _, calls in asked] == [len(one) for one in found]
    return [[None if x is None else ast.literal_eval(x) for x in one] for one in found]


def wrong_functions(n):
    seeds = drawn("coding", "write-line", "write-list")
    for one in islice(seeds, n):
        tests = [ast.parse(test).body[0].test for test in one.facts["tests"]]
        calls = [ast.unparse(test.left) for test in tests]
        wanted = [ast.literal_eval(test.comparators[0]) for test in tests]
        for miss in perturbations.functions(one.answer):
            yield miss, calls, wanted


@pytest.mark.parametrize("n", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_no_wrong_function_is_accepted(n):
    wrong = list(wrong_functions(n))
    assert len(wrong) >= 4 * n
    for start in range(0, len(wrong), 200):
        part = wrong[start : start + 200]
        found = batch([(source, calls) for source, calls, _ in part])
        for (source, _, wanted), values in zip(part, found, strict=True):
            pairs = zip(wanted, values, strict=True)
            assert not all(same_value(a, b, loosely=True) for a, b in pairs), source


@pytest.mark.parametrize("n", [10, pytest.param(80, marks=pytest.mark.slow)])
def test_no_wrong_program_is_accepted(n):
    wrong = [
        (seed, miss)
        for seed in islice(drawn("coding", "write-program"), n)
        for miss in perturbations.programs(seed.answer)
    ]
    assert len(wrong) >= 6 * n
    calls = [
        [f"stage({miss!r}, {case['stdin']!r})" for case in seed.facts["cases"]]
        for seed, miss in wrong
    ]
    found = batch([("", one) for one in calls])
    for (seed, miss), texts in zip(wrong, found, strict=True):
        passed = [
            text is not None and text.split() == case["stdout"].split()
            for case, text in zip(seed.facts["cases"], texts, strict=True)
        ]
        assert not all(passed), (seed, miss)


@pytest.mark.parametrize("n", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_nor_by_the_verifier_itself(n):
    names = ("write-line", "write-list", "write-program")
    for seed in islice(drawn("coding", *names), n):
        make = (
            perturbations.programs if "cases" in seed.facts else perturbations.functions
        )
        miss = list(make(seed.answer))[rng(1, seed.id).integers(4)]
        verdict = verifier.verify(seed, f"```python\n{miss}\n```")
        assert (verdict.value, verdict.lenient) == ("wrong", "wrong"), (miss, verdict)


def test_the_golds_themselves_are_right_in_every_dress():
    for gold in islice(golds(), 200):
        for name in ("numeric", "math"):
            for how, dress in perturbations.FORMATS.items():
                verdict = verifiers.get(name)(item(gold), dress(gold))
                assert verdict.right, (gold, how, verdict)
