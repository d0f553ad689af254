"""What a study's finished steps say for the decision: arms of step 4, the dose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from phi_kit.stats.comparison import Gain

from .ask import accuracies_of

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.core.finished_run import RunFolder


def arm_runs(samples: pd.DataFrame, arm: str) -> list[list[float]]:
    """Accuracies of the dev items after training, one list for each training seed.

    Args:
        samples: of step 4, with `arm` and `train_seed`.
        arm: that is looked for; without samples of it there are no runs.
    """
    own = samples[samples.arm == arm]
    ids = sorted(own.seed_id.unique())
    return [accuracies_of(part, ids) for _, part in own.groupby("train_seed")]


def probe_evidence(probe: RunFolder) -> dict[str, Any]:
    """What step 4 measured of a domain, as `DomainEvidence` names it.

    Args:
        probe: its run folder.

    Returns:
        `random` and `teachable` (no runs where that arm was not trained),
        `last_dose` and `run_tokens`.
    """
    samples = probe.table("samples")
    result = probe.result
    last = (result.get("dose") or {}).get("last")
    tokens = [row.get("trained_tokens") for row in result.get("arms") or []]
    return {
        "random": arm_runs(samples, "random"),
        "teachable": arm_runs(samples, "teachable"),
        "last_dose": last
        and Gain(last["delta"], last["low"], last["high"], int(last["n"])),
        "run_tokens": round(max((many for many in tokens if many), default=0)),
    }


def spread_of_runs(evidence: dict[str, Any]) -> float | None:
    """How far a domain's training runs lie apart, as one standard deviation.

    Taken from step 4's arms, where they were trained by several seeds: what is known
    of a recipe when its longer run was done once. `None` where none was.
    """
    variances = [
        np.var(np.mean(runs, axis=1), ddof=1)
        for runs in (evidence["random"], evidence["teachable"])
        if len(runs) > 1
    ]
    return float(np.sqrt(np.mean(variances))) if variances else None
