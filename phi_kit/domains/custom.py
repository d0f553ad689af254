"""A domain of the user's own, defined in a study file and nowhere else.

Its items are the rows of local files or of data sets of the hub, one family each.
A hash of the prompt decides which split a row belongs to: up to a fifth each is held
out for dev and for test (the shares are kit defaults), the rest are seeds.
Which rows those are depends on nothing but their text and the study's seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from phi_kit import verifiers
from phi_kit.core.answer_style import ANSWER_MARK
from phi_kit.core.endpoint_url import is_endpoint, parse_endpoint
from phi_kit.core.errors import DataError
from phi_kit.core.params import Strict
from phi_kit.data import file_readers
from phi_kit.data.column_names import (
    MISSING,
    chat_hint,
    find_value,
    missing_column,
    nested_names,
)
from phi_kit.data.dropped_rows import UnreadableRow
from phi_kit.data.generators import Family
from phi_kit.data.malformed_lines import MalformedLine
from phi_kit.data.read_sources import available_rows, read_source
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.source_types import HubData, LocalFile, given_keys
from phi_kit.data.splits import HASH_SHARES, split_by_hash
from phi_kit.inference import completion
from phi_kit.verifiers.answer_extraction import marked_answer

from .base import Domain

_LOOKED_AT = 100  # rows of a file that show which columns it has
Complete = Callable[[str], str]
Checker = Literal["numeric", "choice", "exact", "contains", "code", "refusal", "judge"]


class AnswerKind(NamedTuple):
    """What a verifier expects: in words, as an instruction, and at the end of steps."""

    name: str
    instruction: str
    marked: str = f'the answer after "{ANSWER_MARK}"'


_KINDS: Mapping[str, AnswerKind] = {
    "numeric": AnswerKind(
        "number",
        "Give only the answer, one number.",
        f'the answer, one number, after "{ANSWER_MARK}"',
    ),
    "choice": AnswerKind(
        "one of the given choices",
        "Give only the letter of the answer.",
        f'the letter of the answer after "{ANSWER_MARK}"',
    ),
    "exact": AnswerKind("a few words", "Give only the answer."),
    "contains": AnswerKind(
        "a sentence with the answer",
        "Answer in one short sentence.",
        f'the answer in one short sentence after "{ANSWER_MARK}"',
    ),
    "code": AnswerKind(
        "program",
        "Write the program in one code block.",
        f'the program in one code block after "{ANSWER_MARK}"',
    ),
    "refusal": AnswerKind(
        "help or refusal",
        "Help with what is safe; refuse what is not.",
        f'your reply after "{ANSWER_MARK}"; help with what is safe, refuse what is not',
    ),
    "judge": AnswerKind(
        "free text",
        "Answer in one or two sentences.",
        f'the answer in one or two sentences after "{ANSWER_MARK}"',
    ),
}


class OwnFile(LocalFile):
    """A file of the user's."""

    @property
    def family(self) -> str:
        """What its rows are called."""
        return file_readers.file_stem(Path(self.path))

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        known = _columns(self)
        missing = [name for name in self.columns if known and name not in known]
        if missing:
            said = "; ".join(missing_column(name, known) for name in missing)
            raise ValueError(said + chat_hint(known))
        return self


class OwnHub(HubData):
    """A data set of the hub that the study makes a domain of."""

    @property
    def family(self) -> str:
        """What its rows are called."""
        split = "" if self.split == "train" else self.split
        parts = (Path(self.hub).name, self.config, split)
        return "-".join(part for part in parts if part)


def _which(given: object) -> str:
    return "hub" if "hub" in given_keys(given) else "file"


OwnSource = Annotated[
    Annotated[OwnFile, Tag("file")] | Annotated[OwnHub, Tag("hub")],
    Discriminator(_which),
]


def _columns(source: LocalFile) -> list[str]:
    """What the first rows of a source have; none where nothing can be read.

    The step that reads it says what is wrong then, with the line.
    """
    found: dict[str, None] = {}
    try:
        for row in islice(
            file_readers.read_rows(source.files()[0], source.encoding), _LOOKED_AT
        ):
            if not isinstance(row, MalformedLine):
                deep = [n for n in source.columns if find_value(row, n) is not MISSING]
                found |= dict.fromkeys((*nested_names(row), *deep))
    except DataError:
        return []
    return list(found)


