"""A study file while it is being checked: every fault noted with its line.

The values of each section are filled in from the common keys and the overrides; one
nested pydantic model, made of the steps' `Params`, then checks the whole study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ValidationError, WrapValidator, create_model
from pydantic_core import ErrorDetails, PydanticCustomError

from phi_kit import domains, steps
from phi_kit.core.errors import did_you_mean
from phi_kit.core.folder_names import (
    domain_fault,
    joint_domains_fault,
    place_fault,
    study_fault,
)
from phi_kit.core.params import StepParams, Strict, fault_in_words, read_value
from phi_kit.core.step_table import PICK_DOMAIN
from phi_kit.core.yaml12 import shown as printable
from phi_kit.domains.custom import Definition

from .yaml_lines import ON_COMMAND_LINE, FileFault, Keys, Source, dotted

# Keys of the whole study, and those that no section may hold.
COMMON = ("study", "rng_seed", "model", "endpoint", "compute", "engine", "workers")
COMMON += ("redo", "thinking_tags")
START = "from"  # the study whose finished steps are taken over
_TOP = (*COMMON, "domain", "domains")
_DEFINES = tuple(Definition.model_fields)  # what defines a domain of a user's own


class Unit(NamedTuple):
    """One notebook to run: a step, its domain ("" for steps 6 and 7), its values."""

    step: str
    domain: str
    params: StepParams

    @property
    def title(self) -> str:
        """`03 filter_edge math`."""
        return f"{self.params.STEP.number:02} {self.step} {self.domain}".strip()


class Entry(NamedTuple):
    """A value, the keys of the file that it stands under, and its line."""

    value: Any
    keys: Keys
    line: float


Section = dict[str, Entry]  # the parameters that a file gives to one step


def _plain(key: Any) -> str:
    """A key as Python knows it: `SAMPLES`, as in the notebook, is `samples`."""
    key = str(key)
    return key.lower() if key.isupper() else key


def _check_section(value: Any, check: Callable[[Any], StepParams]) -> StepParams:
    """Check a section; a path that no disk can have is a fault like any other."""
    try:
        return check(value)
    except OSError as error:
        why = {"why": f"{error.strerror}: {printable(str(error.filename))}"}
        raise PydanticCustomError("disk", "{why}", why) from None


@cache  # the variants of a sweep are many
def _study_model(params: tuple[tuple[str, type[StepParams]], ...]) -> type[BaseModel]:
    """One model of a whole study: sections, and a mapping of domains to sections."""
    sections: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for step, model in params:
        checked = Annotated[model, WrapValidator(_check_section)]
        sections[model.STEP.per_domain][step] = (checked, ...)
    of_domain = create_model("DomainSections", __base__=Strict, **sections[True])
    return create_model(
        "StudySections",
        __base__=Strict,
        domains=(dict[str, of_domain], ...),
        **sections[False],
    )


class StudyDraft:
    """A study file before its values are checked; it notes the faults of the form.

    Args:
        source: the file.
        stem: what the study is called unless the file says otherwise.
        variant: of a sweep, `SWEEP/VARIANT`; it is called so whatever the file says.
    """

    def __init__(self, source: Source, stem: str, *, variant: str = ""):
        self.source, self.variant = source, variant
        self.params = {step.name: steps.load(step).Params for step in steps.STEPS}
        self.domains: list[str] = []
        self.defined: list[str] = []  # the domains that this file defines
        self.refused: set[str] = set()  # those that it defines, yet cannot
        # Each --set: its domain ("" is every one), step, parameter and value.
        self.sets: list[tuple[str, str, str, Entry]] = []
        self.overrides: dict[str, dict[str, Section]] = {}  # by domain and step
        # Keys that stand at the top, or in a domain, and the one step that has them.
        self.at_top = {
            key: step for step, params in self.params.items() for key in params.AT_TOP
        }
        top = self._below(Entry(source.values, (), 1), "keys to values")
        chosen = top.pop("domains", None)
        self.common = {"study": Entry(stem, ("study",), 1)}
        self.common |= {key: top.pop(key) for key in COMMON if key in top}
        self.start = top.pop(START, None)
        self.study_wide = self._by_step(top)
        others = (*COMMON, START, *self.at_top, "domains")
        self.sections = self._sections(top, others=others)
        if chosen is None:
            names = ", ".join(domains.names())
            self._fault(("domains",), f"is missing; name one or more of: {names}")
        else:
            self._read_domains(chosen)

    def _fault(
        self, keys: Keys, text: str, *, line: float | None = None, link: str = ": "
    ) -> None:
        line = self.source.line(keys) if line is None else line
        self.source.faults.append(FileFault(line, f"{dotted(keys)}{link}{text}"))

    # --- the file ---

    def _below(self, entry: Entry, what: str) -> Section:
        """What stands below a key, by name; empty if that is no mapping."""
        below: Section = {}
        if entry.value is not None and not isinstance(entry.value, Mapping):
            self._fault(entry.keys, f"should be a mapping of {what}")
            return below
        for raw, value in (entry.value or {}).items():
            name, keys = _plain(raw), (*entry.keys, str(raw))
            if name in below:
                self._fault(keys, "is given twice, in upper and in lower case")
            below[name] = Entry(value, keys, self.source.line(keys))
        return below

    def _by_step(self, mapping: Section) -> dict[str, Section]:
        """Take out the keys that need no section, each for the step that has it."""
        taken: dict[str, Section] = {}
        for key, step in self.at_top.items():
            if key in mapping:
                taken.setdefault(step, {})[key] = mapping.pop(key)
        return taken

    def _sections(
        self, mapping: Section, *, others: tuple[str, ...], domain: str = ""
    ) -> dict[str, Section]:
        """Read the steps' sections; `others` are the further keys beside them."""
        sections = {}
        for key, entry in mapping.items():
            if key not in self.params:
                is_section = domain or isinstance(entry.value, Mapping)
                near = did_you_mean(key, [*self.params, *others])
                what = "section" if is_section else "key"
                self._fault(entry.keys, f"unknown {what}{near}")
            elif domain and not self.params[key].STEP.per_domain:
                self._fault(entry.keys, "runs once for all domains; set it at the top")
            else:
                section = self._below(entry, "parameters to values")
                sections[key] = {
                    name: value
                    for name, value in section.items()
                    if self._is_parameter(key, name, value)
                }
        return sections

    def _is_parameter(self, step: str, name: str, entry: Entry) -> bool:
        """Whether a step's section may hold a key; a fault if it may not."""
        names = [name for name in self.params[step].model_fields if name not in _TOP]
        if name not in names:
            fault = f"unknown parameter{did_you_mean(name, names)}"
            if name in _TOP:
                fault = "belongs to the whole study; set it at the top"
            elif name in self.at_top:
                fault = f"belongs to {self.at_top[name]}; set it at the top"
            self._fault(entry.keys, fault, line=entry.line)
        return name in names

    def _read_domains(self, entry: Entry) -> None:
        """Read `domains`: a list of names, or names with sections of their own."""
        items: Iterable[tuple[Any, Any]] = ()
        if isinstance(entry.value, Mapping):
            items = [(name, name) for name in entry.value]
            for name, value in entry.value.items():
                keys = (*entry.keys, str(name))
                self._read_domain(str(name), Entry(value, keys, entry.line))
        elif isinstance(entry.value, list):
            items = enumerate(entry.value)
        names = [(name, (*entry.keys, str(at))) for at, name in items]
        if not names:
            self._fault(entry.keys, "should name one domain or more")
        self._choose_domains(names)

    def _choose_domains(
        self, names: Iterable[tuple[Any, Keys]], *, line: float | None = None
    ) -> None:
        """Make these the study's domains, each with the keys it is named by."""
        self.domains, chosen = [], set()
        available = (*domains.names(), *self.defined)
        for name, keys in names:
            if not isinstance(name, str):
                self._fault(keys, "should be the name of a domain", line=line)
            elif name in chosen:
                self._fault(keys, f"'{printable(name)}' is named twice", line=line)
            elif name in available:
                self.domains.append(name)
            elif name not in self.refused:
                text = f"'{printable(name)}'{did_you_mean(name, available)}"
                self._fault(keys, f"unknown domain {text}", line=line)
            chosen.add(str(name))
        if fault := joint_domains_fault(self.domains):
            self._fault(("domains",), fault, line=line)
            self.domains = []

    def _read_domain(self, name: str, entry: Entry) -> None:
        """Read what one domain overrides, or what defines it."""
        mapping = self._below(entry, "steps to parameters")
        definition = {key: mapping.pop(key) for key in _DEFINES if key in mapping}
        first = self._by_step(mapping)
        others = (*_DEFINES, *self.at_top)
        sections = self._sections(mapping, others=others, domain=name)
        if definition:
            own = self._defined(name, entry, definition)
            first[PICK_DOMAIN.name] = own | first.get(PICK_DOMAIN.name, {})
        for step, values in first.items():
            sections[step] = values | sections.get(step, {})
        self.overrides[name] = sections

    def _defined(self, name: str, entry: Entry, definition: Section) -> Section:
        """Step 1's parameters for a domain that the file defines."""
        if name in domains.names() and set(definition) == {"instruction"}:
            return definition
        in_kit = {kit.lower(): kit for kit in domains.names()}.get(name.lower())
        if in_kit:
            where = f" ('{in_kit}', where case does not count)" * (in_kit != name)
            fault = (
                f"is one of the kit's domains{where}; only its instruction and its "
                "style can be others; give one of your own another name"
            )
        else:
            fault = domain_fault(name)
        if fault:
            self.refused.add(name)
            self._fault(entry.keys, fault)
            return {}
        self.defined.append(name)
        values = {key: entry.value for key, entry in definition.items()}
        return {"custom": Entry(values, entry.keys, self.source.line(entry.keys))}

    # --- the command line ---

    def change(self, text: str) -> None:
        """Take one `--set`, which has the last word in every domain."""
        left, equals, right = text.partition("=")
        keys = tuple(_plain(part.strip()) for part in left.split("."))
        entry = Entry(right.strip(), keys, ON_COMMAND_LINE)
        if not equals or not all(keys):
            fault = "should read NAME=VALUE, such as filter_edge.SAMPLES=8"
            self._fault((text,), fault, line=ON_COMMAND_LINE)
        elif keys == ("domains",):
            self._set_domains(entry)
        elif keys == (START,):
            self.start = entry
        elif len(keys) == 1 and keys[0] in COMMON:
            self.common[keys[0]] = self._as_typed(entry, StepParams)
        elif len(keys) == 2 and keys[0] == "endpoint":
            self._set_endpoint(entry)
        else:
            self._set_parameter(entry)

    def _as_typed(self, entry: Entry, params: type[StepParams]) -> Entry:
        """A value as YAML, unless the parameter is a text."""
        value = read_value(entry.value)
        is_text = params.model_fields[entry.keys[-1]].annotation is str
        keep = is_text and not isinstance(value, str)
        return entry if keep else entry._replace(value=value)

    def _set_domains(self, entry: Entry) -> None:
        value = read_value(entry.value)
        if not isinstance(value, list) or not value:
            self._fault(entry.keys, "should be a list such as [math]", line=entry.line)
        else:
            self._choose_domains([(n, entry.keys) for n in value], line=entry.line)

    def _set_endpoint(self, entry: Entry) -> None:
        """Change one of the endpoint's settings and leave the others."""
        before = self.common.get("endpoint", Entry({}, ("endpoint",), ON_COMMAND_LINE))
        if isinstance(before.value, Mapping):
            value = {**before.value, entry.keys[1]: read_value(entry.value)}
            self.common["endpoint"] = before._replace(value=value)

    def _set_parameter(self, entry: Entry) -> None:
        *domain, name = entry.keys
        section = domain[-1] if domain and domain[-1] in self.params else ""
        if name in self.at_top and not section:
            step = self.at_top[name]  # `style=answer`, `math.style=answer`
        elif not domain or (domain[-1] in self.domains and not section):
            step, name = name, ""  # a section or a domain, and no parameter of it
        else:
            step = domain.pop()
        if len(domain) > 1 or (domain and domain[0] not in self.domains):
            near = did_you_mean(domain[0], self.domains)
            fault = f"the study has no domain '{printable(domain[0])}'{near}"
        elif step not in self.params:
            known = [*COMMON, START, *self.at_top, *self.params]
            fault = f"unknown section{did_you_mean(step, known)}"
        elif not name:
            fault = f"name a parameter of it: {step}.NAME=VALUE"
        elif domain and not self.params[step].STEP.per_domain:
            fault = f"runs once for all domains: --set {step}.{name}=…"
        else:
            if self._is_parameter(step, name, entry):
                entry = self._as_typed(entry, self.params[step])
                self.sets.append(("".join(domain), step, name, entry))
            return
        self._fault(entry.keys, fault, line=entry.line)

    # --- the checks ---

    def checked_units(self) -> tuple[Unit, ...]:
        """The study's units; none if there are faults, which are then noted."""
        self._check_name()
        self._check_start()
        per_domain = [s for s, params in self.params.items() if params.STEP.per_domain]
        once = [step for step in self.params if step not in per_domain]
        names = self.domains or [""]  # without a domain sections are checked, too
        tree: dict[str, Any] = {step: self._values(step, "") for step in once}
        tree["domains"] = {
            name: {step: self._values(step, name) for step in per_domain}
            for name in names
        }
        model = _study_model(tuple(self.params.items()))
        context = {"domains": self.defined}
        try:
            study = model.model_validate(tree, context=context)
        except ValidationError as error:
            for fault in error.errors():
                self._note(fault)
            return ()
        return tuple(
            Unit(step, name, getattr(study.domains[name], step))
            for name in names
            for step in per_domain
        ) + tuple(Unit(step, "", getattr(study, step)) for step in once)

    @property
    def name(self) -> str:
        """What the study is called."""
        return str(self.common["study"].value)

    @property
    def starts_from(self) -> str:
        """The study whose finished steps it takes over; empty for none."""
        return str(self.start.value) if self.start else ""

    def _check_start(self) -> None:
        if self.start and (fault := place_fault(self.start.value)):
            name = printable(repr(self.start.value))
            self._fault((START,), f"{name} {fault}", line=self.start.line)

    def _check_name(self) -> None:
        entry = self.common["study"]
        if self.variant:
            self.common["study"] = entry._replace(value=self.variant)
            return
        # One variant of a sweep can be gone on with: `--set study=SWEEP/VARIANT`.
        by_hand = entry.line == ON_COMMAND_LINE
        fault = (place_fault if by_hand else study_fault)(entry.value)
        if fault:
            name = printable(repr(entry.value))
            self._fault(("study",), f"{name} {fault}", line=entry.line)
            self.common["study"] = entry._replace(value="study")

    def _entries(self, step: str, domain: str) -> Section:
        """What a step is given for a domain, the last word of each."""
        entries = self.common | self.study_wide.get(step, {})
        entries |= self.sections.get(step, {})
        entries |= self.overrides.get(domain, {}).get(step, {})
        for of_domain, of_step, name, value in self.sets:
            if of_step == step and of_domain in ("", domain):
                entries[name] = value
        return entries

    def _values(self, step: str, domain: str) -> dict[str, Any]:
        entries = self._entries(step, domain)
        values = {name: entry.value for name, entry in entries.items()}
        if domain:
            values["domain"] = domain
        elif not self.params[step].STEP.per_domain and self.domains:
            values["domains"] = list(self.domains)
        return values

    def _note(self, fault: ErrorDetails) -> None:
        """Turn a fault of the nested model into one of the file, where it stands."""
        domain, path = "", fault["loc"]
        if path[0] == "domains":
            domain, path = str(path[1]), path[2:]
        step = str(path[0])
        if fault["type"] == "disk":
            self._fault((step,), fault["msg"])
            return
        if not self.domains and path[1:2] in (("domain",), ("domains",)):
            return  # that there is no domain has been said
        wrong = fault_in_words({**fault, "loc": path[1:]}, self.params[step])
        inside = tuple(str(part) for part in wrong.place)
        entries = self._entries(step, domain)
        origin = entries.get(inside[0]) if inside else None
        keys = tuple(self._below_keys(origin, inside[1:])) if origin else ()
        # A fault between several: where the first is left out, the next one's line.
        others = [entries[name] for name in wrong.others if name in entries]
        line = others[0].line if others and not origin else None
        if origin and origin.line == ON_COMMAND_LINE:
            line = ON_COMMAND_LINE
        self._fault(keys or (step, *inside), wrong.words, line=line, link=wrong.link)

    def _below_keys(self, origin: Entry, inside: Keys) -> Iterator[str]:
        """The file's keys for pydantic's, which also name the kind of a value."""
        keys = origin.keys
        yield from keys
        for index, part in enumerate(inside, 1):
            if part == keys[-1]:  # a kind of source that is called like its first key
                continue
            if index == len(inside) or (*keys, part) in self.source.lines:
                keys = (*keys, part)
                yield part
