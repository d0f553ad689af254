"""What a draw gets: from the ledger what it has, from the model the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phi_kit.core import sample_counts
from phi_kit.core.errors import RunError
from phi_kit.core.paths import ledger_address
from phi_kit.core.progress import Heartbeat
from phi_kit.models.model_dir import say

from .types import (
    UNANSWERED,
    Completion,
    LostSamplesError,
    Sampler,
    SampleRequest,
    SamplingParams,
)

if TYPE_CHECKING:
    from phi_kit.cache.leases import Leases
    from phi_kit.cache.store import Ledger

LOOK_AGAIN = 0.5  # seconds, while other processes pay for what we want


def supplied(
    sampler: Sampler,
    asked: Sequence[SampleRequest],
    sampling: SamplingParams,
    bar: Heartbeat,
) -> Iterator[tuple[int, Completion]]:
    """Every sample that is asked for, and its place in `asked`; in any order.

    A model without an identity cannot be told from another one: what it says is
    not kept. A sample that failed in all its tries comes as one that says so, as
    long as they are few.

    Raises:
        RunError: the ledger fails, or a replay has no such sample.
    """
    identity = sampler.identity if asked and ledger_address() else ""
    if identity:
        from phi_kit.cache.store import open_ledger

        yield from _Draw(open_ledger(), sampler, identity, sampling, asked, bar).run()
        return
    for place, sample in _carried_out(sampler, asked, sampling):
        _paid(sample, bar)
        yield place, sample


def _carried_out(
    sampler: Sampler, asked: Sequence[SampleRequest], sampling: SamplingParams
) -> Iterator[tuple[int, Completion]]:
    """What the model says, and `failed` for what it could not be made to say."""
    try:
        yield from sampler.stream(asked, sampling)
    except LostSamplesError as lost:
        if not lost.bearable:
            raise
        say(f"going on without them: {lost.what}")
        for place in lost.places:
            yield place, Completion("", 0, "failed")


def unrecorded(name: str, one: SampleRequest) -> RunError:
    """What to raise for a sample that a replay does not have."""
    return RunError(
        f"the ledger has no sample {one.index} of {name} for this prompt, "
        "and a replay invents nothing",
        where=f"{one.prompt!r} (random stream {one.seed})",
        todo="replay the study with the parameters it was recorded with, or run it "
        "with the model",
    )


class _Draw:
    """One draw through the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        sampler: Sampler,
        identity: str,
        sampling: SamplingParams,
        asked: Sequence[SampleRequest],
        bar: Heartbeat,
    ):
        from phi_kit.cache.store import sample_key, settings_json

        self.ledger, self.sampler, self.identity = ledger, sampler, identity
        self.sampling, self.settings = sampling, settings_json(sampling)
        self.bar = bar
        # Equal prompts share their samples, as they share their streams.
        self.places: dict[str, list[int]] = {}
        self.missing: dict[str, SampleRequest] = {}
        for place, one in enumerate(asked):
            key = sample_key(identity, one, self.settings)
            self.places.setdefault(key, []).append(place)
            self.missing.setdefault(key, one)

    def run(self) -> Iterator[tuple[int, Completion]]:
        """First what is there, then what has to be paid for."""
        yield from self._known()
        if not self.missing:
            return
        if self.ledger.readonly:
            raise unrecorded(self.sampler.name, next(iter(self.missing.values())))
        self.ledger.name(self.identity, self.sampler.name)
        with self.ledger.claims() as claims:
            while self.missing:
                claimed = claims.take(list(self.missing))
                # Others may have written some before they were ours to claim.
                yield from self._known()
                mine = [key for key in self.missing if key in claimed]
                if mine:
                    yield from self._drawn(mine, claims)
                elif self.missing:
                    self._wait()

    def _known(self) -> Iterator[tuple[int, Completion]]:
        found = self.ledger.find(list(self.missing))
        if remember := getattr(self.sampler, "remember", None):
            remember(sum(s.finish not in UNANSWERED for s in found.values()))
        for key, sample in found.items():
            del self.missing[key]
            places = self.places[key]
            self._have(sample, len(places))
            for place in places:
                yield place, sample

    def _drawn(
        self, keys: list[str], claims: Leases
    ) -> Iterator[tuple[int, Completion]]:
        wanted = [self.missing.pop(key) for key in keys]
        with self.ledger.writing() as writer:
            for number, sample in _carried_out(self.sampler, wanted, self.sampling):
                key, one = keys[number], wanted[number]
                # Safe before the sampler goes on: a kill loses nothing finished.
                writer.write(key, self.identity, one, self.settings, sample)
                _paid(sample, self.bar)
                first, *others = self.places[key]
                yield first, sample
                if others:
                    self._have(sample, len(others))
                for place in others:
                    yield place, sample
        claims.release()

    def _have(self, sample: Completion, n: int) -> None:
        """Count a sample that cost nothing now, asked for so many times."""
        self.bar.have(n)
        sample_counts.record_cached(n)
        if sample.finish in UNANSWERED:
            sample_counts.record_unanswered(sample.finish, n, asked=False)

    def _wait(self) -> None:
        left = len(self.missing)
        self.bar.step(0, note=f"waiting for {left} that another process draws")
        time.sleep(LOOK_AGAIN)


def _paid(sample: Completion, bar: Heartbeat) -> None:
    bar.step(tokens=sample.tokens)
    if sample.finish not in UNANSWERED:
        sample_counts.record_generated(sample.tokens, sample.cost)
        return
    if sample.tokens:  # what a filter took away was paid for all the same
        sample_counts.record_generated(sample.tokens, sample.cost)
    sample_counts.record_unanswered(sample.finish, asked=not sample.tokens)
