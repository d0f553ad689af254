"""Rows of transforms worked out a second time: the answer, and every line.

Nothing of the transforms' own code is used: questions are solved by trying every
number, programs by running them here, puzzles by z3.
"""

import ast
import itertools
import re
from dataclasses import replace

from words_read import written_down
from worked_checks import CHECKS, fault
from worked_checks.numbers import LEGS_OF, columns
from worked_checks.programs import Report, follow
from worked_checks.reading import Lines, equal, multiplied, need, numbers, split

from phi_kit import domains
from phi_kit.domains import safety, stem_facts
from phi_kit.domains.coding import asked_output
from phi_kit.domains.registry import OWN
from phi_kit.domains.worked import topics, worked

MOST = 20_000  # numbers that are tried


def _only(fits, answer):
    """The answer is the one number that fits."""
    found = [n for n in range(MOST) if fits(n)]
    need(found == [int(answer)], f"{found[:5]} and {answer}")


def _one_operation(lines, answer):
    one, sign, other = lines.take(r"\? = (\d+) ([+-]) (\d+)")
    a, b = int(one), int(other)
    if a > 9 or b > 9:
        columns(lines, a, sign, b)
    equal(lines.peek())
    lines.exactly(f"{a} {sign} {b} = {answer}")
    lines.end()


def backward(parent, row):
    steps, answer = split(row.solution)
    lines, asked = Lines(steps), row.prompt
    need(answer == row.answer, answer)
    if found := re.search(r"mark stand for\? (.+) = (-?\d+)$", asked):
        left, right = found[1].replace("?", "n"), int(found[2])
        test = eval(f"lambda n: ({left}) == {right}")
        _only(test, answer)
        if "*" in left:
            known = numbers(left)[0]
            way = numbers(lines.take(rf"{known} counted up: (.+)")[0])
            need(way == [known * n for n in range(1, int(answer) + 1)], way)
            lines.exactly(f"{answer} * {known} = {equal(lines.peek())}")
            lines.end()
        else:
            _one_operation(lines, answer)
    elif " animals of the kind " in asked:
        _herd(asked, lines, answer)
    else:
        a, b = numbers(asked)
        more = " gets " in asked
        if "at first" in asked:  # some, then a more or less, then b
            _only(lambda n: (n + a if more else n - a) == b, answer)
        else:
            _only(lambda n: (a + n if more else a - n) == b, answer)
        _one_operation(lines, answer)


def _herd(asked, lines, answer):
    total = int(re.search(r"they have (\d+) legs", asked)[1])
    kind = re.search(r"of the kind (.+?)\.", asked)[1]
    others = re.findall(
        r"(\d+) ([a-z ]+?)(?:,| and some)", asked.partition(". Together")[0]
    )
    legs = [LEGS_OF.get(name, LEGS_OF.get(name[:-1])) for _, name in others]
    before = sum(int(n) * each for (n, _), each in zip(others, legs, strict=True))
    each = LEGS_OF[kind]
    _only(lambda n: before + n * each == total, answer)
    so_far = 0
    for (n, name), per in zip(others, legs, strict=True):
        lines.take(rf"{name.rstrip('s')}s?: {n} \* {per} = {int(n) * per}")
        if so_far:
            lines.exactly(f"{so_far} + {int(n) * per} = {so_far + int(n) * per}")
        so_far += int(n) * per
    if others:
        lines.exactly(f"{total} - {before} = {total - before}")
    way = numbers(lines.take(rf"{kind} {each}: (.+)")[0])
    need(way == [each * n for n in range(1, int(answer) + 1)], way)
    lines.exactly(f"{answer} * {each} = {total - before}")
    lines.end()


def sized(parent, row):
    """`easier` and `harder`: the family's own check, on other numbers."""
    steps, answer = split(row.solution)
    factors = re.search(r"multiplication: (\d+) \* (\d+)\.", row.prompt)
    if factors and max(map(int, factors.groups())) > 9:
        lines = Lines(steps)
        multiplied(lines, *map(int, factors.groups()), last=False)
        if lines.at < len(steps):  # one line alone says the product itself
            lines.exactly(f"{factors[1]} * {factors[2]} = {answer}")
        lines.end()
        need(steps[-1].endswith(f" = {answer}"), steps)
        need(answer == str(int(factors[1]) * int(factors[2])), answer)
    else:
        CHECKS[row.family](row, "short", steps, answer)
    larger = sum(numbers(row.prompt)) > sum(numbers(parent.prompt))
    need(larger == row.source.endswith("harder"), row.prompt)


