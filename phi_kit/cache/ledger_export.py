"""Totals of the ledger by model, and its rows as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from phi_kit.core.errors import RunError, StudyError, did_you_mean, disk_errors
from phi_kit.core.number_format import aligned_table
from phi_kit.core.paths import ledger_address
from phi_kit.core.sample_counts import UNANSWERED

from .schema import models, samples
from .store import Ledger

CHUNK_ROWS = 5000  # read and written at a time
_TYPES = {sa.Text: str, sa.Double: int | float}  # the others are whole numbers


def open_for_reading() -> Ledger:
    """The ledger, opened for reading only.

    Raises:
        RunError: there is none.
    """
    address = ledger_address()
    if not address:
        raise RunError(
            "there is no ledger: PHI_KIT_LEDGER is off",
            todo="unset it, or let it name one",
        )
    ledger = Ledger(address, readonly=True)
    ledger.prepare()
    return ledger


def summary_lines() -> Iterator[str]:
    """A table of every model's samples, tokens and costs, line by line."""
    ledger = open_for_reading()
    named = samples.outerjoin(models, models.c.identity == samples.c.model)
    count = sa.func.count()
    query = (
        sa.select(
            sa.func.coalesce(models.c.name, samples.c.model),
            samples.c.model,
            count,
            sa.func.sum(samples.c.tokens),
            sa.func.sum(sa.case((samples.c.finish == "length", 1), else_=0)),
            sa.func.sum(sa.case((samples.c.finish.in_(UNANSWERED), 1), else_=0)),
            sa.func.sum(samples.c.cost),
            sa.func.min(samples.c.created_at),
            sa.func.max(samples.c.created_at),
        )
        .select_from(named)
        .group_by(models.c.name, samples.c.model)
        .order_by(models.c.name, samples.c.model)
    )
    with ledger.database.connection() as connection:
        totals = connection.execute(query).all()
    head = ("model", "samples", "tokens", "truncated", "unanswered", "cost")
    rows = [(*head, "first", "last")]
    for name, _, n, tokens, truncated, unanswered, cost, first, last in totals:
        price = "" if cost is None else f"{cost:.4g}"
        shares = (f"{truncated / n:.1%}", f"{unanswered / n:.1%}")
        row = (name, n, tokens, *shares, price, first, last)
        rows.append(tuple(map(str, row)))
    yield f"ledger: {ledger.location}"
    yield from aligned_table(rows)
    for name, identity, *_ in totals:
        yield f"{name}: {identity}"


def export_samples(out: Path, *, model: str | None = None) -> int:
    """Write samples into a file, ordered by model, prompt and index.

    Args:
        out: ends in `.jsonl` or `.parquet`; it appears whole or not at all.
        model: name or identity of the only model to export; all if not given.

    Returns:
        How many samples were written.

    Raises:
        StudyError: the file's ending, or the model, is unknown.
        RunError: there is no ledger, or the file cannot be written.
    """
    write = {".jsonl": _jsonl, ".parquet": _parquet}.get(out.suffix)
    if write is None:
        raise StudyError(
            f"an export is .jsonl or .parquet, not '{out.suffix}'", where=str(out)
        )
    if not out.parent.is_dir():
        raise RunError("there is no such folder", where=str(out.parent))
    ledger = open_for_reading()
    query = sa.select(models.c.name.label("name"), samples).select_from(
        samples.outerjoin(models, models.c.identity == samples.c.model)
    )
    if model is not None:
        query = query.where(samples.c.model.in_(_identities(ledger, model)))
    order = (samples.c.model, samples.c.prompt, samples.c.sample, samples.c.key)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with disk_errors(out), ledger.database.connection() as connection:
            streamed = connection.execution_options(yield_per=CHUNK_ROWS)
            result = streamed.execute(query.order_by(*order)).mappings()
            parts = ([_checked(row, ledger) for row in p] for p in result.partitions())
            count = write(partial, parts)
            partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _identities(ledger: Ledger, model: str) -> list[str]:
    """The identities that a name stands for; an identity stands for itself."""
    with ledger.database.connection() as connection:
        named = connection.execute(sa.select(models.c.identity, models.c.name)).all()
        sampled = set(connection.scalars(sa.select(samples.c.model).distinct()))
    matching = [row.identity for row in named if model in (row.name, row.identity)]
    if matching or model in sampled:
        return matching or [model]
    names = {row.name for row in named} | sampled
    raise StudyError(
        f"the ledger knows no model '{model}'{did_you_mean(model, names)}",
        where=ledger.location,
    )


def _checked(row: Mapping[str, Any], ledger: Ledger) -> dict[str, Any]:
    """A row as it can be written; SQLite takes anything in any column."""
    for column in samples.columns:
        expected = _TYPES.get(type(column.type), int)
        fits = isinstance(row[column.name], expected)
        if not fits and not (row[column.name] is None and column.nullable):
            raise ledger.unreadable_row(row["key"], column.name, row[column.name])
    return dict(row)


def _jsonl(path: Path, parts: Iterator[list[dict[str, Any]]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for part in parts:
            for row in part:
                row["settings"] = _settings(row["settings"])
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += len(part)
    return count


def _parquet(path: Path, parts: Iterator[list[dict[str, Any]]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {sa.Text: pa.string(), sa.BigInteger: pa.int64(), sa.Integer: pa.int64()}
    fields = [("name", pa.string())]
    for column in samples.columns:
        fields.append((column.name, kinds.get(type(column.type), pa.float64())))
    count, schema = 0, pa.schema(fields)
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(pa.Table.from_pylist(part, schema))
            count += len(part)
    return count


def _settings(text: str) -> Any:
    """Sampling settings; text that is no JSON stays text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
