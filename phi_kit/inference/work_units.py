"""Units of work: the parts of a draw that are decoded together, wherever that is.

The last digit of a sum depends on the rows that share its batch, so samples are the
same to the bit only where the same samples are decoded together. A draw is therefore
cut at places that depend on its requests alone. One worker decodes unit after unit;
several share them out and give the same samples.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from phi_kit.core.errors import RunError

# Samples of a unit: four times what decodes together (`engine.MAX_ROWS`), as its last
# rows decode in a batch that empties; on a GPU more, for a server that batches by
# itself (kit default).
UNIT_SAMPLES = {"cpu": 512, "cuda": 4096}
MOST_LOSSES = 3  # workers that one unit may cost before it is taken for the cause


def work_units(samples: int, device: str = "cpu") -> list[range]:
    """The units of a draw, as ranges of its requests.

    What is left of a draw that was stopped between two units has the same units as
    before.

    Args:
        samples: that the draw has.
        device: `cuda` or `cpu`, where they are decoded.
    """
    size = UNIT_SAMPLES[device]
    return [
        range(start, min(start + size, samples)) for start in range(0, samples, size)
    ]


class UnitQueue:
    """Which units of a draw nobody has yet; a lost worker's comes back.

    Args:
        units: of the draw.
    """

    def __init__(self, units: Sequence[range]):
        self.waiting = deque(units)
        self.left = len(units)
        self._losses: Counter[range] = Counter()

    def take(self) -> range | None:
        """The next unit for a worker that has none; `None` if all are given out."""
        return self.waiting.popleft() if self.waiting else None

    def finish(self) -> None:
        """Count a unit as done."""
        self.left -= 1

    def put_back(self, unit: range) -> None:
        """Take back the unit of a worker that was lost; it is the next to go out.

        Raises:
            RunError: so many workers were lost over it that it must be the cause.
        """
        self._losses[unit] += 1
        if self._losses[unit] >= MOST_LOSSES:
            raise RunError(
                f"{MOST_LOSSES} workers were lost over the same {len(unit)} samples",
                where=f"samples {unit.start + 1} to {unit.stop} of the draw",
                todo="look whether memory ran out: lower workers or max_tokens; what "
                "other workers have drawn is in the ledger",
            )
        self.waiting.appendleft(unit)
