"""Run one notebook by papermill, and explain what went wrong.

Papermill's own record cannot be trusted: it says "completed" of cells whose
kernel was killed and takes `sys.exit(0)` for success.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io
from traitlets.config import Config

from phi_kit.core.errors import (
    DiskFullError,
    KernelDiedError,
    RunError,
    tells_of_full_disk,
)
from phi_kit.core.params import ADVANCED, StepParams
from phi_kit.core.paths import display_path, project_root

from .kernel import kernel_class, kernel_config, log_tail
from .scrub import SCHEME, ScrubbedFile, without_secrets
from .warm_kernels import WarmKernels

CARRY_ON = "the same command carries on from here"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LONGEST = 2000  # characters of an error's text
# Generous on purpose: a loaded machine is slow, not broken.
_START_SECONDS, _IOPUB_SECONDS = 180, 120


class Position:
    """Which cell is being executed, as the notebook numbers them: In [n]."""

    def __init__(self) -> None:
        self.number, self.source = 0, ""

    def note(self, *, cell: Any, cell_index: int) -> None:
        """Called by nbclient before each code cell."""
        self.number, self.source = self.number + 1, cell.source

    def __str__(self) -> str:
        if not self.number:
            return "before its first cell"
        lines = [line.strip() for line in self.source.splitlines()]
        code = [line for line in lines if line and not line.startswith("#")]
        first = (code or lines or [""])[0]
        return f"in cell In [{self.number}]: {first}"


class LineWriter:
    """A file that passes on whole lines, each with a prefix."""

    def __init__(self, prefix: str, say: Callable[[str], None]):
        self.prefix, self.say, self.rest = prefix, say, ""

    def write(self, text: str) -> int:
        """Take text as it comes; a line is passed on when it ends."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self._pass_on(line)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: papermill flushes in the middle of lines."""

    def close(self) -> None:
        """Pass on a last line that did not end."""
        if self.rest:
            self._pass_on(self.rest)
            self.rest = ""

    def _pass_on(self, line: str) -> None:
        # Of a progress bar, which rewrites its line, the last state.
        visible = line.rstrip("\r").rpartition("\r")[2]
        self.say(f"{self.prefix}{without_secrets(visible)}")


def execute(
    notebook: Path,
    output: Path,
    parameters: dict[str, Any],
    *,
    out: LineWriter,
    warm: WarmKernels | None = None,
) -> None:
    """Execute a notebook into `output`, its printed lines going to `out`.

    Args:
        notebook: the notebook to run.
        output: where the executed copy goes, written after every cell.
        parameters: JSON values by UPPER_CASE name.
        out: takes what the cells print, as they print it.
        warm: where the kernel comes from, if not from nothing.

    Raises:
        RunError: a cell raised or left the notebook; a `DiskFullError` where it
            found no room to write.
        KernelDiedError: the kernel did.
    """
    position = Position()
    # Its log repeats on stderr what the errors below say better.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    with kernel_config() as config:
        try:
            done = _papermill(
                notebook,
                output,
                parameters,
                out=out,
                kernel=kernel_class(warm),
                config=config,
                position=position,
            )
        except PapermillExecutionError as error:
            raise _stopped(
                display_path(notebook), position, _error_text(error), output
            ) from None
        except (DeadKernelError, RuntimeError) as error:
            # A kernel that never answered has no error class of its own.
            if "Kernel d" not in str(error):
                raise
            raise _died(
                display_path(notebook), position, log_tail(config), output
            ) from None
        except KeyboardInterrupt:
            # nbclient's pending tasks would each complain of the kernel's end.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            raise
        finally:
            out.close()
    if any(
        result.get("ename") == "SystemExit"
        for cell in done.cells
        for result in cell.get("outputs", [])
    ):
        why = "it left the notebook by sys.exit"
        raise _stopped(display_path(notebook), position, why, output)


def _papermill(
    notebook: Path,
    output: Path,
    parameters: dict[str, Any],
    *,
    out: LineWriter,
    kernel: type,
    config: Config,
    position: Position,
) -> Any:
    papermill_io.register(SCHEME, ScrubbedFile)
    output.parent.mkdir(parents=True, exist_ok=True)
    return papermill.execute_notebook(
        _without_fields(str(notebook)),
        _without_fields(f"{SCHEME}{output}"),
        parameters,
        kernel_name="python3",
        language="python",
        cwd=str(project_root()),
        progress_bar=False,
        stdout_file=out,
        start_timeout=_START_SECONDS,
        iopub_timeout=_IOPUB_SECONDS,
        kernel_manager_class=kernel,
        config=config,
        on_cell_execute=position.note,
    )


def _without_fields(path: str) -> str:
    # Papermill would fill in a `{NAME}` in a path.
    return path.replace("{", "{{").replace("}", "}}")


def _error_text(error: PapermillExecutionError) -> str:
    text = _ANSI.sub("", f"{error.ename}: {error.evalue}").strip()
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return "\n  ".join(without_secrets(text).splitlines())


def _stopped(name: str, position: Position, why: str, output: Path) -> RunError:
    kind = DiskFullError if tells_of_full_disk(why) else RunError
    return kind(
        f"{name} stopped {position}\n  {why}",
        where=display_path(output),
        todo=f"open that notebook to see all of it and mend the cause; {CARRY_ON}",
    )


def _died(name: str, position: Position, log: str, output: Path) -> KernelDiedError:
    why = "It was killed from outside, most likely because memory ran out."
    if log:
        log = without_secrets(log).replace("\n", "\n    ")
        why = f"Its last words; if they say nothing, memory ran out:\n    {log}"
    return KernelDiedError(
        f"the kernel of {name} died {position}\n  {why}",
        where=display_path(output),
        todo="close other programs, or choose smaller sizes (a batch, the number of "
        f"samples, the model); {CARRY_ON}",
    )


def notebook_parameters(
    params: StepParams, *, first: Collection[str] = ()
) -> dict[str, Any]:
    """A step's parameters as papermill takes them: plain values by UPPER_CASE name.

    Args:
        params: all of them.
        first: the names that the notebook's own cell sets. Where `ADVANCED` is among
            them it takes the others, as far as they differ from their defaults.
    """
    values = params.model_dump(mode="json")
    # Papermill writes them as Python literals; only plain JSON survives that.
    plain = {name.upper(): json.loads(json.dumps(v)) for name, v in values.items()}
    if ADVANCED not in first:
        return plain
    own = {name: value for name, value in plain.items() if name in first}
    changed = {name.upper() for name in params.changed()}
    others = {n: v for n, v in plain.items() if n in changed and n not in own}
    return {**own, ADVANCED: others}


def first_parameters(notebook: Path) -> list[str]:
    """The names that a notebook's cell of parameters sets; none if it is unreadable."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", ())]
        body = ast.parse("".join("".join(cell["source"]) for cell in tagged)).body
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError):
        return []
    targets = [
        target
        for node in body
        for target in getattr(node, "targets", [getattr(node, "target", None)])
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]
