"""The report of a study: one HTML file with everything its steps found.

It holds its figures and needs no network, no JavaScript and no other file, so
it can be mailed or archived. A study may be half done: the report shows the
steps that have finished and names the others.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError, did_you_mean
from phi_kit.core.files import write_atomic
from phi_kit.core.folder_names import domain_fault, study_fault
from phi_kit.core.number_format import NOTHING, count, percent, seconds
from phi_kit.core.paths import REPORT, runs_root, shown
from phi_kit.core.step_run import RunFolder
from phi_kit.core.step_table import STEPS
from phi_kit.core.yaml12 import shown as printable
from phi_kit.stats.comparison import NOT_CONSTANT

from . import findings, published, tables

PER_DOMAIN = [step for step in STEPS if step.per_domain]
PER_STUDY = [step for step in STEPS if not step.per_domain]
TITLES = (
    "Pick a domain",
    "Collect seeds",
    "Filter to the edge",
    "Probe with short runs",
    "Synthesize variants",
    "Expand to all domains",
    "Benchmark",
)
QUESTIONS = (
    "Where does the base model stand?",
    "Which rows are clean enough to learn from?",
    "Which seeds can the base model learn from?",
    "Does training on teachable seeds beat random ones?",
    "Which rewrites survive checking?",
    "Do the domains help or hurt each other?",
    "What did the final adapter gain?",
)


# What a verdict looks like on the page.
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "cannot tell": "cannot-tell",
    NOT_CONSTANT: "only-base",
}


@dataclass(frozen=True)
class Step:
    """One step of a study, finished or not, as the template shows it."""

    step: step_table.Step
    domain: str
    folder: RunFolder

    @property
    def name(self) -> str:
        """Its folder, `03_filter_edge`."""
        return self.step.folder

    @cached_property
    def _read(self) -> tuple[dict[str, Any], str]:
        try:
            manifest, _ = self.folder.manifest, self.folder.outcome
            _try_out(self.number, tables.mapped(manifest, "result"))
            return manifest, ""
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return {}, f"{self.name} has a result that cannot be shown: {error}"
        except RunError as error:
            return {}, error.what if self.folder.finished else ""

    @property
    def manifest(self) -> dict[str, Any]:
        """What the step's manifest says; empty if it has not finished."""
        return self._read[0]

    @property
    def fault(self) -> str:
        """Why a step is not shown though it has a manifest."""
        return self._read[1]

    @property
    def number(self) -> int:
        """1 to 7."""
        return self.step.number

    @property
    def place(self) -> str:
        """Its folder inside the study's."""
        return f"{self.domain}/{self.name}".lstrip("/")

    @property
    def title(self) -> str:
        """Its name in words: `Filter to the edge`."""
        return TITLES[self.number - 1]

    @property
    def question(self) -> str:
        """What the step answers."""
        return QUESTIONS[self.number - 1]

    @property
    def result(self) -> Mapping[str, Any]:
        """The step's findings; empty if there are none."""
        return tables.mapped(self.manifest, "result")

    @property
    def tables(self) -> list[tables.Table]:
        """Its numbers as tables."""
        return tables.of_step(self.number, self.result)

    @property
    def facts(self) -> dict[str, str]:
        """Its single values by name."""
        return tables.facts(self.number, self.result)

    @property
    def params(self) -> dict[str, str]:
        """Its parameters as text."""
        given = tables.mapped(self.manifest, "params")
        return {name: tables.plain(value) for name, value in given.items()}

    @property
    def duration(self) -> str:
        """How long it took."""
        return seconds(self.manifest.get("seconds"))

    @property
    def samples(self) -> str:
        """How many it asked for, and how many of them the ledger had."""
        counted = tables.mapped(self.manifest, "samples")
        both = (counted.get(name) for name in ("asked", "from_ledger"))
        return " / ".join(map(count, both)) if counted else NOTHING

    @property
    def figures(self) -> Iterator[str]:
        """Its figures as `data:` addresses."""
        for path in sorted(self.folder.path.glob("figures/*.png")):
            code = base64.b64encode(path.read_bytes()).decode()
            yield f"data:image/png;base64,{code}"

    @property
    def flow(self) -> dict[str, Any]:
        """Rows read, kept and dropped; empty if the step counts none."""
        flow = tables.mapped(self.manifest, "flow")
        if not flow.get("read"):
            return {}
        read, kept = flow["read"], flow.get("kept") or 0
        unread = flow.get("unread") or 0
        beyond = f" of {count(read + unread)}; a limit left the others" * bool(unread)
        dropped = sorted(
            tables.mapped(flow, "dropped").items(), key=lambda item: -item[1]
        )
        return {
            "sum": f"{count(kept)} kept + {count(read - kept)} dropped = "
            f"{count(read)} read{beyond}",
            "rows": [(why, count(n), percent(n / read)) for why, n in dropped],
            "lost": read - kept - sum(n for _, n in dropped),
        }


