"""Which parameters decide a step's outcome, and which have been added since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a fingerprint leaves out.
NO_OUTCOME = frozenset({"study", "endpoint", "workers", "redo"})
# Parameters that finished steps may lack, and the value that says what those did.
ADDED_SINCE: dict[str, Any] = {
    "engine": "auto",
    "organic_alone": False,
    "domain_tokens": 0,
    "gate": "on",
    "rounds": 1,
    "round_samples": 4,
    "predict_mix": {"trained": [], "weights": [n / 10 for n in range(1, 10)]},
}


def without_added(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters but those that say what steps did before they were added."""
    return {
        name: value
        for name, value in values.items()
        if name not in ADDED_SINCE or value != ADDED_SINCE[name]
    }
