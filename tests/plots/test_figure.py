"""A figure says where its numbers come from, for the eye and in words."""

import pytest

from phi_kit.core.replay_mode import RECORDED, REPLAY
from phi_kit.core.step_run import StepRun
from phi_kit.plots import style
from phi_kit.steps import pick_domain

NOTE = "Line: 95 % interval."


@pytest.mark.parametrize("finding", ["", "18 rows."])
def test_a_figure_of_a_replay_says_so_and_one_of_a_model_does_not(
    finding, tmp_path, monkeypatch
):
    for ledger in ("", "recorded.sqlite"):
        monkeypatch.setenv(REPLAY, ledger)
        figure, _ = style.new_figure("How many?", NOTE, height=2)
        figure.finding = finding
        StepRun(pick_domain.Params(), staging=tmp_path).save_figure(figure, "rows")
        assert (RECORDED in figure.note) == bool(ledger)
        said = f"How many? {finding or NOTE}"
        assert figure.words == (f"{said} {RECORDED}" if ledger else said)
        assert figure.words.count(RECORDED) == bool(ledger)
