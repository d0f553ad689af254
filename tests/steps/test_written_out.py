"""The runner writes every parameter out: each step reads its own values back."""

from __future__ import annotations

import pytest

from phi_kit import steps
from phi_kit.study.notebook.execute import notebook_parameters


@pytest.mark.parametrize("step", steps.STEPS, ids=str)
def test_a_step_reads_back_what_the_runner_writes(step):
    params = steps.load(step).Params()
    read = type(params).given(notebook_parameters(params))
    assert read == params