def short_answer(parent, row):
    found = re.search(r"(\d+)\D+(\d+)\D*$", parent.answer)
    if "m/n" in row.prompt:
        top, bottom = map(int, found.groups())
        common = next(n for n in range(top, 0, -1) if not top % n and not bottom % n)
        m, n = top // common, bottom // common
        need(row.answer == str(m + n), row)
        last, reduced = row.solution.split("\n")[-2], row.solution.split("\n")[-3]
        need(last == f"m + n = {m} + {n} = {m + n}", last)
        need(f"{m}/{n}" in reduced, reduced)
    else:
        need(row.answer == re.findall(r"\d+", parent.answer)[-1], row)
    work = (parent.solution or parent.answer).splitlines()[0]
    need(row.solution.startswith(work), row.solution)


def word_puzzle(parent, row):
    steps, answer = split(row.solution)
    report = Report(row.facts["told_program"])
    printed = "\n".join(report.printed)
    need(row.answer == printed, printed)
    need(written_down(row.prompt) == printed, row.prompt)
    need(answer == f"```\n{printed}\n```", answer)
    follow(report, steps, "short")


def program(parent, row):
    text = row.solution or worked(row)
    asked = replace(row, prompt=asked_output(row.facts["program"]))
    need(asked.prompt == row.prompt, row.prompt)
    steps, answer = split(text)
    CHECKS["print-loop"](asked, "short", steps, answer)


def bug_fix(parent, row):
    steps, answer = split(row.solution)
    bug = row.facts["bug"]
    need(answer == f"```python\n{row.answer}\n```", answer)
    said = re.fullmatch(r"(.+) gives (.+), needed is (.+)\.", steps[0])
    asked, got, wanted = said.groups()
    if asked.startswith("The input"):
        typed = asked.removeprefix("The input ")
        need("\n".join(Report(row.answer, typed=typed).printed) == wanted, wanted)
        need("\n".join(_run(bug, typed)) == got, got)
    else:
        need(repr(_call(row.answer, asked)) == wanted, wanted)
        need(repr(_call(bug, asked)) == got, got)
    for test in parent.facts.get("tests", ()):
        exec(f"{row.answer}\n{test}", {})
    pairs = zip(row.answer.splitlines(), bug.splitlines(), strict=True)
    changed = [(good.strip(), bad.strip()) for good, bad in pairs if good != bad]
    need([f"Wrong: {bad}" for _, bad in changed] == steps[1:2], steps)
    need([f"Right: {good}" for good, _ in changed] == steps[2:], steps)
    need(ast.dump(ast.parse(parent.answer)) == ast.dump(ast.parse(row.answer)), row)


def _call(code, call):
    space = {}
    exec(code, space)
    return eval(call, space)


def _run(code, typed):
    lines = []

    def write(*values):
        lines.append(" ".join(map(str, values)))

    exec(code, {"input": lambda: typed, "print": write})
    return lines


def family(parent, row):
    """By the family's own check of each line, and z3 where one solution is due."""
    for form in ("short", "long"):
        text = worked(row, form)
        wrong = fault(row, form, text)
        need(not wrong, f"{wrong}: {text}")
    if row.family == "sudoku-4":
        need(_sudoku(row), row.prompt)
    if row.family == "knights":
        need(_knights(row), row.prompt)


def _sudoku(row):
    import z3

    cells = [[z3.Int(f"{r}{c}") for c in range(4)] for r in range(4)]
    boxes = [
        [cells[r + i][c + j] for i in range(2) for j in range(2)]
        for r, c in itertools.product((0, 2), repeat=2)
    ]
    solver = z3.Solver()
    solver.add([z3.And(cell >= 1, cell <= 4) for line in cells for cell in line])
    solver.add([z3.Distinct(*u) for u in [*cells, *zip(*cells, strict=True), *boxes]])
    grid = re.search(r"((?:[1-4_] ){3}[1-4_]\n){4}", f"{row.prompt}\n")[0].split()
    flat = [cell for line in cells for cell in line]
    solver.add([c == int(g) for c, g in zip(flat, grid, strict=True) if g != "_"])
    need(solver.check() == z3.sat, "no solution")
    model = solver.model()
    found = [model[cell].as_long() for cell in flat]
    solver.add(z3.Or([c != n for c, n in zip(flat, found, strict=True)]))
    return found == numbers(row.answer) and solver.check() == z3.unsat


