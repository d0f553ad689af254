"""Logic and boards: decided by trying everything."""

import itertools
import re
from collections import Counter
from functools import cache

from worked_checks.reading import Lines, equal, need, value

KINDS = ("All", "No", "Some", "Some not")


@cache
def _follows(premises, asked):
    """Whether no world makes the premises true and what is asked false.

    A world says which of the eight kinds of thing there are; at least one thing of
    each of the three names is there.
    """
    names = sorted({name for claim in (*premises, asked) for name in claim[1:]})
    things = [set(c) for n in range(4) for c in itertools.combinations(names, n)]
    for mask in range(2 ** len(things)):
        world = [one for n, one in enumerate(things) if mask >> n & 1]
        if not all(any(name in one for one in world) for name in names):
            continue
        if all(_true(claim, world) for claim in premises) and not _true(asked, world):
            return False
    return True


def _true(claim, world):
    kind, one, other = claim
    both = [other in thing for thing in world if one in thing]
    return {
        "All": all(both),
        "No": not any(both),
        "Some": any(both),
        "Some not": not all(both),
    }[kind]


def _claim(text):
    kind, one, no, other = re.fullmatch(
        r"(All|No|Some) (\w+) are (not )?(\w+)", text
    ).groups()
    return (kind + (" not" if no else ""), one, other)


def _renamed(claims):
    """The same claims about a, b and c: a handful of cases in all."""
    names = list(dict.fromkeys(name for claim in claims for name in claim[1:]))
    short = dict(zip(names, "abc", strict=False))
    return [(kind, short[one], short[other]) for kind, one, other in claims]


def syllogism(seed, form, steps, answer):
    lines, told = Lines(steps), seed.prompt.split("\n")
    texts = [told[1][3:], told[2][3:], told[5][:-1]]
    first, second, asked = map(_claim, texts)
    right = _follows(*_split([first, second, asked]))
    if form == "long":
        lines.exactly(f"1: {texts[0]}.")
        lines.exactly(f"2: {texts[1]}.")
    lines.exactly(f"Asked: {texts[2]}.")
    outer = {*first[1:], *second[1:]} - ({*first[1:]} & {*second[1:]})
    nothing = f"From 1 and 2 nothing follows about {first[1]} and {second[2]}."
    if lines.peek() == nothing:
        lines.exactly(nothing)
        need(set(asked[1:]) == outer, steps)
        for kind in KINDS:
            for pair in itertools.permutations((first[1], second[2])):
                need(not _follows(*_split([first, second, (kind, *pair)])), steps)
    else:
        which, known = lines.take(r"From (1|2|1 and 2): (.+)\.")
        known = _claim(known)
        need(set(known[1:]) == set(asked[1:]), known)
        sources = {"1": [first], "2": [second], "1 and 2": [first, second]}[which]
        need(_follows(*_split([*sources, known])), known)
        gives = "gives" if _follows(*_split([known, asked])) else "does not give"
        if form == "short":
            lines.exactly(f"That {gives} it.")
        else:
            way = "the same way" if known[1:] == asked[1:] else "turned round"
            lines.exactly(f"{known[0]}, {way}, {gives} {asked[0]}.")
        need((gives == "gives") == right, known)
    lines.end()
    need(answer == ("Yes" if right else "No"), answer)


def _split(claims):
    *premises, asked = _renamed(claims)
    return tuple(premises), asked


# Up to a parent, down to a child, across to a spouse: a path from one to the other.
TIES = {
    "D": ("parent", "father", "mother"), "U": ("child", "son", "daughter"),
    "S": ("spouse", "husband", "wife"), "UD": ("sibling", "brother", "sister"),
    "DD": ("grandparent", "grandfather", "grandmother"),
    "UDD": ("sibling of a parent", "uncle", "aunt"),
}  # fmt: skip


def family(seed, form, steps, answer):
    from reasoning_gym.graphs.family_relationships import FamilyRelationshipsConfig

    lines, edges, pair = Lines(steps), {}, ()
    for sentence in re.split(r"\.\s+", seed.prompt):
        if found := re.fullmatch(r"(\w+) is married to (\w+)", sentence):
            pair = found.groups()
            edges[pair[0], pair[1]] = edges[pair[1], pair[0]] = "S"
        elif found := re.fullmatch(r"They have .*? called (.+)", sentence):
            for child in re.split(r", | and ", found[1]):
                for parent in pair:
                    edges[parent, child], edges[child, parent] = "D", "U"
    one, other = re.search(r"is (\w+) (?:related )?to (\w+)\?", seed.prompt).groups()
    tie = TIES[_path(one, other, edges)]
    for born in iter(
        lambda: lines.maybe(r"(\w+) is a child of (\w+) and (\w+)\."), None
    ):
        need({edges.get((born[0], parent)) for parent in born[1:]} == {"U"}, born)
        need(born[1] != born[2], born)
    lines.maybe(rf"{one} is married to {other}\.")
    need(lines.at > 0, steps)
    if form == "long":
        lines.exactly(f"So {one} is a {tie[0]} of {other}.")
    male = one in FamilyRelationshipsConfig().male_names
    word = tie[1] if male else tie[2]
    lines.exactly(f"{one} is {'male' if male else 'female'}: {word}.")
    lines.end()
    need(answer == word, answer)


