"""Where the code stands in a response."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

_OPENS = re.compile(r"^([ \t>]*)(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_PYTHON = re.compile(r"(?i)(?:\{?\.?(?:[ic]?python|py)[\d.]*(?:[\s:,}].*)?)?")
_STARTS = re.compile(r"^(?:def|class|import|from|async def|@|print\(|for |while |if )")


def presented_code(text: str, wanted: Sequence[str] = ()) -> str | None:
    """The code a response presents, or `None`.

    Of several fenced blocks the last that defines what is wanted counts, else the
    last that does something; blocks after it show how it is used, or what it
    prints. Without a fence the whole text counts, if it is code.

    Args:
        text: the response.
        wanted: names that the code has to define; empty for a program.
    """
    fenced = [code for closed, code in fenced_blocks(text) if closed]
    if fenced:
        return _chosen(fenced, wanted)
    if not any(_OPENS.match(line) for line in text.splitlines()):
        return text if is_code(text) else None
    # The opening fence is missing, and nothing follows the closing one.
    head, _, tail = text.rstrip().rpartition("\n")
    alone = _OPENS.match(tail) and not any(map(_OPENS.match, head.splitlines()))
    return head if alone and is_code(head) else None


def all_code(text: str) -> str | None:
    """The code anywhere in a response: every block together, or its code lines."""
    fenced = [code for _, code in fenced_blocks(text)]
    if fenced:
        return "\n".join(fenced)
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if _STARTS.match(line)]
    for start in starts[:5]:
        for end in range(len(lines), max(start, len(lines) - 20), -1):
            code = "\n".join(lines[start:end])
            if is_code(code):
                return code
    return None


def fenced_blocks(text: str, *, any_kind: bool = False) -> Iterator[tuple[bool, str]]:
    """Fenced blocks of Python: whether they are closed, and what they hold."""
    mark, kind, indent, lines = "", "", "", []
    for line in text.split("\n"):
        fence = _OPENS.match(line)
        if not mark:
            if fence:
                indent, mark, kind = fence.groups()
                lines = []
        elif fence and fence[2].startswith(mark) and not fence[3].strip():
            if any_kind or _PYTHON.fullmatch(kind.strip()):
                yield True, _held([*lines, ""], indent)
            mark = ""
        else:
            lines.append(line)
    if mark and lines and (any_kind or _PYTHON.fullmatch(kind.strip())):
        yield False, _held(lines, indent)


def _held(lines: list[str], indent: str) -> str:
    """The lines of a block, as far left as their fence."""
    if indent and all(line.startswith(indent) or not line.strip() for line in lines):
        lines = [line[len(indent) :] for line in lines]
    return textwrap.dedent("\n".join(lines))


def _chosen(codes: list[str], wanted: Sequence[str]) -> str:
    for fits in (lambda code: wanted and _defines(code, wanted), is_code):
        for code in reversed(codes):
            if fits(code):
                return code
    return codes[-1]


def _defines(code: str, wanted: Sequence[str]) -> bool:
    """Whether code binds one of the names at its top level."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in body:
        if getattr(node, "name", None) in wanted:
            return True
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom):
            bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            bound |= {a.asname or a.name for a in getattr(node, "names", ())}
            if isinstance(getattr(node, "value", None), ast.expr):
                bound -= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            if bound & set(wanted):
                return True
    return False


def is_code(text: str) -> bool:
    """Whether it is Python that does something; `Sure` alone is a valid name."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    does = (ast.Call, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    does = (*does, ast.Assign, ast.Lambda)
    return any(isinstance(part, does) for node in body for part in ast.walk(node))
