"""How far made rows are from their seeds: likelihood, length, n-grams, answers.

Correct is not the only axis: rows that a student finds likely teach it more easily
(arXiv 2512.22255), and a mix whose questions or answers are few teaches to repeat them.
Nothing here drops a row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phi_kit.core.finished_run import RunFolder
from phi_kit.core.rng import rng
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.tokenize import words
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.scoring import mean_logprobs
from phi_kit.responses.study_sources import StudySources

if TYPE_CHECKING:
    import pandas as pd

NGRAM = 3  # words in a row (kit default): questions are short
FEWEST = 5  # rows below which n-grams say nothing
DRAWS = 20  # of equally many rows
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def row_logprobs(
    rows: pd.DataFrame, edge: RunFolder, answered: pd.DataFrame, sources: StudySources
) -> list[float]:
    """Each row's mean log-probability under the student, before any training.

    What step 3 and this step's responses were scored with is looked up; the rest is
    scored, unless the study wants no scores.

    Args:
        rows: of the mix, with `id` and `completion`.
        edge: step 3.
        answered: the responses of this step.
        sources: of the study; its student scores.

    Returns:
        Natural logarithms, NaN where the student shows no weights.
    """
    known: dict[tuple[str, str], float] = {}
    for table in (edge.table("samples"), edge.table("responses"), answered):
        if "logprob" in table:
            texts = zip(table.seed_id, table.text, strict=True)
            known |= {
                text: value
                for text, value in zip(texts, table.logprob, strict=True)
                if math.isfinite(value)
            }
    taught = list(zip(rows.id, rows.completion, strict=True))
    if sources.config.score != "none" and isinstance(sources.student, LocalModel):
        seeds = from_frame(rows)
        lacking = [
            (seed, text)
            for seed, (name, text) in zip(seeds, taught, strict=True)
            if (name, text) not in known
        ]
        known |= _scored(lacking, sources)
    return [known.get(one, math.nan) for one in taught]


def _scored(
    pairs: Sequence[tuple[Seed, str]], sources: StudySources
) -> dict[tuple[str, str], float]:
    asked = training_rows(sources.student, sources.domain, pairs)
    texts = [(row.prompt, row.completion) for row in asked]
    scores = mean_logprobs(sources.student, texts, label="scoring rows")
    names = [(seed.id, text) for seed, text in pairs]
    return dict(zip(names, scores, strict=True))


def balance_table(rows: pd.DataFrame, *, rng_seed: int) -> pd.DataFrame:
    """One row for the organic part of a mix, and one for each maker of the others.

    Args:
        rows: of the mix: `prompt`, `answer`, `completion`, `kind`, `by`, `logprob`.
        rng_seed: of the draws that make n-grams comparable.

    Returns:
        `part`, `kind`, `n` rows; quantiles `logprob_p5` to `logprob_p95` over rows and
        `words_p5` to `words_p95` of responses; `distinct`, the share of the questions'
        3-grams that differ, at equally many rows for every part; `new`, the share of
        its 3-grams that no organic question has; `answers`, how many differ; `top` and
        `top_share`, the most common one; `known`, the share of rows whose answer an
        organic row has, too. NaN where a part has too few rows.
    """
    import pandas as pd

    part = rows.by.where(rows.kind != "organic", "organic")
    order = dict.fromkeys([*part[rows.kind == "organic"], *part])
    parts = {name: rows[part == name] for name in order}
    sizes = [len(one) for one in parts.values() if len(one) >= FEWEST]
    organic = rows[rows.kind == "organic"]
    seeds, answers = _ngrams(organic.prompt), set(organic.answer)
    found = []
    for name, mine in parts.items():
        grams = _ngrams(mine.prompt)
        common = Counter(mine.answer).most_common(1)[0]
        draw = rng(rng_seed, "n-grams", name)
        found.append(
            {
                "part": name,
                "kind": mine.kind.iloc[0],
                "n": len(mine),
                **_quantiles("logprob", mine.logprob.dropna()),
                **_quantiles("words", mine.completion.str.split().str.len()),
                "distinct": _distinct(list(mine.prompt), min(sizes, default=0), draw),
                "new": len(grams - seeds) / len(grams) if grams else math.nan,
                "answers": mine.answer.nunique(),
                "top": common[0],
                "top_share": common[1] / len(mine),
                "known": float(mine.answer.isin(answers).mean()),
            }
        )
    return pd.DataFrame(found)


def _quantiles(name: str, values: pd.Series) -> dict[str, float]:
    return {
        f"{name}_{key}": float(values.quantile(q)) if len(values) else math.nan
        for key, q in QUANTILES.items()
    }


def _ngrams(prompts: Any) -> set[tuple[str, ...]]:
    return {gram for prompt in prompts for gram in _of(prompt)}


def _of(prompt: str) -> list[tuple[str, ...]]:
    parts = words(prompt)
    return [tuple(parts[at : at + NGRAM]) for at in range(len(parts) - NGRAM + 1)]


def _distinct(prompts: Sequence[str], n: int, draw: np.random.Generator) -> float:
    """Distinct among all n-grams of n prompts, on average; more prompts repeat more."""
    if not n or len(prompts) < n:
        return math.nan
    grams, shares = [_of(prompt) for prompt in prompts], []
    for _ in range(DRAWS):
        chosen = [gram for i in draw.permutation(len(grams))[:n] for gram in grams[i]]
        if chosen:
            shares.append(len(set(chosen)) / len(chosen))
    return float(np.mean(shares)) if shares else math.nan
