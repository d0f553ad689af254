"""Alarms of dependencies that are none, each by its own words.

JupyterLab shows what goes to stderr in red. A reader who is told there to update
ipywidgets, or to `pip install kernels`, does so and is no further.
"""

from __future__ import annotations

import logging
import re
import warnings

# Words of the warning, and why nobody has to do anything.
WARNINGS = (
    "IProgress not found",  # tqdm draws a text bar instead
    "`is_gradient_checkpointing` is deprecated",  # read by transformers itself
    "`torch.jit.script_method` is deprecated",  # used by torch itself
)
# bitsandbytes has a kernel of its own where this one cannot be fetched.
LOGS = {"bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward"}


def silence_dependencies() -> None:
    """Silence them; anything else that a library says is shown."""
    for words in WARNINGS:
        warnings.filterwarnings("ignore", message=re.escape(words))
    for name, words in LOGS.items():
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Without) for each in logger.filters):
            logger.addFilter(_Without(words))


class _Without(logging.Filter):
    def __init__(self, words: str):
        super().__init__()
        self.words = words

    def filter(self, record: logging.LogRecord) -> bool:
        return self.words not in str(record.msg)
