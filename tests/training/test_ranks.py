"""Rows dealt to several processes: none lost, none twice, one step's gradient."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from phi_kit.training.encoding import EncodedRow
from phi_kit.training.ranks import Ranks, deal
from phi_kit.training.shards import ShardSteps, write_shards


def row(tokens, first=0):
    ids = list(range(first, first + tokens))
    return EncodedRow(ids, [-100, *ids[1:]])


ROWS = [row(n, 10 * n) for n in (5, 3, 9, 2, 7)]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_row_of_a_step_is_dealt_once(ranks):
    hands = deal(ROWS, ranks)
    assert len(hands) == ranks
    assert sorted(r.ids for hand in hands for r in hand) == sorted(r.ids for r in ROWS)


def test_tokens_are_dealt_evenly():
    tokens = [sum(len(r.ids) for r in hand) for hand in deal(ROWS, 2)]
    assert tokens == [14, 12]
    (same, other) = deal([row(4)] * 6, 2)
    assert len(same) == len(other) == 3


def test_a_rank_reads_its_rows_step_by_step(tmp_path):
    steps = [ROWS[:3], ROWS[3:], ROWS[:1]]
    write_shards(tmp_path / "shards", iter(steps), 2)
    shards = [ShardSteps(tmp_path / "shards", rank) for rank in (0, 1)]
    assert [len(shard) for shard in shards] == [3, 3]
    for number, rows in enumerate(steps):
        assert [shard[number] for shard in shards] == deal(rows, 2)
    assert shards[1][2] == []  # one row is for one rank


@pytest.fixture
def alone():
    """A group of this process only."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Ranks()
    dist.destroy_process_group()


def test_gradients_are_added_up_not_averaged(alone, monkeypatch):
    layer = torch.nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    data = torch.arange(12.0).reshape(4, 3)
    # Each rank's loss is divided by what the whole step has.
    (layer(data).square().sum() / 4).backward()
    whole = layer.weight.grad.clone()
    layer.zero_grad()
    (layer(data[1:]).square().sum() / 4).backward()
    other, loss = layer.weight.grad.clone(), layer(data[1:]).square().sum() / 4
    layer.zero_grad()
    mine = layer(data[:1]).square().sum() / 4
    mine.backward()

    def all_reduce(tensor):
        tensor += torch.cat([loss.detach().reshape(1), other.flatten()])

    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    total = alone.add_gradients(layer.parameters(), mine)
    torch.testing.assert_close(layer.weight.grad, whole)
    torch.testing.assert_close(total, layer(data).square().sum().detach() / 4)
    assert layer.bias.grad is None


def test_a_rank_without_rows_takes_part(alone):
    layer = torch.nn.Linear(3, 2)
    assert alone.add_gradients(layer.parameters(), torch.tensor(0.0)) == 0
    assert (layer.weight.grad == 0).all()


def test_counts_and_decisions_are_shared(alone):
    assert alone.leads
    assert alone.add_up([3, 1 << 40], torch.device("cpu")) == [3, 1 << 40]
    assert alone.agree(SimpleNamespace(a=1)) == SimpleNamespace(a=1)
