"""Every signature figure: drawn from plain tables, nasty ones included."""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

from phi_kit import plots
from phi_kit.core import number_format
from phi_kit.plots import (
    arm_gains,
    benchmark_gains,
    difficulty,
    dose_curve,
    edge_drift,
    family_accuracy,
    guess_histogram,
    interference_matrix,
    learning_curves,
    mix_curve,
    mix_spread,
    palette,
    pass_rate_histogram,
    recipe_gains,
    row_flow,
    style,
    transform_yields,
)
from phi_kit.stats.intervals import Accuracy
from phi_kit.stats.recipe_gain import RecipeGain
from phi_kit.synthesis.mix_balance import QUANTILES

NAN = float("nan")
LONG = "an_extraordinarily_long_name_that_never_seems_to_end_" * 3
ONE_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmützenband$x_1$"


def score(name, *, key, n=40, accuracy=0.4, **more):
    low, high = max(0, accuracy - 0.1), min(1, accuracy + 0.1)
    row = {key: name, "n": n, "accuracy": accuracy, "low": low, "high": high}
    row |= {"delta": NAN, "delta_low": NAN, "delta_high": NAN}
    return row | {"guess": 0.25, "verdict": ""} | more


def family(name, **more):
    return score(name, key="family") | {"level": 1} | more


def cell(adapter, domain, **more):
    return score(adapter, key="adapter", domain=domain, **more)


def gained(domain, verdict, **more):
    row = {"domain": domain, "metric": "pass@1", "n": 120, "base": 0.2, "final": 0.3}
    row |= {"guess": 0.26, "final_low": 0.22, "final_high": 0.39, "family": "sums"}
    return row | {"delta": 0.1, "low": 0.02, "high": 0.18, "verdict": verdict} | more


UP = {"delta": 0.14, "delta_low": 0.08, "delta_high": 0.2}
NO_CHANGE = {"delta": 0.0, "delta_low": 0.0, "delta_high": 0.0}
ZERO = {"accuracy": 0.0, "low": 0.0, "high": 0.09}
UNKNOWN = {"n": 0, "accuracy": NAN, "low": None, "high": None, "guess": NAN}
ONLY_BASE = "better than base, not than one constant answer"


def part(name, **more):
    spans = {f"logprob_{key}": -2 + n / 4 for n, key in enumerate(QUANTILES)}
    spans |= {f"words_{key}": 5 + 3 * n for n, key in enumerate(QUANTILES)}
    shares = {"distinct": 0.8, "new": 0.25, "top_share": 0.1, "known": 0.9}
    told = {"part": name, "kind": "organic", "n": 40, "answers": 12, "top": "7"}
    return {**told, **spans, **shares, **more}


MATRIX = [cell("base", "math"), cell("math", "math", **UP)]

