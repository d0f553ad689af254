"""The parameters of a step: UPPER_CASE in a notebook, lower-case in YAML.

One pydantic model per step checks types and ranges wherever the values come
from: a study file, `papermill -p`, a notebook's parameters cell, or Python.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAMLError

from . import folder_names, yaml12
from .endpoint_url import is_endpoint, parse_endpoint
from .errors import ModelError, RunError, StudyError, did_you_mean
from .finished_run import RunFolder
from .notebook_setup import set_up_notebook
from .outcome_params import NO_OUTCOME, without_added
from .paths import display_path, project_root, runs_root
from .step_table import PICK_DOMAIN, Step

ADVANCED = "ADVANCED"  # a notebook's dictionary of parameters that are rarely set
_LONGEST_VALUE = 200  # characters of a value in a message
_LONGEST_SHOWN = 72  # and in the table of a step's parameters
Compute = Literal["auto", "float32"]
EngineName = Literal["auto", "own", "transformers", "vllm"]
Tag = Annotated[str, StringConstraints(min_length=3, pattern=r"^\S+$")]


def read_value(text: str) -> Any:
    """What a piece of text means as YAML 1.2: `1e-5`, `false`, `[1, 2]`."""
    try:
        return yaml12.load(text)
    except YAMLError:
        return text


class Strict(BaseModel):
    """Unknown names are refused and no type is guessed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class EndpointSettings(Strict):
    """What a study allows a model behind a URL; of no meaning to a local one.

    Nothing here changes what a sample says, so nothing here makes a finished
    step stale. Prices are per million tokens, in any one currency.

    Args:
        budget_tokens: tokens the study may use, prompts included.
        budget_cost: money it may spend; needs both prices.
        price_in: of a million prompt tokens.
        price_out: of a million tokens of answers.
        concurrency: requests under way at most; fewer while the server is busy.
        timeout: seconds a request may take.
        patience: seconds without any answer after which a run gives up.
        unanswered: share of the samples that may be filtered, too long or refused;
            a run ends where it is more (kit default).
        logprobs: ask for the tokens' log-probabilities as well.
    """

    budget_tokens: int | None = Field(None, ge=1)
    budget_cost: float | None = Field(None, gt=0)
    price_in: float | None = Field(None, ge=0)
    price_out: float | None = Field(None, ge=0)
    concurrency: int = Field(32, ge=1)
    timeout: float = Field(600, gt=0)
    patience: float = Field(120, ge=0)
    unanswered: float = Field(0.5, ge=0, le=1)
    logprobs: bool = False

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.budget_cost is not None and None in (self.price_in, self.price_out):
            raise ValueError("budget_cost needs price_in and price_out")
        return self


