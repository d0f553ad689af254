"""What a notebook needs before anything runs in it, whoever starts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dependency_warnings import silence_dependencies
from .interrupts import show_interrupts_as_sentences

_LONGEST_CELL = 400  # characters of a cell in a notebook's tables


def set_up_notebook(namespace: Mapping[str, Any]) -> None:
    """No red alarm that is none, whole prompts in tables, interrupts as sentences.

    To set it up again changes nothing.

    Args:
        namespace: the notebook's `globals()`; outside of one there is no shell in it.
    """
    import pandas as pd

    silence_dependencies()
    # What differs between two prompts stands at their ends.
    pd.options.display.max_colwidth = _LONGEST_CELL
    show_interrupts_as_sentences(namespace.get("get_ipython", lambda: None)())