CASES = {
    "difficulty": (difficulty, [family("sums", level=2), family("gcd")]),
    "difficulty, one family": (difficulty, [family("sums")]),
    "difficulty, long names": (difficulty, [family(LONG), family(ONE_WORD)]),
    "difficulty, all zero": (difficulty, [family("a", **ZERO), family("b", **ZERO)]),
    "difficulty, n tiny": (difficulty, [family("a", n=1), family("b", **UNKNOWN)]),
    "difficulty, no level": (difficulty, [family("a", level=NAN)]),
    "mix": (mix_spread, [part("organic"), part("swap", kind="synthetic")]),
    "mix, not scored": (mix_spread, [part("organic", logprob_p50=NAN)]),
    "mix, few rows": (mix_spread, [part("organic", distinct=NAN, new=NAN, n=1)]),
    "mix, long names": (mix_spread, [part(LONG), part(ONE_WORD)]),
    "matrix": (interference_matrix, MATRIX),
    "matrix, all zero": (
        interference_matrix,
        [cell("base", "m"), cell("m", "m", **NO_CHANGE)],
    ),
    "matrix, long names": (interference_matrix, [cell(LONG, ONE_WORD, **UP)]),
    "matrix, holes": (
        interference_matrix,
        [*MATRIX, cell("math", "puzzles", **UNKNOWN)],
    ),
    "gains": (
        benchmark_gains,
        [gained("math", "better"), gained("puzzles", "cannot tell")],
    ),
    "gains, worse": (
        benchmark_gains,
        [gained("m", "worse", delta=-0.1, low=-0.2, high=-0.01)],
    ),
    "gains, all zero": (
        benchmark_gains,
        [gained("m", "cannot tell", delta=0, low=0, high=0)],
    ),
    "gains, unknown": (
        benchmark_gains,
        [gained(LONG, "", delta=NAN, low=None, high=None)],
    ),
    "gains, only base": (benchmark_gains, [gained("m", ONLY_BASE, guess=0.4)]),
    "families": (family_accuracy, [gained("math", "better"), gained("m", ONLY_BASE)]),
    "families, unknown": (family_accuracy, [gained(LONG, "", final=NAN, guess=None)]),
}
CALLS = {name: (module, [pd.DataFrame(rows)]) for name, (module, rows) in CASES.items()}
DROPS = {"duplicate": 30, LONG: 20}
RATES = pd.DataFrame(
    {
        "pass_rate": [0, 0.125, 0.5, 1, NAN],
        "tier": ["frontier", "teachable", "teachable", "easy", "suspect"],
    }
)
RISKS = RATES.assign(risk=[0.1, 0.3, 0.2, 0, NAN], fresh_rate=[NAN, 0, 0.5, NAN, NAN])
MOVED = pd.DataFrame(
    [
        {"before": before, "taught": taught, "after": after}
        | {"seeds": seeds, "by_chance": seeds * 0.8 + 1}
        for before, taught, counts in (
            ("below", False, (30, 4, 0)),
            ("inside", True, (3, 9, 20)),
        )
        for after, seeds in zip(("below", "inside", "above"), counts, strict=True)
    ]
)
ARMS = pd.DataFrame(
    [
        score("base", key="arm"),
        score("few-shot base", key="arm", examples=4.6, **UP),
        score("teachable+frontier", key="arm", rows=21, passes=36.2, **UP),
    ]
)
FLAT = pd.DataFrame([score("base", key="arm", **ZERO), score(LONG, key="arm", **ZERO)])
TRIED = pd.DataFrame({"transform": ["rename", LONG], "tried": [40, 0], "kept": [9, 0]})
MIX = {"organic": 30, "synthetic": 60, "self": 0}
DOSES = pd.DataFrame(
    [
        score("teachable", key="arm", share=share, rows=round(80 * share), **UP)
        for share in (0.25, 0.5, 1)
    ]
)
STEPS = pd.DataFrame(
    {
        "run": ["random"] * 6 + [LONG],
        "step": [*range(1, 7), 1],
        "loss": [2.0, 1.6, 1.3, 1.2, 1.1, 1.0, NAN],
        "heldout_accuracy": [NAN, NAN, 0.1, NAN, NAN, 0.2, NAN],
        "learning_rate": 1e-3,
        "tokens_per_second": 180.0,
        "memory_mb": 1400.0,
    }
)
MIXES = pd.DataFrame(
    [
        {"kind": kind, "share": share, "domain": domain, "n": 40}
        | {"accuracy": share / 2, "low": share / 3, "high": share}
        for kind, shares in {"sum": (0.1, 0.5, 0.9), "trained": (0.25, 0.75)}.items()
        for share in shares
        for domain in ("math", LONG)
    ]
)
FORETOLD = pd.DataFrame(
    [{"domain": "math", "rank_correlation": 0.5, "low": -0.2, "high": 0.9, "mixes": 2}]
)
SEEN = RecipeGain(0.1, 0.02, 0.18, 120, runs=3, run_sd=0.02, df=4, error=0.03)
CLAIMS = {
    "Teachable beats random": [("equal levels", SEEN, "better")],
    "A + B keeps A and B": [("math", RecipeGain(0, -0.2, 0.2, 120), "cannot tell")],
}
CALLS |= {
    "mixes": (mix_curve, [MIXES, FORETOLD]),
    "mixes, none trained": (mix_curve, [MIXES[MIXES.kind == "sum"], FORETOLD.head(0)]),
    "claims": (recipe_gains, [CLAIMS]),
    "claims, long": (recipe_gains, [{"Does it?": [(LONG, SEEN, "equal")]}]),
    "claims, unknown": (
        recipe_gains,
        [{"?": [("x", RecipeGain(NAN, NAN, NAN, 120), "")]}],
    ),
    "room": (guess_histogram, [[0.1, 0.3, 0.9], Accuracy(0.2, 0.1, 0.4, 8)]),
    "room, a loss": (guess_histogram, [[-0.1, 2.0], Accuracy(-0.2, -0.4, 0, 8)]),
    "room, nothing measured": (guess_histogram, [[0.0, 1.0]]),
    "dose": (dose_curve, [DOSES, "tapers"]),
    "dose, one": (dose_curve, [DOSES.tail(1), "cannot tell"]),
    "dose, unknown": (dose_curve, [DOSES.assign(high=None, delta=NAN), ""]),
    "training": (learning_curves, [STEPS]),
    "training, one step": (learning_curves, [STEPS.head(1)]),
    "training, loss alone": (learning_curves, [STEPS[["run", "step", "loss"]]]),
    "flow": (row_flow, [{"read": 100, "kept": 50, "dropped": DROPS}]),
    "flow, nothing dropped": (row_flow, [{"read": 3, "kept": 3, "dropped": {}}]),
    "flow, nothing kept": (row_flow, [{"read": 3, "kept": 0, "dropped": {"bad": 3}}]),
    "flow, many reasons": (
        row_flow,
        [{"read": 300, "kept": 0, "dropped": {f"why {i}": 10 for i in range(30)}}],
    ),
    "passrates": (pass_rate_histogram, [RATES]),
    "passrates, all zero": (pass_rate_histogram, [RATES.assign(pass_rate=0.0)]),
    "passrates, mixed k": (
        pass_rate_histogram,
        [RATES.assign(pass_rate=[1 / 3, 0.2, 1 / 7] + [1] * 2)],
    ),
    "passrates, one": (pass_rate_histogram, [RATES.head(1), (0.2, 0.9)]),
    "passrates, unknown tier": (pass_rate_histogram, [RATES.assign(tier="new")]),
    "passrates, risks": (pass_rate_histogram, [RISKS]),
    "passrates, nothing afresh": (
        pass_rate_histogram,
        [RISKS.drop(columns="fresh_rate")],
    ),
    "passrates, unknown risks": (
        pass_rate_histogram,
        [RISKS.assign(risk=NAN, fresh_rate=NAN)],
    ),
    "drift": (edge_drift, [MOVED]),
    "drift, long names": (edge_drift, [MOVED.replace("below", LONG)]),
    "drift, one tier": (edge_drift, [MOVED.head(3)]),
    "arms": (arm_gains, [ARMS, {"teachable": [2.0, 1.5, 1.1], "random": [2.0, 1.6]}]),
    "arms, no losses": (arm_gains, [FLAT, {}]),
    "arms, odd losses": (arm_gains, [FLAT, {"base": [], "random": [NAN], LONG: [1.0]}]),
    "arms, unknown": (
        arm_gains,
        [pd.DataFrame([score("x", key="arm", **UNKNOWN)]), {}],
    ),
    "yields": (transform_yields, [TRIED, MIX]),
    "yields, no transform": (transform_yields, [TRIED.head(0), MIX]),
    "yields, empty set": (transform_yields, [TRIED, {}]),
}


