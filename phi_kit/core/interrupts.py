"""An interrupted cell of a notebook ends in a sentence, not in frames."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from .paths import ledger_address


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    if hasattr(error, "_render_traceback_"):
        lines = error._render_traceback_()
    else:
        kept = "what was sampled is in the ledger; " if ledger_address() else ""
        lines = [f"Stopped: {kept}run the cell again"]
    shell._showtraceback(kind, error, lines)
    forget_half_imports()
    return lines


def forget_half_imports() -> None:
    """Forget the modules of a package that was stopped while it was imported.

    Python forgets the package and keeps those parts of it that were whole; the next
    import then takes them for a package's that is there, and fails on it.
    """
    for name in sorted(sys.modules):  # a part before its own parts
        package = name.rpartition(".")[0]
        if package and package not in sys.modules:
            del sys.modules[name]


def show_interrupts_as_sentences(shell: Any) -> None:
    """Let IPython show interrupts as a sentence; the cell fails all the same.

    Args:
        shell: what `get_ipython()` gives; `None` outside of notebooks.
    """
    if shell is not None:
        shell.set_custom_exc((KeyboardInterrupt,), _show)
