"""What the finished runs of the sweep `claims` say, as claims about the recipe.

Read from the run folders alone. A variant that has not finished is left out: what is
there is shown, and what is missing is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from phi_kit.core import step_table
from phi_kit.core.errors import StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_table import Step
from phi_kit.evaluation.few_shot import FEW_SHOT
from phi_kit.stats.comparison import LEVEL, corrected_verdict, holm_adjust
from phi_kit.stats.paired_tests import EQUAL
from phi_kit.stats.recipe_gain import RecipeGain, recipe_gain
from phi_kit.study.side_by_side import ItemScores, Measured, measurements
from phi_kit.study.sweep.sweep_config import Sweep
from phi_kit.study.sweep.sweep_variant import Variant
from phi_kit.training.arms import OWN, responses_of_arm

DOMAIN = "math"  # of the pools, of the rewrites, and the first of those merged
POOLS = {
    "equal-levels": "levels in equal parts",
    "mostly-solved": "mostly solved already",
    "out-of-reach": "mostly out of reach",
}
RULES = {"gap": "never-solved taken in", "band": "never-solved left out"}
REWRITES = {
    "rewrites-none": "no rewrite",
    "rewrites-one": "one for each",
    "rewrites-two": "two for each",
}
MERGED = "merged-"
ARMS = ("random", "teachable")


@dataclass(frozen=True)
class RecipeComparison:
    """Two recipes on the same items, each trained by several seeds.

    Attributes:
        name: what is compared, in words.
        before: accuracy of the first, over items and runs.
        after: of the second.
        gain: of the second over the first.
        verdict: better, worse, equal within the margin, or cannot tell; corrected for
            as many comparisons as the claim makes.
    """

    name: str
    before: float
    after: float
    gain: RecipeGain
    verdict: str

    @classmethod
    def of(
        cls, name: str, first: ItemScores, second: ItemScores, *, margin: float = 0.0
    ) -> RecipeComparison:
        """Paired on the items that both were asked.

        Args:
            name: in words.
            first: its runs.
            second: its runs, by the same training seeds.
            margin: within which the two are equal; 0: nothing is.
        """
        common = sorted(set(first.ids) & set(second.ids))
        before, after = first.on(common), second.on(common)
        gain = recipe_gain(before, after)
        verdict = str(gain.verdict)
        if margin and verdict == "cannot tell":
            # Two one-sided tests at 5 % are an interval at 90 %.
            narrow = recipe_gain(before, after, level=2 * LEVEL)
            if -margin < narrow.low and narrow.high < margin:
                verdict = EQUAL
        return cls(name, float(before.mean()), float(after.mean()), gain, verdict)


def corrected(found: Sequence[RecipeComparison]) -> list[RecipeComparison]:
    """Verdicts that hold for all of them at once, by Holm's correction."""
    adjusted = holm_adjust([one.gain.p_value for one in found])
    return [
        one
        if one.verdict == EQUAL
        else replace(one, verdict=corrected_verdict(one.gain, p))
        for one, p in zip(found, adjusted, strict=True)
    ]


@dataclass(frozen=True)
class PoolTrial:
    """Teachable against random rows of one pool, by one rule.

    Attributes:
        pool: name of the pool.
        rule: `gap` or `band`.
        comparison: of the two arms; `None` where their rows are the same.
        base: accuracy before training.
        tiers: how many seeds of the pool are of each.
        rows: by arm and family, how many responses were trained on.
        shared: how many of them both arms were trained on.
        gains: by family, teachable over random, over the family's items.
    """

    pool: str
    rule: str
    comparison: RecipeComparison | None
    base: float
    tiers: Mapping[str, int]
    rows: Mapping[str, Mapping[str, int]]
    shared: int
    gains: Mapping[str, float]