class Definition(Strict):
    """What a study file says under `domains:` of a domain of its own."""

    verifier: Checker
    sources: list[OwnSource] = Field(min_length=1)
    # Who is asked, where the verifier asks a model.
    judge_model: str = Field("", validate_default=True)
    instruction: str = ""
    # Names of transforms of other domains or of packages: `math.backward`.
    transforms: list[str] = Field([])
    title: str = ""
    description: str = ""

    @field_validator("sources")
    @classmethod
    def _apart(cls, sources: list[OwnFile | OwnHub]) -> list[OwnFile | OwnHub]:
        names = [source.family for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {', '.join(twice)}; rename one")
        return sources

    @field_validator("judge_model")
    @classmethod
    def _has_a_judge(cls, model: str, info: ValidationInfo) -> str:
        verifier = info.data.get("verifier")
        if verifier == "judge" and not model:
            raise ValueError(
                "is missing: a judge is a model; name one as `model` names the "
                "student (a catalogue name, a Hugging Face id or a local folder)"
            )
        if is_endpoint(model):
            parse_endpoint(model)
        if model and verifier and verifier not in verifiers.MODEL_VERIFIERS:
            raise ValueError(
                f"is set, but {verifier} asks no model; take it out, or use one of "
                + ", ".join(verifiers.MODEL_VERIFIERS)
            )
        return model

    def digests(self) -> dict[str, str]:
        """What step 1 depends on: the sources' content, and which model judges."""
        marks = {
            source.path if isinstance(source, OwnFile) else source.name: source.digest()
            for source in self.sources
        }
        if not self.judge_model:
            return marks
        return marks | {"judge": completion.model_fingerprint(self.judge_model)}


def build(
    name: str, definition: Definition, *, complete: Complete | None = None
) -> Domain:
    """The domain that a definition describes.

    Args:
        name: of the domain.
        definition: from the study file.
        complete: asks the judge's model, where the domain has one.
    """
    kind = _KINDS[definition.verifier]
    checker = (
        verifiers.by_model(definition.verifier, definition.judge_model, complete)
        if complete
        else verifiers.get(definition.verifier)
    )
    return Domain(
        name=name,
        title=definition.title or name,
        description=definition.description or f"A domain of this study: {kind.name}.",
        instruction=definition.instruction or kind.instruction,
        marked=kind.marked,
        answer_kind=kind.name,
        verifier=checker,
        checker=definition.verifier,
        families=tuple(
            _family(name, source, level, checker)
            for level, source in enumerate(definition.sources, 1)
        ),
        transforms={},
        named_transforms=tuple(definition.transforms),
    )


def _family(name: str, source: OwnFile | OwnHub, level: int, checker: Any) -> Family:
    def stream(rng_seed: int, split: str) -> Iterator[Seed]:
        rows = _rows(name, source)
        if split not in HASH_SHARES:
            # All rows: the seal takes the held-out ones out again, counted. Those
            # that cannot be held out come first, whatever limit cuts the rest.
            yield from sorted(rows, key=lambda row: _split(row, rng_seed) != "train")
            return
        for row in rows:
            # A held-out item whose gold is unreadable measures nothing.
            if _split(row, rng_seed) == split and checker(row, row.answer).right:
                yield row

    def size() -> int:
        return available_rows(source, ()) or 0

    return Family(source.family, level, stream=stream, size=size)


def _split(row: Seed, rng_seed: int) -> str:
    """The one split that a row may be drawn for: dev, test or train."""
    return split_by_hash(normalise_prompt(row.prompt), "split", rng_seed=rng_seed)


def _rows(name: str, source: OwnFile | OwnHub) -> Iterator[Seed]:
    """The rows of a source as seeds, with what further columns say of them."""
    every = read_source(
        source, name, families=(), rng_seed=0, find_answer=marked_answer
    )
    for seed in every:
        if isinstance(seed, UnreadableRow):
            yield seed  # step 2 counts it among the dropped
            continue
        facts = {key: _parsed(value) for key, value in seed.facts.items()}
        yield replace(seed, extra=json.dumps(facts))


def _parsed(value: Any) -> Any:
    """A column's text as what it spells: a list, a mapping or a truth value."""
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return read if isinstance(read, list | dict | bool) else value
