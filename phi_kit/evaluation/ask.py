"""Asking a model the items of a domain and checking what it says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from phi_kit.core import thinking
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.data.records import Seed
from phi_kit.inference.draw import count_unanswered as counted
from phi_kit.inference.draw import draw
from phi_kit.inference.types import Completion, Sampler, SamplingParams
from phi_kit.models.chat_template import render, turn_framing
from phi_kit.training.encoding import TrainingRow, completion_after, encode
from phi_kit.verifiers.base import Verdict

from . import few_shot
from .metrics.scores import pass_rate

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.core.finished_run import RunFolder
    from phi_kit.domains.base import Domain
    from phi_kit.inference.local.model import LocalModel


BYTES_PER_TOKEN = 4  # of English text, roughly; only ratios of lengths hang on it


def ask(
    student: Sampler,
    domain: Domain,
    seeds: Sequence[Seed],
    *,
    sampling: SamplingParams,
    k: int | Sequence[int],
    rng_seed: int,
    label: str,
    title: str = "",
    known: Sequence[int] | None = None,
    examples: few_shot.FamilyExamples | None = None,
) -> pd.DataFrame:
    """Draw k samples per seed and verify each.

    Args:
        student: who is asked.
        domain: says how to ask and who verifies.
        seeds: what is asked.
        sampling: token limit and temperature.
        k: samples per seed; one number, or one for each.
        rng_seed: with the label, names every random stream.
        label: what the samples are for.
        title: of the progress line, where the label does not say enough.
        known: how many samples of each seed were asked before; those are neither
            verified again nor returned.
        examples: worked examples to show before each question, by its family.

    Returns:
        One row per sample, in the seeds' order: `seed_id`, `family`, `level`,
        `sample`, `text`, `tokens`, `finish`, `logprob`, `verdict`, `lenient`,
        `reason`, `extracted`. A truncated sample keeps its verdict; `finish` says so.
        One that an endpoint did not answer is `unknown`, its reason says why.
        `logprob` is `Completion`'s, NaN where the sampler tells none.
    """
    import pandas as pd

    prompts = [
        domain.asked(seed).rendered(student.render, few_shot.shown_to(seed, examples))
        for seed in seeds
    ]
    drawn = draw(
        student, prompts, sampling, k=k, rng_seed=rng_seed, label=label, title=title
    )
    rows = []
    for seed, prompt, samples, old in zip(
        seeds, prompts, drawn, known or [0] * len(seeds), strict=True
    ):
        # A sample may go on in a thought that the prompt opens.
        opened = thinking.opened_by(prompt)
        rows += [
            _sample_row(seed, index, sample, _judged(domain, seed, sample, opened))
            for index, sample in enumerate(samples[old:], old)
        ]
    return pd.DataFrame(rows)


def _sample_row(
    seed: Seed, index: int, sample: Completion, verdict: Verdict
) -> dict[str, Any]:
    return {
        "seed_id": seed.id,
        "family": seed.family,
        "level": seed.level,
        "sample": index,
        "text": sample.text,
        "tokens": sample.tokens,
        "finish": sample.finish,
        "logprob": math.nan if sample.logprob is None else sample.logprob,
        "verdict": verdict.value,
        "lenient": verdict.lenient,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
    }


def _judged(domain: Domain, seed: Seed, sample: Completion, opened: str) -> Verdict:
    """What the verifier says, or that there is nothing to judge."""
    if sample.finish in UNANSWERED:
        return Verdict("unknown", f"no answer: {UNANSWERED[sample.finish]}")
    return domain.verifier(seed, opened + sample.text)


def step_sampling(params: Mapping[str, Any], domain: Domain) -> dict[str, Any]:
    """How a step asked, for `ask`: only the same way of asking can be paired.

    Args:
        params: of the step.
        domain: in the study's style, whose limit holds where the step had none.
    """
    return {
        "sampling": domain.sampling(params["max_tokens"], params["temperature"]),
        "k": params["samples"],
        "rng_seed": params["rng_seed"],
    }


def base_answers(
    card: RunFolder, student: LocalModel, domain: Domain, dev: Sequence[Seed]
) -> pd.DataFrame:
    """What the base model said to the dev items, before any training.

    Step 1's samples, if they are this very model's. Where step 1 asked another
    (a server, or one that `--set` has since replaced), this one is asked the
    same way: before and after have to be one model.
    """
    params = card.manifest["params"]
    if params["model"] == student.name:
        return card.table("samples")
    how = step_sampling(params, domain)
    return ask(student, domain, dev, **how, label="base on dev")


def item_accuracies(
    samples: pd.DataFrame, order: Sequence[Seed], *, reading: str = "verdict"
) -> list[float]:
    """Each seed's share of right samples, in the seeds' order.

    What an endpoint did not answer is neither right nor wrong; a seed with nothing
    else has NaN.

    Args:
        samples: as `ask` returns them.
        order: the seeds.
        reading: `verdict`, the strict one, or `lenient`.
    """
    return accuracies_of(samples, [seed.id for seed in order], reading=reading)


def accuracies_of(
    samples: pd.DataFrame, ids: Sequence[str], *, reading: str = "verdict"
) -> list[float]:
    """The same for the seeds of these ids."""
    answered = samples[~samples.finish.isin(UNANSWERED)]
    # Samples of an older card have one reading.
    said = answered.get(reading, answered.verdict)
    right = (said == "right").groupby(answered.seed_id).agg(pass_rate)
    return [float(right.get(name, math.nan)) for name in ids]


def lenient_accuracy(samples: pd.DataFrame) -> float:
    """Share of answered samples that hold the right answer anywhere."""
    answered = samples[~samples.finish.isin(UNANSWERED)]
    return round(float((answered.lenient == "right").mean()), 4)


def truncated_share(samples: pd.DataFrame) -> float:
    """Share of samples that reached the token limit."""
    return round(float((samples.finish == "length").mean()), 4)


def unanswered_counts(samples: pd.DataFrame) -> dict[str, int]:
    """How many samples an endpoint did not answer, by why."""
    return counted(samples.finish)


def training_rows(
    student: LocalModel,
    domain: Domain,
    responses: Iterable[tuple[Seed, str]],
) -> list[TrainingRow]:
    """Training rows: each seed's rendered prompt with the response to learn."""
    framing = turn_framing(student.tokenizer, thinking=domain.thinking)
    rows = []
    for seed, response in responses:
        asked = domain.asked(seed)
        prompt = asked.rendered(partial(render, student.tokenizer))
        rows.append(TrainingRow(prompt, completion_after(framing, response), asked))
    return rows


def row_lengths(
    sampler: Sampler, domain: Domain, responses: Sequence[tuple[Seed, str]]
) -> pd.DataFrame:
    """Each response as a training row: its `tokens`, and how many the loss sees.

    An endpoint shows no tokenizer: there a token is taken to be 4 bytes.
    """
    import pandas as pd

    if not hasattr(sampler, "tokenizer"):
        texts = [(domain.instruction + s.prompt, text) for s, text in responses]
        pairs = [(_tokens(asked + text), _tokens(text)) for asked, text in texts]
    else:
        rows = training_rows(sampler, domain, responses)
        encoded = [encode(sampler, row) for row in rows]
        pairs = [(len(row.ids), row.trained) for row in encoded]
    return pd.DataFrame(pairs, columns=["tokens", "trained"])


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
