"""A finished study made of plausible numbers, for tests that read run folders."""

import json
from pathlib import Path

import pandas as pd

from phi_kit.plots import (
    arm_gains,
    benchmark_gains,
    difficulty,
    interference_matrix,
    pass_rate_histogram,
    row_flow,
    transform_yields,
)

DOMAINS = {"math": "Arithmetic & sums", "puzzles": "Letter <puzzles>"}
UP = {"delta": 0.123, "low": 0.061, "high": 0.184}
FLAT = {"delta": 0.012, "low": -0.031, "high": 0.055}


def score(accuracy, n=120, **more):
    span = {"low": round(accuracy - 0.07, 3), "high": round(accuracy + 0.07, 3)}
    return {"n": n, "accuracy": accuracy, "guess": 0.17} | span | more


def over_base(gain):
    return {
        "delta": gain["delta"],
        "delta_low": gain["low"],
        "delta_high": gain["high"],
    }


NO_GAIN = {"delta": None, "delta_low": None, "delta_high": None}


def pick_domain(domain):
    families = [
        ("one_digit_sums", 1, 0.61),
        ("two_digit_sums", 2, 0.12),
        ("gcd", 3, 0.3),
    ]
    return {
        "title": DOMAINS[domain],
        "description": "Short questions whose answer is one number.",
        "answer_kind": "one number",
        "instruction": "Answer with a number after <answer>.",
        "scores": [score(a, 40, family=f, level=level) for f, level, a in families],
        "overall": score(0.34),
        "guessing": {"overall": score(0.173)},
        "sealed": {"dev": 120, "test": 120},
    }


def filter_edge(_):
    return {
        "tiers": {"easy": 210, "teachable": 380, "frontier": 120},
        "samples": 8,
        "truncated": 0.031,
        "band": [0.1, 0.75],
        "risk": {"easy": 0.08, "teachable": 0.125, "frontier": 0.1},
        "doubt": 0.049,
        "control": {"rows": 391, "tokens": 48_200, "trained": 4_010},
        "teachable": {"rows": 380, "tokens": 48_310, "trained": 4_000},
        "measured_afresh": {
            "chosen": score(0.41, 380),
            "expected": score(0.35, 380),
            "fresh": score(0.34, 380),
        },
        "reference": {
            "without_gold": 40,
            "answered": 31,
            "gold_slice": {"sure": 36, "wrong": 3, "low": 0.029, "high": 0.218},
            "never_solved": {"asked": 120, "split": 25, "other": 4},
        },
    }


def probe(domain):
    gain = UP if domain == "math" else FLAT
    verdict = "better" if domain == "math" else "cannot tell"
    arm = {"rows": 380, "tokens": 48_310}
    return {
        "arms": [
            score(0.34, arm="base", rows=0, tokens=0, verdict=None, **NO_GAIN),
            score(0.37, arm="random", verdict="cannot tell", **arm, **over_base(FLAT))
            | {"p": 0.31, "p_holm": 0.31},
            score(0.46, arm="teachable", verdict="better", **arm, **over_base(UP))
            | {"p": 0.0001, "p_holm": 0.0002},
        ],
        "teachable_vs_random": {**gain, "n": 120, "verdict": verdict},
        "losses": {
            "random": [1.9 / (1 + i / 9) for i in range(40)],
            "teachable": [2.1 / (1 + i / 8) for i in range(40)],
        },
        "recipe": {"learning_rate": 1e-3, "rank": 16, "epochs": 2, "mask": True},
    }


def synthesize(_):
    names = [("new_numbers", 400, 371), ("word_problem", 200, 88), ("reversed", 90, 4)]
    keys = ("transform", "tried", "kept")
    return {
        "transforms": [dict(zip(keys, row, strict=True)) for row in names],
        "mix": {"organic": 380, "synthetic": 463, "self": 120},
    }


