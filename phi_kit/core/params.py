"""The parameters of a step: UPPER_CASE in a notebook, lower-case in YAML.

One pydantic model per step checks types and ranges wherever the values come
from: a study file, `papermill -p`, a notebook's parameters cell, or Python.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML, YAMLError

from .address import address, is_endpoint
from .errors import ModelError, StudyError, did_you_mean

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # a folder name on every platform


@cache
def _yaml() -> YAML:
    # YAML 1.2: 1e-5 is a number, `no` is a word, a key given twice is a fault.
    return YAML(typ="safe", pure=True)


def read_value(text: str) -> Any:
    """What a piece of text means as YAML 1.2: `1e-5`, `false`, `[1, 2]`."""
    try:
        return _yaml().load(io.StringIO(text))
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
            a run ends where it is more. The kit's own choice.
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
    chain: `STEP` (its folder and notebook stem), `NEEDS` (the steps it reads),
    `SEALED` (the held-out splits it may open) and `WEIGHTS` (whether it loads
    the model's weights, which an endpoint does not show).
    """

    STEP: ClassVar[str]
    NEEDS: ClassVar[tuple[str, ...]] = ()
    SEALED: ClassVar[tuple[str, ...]] = ()
    PER_DOMAIN: ClassVar[bool] = True
    WEIGHTS: ClassVar[bool] = False

    study: str = Field("quickstart", pattern=NAME)
    rng_seed: int = Field(7, ge=0)
    model: str = Field("smollm2-135m", min_length=1)
    endpoint: EndpointSettings = EndpointSettings()

    @field_validator("model")
    @classmethod
    def _addressed(cls, model: str) -> str:
        if is_endpoint(model):
            address(model)
        return model

    @classmethod
    def section(cls) -> str:
        """The step's name without its number: its section in a study file."""
        return cls.STEP[3:]

    def outside(self) -> dict[str, str]:
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
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """Read the UPPER_CASE names of a notebook as this step's parameters.

        Args:
            namespace: the notebook's `globals()`.

        Raises:
            StudyError: a name no parameter has (papermill only warns of it),
                or a value of the wrong type or range; all faults at once.
            ModelError: the step loads weights and the model is an endpoint.
        """
        given = {
            name.lower(): value
            for name, value in namespace.items()
            if name.isupper() and not name.startswith("_")
        }
        params = cls.checked(given, where=f"the parameters cell of {cls.STEP}.ipynb")
        params.require_weights()
        return params

    def require_weights(self) -> None:
        """Refuse an endpoint where the step loads the model's weights.

        Raises:
            ModelError: it says which step, and what to set.
        """
        if self.WEIGHTS and is_endpoint(self.model):
            raise ModelError(
                f"{self.STEP} needs the model's weights, and an endpoint has none",
                where=self.model,
                todo="stop before it with --to, or give it a catalogue name, a "
                "Hugging Face id or a local folder: phi-kit run … "
                f"--from {self.section()} --set model=NAME",
            )

    @classmethod
    def checked(cls, values: Mapping[str, Any], *, where: str) -> Self:
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


def describe(fault: ErrorDetails, params: type[BaseModel]) -> str:
    """One pydantic fault in a reader's words."""
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = did_you_mean(str(fault["loc"][-1]), _fields(params, fault["loc"]))
        return f"{path}: unknown parameter{near}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]} (it is {fault['input']!r})"


def _fields(params: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    """The names known where a fault lies; none inside lists and unions."""
    for part in loc[:-1]:
        field = params.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return ()
        if not issubclass(field.annotation, BaseModel):
            return ()
        params = field.annotation
    return params.model_fields