def _try_out(number: int, result: Mapping[str, Any]) -> None:
    """Make all that the page shows of a result, which may be in any form."""
    tables.of_step(number, result)
    tables.facts(number, result)
    if number == 4:
        findings.teachable_or_random("", result)
    elif number == 6:
        findings.after_merging(tables.listed(result, "retention"))
    elif number == 7:
        findings.on_benchmarks(tables.listed(result, "scores"))


@dataclass(frozen=True)
class Study:
    """Everything a study has finished, in the order of the method."""

    name: str
    root: Path

    @cached_property
    def domains(self) -> dict[str, list[Step]]:
        """Steps 1 to 5 of every domain."""
        return {
            domain: [self._step(step, domain) for step in PER_DOMAIN]
            for domain in self._domain_names()
        }

    @cached_property
    def last(self) -> list[Step]:
        """Steps 6 and 7."""
        return [self._step(step) for step in PER_STUDY]

    @property
    def steps(self) -> list[Step]:
        """All steps, domain by domain."""
        return [
            *(step for steps in self.domains.values() for step in steps),
            *self.last,
        ]

    @property
    def done(self) -> list[Step]:
        """The steps that have finished."""
        return [step for step in self.steps if step.manifest]

    @property
    def missing(self) -> list[Step]:
        """The steps that have not."""
        return [step for step in self.steps if not step.manifest]

    @property
    def verdicts(self) -> list[findings.Finding]:
        """What was found, the final result first."""
        merged, final = (step.result for step in self.last)
        probes = [
            finding
            for domain, steps in self.domains.items()
            for step in steps
            if step.step == step_table.PROBE_SFT
            for finding in findings.teachable_or_random(domain, step.result)
        ]
        return [
            *findings.on_benchmarks(tables.listed(final, "scores")),
            *probes,
            *findings.after_merging(tables.listed(merged, "retention")),
        ]

    @property
    def models(self) -> str:
        """The base models the steps name; more than one is worth noticing."""
        return ", ".join(self._all("params", "model"))

    @property
    def versions(self) -> dict[str, str]:
        """Versions by package, all of them where steps differ."""
        names = dict.fromkeys(
            name
            for step in self.done
            for name in tables.mapped(step.manifest, "versions")
        )
        return {name: ", ".join(self._all("versions", name)) for name in names}

    @property
    def replayed(self) -> list[Step]:
        """The steps that no model has carried out: a ledger was replayed."""
        return [step for step in self.done if step.manifest.get("replayed")]

    @property
    def total(self) -> str:
        """How long the finished steps took together."""
        return seconds(sum(step.manifest.get("seconds") or 0 for step in self.done))

    @property
    def finished(self) -> str:
        """When the last step finished."""
        return max(
            (str(step.manifest.get("finished", "")) for step in self.done), default=""
        )

    def title_of(self, domain: str) -> str:
        """A domain's title as step 1 gives it, else its name."""
        return str(self.domains[domain][0].result.get("title") or domain)

    def _step(self, step: step_table.Step, domain: str = "") -> Step:
        return Step(step, domain, RunFolder.of(self.name, step, domain=domain))

    def _domain_names(self) -> list[str]:
        # The order the study was given; folders it does not name come after.
        named = [
            tables.mapped(step.manifest, "params").get("domains") for step in self.last
        ]
        listed = [
            domain
            for names in named
            if isinstance(names, list)
            for domain in names
            if not domain_fault(domain)
        ]
        found = sorted(
            folder.name
            for folder in self.root.iterdir()
            if folder.name[0] != "." and any(_dirs(folder, PER_DOMAIN))
        )
        return list(dict.fromkeys([*listed, *found]))

    def _all(self, part: str, key: str) -> list[str]:
        every = (tables.mapped(step.manifest, part).get(key) for step in self.done)
        return sorted({str(value) for value in every if value})


def read(study: str) -> Study:
    """A study's finished steps.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    root = runs_root() / study
    found = Study(study, root)
    named = not study_fault(study)
    if named and root.is_dir() and (found.domains or any(_dirs(root, PER_STUDY))):
        return found
    others = [folder.name for folder in runs_root().glob("*/") if folder.name[0] != "."]
    name = printable(study)
    raise StudyError(
        f"there is no run of a study '{name}'{did_you_mean(name, others)}",
        where=shown(runs_root()),
        todo=f"run it first: phi-kit run params/{name}.yaml; or correct the name",
    )


def _dirs(root: Path, steps: Iterable[step_table.Step]) -> Iterator[bool]:
    return ((root / step.folder).is_dir() for step in steps)


def write(study: str) -> Path:
    """Write `runs/<study>/report.html` from whatever steps have finished.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    from jinja2 import Environment, StrictUndefined

    shape = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(
        Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    )
    found = read(study)
    path = found.root / REPORT
    write_atomic(
        path, shape.render(study=found, published=published, verdicts=VERDICTS)
    )
    return path
