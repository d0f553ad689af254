"""Data parallel training: processes that take one optimiser step together.

Each trains on a part of the step's rows; gradients are added up, not averaged, for
every row's loss is already divided by the trained tokens of the whole step. So a step
is that of one process up to the order of its sums, however its rows are dealt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .encoding import EncodedRow

if TYPE_CHECKING:
    import torch


def deal(rows: Sequence[EncodedRow], ranks: int) -> list[list[EncodedRow]]:
    """The rows of a step for each rank, about equally many tokens; some may get none.

    The longest first, each to the rank with the fewest tokens so far.

    Args:
        rows: of the step.
        ranks: how many processes.
    """
    hands: list[list[EncodedRow]] = [[] for _ in range(ranks)]
    tokens = [0] * ranks
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        poorest = tokens.index(min(tokens))
        hands[poorest].append(row)
        tokens[poorest] += len(row.ids)
    return hands


class Ranks:
    """This process among those that train together, whose group torch has set up."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def agree(self, value: Any) -> Any:
        """The first rank's value; all wait for it."""
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def add_up(self, numbers: Sequence[int], device: torch.device) -> list[int]:
        """The sums of each number over all ranks.

        Args:
            numbers: of this rank.
            device: where the ranks talk to each other.
        """
        import torch
        import torch.distributed as dist

        sums = torch.tensor(numbers, dtype=torch.int64, device=device)
        dist.all_reduce(sums)
        return sums.tolist()

    def add_gradients(
        self, parameters: Iterable[torch.nn.Parameter], loss: torch.Tensor
    ) -> torch.Tensor:
        """Give each parameter the sum of all ranks' gradients, in one exchange.

        Args:
            parameters: of the model; those that are not trained are left alone.
            loss: this rank's part of the step's, a scalar.

        Returns:
            The loss of the whole step.
        """
        import torch
        import torch.distributed as dist

        trained = [p for p in parameters if p.requires_grad]
        # A rank without rows has no gradients.
        own = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        whole = torch.cat([part.float().flatten() for part in (loss.detach(), *own)])
        dist.all_reduce(whole)
        total, *sums = whole.split([1, *(p.numel() for p in trained)])
        for parameter, part in zip(trained, sums, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)
        return total[0]
