"""What a room guessed, question by question, beside what was measured.

Each person's guesses lie in a file of hers (`guess_log`), without her name. A teacher
collects the files, or the folders in which they lie, and shows one page.
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.errors import StudyError, disk_errors
from phi_kit.core.figures import figure_html
from phi_kit.core.files import write_atomic
from phi_kit.core.number_format import is_number
from phi_kit.core.paths import GUESSES
from phi_kit.plots import guess_histogram
from phi_kit.stats.intervals import Accuracy

from .guess_log import kept_lines

if TYPE_CHECKING:
    from phi_kit.plots.figure import NotebookFigure

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


class Question(NamedTuple):
    """What is asked in one place of one notebook."""

    step: str
    domain: str
    about: str

    @property
    def title(self) -> str:
        """Where it is asked: `01_pick_domain, math`."""
        return ", ".join(part for part in (self.step, self.domain) if part)


@dataclass(frozen=True)
class RoomGuesses:
    """All answers to one question.

    Args:
        question: which one.
        guesses: one a person, her last before the result was there.
        late: people who guessed only when it was.
        found: what most of them measured; `None` if nobody has yet.
        otherwise: people who measured something else, as with other parameters.
    """

    question: Question
    guesses: Sequence[float]
    late: int
    found: Accuracy | None
    otherwise: int

    @cached_property
    def figure(self) -> NotebookFigure:
        """The histogram; it says in words what it shows."""
        return guess_histogram.draw(
            self.guesses,
            self.found,
            about=self.question.about,
            late=self.late,
            otherwise=self.otherwise,
        )


def room_guesses(files: Iterable[Path]) -> list[RoomGuesses]:
    """Everybody's guesses, a question at a time, in the order of the steps.

    Args:
        files: one a person, as `guess_files` finds them.
    """
    asked: dict[Question, list[_Person]] = defaultdict(list)
    for path in files:
        for question, person in _of_person(path).items():
            asked[question].append(person)
    return [_gathered(question, asked[question]) for question in sorted(asked)]


def write_page(rooms: Sequence[RoomGuesses], path: Path) -> None:
    """Write all histograms onto one page that needs nothing beside it.

    Raises:
        RunError: it cannot be written.
    """
    parts = [
        f"<h2>{html.escape(room.question.title)}</h2>\n"
        + figure_html(room.figure._repr_png_()[0], words=room.figure.words)
        for room in rooms
    ]
    text = _PAGE.format(title="What the room guessed", body="\n".join(parts))
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)


def guess_files(places: Sequence[Path], *, study: str) -> list[Path]:
    """The files of guesses in some places, one a person.

    Args:
        places: a file of guesses, whatever its name; or a folder: the files ending in
            `.jsonl` right in it, and those that runs of `study` left below it.
        study: whose guesses are meant where a folder holds several studies.

    Returns:
        Those that hold a guess, each once.

    Raises:
        StudyError: a place is not there, or nobody has guessed in any.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise StudyError("there is no such file or folder", where=str(place))
        inside = [*place.glob("*.jsonl"), *place.rglob(f"{study}/{GUESSES}")]
        found |= dict.fromkeys(path.resolve() for path in sorted(inside) or [place])
    files = [path for path in found if path.is_file() and _of_person(path)]
    if not files:
        raise StudyError(
            f"nobody's guesses on the study '{study}' lie there",
            where=", ".join(map(str, places)),
            todo=f"name files or folders with {study}/{GUESSES} in them, or a --study",
        )
    return files


class _Person(NamedTuple):
    """One person's part in a question."""

    guess: float
    late: bool
    found: Accuracy | None


def _of_person(path: Path) -> dict[Question, _Person]:
    """What a person guessed; a line that is none of the kit's is passed over."""
    guesses: dict[Question, list[tuple[float, bool]]] = defaultdict(list)
    found: dict[Question, Accuracy] = {}
    for line in kept_lines(path):
        question = Question(*(str(line.get(name)) for name in Question._fields))
        if is_number(line.get("guess")):
            guesses[question].append((float(line["guess"]), bool(line.get("seen"))))
        elif (measured := _accuracy(line.get("found"))) is not None:
            found[question] = measured  # the last: parameters may have changed
    people = {}
    for question, made in guesses.items():
        early = [guess for guess, seen in made if not seen]
        last = (early or [guess for guess, _ in made])[-1]
        people[question] = _Person(last, not early, found.get(question))
    return people


def _accuracy(values: Any) -> Accuracy | None:
    names = [field.name for field in fields(Accuracy)]
    if isinstance(values, dict) and all(is_number(values.get(n)) for n in names):
        return Accuracy(**{name: values[name] for name in names})
    return None


def _gathered(question: Question, people: Sequence[_Person]) -> RoomGuesses:
    measured = Counter(one.found for one in people if one.found)
    # Of two truths equally many found, the one over more items.
    found = max(measured, key=lambda one: (measured[one], one.n), default=None)
    return RoomGuesses(
        question,
        sorted(one.guess for one in people if not one.late),
        sum(one.late for one in people),
        found,
        measured.total() - measured[found],
    )
