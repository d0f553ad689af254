"""Step 7: is the final adapter better than base, and is the recipe worth scaling?

Reads the sealed test sets, opened here and nowhere else, and the final
adapter. Writes pass@1 and maj@k of base and final with a paired verdict, beside
what costs nothing: guessing, worked examples in base's prompt, and step 4's adapter of
the student's own right responses, at the probe's tokens. Both accuracies stand there
for every family, too. *Better as a model* is said of this checkpoint, *better as a
recipe* of the next training run as well. By the rule that step 6 locked it is decided
whether to explore on or to scale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd
from pydantic import Field, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data.look_log import book_opening
from phi_kit.data.records import Seed, to_frame
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import all_known
from phi_kit.domains import of as domain_of
from phi_kit.domains.base import Domain
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.ask import ask, item_accuracies
from phi_kit.evaluation.benchmarks import benchmark_table, regression_suite
from phi_kit.evaluation.benchmarks.public_benchmark import PublicBenchmark, load_items
from phi_kit.evaluation.decision import Decision, DomainEvidence, Rule, decide
from phi_kit.evaluation.few_shot import (
    FEW_SHOT,
    FamilyExamples,
    choose_examples,
    fitted,
    mean_shown,
)
from phi_kit.evaluation.study_evidence import probe_evidence, spread_of_runs
from phi_kit.evaluation.tested_domain import (
    TestedDomain,
    compare_families,
    compare_models,
    flipped,
    steadiness,
)
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.plots import benchmark_gains
from phi_kit.plots import family_accuracy as families_plot
from phi_kit.stats.comparison import Gain
from phi_kit.training.arms import OWN

SUGGESTED = "suggested"  # in place of names: the benchmarks that fit the domains


class Params(StepParams):
    """How often and how each test item is asked."""

    STEP: ClassVar[Step] = step_table.BENCHMARK
    SEALED: ClassVar[tuple[str, ...]] = ("test",)
    WEIGHTS: ClassVar[bool] = True

    domains: list[str] = Field(["math", "puzzles"], min_length=1)
    samples: int = Field(3, ge=1)
    few_shot: int = Field(5, ge=0)  # worked examples in base's prompt; 0: not asked
    max_tokens: int | None = Field(None, ge=1)  # none: the limit of the style
    temperature: float = Field(0.6, ge=0)
    # Public ones by name, files of one's own, `suggested` for those of the domains.
    benchmarks: list[str] = Field([])
    benchmark_items: int = Field(0, ge=0)  # of each, drawn at random; 0: all

    _known = field_validator("domains")(all_known)

    @field_validator("benchmarks")
    @classmethod
    def _there(cls, names: list[str]) -> list[str]:
        for name in names:
            if name != SUGGESTED:
                try:
                    benchmark_table.get(name)
                except StudyError as error:
                    raise ValueError(error.what) from None
        return names

    def public(self) -> list[PublicBenchmark]:
        """The benchmarks that are run beside the sealed items, each once."""
        kits = [domains.get(one) for one in self.domains if one in domains.names()]
        suggested = [name for one in kits for name in one.benchmarks]
        wanted: dict[str, None] = {}
        for name in self.benchmarks:
            wanted |= dict.fromkeys(suggested if name == SUGGESTED else [name])
        return [benchmark_table.get(name) for name in wanted]

    def external_digests(self) -> dict[str, str]:
        """The model's weights, and the content of files and data sets."""
        marks = {f"benchmark {one.name}": one.source.digest() for one in self.public()}
        return {"model": completion.model_fingerprint(self.model), **marks}


