"""Edge drift: which seeds a training run moved over the band's edges, which it left.

Compared is each seed's place, below the band, in it or above it, before and after;
what is teachable may begin below it. A place from few samples changes by luck alone,
so what moved stands beside what would have moved had nothing changed: the posterior of
step 3 says how often each seed lands in another place when the same model is asked
again. The teachable seeds themselves were trained on, so their move shows what was
learned by heart as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from phi_kit.data.records import from_frame
from phi_kit.evaluation.ask import ask

from .pass_rate_posterior import Counts, Prior, fit_prior
from .pass_rate_sampling import count_outcomes
from .tiers import HIGH, PLACES, SUSPECT, assign_tiers

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.core.finished_run import RunFolder
    from phi_kit.domains.base import Domain
    from phi_kit.inference.types import Sampler


@dataclass(frozen=True)
class EdgeDrift:
    """Where the seeds of step 3 are after training.

    Args:
        rows: one row per seed: its place and pass rate before and after.
        moves: the table of `tier_moves`.
        samples: that each seed was asked.
    """

    rows: pd.DataFrame
    moves: pd.DataFrame
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return {
            "samples": self.samples,
            "moves": self.moves.to_dict("records"),
            "teachable": teachable_summary(self.moves),
        }


def measure_drift(
    tuned: Sampler, domain: Domain, edge: RunFolder, *, k: int
) -> EdgeDrift:
    """Ask the trained student step 3's seeds again, as step 3 asked them.

    Args:
        tuned: the student with the adapter of the teachable arm.
        domain: says how to ask and who verifies.
        edge: the finished run folder of step 3.
        k: samples per seed.
    """
    before = edge.table()
    before = before[before.n > 0].reset_index(drop=True)
    seeds, asked = from_frame(before), edge.manifest["params"]
    samples = ask(
        tuned,
        domain,
        seeds,
        sampling=domain.sampling(asked["max_tokens"], asked["temperature"]),
        k=k,
        rng_seed=asked["rng_seed"],
        label="edge drift",
    )
    # Here a truncated sample counts as not solved: the limit is the same for both.
    counts = count_outcomes(samples, seeds, truncated_correct_rate=0.0)
    band = (asked["band_low"], asked["band_high"])
    after, moves = tier_moves(before, counts, band=band)
    rows = before[["id", "prompt", "family", "tier", "place", "pass_rate"]]
    rows = rows.assign(place_after=after, rate_after=counts.rate)
    return EdgeDrift(rows, moves, k)


def tier_moves(
    before: pd.DataFrame, counts: Counts, *, band: tuple[float, float]
) -> tuple[list[str], pd.DataFrame]:
    """Each seed's place now, and how many went from where to where.

    Args:
        before: step 3's rows: `family`, `tier`, `place`, `n`, `unknown`, `expected`,
            and their `prior_a` and `prior_b`.
        counts: the tuned student's samples, as many of each seed.
        band: the edges of the band.

    Returns:
        The places, and a table of `before` (a place, `SUSPECT` apart), `taught`
        (whether these are the teachable ones), `after`, `seeds` and `by_chance`: as
        many as would have gone had nothing changed.
    """
    import pandas as pd

    now = fit_prior(counts, before.family.tolist())
    places, _ = assign_tiers(counts, band, prior=now)
    after = [PLACES[place] for place in places]
    chance = _chance_moves(before, int(counts.n.max()), band, now=now)
    start = before.place.mask(before.tier == SUSPECT, SUSPECT)
    rows = []
    for name, taught in product((*PLACES, SUSPECT), (True, False)):
        mine = (start == name) & ((before.tier == "teachable") == taught)
        for place, end in enumerate(PLACES if mine.any() else ()):
            went = int((mine & (places == place)).sum())
            likely = round(float(chance[mine, place].sum()), 1)
            told = {"before": name, "taught": taught, "after": end}
            rows.append({**told, "seeds": went, "by_chance": likely})
    return after, pd.DataFrame(rows)


def _chance_moves(
    before: pd.DataFrame,
    k: int,
    band: tuple[float, float],
    *,
    now: Prior,
) -> np.ndarray:
    """Chance of each place for k new samples of the untuned student, (seeds, 3)."""
    from scipy.stats import betabinom

    drawn = (before.prior_a + before.prior_b + before.n - before.unknown).to_numpy()
    a = before.expected.to_numpy() * drawn
    found = np.zeros((len(before), len(PLACES)))
    for right in range(k + 1):
        if_so = Counts.of(np.full(len(before), right), np.full(len(before), k - right))
        lands, _ = assign_tiers(if_so, band, prior=now)
        found[np.arange(len(before)), lands] += betabinom.pmf(right, k, a, drawn - a)
    return found


def teachable_summary(table: pd.DataFrame) -> dict[str, Any]:
    """Of the teachable seeds: what is easy now, what came nearer, what is stuck."""
    mine = table[table.taught]
    place = {name: number for number, name in enumerate(PLACES)}
    easy = mine.after == PLACES[HIGH]
    rose = mine.after.map(place) > mine.before.map(place)
    return {
        "seeds": int(mine.seeds.sum()),
        "easy_now": int(mine.seeds[easy].sum()),
        "nearer": int(mine.seeds[rose & ~easy].sum()),
        "stuck": int(mine.seeds[~rose & ~easy].sum()),
    }
