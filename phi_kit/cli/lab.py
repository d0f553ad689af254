"""`phi-kit lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from phi_kit.core.paths import project_root

# Whatever `lab` does not know is for JupyterLab.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
_START = Path("notebooks", "README.md")
_SETTINGS = Path(__file__).with_name("jupyter")  # Markdown opens as it reads; no news
_SETTINGS_PATH = "JUPYTER_CONFIG_PATH"


def lab(context: typer.Context) -> None:
    """Open JupyterLab on the start page; further arguments are JupyterLab's own."""
    root = project_root()
    os.chdir(root)
    page = f"/{_START.as_posix()}" if (root / _START).is_file() else ""
    named = [str(_SETTINGS), os.environ.get(_SETTINGS_PATH, "")]
    os.environ[_SETTINGS_PATH] = os.pathsep.join(filter(None, named))
    words = [f"--LabApp.default_url=/lab{'/tree' * bool(page)}{page}", *context.args]
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *words])
