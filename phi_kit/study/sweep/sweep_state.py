"""Where every notebook of a sweep stands: in memory, and in `runs/<sweep>/sweep.json`.

The file is for who looks on, `phi-kit status` above all, and for the failures of the
last attempt. Whether a step is finished is told by its manifest alone.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from phi_kit.core.file_locks import is_held
from phi_kit.core.files import write_atomic
from phi_kit.core.paths import SWEEP_STATE, runs_root
from phi_kit.study.notebook.scrub import scrubbed_text
from phi_kit.study.runner import run_lock_file

Kind = Literal["waiting", "in flight", "finished", "failed", "left out"]
# Between two writings; the file of a big sweep, which takes longer, is written as much
# less often.
_SAVE_SECONDS, _TIMES_AS_LONG = 0.5, 20


@dataclass
class WorkState:
    """Where one notebook stands.

    Attributes:
        title: `03 filter_edge math`.
        variants: who needs it.
        kind: `left out` is what cannot run, since what it reads has failed, or need
            not, since a race has dropped who wanted it.
        study: in whose folder it runs or ran, or from where it was taken over.
        began: when, in seconds since 1970.
        seconds: it took, or takes.
        said: its last line.
        worker: that it runs on, `node-3 pid 4711 GPU 0`; empty in the sweep's process.
    """

    title: str
    variants: list[str]
    kind: Kind = "waiting"
    study: str = ""
    began: float = 0.0
    seconds: float = 0.0
    said: str = ""
    worker: str = ""


class Failure(NamedTuple):
    """Where a variant failed, and why."""

    key: str
    title: str
    why: str


@dataclass
class VariantState:
    """Where one variant stands.

    Attributes:
        kind: `finished`, `failed`, `dropped`, `in flight` or `waiting`.
        done: notebooks that are finished.
        of: notebooks it has.
        at: the notebook that is in flight, if there is one.
        failure: if it has failed.
        dropped: why a race has dropped it, if one has.
    """

    kind: str
    done: int
    of: int
    at: WorkState | None = None
    failure: Failure | None = None
    dropped: str = ""


@dataclass
class SweepState:
    """A sweep's notebooks by their keys; safe to be told by several threads."""

    name: str
    variants: dict[str, list[str]] = field(default_factory=dict)  # what each sets
    work: dict[str, WorkState] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)  # by variant
    dropped: dict[str, str] = field(default_factory=dict)  # why a race has, by variant
    notes: list[str] = field(default_factory=list)  # how the race stands, as text
    labels: dict[str, str] = field(default_factory=dict)  # what labels in names mean
    _save_at: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def path(self) -> Path:
        """Of the file."""
        return runs_root() / self.name / SWEEP_STATE

    def tell(self, key: str, **changes: Any) -> None:
        """Change what is known of a notebook; the file follows."""
        with self._lock:
            for name, value in changes.items():
                setattr(self.work[key], name, value)
            if time.monotonic() > self._save_at:
                self.save()

    def fail(self, variant: str, key: str, why: str) -> None:
        """Note that a variant has failed; what is this machine's own is left out."""
        with self._lock:
            why = scrubbed_text(why)
            self.failures[variant] = Failure(key, self.work[key].title, why)
            self.save()

    def note_race(self, dropped: Mapping[str, str], notes: Iterable[str]) -> None:
        """Note which variants a race drops now and why, and how it stands."""
        with self._lock:
            self.dropped |= dropped
            self.notes = list(notes)
            self.save()

    def add(self, variant: str, sets: Sequence[str], work: Mapping[str, str]) -> None:
        """Take in one variant more.

        Args:
            variant: its name.
            sets: what it sets.
            work: the titles of its notebooks by their keys.
        """
        with self._lock:
            self.variants[variant] = list(sets)
            for key, title in work.items():
                state = self.work.setdefault(key, WorkState(title, []))
                state.variants.append(variant)

    def save(self) -> None:
        """Write the file."""
        with self._lock:
            began = time.monotonic()
            body = {
                "sweep": self.name,
                "labels": self.labels,
                "variants": self.variants,
                "failures": self.failures,
                "dropped": self.dropped,
                "notes": self.notes,
                "work": {key: asdict(state) for key, state in self.work.items()},
            }
            write_atomic(self.path, json.dumps(body, indent=1, ensure_ascii=False))
            took = time.monotonic() - began
            self._save_at = began + took + max(_SAVE_SECONDS, _TIMES_AS_LONG * took)

    def variant_states(self) -> dict[str, VariantState]:
        """Where every variant stands, by its name."""
        with self._lock:
            own: dict[str, list[WorkState]] = {name: [] for name in self.variants}
            for state in self.work.values():
                for name in state.variants:
                    own[name].append(state)
            return {
                name: _variant_state(
                    states, self.failures.get(name), self.dropped.get(name, "")
                )
                for name, states in own.items()
            }

    def put_out(self) -> None:
        """What was in flight waits again: nobody runs it any more."""
        with self._lock:
            for state in self.work.values():
                if state.kind == "in flight":
                    state.kind, state.said, state.worker = "waiting", "", ""


def _variant_state(
    work: Sequence[WorkState], failure: Failure | None, dropped: str
) -> VariantState:
    done = sum(state.kind == "finished" for state in work)
    at = next((state for state in work if state.kind == "in flight"), None)
    kind = "finished" if done == len(work) else "waiting"
    if failure:
        kind = "failed"
    elif at:
        kind = "in flight"
    elif dropped and kind == "waiting":
        kind = "dropped"
    return VariantState(kind, done, len(work), at, failure, dropped)


def read_state(name: str) -> SweepState:
    """What the file of a sweep says; nothing if there is none that can be read."""
    state = SweepState(name)
    try:
        body = json.loads(state.path.read_text(encoding="utf-8"))
        state.variants = _as_lists(body["variants"])
        state.work = {key: WorkState(**one) for key, one in body["work"].items()}
        failed = body["failures"].items()
        state.failures = {name: Failure(*failure) for name, failure in failed}
        state.dropped = dict(body.get("dropped", {}))
        state.notes = list(body.get("notes", []))
        state.labels = dict(body.get("labels", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return SweepState(name)
    return state


def _as_lists(variants: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    return {name: list(sets) for name, sets in variants.items()}


def is_going_on(name: str) -> bool:
    """Whether a process runs this sweep now."""
    return is_held(run_lock_file(name))
