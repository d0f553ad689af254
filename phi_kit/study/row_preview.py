"""A few made rows with every gate's word, before a step makes them all.

A preview asks models about these rows alone; what the rest would take is estimated
from them and said beside it. It writes no run folder; samples go into the ledger, so
that the step does not pay for them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import shorten

from phi_kit.core.number_format import count
from phi_kit.core.rng import rng
from phi_kit.core.sample_counts import SampleCounts, count_samples
from phi_kit.data.records import Seed
from phi_kit.domains.transform import Transform
from phi_kit.steps import synthesize
from phi_kit.synthesis import known_transforms
from phi_kit.synthesis.asked_rows import REPLY, AskedModels
from phi_kit.synthesis.gates import Gate, MixRow

PASSES = "ok"
_SHOWN = 100  # characters of a text in a line
_NOT_REACHED = "not looked at"


@dataclass(frozen=True)
class PreviewedRow:
    """A row and what each gate says of it.

    Attributes:
        row: as far as it came.
        words: by gate, `ok` or why it is dropped.
    """

    row: MixRow
    words: Mapping[str, str]

    @property
    def passes(self) -> bool:
        """Whether every gate lets it through."""
        return all(word == PASSES for word in self.words.values())


@dataclass
class SynthesisPreview:
    """The rows of a preview, and what it took to make them.

    Attributes:
        rows: the rows with every gate's word.
        seeds: how many seeds the step has.
        tried: by transform, seeds that were tried here.
        made: by transform, rows that came of them.
        counts: of the samples that the preview asked for.
    """

    seeds: int
    rows: list[PreviewedRow] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    counts: SampleCounts = field(default_factory=SampleCounts)

    def lines(self) -> Iterator[str]:
        """The preview in lines: each row, its gates, then the estimate of the rest."""
        for number, one in enumerate(self.rows, 1):
            yield f"{number:>2} {one.row.by}: {_short(one.row.seed.prompt)}"
            yield f"   -> {_short(one.row.seed.answer)}"
            if one.row.completion:
                yield f"   teaches: {_short(one.row.completion)}"
            said = [f"{gate} {word}" for gate, word in one.words.items()]
            yield f"   {'passes: ' if one.passes else 'dropped: '}{', '.join(said)}"
        yield from self.estimate()

    def estimate(self) -> Iterator[str]:
        """What all seeds would give and take, by what these few gave and took."""
        passed = Counter(one.row.by for one in self.rows if one.passes)
        yield f"All {count(self.seeds)} seeds would give about"
        for name, tried in self.tried.items():
            rate = self.made[name] / tried
            share = passed[name] / self.made[name] if self.made[name] else 0.0
            yield (
                f"  {count(round(rate * self.seeds))} rows of {name}, of which "
                f"{count(round(rate * share * self.seeds))} pass these gates"
            )
        # The student's scores of responses are no samples, and cost nothing.
        drawn = self.counts.asked - self.counts.scores
        paid = self.counts.paid - self.counts.new_scores
        if not drawn:
            yield "No model is asked: it costs nothing."
            return
        # Each transform meets every seed in the step, and met a few of them here.
        scale = self.seeds * len(self.tried) / max(self.tried.total(), 1)
        asked = round(drawn * scale)
        yield (
            f"Models would be asked for about {count(asked)} samples; {count(drawn)} "
            f"were drawn now, {count(paid)} of them new"
        )
        if paid:
            yield f"  of {self.counts.tokens / paid:.0f} tokens each"
        if paid and self.counts.cost is not None:
            yield f"  price about {asked * self.counts.cost / paid:,.2f}"


def preview(params: synthesize.Params, n: int) -> SynthesisPreview:
    """Make a few rows of step 5, and hear every gate on each.

    Args:
        params: of step 5; steps 1, 3 and 4 must have finished.
        n: how many rows, shared out among the transforms.

    Raises:
        RunError: an earlier step has not finished.
        StudyError: a transform is not known, or needs a teacher that nobody names.
    """
    params.require_upstream()
    growth = synthesize.Growth.of(params, params.read)
    sources, log = growth.sources, growth.now
    needing = synthesize.asking_transforms(sources.domain, params, sources)
    asked = synthesize.asked_models(params, sources)
    found = SynthesisPreview(len(synthesize.unique_seeds(growth.organic)))
    with count_samples() as found.counts:
        _make_few(growth, asked, n, found)
        gates = growth.gates(asked, needing)
        for row in log.rows:
            found.rows.append(_heard(row, gates))
    for one in log.dropped:
        found.rows.append(PreviewedRow(one.row, {REPLY: _word(one.reason)}))
    return found


def _make_few(
    growth: synthesize.Growth, asked: AskedModels, n: int, found: SynthesisPreview
) -> None:
    """So many rows, of every transform about as many."""
    params, log = growth.params, growth.now
    transforms = known_transforms.chosen(growth.sources.domain, params.transforms)
    seeds = synthesize.unique_seeds(growth.organic)
    order = rng(params.rng_seed, "preview").permutation(len(seeds))
    turned = [seeds[int(place)] for place in order]
    for place, transform in enumerate(transforms):
        each = (n + len(transforms) - 1 - place) // len(transforms)
        if transform.needs == "nothing":
            log.add(_offline(transform, turned, each, params.rng_seed, found))
        else:
            few = turned[:each]
            passed = asked.rows([transform], few, growth.told)
            found.tried[transform.name] += len(few)
            found.made[transform.name] += len(passed[0])
            log.take(REPLY, passed)


def _offline(
    transform: Transform,
    seeds: list[Seed],
    most: int,
    rng_seed: int,
    found: SynthesisPreview,
) -> list[MixRow]:
    rows: list[MixRow] = []
    for seed in seeds:
        if len(rows) >= most:
            break
        made = transform(seed, rng_seed)
        found.tried[transform.name] += 1
        found.made[transform.name] += len(made)
        rows += [MixRow(one, "", "synthetic", transform.name) for one in made]
    return rows


def _heard(row: MixRow, gates: Mapping[str, Gate]) -> PreviewedRow:
    """Every gate's word on a row; nobody is paid to answer one that is dropped."""
    words: dict[str, str] = {}
    for name, gate in gates.items():
        paid = name in ("well-posed", "second answer", "response", "likelier")
        if paid and any(word != PASSES for word in words.values()):
            words[name] = _NOT_REACHED
            continue
        kept, dropped = gate([row])
        words[name] = PASSES if kept else _word(dropped[0][1])
        row = kept[0] if kept else row
    return PreviewedRow(row, words)


def _word(reason: str) -> str:
    detail = getattr(reason, "detail", "")
    return f"{reason} ({_short(detail)})" if detail else str(reason)


def _short(text: str) -> str:
    return shorten(text, _SHOWN, placeholder=" …")
