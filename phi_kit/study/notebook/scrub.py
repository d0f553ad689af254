"""Keep this machine's paths and secrets out of executed notebooks and their lines.

Papermill writes a notebook after every cell; each write passes through here,
so that even the notebook of a killed run has neither, and stays small.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from phi_kit.core.files import write_atomic
from phi_kit.core.paths import display_path, project_root, runs_root

from .slim import slim

SCHEME = "phi-kit:"  # what papermill knows this writer by
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
# Where IPython puts a cell's code. Without its bound, a picture inside HTML (base64
# has a slash every 64 characters, and no space) is searched in quadratic time.
_CELL = re.compile(r"/\S{0,400}/ipykernel_\d+/\d+\.py")
_SHORTEST = 8  # shorter values (`TOKENIZERS_PARALLELISM=false`) are words


class ScrubbedFile:
    """A papermill output: `phi-kit:/absolute/path/notebook.ipynb`."""

    @staticmethod
    def write(text: str, path: str) -> None:
        """Write the notebook whole or not at all, scrubbed."""
        target = Path(path.removeprefix(SCHEME))
        notebook = json.loads(text)
        notebook["metadata"].get("papermill", {})["output_path"] = str(target)
        slim(notebook)
        body = json.dumps(scrubbed(notebook), indent=1, ensure_ascii=False)
        write_atomic(target, f"{body}\n")

    @staticmethod
    def pretty_path(path: str) -> str:
        """The path as papermill's log shows it."""
        return display_path(path.removeprefix(SCHEME))


def scrubbed(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of a notebook's JSON without machine paths and secrets."""
    return _map_strings(notebook, _scrubber())


def scrubbed_text(text: str) -> str:
    """The text without machine paths, and with `***` for every environment secret."""
    return _scrubber()(text)


def _scrubber() -> Callable[[str], str]:
    folders, secrets = _folders(), _secrets()

    def change(text: str) -> str:
        for literal, pattern, short in folders:
            if literal in text:  # far quicker than the pattern, which looks behind
                text = pattern.sub(short, text)
        for value in secrets:
            text = text.replace(value, "***")
        return text

    return change


def _secrets() -> list[str]:
    values = {
        value
        for name, value in os.environ.items()
        if _SECRET.search(name) and len(value) >= _SHORTEST
    }
    return sorted(values, key=len, reverse=True)  # a secret may contain another


def _folders() -> list[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """Patterns of this machine's folders, with a part of each and its replacement."""
    names = {
        str(project_root()): "",
        str(project_root().resolve()): "",
        str(runs_root()): "runs",
        sys.prefix: "<python>",
        str(Path.home()): "~",
    }
    # The longest first, for one may lie in another.
    return [("/ipykernel_", _CELL, lambda _: "<cell>")] + [
        (path, _folder(path), partial(_short, names[path]))
        for path in sorted(names, key=len, reverse=True)
        if path != "/"
    ]


def _folder(path: str) -> re.Pattern[str]:
    # Not in the middle of another path, of a word or of an URL.
    return re.compile(rf"(?<![\w.~-])(?<!:/){re.escape(path)}(/|(?![\w.-]))")


def _short(name: str, match: re.Match[str]) -> str:
    slash = match[1]
    if not name:  # inside the project paths become relative
        return "" if slash else "."
    return name + slash


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text changed, pictures left as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {
            key: inner if key.startswith("image/") else _map_strings(inner, change)
            for key, inner in value.items()
        }
    return value
