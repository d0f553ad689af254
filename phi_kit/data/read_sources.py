"""Reading sources: rows become seeds, in their order or as a weighted mix."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from phi_kit.core.errors import DataError
from phi_kit.core.paths import display_path
from phi_kit.core.rng import label_seed

from . import column_names, file_readers, hf_datasets
from .generators import Family, generate_items
from .malformed_lines import MalformedLine
from .planted_faults import plant_wrong_golds
from .records import Seed
from .source_types import HubData, LocalFile, Procedural, Source, TableSource, Task
from .table_rows import FindAnswer, lacks_column, row_to_seed

_PATIENCE = 10_000  # rows without the named columns, and the name is wrong


def read_source(
    source: Source,
    domain: str,
    *,
    families: Sequence[Family],
    rng_seed: int,
    find_answer: FindAnswer | None = None,
) -> Iterator[Seed]:
    """The seeds of a source, as they come; nothing is dropped here.

    A row that cannot be read comes as `UnreadableRow`, so that the counts add up.

    Args:
        source: one entry of `collect_seeds.sources`.
        domain: the name the seeds carry.
        families: what a procedural source makes; for a task the families that say
            more of it, see `Task.family`.
        rng_seed: the same seed makes the same items.
        find_answer: finds the marked answer of a worked solution, for sources whose
            answers stand nowhere else; without it such rows have none.

    Raises:
        DataError: a column is lacking everywhere, the source cannot be read
            at all, or it is empty.
    """
    if isinstance(source, LocalFile):
        found = _file_seeds(source, domain, find_answer)
    elif isinstance(source, HubData):
        found = _hub_seeds(source, domain, find_answer)
    elif isinstance(source, Task):
        found = _task_seeds(source, domain, families=families, rng_seed=rng_seed)
    else:
        found = _procedural_seeds(source, domain, families=families, rng_seed=rng_seed)
    return itertools.islice(found, source.limit)


def available_rows(source: Source, families: Sequence[Family]) -> int | None:
    """How many rows a source has, whatever its limit; `None` where it has no end."""
    if isinstance(source, LocalFile):
        return sum(
            file_readers.count_rows(path, source.encoding) for path in source.files()
        )
    if isinstance(source, HubData):
        return hf_datasets.count_rows(source.pinned(), source.config, source.split)
    sizes = [family.size() if family.size else None for family in families]
    if isinstance(source, Task) or not sizes or None in sizes:
        return None
    return sum(size for size in sizes if size is not None)


def source_shares(sources: Sequence[Source], limit: int) -> list[int]:
    """How many rows each source gives to a mix of `limit`, by its weight.

    The rows that rounding leaves over go to the largest remainders.
    """
    total = sum(source.weight for source in sources)
    exact = [limit * source.weight / total for source in sources]
    found = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: found[i] - exact[i])
    for place in order[: limit - sum(found)]:
        found[place] += 1
    return found


def mix_sources(
    sources: Sequence[Source],
    limit: int | None,
    open_source: Callable[[Source], Iterator[Seed]],
    *,
    rng_seed: int,
) -> Iterator[tuple[int, Seed]]:
    """Every source's rows with its place; with a limit, its share of them.

    The share is drawn by hashed randomness, one pass over the source, holding
    no more than the share; the rows keep their order. Generated sources are
    random already: the first rows are the share. A source with fewer rows than
    its share gives what it has.
    """
    wanted = source_shares(sources, limit) if limit else [None] * len(sources)
    for place, (source, share) in enumerate(zip(sources, wanted, strict=True)):
        if isinstance(source, Procedural | Task) and share is not None:
            # Its own default limit must not keep it from its share.
            grown = source.model_copy(update={"limit": max(share, 1)})
            given = source.limit != type(source).model_fields["limit"].default
            rows = itertools.islice(open_source(source if given else grown), share)
        elif share is None:
            rows = open_source(source)
        else:
            label = (rng_seed, "mix", source.name, place)
            rows = _sample_rows(open_source(source), share, label)
        yield from ((place, seed) for seed in rows)


def _sample_rows(rows: Iterable[Seed], share: int, label: tuple) -> Iterator[Seed]:
    hashed = ((label_seed(*label, i), i, row) for i, row in enumerate(rows))
    chosen = heapq.nsmallest(share, hashed, key=lambda entry: entry[:2])
    return (row for _, _, row in sorted(chosen, key=lambda entry: entry[1]))


def _procedural_seeds(
    source: Procedural, domain: str, *, families: Sequence[Family], rng_seed: int
) -> Iterator[Seed]:
    streams = [
        generate_items(domain, family, rng_seed=rng_seed, split="train")
        for family in families
    ]
    if source.wrong_golds:
        streams = [
            plant_wrong_golds(stream, source.wrong_golds, rng_seed, family.name)
            for stream, family in zip(streams, families, strict=True)
        ]
    while streams:  # families take turns, so any limit cuts them evenly
        left = []
        for stream in streams:
            for seed in itertools.islice(stream, 1):
                yield seed
                left.append(stream)
        streams = left


def _task_seeds(
    source: Task, domain: str, *, families: Sequence[Family], rng_seed: int
) -> Iterator[Seed]:
    family = source.family(families)
    stream = generate_items(domain, family, rng_seed=rng_seed, split="train")
    for number in itertools.count():
        try:
            yield next(stream)
        except StopIteration:
            if number:
                return
            raise DataError(
                "no item of the task has a gold that can be found again",
                where=source.name,
                todo="give it another config:",
            ) from None
        except (TypeError, ValueError, KeyError, AssertionError) as error:
            raise DataError(
                f"the task fails on an item: {error!r}",
                where=source.name,
                todo="give it another config:, or a smaller limit:",
            ) from error


def _file_seeds(
    source: LocalFile, domain: str, find_answer: FindAnswer | None
) -> Iterator[Seed]:
    any_row = False
    for path in source.files():
        for seed in _rows_to_seeds(
            file_readers.read_rows(path, source.encoding),
            source,
            {
                "domain": domain,
                "family": file_readers.file_stem(path),
                "source": path.name,
            },
            where=display_path(path),
            find_answer=find_answer,
        ):
            any_row = True
            yield seed
    if not any_row:
        raise DataError(
            "the source has no rows",
            where=display_path(source.path),
            todo="give a file with rows, or remove it from collect_seeds.sources",
        )


def _hub_seeds(
    source: HubData, domain: str, find_answer: FindAnswer | None
) -> Iterator[Seed]:
    pinned = source.pinned()
    licence = source.licence or pinned.licence
    yield from _rows_to_seeds(
        hf_datasets.read_rows(pinned, source.config, source.split),
        source.model_copy(update={"licence": licence}),
        {"domain": domain, "family": source.hub.split("/")[-1], "source": source.name},
        where=f"{source.name} at {pinned.revision[:12]}",
        find_answer=find_answer,
    )


def _rows_to_seeds(
    rows: Iterable[Mapping[str, Any] | MalformedLine],
    source: LocalFile | HubData,
    common: dict[str, str],
    *,
    where: str,
    find_answer: FindAnswer | None,
) -> Iterator[Seed]:
    """Rows as seeds; the ones before the first good row wait for it."""
    common = {**common, "licence": source.licence or "unknown"}
    waiting: list[Seed] = []
    known: list[str] = []
    good = False
    for number, row in enumerate(rows, 1):
        seed = row_to_seed(row, source, common, number=number, find_answer=find_answer)
        lacking = lacks_column(seed)
        if lacking and not known and not isinstance(row, MalformedLine):
            known = column_names.nested_names(row)
        good = good or not (lacking or isinstance(row, MalformedLine))
        waiting.append(seed)
        if good:
            yield from waiting
            waiting = []
        elif len(waiting) >= _PATIENCE:
            break
    if waiting:
        raise _no_column_error(source, known, where)


def _no_column_error(source: TableSource, known: list[str], where: str) -> DataError:
    column = next((name for name in source.columns if name not in known), "")
    return DataError(
        column_names.missing_column(column, known),
        where=f"{where}, columns {column_names.list_names(known)}",
        todo="name the columns in the study file: question: and answer:"
        + column_names.chat_hint(known),
    )