@reuse_finished
def run(params: Params) -> StepRun:
    """Ask base, final and the controls the same test items; compare item by item."""
    with open_run(params) as run:
        merged = run.read(step_table.EXPAND_DOMAINS)
        rule, seed = open_test_items(run, merged), params.rng_seed
        student = completion.open_sampler(params)
        tested = [ask_test_items(run, student, merged, name) for name in params.domains]
        families = [
            row for one in tested for row in compare_families(one, rng_seed=seed)
        ]
        public = [ask_benchmark(run, student, merged, one) for one in params.public()]
        suite, change = ask_regression_suite(run, student, merged)
        everything = [*tested, *public]
        scores = [
            row
            for one in everything
            for row in compare_models(one, rng_seed=seed, rule=rule)
        ]
        table = pd.DataFrame(scores)
        flips = pd.concat([flipped(one) for one in everything], ignore_index=True)
        run.save_rows(pd.concat(one.everyone() for one in everything), "samples")
        run.save_rows(pd.DataFrame(suite), "regression_suite")
        if public:
            asked = [item for one in public for item in one.items]
            run.save_rows(to_frame(asked), "benchmark_items")
        run.save_rows(table)
        run.save_rows(pd.DataFrame(families), "families")
        run.save_rows(flips, "flipped")
        run.figure = run.save_figure(benchmark_gains.draw(table), "gains")
        run.save_figure(families_plot.draw(pd.DataFrame(families)), "families")
        run.table = table
        others = {
            row["domain"]: Gain(row["delta"], row["low"], row["high"], row["n"])
            for row in scores[::-1]
            if row["domain"] not in params.domains
        }
        others["the regression suite"] = change
        decision = decide_scale(run, tested, rule, others)
        for line in decision.lines():
            print(f"{params.STEP}: {line}")
        run.result = {
            "scores": scores,
            "families": families,
            "final": merged.result["final"],
            "rule": rule.as_dict(),
            "regression_suite": suite,
            "repeated": [row for one in everything for row in steadiness(one)],
            "decision": decision.as_dict(),
        }
    return run


def open_test_items(run: StepRun, merged: RunFolder) -> Rule:
    """The rule that step 6 locked; says when, and how often test was opened.

    A study whose step 6 an older kit ran has locked none: the kit's own holds, and
    that is said.
    """
    params, known = run.params, merged.result.get("rule")
    rule = Rule(known["margin"], known["primary"]) if known else Rule()
    when, opened = merged.manifest["finished"], book_opening(params, rule.as_dict())
    before = sum(look["when"] < when for look in opened)
    locked = f"locked on {when[:10]} at {when[11:16]} UTC"
    if not known:
        locked = "the kit's own, for an older kit ran step 6 and locked none"
    elif before:
        locked += f", after the test items had been opened {before} times"
    by = rule.primary or "the mean of all domains"
    print(f"{params.STEP}: rule (margin {100 * rule.margin:g} points, {by}): {locked}")
    print(
        f"{params.STEP}: look {len(opened)} at the test items"
        + "; what an earlier look chose is no longer held out" * (len(opened) > 1)
    )
    looks = pd.DataFrame(opened)
    run.save_rows(looks.assign(rule=looks.rule.map(json.dumps)), "looks", timed=True)
    return rule


def decide_scale(
    run: StepRun,
    tested: Sequence[TestedDomain],
    rule: Rule,
    others: Mapping[str, Gain],
) -> Decision:
    """Hold what steps 4 and 7 measured against the rule.

    Args:
        run: the step.
        tested: the study's domains.
        rule: that was locked.
        others: changes on public benchmarks and the regression suite, by name.
    """
    evidence = []
    for one in tested:
        probe = run.read(step_table.PROBE_SFT, domain=one.domain)
        evidence.append(
            DomainEvidence(
                one.domain,
                [item_accuracies(one.base, one.items)],
                one.finals,
                **probe_evidence(probe),
            )
        )
    return decide(evidence, rule, others=others, rng_seed=run.params.rng_seed)


