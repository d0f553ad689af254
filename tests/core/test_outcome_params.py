"""A step that was finished before a parameter was added is finished still."""

import pytest

from phi_kit import steps
from phi_kit.core.outcome_params import ADDED_SINCE, without_added


@pytest.mark.parametrize("step", steps.STEPS, ids=str)
def test_what_was_added_and_left_alone_decides_nothing(step):
    params = steps.load(step).Params
    left = {
        name: field.get_default(call_default_factory=True)
        for name, field in params.model_fields.items()
        if name in ADDED_SINCE
    }
    dumped = {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        for name, value in left.items()
    }
    assert without_added(dumped) == {}
    assert without_added({"samples": 3, **dumped}) == {"samples": 3}


def test_what_was_added_and_set_decides():
    assert without_added({"rounds": 2}) == {"rounds": 2}
