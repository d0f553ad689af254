"""What is given up, in which order, when training does not fit into memory.

First what costs only time: smaller micro-batches, activations computed twice. Then
what costs data: long rows. Then what may cost quality: the rank. The model last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

ROW, RANK = 256, 8  # the least the ladder goes down to; the kit's own choice


@dataclass(frozen=True)
class Rung:
    """One way to train.

    Attributes:
        model: its name.
        micro_tokens: of a micro-batch; a whole row at least.
        checkpointing: activations are computed again in the backward pass.
        row_tokens: of the longest row.
        rank: of the adapter.
    """

    model: str
    micro_tokens: int
    checkpointing: bool
    row_tokens: int
    rank: int

    def given_up(self, wish: Rung) -> list[str]:
        """What this rung lacks of another one, in words."""
        said = []
        if self.model != wish.model:
            said.append(f"model {wish.model}: {self.model} instead")
        if self.micro_tokens < wish.micro_tokens:
            said.append(
                f"speed: micro-batches of {self.micro_tokens} tokens, "
                f"not {wish.micro_tokens}"
            )
        if self.checkpointing and not wish.checkpointing:
            said.append("speed: activations are computed twice (a third more work)")
        if self.row_tokens < wish.row_tokens:
            said.append(
                f"rows longer than {self.row_tokens} tokens (limit was "
                f"{wish.row_tokens})"
            )
        if self.rank < wish.rank:
            said.append(f"rank {wish.rank}: {self.rank} instead")
        return said


def rungs(wish: Rung, smaller: Sequence[str] = ()) -> Iterator[Rung]:
    """The wish itself, then each rung with one thing less than the one before.

    Args:
        wish: all that is wanted.
        smaller: other models, the largest first; each begins with the whole wish.
    """
    for model in (wish.model, *smaller):
        now = replace(wish, model=model)
        yield now
        while now.micro_tokens > now.row_tokens:
            now = replace(now, micro_tokens=max(now.row_tokens, now.micro_tokens // 2))
            yield now
        if not now.checkpointing:
            now = replace(now, checkpointing=True)
            yield now
        while now.row_tokens > ROW:
            row = max(ROW, now.row_tokens // 2)
            now = replace(now, row_tokens=row, micro_tokens=row)
            yield now
        while now.rank > RANK:
            now = replace(now, rank=max(RANK, now.rank // 2))
            yield now


def first(
    wish: Rung,
    room: float,
    needed: Callable[[Rung], float],
    smaller: Sequence[str] = (),
) -> tuple[Rung, bool]:
    """The first rung that fits, else the last one and False.

    Args:
        wish: all that is wanted.
        room: bytes there are.
        needed: bytes a rung takes.
        smaller: other models, the largest first.
    """
    rung = wish
    for rung in rungs(wish, smaller):
        if needed(rung) <= room:
            return rung, True
    return rung, False
