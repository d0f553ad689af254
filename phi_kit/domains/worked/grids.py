"""Boards, towers and target numbers: solutions that can be followed move by move."""

from __future__ import annotations

import ast
import re
from fractions import Fraction

from phi_kit.data.records import Seed

from .text import Form, Work, solution

_MOVE = re.compile(r"Move disk (\d+) from Peg (\d+) to Peg (\d+)")
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_SIDE, _BOX = 4, 2
_SHOWN = 31  # moves: five disks on three pegs


def countdown(seed: Seed, form: Form) -> str | None:
    """The expression, one operation a line; how it was found is not shown.

    A search has no short path; the item's own expression is worked out.
    """
    try:
        tree = ast.parse(seed.answer, mode="eval").body
    except SyntaxError:
        return None
    found = re.search(
        r"(?:make|Calculate|equals?|get|target(?: number)?) (\d+)", seed.prompt
    )
    lines: list[str] = []
    value = _worked_out(tree, lines)
    if value is None or found is None or value != int(found[1]):
        return None
    if form == "long":
        used = re.findall(r"\d+", seed.answer)
        lines.insert(0, f"Use {', '.join(used)} to reach {found[1]}.")
    return solution(seed, lines, seed.answer)


def _worked_out(node: ast.expr, lines: list[str]) -> Fraction | None:
    """The value of an expression; its operations become lines, the inner ones first."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return Fraction(node.value)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _SIGNS:
        return None
    left = _worked_out(node.left, lines)
    right = _worked_out(node.right, lines)
    if left is None or right is None or (isinstance(node.op, ast.Div) and not right):
        return None
    sign = _SIGNS[type(node.op)]
    value = {"+": left + right, "-": left - right, "*": left * right}.get(sign)
    if value is None:
        value = left / right
    if value.denominator != 1:
        return None
    lines.append(f"{left} {sign} {right} = {value}")
    return value


def _grid(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def sudoku(seed: Seed, form: Form) -> str | None:
    """One cell at a time: the number that is missing, or the only place for it."""
    found = re.search(r"((?:[1-4_] ){3}[1-4_]\n){4}", f"{seed.prompt}\n")
    if not found:
        return None
    board = _grid(found[0])
    lines = []
    while any("_" in row for row in board):
        step = _single(board)
        if step is None:
            return None
        row, column, number, why = step
        board[row][column] = number
        lines.append(f"row {row + 1}, column {column + 1}: {why}: {number}")
        if form == "long":
            lines.append(" ".join(board[row]))
    return solution(seed, lines, "\n".join(" ".join(row) for row in board))


def _free(board: list[list[str]], row: int, column: int) -> set[str]:
    """The numbers that a cell's row, column and box leave for it."""
    top, left = row - row % _BOX, column - column % _BOX
    seen = set(board[row]) | {line[column] for line in board}
    seen |= {board[top + n // _BOX][left + n % _BOX] for n in range(_SIDE)}
    return set("1234") - seen


def _without(number: str) -> list[str]:
    return [other for other in "1234" if other != number]


def _single(board: list[list[str]]) -> tuple[int, int, str, str] | None:
    """The next cell that can be filled in: row, column, number and why."""
    cells = [(r, c) for r in range(_SIDE) for c in range(_SIDE) if board[r][c] == "_"]
    free = {cell: _free(board, *cell) for cell in cells}
    for (row, column), numbers in free.items():
        if len(numbers) == 1:
            number = next(iter(numbers))
            return row, column, number, f"{' '.join(_without(number))} seen"
    units = [("row", lambda r, c: r), ("column", lambda r, c: c)]
    units.append(("box", lambda r, c: r // _BOX * _BOX + c // _BOX))
    for name, unit in units:
        for place in range(_SIDE):
            within = [cell for cell in cells if unit(*cell) == place]
            for number in "1234":
                fitting = [cell for cell in within if number in free[cell]]
                if len(fitting) == 1:
                    return *fitting[0], number, f"only place in its {name}"
    return None


def queens(seed: Seed, form: Form) -> str | None:
    """The item's own board, shown to hold no two queens on one line.

    Equal columns, sums or differences of row and column would be an attack. How
    it was found is not shown.
    """
    board = _grid(seed.answer)
    columns = [row.index("Q") + 1 for row in board if row.count("Q") == 1]
    if len(columns) != len(board) or len(board) < 1:
        return None
    given = re.search(r"((?:^(?:[Q_] )+[Q_]$\n?){2,})", seed.prompt, re.MULTILINE)
    start = _grid(given[1]) if given else []
    if len(start) != len(board):
        return None
    lines = []
    for n, (row, column) in enumerate(zip(start, columns, strict=True), 1):
        told = "given" if "Q" in row else "new"
        if "Q" in row and row.index("Q") + 1 != column:
            return None
        lines.append(f"row {n}: column {column}, {told}")
    ups = [n + column for n, column in enumerate(columns, 1)]
    downs = [n - column for n, column in enumerate(columns, 1)]
    checks = {"columns": columns, "row + column": ups, "row - column": downs}
    if any(len(set(numbers)) < len(board) for numbers in checks.values()):
        return None
    for name, numbers in checks.items():
        lines.append(f"{name}: {' '.join(map(str, numbers))}, all different")
        if form == "long":
            lines.append(f"in order: {' '.join(map(str, sorted(numbers)))}")
    return solution(seed, lines, "\n".join(" ".join(row) for row in board))


def hanoi(seed: Seed, form: Form) -> str | None:
    """When each of the largest disks moves, and what stands where after that.

    In the long form after every move, if there are few.
    """
    facts = seed.facts.get("entry", {}).get("metadata", {})
    if not {"num_disks", "num_pegs", "start_peg", "target_peg"} <= facts.keys():
        return None
    disks, start, target = facts["num_disks"], facts["start_peg"], facts["target_peg"]
    pegs = {peg: [] for peg in range(1, facts["num_pegs"] + 1)}
    pegs[start] = list(range(disks, 0, -1))
    lines = []
    moves = seed.answer.splitlines()
    every = form == "long" and len(moves) <= _SHOWN
    for n, move in enumerate(moves, 1):
        found = _MOVE.fullmatch(move)
        if not found:
            return None
        disk, one, other = map(int, found.groups())
        if not pegs[one] or pegs[one][-1] != disk or (pegs[other] or [99])[-1] < disk:
            return None
        pegs[other].append(pegs[one].pop())
        if every or disk == disks or pegs[target] == [*range(disks, 0, -1)]:
            stands = "; ".join(
                f"peg {peg}: {' '.join(map(str, held)) or 'empty'}"
                for peg, held in pegs.items()
            )
            lines.append(f"move {n}, disk {disk} to peg {other}: {stands}")
    if pegs[target] != list(range(disks, 0, -1)):
        return None
    return solution(seed, lines, seed.answer)


FAMILIES: dict[str, Work] = {
    "countdown": countdown,
    "sudoku-4": sudoku,
    "queens": queens,
    "hanoi": hanoi,
}
