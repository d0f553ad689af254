"""The report of a study: one HTML file with everything its steps found.

It holds its figures and needs no network, no JavaScript and no other file, so
it can be mailed or archived. A study may be half done: the report shows the
steps that have finished and names the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from phi_kit.core import step_table
from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.files import write_atomic
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.folder_names import domain_fault, place_fault
from phi_kit.core.number_format import count, duration
from phi_kit.core.paths import REPORT, display_path, runs_root
from phi_kit.core.step_table import STEPS
from phi_kit.core.yaml12 import shown as printable
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.study.notebook.scrub import scrubbed_text
from phi_kit.study.time_use import time_use

from . import methods, published
from .certainty import DomainAnswer, answer_of, certainty_table
from .findings import Finding
from .page import page
from .side_by_side_answers import SideBySide, side_by_side
from .step_report import StepReport
from .table_form import Result, Table, listed, mapped

TEMPLATE = Path(__file__).with_name("report.html.j2")
# The steps that run once per domain, and those that run once per study.
PER_DOMAIN = [step for step in STEPS if step.per_domain]
PER_STUDY = [step for step in STEPS if not step.per_domain]
# The class of a verdict on the page.
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "cannot tell": "cannot-tell",
    NOT_CONSTANT: "only-base",
}


@dataclass(frozen=True)
class StudyReport:
    """Everything a study has finished, in the order of the method."""

    name: str
    root: Path

    @cached_property
    def domains(self) -> dict[str, list[StepReport]]:
        """Steps 1 to 5 of every domain."""
        return {
            domain: [self._step(step, domain) for step in PER_DOMAIN]
            for domain in self._domain_names()
        }

    @cached_property
    def last(self) -> list[StepReport]:
        """Steps 6 and 7."""
        return [self._step(step) for step in PER_STUDY]

    @property
    def steps(self) -> list[StepReport]:
        """All steps, domain by domain."""
        return [
            *(step for steps in self.domains.values() for step in steps),
            *self.last,
        ]

    @property
    def done(self) -> list[StepReport]:
        """The steps that have finished."""
        return [step for step in self.steps if step.manifest]

    @property
    def missing(self) -> list[StepReport]:
        """The steps that have not."""
        return [step for step in self.steps if not step.manifest]

    @property
    def verdicts(self) -> list[Finding]:
        """What was found, the final result first."""
        return [
            finding
            for number in (7, 4, 6)
            for step in self.steps
            if step.number == number
            for finding in step.findings
        ]

    @property
    def question(self) -> str:
        """What the study asks, in one sentence."""
        domains = " and ".join(self.domains) or "its domains"
        return (
            f"Does {self.models or 'the base model'} answer held-out questions of "
            f"{domains} better after training on checked, chosen rows?"
        )

    @property
    def answers(self) -> list[DomainAnswer]:
        """Step 7's answer, domain by domain; empty before it has finished."""
        scores = listed(self.last[-1].result, "scores")
        return [answer_of(row) for row in scores if row.get("metric") == "pass@1"]

    @property
    def certainty(self) -> Table:
        """How sure each verdict is: what its items can show, and what it would take."""
        return certainty_table(self.verdicts)

    @property
    def trained_once(self) -> bool:
        """Whether no arm of step 4 was trained more than once."""
        seeds = [
            mapped(step.manifest, "result").get("train_seeds")
            for step in self.done
            if step.number == 4
        ]
        known = [one for one in seeds if isinstance(one, list)]
        return bool(known) and all(len(one) == 1 for one in known)

    @cached_property
    def examples(self) -> dict[str, list[SideBySide]]:
        """A question of each outcome by domain, answered by base and by final."""
        found = {domain: side_by_side(self.name, domain) for domain in self.domains}
        return {domain: shown for domain, shown in found.items() if shown}

    @property
    def methods(self) -> str:
        """A methods paragraph."""
        by_number: dict[int, list[Result]] = {}
        for step in self.done:
            by_number.setdefault(step.number, []).append(step.manifest)
        return methods.paragraph(by_number, self.models)

    @property
    def bibtex(self) -> str:
        """BibTeX entries to cite; empty before a step has finished."""
        if not self.done:
            return ""
        last = self.done[-1].manifest
        year, digest = self.finished[:4], str(last.get("digest"))
        return methods.bibtex(self.name, model=self.models, year=year, digest=digest)

    @property
    def cost(self) -> str:
        """What all steps together asked, paid and spent, in a sentence."""
        counted = [mapped(step.manifest, "samples") for step in self.done]
        asked, paid, tokens, money = (
            sum(one.get(name) or 0 for one in counted)
            for name in ("asked", "paid", "paid_tokens", "cost")
        )
        said = (
            f"{count(asked)} samples, {count(paid)} of them drawn anew "
            f"({count(tokens)} tokens)"
        )
        return f"{said}, for {money:,.2f}" if money else said

    @property
    def models(self) -> str:
        """The base models the steps name; more than one is worth noticing."""
        return ", ".join(self._all("params", "model"))

    @property
    def versions(self) -> dict[str, str]:
        """Versions by package, all of them where steps differ."""
        names = dict.fromkeys(
            name for step in self.done for name in mapped(step.manifest, "versions")
        )
        return {name: ", ".join(self._all("versions", name)) for name in names}

    @property
    def replayed(self) -> list[StepReport]:
        """The steps that no model has carried out: a ledger was replayed."""
        return [step for step in self.done if step.manifest.get("replayed")]

    @property
    def total(self) -> str:
        """How long the finished steps took together."""
        return duration(sum(step.manifest.get("seconds") or 0 for step in self.done))

    @property
    def time_use(self) -> str:
        """Where their time went; empty if a step does not say."""
        return str(time_use([step.folder for step in self.done]) or "")

    @property
    def finished(self) -> str:
        """When the last step finished."""
        return max(
            (str(step.manifest.get("finished", "")) for step in self.done), default=""
        )

    def title_of(self, domain: str) -> str:
        """A domain's title as step 1 gives it, else its name."""
        return str(self.domains[domain][0].result.get("title") or domain)

    def _step(self, step: step_table.Step, domain: str = "") -> StepReport:
        return StepReport(step, domain, RunFolder.of(self.name, step, domain=domain))

    def _domain_names(self) -> list[str]:
        # In the order of the study file; folders that it does not name come after.
        lists = [mapped(step.manifest, "params").get("domains") for step in self.last]
        listed = [
            domain
            for names in lists
            if isinstance(names, list)
            for domain in names
            if not domain_fault(domain)
        ]
        folders = sorted(
            folder.name
            for folder in self.root.iterdir()
            if folder.name[0] != "." and _has_any(folder, PER_DOMAIN)
        )
        return list(dict.fromkeys([*listed, *folders]))

    def _all(self, part: str, key: str) -> list[str]:
        every = (mapped(step.manifest, part).get(key) for step in self.done)
        return sorted({str(value) for value in every if value})


def read(study: str) -> StudyReport:
    """A study's finished steps.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    root = runs_root() / study
    report = StudyReport(study, root)
    exists = not place_fault(study) and root.is_dir()
    if exists and (report.domains or _has_any(root, PER_STUDY)):
        return report
    others = [folder.name for folder in runs_root().glob("*/") if folder.name[0] != "."]
    name = printable(study)
    raise StudyError(
        f"there is no run of a study '{name}'{did_you_mean(name, others)}",
        where=display_path(runs_root()),
        todo=f"run it first: phi-kit run params/{name}.yaml; or correct the name",
    )


def _has_any(folder: Path, steps: Iterable[step_table.Step]) -> bool:
    """Whether a folder holds a run folder of any of these steps."""
    return any((folder / step.folder).is_dir() for step in steps)


def write(study: str) -> Path:
    """Write `runs/<study>/report.html` from whatever steps have finished.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    report = read(study)
    text = page(TEMPLATE, study=report, published=published, verdicts=VERDICTS)
    path = report.root / REPORT
    write_atomic(path, scrubbed_text(text))  # a study's files may lie anywhere
    return path
