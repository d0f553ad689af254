"""A row of a table as a seed: its question, its gold, its solution, its options."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from phi_kit.core.errors import DataError

from . import cell_text, chat_columns, choice_options, column_names, solutions
from .dropped_rows import UnreadableRow
from .malformed_lines import MalformedLine
from .records import ACCEPTED, NO_GOLD, Seed, is_sentinel
from .source_types import TableSource

# A worked solution in, its marked answer out; an empty text where none is marked.
FindAnswer = Callable[[str], str]
CHOICES = "choices"  # the key in `extra` of an item's options
_SHOWN = 2000  # characters of an unreadable line that are kept
_LACKS = "no column"
_UNMARKED = "no marked answer in the solution"
_ENDING = 200  # characters of a solution that a detail shows


def lacks_column(seed: Seed) -> bool:
    """Whether a row was not read for want of a column that its source names."""
    return isinstance(seed, UnreadableRow) and seed.reason.startswith(_LACKS)


def row_to_seed(
    row: Mapping[str, Any] | MalformedLine,
    source: TableSource,
    common: Mapping[str, str],
    *,
    number: int,
    find_answer: FindAnswer | None = None,
) -> Seed:
    """A row as a seed, or as an `UnreadableRow` that says why it is none.

    Args:
        row: of a file or a data set, or a line that could not be read.
        source: says what its columns mean.
        common: what all the source's seeds have: domain, family, source, licence.
        number: of the row in its file, from 1.
        find_answer: the marked answer of a solution; an empty text where none is.

    Raises:
        DataError: the gold could be two of a row's options.
    """
    if isinstance(row, MalformedLine):
        why = "line in another encoding" if row.spoilt else "unreadable line"
        return _unreadable(why, f"{row.where} {row.reason}", row.text, common)
    cell = {
        name: column_names.find_value(row, name)
        for name in (source.answer, *source.columns)
    }
    lacking = [name for name in source.columns if cell[name] is column_names.MISSING]
    if lacking:
        fault = f"{_LACKS} '{lacking[0]}'"
        return _unreadable(fault, f"row {number}", _row_as_json(row), common)
    if cell[source.answer] is column_names.MISSING:
        cell[source.answer] = None  # a source that knows it otherwise, or not at all
    try:
        said = _read_cells(cell, source, find_answer)
    except _RowError as error:
        fault, more = error.args
        return _unreadable(fault, more, _row_as_json(row), common, row=number)
    kept = {
        key: cell_text.to_json_value(cell[column])
        for key, column in source.extra.items()
    }
    if source.choices:
        given = [cell_text.to_json_value(cell[column]) for column in source.choices]
        kept[CHOICES] = given[0] if len(given) == 1 else given
    prompt, (gold, *others), solution = said
    if others:
        kept[ACCEPTED] = others
    if source.no_gold and is_sentinel(gold):
        gold, kept[NO_GOLD] = "", True
    if CHOICES in kept:
        prompt, gold = _with_options(prompt, gold, kept, source, f"row {number}")
    return Seed(
        prompt=prompt,
        answer=gold,
        extra=json.dumps(kept),
        solution=solution,
        **common,
    )


def _read_cells(
    cell: Mapping[str, Any], source: TableSource, find_answer: FindAnswer | None
) -> tuple[str, list[str], str]:
    """The question, the golds (one at least, which may be empty), the solution.

    Raises:
        _RowError: one of them is none that can be used.
    """
    prompt, solution = _question_and_solution(cell, source)
    golds = _golds(cell, source)
    if source.answer_after:
        golds, solution = _cut_at_mark(golds, solution, source)
    solution = solutions.clean_solution(solution)
    if source.worked and solution and not any(golds):
        golds = [find_answer(solution) if find_answer else ""]
        if not golds[0] and not source.no_gold:
            raise _RowError(_UNMARKED, f"it ends in: {solution[-_ENDING:]}")
    return prompt, golds or [""], solution


def _question_and_solution(
    cell: Mapping[str, Any], source: TableSource
) -> tuple[str, str]:
    if source.chat:
        try:
            return chat_columns.read_chat(cell[source.chat])
        except chat_columns.ChatError as error:
            raise _RowError(error.reason, error.detail or source.chat) from None
    prompt = _column_text(cell, source.question, "question")
    if not source.solution:
        return prompt, ""
    return prompt, _column_text(cell, source.solution, "solution")


def _cut_at_mark(
    golds: list[str], solution: str, source: TableSource
) -> tuple[list[str], str]:
    """Golds and solution where a mark stands between the two."""
    mark = source.answer_after
    parts = [solutions.split_at_mark(gold, mark) for gold in golds]
    if source.worked:  # the answer's own column may hold the mark or the bare answer
        before, after = solutions.split_at_mark(solution, mark)
        bare = [marked or said for said, marked in parts]
        return bare or [after], before
    marked = [after for _, after in parts]
    return marked, parts[0][0] if any(marked[:1]) else ""


def _row_as_json(row: Mapping[str, Any]) -> str:
    return json.dumps(cell_text.to_json_value(row))


class _RowError(ValueError):
    """What is wrong with a row, and what would mend it."""


def _column_text(cell: Mapping[str, Any], name: str, what: str) -> str:
    """A column's text.

    Raises:
        _RowError: it is none.
    """
    try:
        return cell_text.to_text(cell[name])
    except cell_text.NotTextError as error:
        parts = column_names.nested_names({name: cell[name]})[1:4]
        if isinstance(cell[name], list | tuple):
            parts = [f"{name}.0"]
        more = f"name a part of it: {', '.join(parts)}" if parts else name
        raise _RowError(f"the {what} is {error}", more) from None


def _golds(cell: Mapping[str, Any], source: TableSource) -> list[str]:
    """The answers that a row's column names.

    Raises:
        _RowError: they are none that can be used.
    """
    value = cell[source.answer]
    if not isinstance(value, list | tuple):
        said = _column_text(cell, source.answer, "answer")
        return [said] if said else []
    try:
        found = cell_text.to_answers(value)
    except cell_text.NotTextError as error:
        parts = column_names.nested_names(dict(enumerate(value[:1])))[1:4]
        more = ", ".join(f"{source.answer}.{part}" for part in parts)
        fault = f"the answer is a list that holds {error}"
        todo = f"name a part of it: {more}" if more else source.answer
        raise _RowError(fault, todo) from None
    if len(found) > 1 and source.several != "any":
        said = ", ".join(found[:3])
        raise _RowError(
            "several different answers",
            f"{said}; if each is right, say several: any beside answer:",
        )
    return found


def _with_options(
    prompt: str, answer: str, kept: dict[str, Any], source: TableSource, where: str
) -> tuple[str, str]:
    """The prompt with its options and the gold's letter; `kept` has them then.

    A prompt that shows its options already, or whose gold is none of them, stays.

    Raises:
        DataError: the gold could be two options, and the source does not say which.
    """
    given = kept[CHOICES]
    known = choice_options.read_options(given)
    if not known:
        return prompt, answer
    kept[CHOICES] = known
    found = choice_options.gold_label(answer, given, source.answer_is, known=known)
    if found.question:
        raise DataError(
            found.question,
            where=f"{source.name}, {where}",
            todo="write answer_is: letter, text, index0 or index1 beside answer: "
            "(index0 counts the options from 0, index1 from 1)",
        )
    if source.answer_is:
        kept["answer_is"] = "letter"  # which it is from here on
    if (found.label or NO_GOLD in kept) and not choice_options.options_shown_in(
        prompt, known
    ):
        prompt = f"{prompt}\n{choice_options.format_options(known)}"
    return prompt, found.label or answer


def _unreadable(
    reason: str, detail: str, text: str, common: Mapping[str, str], *, row: int = 0
) -> UnreadableRow:
    shown = cell_text.replace_surrogates(text.strip())[:_SHOWN]
    detail = cell_text.replace_surrogates(f"row {row}: {detail}" if row else detail)
    return UnreadableRow(
        prompt=shown, answer="", reason=reason, detail=detail, **common
    )
