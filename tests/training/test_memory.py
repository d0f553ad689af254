"""A training run gives back all that it took."""

import gc

import pytest
import torch

from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

ASK = "<|im_start|>user\nWhat is {} + {}?<|im_end|>\n<|im_start|>assistant\n"
ROWS = [TrainingRow(ASK.format(a, b), str(a + b)) for a in range(2) for b in range(2)]


def held():
    """Tensors that are trained, or computed from one that is."""
    gc.collect()
    return [
        tuple(found.shape)
        for found in gc.get_objects()
        if issubclass(type(found), torch.Tensor)
        and (found.grad_fn is not None or found.requires_grad)
    ]


@pytest.mark.slow
def test_nothing_of_two_runs_stays_in_memory(tiny, tmp_path):
    tiny.model.requires_grad_(False)  # its own weights are frozen, as in NF4
    before = held()
    for name in ("one", "other"):
        train(
            tiny,
            ROWS,
            TrainingConfig(rank=4, epochs=1, batch=2),
            out=tmp_path / name,
            rng_seed=1,
        )
    assert held() == before