def expand(_):
    base = {"math": 0.34, "puzzles": 0.31}
    plan = {"math": (UP, FLAT), "puzzles": (FLAT, UP), "math+puzzles": (UP, UP)}
    cells = [
        score(base[d], adapter="base", domain=d, verdict="", **NO_GAIN) for d in base
    ]
    for adapter, gains_of in plan.items():
        for (domain, start), gain in zip(base.items(), gains_of, strict=True):
            accuracy = round(start + gain["delta"], 3)
            names = {"adapter": adapter, "domain": domain}
            cells.append(score(accuracy, **names, verdict="", **over_base(gain)))
    kept = {"alone": 0.463, "merged": 0.475, "n": 120, "verdict": "cannot tell", **FLAT}
    return {
        "matrix": cells,
        "retention": [{"domain": domain, **kept} for domain in base],
        "final": "math+puzzles",
    }


def benchmark(_):
    worse = {"delta": -0.04, "low": -0.07, "high": -0.01}
    rows = [
        ("math", "pass@1", 0.34, UP, "better"),
        ("math", "maj@4", 0.36, UP, "better"),
        ("puzzles", "pass@1", 0.31, worse, "worse"),
        ("puzzles", "maj@4", 0.33, FLAT, "cannot tell"),
    ]
    extra = {"n": 120, "k": 4, "base_truncated": 0.08, "final_truncated": 0.01}
    extra |= {"base_tokens": 61.2, "final_tokens": 24.9, "guess": 0.173}
    family = {"family": "sums", "final_low": 0.3, "final_high": 0.6}
    return {
        "families": [
            {"domain": d, "base": b, "final": b + g["delta"], **g, **extra, **family}
            | {"verdict": v}
            for d, m, b, g, v in rows
            if m == "pass@1"
        ],
        "scores": [
            {"domain": d, "metric": m, "base": b, "final": b + g["delta"], **g, **extra}
            | {"verdict": v}
            for d, m, b, g, v in rows
        ],
    }


def collect(_):
    return {"sources": {"reasoning-gym/chain_sum": 700, "my rows.csv": 410}}


FLOW = {
    "read": 1500,
    "kept": 1110,
    "dropped": {"duplicate": 240, "sealed": 100, "gold not verified": 50},
}
RESULTS = {
    "01_pick_domain": pick_domain,
    "02_collect_seeds": collect,
    "03_filter_edge": filter_edge,
    "04_probe_sft": probe,
    "05_synthesize": synthesize,
    "06_expand_domains": expand,
    "07_benchmark": benchmark,
}


def write_manifest(folder: Path, result, **more):
    """A finished run folder with this result."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "step": folder.name,
        "digest": "0123456789abcdef",
        "params": {"study": "demo", "model": "smollm2-135m", "rng_seed": 7},
        "flow": FLOW if folder.name == "02_collect_seeds" else None,
        "result": result,
        "files": {},
        "seconds": 200.4,
        "finished": "2026-03-01T10:20:30Z",
        "versions": {"phi_kit": "0.1", "torch": "2.13"},
    } | more
    (folder / "manifest.json").write_text(json.dumps(manifest))


def build(runs: Path, study="demo", *, figures=False) -> Path:
    """All steps of a study of two domains; figures take some seconds."""
    for step, result in RESULTS.items():
        for domain in DOMAINS if step < "06" else [""]:
            folder = runs / study / domain / step
            write_manifest(folder, result(domain))
            if figures:
                (folder / "figures").mkdir()
                draw(step, result(domain)).savefig(folder / "figures" / f"{step}.png")
    return runs / study


def draw(step, result):
    """The signature figure of a step from its result."""
    frame = pd.DataFrame
    rates = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]
    counts = [120, 150, 90, 70, 40, 30, 60, 70, 80]
    tiers = ["frontier", *["teachable"] * 5, *["easy"] * 3]
    table = zip(rates, tiers, counts, strict=True)
    rows = [(rate, tier) for rate, tier, n in table for _ in range(n)]
    return {
        "01": lambda: difficulty.draw(frame(result["scores"])),
        "02": lambda: row_flow.draw(FLOW),
        "03": lambda: pass_rate_histogram.draw(
            frame(rows, columns=["pass_rate", "tier"])
        ),
        "04": lambda: arm_gains.draw(frame(result["arms"]), result["losses"]),
        "05": lambda: transform_yields.draw(frame(result["transforms"]), result["mix"]),
        "06": lambda: interference_matrix.draw(frame(result["matrix"])),
        "07": lambda: benchmark_gains.draw(frame(result["scores"])),
    }[step[:2]]()
