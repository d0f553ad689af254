"""Held-out accuracy in the midst of a run: logged, and a reason to stop."""

import pytest
from runs_of_five import RECIPE, run

from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

pytestmark = pytest.mark.slow


class Says:
    """Held-out accuracies in order; the student that is asked can be asked."""

    def __init__(self, *accuracies):
        self.accuracies, self.asked, self.texts = iter(accuracies), [], []

    def __call__(self, student):
        assert not student.model.training
        self.asked.append(student.identity)
        self.texts += draw(student, ["Say it:"], SamplingParams(3, 0), k=1)
        return next(self.accuracies)


def test_accuracy_is_asked_every_so_often_and_changes_nothing(tiny, tmp_path):
    says = Says(0.1, 0.2, 0.3)
    recipe = RECIPE.with_(eval_steps=2)
    done = run(tiny, tmp_path / "a", tmp_path / "arm", recipe=recipe, heldout=says)
    plain = run(tiny, tmp_path / "b", tmp_path / "arm")
    assert done.losses == plain.losses
    found = {row["step"]: row.get("heldout_accuracy") for row in done.history}
    assert found == {1: None, 2: 0.1, 3: None, 4: 0.2, 5: 0.3}
    assert len(set(says.asked)) == 3  # another identity each time: other weights
    assert done.best_step == 5


@pytest.fixture
def stopping():
    return RECIPE.with_(eval_steps=1, patience=2)


def test_it_stops_and_keeps_the_best(tiny, tmp_path, stopping):
    says = Says(0.1, 0.4, 0.3, 0.4)
    done = run(tiny, tmp_path / "w", tmp_path / "arm", recipe=stopping, heldout=says)
    assert (done.best_step, len(done.losses)) == (2, 4)
    short = run(
        tiny,
        tmp_path / "v",
        tmp_path / "two",
        recipe=stopping,
        heldout=Says(0, 1, 0, 0),
    )
    assert short.best_step == 2
    row = next(r for r in done.history if r["step"] == 4)
    assert row["heldout_accuracy"] == 0.4


def test_the_kept_adapter_is_that_of_the_best_step(tiny, tmp_path, stopping):
    kept = []
    for name, accuracies in (("a", (0.5, 0.9, 0.1, 0.1)), ("b", (0.1, 0.9, 0.8, 0.2))):
        out = tmp_path / name / "arm"
        run(
            tiny,
            tmp_path / f"{name}-work",
            out,
            recipe=stopping,
            heldout=Says(*accuracies),
        )
        kept.append((out / "adapter_model.safetensors").read_bytes())
    assert kept[0] == kept[1]
    late = tmp_path / "c" / "arm"
    run(
        tiny,
        tmp_path / "c-work",
        late,
        recipe=stopping,
        heldout=Says(0, 0.1, 0.2, 0.3, 0.4),
    )
    assert (late / "adapter_model.safetensors").read_bytes() != kept[0]


def test_a_stopped_run_counts_on(tiny, tmp_path, stopping):
    def broken(row):
        if row["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            tiny,
            tmp_path / "w",
            tmp_path / "arm",
            recipe=stopping,
            heldout=Says(0.4, 0.3),
            watch=broken,
        )
    # One without a gain before the stop, one after it: two are enough.
    done = run(
        tiny, tmp_path / "w", tmp_path / "arm", recipe=stopping, heldout=Says(0.2)
    )
    assert (done.resumed, done.best_step, len(done.losses)) == (2, 1, 3)