def ask_benchmark(
    run: StepRun, student: LocalModel, merged: RunFolder, benchmark: PublicBenchmark
) -> TestedDomain:
    """A public benchmark, or a file, answered by base and by final.

    It is asked in the style of the study's first domain, as often and as hot as the
    benchmark says.
    """
    params = run.params
    domain = benchmark.domain(domain_of(params, params.domains[0]).style)
    found = load_items(
        benchmark, limit=params.benchmark_items, rng_seed=params.rng_seed
    )
    if found.dropped:
        print(f"{params.STEP}: {benchmark.name}: left out {found.dropped}")
    how = {
        "sampling": domain.sampling(benchmark.max_tokens, benchmark.temperature),
        "k": benchmark.samples,
        "rng_seed": params.rng_seed,
    }
    label = f"on {benchmark.name}"
    base = ask(student, domain, found.items, **how, label=f"base {label}")
    with student.adapter(merged.folder(f"adapters/{merged.result['final']}")) as tuned:
        final = ask(tuned, domain, found.items, **how, label=f"final {label}")
    return TestedDomain(
        benchmark.name,
        found.items,
        base,
        final,
        {},
        guessing_baseline.random_option_accuracies(found.items),
        verifier=domain.verifier,
    )


def ask_regression_suite(
    run: StepRun, student: LocalModel, merged: RunFolder
) -> tuple[list[dict[str, Any]], Gain]:
    """What training must not cost, by part; and the change of all parts together."""
    seed = run.params.rng_seed
    before = regression_suite.ask_suite(student, rng_seed=seed, label="base")
    with student.adapter(merged.folder(f"adapters/{merged.result['final']}")) as tuned:
        after = regression_suite.ask_suite(tuned, rng_seed=seed, label="final")
    return regression_suite.compare_suite(before, after, rng_seed=seed)


def final_adapters(merged: RunFolder) -> dict[str, str]:
    """The merged adapter of each training seed: `final`, `final@2`, and so on."""
    adapters = merged.result.get("finals") or [merged.result["final"]]
    return {
        "final" if place == 1 else f"final@{place}": adapter
        for place, adapter in enumerate(adapters, 1)
    }


def examples_that_fit(
    run: StepRun, student: LocalModel, domain: Domain, test: Sequence[Seed]
) -> FamilyExamples:
    """Worked examples for base's prompt, of step 3's seeds, as many as have room."""
    params = run.params
    edge = run.read(step_table.FILTER_EDGE, domain=domain.name)
    examples = choose_examples(
        edge.table(),
        edge.table("responses"),
        k=params.few_shot,
        rng_seed=params.rng_seed,
    )
    limit = domain.sampling(params.max_tokens, params.temperature).max_tokens
    return fitted(examples, student, domain, test, max_tokens=limit)


def ask_test_items(
    run: StepRun, student: LocalModel, merged: RunFolder, name: str
) -> TestedDomain:
    """One domain's test items, answered by base, by the controls and by final.

    The arm of the student's own responses is asked where step 4 trained it: that
    adapter saw the probe's tokens, the final one those of a longer run. Base is asked
    with as many of `few_shot` examples in its prompt as fit; if none does, it is not.
    """
    params = run.params
    card = run.read(step_table.PICK_DOMAIN, domain=name)
    domain = domain_of(params, name)
    test = unseal(card, "test", params=params)

    def sample(model: LocalModel, who: str, examples: FamilyExamples | None = None):
        return ask(
            model,
            domain,
            test,
            sampling=domain.sampling(params.max_tokens, params.temperature),
            k=params.samples,
            rng_seed=params.rng_seed,
            label=f"{who} on {name}",
            examples=examples,
        )

    controls, shown = {}, 0.0
    if params.few_shot:
        examples = examples_that_fit(run, student, domain, test)
        if shown := mean_shown(test, examples):
            controls[FEW_SHOT] = sample(student, FEW_SHOT, examples)
    probe = run.read(step_table.PROBE_SFT, domain=name)
    if OWN in set(probe.table().arm):
        with student.adapter(probe.folder(f"adapters/{OWN}")) as own:
            controls[OWN] = sample(own, OWN)
    base = sample(student, "base")
    again = {}
    for who, adapter in final_adapters(merged).items():
        with student.adapter(merged.folder(f"adapters/{adapter}")) as tuned:
            again[who] = sample(tuned, who)
    guesser = guessing_baseline.guesser_of_card(card, domain)
    return TestedDomain(
        name,
        test,
        base,
        again.pop("final"),
        controls,
        guesser.per_item(test),
        shown,
        again,
        spread_of_runs(probe_evidence(probe)),
        domain.verifier,
    )
