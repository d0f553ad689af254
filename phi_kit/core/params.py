"""The parameters of a step: UPPER_CASE in a notebook, lower-case in YAML.

One pydantic model per step checks types and ranges wherever the values come
from: a study file, `papermill -p`, a notebook's parameters cell, or Python.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML, YAMLError

from .errors import StudyError, did_you_mean

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


class StepParams(Strict):
    """What the parameters of all seven steps share.

    A step's own `Params` adds its fields and says where it stands in the
    chain: `STEP` (its folder and notebook stem), `NEEDS` (the steps it reads)
    and `SEALED` (the held-out splits it may open).
    """

    STEP: ClassVar[str]
    NEEDS: ClassVar[tuple[str, ...]] = ()
    SEALED: ClassVar[tuple[str, ...]] = ()
    PER_DOMAIN: ClassVar[bool] = True

    study: str = Field("quickstart", pattern=NAME)
    rng_seed: int = Field(7, ge=0)
    model: str = Field("smollm2-135m", min_length=1)

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
        """
        given = {
            name.lower(): value
            for name, value in namespace.items()
            if name.isupper() and not name.startswith("_")
        }
        return cls.checked(given, where=f"the parameters cell of {cls.STEP}.ipynb")

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
        known = params.model_fields if len(fault["loc"]) == 1 else ()
        return f"{path}: unknown parameter{did_you_mean(str(fault['loc'][-1]), known)}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]} (it is {fault['input']!r})"
