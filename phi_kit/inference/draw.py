"""Draw samples: return cached samples and generate the missing ones.

Every sample that was ever drawn stands in the ledger (`phi_kit.cache`) and is
not drawn again. A sampler is a model on this machine (`LocalModel`), one behind
a URL (`Endpoint`), or a recorded one (`ReplayedModel`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple

from phi_kit.cache.leases import Leases
from phi_kit.cache.store import open_ledger, sample_key, settings_json
from phi_kit.core import sample_counts
from phi_kit.core.compute_record import note_compute
from phi_kit.core.errors import RunError
from phi_kit.core.paths import ledger_address
from phi_kit.core.progress import Heartbeat, in_notebook, print_status, progress
from phi_kit.core.rng import label_seed
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.core.time_spent import SAMPLING, spending
from phi_kit.models.product_rates import known_rates

from .types import (
    Completion,
    LostSamplesError,
    Sampler,
    SampleRequest,
    SamplingParams,
)

POLL_SECONDS = 0.5  # while another process draws samples that we want, too


def draw(
    sampler: Sampler,
    prompts: Sequence[str],
    sampling: SamplingParams,
    *,
    k: int | Sequence[int] = 1,
    rng_seed: int = 0,
    label: str = "sampling",
    title: str = "",
) -> list[list[Completion]]:
    """Draw samples for each rendered prompt, in the prompts' order.

    Args:
        sampler: the model.
        prompts: texts as `sampler.render` gave them.
        sampling: token limit and temperature.
        k: samples per prompt; one number, or one for each prompt.
        rng_seed: with `label`, the prompt and the sample's index, names the
            random stream of a sample.
        label: what the samples are for.
        title: of the progress line, where the label does not say enough.

    Returns:
        One list of samples per prompt, in the order of their indices.

    Raises:
        RunError: the ledger fails, the model cannot answer, or a replay has no
            such sample.
    """
    if precision := getattr(sampler, "precision", ""):
        note_compute(precision, known_rates(), engine=sampler.sampled_by)
    counts = [k] * len(prompts) if isinstance(k, int) else list(k)
    owners = [i for i, count in enumerate(counts) for _ in range(count)]
    requests = [
        SampleRequest(
            prompt, index, label_seed(rng_seed, label, label_seed(0, prompt), index)
        )
        for prompt, count in zip(prompts, counts, strict=True)
        for index in range(count)
    ]
    with (
        spending(SAMPLING),
        progress(title or label, total=len(requests), unit="samples") as bar,
    ):
        completions = dict(_draw_cached(sampler, requests, sampling, bar))
    if bar.had and len(requests) > 1 and not in_notebook():
        print(f"{label}: {bar.had} of {len(requests)} samples came from the ledger")
    finishes = (completion.finish for completion in completions.values())
    if unanswered := count_unanswered(finishes):
        reasons = ", ".join(f"{n} {UNANSWERED[why]}" for why, n in unanswered.items())
        print(
            f"{label}: {sum(unanswered.values())} of {len(requests)} have no answer: "
            f"{reasons}"
        )
    per_prompt: list[list[Completion]] = [[] for _ in prompts]
    for index, owner in enumerate(owners):
        per_prompt[owner].append(completions[index])
    return per_prompt


def count_unanswered(finishes: Iterable[str]) -> dict[str, int]:
    """How many samples have no answer, by reason."""
    counts = Counter(finish for finish in finishes if finish in UNANSWERED)
    return dict(sorted(counts.items()))


def missing_sample_error(name: str, request: SampleRequest) -> RunError:
    """The error for a sample that a replay does not have."""
    return RunError(
        f"the ledger has no sample {request.index} of {name} for this prompt, "
        "and a replay invents nothing",
        where=f"{request.prompt!r} (random stream {request.seed})",
        todo="replay the study with the parameters it was recorded with, or run it "
        "with the model",
    )


def _draw_cached(
    sampler: Sampler,
    requests: Sequence[SampleRequest],
    sampling: SamplingParams,
    bar: Heartbeat,
) -> Iterator[tuple[int, Completion]]:
    """Yield every requested sample with its index in `requests`, in any order.

    Samples of a model without an identity are not cached: nobody could tell it
    from another model. A sample that failed in all its tries comes with the
    finish "failed", as long as such samples are few.
    """
    if not requests:
        return
    if ledger_address() and sampler.identity:
        yield from _LedgerDraw(sampler, sampling, requests, bar).run()
        return
    for index, completion in _generate(sampler, requests, sampling):
        _count_generated(completion, bar)
        yield index, completion


def _generate(
    sampler: Sampler, requests: Sequence[SampleRequest], sampling: SamplingParams
) -> Iterator[tuple[int, Completion]]:
    """Draw from the model; a tolerable number of lost samples come as "failed"."""
    try:
        yield from sampler.stream(requests, sampling)
    except LostSamplesError as lost:
        if not lost.tolerable:
            raise
        print_status(f"going on without them: {lost.what}")
        for index in lost.indices:
            yield index, Completion("", 0, "failed")


class _LedgerDraw:
    """One draw through the ledger."""

    def __init__(
        self,
        sampler: Sampler,
        sampling: SamplingParams,
        requests: Sequence[SampleRequest],
        bar: Heartbeat,
    ):
        self.sampler, self.identity, self.bar = sampler, sampler.identity, bar
        self.ledger = open_ledger(readonly=getattr(sampler, "recorded", False))
        self.sampling, self.settings = sampling, settings_json(asdict(sampling))
        # Equal requests share one sample, as they share one random stream.
        self.indices: dict[str, list[int]] = {}
        self.missing: dict[str, SampleRequest] = {}
        for index, request in enumerate(requests):
            key = sample_key(self.identity, settings=self.settings, **vars(request))
            self.indices.setdefault(key, []).append(index)
            self.missing.setdefault(key, request)

    def run(self) -> Iterator[tuple[int, Completion]]:
        """Yield the cached samples first, then generate the missing ones."""
        yield from self._cached()
        if not self.missing:
            return
        if self.ledger.readonly:
            missing = next(iter(self.missing.values()))
            raise missing_sample_error(self.sampler.name, missing)
        self.ledger.record_model(self.identity, self.sampler.name)
        with Leases(self.ledger.database) as leases:
            while self.missing:
                leased = leases.take(list(self.missing))
                # Others may have written some before we held the lease on them.
                yield from self._cached()
                ours = [key for key in self.missing if key in leased]
                if ours:
                    yield from self._generated(ours, leases)
                elif self.missing:
                    self._wait()

    def _cached(self) -> Iterator[tuple[int, Completion]]:
        cached = {
            key: Completion(*sample)
            for key, sample in self.ledger.find(list(self.missing)).items()
        }
        if note_answered := getattr(self.sampler, "note_answered", None):
            note_answered(sum(c.finish not in UNANSWERED for c in cached.values()))
        for key, completion in cached.items():
            del self.missing[key]
            indices = self.indices[key]
            self._count_cached(completion, len(indices))
            for index in indices:
                yield index, completion

    def _generated(
        self, keys: list[str], leases: Leases
    ) -> Iterator[tuple[int, Completion]]:
        requests = [self.missing.pop(key) for key in keys]
        with self.ledger.writer() as writer:
            for number, completion in _generate(self.sampler, requests, self.sampling):
                # On disk before the sampler goes on: a kill loses nothing finished.
                writer.write(
                    keys[number],
                    astuple(completion),
                    model=self.identity,
                    settings=self.settings,
                    **vars(requests[number]),
                )
                _count_generated(completion, self.bar)
                first, *others = self.indices[keys[number]]
                yield first, completion
                if others:
                    self._count_cached(completion, len(others))
                for index in others:
                    yield index, completion
        leases.release()

    def _count_cached(self, completion: Completion, n: int) -> None:
        """Count `n` requests whose sample cost nothing now."""
        self.bar.have(n)
        sample_counts.record_cached(n)
        if completion.finish in UNANSWERED:
            sample_counts.record_unanswered(completion.finish, n, asked=False)

    def _wait(self) -> None:
        left = len(self.missing)
        self.bar.step(0, note=f"waiting for {left} that another process draws")
        time.sleep(POLL_SECONDS)


def _count_generated(completion: Completion, bar: Heartbeat) -> None:
    bar.step(tokens=completion.tokens)
    if completion.finish not in UNANSWERED:
        sample_counts.record_generated(completion.tokens, completion.cost)
        return
    if completion.tokens:  # what a content filter took away was paid for all the same
        sample_counts.record_generated(completion.tokens, completion.cost)
    sample_counts.record_unanswered(completion.finish, asked=not completion.tokens)