@dataclass(frozen=True)
class ClaimsEvidence:
    """A sweep's variants by the short names of its file."""

    sweep: Sweep

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """By the name that the file gives; what it sets is left off.

        Raises:
            StudyError: the sweep has no variant of the claims.
        """
        names = {one.name.partition("--")[0]: one for one in self.sweep.variants}
        if not names.keys() & {*REWRITES, *self.pool_variants()}:
            raise StudyError(
                f"the sweep '{self.sweep.name}' tests none of the claims",
                where=str(self.sweep.path),
                todo="its variants are called as those of params/sweeps/claims.yaml",
            )
        return names

    @staticmethod
    def pool_variants() -> dict[str, tuple[str, str]]:
        """Pool and rule, by the variant's name."""
        return {f"{pool}-{rule}": (pool, rule) for pool in POOLS for rule in RULES}

    @cached_property
    def unfinished(self) -> list[str]:
        """Variants whose last notebook has not finished."""
        return [
            name
            for name, variant in self.variants.items()
            if not self._folder(variant, variant.units[-1].params.STEP).finished
        ]

    def pools(self) -> list[PoolTrial]:
        """Claim 1, in the order of the pools."""
        found = [
            self._pool_trial(name, pool, rule)
            for name, (pool, rule) in self.pool_variants().items()
            if self._done(name)
        ]
        compared = [one.comparison for one in found if one.comparison]
        fair = iter(corrected(compared))
        return [
            replace(one, comparison=next(fair)) if one.comparison else one
            for one in found
        ]

    def retained(self) -> list[RecipeComparison]:
        """Claim 2: the merged adapters against those of one domain, seed by seed."""
        names = [n for n in self.variants if n.startswith(MERGED) and self._done(n)]
        if not names:
            return []
        runs = [measurements(self.variants[name].study.name) for name in names]
        folder = self._folder(self.variants[names[0]], step_table.EXPAND_DOMAINS)
        domains = folder.manifest["params"]["domains"]
        final, margin = folder.result["final"], folder.result["rule"]["margin"]

        def scores(adapter: str, domain: str) -> ItemScores:
            what = Measured(domain, "dev", f"{adapter} of step 6")
            return _stacked([run[what] for run in runs])

        return corrected(
            [
                RecipeComparison.of(
                    domain, scores(domain, domain), scores(final, domain), margin=margin
                )
                for domain in domains
            ]
        )

    def rewritten(self) -> tuple[dict[str, dict[str, int]], list[RecipeComparison]]:
        """Claim 3: the rows of each mix, and each dose against no rewrite."""
        mixes, scores = {}, {}
        for name, words in REWRITES.items():
            if self._done(name):
                variant = self.variants[name]
                frozen = self._folder(variant, step_table.SYNTHESIZE)
                mixes[words] = dict(frozen.result["mix"])
                finals = self._folder(variant, step_table.EXPAND_DOMAINS).result
                found = measurements(variant.study.name)
                scores[words] = _stacked(
                    [
                        found[Measured(DOMAIN, "dev", f"{adapter} of step 6")]
                        for adapter in finals["finals"]
                    ]
                )
        none = scores.pop(REWRITES["rewrites-none"], None)
        if none is None:
            return mixes, []
        return mixes, corrected(
            [RecipeComparison.of(words, none, one) for words, one in scores.items()]
        )

    def controls(self) -> list[RecipeComparison]:
        """Claim 4: the teachable arm against what can teach form alone."""
        name = next(iter(self.pool_variants()))
        if not self._done(name):
            return []
        found = measurements(self.variants[name].study.name)
        teachable = found[Measured(DOMAIN, "dev", "teachable")]
        words = {
            "base": "base",
            FEW_SHOT: "base with examples in its prompt",
            OWN: "its own right answers",
        }
        return corrected(
            [
                RecipeComparison.of(said, found[what], teachable)
                for arm, said in words.items()
                if (what := Measured(DOMAIN, "dev", arm)) in found
            ]
        )

    def arms(self) -> list[dict]:
        """Step 4's table of the first pool: accuracies strict and lenient."""
        name = next(iter(self.pool_variants()))
        if not self._done(name):
            return []
        return self._folder(self.variants[name], step_table.PROBE_SFT).result["arms"]

    def finished_folders(self) -> Iterator[RunFolder]:
        """Every finished notebook, each result once."""
        seen = set()
        for variant in self.variants.values():
            for unit in variant.units:
                folder = RunFolder.of(
                    variant.study.name, unit.params.STEP, domain=unit.domain
                )
                if folder.finished and folder.outcome not in seen:
                    seen.add(folder.outcome)
                    yield folder

    def _folder(self, variant: Variant, step: Step) -> RunFolder:
        return RunFolder.of(variant.study.name, step, domain=DOMAIN)

    def _done(self, name: str) -> bool:
        return name in self.variants and name not in self.unfinished

    def _pool_trial(self, name: str, pool: str, rule: str) -> PoolTrial:
        variant = self.variants[name]
        found = measurements(variant.study.name)
        arms = {arm: found.get(Measured(DOMAIN, "dev", arm)) for arm in ARMS}
        base = found[Measured(DOMAIN, "dev", "base")].runs.mean()
        random, teachable = arms.values()
        compared, gains = None, {}
        if random and teachable:
            words = f"{POOLS[pool]}, {RULES[rule]}"
            compared = RecipeComparison.of(words, random, teachable)
            gains = _by_family(self._families(variant), random, teachable)
        edge = self._folder(variant, step_table.FILTER_EDGE)
        seeds, responses = edge.table(), edge.table("responses")
        family = dict(zip(seeds.id, seeds.family, strict=True))
        taught = {
            arm: responses_of_arm(seeds, responses, arm)
            for arm, scores in arms.items()
            if scores
        }
        rows = {
            arm: dict(Counter(family[name] for name, _ in pairs))
            for arm, pairs in taught.items()
        }
        both = set.intersection(*map(set, taught.values())) if taught else set()
        return PoolTrial(
            pool,
            rule,
            compared,
            base=float(base),
            tiers=Counter(seeds.tier),
            rows=rows,
            shared=len(both),
            gains=gains,
        )

    def _families(self, variant: Variant) -> dict[str, str]:
        items = self._folder(variant, step_table.PICK_DOMAIN).table()
        return dict(zip(items.id, items.family, strict=True))


def _stacked(runs: Sequence[ItemScores]) -> ItemScores:
    """Several runs, on the items that all were asked."""
    common = sorted(set.intersection(*(set(one.ids) for one in runs)))
    values = np.concatenate([one.on(common) for one in runs])
    return ItemScores(values, tuple(common))


def _by_family(
    families: Mapping[str, str], first: ItemScores, second: ItemScores
) -> dict[str, float]:
    gains = {}
    for family in dict.fromkeys(families.values()):
        mine = {name for name, of in families.items() if of == family}
        ids = sorted(mine & set(first.ids) & set(second.ids))
        if ids:
            gains[family] = float(second.on(ids).mean() - first.on(ids).mean())
    return gains
