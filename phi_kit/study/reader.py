"""What a study file says, sorted by step and domain, and every fault of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from phi_kit import domains, steps
from phi_kit.core.errors import did_you_mean
from phi_kit.core.folder_names import domain_fault, study_fault, together_fault
from phi_kit.core.params import StepParams, fault_in_words, read_value
from phi_kit.core.step_table import PICK_DOMAIN
from phi_kit.core.yaml12 import shown
from phi_kit.domains.custom import Definition

from .yaml_lines import ON_COMMAND_LINE, Fault, Keys, Source, Text, dotted, value_of

# Keys of the whole study.
COMMON = ("study", "rng_seed", "model", "endpoint", "redo", "thinking_tags")
_TOP_ONLY = (*COMMON, "domain", "domains")
_DEFINES = tuple(Definition.model_fields)  # what a domain of one's own is made of


class Unit(NamedTuple):
    """One notebook to run: a step, its domain ("" for steps 6 and 7), its values."""

    step: str
    domain: str
    params: StepParams


class Given(NamedTuple):
    """A value, the keys it stands under and its line."""

    value: Any
    keys: Keys
    line: float


def plain(key: Any) -> str:
    """A key as Python knows it: `SAMPLES`, as in the notebook, is `samples`."""
    key = str(key)
    return key.lower() if key.isupper() else key


class Reader:
    """Sorts a file's values by step and domain, and notes every fault."""

    def __init__(self, source: Source):
        self.source = source
        self.steps = {step.name: steps.load(step).Params for step in steps.STEPS}
        self.name = ""
        self.common: dict[str, Given] = {}
        self.domains: list[str] = []
        self.defined: list[str] = []  # the domains that this file itself defines
        self.refused: set[str] = set()  # those it defines by a name that cannot be
        # Sections by (domain, step); the domain "" means every domain.
        self.sections: dict[tuple[str, str], dict[str, Given]] = {}

    def _fault(
        self, keys: Keys, text: str, *, line: float | None = None, link: str = ": "
    ) -> None:
        line = self.source.line(keys) if line is None else line
        self.source.faults.append(Fault(line, f"{dotted(keys)}{link}{text}"))

    # --- the file ---

    def read_file(self, stem: str) -> None:
        """Read the top level; `stem` is the study's name if it gives none."""
        self.common["study"] = Given(stem, ("study",), 1)
        for raw, value in self.source.values.items():
            key, keys = plain(raw), (str(raw),)
            if key == "domains":
                self._read_domains(value, keys)
            elif key in COMMON:
                self.common[key] = Given(value, keys, self.source.line(keys))
            elif key in self.steps:
                self._read_section(value, keys, step=key)
            else:
                what = "section" if isinstance(value, Mapping) else "key"
                known = [*COMMON, "domains", *self.steps]
                self._fault(keys, f"unknown {what}{did_you_mean(key, known)}")
        if not {plain(raw) for raw in self.source.values} & {"domains"}:
            known = ", ".join(domains.names())
            self._fault(("domains",), f"is missing; name one or more of: {known}")

    def _read_domains(self, value: Any, keys: Keys) -> None:
        """Read `domains`: a list of names, or names with sections of their own."""
        if isinstance(value, Mapping):
            named = [(name, (*keys, str(name))) for name in value]
            for name, below in named:
                self._read_overrides(value[name], below, domain=str(name))
        elif isinstance(value, list):
            named = [(name, (*keys, str(i))) for i, name in enumerate(value)]
        else:
            named = []
        if not named:
            self._fault(keys, "should name one domain or more")
        self._take_domains(named)

    def _take_domains(
        self, named: Iterable[tuple[Any, Keys]], *, line: float | None = None
    ) -> None:
        self.domains, seen = [], set()
        known = (*domains.names(), *self.defined)
        for name, keys in named:
            if not isinstance(name, str):
                self._fault(keys, "should be the name of a domain", line=line)
            elif name in seen:
                self._fault(keys, f"'{shown(name)}' is named twice", line=line)
            elif name in known:
                self.domains.append(name)
            elif name not in self.refused:
                near = did_you_mean(name, known)
                self._fault(keys, f"unknown domain '{shown(name)}'{near}", line=line)
            seen.add(str(name))
        if fault := together_fault(self.domains):
            self._fault(("domains",), fault, line=line)
            self.domains = []

    def _read_overrides(self, value: Any, keys: Keys, *, domain: str) -> None:
        """Read the sections that one domain overrides."""
        if not isinstance(value, Mapping):
            if value is not None:
                self._fault(keys, "should be a mapping of steps to parameters")
            return
        own = self._read_definition(value, keys, domain=domain)
        for raw, section in value.items():
            step, below = plain(raw), (*keys, str(raw))
            if step in own:
                continue
            if step not in self.steps:
                near = did_you_mean(step, [*self.steps, *Definition.model_fields])
                self._fault(below, f"unknown section{near}")
            elif not self.steps[step].STEP.per_domain:
                self._fault(below, "runs once for all domains; set it at the top")
            else:
                self._read_section(section, below, step=step, domain=domain)

    def _read_definition(
        self, value: Mapping[Any, Any], keys: Keys, *, domain: str
    ) -> dict[str, Any]:
        """The part of a domain's mapping that defines it; step 1 checks it."""
        own = {plain(k): v for k, v in value.items() if plain(k) in _DEFINES}
        if not own:
            return own
        if domain in domains.names() and set(own) == {"instruction"}:
            for raw in value:
                if plain(raw) in own:
                    below = (*keys, str(raw))
                    given = Given(value[raw], below, self.source.line(below))
                    self.sections[domain, PICK_DOMAIN.name] = {"instruction": given}
            return own
        kits = {name.lower(): name for name in domains.names()}.get(domain.lower())
        if kits:
            where = "" if kits == domain else f" ('{kits}', where case does not count)"
            text = (
                f"is one of the kit's domains{where}; only its instruction can be "
                "another; give one of your own another name"
            )
        else:
            text = domain_fault(domain)
        if text:
            self.refused.add(domain)
            self._fault(keys, text)
        else:
            self.defined.append(domain)
            given = Given(own, keys, self.source.line(keys))
            self.sections[domain, PICK_DOMAIN.name] = {"custom": given}
        return own

    def _read_section(
        self, value: Any, keys: Keys, *, step: str, domain: str = ""
    ) -> None:
        """Read one step's parameters."""
        if not isinstance(value, Mapping):
            if value is not None:
                self._fault(keys, "should be a mapping of parameters to values")
            return
        seen: set[str] = set()
        for raw, inner in value.items():
            below = (*keys, str(raw))
            if plain(raw) in seen:
                self._fault(below, "is given twice, in upper and in lower case")
            seen.add(plain(raw))
            given = Given(inner, below, self.source.line(below))
            self._take(given, plain(raw), step=step, domain=domain)

    def _take(self, given: Given, name: str, *, step: str, domain: str = "") -> None:
        """Keep a parameter if the step has one of that name."""
        known = list(self.steps[step].model_fields)
        own = [field for field in known if field not in _TOP_ONLY]
        if name in own:
            self.sections.setdefault((domain, step), {})[name] = given
        elif name in _TOP_ONLY:
            text = "belongs to the whole study; set it at the top"
            self._fault(given.keys, text, line=given.line)
        else:
            text = f"unknown parameter{did_you_mean(name, own)}"
            self._fault(given.keys, text, line=given.line)

    # --- the command line ---

    def read_set(self, text: str) -> None:
        """Read one `--set`."""
        left, equals, right = text.partition("=")
        keys = tuple(plain(part.strip()) for part in left.split("."))
        given = Given(Text(right.strip()), keys, ON_COMMAND_LINE)
        if not equals or not all(keys):
            wrong = "should read NAME=VALUE, such as filter_edge.SAMPLES=8"
            self._fault((text,), wrong, line=ON_COMMAND_LINE)
        elif keys == ("domains",):
            self._set_domains(given)
        elif len(keys) == 1 and keys[0] in COMMON:
            self.common[keys[0]] = given
        elif len(keys) == 2 and keys[0] == "endpoint":
            self._set_endpoint(given)
        else:
            self._set_parameter(given)

    def _set_domains(self, given: Given) -> None:
        value = read_value(given.value)
        if not isinstance(value, list) or not value:
            self._fault(given.keys, "should be a list such as [math]", line=given.line)
        else:
            self._take_domains([(name, given.keys) for name in value], line=given.line)

    def _set_endpoint(self, given: Given) -> None:
        """Change one of the endpoint's settings and leave the others."""
        before = self.common.get("endpoint", Given({}, ("endpoint",), ON_COMMAND_LINE))
        if isinstance(before.value, Mapping):
            value = {**before.value, given.keys[1]: read_value(given.value)}
            self.common["endpoint"] = before._replace(value=value)

    def _set_parameter(self, given: Given) -> None:
        *domain, step, name = given.keys if len(given.keys) > 1 else (*given.keys, "")
        if len(domain) > 1 or (domain and domain[0] not in self.domains):
            near = did_you_mean(domain[0], self.domains)
            text = f"the study has no domain '{shown(domain[0])}'{near}"
        elif step not in self.steps:
            text = f"unknown section{did_you_mean(step, [*COMMON, *self.steps])}"
        elif not name:
            text = f"name a parameter of it: {step}.NAME=VALUE"
        elif domain and not self.steps[step].STEP.per_domain:
            text = f"runs once for all domains: --set {step}.{name}=…"
        else:
            self._take(given, name, step=step, domain="".join(domain))
            if not domain:  # the command line has the last word in every domain
                for each in self.domains:
                    self.sections.get((each, step), {}).pop(name, None)
            return
        self._fault(given.keys, text, line=given.line)

    # --- the steps ---

    def units(self) -> Iterable[Unit]:
        """Check every step's values; units come only from values that hold."""
        self._check_name()
        per_domain = [step for step in self.steps if self.steps[step].STEP.per_domain]
        once = [step for step in self.steps if step not in per_domain]
        # With no usable domain the sections are checked all the same.
        order = [(s, domain) for domain in self.domains or [""] for s in per_domain]
        for step, domain in [*order, *((step, "") for step in once)]:
            params = self._checked(step, domain)
            if params is not None:
                yield Unit(step, domain, params)

    def _check_name(self) -> None:
        given = self.common["study"]
        if fault := study_fault(given.value):
            said = shown(repr(given.value))
            self._fault(("study",), f"{said} {fault}", line=given.line)
            self.common["study"] = given._replace(value="study")
        self.name = str(self.common["study"].value)

    def _checked(self, step: str, domain: str) -> StepParams | None:
        model = self.steps[step]
        given = self.common | self.sections.get(("", step), {})
        given |= self.sections.get((domain, step), {})
        given = {name: one for name, one in given.items() if name in model.model_fields}
        values = {name: value_of(one.value, model, name) for name, one in given.items()}
        if model.STEP.per_domain and domain:
            values["domain"] = domain
        elif not model.STEP.per_domain and self.domains:
            values["domains"] = list(self.domains)
        try:
            return model.model_validate(values, context={"domains": self.defined})
        except ValidationError as error:
            for fault in error.errors():
                self._note(fault, given, step=step)
        except OSError as error:  # of a path that no disk can have
            self._fault((step,), f"{error.strerror}: {shown(str(error.filename))}")
        return None

    def _note(
        self, fault: ErrorDetails, given: Mapping[str, Given], *, step: str
    ) -> None:
        """Turn pydantic's fault into one of the file's."""
        said = fault_in_words(fault, self.steps[step])
        inside = tuple(str(part) for part in said.place)
        if inside and inside[0] in ("domain", "domains") and not self.domains:
            return  # that there is no domain has been said
        origin = given.get(inside[0]) if inside else None
        keys = self._below(origin.keys, inside[1:]) if origin else (step, *inside)
        # A fault between several: where the first is left out, the next one's line.
        near = [given[name] for name in said.others if not origin and name in given]
        line = near[0].line if near else None
        if origin and origin.line == ON_COMMAND_LINE:
            line = ON_COMMAND_LINE
        self._fault(keys, said.words, line=line, link=said.link)

    def _below(self, keys: Keys, inside: Keys) -> Keys:
        """The file's keys for pydantic's, which also name the kind of a value."""
        for index, part in enumerate(inside, 1):
            if part == keys[-1]:  # a kind of source that is called like its first key
                continue
            if index == len(inside) or (*keys, part) in self.source.lines:
                keys = (*keys, part)
        return keys