class StepParams(Strict):
    """What the parameters of all seven steps share.

    A step's own `Params` adds its fields and says where it stands in the
    chain: `STEP` (its entry in the table of steps), `SEALED` (the held-out splits
    it may open), `WEIGHTS` (whether it loads the model's weights, which an
    endpoint does not show) and `AT_TOP` (parameters of its own that a study file
    sets at its top, for they shape the whole study).
    """

    STEP: ClassVar[Step]
    SEALED: ClassVar[tuple[str, ...]] = ()
    WEIGHTS: ClassVar[bool] = False
    AT_TOP: ClassVar[tuple[str, ...]] = ()

    study: str = "quickstart"
    rng_seed: int = Field(7, ge=0)
    model: str = Field("smollm2-135m", min_length=1)
    endpoint: EndpointSettings = EndpointSettings()
    # `float32` where nothing is to be computed in bf16, however fast it is here.
    compute: Compute = "auto"
    # What samples the model on a GPU; `auto` is what is measured to be fastest there.
    engine: EngineName = "auto"
    # Processes that share a step's sampling and the long training run, over Ray where
    # there are several; the samples are the same.
    workers: int = Field(1, ge=1)
    # A further pair of tags that stand around the model's thinking.
    thinking_tags: tuple[Tag, Tag] | None = Field(None, strict=False)

    @field_validator("thinking_tags")
    @classmethod
    def _a_pair(cls, tags: tuple[str, str] | None) -> tuple[str, str] | None:
        if tags and tags[0].casefold() == tags[1].casefold():
            raise ValueError("should be an opening and a closing tag that differ")
        return tags

    redo: bool = False  # run the step even if nothing about it changed

    @field_validator("study")
    @classmethod
    def _a_study(cls, study: str) -> str:
        if fault := folder_names.place_fault(study):
            raise ValueError(fault)
        return study

    @field_validator("domain", "domains", check_fields=False)
    @classmethod
    def _folders(cls, given: str | list[str]) -> str | list[str]:
        several = [given] if isinstance(given, str) else given
        for name in several:
            if fault := folder_names.domain_fault(name):
                raise ValueError(f"{name!r} {fault}")
        if fault := folder_names.joint_domains_fault(several):
            raise ValueError(fault)
        return given

    @field_validator("model")
    @classmethod
    def _addressed(cls, model: str) -> str:
        if is_endpoint(model):
            parse_endpoint(model)
        return model

    def deciding(self) -> dict[str, Any]:
        """The parameters that decide the outcome, as JSON has them.

        Of those that were added since studies have been run, those alone that make it
        another outcome: what has finished stays up to date.
        """
        values = self.model_dump(mode="json", exclude=set(NO_OUTCOME))
        return without_added(values)

    def external_digests(self) -> dict[str, str]:
        """Digests of what the step reads outside run folders: models, files."""
        return {}

    @model_validator(mode="before")
    @classmethod
    def _text_means_yaml(cls, values: Any) -> Any:
        # `papermill -p USE false` and `-p SEEDS '[1, 2]'` arrive as text.
        if not isinstance(values, Mapping):
            return values
        fields = cls.model_fields
        return {
            name: read_value(value)
            if isinstance(value, str)
            and name in fields
            and fields[name].annotation is not str
            else value
            for name, value in values.items()
        }

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Read the UPPER_CASE names among others as this step's parameters.

        `ADVANCED` holds further ones by name, in either case.

        Args:
            namespace: a notebook's `globals()`.

        Raises:
            StudyError: a name no parameter has (papermill only warns of it),
                or a value of the wrong type or range; all faults at once. Or a
                parameter is set twice, or `ADVANCED` is no dictionary.
        """
        where = f"the parameters cell of {cls.STEP}.ipynb"
        values = {
            name.lower(): value
            for name, value in namespace.items()
            if name.isupper() and not name.startswith("_")
        }
        advanced = _advanced(values.pop(ADVANCED.lower(), {}), where=where)
        if twice := sorted(values.keys() & advanced.keys()):
            names = ", ".join(name.upper() for name in twice)
            raise StudyError(
                f"set twice, by name and in {ADVANCED}: {names}",
                where=where,
                todo="keep one of the two and run again; nothing was started",
            )
        return cls.validated(values | advanced, where=where)

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """The parameters of a notebook that is about to run.

        What would stop the step at its start stops it here, before a model is
        loaded for the cells in between.

        Args:
            namespace: the notebook's `globals()`.

        Raises:
            StudyError: as `from_namespace` does.
            ModelError: the step loads weights and the model is an endpoint.
            RunError: what the step reads has not finished.
        """
        set_up_notebook(namespace)
        params = cls.from_namespace(namespace)
        params.require_weights()
        params.require_upstream()
        return params

    @property
    def loads_weights(self) -> bool:
        """Whether the step, as it is set, loads the model's weights."""
        return self.WEIGHTS

    def require_weights(self) -> None:
        """Refuse an endpoint where the step loads the model's weights.

        Raises:
            ModelError: it says which step, and what to set.
        """
        if self.loads_weights and is_endpoint(self.model):
            raise ModelError(
                f"{self.STEP} needs the model's weights, and an endpoint has none",
                where=self.model,
                todo="stop before it with --to, or give it a catalogue name, a "
                "Hugging Face id or a local folder: phi-kit run … "
                f"--from {self.STEP.name} --set model=NAME",
            )

    def upstream(self) -> dict[str, RunFolder]:
        """The run folders that the step reads, by `domain/step`."""
        folders = {}
        for step in self.STEP.needs:
            for domain in self._domains() if step.per_domain else [""]:
                name = f"{domain}/{step}".lstrip("/")
                folders[name] = RunFolder.of(self.study, step, domain=domain)
        return folders

    def _domains(self) -> list[str]:
        return [self.domain] if self.STEP.per_domain else self.domains

    def read(self, step: Step, *, domain: str = "") -> RunFolder:
        """The run folder of an earlier step of this study.

        Args:
            step: one that this step needs.
            domain: which of several; without it the step's own.

        Raises:
            RunError: the table of steps does not let this one read it.
        """
        if step not in self.STEP.needs:
            raise RunError(f"{self.STEP} does not declare that it reads {step}")
        domain = domain or getattr(self, "domain", "")
        return RunFolder.of(self.study, step, domain=domain)

    def domain_card(self, domain: str) -> dict[str, Any]:
        """The parameters that step 1 ran with for a domain; empty before it has."""
        card = RunFolder.of(self.study, PICK_DOMAIN, domain=domain)
        return card.manifest["params"] if card.finished else {}

    def require_upstream(self) -> dict[str, str]:
        """Digests of what the step reads.

        Raises:
            RunError: some of it has not finished; all of it is named.
        """
        folders = self.upstream()
        missing = [name for name, folder in folders.items() if not folder.finished]
        if missing:
            first = missing[0].rpartition("/")[2]
            file = project_root() / "params" / f"{self.study}.yaml"
            study = display_path(file) if file.is_file() else "STUDY.yaml"
            raise RunError(
                f"{self.STEP} reads steps that have not finished: {', '.join(missing)}",
                where=f"study '{self.study}' in {display_path(runs_root())}",
                todo=f"run notebooks/{first}.ipynb first, or "
                f"phi-kit run {study} --to {self.STEP.name}",
            )
        return {name: folder.outcome for name, folder in folders.items()}

    @classmethod
    def validated(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Build the parameters, or raise one `StudyError` with every fault."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            faults = [describe(fault, cls) for fault in error.errors()]
            raise StudyError(
                f"{len(faults)} wrong parameter{'s' * (len(faults) > 1)}\n"
                + "\n".join(f"  - {fault}" for fault in faults),
                where=where,
                todo="correct them and run again; nothing was started",
            ) from None

    def changed(self) -> list[str]:
        """The names of the parameters that do not have their default."""
        fields = type(self).model_fields
        return [
            name
            for name, value in self
            if value != fields[name].get_default(call_default_factory=True)
        ]

    def _rows(self) -> list[tuple[str, str, bool]]:
        """Name, value and whether it is the default of every parameter."""
        changed = self.changed()
        return [
            (
                name,
                repr(value.model_dump() if isinstance(value, BaseModel) else value),
                name not in changed,
            )
            for name, value in self
        ]

    # IPython asks for these two: one line of all would be 600 characters long.
    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        rows = self._rows()
        width = max(len(name) for name, *_ in rows)
        lines = [f"parameters of {self.STEP}; * is not the default"]
        for name, value, default in rows:
            lines.append(f"{' ' if default else '*'} {name:<{width}}  {_cut(value)}")
        printer.text("\n".join(lines))

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        rows = []
        for name, value, default in self._rows():
            label, code = html.escape(name), html.escape(_cut(value))
            label = label if default else f"<b>{label}</b>"
            rows.append(
                f"<tr><td {left}>{label}</td><td {left}><code>{code}</code></td>"
            )
        head = f"<caption>{self.STEP}; bold is not the default</caption>"
        return f"<table>{head}{'</tr>'.join(rows)}</tr></table>"


def _advanced(given: Any, *, where: str) -> dict[str, Any]:
    """What `ADVANCED` sets, by lower-case name; `papermill -p` hands over text."""
    values = read_value(given) if isinstance(given, str) else given
    if not isinstance(values, Mapping):
        raise StudyError(
            f"{ADVANCED} should be a dictionary of parameters (it is {given!r})",
            where=where,
            todo=f'write it as {ADVANCED} = {{"MAX_TOKENS": 64}}; nothing was started',
        )
    return {str(name).lower(): value for name, value in values.items()}


def _cut(value: str, most: int = _LONGEST_SHOWN) -> str:
    return value if len(value) <= most else f"{value[: most - 1]}…"


class Fault(NamedTuple):
    """A fault in a reader's words.

    Attributes:
        place: where it lies.
        words: what is wrong.
        others: the other fields it is between, beside that one.
        link: what stands between place and words, which may be one sentence.
    """

    place: tuple[int | str, ...]
    words: str
    others: tuple[str, ...] = ()
    link: str = ": "


def fault_in_words(fault: ErrorDetails, params: type[BaseModel]) -> Fault:
    """Where one pydantic fault lies, and what is wrong in a reader's words.

    A fault between several fields lies at the first that its message names, the
    one to change first; the message says what all of them are.
    """
    place, kind = fault["loc"], fault["type"]
    if kind == "extra_forbidden":
        near = did_you_mean(str(place[-1]), fields_at(params, place[:-1]))
        return Fault(place, f"unknown parameter{near}")
    if kind == "missing":
        return Fault(place, "is missing")
    message = fault["msg"].removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}"
    between = fields_at(params, place) if kind == "value_error" else {}
    if between and isinstance(fault["input"], Mapping):
        return _between(fault["input"], between, place, message)
    value = _cut(repr(fault["input"]), _LONGEST_VALUE)
    if kind == "literal_error" and isinstance(fault["input"], str):
        choices = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        near = did_you_mean(fault["input"], choices)
        message += near if "did you mean" in near else ""
    return Fault(place, f"{message} (it is {value})")


