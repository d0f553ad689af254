"""`phi-kit lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import sys

from phi_kit.core.paths import project_root


def lab() -> None:
    """Open JupyterLab on the notebooks."""
    os.chdir(project_root())
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab"])
