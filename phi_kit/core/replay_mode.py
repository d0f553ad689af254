"""Whether this process replays a recorded ledger instead of running models."""

from __future__ import annotations

import os

REPLAY = "PHI_KIT_REPLAY"  # names the ledger: a path or a URL
RECORDED = "Recorded samples: no model ran."  # what a figure says of itself then


def replayed_ledger() -> str:
    """The ledger that stands in for every model; empty in an ordinary run."""
    return os.environ.get(REPLAY, "").strip()
