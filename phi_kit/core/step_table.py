"""The seven steps of the method: their order, what each reads, where each lies.

This is the one place that says so. A step's notebook, its run folder and its section
in a study file are named from here, and nothing is read back from a folder's name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of the method; as text it is its folder, `03_filter_edge`.

    Attributes:
        number: its place in the method, from 1.
        name: of its module, and of its section in a study file.
        needs: the steps whose run folders it reads.
        per_domain: whether it runs once per domain, or once per study.
    """

    number: int
    name: str
    needs: tuple[Step, ...] = ()
    per_domain: bool = True

    @property
    def folder(self) -> str:
        """The name of its run folder, and of its notebook without the ending."""
        return f"{self.number:02}_{self.name}"

    def __str__(self) -> str:
        return self.folder


PICK_DOMAIN = Step(1, "pick_domain")
COLLECT_SEEDS = Step(2, "collect_seeds", needs=(PICK_DOMAIN,))
FILTER_EDGE = Step(3, "filter_edge", needs=(PICK_DOMAIN, COLLECT_SEEDS))
PROBE_SFT = Step(4, "probe_sft", needs=(PICK_DOMAIN, FILTER_EDGE))
SYNTHESIZE = Step(5, "synthesize", needs=(PICK_DOMAIN, FILTER_EDGE, PROBE_SFT))
EXPAND_DOMAINS = Step(
    6,
    "expand_domains",
    needs=(PICK_DOMAIN, PROBE_SFT, SYNTHESIZE),
    per_domain=False,
)
BENCHMARK = Step(
    7,
    "benchmark",
    needs=(PICK_DOMAIN, FILTER_EDGE, PROBE_SFT, EXPAND_DOMAINS),
    per_domain=False,
)

STEPS = (
    PICK_DOMAIN,
    COLLECT_SEEDS,
    FILTER_EDGE,
    PROBE_SFT,
    SYNTHESIZE,
    EXPAND_DOMAINS,
    BENCHMARK,
)