def _path(one, other, edges):
    """The shortest way from one to the other without in-laws, as letters."""
    ways = [(one, "")]
    for person, path in ways:
        if person == other and path:
            return path
        for (here, there), kind in edges.items():
            direct = kind != "S" or (not path and there == other)
            if here == person and direct and len(path) < 3:
                ways.append((there, path + kind))
    raise AssertionError((one, other))


def _python(statement):
    """A statement as Python source over the list `t` of who tells the truth."""
    kind, *parts = statement
    if kind == "telling-truth":
        return f"t[{parts[0]}]"
    if kind == "lying":
        return f"(not t[{parts[0]}])"
    told = [_python(part) for part in parts]
    if kind == "not":
        return f"(not {told[0]})"
    if kind in ("and", "or"):
        return "(" + f" {kind} ".join(told) + ")"
    return f"({told[0]} {'<=' if kind == '->' else '=='} {told[1]})"


def knights(seed, form, steps, answer):
    lines, facts = Lines(steps), seed.facts["entry"]["metadata"]
    names, terms = facts["names"], facts["knight_knave_terms"]
    right = []
    for case in itertools.product((True, False), repeat=len(names)):
        kinds = [terms["a_knight"] if true else terms["a_knave"] for true in case]
        who = ", ".join(f"{n} {k}" for n, k in zip(names, kinds, strict=True))
        told = lines.take(re.escape(who) + r": (.+)\.")[0].split("; ")
        holds = [eval(_python(s), {"t": case}) for s in facts["statements"]]
        fits = [a == b for a, b in zip(holds, case, strict=True)]
        shown = len(names)
        if form == "short" and False in fits:
            shown = fits.index(False) + 1
        need(len(told) == shown, told)
        for n, check in enumerate(told):
            claims = _claims(facts["statements"][n], case)
            truth = str(bool(holds[n])).lower()
            because = f"{claims}, so " if claims != truth else ""
            fit = "fits" if fits[n] else "no"
            need(check == f"{names[n]} says {because}{truth}, {fit}", check)
        if all(fits):
            right.append(", ".join(
                f"{'and ' * (n == len(names) - 1)}{name} is {kind}"
                for n, (name, kind) in enumerate(zip(names, kinds, strict=True))
            ))  # fmt: skip
    lines.end()
    need([f"{one}." for one in right] == [answer], answer)


def _claims(statement, case):
    """A statement with its claims replaced, from its Python source."""
    kind, *parts = statement
    if kind in ("telling-truth", "lying"):
        return str(bool(eval(_python(statement), {"t": case}))).lower()
    if kind == "not" and parts[0][0] in ("telling-truth", "lying"):
        return str(bool(eval(_python(statement), {"t": case}))).lower()
    told = [_claims(part, case) for part in parts]
    told = [f"({one})" if " " in one else one for one in told]
    return {
        "not": "not {}",
        "->": "if {} then {}",
        "<=>": "{} if and only if {}",
        "and": " and ".join(["{}"] * len(told)),
        "or": " or ".join(["{}"] * len(told)),
    }[kind].format(*told)


def self_reference(seed, form, steps, answer):
    lines = Lines(steps)
    a, b, c, d = (
        int(n) for n in re.findall(r"(?:least|most|Exactly) (\d)", seed.prompt)
    )

    def says(true):
        false = 7 - true
        third, fourth = true == c, false == d
        either = third + fourth == 1
        return [true >= a, false <= b, third, fourth, either,
                true in {2, 3, 5, 7}, false in {4, 6}]  # fmt: skip

    # All 128 ways to call the statements true or false.
    ways = itertools.product((True, False), repeat=7)
    solutions = [way for way in ways if says(sum(way)) == list(way)]
    found = 0
    for true in range(8):
        if form == "long":
            lines.exactly(f"If {true} are true, {7 - true} are false.")
        marks = " ".join("FT"[one] for one in says(true))
        hit = any(sum(way) == true for way in solutions)
        found += hit
        verdict = f"yes ({found})" if hit else "no"
        lines.exactly(f"{true} true: {marks}, {sum(says(true))} true: {verdict}")
    lines.end()
    need(answer == str(len(solutions)), answer)


def countdown(seed, form, steps, answer):
    lines, question = Lines(steps), seed.prompt.split("\n")[0]
    given = re.search(r"\d+(?:, \d+)+", question)[0]
    target = re.search(r"\d+", question.replace(given, ""))[0]
    used = re.findall(r"\d+", answer)
    need(Counter(used) == Counter(re.findall(r"\d+", given)), answer)
    need(value(answer) == int(target), answer)
    if form == "long":
        lines.exactly(f"Use {', '.join(used)} to reach {target}.")
    # Each number is used once, and so is each result; the last one is the target.
    pool = Counter(map(int, used))
    for _ in used[1:]:
        left, right, result = map(int, lines.take(r"(-?\d+) [-+*/] (-?\d+) = (-?\d+)"))
        need(equal(steps[lines.at - 1]) == result, steps)
        for one in (left, right):
            need(pool[one] > 0, steps)
            pool[one] -= 1
        pool[result] += 1
    lines.end()
    need(+pool == Counter([int(target)]), steps)


