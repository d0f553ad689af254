"""Studies for tests: toy steps that cost nothing, numbers of a finished study, a
user's own study file.

Kernels import this module, too, so what takes long to import stands in functions;
`environment()` puts it on their path.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from pydantic import Field, model_validator

from phi_kit.core import sample_counts, step_table
from phi_kit.core.params import StepParams
from phi_kit.core.paths import runs_root
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step

# --- steps that cost nothing ---

PICK_DOMAIN = Step(1, "pick_domain")
FILTER_EDGE = Step(3, "filter_edge", needs=(PICK_DOMAIN,))
BENCHMARK = Step(7, "benchmark", needs=(FILTER_EDGE,), per_domain=False)
STEPS = (PICK_DOMAIN, FILTER_EDGE, BENCHMARK)
STEMS = tuple(step.folder for step in STEPS)
HERE = Path(__file__).parent


class Pick(StepParams):
    """A first step."""

    STEP: ClassVar[Step] = PICK_DOMAIN
    domain: str = "math"
    items: int = Field(3, ge=1)


class Edge(StepParams):
    """A step that reads the first."""

    STEP: ClassVar[Step] = FILTER_EDGE
    domain: str = "math"
    samples: int = Field(4, ge=2)
    band: list[float] = Field([0.2, 0.8])
    rate: float = Field(1e-3, gt=0)
    adapt: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self):
        if self.band != sorted(self.band):
            raise ValueError("band should rise")
        return self


class Bench(StepParams):
    """A step that reads the second, of all domains."""

    STEP: ClassVar[Step] = BENCHMARK
    domains: list[str] = Field(["math"])
    items: int = Field(4, ge=1)


PARAMS = {p.STEP.name: p for p in (Pick, Edge, Bench)}


def load(step):
    return SimpleNamespace(Params=PARAMS[step.name], run=run)


@reuse_finished
def run(params) -> StepRun:
    """Note the execution in a file, then finish with two rows kept and one dropped."""
    params.require_upstream()
    log = runs_root().parent / "executions.log"
    with open_run(params) as opened, log.open("a") as file:
        file.write(f"{params.STEP} {getattr(params, 'domain', '-')}\n")
        opened.flow = RowCounts()
        opened.flow.take([None, None, "too long"])
        opened.result = params.model_dump(mode="json", exclude={"study"})
    return opened


@reuse_finished
def run_with_figure(params: Pick) -> StepRun:
    """A table, a figure, counts, and a note of when it was carried out.

    With `TOY_INTERRUPT` in the environment somebody stops it after 131 samples.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    with open_run(params) as run:
        run.save_rows(pd.DataFrame({"unseen": [0]}), "other")
        run.table = pd.DataFrame({"x": range(params.items), "word": "a"})
        run.save_rows(run.table)
        run.flow = RowCounts()
        run.flow.take([None] * params.items + ["too long"])
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1])
        run.figure = run.save_figure(figure, "line")
        run.result = {"at": time.time(), "kept": params.items}
        for _ in range(131):
            sample_counts.record_generated(1, None)
        if os.environ.get("TOY_INTERRUPT"):
            signal.raise_signal(signal.SIGINT)
            time.sleep(60)
    return run


# --- a project folder with their notebooks ---


def install(monkeypatch) -> None:
    """Put the toy steps in the place of the real ones."""
    monkeypatch.setattr("phi_kit.steps.STEPS", STEPS)
    monkeypatch.setattr("phi_kit.steps.load", load)
    # Toy steps import nothing that a template would have to.
    monkeypatch.setattr("phi_kit.study.notebook.warm_kernels.PRELOAD", ())
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


def enter_project(folder: Path, monkeypatch) -> Path:
    """Make a project there and work in it, with the toy steps."""
    make_project(folder)
    install(monkeypatch)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PHI_KIT_RUNS", raising=False)
    return folder