@cache
def drawn(name):
    module, arguments = CALLS[name]
    return module.draw(*arguments)


def texts(figure):
    return "\n".join(
        text.get_text()
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_visible()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_draws(name):
    png, shown = drawn(name)._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert shown == {"width": 768}


def sample_size(module, first):
    """The number that a figure of this data must call its n; `None` if it has none."""
    if module is row_flow:
        return first["read"]
    if module is guess_histogram:
        return len(first)
    if module is transform_yields:
        return first["tried"].sum()
    if module is edge_drift:
        return first["seeds"].sum()
    if module is pass_rate_histogram:
        return first["pass_rate"].notna().sum()
    if module is recipe_gains:
        return SEEN.n
    if module is learning_curves:
        return first.groupby("run").step.max().min()
    return first["n"].min()


@pytest.mark.parametrize("name", CALLS)
def test_says_how_many_and_asks_in_words(name):
    module, arguments = CALLS[name]
    shown = texts(drawn(name))
    assert module.TITLE in shown
    size = sample_size(module, arguments[0])
    assert f"n = {number_format.count(size)}" in shown


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_cut_off(name):
    figure = drawn(name)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.05
    assert box.y0 > -0.05
    assert box.x1 < width + 0.05
    assert box.y1 < height + 0.05


@pytest.mark.parametrize(
    "figure",
    [
        difficulty.draw(pd.DataFrame(columns=["family", "level"])),
        row_flow.draw({"read": 0, "kept": 0, "dropped": {}}),
        row_flow.draw({}),
        pass_rate_histogram.draw(RATES.head(0)),
        pass_rate_histogram.draw(RATES.assign(pass_rate=NAN)),
        edge_drift.draw(MOVED.head(0)),
        arm_gains.draw(ARMS.head(0), {}),
        transform_yields.draw(TRIED.head(0), {}),
        dose_curve.draw(DOSES.head(0), "tapers"),
        learning_curves.draw(STEPS.head(0)),
        interference_matrix.draw(pd.DataFrame()),
        benchmark_gains.draw(pd.DataFrame()),
        family_accuracy.draw(pd.DataFrame()),
        mix_curve.draw(MIXES.head(0), FORETOLD),
        guess_histogram.draw([], about="accuracy"),
        recipe_gains.draw({"Does it?": []}),
    ],
)
def test_without_data_a_figure_says_so(figure):
    assert re.search(r"\b(No|Nothing)\b.*\.", texts(figure))


def test_difficulty_is_sorted_by_level():
    rows = pd.DataFrame([family("hard", level=9), family("easy", level=1)])
    shown = [
        tick.get_text() for tick in difficulty.draw(rows).axes[0].get_yticklabels()
    ]
    assert shown == ["easy  ·  level 1", "hard  ·  level 9"]


def test_flow_bars_add_up():
    figure = row_flow.draw({"read": 100, "kept": 50, "dropped": {"a": 10, "b": 40}})
    read, *dropped, kept = (bar.get_width() for bar in figure.axes[0].patches)
    assert read == kept + sum(dropped) == 100
    assert dropped == [40, 10]


def test_flow_that_loses_rows_says_so():
    assert "do not add up" in texts(
        row_flow.draw({"read": 9, "kept": 1, "dropped": {}})
    )


def test_flow_says_what_a_limit_left():
    figure = row_flow.draw({"read": 160, "kept": 160, "dropped": {}, "unread": 40})
    assert "A limit left 40 of 200 rows unread." in texts(figure)


def test_flow_gathers_the_smallest_reasons():
    why = {f"why {i}": i + 1 for i in range(30)}
    total = sum(why.values())
    figure = row_flow.draw({"read": total, "kept": 0, "dropped": why})
    assert "21 more reasons" in texts(figure)
    assert sum(bar.get_width() for bar in figure.axes[0].patches[1:-1]) == total


@pytest.mark.parametrize(
    ("rates", "steps"), [([0, 0], 8), ([0.125], 8), ([1 / 3], 9), ([1 / 32], 32)]
)
def test_pass_rates_find_their_grid(rates, steps):
    frame = pd.DataFrame({"pass_rate": rates, "tier": "easy"})
    bars = pass_rate_histogram.draw(frame).axes[0].containers[0]
    assert len(bars) == steps + 1  # from 0 to 1


def test_pass_rates_lose_no_seed():
    rates = pd.DataFrame({"pass_rate": np.linspace(0, 1, 77), "tier": "easy"})
    figure = pass_rate_histogram.draw(rates)
    assert sum(bar.get_height() for bar in figure.axes[0].containers[0]) == 77
    assert "n = 77 seeds" in texts(figure)


def test_a_rooms_guess_stands_where_it_was_made():
    figure = guess_histogram.draw([0.3] * 4 + [1.0, 0.0])
    bars = figure.axes[0].containers[0]
    places = {
        round(bar.get_x() + bar.get_width() / 2, 9): bar.get_height()
        for bar in bars
        if bar.get_height()
    }
    assert places == {0.0: 1, 0.3: 4, 1.0: 1}


def test_samples_say_how_rough_one_pass_rate_is():
    assert "4 right of 8 has the 95 % interval 21.5" in texts(
        pass_rate_histogram.draw(RATES, samples=8)
    )


def test_tiers_show_what_chose_them_and_what_came_after():
    figure = pass_rate_histogram.draw(RISKS)
    assert "risk\n25.0" in texts(figure)
    squares = [line for line in figure.axes[1].lines if line.get_marker() == "s"]
    assert [line.get_xdata()[0] for line in squares] == [0.25]
    assert len(pass_rate_histogram.draw(RATES).axes) == 1


def test_the_tiers_posterior_mean_is_what_the_bars_show():
    rows = RISKS.assign(expected=[0.02, 0.2, 0.5, 0.9, NAN])
    figure = pass_rate_histogram.draw(rows)
    assert "posterior mean" in texts(figure)
    bars = figure.axes[0].containers
    places = [b.get_x() + b.get_width() / 2 for c in bars for b in c if b.get_height()]
    assert sorted(places) == pytest.approx([0, 0.2, 0.5, 0.9])
    assert "posterior" not in texts(pass_rate_histogram.draw(RATES))


def test_a_notebook_shows_words_for_who_cannot_see_and_small_print_that_can_be_read():
    page = drawn("gains")._repr_html_()
    assert f'alt="{benchmark_gains.TITLE} Gain in points: math, pass@1 +10.0' in page
    assert "min-width:600px" in page
    assert "overflow-x:auto" in page
    long = difficulty.draw(pd.DataFrame([family('"><script>')]))
    assert "<script>" not in long._repr_html_()


@pytest.mark.parametrize("name", CALLS)
def test_every_figure_says_in_words_what_it_shows(name):
    figure = drawn(name)
    assert figure.words.startswith(figure.question)
    assert re.search(r"\d|–", figure.finding), figure.finding
    assert "nan" not in figure.finding
    assert len(figure.words) < 4000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("difficulty", "gcd 40.0 % [30.0 to 50.0 %], n = 40, one constant answer 25.0"),
        ("flow", "50 of 100 rows kept (50.0 %). 30 dropped: duplicate; 20 dropped: an"),
        (
            "passrates",
            "tier: teachable n = 2, 31.2 % [12.5 to 50.0 %]; easy n = 1, 100",
        ),
        (
            "arms",
            "base 40.0 % [30.0 to 50.0 %], n = 40; few-shot base 40.0 % [30.0 to ",
        ),
        ("arms", "+14.0 [+8.0 to +20.0] points over base, n = 40"),
        (
            "matrix",
            "base on math 40.0 % [30.0 to 50.0 %] right, n = 40; math on math +",
        ),
        ("gains", "+10.0 [+2.0 to +18.0], 20.0 % to 30.0 %, n = 120: cannot tell."),
        (
            "families",
            "math, sums base 20.0 %, final 30.0 % [22.0 to 39.0 %], n = 120: ",
        ),
        (
            "yields",
            "60 synthetic rows in the data set; 0 self rows in the data set; re",
        ),
        ("dose", "the gain tapers. 20 rows 40.0 % [30.0 to 50.0 %], n = 40; 40 rows"),
        ("drift", "below to below 30, 25 by chance; below to inside 4, 4 by chance"),
        ("training", "random 6 steps, loss 2.00 to 1.00"),
    ],
)
def test_its_words_hold_the_numbers_of_its_table(name, words):
    assert words in drawn(name).words.replace("\u00a0", " ")


