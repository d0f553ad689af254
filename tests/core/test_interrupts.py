"""After an interrupt the same cell runs again, also where it came during an import."""

import importlib
import sys

import pytest

from phi_kit.core.interrupts import show_interrupts_as_sentences


class Shell:
    """As much of IPython as an interrupted cell meets."""

    def set_custom_exc(self, kinds, show):
        self.show = show

    def _showtraceback(self, kind, error, lines):
        self.lines = lines


PACKAGE = """
from .error import *   # whole, and kept by Python when this package is not
import builtins
if builtins.stop_this_import:
    raise KeyboardInterrupt
import half_made
half_made.error
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose import can be stopped halfway."""
    folder = tmp_path / "half_made"
    folder.mkdir()
    (folder / "__init__.py").write_text(PACKAGE)
    (folder / "error.py").write_text("from . import deeper\n")
    (folder / "deeper.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield monkeypatch
    for name in [name for name in sys.modules if name.startswith("half_made")]:
        del sys.modules[name]


def test_an_import_that_was_stopped_is_begun_again(package):
    shell = Shell()
    show_interrupts_as_sentences(shell)
    before = dict(sys.modules)
    package.setattr("builtins.stop_this_import", True, raising=False)
    with pytest.raises(KeyboardInterrupt) as stopped:
        importlib.import_module("half_made")
    assert "half_made.error" in sys.modules  # what the next import would stumble on
    shell.show(shell, KeyboardInterrupt, stopped.value, None)
    assert "run the cell again" in shell.lines[0]
    package.setattr("builtins.stop_this_import", False)
    importlib.import_module("half_made")
    # Nothing that was whole has gone.
    assert all(sys.modules.get(name) is module for name, module in before.items())