def environment() -> dict[str, str]:
    path = [str(HERE.parent), str(HERE)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def make_project(folder: Path, **cells: str) -> Path:
    """Write notebooks, and `params/toy.yaml`; `cells` adds one, by step."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "params").mkdir()
    text = "study: toy\ndomains: [math, puzzles]\nfilter_edge:\n  samples: 3\n"
    (folder / "params/toy.yaml").write_text(text)
    for step in STEPS:
        write_notebook(folder, step.name, cells.get(step.name, ""))
    return folder


def write_notebook(folder: Path, name: str, extra: str = "") -> None:
    import nbformat  # seconds of imports that the kernels need not pay

    params = PARAMS[name]
    values = params().model_dump(mode="json")
    literals = "\n".join(f"{key.upper()} = {value!r}" for key, value in values.items())
    first = nbformat.v4.new_code_cell(literals, metadata={"tags": ["parameters"]})
    # `from_notebook` would import pandas, which takes longer than all the rest.
    read = f"params = fake_study.{params.__name__}.from_namespace(globals())"
    sources = [f"import fake_study\n{read}", extra, "_ = fake_study.run(params)"]
    book = nbformat.v4.new_notebook(
        cells=[first, *(nbformat.v4.new_code_cell(s) for s in sources if s)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "", "language": ""}
        },
    )
    nbformat.write(book, folder / "notebooks" / f"{params.STEP}.ipynb")


def executions(folder: Path) -> list[str]:
    log = folder / "executions.log"
    return log.read_text().splitlines() if log.exists() else []


def start(
    folder: Path, *arguments: str, command: tuple[str, ...] = ("run", "params/toy.yaml")
) -> subprocess.Popen:
    """`phi-kit run params/toy.yaml` with the toy steps, in a process of its own."""
    code = (
        "import phi_kit.steps, fake_study; phi_kit.steps.STEPS = fake_study.STEPS; "
        "phi_kit.steps.load = fake_study.load; "
        "from phi_kit.study.notebook import warm_kernels; warm_kernels.PRELOAD = (); "
        "from phi_kit.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *command, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts background jobs deaf to SIGINT, and they hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(condition, *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed process nobody has waited for yet is a zombie, not alive.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


# --- the run folders of a finished study, with plausible numbers ---

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


def _pick_domain_result(domain):
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
        "style": "steps",
        "sealed": {"dev": 120, "test": 120},
    }


def _filter_edge_result(_):
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
        "teachable_places": {"inside": 240, "below": 140},
        "never_solved": "",
        "responses": _responses_result(),
    }


def _responses_result():
    """As `collect` sums them up, of all sources and of the student alone."""
    worked = {"made": 500, "kept": 470, "dropped": {"wrong": 30}}
    teacher = {
        "made": 240,
        "kept": 200,
        "dropped": {"language switch": 2, "truncated": 8, "wrong": 30},
    }
    own = {"made": 2130, "kept": 215, "dropped": {"not in style": 15, "wrong": 1900}}
    return {
        "made": 740,
        "kept": 670,
        "dropped": {"language switch": 2, "truncated": 8, "wrong": 60},
        "sources": {"worked": worked, "teacher": teacher},
        "without": 40,
        "style": "steps",
        "own": own | {"sources": {"few-shot": own}, "without": 495},
        "teacher": {
            "samples": 231,
            "reused": 9,
            "tokens": 90_210,
            "cost": 1.234,
            "rounds": 3,
            "unasked": 12,
        },
        "teachable": "gap",
    }


def _probe_result(domain):
    gain = UP if domain == "math" else FLAT
    verdict = "better" if domain == "math" else "cannot tell"
    arm = {"rows": 380, "tokens": 48_310, "lenient": 0.47, "truncated": 0.01}
    arm |= {"role": "arm", "passes": 2.0}
    few = {"rows": 21, "passes": 36.2}
    untrained = {"lenient": 0.41, "truncated": 0.08, "role": "baseline"}
    compared = {**gain, "n": 120, "verdict": verdict}
    few_shot = {"verdict": "cannot tell", "form": 0.012, **over_base(FLAT)}
    few_shot |= {"examples": 4.6}
    return {
        "arms": [
            score(0.34, arm="base", verdict=None, **NO_GAIN, **untrained),
            score(0.35, arm="few-shot base", **few_shot, **untrained),
            score(0.36, arm="own", verdict="cannot tell", **arm, **over_base(FLAT))
            | few
            | {"p": 0.31, "p_holm": 0.62, "form": 0.012},
            score(0.37, arm="random", verdict="cannot tell", **arm, **over_base(FLAT))
            | {"p": 0.31, "p_holm": 0.62, "form": 0.012},
            score(0.46, arm="teachable", verdict="better", **arm, **over_base(UP))
            | {"p": 0.0001, "p_holm": 0.0002, "form": 0.063},
        ],
        "teachable_vs_random": compared,
        "teachable_vs_own": compared,
        "teachable_vs_few_shot": compared,
        "losses": {
            "random": [1.9 / (1 + i / 9) for i in range(40)],
            "teachable": [2.1 / (1 + i / 8) for i in range(40)],
        },
        "recipe": {"learning_rate": 1e-3, "rank": 16, "epochs": 2, "mask": True},
    }


def _synthesize_result(_):
    names = [("new_numbers", 400, 371), ("word_problem", 200, 88), ("reversed", 90, 4)]
    keys = ("transform", "tried", "kept")
    return {
        "transforms": [dict(zip(keys, row, strict=True)) for row in names],
        "mix": {"organic": 380, "synthetic": 463, "self": 120},
    }


def _expand_result(_):
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
    organic = {"domain": "math", "organic": 0.382, "mix": 0.463, "n": 120}
    organic |= {"organic_rows": 61, "mix_rows": 102, "verdict": "better", **UP}
    organic |= {"organic_tokens": 5120, "mix_tokens": 5104}
    return {
        "matrix": cells,
        "retention": [{"domain": domain, **kept} for domain in base],
        "organic": [organic],
        "final": "math+puzzles",
    }


def _benchmark_result(_):
    worse = {"delta": -0.04, "low": -0.07, "high": -0.01}
    rows = [
        ("math", "pass@1", 0.34, UP, "better"),
        ("math", "maj@4", 0.36, UP, "better"),
        ("puzzles", "pass@1", 0.31, worse, "worse"),
        ("puzzles", "maj@4", 0.33, FLAT, "cannot tell"),
    ]
    extra = {"n": 120, "k": 4, "base_truncated": 0.08, "final_truncated": 0.01}
    extra |= {"base_tokens": 61.2, "final_tokens": 24.9, "guess": 0.173}
    extra |= {"base_lenient": 0.41, "final_lenient": 0.47}
    for control in ("own", "few_shot"):
        over = {"": 0.081, "_low": 0.022, "_high": 0.14}
        extra |= {f"over_{control}{end}": value for end, value in over.items()}
        extra |= {control: 0.382}
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


def _collect_result(_):
    return {"sources": {"reasoning-gym/chain_sum": 700, "my rows.csv": 410}}


FLOW = {
    "read": 1500,
    "kept": 1110,
    "dropped": {"duplicate": 240, "sealed": 100, "gold not verified": 50},
}
PER_DOMAIN = {str(step) for step in step_table.STEPS if step.per_domain}
RESULTS = {
    "01_pick_domain": _pick_domain_result,
    "02_collect_seeds": _collect_result,
    "03_filter_edge": _filter_edge_result,
    "04_probe_sft": _probe_result,
    "05_synthesize": _synthesize_result,
    "06_expand_domains": _expand_result,
    "07_benchmark": _benchmark_result,
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
        "spent": {"sampling": 90.0, "training": 60.5},
        "finished": "2026-03-01T10:20:30Z",
        "versions": {"phi_kit": "0.1", "torch": "2.13"},
    } | more
    (folder / "manifest.json").write_text(json.dumps(manifest))


def build(runs: Path, study="demo", *, figure: bytes = b"") -> Path:
    """All steps of a study of two domains, each with this figure if there is one."""
    for step, result in RESULTS.items():
        for domain in DOMAINS if step in PER_DOMAIN else [""]:
            folder = runs / study / domain / step
            write_manifest(folder, result(domain))
            if figure:
                (folder / "figures").mkdir()
                (folder / "figures" / f"{step}.png").write_bytes(figure)
    return runs / study


# --- a study of a user's own domain: one CSV file and a few lines of YAML ---

OWN_STUDY = """\
study: own
style: answer
domains:
  plus:
    verifier: numeric
    instruction: Give only the answer.
    sources:
      - {path: PATH, question: Question, answer: Answer}
"""
# Sizes at which all seven steps take minutes.
OWN_SMALL = """\
pick_domain: {dev_items: 8, test_items: 8, samples: 1, max_tokens: 8}
filter_edge: {samples: 4, max_samples: 4, confirm: 1, max_tokens: 8}
probe_sft: {epochs: 1}
expand_domains: {epochs: 1}
benchmark: {samples: 1, max_tokens: 8}
"""


def write_sums(path: Path) -> Path:
    """Sixty sums as a CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Question", "Answer"])
        for n in range(60):
            writer.writerow([f"What is {n % 8} plus {n // 8}?", n % 8 + n // 8])
    return path


def write_study(path: Path, text: str, rows: Path) -> Path:
    """The study as a file, over these rows."""
    path.write_text(text.replace("PATH", str(rows)))
    return path
