"""Attention of padded groups of rows is that of each row by itself."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from phi_kit.training import row_attention
from phi_kit.training.encoding import EncodedRow
from phi_kit.training.packing import hidden_states, pack, per_row_attention
from phi_kit.training.row_attention import MAX_PADDING, group_by_length

BATCHES = {
    "unequal": (5, 17, 2, 9),
    "one long and many short": (90, 3, 4, 3, 5, 4, 3, 1, 6, 3),
    "last of one token": (12, 11, 1),
    "equal": (8, 8, 8),
    "one row": (13,),
    "every row of one token": (1, 1, 1),
    "no two alike": (64, 32, 16, 8, 4, 2, 1),
}


@pytest.fixture(scope="module", params=[4, 2, 1], ids=["MHA", "GQA", "MQA"])
def model(request):
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=request.param,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def states_and_gradients(model, lengths):
    """Of all parameters, by a random weight on each state."""
    draw = torch.Generator().manual_seed(1)
    rows = [torch.randint(0, 300, (n,), generator=draw).tolist() for n in lengths]
    weights = torch.randn(sum(lengths), 32, generator=draw).to(model.dtype)
    model.zero_grad()
    with per_row_attention(model):
        states = hidden_states(model, pack([EncodedRow(ids, ids) for ids in rows]))
        (states[0] * weights).sum().backward()
    grads = [p.grad.clone() for p in model.model.parameters()]
    return [states.detach(), *grads]


@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.float32, 1e-4), (torch.float64, 1e-12)], ids=str
)
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_padded_groups_change_neither_outputs_nor_gradients(
    model, lengths, dtype, close, monkeypatch
):
    model = deepcopy(model).to(dtype)
    each = states_and_gradients(model, lengths)
    monkeypatch.setattr(row_attention, "PADDED_DEVICES", {"cpu"})
    padded = states_and_gradients(model, lengths)
    for ours, theirs in zip(padded, each, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=close, atol=close)


def test_a_call_for_each_group_and_none_for_a_row(model, monkeypatch):
    calls = []
    real = torch.nn.functional.scaled_dot_product_attention

    def counted(query, *arguments, **options):
        calls.append(tuple(query.shape[::2]))
        return real(query, *arguments, **options)

    monkeypatch.setattr(row_attention, "PADDED_DEVICES", {"cpu"})
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    states_and_gradients(model, [40] + [10] * 30 + [9] * 30)
    assert calls == [(1, 40), (60, 10)] * 2  # rows and their length, in two layers


@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_groups_hold_every_row_once_and_little_padding(lengths):
    groups = group_by_length(lengths)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        sizes = [lengths[row] for row in group]
        assert sizes[0] == max(sizes)
        assert len(sizes) * sizes[0] <= MAX_PADDING * sum(sizes)
    longest = [lengths[group[0]] for group in groups]
    assert all(one >= other for one, other in pairwise(longest))


def test_bounds_are_read_once_for_all_layers(model, monkeypatch):
    read = []
    real = row_attention._row_groups
    monkeypatch.setattr(row_attention, "PADDED_DEVICES", {"cpu"})
    monkeypatch.setattr(
        row_attention, "_row_groups", lambda bounds: read.append(1) or real(bounds)
    )
    states_and_gradients(model, (5, 17, 2, 9))
    assert len(read) == 1
