"""The kit's metrics as modules of Hugging Face `evaluate`.

Each lies in a folder of its own and is loaded from the installed package, without
a network: `evaluate.load(metrics.path("pass_at_k"))`. The numbers come from
`scores`, which the steps use as well.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("exact_match", "g_pass_at_k", "maj_at_k", "pass_at_k", "pass_rate")


def path(name: str) -> str:
    """The folder to give to `evaluate.load`.

    Raises:
        ValueError: there is no such metric; the message names those there are.
    """
    if name not in NAMES:
        raise ValueError(f"no metric '{name}'; known: {', '.join(NAMES)}")
    return str(Path(__file__).parent / name)
