"""The page that says whether the method holds: tables and a figure of one sweep.

Every number comes from the run folders. What is written below the page's last line
stays as it is: that is where somebody says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phi_kit.core.files import write_atomic
from phi_kit.core.number_format import (
    count,
    duration,
    percent,
    plural,
    points,
    points_with_span,
)
from phi_kit.plots import recipe_gains
from phi_kit.selection.tiers import TIER_NAMES
from phi_kit.study.claims_evidence import (
    ARMS,
    POOLS,
    RULES,
    ClaimsEvidence,
    PoolTrial,
    RecipeComparison,
)
from phi_kit.study.sweep.sweep_config import Sweep

PAGE, FIGURE = "claims.md", "figures/claims.svg"
BY_HAND = "<!-- What stands below is written by hand and stays. -->"
FILTER = "1. Teachable rows against random ones, at equal response tokens"
MERGING = "2. A + B against A, and against B"
REWRITING = "3. Rewritten rows against none, at equal passes"
FORM = "4. Teachable rows against what teaches form"


def write_claims(sweep: Sweep, folder: Path) -> Path:
    """Write `claims.md` and `figures/claims.svg` from what the variants have finished.

    Args:
        sweep: that of `params/sweeps/claims.yaml`, perhaps with another base study.
        folder: where they go; what stands there by hand is kept.

    Returns:
        The page's path.

    Raises:
        StudyError: the sweep has no variant of the claims.
        RunError: a file of a run is not as its step wrote it.
    """
    found = ClaimsEvidence(sweep)
    pools, kept = found.pools(), found.retained()
    mixes, rewritten = found.rewritten()
    controls = found.controls()
    figure = recipe_gains.draw(
        {
            FILTER: _drawn(one.comparison for one in pools if one.comparison),
            MERGING: _drawn(kept),
            REWRITING: _drawn(rewritten),
            FORM: _drawn(controls),
        }
    )
    lines = [
        *_head(found, figure.words),
        *_filter_section(pools),
        *_merging_section(kept),
        *_rewriting_section(mixes, rewritten),
        *_form_section(controls, found.arms()),
    ]
    page, drawing = folder / PAGE, folder / FIGURE
    drawing.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(drawing, figure.svg())
    write_atomic(page, "\n".join(lines) + f"\n\n{BY_HAND}\n" + _by_hand(page))
    return page


def _drawn(found) -> list[recipe_gains.Row]:
    return [(one.name, one.gain, one.verdict) for one in found]


def _by_hand(page: Path) -> str:
    """What somebody wrote below the last line of an earlier page."""
    if not page.is_file():
        return ""
    return page.read_text(encoding="utf-8").partition(f"{BY_HAND}\n")[2]


def _head(found: ClaimsEvidence, words: str) -> Iterator[str]:
    sweep, variants = found.sweep, found.variants
    folders = list(found.finished_folders())
    yield "# Does the method hold?"
    yield ""
    done = len(variants) - len(found.unfinished)
    yield (
        f"`phi-kit sweep {sweep.path.stem}`, then `phi-kit claims`: every number here "
        f"is read from the runs. {done} of {plural(len(variants), 'variant')} have "
        f"finished, {plural(len(folders), 'notebook')} in "
        f"{duration(sum(one.manifest['seconds'] for one in folders))} one after "
        "another."
    )
    if folders:
        params = folders[0].manifest["params"]
        kit = folders[0].manifest["versions"].get("phi_kit", "")
        yield (
            f"The model is `{params['model']}`, the style `{params['style']}`, the kit "
            f"{kit}; the last notebook finished on "
            f"{max(one.manifest['finished'] for one in folders)[:10]}."
        )
    yield ""
    yield (
        "Each interval is one of the recipe: over items and over training runs. A "
        "verdict holds for all comparisons of its claim at once (Holm)."
    )
    if found.unfinished:
        yield f"Not finished: {', '.join(found.unfinished)}."
    yield from ("", f"![{words}]({FIGURE})", "")


def _filter_section(pools: Sequence[PoolTrial]) -> Iterator[str]:
    yield f"## {FILTER}"
    yield ""
    if not pools:
        yield from ("No pool has finished.", "")
        return
    compared = [one.comparison for one in pools if one.comparison]
    yield _verdicts(compared)
    yield ""
    rows = [
        [
            POOLS[one.pool],
            RULES[one.rule],
            " / ".join(count(one.tiers.get(tier, 0)) for tier in reversed(TIER_NAMES)),
            *(count(sum(one.rows.get(arm, {}).values())) for arm in ARMS),
            count(one.shared),
            percent(one.base),
            *_cells(one.comparison),
        ]
        for one in pools
    ]
    seeds = f"its seeds: {' / '.join(reversed(TIER_NAMES))}"
    names = ["pool", "band", seeds, "random rows", "teachable rows", "in both", "base"]
    yield from _table([*names, "random", "teachable", *_DIFFERENCE], rows)
    yield "A pool is named for what was meant; its seeds show what this student knew."
    yield ""
    yield "Rows of both arms by family, random / teachable:"
    yield ""
    families = list(
        dict.fromkeys(
            family for one in pools for arm in one.rows.values() for family in arm
        )
    )
    counts = [
        [
            _short(one),
            *(
                " / ".join(str(one.rows.get(arm, {}).get(name, 0)) for arm in ARMS)
                for name in families
            ),
        ]
        for one in pools
    ]
    yield from _table(["pool, band", *families], counts)
    asked = list(dict.fromkeys(family for one in pools for family in one.gains))
    yield "Teachable over random by family of the dev items, points without intervals:"
    yield ""
    gains = [
        [_short(one), *(points(one.gains.get(name)) for name in asked)] for one in pools
    ]
    yield from _table(["pool, band", *asked], gains)


def _short(one: PoolTrial) -> str:
    return f"{POOLS[one.pool]}, {RULES[one.rule]}"


def _merging_section(kept: Sequence[RecipeComparison]) -> Iterator[str]:
    yield from (f"## {MERGING}", "")
    if not kept:
        yield from ("No merged variant has finished.", "")
        return
    yield _verdicts(kept)
    yield ""
    rows = [[one.name, *_cells(one)] for one in kept]
    yield from _table(["measured on", "alone", "merged", *_DIFFERENCE], rows)


def _rewriting_section(
    mixes: dict[str, dict[str, int]], rewritten: Sequence[RecipeComparison]
) -> Iterator[str]:
    yield from (f"## {REWRITING}", "")
    if not rewritten:
        yield from ("No dose can be compared yet.", "")
        return
    yield _verdicts(rewritten)
    yield ""
    organic = [f"{words}: {mix['organic']}" for words, mix in mixes.items()]
    yield f"Organic rows: {'; '.join(organic)}."
    yield ""
    rows = [
        [one.name, str(mixes[one.name]["synthetic"]), *_cells(one)] for one in rewritten
    ]
    names = ["rewrites wanted", "rewrites that passed", "no rewrite", "with rewrites"]
    yield from _table([*names, *_DIFFERENCE], rows)


def _form_section(
    controls: Sequence[RecipeComparison], arms: Sequence[dict]
) -> Iterator[str]:
    yield from (f"## {FORM}", "")
    if not controls:
        yield from ("The pool with levels in equal parts has not finished.", "")
        return
    yield _verdicts(controls)
    yield ""
    rows = [[one.name, *_cells(one)] for one in controls]
    yield from _table(["against", "it", "teachable", *_DIFFERENCE], rows)
    yield (
        "Read strictly an answer has to stand where it was asked for, leniently it may "
        "stand anywhere in the response. What only the strict reading gains is form:"
    )
    yield ""
    read = [
        [
            arm["arm"],
            percent(arm["accuracy"]),
            percent(arm["lenient"]),
            points(arm.get("form")),
        ]
        for arm in arms
    ]
    yield from _table(["arm", "strict", "lenient", "form, points over base"], read)


_DIFFERENCE = ("points [95 %]", "as a recipe")


def _cells(one: RecipeComparison | None) -> list[str]:
    if one is None:
        return ["–", "–", "–", "the same rows: nothing to compare"]
    gain = points_with_span(one.gain.delta, one.gain.low, one.gain.high)
    return [percent(one.before), percent(one.after), gain, one.verdict]


def _verdicts(found: Sequence[RecipeComparison]) -> str:
    """How often each verdict was given, in a sentence."""
    said = [one.verdict for one in found]
    parts = [f"{word} in {said.count(word)}" for word in dict.fromkeys(said)]
    return f"Of {plural(len(said), 'comparison')}: {', '.join(parts)}." if said else ""


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
