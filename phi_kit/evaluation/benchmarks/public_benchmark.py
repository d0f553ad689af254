"""One shape for every benchmark: where its rows are, how it is asked and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from phi_kit import verifiers
from phi_kit.core.answer_style import Style
from phi_kit.core.errors import DataError
from phi_kit.core.rng import rng
from phi_kit.data.choice_options import format_options
from phi_kit.data.dropped_rows import UnreadableRow
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed
from phi_kit.data.source_types import HubData, LocalFile
from phi_kit.domains.base import Domain
from phi_kit.verifiers.answer_extraction import marked_answer

# Turns a row that was read as a seed into the item that is asked.
Adapt = Callable[[Seed], Seed]


@dataclass(frozen=True)
class PublicBenchmark:
    """A benchmark: loader, prompt, style, verifier, samples, temperature, licence.

    Args:
        name: as a study names it.
        title: as its authors do.
        source: which data set, configuration, split and columns.
        verifier: the name of the one that checks an answer.
        instruction: what a model is told in the style `answer`.
        marked: what stands at the end of worked steps.
        samples: of each item; small sets are asked more often.
        temperature: at which its authors, or the Phi-4-reasoning report, ask it.
        max_tokens: of a sample; `None`: the limit of the style.
        licence: as its card states it.
        seen: where its id and columns were checked: another harness's task file.
        note: what to know before using it.
        adapt: makes the item of a row that needs more than columns.
        task_id: in the hub's registry of benchmarks; empty where it is not registered.
    """

    name: str
    title: str
    source: HubData | LocalFile
    verifier: str
    instruction: str
    marked: str
    licence: str
    seen: str
    samples: int = 1
    temperature: float = 0.6
    max_tokens: int | None = None
    note: str = ""
    adapt: Adapt | None = field(default=None, repr=False)
    task_id: str = ""

    def domain(self, style: Style) -> Domain:
        """What is asked and who checks it, in a study's style."""
        made = Domain(
            name=self.name,
            title=self.title,
            description=f"The benchmark {self.title}.",
            instruction=self.instruction,
            marked=self.marked,
            answer_kind=self.title,
            verifier=verifiers.get(self.verifier),
            checker=self.verifier,
            families=(),
            transforms={},
        )
        return made.in_style(style)

    def at(self, place: str) -> PublicBenchmark:
        """The same from a local folder of the data set's shape."""
        changed = self.source.model_copy(update={"hub": place, "config": ""})
        return replace(self, source=changed)


@dataclass(frozen=True)
class BenchmarkItems:
    """The items of a benchmark.

    Attributes:
        items: in the order of its rows.
        dropped: rows that cannot be asked or checked, by reason.
        version: the revision of the data set, or the digest of the file.
    """

    items: list[Seed]
    dropped: dict[str, int]
    version: str


def load_items(
    benchmark: PublicBenchmark, *, limit: int = 0, rng_seed: int = 0
) -> BenchmarkItems:
    """Read a benchmark's rows.

    Args:
        benchmark: which.
        limit: so many items, drawn at random; 0 for all.
        rng_seed: names that draw.

    Raises:
        DataError: it cannot be read (offline, gated, a column is not there), or no
            row of it can be asked.
    """
    source, kept, dropped = benchmark.source, [], Counter()
    rows = read_source(
        source, benchmark.name, families=(), rng_seed=0, find_answer=marked_answer
    )
    for row in rows:
        if isinstance(row, UnreadableRow):
            dropped[row.reason] += 1
            continue
        try:
            kept.append(benchmark.adapt(row) if benchmark.adapt else row)
        except (KeyError, ValueError, TypeError) as error:
            dropped[f"cannot be made an item: {type(error).__name__}"] += 1
    if not kept:
        raise DataError(
            f"no row of {benchmark.title} can be asked: {dict(dropped)}",
            where=source.name,
            todo="compare its columns with those that phi-kit benchmarks names",
        )
    if limit and limit < len(kept):
        places = rng(rng_seed, "benchmark", benchmark.name).permutation(len(kept))
        kept = [kept[place] for place in sorted(places[:limit])]
    return BenchmarkItems(kept, dict(dropped), source.digest())


def local_benchmark(place: str) -> PublicBenchmark:
    """A file of one's own as a benchmark: columns `question` and `answer`.

    Args:
        place: of the file, from the project's root; `#VERIFIER` behind it names who
            checks the answers, `exact` without it.

    Raises:
        StudyError: there is no such verifier.
        ValueError: there is no such file.
    """
    path, _, verifier = place.partition("#")
    verifiers.get(verifier or "exact")
    return PublicBenchmark(
        name=Path(path).stem,
        title=Path(path).name,
        source=LocalFile(path=path),
        verifier=verifier or "exact",
        instruction="Give only the answer.",
        marked='the answer after "Answer:"',
        licence="your own",
        seen="your own file",
    )


def shuffled_options(seed: Seed, facts: Sequence[str]) -> Seed:
    """An item whose options are among its facts, as a choice.

    Their order depends on the question alone, so that every run shows the same.

    Args:
        seed: whose row was read.
        facts: the names of the options there, the right one first.
    """
    known = seed.facts
    texts = [str(known.pop(name)).strip() for name in facts]
    order = rng(0, "options", seed.prompt).permutation(len(texts))
    options = {chr(ord("A") + n): texts[place] for n, place in enumerate(order)}
    gold = next(label for label, text in options.items() if text == texts[0])
    return replace(
        seed,
        prompt=f"{seed.prompt.strip()}\n{format_options(options)}",
        answer=gold,
        extra=json.dumps({**known, "choices": options, "answer_is": "letter"}),
    )
