"""Progress: a heartbeat headless, one line that is updated in a notebook."""

import pytest

from phi_kit.core import progress as module
from phi_kit.core.progress import Heartbeat, Line, progress


class Display:
    """Stands in for IPython's display; keeps every text it showed."""

    def __init__(self):
        self.texts = []

    def __call__(self, data, *, raw, display_id):
        self.texts.append(data["text/plain"])
        return self

    def update(self, data, *, raw):
        self.texts.append(data["text/plain"])


@pytest.fixture
def cell(monkeypatch):
    shown = Display()
    monkeypatch.setattr(module, "in_kernel", lambda: True)
    monkeypatch.delenv(module.HEADLESS, raising=False)
    monkeypatch.setattr("IPython.display.display", shown)
    monkeypatch.setattr(module, "REDRAW_SECONDS", 0)
    return shown


def test_a_notebook_sees_one_line_that_ends_in_a_sentence(cell, capsys):
    with progress("base on dev", total=4, unit="samples") as line:
        line.have()
        for _ in range(3):
            line.step(tokens=10)
    assert isinstance(line, Line)
    assert cell.texts[0] == "base on dev: 4 samples"
    assert "2/4 samples (1 from the ledger)" in cell.texts[1]
    assert cell.texts[1].startswith("█" * 10 + "░" * 10)
    assert cell.texts[-1] == "base on dev: 4 samples in 0 s, 1 from the ledger"
    assert capsys.readouterr() == ("", "")  # red strips come from stderr


def test_a_loop_that_is_stopped_says_how_far_it_came(cell):
    def stopped():
        with progress("x", total=9, unit="steps") as line:
            line.step()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert cell.texts[-1] == "x: stopped after 1 of 9 steps in 0 s"


def test_headless_there_is_no_line(cell, monkeypatch):
    monkeypatch.setenv(module.HEADLESS, "1")
    with progress("x", total=9, unit="steps") as line:
        line.step()
    assert type(line) is Heartbeat
    assert cell.texts == []


def test_one_thing_needs_no_bar(cell):
    with progress("x", total=1, unit="verdicts") as line:
        line.step()
    assert type(line) is Heartbeat
