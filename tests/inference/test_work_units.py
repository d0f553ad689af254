"""Units of work: samples are the same to the bit, whoever decodes which unit."""

import pytest

from phi_kit.core.errors import RunError
from phi_kit.inference import work_units
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.inference.work_units import UnitQueue

SAMPLING = SamplingParams(max_tokens=12, temperature=1.0)


@pytest.fixture
def small_units(monkeypatch):
    monkeypatch.setattr(work_units, "UNIT_SAMPLES", {"cpu": 10, "cuda": 10})


def requests(n):
    return [
        SampleRequest(f"{'word ' * (i % 7)}What is {i // 3}?", i % 3, 31 * i)
        for i in range(n)
    ]


def test_units_cover_a_draw_once(small_units):
    units = work_units.work_units(34)
    assert [i for unit in units for i in unit] == list(range(34))
    assert max(map(len, units)) == 10
    assert work_units.work_units(0) == []


def test_what_is_left_after_whole_units_is_cut_as_before(small_units):
    every = list(range(34))
    before = [every[unit.start : unit.stop] for unit in work_units.work_units(34)]
    left = [i for i in every if i not in before[1]]
    after = [left[unit.start : unit.stop] for unit in work_units.work_units(len(left))]
    assert after == [before[0], *before[2:]]


def test_a_unit_decoded_alone_is_that_of_the_whole_draw_to_the_bit(tiny, small_units):
    asked = requests(34)
    whole = dict(tiny.stream(asked, SAMPLING))
    assert sorted(whole) == list(range(34))
    for unit in reversed(work_units.work_units(34)):
        alone = dict(tiny.stream(asked[unit.start : unit.stop], SAMPLING))
        assert [alone[i] for i in range(len(unit))] == [whole[i] for i in unit]


def test_a_lost_unit_goes_out_again_before_all_others():
    queue = UnitQueue([range(3), range(3, 6)])
    lost = queue.take()
    queue.put_back(lost)
    assert [queue.take(), queue.take(), queue.take()] == [lost, range(3, 6), None]
    queue.finish()
    queue.finish()
    assert queue.left == 0


def test_a_unit_that_kills_every_worker_is_given_up_and_named():
    queue = UnitQueue([range(3, 6)])
    for _ in range(work_units.MOST_LOSSES - 1):
        queue.put_back(queue.take())
    with pytest.raises(RunError, match="same 3 samples") as caught:
        queue.put_back(queue.take())
    assert "samples 4 to 6" in caught.value.where