@pytest.mark.slow
def test_words_do_not_read_out_a_hundred_rows():
    rows = pd.DataFrame([family(f"f{number}") for number in range(100)])
    assert difficulty.draw(rows).words.endswith("; and 84 more in the table.")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CALLS if "," not in name])
def test_a_figure_is_written_as_svg_that_follows_light_and_dark(name):
    svg = drawn(name).svg()
    ET.fromstring(svg)
    assert svg.count("prefers-color-scheme: dark") == 1
    # The rules name colours as Matplotlib writes them.
    for light in (palette.PAPER, palette.INK, palette.QUIET):
        if name.startswith(("difficulty", "gains")):
            assert f"fill: {light.lower()}" in svg.partition("</style>")[2]


def test_the_same_figure_is_the_same_svg():
    module, arguments = CALLS["gains"]
    assert module.draw(*arguments).svg() == module.draw(*arguments).svg()


def _luminance(colour):
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return np.dot(parts, (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    """As WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["light", "dark"])
def test_words_and_marks_stand_out_from_a_page(page):
    seen = palette.DARK if page == "dark" else {}
    paper = seen.get(palette.PAPER, palette.PAPER)
    for words in (palette.INK, palette.QUIET):
        assert contrast(seen.get(words, words), paper) >= 4.5
    band = seen.get(palette.BAND, palette.BAND)
    assert contrast(seen.get(palette.BAND_INK, palette.BAND_INK), band) >= 4.5
    for name in ("base", "random", "own", "few-shot base", "worse", "better"):
        colour = style.COLOURS[name]
        assert contrast(seen.get(colour, colour), paper) >= 3, name


def test_a_band_is_the_studys_own_or_none():
    edges = [line.get_xdata()[0] for line in drawn("passrates, one").axes[0].lines]
    assert edges == [0.2, 0.9]
    assert not drawn("passrates").axes[0].lines
    assert "band" not in texts(drawn("passrates"))


def test_drift_stands_above_what_chance_would_do():
    bars = edge_drift.draw(MOVED).axes[0].patches
    full = [bar.get_width() for bar in bars if bar.get_alpha() is None]
    pale = [bar.get_width() for bar in bars if bar.get_alpha() is not None]
    assert sum(full) == sum(pale) == pytest.approx(2)
    assert full[-1] == 20 / 32


def test_every_cell_of_the_matrix_has_its_interval():
    shown = texts(interference_matrix.draw(pd.DataFrame(MATRIX)))
    assert "+14.0" in shown
    assert "+8.0 to +20.0\n40.0\u00a0%, n = 40" in shown
    assert "30.0 to 50.0\u00a0%\nn = 40" in shown
    assert "not asked" not in shown
    alone = [*MATRIX, cell("base", "puzzles")]  # an adapter asked one domain only
    assert "not asked" in texts(interference_matrix.draw(pd.DataFrame(alone)))


def test_gains_are_coloured_by_verdict():
    rows = pd.DataFrame([gained("a", "worse"), gained("b", "better")])
    colours = {line.get_color() for line in benchmark_gains.draw(rows).axes[0].lines}
    assert {style.COLOURS["worse"], style.COLOURS["better"]} <= colours


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("difficulty", [0.25, 0.25]),
        ("arms", [0.25]),
        ("gains", [0.06, 0.06]),
        ("families", [0.26, 0.26]),
    ],
)
def test_what_guessing_gives_stands_in_the_figure(name, places):
    figure = drawn(name)
    assert style.GUESS in texts(figure)
    dotted = [
        line.get_xdata()[0]
        for line in figure.axes[0].lines
        if line.get_linestyle() == ":"
        or getattr(line, "_unscaled_dash_pattern", None) == style.GUESS_LINE["ls"]
    ]
    assert dotted == pytest.approx(places)


def test_a_gain_that_a_constant_would_give_looks_like_none():
    shown = texts(drawn("gains, only base"))
    assert ONLY_BASE in shown
    rows = pd.DataFrame([cell("m", "m", **UP | {"verdict": ONLY_BASE})])
    assert "+14.0 †" in texts(interference_matrix.draw(rows))
    assert "†" not in "".join(re.findall(r"[+]14.0.*", texts(drawn("matrix"))))


def test_the_readers_own_settings_neither_leak_in_nor_are_changed():
    rows = pd.DataFrame([family("a")])
    plain = difficulty.draw(rows)._repr_png_()[0]
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30}):
        mine = dict(matplotlib.rcParams)
        assert difficulty.draw(rows)._repr_png_()[0] == plain
        assert dict(matplotlib.rcParams) == mine


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        figure = interference_matrix.draw(pd.DataFrame(MATRIX))
        figure.savefig(tmp_path / name, metadata={"Software": None})
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_curve_that_tapers_says_so():
    shown = texts(dose_curve.draw(DOSES, "tapers", base=0.2))
    assert "the gain tapers" in shown
    assert "25 %\n20 rows" in shown


def test_a_live_view_is_drawn_by_hand_and_not_headless(monkeypatch):
    class Shown:
        def __init__(self):
            self.figures = []

        def __call__(self, figure, display_id=None):
            self.figures.append(figure)
            return self

        def update(self, figure):
            self.figures.append(figure)

    shown = Shown()
    monkeypatch.setattr("phi_kit.core.progress.in_kernel", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown)
    monkeypatch.setattr(learning_curves, "EVERY_SECONDS", 0)
    row = {"step": 1, "loss": 2.0}
    monkeypatch.setenv("PHI_KIT_HEADLESS", "1")
    with learning_curves.LiveCurves() as view:
        view.watch("random")(row)
    assert shown.figures == []
    assert view.table().to_dict("records") == [{"run": "random", **row}]
    monkeypatch.delenv("PHI_KIT_HEADLESS")
    with learning_curves.LiveCurves() as view:
        view.watch("random")(row)
        view.watch("random")({"step": 1, "loss": 2.0, "heldout_accuracy": 0.4})
        view.watch("teachable")(row)
    assert len(shown.figures) == 4  # one for each row, one at the end
    assert "held-out accuracy" in texts(shown.figures[-1])
    assert "Steps done: n = 1" in texts(shown.figures[-1])


@pytest.mark.slow
def test_pyplot_is_never_touched_and_matplotlib_only_when_drawing():
    modules = sorted(Path(plots.__file__).parent.glob("*.py"))
    names = [f"phi_kit.plots.{path.stem}" for path in modules if path.stem != "figure"]
    code = f"import sys, {', '.join(names)}; assert 'matplotlib' not in sys.modules\n"
    code += (
        "from phi_kit.plots import row_flow; row_flow.draw({'read': 1, 'kept': 1})\n"
    )
    code += "assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_module_has_one_public_function_named_draw():
    shared = {"__init__", "palette", "style", "figure"}
    modules = {path.stem: path for path in Path(plots.__file__).parent.glob("*.py")}
    figures = {module.__name__.rpartition(".")[2] for module, _ in CALLS.values()}
    # A new figure needs a case of its own above.
    assert figures == modules.keys() - shared
    for name in figures:
        path = modules[name]
        tree = ast.parse(path.read_text())
        functions = [
            node.name for node in tree.body if isinstance(node, ast.FunctionDef)
        ]
        assert [name for name in functions if name[0] != "_"] == ["draw"], path.name