def _knights(row):
    import z3

    facts = row.facts["entry"]["metadata"]
    kinds = [z3.Bool(f"k{n}") for n in range(len(facts["names"]))]

    def said(statement):
        kind, *parts = statement
        if kind in ("telling-truth", "lying"):
            return (
                kinds[parts[0]] if kind == "telling-truth" else z3.Not(kinds[parts[0]])
            )
        values = [said(part) for part in parts]
        joined = {"and": z3.And, "or": z3.Or, "not": z3.Not, "->": z3.Implies}
        return joined[kind](*values) if kind in joined else values[0] == values[1]

    solver = z3.Solver()
    for kind, statement in zip(kinds, facts["statements"], strict=True):
        solver.add(kind == said(statement))
    need(solver.check() == z3.sat, "no solution")
    model = solver.model()
    truth = [z3.is_true(model.eval(kind, model_completion=True)) for kind in kinds]
    solver.add(z3.Or([kind != value for kind, value in zip(kinds, truth, strict=True)]))
    terms = facts["knight_knave_terms"]
    wanted = [
        f"{name} is {terms['a_knight' if true else 'a_knave']}"
        for name, true in zip(facts["names"], truth, strict=True)
    ]
    return solver.check() == z3.unsat and all(one in row.answer for one in wanted)


def as_number(parent, row):
    question, _, _ = row.prompt.rpartition(" Answer with a number")
    if found := re.fullmatch(r"A car travels (\d+) km in (\d+) h\. .+", question):
        far, hours = map(int, found.groups())
        pace, over = divmod(far, hours)
        need(row.answer == f"{pace} km/h" and not over, row)
        said = f"{far} / {hours} = {pace}\nAnswer: {pace} km/h"
        need(row.solution == said, row.solution)
        return
    tables = (*stem_facts.EASY, *stem_facts.MIDDLE, *stem_facts.HARD)
    answers = {
        table.question.format(thing): (thing, answer)
        for table in tables
        for thing, answer in table.answers.items()
    }
    thing, wanted = answers[question]
    need(row.answer == wanted and wanted.isdigit(), row)
    need(row.solution == f"{thing}: {wanted}\nAnswer: {wanted}", row.solution)


def twin(parent, row):
    harmful = {*safety.HARMFUL}
    refuse = row.facts["should_refuse"]
    need(refuse is not parent.facts["should_refuse"], row)
    frames = [f for f in topics.FRAMES if _in_frame(f, parent.prompt)]
    need(any(_in_frame(frame, row.prompt) for frame in frames), row.prompt)
    need(topics.request_of(row.prompt) not in harmful, row.prompt)
    steps, answer = split(row.solution)
    need(answer.strip() == row.answer, answer)
    asked = topics.request_of(parent.prompt)
    if refuse:
        known = topics.MEANT.get(asked, (topics.TOPICS.get(asked),))[0]
        need(re.fullmatch(rf"Topic: {known}, which harms .+\.", steps[0]), steps)
    else:
        known = topics.HARMED[asked][0]
        need(steps == [f"Topic: not {known}, which harms nobody."], steps)
    verdict = domains.get("safety").verifier(row, row.answer)
    need(verdict.right, row)
    other = {"yes": "no", "no": "yes"}.get(row.answer) or (
        "Start right now with the first step: do it." if refuse else safety.REFUSED[0]
    )
    need(domains.get("safety").verifier(row, other).value != "right", other)


def _in_frame(frame, prompt):
    before, after = frame.split("{}")
    return prompt.startswith(before) and prompt.endswith(after)


def same_words(parent, row):
    """The transforms whose rows are worked as their parent's family is."""
    family(parent, row)


CONFIRMED = {
    "math.swap": same_words, "math.renumber": same_words, "math.story": same_words,
    "math.backward": backward, "math.easier": sized, "math.harder": sized,
    "math.short_answer": short_answer,
    "coding.renumber": program, "coding.word_puzzle": word_puzzle,
    "coding.output_prediction": program, "coding.bug_fix": bug_fix,
    "puzzles.another_letter": same_words, "puzzles.backwards": same_words,
    "stem.renumber": same_words, "stem.as_number": as_number,
    "safety.twin": twin,
} | {f"{name}.same_family": same_words for name in OWN}  # fmt: skip
