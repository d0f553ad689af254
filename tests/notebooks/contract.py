"""What a committed notebook must be; `faults` says where one is not."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator

import nbformat

_PATHS = re.compile(r"(?<![\w.<>`])/(?:home|root|Users|tmp|var|work|mnt|opt)/|[A-Z]:\\")
_FORBIDDEN = re.compile(
    r"^\s*[!%]|\bsys\.(?:exit|path)\b|\bos\.chdir\b|(?<![\w.])input\(", re.MULTILINE
)
_ROW_OF_OTHERS = re.compile(r"^\| `([A-Z0-9_]+)` \| `(.+?)` \| \S", re.MULTILINE)
_ROWS = ("reads", "writes", "needs", "takes")
FIRST = 8  # parameters in the first cell, beside ADVANCED
CELL_LINES, MEDIAN_LINES, COLUMNS, DEF_LINES = 25, 6, 79, 12


def faults(notebook: dict) -> list[str]:
    """Every way in which a notebook breaks the contract."""
    return [
        *_file(notebook),
        *_state(notebook),
        *_parameters(notebook),
        *_code(notebook),
    ]


def parameters(notebook: dict) -> list[dict]:
    """The cells tagged `parameters`."""
    return [cell for cell in notebook["cells"] if "parameters" in _tags(cell)]


def values(notebook: dict) -> dict:
    """What the parameters cell sets."""
    (cell,) = parameters(notebook)
    body = ast.parse(cell["source"]).body
    return {node.target.id: ast.literal_eval(node.value) for node in body}


def others(notebook: dict) -> dict:
    """The parameters that `ADVANCED` takes, with their defaults, as the table says."""
    text = "\n".join(
        cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"
    )
    return {name: ast.literal_eval(v) for name, v in _ROW_OF_OTHERS.findall(text)}


def _tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def _codes(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _file(notebook: dict) -> Iterator[str]:
    try:
        nbformat.validate(nbformat.from_dict(notebook))
    except nbformat.ValidationError as error:
        yield f"not valid: {error.message}"
    first = notebook["cells"][0]
    if first["cell_type"] != "markdown" or not first["source"].startswith("# "):
        yield "the first cell is no title"
    for row in _ROWS:
        if not re.search(rf"^\| {row} \| \S", first["source"], re.MULTILINE):
            yield f"the title's table does not say what it {row}"
    for cell in notebook["cells"]:
        if found := _PATHS.search(cell["source"]):
            yield f"a machine's path: {found[0]}"


def _state(notebook: dict) -> Iterator[str]:
    known = {"kernelspec", "language_info"}
    if extra := set(notebook["metadata"]) - known:
        yield f"metadata of a run: {sorted(extra)}"
    for cell in notebook["cells"]:
        if "injected-parameters" in _tags(cell):
            yield "an injected cell"
        if extra := set(cell["metadata"]) - {"tags"}:
            yield f"metadata of a cell: {sorted(extra)}"
    for cell in _codes(notebook):
        if cell["outputs"]:
            yield "outputs"
        if cell["execution_count"] is not None:
            yield "an execution count"


def _parameters(notebook: dict) -> Iterator[str]:
    cells = parameters(notebook)
    if len(cells) != 1:
        yield f"{len(cells)} parameters cells"
        return
    for line in cells[0]["source"].splitlines():
        if not _is_parameter(line):
            yield f"no annotated UPPER_CASE literal with its comment: {line}"
            return
    *first, last = values(notebook).items()
    if len(first) > FIRST or last != ("ADVANCED", {}):
        yield f"{FIRST} parameters at most, and then ADVANCED = {{}}"


def _is_parameter(line: str) -> bool:
    try:
        (node,) = ast.parse(line).body
        ast.literal_eval(node.value)
    except (SyntaxError, ValueError, AttributeError):
        return False
    named = isinstance(node, ast.AnnAssign) and node.target.id.isupper()
    return named and bool(re.match(r"\s+# \S", line[node.end_col_offset :]))


def _code(notebook: dict) -> Iterator[str]:
    # The cell of parameters has a line for each: it is read as a list.
    named = parameters(notebook)
    lengths = [
        len(cell["source"].splitlines())
        for cell in _codes(notebook)
        if cell not in named
    ]
    if max(lengths) > CELL_LINES or statistics.median(lengths) > MEDIAN_LINES:
        yield f"cells too long: {lengths}"
    for cell in _codes(notebook):
        source = cell["source"]
        if found := _FORBIDDEN.search(source):
            yield f"forbidden: {found[0].strip()}"
            continue
        if any(len(line) > COLUMNS for line in source.splitlines()):
            yield "a line too wide"
        for node in ast.walk(ast.parse(source)):
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and node.end_lineno - node.lineno >= DEF_LINES:
                yield f"{node.name} belongs into the package"