def sudoku(seed, form, steps, answer):
    lines = Lines(steps)
    given = re.findall(r"^(?:[1-4_] ){3}[1-4_]$", seed.prompt, re.MULTILINE)
    board = {
        (r, c): x for r, row in enumerate(given) for c, x in enumerate(row.split())
    }
    solved = _solutions(dict(board))
    need(len(solved) == 1, "one solution")
    units = {"row": lambda r, c: r, "column": lambda r, c: c}
    units["box"] = lambda r, c: (r // 2, c // 2)
    while "_" in board.values():
        row, column, why, number = lines.take(r"row (\d), column (\d): (.+): (\d)")
        cell = (int(row) - 1, int(column) - 1)
        need(board.get(cell) == "_" and solved[0][cell] == number, steps)
        if why.startswith("only place"):
            unit = units[re.fullmatch(r"only place in its (row|column|box)", why)[1]]
            for other in board:
                if (
                    other != cell
                    and board[other] == "_"
                    and unit(*other) == unit(*cell)
                ):
                    need(number in _seen(board, other), why)
        else:
            seen = re.fullmatch(r"(\d) (\d) (\d) seen", why)
            need(seen and set(seen.groups()) | {number} == set("1234"), why)
            need(list(seen.groups()) == sorted(seen.groups()), why)
            need(set(seen.groups()) == _seen(board, cell), why)
        board[cell] = number
        if form == "long":
            lines.exactly(" ".join(board[cell[0], n] for n in range(4)))
    lines.end()
    rows = [" ".join(board[r, c] for c in range(4)) for r in range(4)]
    need(answer == "\n".join(rows), answer)


def _seen(board, cell):
    r, c = cell
    return {
        x for (y, z), x in board.items()
        if x != "_" and (y == r or z == c or (y // 2, z // 2) == (r // 2, c // 2))
    }  # fmt: skip


def _solutions(board):
    """Every way to fill a board, by trying."""
    empty = next((cell for cell, x in board.items() if x == "_"), None)
    if empty is None:
        return [board]
    found = []
    for number in sorted(set("1234") - _seen(board, empty)):
        found += _solutions({**board, empty: number})
    return found


def queens(seed, form, steps, answer):
    lines = Lines(steps)
    start = re.findall(r"^[Q_](?: [Q_])+$", seed.prompt, re.MULTILINE)
    board = answer.split("\n")
    size = len(board)
    at = [(r, row.split().index("Q")) for r, row in enumerate(board)]
    for (r, c), (s, d) in itertools.combinations(at, 2):
        need(c != d and abs(r - s) != abs(c - d), answer)
    for (r, c), before, row in zip(at, start, board, strict=True):
        need(row == " ".join("Q" if n == c else "_" for n in range(size)), row)
        need("Q" not in before or before == row, row)
        told = "given" if "Q" in before else "new"
        lines.exactly(f"row {r + 1}: column {c + 1}, {told}")
    for name, sign in (("columns", 0), ("row + column", 1), ("row - column", -1)):
        said = [(c + 1) if not sign else (r + 1) + sign * (c + 1) for r, c in at]
        lines.exactly(f"{name}: {' '.join(map(str, said))}, all different")
        need(len(set(said)) == size, said)
        if form == "long":
            lines.exactly(f"in order: {' '.join(map(str, sorted(said)))}")
    lines.end()


def hanoi(seed, form, steps, answer):
    lines = Lines(steps)
    disks = int(re.search(r"(\d+) disks", seed.prompt)[1])
    count = int(re.search(r"(\d+) pegs", seed.prompt)[1])
    start, target = map(int, re.search(r"Peg (\d) to Peg (\d)", seed.prompt).groups())
    where = dict.fromkeys(range(1, disks + 1), start)  # the peg of each disk
    moves = answer.split("\n")
    for n, move in enumerate(moves, 1):
        found = re.fullmatch(r"Move disk (\d+) from Peg (\d+) to Peg (\d+)", move)
        need(found, move)
        disk, one, other = map(int, found.groups())
        need(where.get(disk) == one and 1 <= other <= count, move)
        smaller = [where[d] for d in range(1, disk)]
        need(one not in smaller and other not in smaller, move)
        where[disk] = other
        done = set(where.values()) == {target}
        if disk == disks or done or (form == "long" and len(moves) <= 31):
            stands = []
            for peg in range(1, count + 1):
                held = " ".join(str(d) for d in range(disks, 0, -1) if where[d] == peg)
                stands.append(f"peg {peg}: {held or 'empty'}")
            lines.exactly(f"move {n}, disk {disk} to peg {other}: {'; '.join(stands)}")
    lines.end()
    need(set(where.values()) == {target}, answer)


CHECKS = {
    "syllogism": syllogism, "family": family, "knights": knights,
    "self-reference": self_reference, "countdown": countdown, "sudoku-4": sudoku,
    "queens": queens, "hanoi": hanoi,
}  # fmt: skip
