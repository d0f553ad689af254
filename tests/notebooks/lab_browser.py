"""JupyterLab in a real browser: served, opened, run, and looked at.

Needs Chromium with its driver, and selenium: `pip install selenium`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The notebook's panel, focused or not.
WIDGET = (
    "[...(window.jupyterapp?.shell?.widgets('main') ?? [])]"
    ".find(one => one.sessionContext)"
)
RUN_ALL = (
    f"window.jupyterapp.shell.activateById({WIDGET}.id);"
    "const run = window.jupyterapp.commands.execute('notebook:run-all-cells');"
)


def wait(ready: Callable[[], object], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.5)


@contextmanager
def served(root: Path, **environment: str) -> Iterator[str]:
    """`phi-kit lab` in a folder; its kernels see this environment as well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={root}",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "phi_kit", "lab", *words],
        env={**os.environ, **environment},
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/api").status == 200
        except OSError:
            return False

    try:
        wait(answers, seconds=180)
        yield address
    finally:
        server.terminate()
        server.wait()


def opened(browser, address: str) -> None:
    """Open a notebook and wait for its kernel."""
    browser.set_script_timeout(900)
    browser.get(address)
    ready = f"return !!{WIDGET}?.sessionContext?.session?.kernel"
    wait(lambda: browser.execute_script(ready), seconds=300)


def run_all(browser) -> None:
    """Run All, until the last cell has ended."""
    # Looked for again and again: the driver gives up a script that takes two minutes.
    done = "window.ranAll = false; const end = () => window.ranAll = true;"
    browser.execute_script(f"{done} {RUN_ALL} run.then(end, end)")
    wait(lambda: browser.execute_script("return window.ranAll"), seconds=1800)


def outputs(browser) -> list[dict]:
    """Every output of the notebook, in order; off-screen cells included."""
    return browser.execute_script(
        f"return [...{WIDGET}.content.model.cells].filter(c => c.type === 'code')"
        ".flatMap(c => c.outputs.toJSON())"
    )


def alarms(shown: list[dict]) -> list[dict]:
    """What JupyterLab paints red: errors, and whatever went to stderr."""
    return [
        one
        for one in shown
        if one["output_type"] == "error" or one.get("name") == "stderr"
    ]
