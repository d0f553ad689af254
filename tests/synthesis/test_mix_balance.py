"""What is said of made rows beside their seeds, and where scores come from."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from phi_kit.data.records import Seed, to_frame
from phi_kit.synthesis.mix_balance import balance_table, row_logprobs


def mix(*parts):
    """Rows of these parts: kind, maker, prompts with answers, log-probability."""
    frames = []
    for kind, by, asked, logprob in parts:
        seeds = [Seed("math", prompt, answer) for prompt, answer in asked]
        texts = [f"It is so. Answer: {seed.answer}" for seed in seeds]
        frame = to_frame(seeds, completion=texts, kind=[kind] * len(seeds))
        frames.append(frame.assign(by=by, logprob=logprob))
    return pd.concat(frames, ignore_index=True)


ORGANIC = [(f"How many are {n} and {n + 1} taken together?", str(n)) for n in range(10)]
SAME = [("Say what 1 plus 1 makes at once, please.", "2")] * 8


def test_made_rows_stand_beside_the_organic_ones():
    rows = mix(("synthetic", "told", SAME, -0.5), ("organic", "", ORGANIC, -2.0))
    table = balance_table(rows, rng_seed=7).set_index("part")
    assert list(table.index) == ["organic", "told"]  # organic first, whatever the order
    told, organic = table.loc["told"], table.loc["organic"]
    assert (told.logprob_p50, organic.logprob_p50) == (-0.5, -2.0)
    assert told.new == 1.0
    assert organic.new == 0.0
    # Eight equal questions hold as many different 3-grams as one of them.
    assert told.distinct == pytest.approx(1 / 8)
    assert organic.distinct > 0.5
    assert (told.top, told.top_share, told.answers) == ("2", 1.0, 1)
    assert told.known == 1.0
    assert (organic.n, organic.words_p50) == (10, 5)


def test_more_rows_are_no_less_distinct_for_being_more():
    """N-grams repeat more with every row: parts are compared at equal size."""
    asked = [(f"What is {a} + {b} =", str(a + b)) for a in range(9) for b in range(9)]
    rows = mix(("organic", "", asked, -1.0), ("synthetic", "few", asked[::9], -1.0))
    table = balance_table(rows, rng_seed=7).set_index("part")
    assert abs(table.distinct["organic"] - table.distinct["few"]) < 0.15


def test_too_few_rows_say_nothing_of_ngrams():
    rows = mix(("organic", "", ORGANIC, math.nan), ("self", "own", SAME[:2], -1.0))
    table = balance_table(rows, rng_seed=7).set_index("part")
    assert math.isnan(table.distinct["own"])
    assert math.isnan(table.logprob_p50["organic"])
    assert table.logprob_p50["own"] == -1.0


def test_scores_that_were_paid_for_are_looked_up():
    rows = mix(("organic", "", ORGANIC[:3], math.nan))
    first, second, third = zip(rows.id, rows.completion, strict=True)
    tables = {
        "samples": pd.DataFrame([first], columns=["seed_id", "text"]),
        "responses": pd.DataFrame(
            [(*first, -1.5), (*second, math.nan), (third[0], "other", -9.0)],
            columns=["seed_id", "text", "logprob"],
        ),
    }
    answered = pd.DataFrame([(*second, -2.5)], columns=["seed_id", "text", "logprob"])
    sources = SimpleNamespace(config=SimpleNamespace(score="usable"), student=None)
    edge = SimpleNamespace(table=tables.__getitem__)
    found = row_logprobs(rows, edge, answered, sources)
    assert found[:2] == [-1.5, -2.5]
    assert math.isnan(found[2])  # its own text was not scored, and nobody can