def _between(
    values: Mapping[Any, Any],
    fields: Mapping[str, Any],
    place: tuple[int | str, ...],
    message: str,
) -> Fault:
    """A fault between fields: `band_low should be below band_high`."""
    # Neither what is quoted nor what might have been meant is named.
    words = re.findall(r"\w+", re.sub(r"'[^']*'|; (known|did you).*", "", message))
    named = [word for word in dict.fromkeys(words) if word in fields]
    if not named:
        return Fault(place, message)
    first, *others = named
    shown = {
        name: _cut(repr(values.get(name, fields[name].get_default())), _LONGEST_SHOWN)
        for name in named
    }
    listed = "; ".join(
        [
            f"it is {shown[first]}",
            *(f"{n} is {shown[n]}" for n in others),
        ]
    )
    rest = message.removeprefix(f"{first} ")
    link = ": " if rest == message else " "
    return Fault((*place, first), f"{rest} ({listed})", tuple(others), link)


def describe(fault: ErrorDetails, params: type[BaseModel]) -> str:
    """One pydantic fault in a reader's words."""
    worded = fault_in_words(fault, params)
    path = ".".join(yaml12.shown(str(part)) for part in worded.place)
    return f"{path}{worded.link}{worded.words}" if path else worded.words


def fields_at(params: type[BaseModel], place: Iterable[int | str]) -> dict[str, Any]:
    """The fields known where a fault lies, those of every kind that may stand there."""
    models = [params]
    for part in place:
        fields = [model.model_fields.get(str(part)) for model in models]
        kinds = [field.annotation for field in fields if field]
        # A list's index, or which kind of a union it is, leads no deeper.
        deeper = [model for kind in kinds for model in _models(kind)]
        if deeper or any(get_origin(kind) is dict for kind in kinds):
            models = deeper
    return {
        name: field for model in models for name, field in model.model_fields.items()
    }


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
