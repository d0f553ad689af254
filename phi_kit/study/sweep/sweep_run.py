"""Run a sweep: every notebook that some variant needs, once.

There is nothing to resume. What is finished is found by its manifest, wherever it was
run, and taken over; what is not is run. A study is its own sweep of one variant.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from phi_kit.cluster.ray_session import ADDRESS
from phi_kit.core.errors import PhiKitError, RunError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.number_format import duration, plural
from phi_kit.core.paths import SWEEP_STATE, display_path, runs_root
from phi_kit.core.step_state import fingerprint, run_folder_path, up_to_date
from phi_kit.core.taken_over import take_over
from phi_kit.inference import completion
from phi_kit.study.config import Unit
from phi_kit.study.notebook.scrub import scrubbed_text
from phi_kit.study.runner import run_lock

from .finished_results import FinishedResults
from .notebook_engine import Engine, Outcome, in_process
from .sweep_config import Sweep, chosen
from .sweep_race import SweepRace
from .sweep_state import SweepState, WorkState, read_state
from .sweep_table import LiveTable, failures, progress, summary
from .sweep_variant import Variant
from .work_claims import WorkClaims, work_claims
from .work_plan import WorkItem, join_work, plan_work

Say = Callable[[str], None]
_MOST_IN_PROCESS = 2  # notebooks at once; more of them want Ray
_WAIT_SECONDS = 1.0
_RETRIES = 2  # of a notebook whose kernel, worker or machine was lost (kit default)
_LONGEST_SAID = 200  # letters of a notebook's last line, which a table shows


def run_sweep(
    sweep: Sweep,
    *,
    names: Sequence[str] = (),
    say: Say = print,
    live: LiveTable | None = None,
) -> None:
    """Run a sweep's variants; one that fails stops no other.

    Args:
        sweep: what to run.
        names: of the variants to run, `*` and `?` for any letters; all if empty.
        say: takes one line of text at a time.
        live: draws the table in place of lines of progress.

    Raises:
        StudyError: a name fits no variant or meant another one before, or a study
            has the sweep's name.
        RunError: variants failed, all of them named; another process runs the sweep;
            or it wants Ray, which is not there or cannot work for it.
        ModelError: a step loads weights and the model is an endpoint, or an engine is
            not installed.
    """
    variants = chosen(sweep, names)
    for unit in (unit for variant in variants for unit in variant.units):
        unit.params.require_weights()  # before hours of sampling, not after
        completion.require_sampler(unit.params)
    items = plan_work(sweep.variants)
    _require_own(sweep)
    began = time.monotonic()
    with run_lock(sweep.name, what="sweep"):
        before = read_state(sweep.name)
        _require_names(sweep, before)
        state = _first_state(sweep, variants, items, before)
        try:
            with work_claims() as claims, _engine(sweep.workers, say) as engine:
                # Who names variants wants them run, whatever a race may say.
                race = SweepRace(sweep, items) if sweep.race and not names else None
                run = _SweepRun(sweep, items, engine, claims, state, say, live, race)
                last = {failure.key for failure in before.failures.values()}
                run.carry_out({variant.name for variant in variants}, last=last)
        finally:
            state.put_out()
            state.save()
    say(f"sweep '{sweep.name}': {summary(state, state.variant_states())}")
    say(f"{run.tally()}; {duration(time.monotonic() - began)}")
    for line in state.notes:
        say(line)
    _raise_failures(sweep, state, say)


def _engine(workers: int, say: Say) -> AbstractContextManager[Engine]:
    """Where so many notebooks at once run: in this process, or on Ray."""
    address = os.environ.get(ADDRESS, "")
    if workers > _MOST_IN_PROCESS or (workers > 1 and address):
        from .ray_engine import on_ray  # only where it is wanted

        return on_ray(workers, address, say)
    return in_process(workers, say)


def _require_own(sweep: Sweep) -> None:
    """Refuse the folder of a study.

    Raises:
        StudyError: the sweep has a study's name.
    """
    folder = runs_root() / sweep.name
    if (folder / SWEEP_STATE).is_file() or not folder.is_dir():
        return
    if any(entry.name != ".lock" for entry in folder.iterdir()):
        raise StudyError(
            f"'{sweep.name}' is a study's name already",
            where=display_path(folder),
            todo="give the sweep another one: sweep: NAME",
        )


def _require_names(sweep: Sweep, before: SweepState) -> None:
    """Refuse names that meant other variants before: their folders are theirs.

    Raises:
        StudyError: a part of a name stood for another parameter.
    """
    for label, path in sweep.labels.items():
        if (meant := before.labels.get(label, path)) != path:
            raise StudyError(
                f"in the names of this sweep's variants '{label}' was {meant}, and "
                f"would be {path} now",
                where=display_path(before.path),
                todo="give the sweep another name: sweep: NAME",
            )


def _first_state(
    sweep: Sweep,
    variants: Sequence[Variant],
    items: Mapping[str, WorkItem],
    before: SweepState,
) -> SweepState:
    """The state at the start; of variants that are not run, what was known of them."""
    state = SweepState(sweep.name, {one.name: list(one.sets) for one in sweep.variants})
    state.labels = {**before.labels, **sweep.labels}
    state.work = {
        key: WorkState(item.title, list(item.units)) for key, item in items.items()
    }
    running = {variant.name for variant in variants}
    for key, work in state.work.items():
        if key in before.work and not running & set(work.variants):
            state.work[key] = replace(before.work[key], variants=work.variants)
    state.failures = {
        name: failure
        for name, failure in before.failures.items()
        if name in state.variants and name not in running
    }
    state.dropped = {
        name: why
        for name, why in before.dropped.items()
        if name in state.variants and name not in running
    }
    state.save()
    return state


def _raise_failures(sweep: Sweep, state: SweepState, say: Say) -> None:
    failed = list(state.failures)
    for line in failures(state):
        say(line)
    if failed:
        # The winner of a race that is measured again has no name to call it by.
        named = [name for name in failed if name in {v.name for v in sweep.variants}]
        only = " ".join(f"--only {name}" for name in named[:3])
        alone = f", or alone: phi-kit sweep {sweep.path.stem} {only}" if only else ""
        raise RunError(
            f"{plural(len(failed), 'variant')} of the sweep '{sweep.name}' failed: "
            f"{', '.join(failed)}",
            where=display_path(state.path),
            todo=f"mend the cause; the same command tries them again after all the "
            f"others{alone}",
        )


class _SweepRun:
    """One carrying out of a sweep: what is ready, what runs, who has failed."""

    def __init__(
        self,
        sweep: Sweep,
        items: dict[str, WorkItem],
        engine: Engine,
        claims: WorkClaims,
        state: SweepState,
        say: Say,
        live: LiveTable | None,
        race: SweepRace | None,
    ):
        self.items, self.engine, self.claims, self.state = items, engine, claims, state
        self.say, self.live, self.race = say, live, race
        self.results = FinishedResults(state.name)
        self.wanted: set[str] = set()  # variants that are run and have not failed
        self.pending: list[str] = []
        self.needless = False  # whether nobody may want some of these any more
        self.finished: dict[str, RunFolder] = {}  # by key
        self.ran = 0  # notebooks
        self.marks: dict[str, str] = {}  # fingerprints of what is ready and not found
        self.running: dict[str, Unit] = {}
        self.lost: Counter[str] = Counter()  # how often, by key
        hours = sweep.limits.hours
        self.ends = time.monotonic() + 3600 * hours if hours else None

    # --- the loop ---

    def carry_out(self, names: Collection[str], *, last: set[str]) -> None:
        """Run all that these variants need; `last` is begun after the others."""
        self.wanted = set(names)
        self.pending = [key for key in self.items if self._units(key)]
        self.pending.sort(key=lambda key: key in last)
        while True:
            while self._settle() or self._look():
                pass
            self._begin()
            if self.live:
                self.live.draw(self.state)
            if not self.running and not self.waits_for_others:
                break
            for outcome in self.engine.wait(_WAIT_SECONDS):
                self._ended(outcome)
        if self.race:
            self.state.note_race({}, self.race.lines(self.finished))
        if self.live:
            self.live.draw(self.state, now=True)
        if self.pending:
            left = plural(len(self.pending), "notebook")
            self.say(
                f"the limit of hours is reached; {left} left: the same command "
                "carries on"
            )

    @property
    def waits_for_others(self) -> bool:
        """Whether another process runs what is ready here."""
        return bool(self._ready()) and not self._late

    @property
    def _late(self) -> bool:
        return self.ends is not None and time.monotonic() >= self.ends

    def _ready(self) -> list[str]:
        """What could begin: all that it reads is finished, and its turn has come."""
        return [
            key
            for key in self.pending
            if all(read in self.finished for read in self.items[key].reads.values())
            and (not self.race or self.race.may_run(key, self._units(key)))
        ]

    def _units(self, key: str) -> dict[str, Unit]:
        """Who needs a notebook, is run and has not failed."""
        units = self.items[key].units
        return {name: unit for name, unit in units.items() if name in self.wanted}

    def _settle(self) -> bool:
        """Finish what need not run, drop what nobody needs; whether anything was."""
        before = len(self.pending)
        if self.needless:
            self.needless = False
            for key in [key for key in self.pending if not self._units(key)]:
                self.pending.remove(key)
                self.state.tell(key, kind="left out")
        for key in self._ready():
            if source := self._found(key):
                self.pending.remove(key)
                self._share(key, source)
        return len(self.pending) < before

    def _look(self) -> bool:
        """Hold the looks of a race that are due; whether one was."""
        if not self.race:
            return False
        held = len(self.race.result.leaders)
        dropped = self.race.look(self.finished, self.state.failures)
        if len(self.race.result.leaders) == held:
            return False
        self._give_up(dropped)
        self.state.note_race(dropped, self.race.lines(self.finished))
        if self.race.again:
            self._add(self.race.again)
        if self.live is None:
            for name, why in dropped.items():
                self.say(f"{name} is dropped: {why}")
        return True

    def _add(self, variant: Variant) -> None:
        """Run one variant more."""
        more = plan_work([variant])
        join_work(self.items, more)
        work = {key: item.title for key, item in more.items()}
        self.state.add(variant.name, variant.sets, work)
        self.wanted.add(variant.name)
        for key in more:
            self.finished.pop(key, None)  # the new one has yet to be given it
            if key not in self.pending and key not in self.running:
                self.pending.append(key)
                self.state.tell(key, kind="waiting")

    def _found(self, key: str) -> RunFolder | None:
        """A finished result of a ready notebook that somebody needs, wherever it is."""
        if key in self.marks and self.results.find(self.marks[key]) is None:
            return None  # most often: nothing more is asked for each of thousands
        # A failure while results are shared may have left nobody.
        name, unit = next(iter(self._units(key).items()), (None, None))
        if unit is None:
            return None
        try:
            if key not in self.marks:
                if up_to_date(unit.params):
                    return RunFolder(run_folder_path(unit.params))
                self.marks[key] = fingerprint(unit.params)
        except PhiKitError as error:
            self._fail(key, [name], error)
            return None
        return self.results.find(self.marks[key])

    def _begin(self) -> None:
        """Begin what is ready, as long as the engine takes more."""
        for key in self._ready():
            if not self.engine.free or self._late:
                return
            mark = self.marks.get(key)
            if mark is None:  # the first who needs it has just failed
                continue
            # What has other parameters upstream may still read the same.
            if mark in {self.marks[other] for other in self.running}:
                continue
            if not self.claims.take(mark):
                continue
            self.results.look_again()  # others have finished what they had claimed
            if self.results.find(mark):
                self.claims.let_go(mark)
                continue
            name, unit = next(iter(self._units(key).items()))
            self.pending.remove(key)
            self.running[key] = unit
            self.state.tell(
                key, kind="in flight", study=unit.params.study, began=time.time()
            )
            said, at = partial(self._said, key, name), partial(self._placed, key)
            self.engine.start(key, unit, said, at)

    def _placed(self, key: str, worker: str) -> None:
        """A notebook has begun on a worker, for which it may have waited."""
        self.state.tell(key, worker=worker, began=time.time())

    def _said(self, key: str, variant: str, line: str) -> None:
        """A line of a running notebook; from the engine's thread."""
        text = line.partition("] ")[2] or line
        self.state.tell(key, said=text[:_LONGEST_SAID])
        if self.live is None:
            others = len(self.items[key].units) - 1
            self.say(f"{variant}{f' (+{others})' * bool(others)} {line}")

    def _ended(self, outcome: Outcome) -> None:
        key, unit = outcome.key, self.running.pop(outcome.key)
        took = time.time() - self.state.work[key].began
        self.claims.let_go(self.marks[key])
        if outcome.lost and self.lost[key] < _RETRIES:
            self._try_again(key, outcome)
            return
        if outcome.error:
            self.state.tell(key, kind="failed", seconds=took, said="")
            self._fail(key, list(self._units(key)), outcome.error)
            return
        folder = RunFolder(run_folder_path(unit.params))
        self.results.add(folder.manifest["fingerprint"], folder.path)
        self.ran += 1
        self.state.tell(key, seconds=took)
        self._share(key, folder)
        if self.live is None and (self.pending or self.running):
            self.say(progress(self.state))

    def _try_again(self, key: str, outcome: Outcome) -> None:
        """Put a notebook that was lost behind all others."""
        self.lost[key] += 1
        self.pending.append(key)
        self.needless = True  # who wanted it may have failed while it ran
        self.state.tell(key, kind="waiting", worker="", said="")
        if self.live is None:
            self.say(
                f"[{self.items[key].title}] was lost and is tried again, "
                f"{self.lost[key]} of {_RETRIES} times: {outcome.error.what}"
            )

    # --- how things end ---

    def _share(self, key: str, source: RunFolder) -> None:
        """Give a finished result to all who need it."""
        for name, unit in self._units(key).items():
            try:
                same = up_to_date(unit.params) or take_over(unit.params, source)
                if not same:
                    raise RunError(
                        f"the result of {unit.title} changed while it was taken over",
                        where=display_path(source.path),
                        todo="the same command carries on from here",
                    )
            except PhiKitError as error:
                self._fail(key, [name], error)
        self.finished[key] = source
        per_domain = self.items[key].step.per_domain
        study = source.path.parents[1 if per_domain else 0].relative_to(runs_root())
        took = self.state.work[key].seconds or float(source.manifest["seconds"])
        self.state.tell(key, kind="finished", study=str(study), said="", seconds=took)

    def _fail(self, key: str, names: Sequence[str], error: PhiKitError) -> None:
        """Some variants end here; all the others go on."""
        self._give_up(names)
        for name in names:
            self.state.fail(name, key, str(error))
        if self.live is None:
            title = self.items[key].title
            why = scrubbed_text(error.what)
            self.say(f"{', '.join(names)} [{title}] failed: {why}")

    def _give_up(self, names: Iterable[str]) -> None:
        """Run nothing more for these variants alone."""
        self.wanted -= set(names)
        self.needless = True

    def tally(self) -> str:
        """How many notebooks were run, and how many were there already."""
        had = len(self.finished) - self.ran
        return f"{plural(self.ran, 'notebook')} run, {had} finished earlier"
