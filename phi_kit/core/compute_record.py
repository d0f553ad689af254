"""In which precision the models of a step computed, and what drew their samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ComputeRecord:
    """What was noted.

    Attributes:
        precisions: as identities of loaded models name them: `nf4-float32`.
        rates: what each type was measured to reach on this machine, in billions of
            operations per second of a core; empty where nothing was measured.
        engines: that drew samples, as study files name them.
    """

    precisions: set[str] = field(default_factory=set)
    rates: dict[str, float] = field(default_factory=dict)
    engines: set[str] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "precisions": sorted(self.precisions),
            **({"gflops_per_core": self.rates} if self.rates else {}),
            **({"engines": sorted(self.engines)} if self.engines else {}),
        }


_OPEN: list[ComputeRecord] = []  # of the process, as threads note, too


@contextmanager
def record_compute() -> Iterator[ComputeRecord]:
    """Record what is noted inside the `with` block."""
    record = ComputeRecord()
    _OPEN.append(record)
    try:
        yield record
    finally:
        _OPEN[:] = [other for other in _OPEN if other is not record]


def note_compute(
    precision: str, rates: Mapping[str, float], *, engine: str = ""
) -> None:
    """Note the precision of a model that samples or is trained.

    Args:
        precision: as the model's identity names it.
        rates: that decided on it.
        engine: that draws its samples, as study files name it; none in training.
    """
    for record in _OPEN:
        record.precisions.add(precision)
        record.rates.update(rates)
        record.engines |= {engine} - {""}
