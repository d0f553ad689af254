"""The kinds of sources a study file may name: families, tasks, files, the hub."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from phi_kit.core.errors import did_you_mean
from phi_kit.core.files import digest, digest_json
from phi_kit.core.params import Strict
from phi_kit.core.paths import resolve_from_root

from . import file_readers, hf_datasets
from .choice_options import AnswerIs
from .column_names import clean_name
from .file_readers import SUFFIXES
from .generators import Family, gym_block

_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


class BaseSource(Strict):
    """What every source has: its own limit, and its weight in a mix."""

    limit: int | None = Field(None, ge=1)
    weight: float = Field(1.0, gt=0)

    @property
    def name(self) -> str:
        """What the source is called in counts and in the manifest."""
        raise NotImplementedError

    def digest(self) -> str:
        """What its rows depend on outside the study file; empty if on nothing."""
        return ""


class Procedural(BaseSource):
    """Items of the study's families, in equal parts; `limit` counts them all.

    A source with `families` of its own makes those instead. A pool may then hold
    families that the study does not measure, as real pools hold much that the student
    solves already.

    `wrong_golds` is a planted fault: the share of items that get the gold of another
    item of their family. Real pools hold some, and only where it is known which they
    are can be counted what the checks of step 3 catch. Such an item's `extra` keeps
    the gold it should have under `true_gold`, which no check reads. Where a verifier
    has more to go by than the gold (tests of a program, a puzzle's constraints), step
    2 sees the fault at once.
    """

    kind: Literal["procedural"] = "procedural"
    limit: int = Field(160, ge=1)
    families: list[str] = Field([])
    wrong_golds: float = Field(0.0, ge=0, le=0.5)

    @property
    def name(self) -> str:
        """Always `procedural`."""
        return self.kind


class Task(BaseSource):
    """Items of one reasoning-gym task with a configuration of its own."""

    task: str
    config: dict[str, Any] = Field({})
    limit: int = Field(300, ge=1)

    @property
    def name(self) -> str:
        """As in the seeds' `source`."""
        return f"reasoning-gym/{self.task}"

    @field_validator("task")
    @classmethod
    def _known(cls, task: str) -> str:
        from reasoning_gym.factory import DATASETS

        if task not in DATASETS:
            near = did_you_mean(task, DATASETS) if len(task) > 2 else ""
            if "; known:" in near:  # a hundred names help nobody
                near = ""
            raise ValueError(f"reasoning-gym has no task '{task}'{near}")
        return task

    @model_validator(mode="after")
    def _made(self) -> Task:
        try:
            gym_block(self.task, self.config, seed=0)
        except (TypeError, AssertionError, ValueError, KeyError) as error:
            why = str(error) or type(error).__name__
            raise ValueError(f"the task refuses this config: {why}") from error
        return self

    def family(self, known: Sequence[Family] = ()) -> Family:
        """The task as a family of its own; `extra` keeps what its scorer needs.

        Args:
            known: families in the study's style; one of the same task says which of
                its golds hold, and how its prompts are worded where steps are wanted.
        """
        of_task = (family for family in known if family.task == self.task)
        own = {"name": self.task, "level": 0, "task": self.task, "config": self.config}
        return replace(next(of_task, Family("", 0)), **own, entry=True, balance=0)


class TableSource(BaseSource):
    """Rows with a question and an answer column, and perhaps a worked solution.

    `answer.value` names a part of a column that holds mappings. `several: any` says
    that an answer column with a list names answers each of which is right; without
    it such a row is dropped unless they are all the same. `answer_after` cuts a
    worked solution: only what follows its last occurrence is the answer (GSM8K marks
    it with `####`), what stands before it is the solution. `solution` names a column
    with nothing but the solution. `chat` names a column with a list of turns: the
    question is its user turn, the solution its assistant turn. With either of them
    the answer column may be missing: then what `answer_after` marks in the solution
    is the answer, else its marked final answer (a box, `Answer:`, `####`). `extra`
    names columns that the verifier needs besides. `choices` names the columns with
    the options, in order, or the one column that holds them all. `answer_is` says what
    the answer to a choice is, where that is not plain: the `letter` of an option, its
    `text`, or its place in the list, counted from 0 or from 1. With `no_gold` rows
    without an answer are kept, for step 3's reference to answer; the answer column
    itself may be missing then.
    """

    question: str = "question"
    answer: str = "answer"
    answer_after: str = ""
    solution: str = ""
    chat: str = ""
    answer_is: AnswerIs = ""
    several: Literal["", "any"] = ""
    choices: list[str] = Field([])
    extra: dict[str, str] = Field({})
    no_gold: bool = False
    licence: str = ""

    @field_validator("question", "answer", "solution", "chat")
    @classmethod
    def _bare(cls, name: str) -> str:
        return clean_name(name)  # as the names of a file's columns are read

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        if not self.chat:
            return self
        # A default says nothing: a notebook is handed all of them.
        named = self.question != TableSource.model_fields["question"].default
        for key in ("question",) * named + ("solution",) * bool(self.solution):
            raise ValueError(f"chat holds the {key}: leave out {key}, or chat")
        return self

    @property
    def worked(self) -> bool:
        """Whether rows bring a worked solution apart from their answer."""
        return bool(self.chat or self.solution)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        usual = self.answer == TableSource.model_fields["answer"].default
        optional = self.no_gold or (self.worked and usual)
        answer = () if optional else (self.answer,)
        told = (self.chat,) if self.chat else (self.question,)
        told += (self.solution,) if self.solution else ()
        return (*told, *answer, *self.extra.values(), *self.choices)


class LocalFile(TableSource):
    """A file that ends in one of `SUFFIXES`, packed or not, or a folder of them.

    `encoding` is that of its text, where that is not UTF-8 and no mark says so.
    """

    path: str
    encoding: str = ""

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return Path(self.path).name

    @field_validator("path")
    @classmethod
    def _exists(cls, path: str) -> str:
        place = resolve_from_root(path)
        if not path.strip():
            raise ValueError("should name a file or a folder")
        if place.is_dir():
            if not _data_files(place):
                raise ValueError(f"holds no file that ends in {', '.join(SUFFIXES)}")
        elif place.suffix.lower() in (".xlsx", ".xls", ".ods"):
            raise ValueError("is a workbook: save its sheet as CSV UTF-8")
        elif not file_readers.file_type(place):
            raise ValueError(f"should end in {', '.join(SUFFIXES)}, or be a folder")
        elif not place.is_file():
            raise ValueError("there is no such file, counted from the project's root")
        return path

    @field_validator("encoding")
    @classmethod
    def _decodes(cls, encoding: str) -> str:
        try:
            b" ".decode(encoding or "utf-8", errors="replace")
            return codecs.lookup(encoding).name if encoding else ""
        except (LookupError, UnicodeError) as error:
            near = did_you_mean(encoding, ("utf-8", "utf-16", "cp1252", "latin-1"))
            raise ValueError(f"Python knows no such encoding{near}") from error

    def files(self) -> list[Path]:
        """The file, or the folder's files in order of their names."""
        place = resolve_from_root(self.path)
        return _data_files(place) if place.is_dir() else [place]

    def digest(self) -> str:
        """Content digest, so that an edited file redoes what read it."""
        place = resolve_from_root(self.path)
        if not place.is_dir():
            return digest(place)
        return digest_json(
            {str(path.relative_to(place)): digest(path) for path in self.files()}
        )


class HubData(TableSource):
    """A data set of the Hugging Face hub, or a local folder of the same shape."""

    hub: str
    config: str = ""
    split: str = "train"
    revision: str = "main"

    @property
    def name(self) -> str:
        """As the hub names it, with configuration and split."""
        parts = (self.hub, self.config, self.split)
        return ":".join(part for part in parts if part)

    @field_validator("hub")
    @classmethod
    def _named(cls, name: str) -> str:
        if not _HUB.fullmatch(name) and not resolve_from_root(name).is_dir():
            raise ValueError("should be owner/name on the hub, or a local folder")
        return name

    def pinned(self) -> hf_datasets.PinnedDataset:
        """The data set at its resolved revision."""
        return hf_datasets.pin_revision(self.hub, self.revision)

    def digest(self) -> str:
        """The resolved revision: a data set that moved on redoes what read it."""
        return self.pinned().revision


def _data_files(folder: Path) -> list[Path]:
    """The files of a folder: none that is hidden, no JSON that describes the others."""
    return sorted(
        path
        for path in folder.rglob("*")
        if file_readers.file_type(path) not in ("", ".json")
        and not any(p.startswith((".", "__")) for p in path.relative_to(folder).parts)
        and path.is_file()
    )


_KINDS = {"hub": "hub", "path": "file", "task": "task"}


def _source_kind(value: object) -> str:
    given = given_keys(value)
    return next((kind for key, kind in _KINDS.items() if key in given), "procedural")


def given_keys(value: object) -> Collection[str]:
    """The keys of a source as a study file gives it, or of one that is read."""
    if isinstance(value, Mapping):
        return value
    return vars(value) if isinstance(value, BaseSource) else ()


# Told apart by the key that names them, so that a fault is reported once, for
# that kind.
Source = Annotated[
    Annotated[Procedural, Tag("procedural")]
    | Annotated[Task, Tag("task")]
    | Annotated[LocalFile, Tag("file")]
    | Annotated[HubData, Tag("hub")],
    Discriminator(_source_kind),
]
