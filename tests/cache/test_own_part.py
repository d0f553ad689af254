"""A room on one ledger: everyone draws a part, and nothing is drawn twice."""

import threading

import pytest
from samplers import Counting

from phi_kit.cache import leases, own_part, store
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

PROMPTS = [f"prompt {n}" for n in range(60)]
HOW = SamplingParams(max_tokens=100, temperature=0.8)
KEYS = [f"{n:08x}{n:024x}" for n in range(own_part.PARTS * 2)]


@pytest.fixture
def named(monkeypatch):
    return lambda name: monkeypatch.setenv(own_part.PERSON, name)


def test_without_a_name_everything_is_drawn_at_once():
    assert own_part.next_part(KEYS) == KEYS


def test_forty_people_have_parts_of_their_own_that_stay_the_same(named):
    begun = set()
    for number in range(40):
        named(f"person {number}")
        part = own_part.next_part(KEYS)
        assert own_part.next_part(KEYS[::-1]) == part[::-1]
        assert len(part) == 2
        begun.add(tuple(part))
    # Names may fall on one part: who comes second takes the next one.
    assert len(begun) > 20


def test_one_person_alone_draws_all_of_them_part_by_part(named):
    named("Ada")
    left, seen = set(KEYS), []
    while left:
        seen += [own_part.next_part(sorted(left))]
        left -= set(seen[-1])
    assert len(seen) == own_part.PARTS
    assert sorted(key for part in seen for key in part) == KEYS
    assert own_part.next_part([]) == []


def test_a_room_shares_the_work_and_has_all_of_it(runs, monkeypatch):
    """Nobody's first sample comes before everybody has begun: no one takes it all."""
    people = [f"person {n}" for n in range(6)]
    monkeypatch.setattr(own_part, "person", lambda: threading.current_thread().name)
    begun = threading.Barrier(len(people), timeout=60)

    class Sitting(Counting):
        def stream(self, asked, sampling):
            if not self.asked:
                begun.wait()
            yield from super().stream(asked, sampling)

    samplers = {name: Sitting() for name in people}
    found = {}

    def sit(name):
        found[name] = draw(samplers[name], PROMPTS, HOW, k=2)

    threads = [threading.Thread(target=sit, args=(n,), name=n) for n in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [one for sampler in samplers.values() for one in sampler.asked]
    assert len(asked) == len(set(asked)) == 2 * len(PROMPTS)
    assert all(sampler.asked for sampler in samplers.values())
    assert all(found[name] == found[people[0]] for name in people)
    monkeypatch.undo()


def test_the_part_of_who_is_absent_is_drawn_as_well(runs, named):
    named("Ada")
    sampler = Counting()
    assert len(draw(sampler, PROMPTS, HOW)) == len(PROMPTS)
    assert len(sampler.asked) == len(PROMPTS)
    named("")
    assert draw(Counting(breaks=0), PROMPTS, HOW)


def test_two_machines_of_one_name_are_two(runs, monkeypatch, tmp_path):
    """Else one would take the other's processes for dead, and draw what they draw."""
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(leases, "_BOOT", boot)
    monkeypatch.setattr(leases, "_is_running", lambda pid, born: False)
    plain = leases._process_identity.__wrapped__
    monkeypatch.setattr(leases, "_process_identity", plain)
    database = store.open_ledger().database
    boot.write_text("one\n")
    with leases.Leases(database) as there:
        assert there.take(KEYS[:2]) == set(KEYS[:2])
        boot.write_text("another\n")
        with leases.Leases(database) as here:
            assert here.take(KEYS[:2]) == set()
