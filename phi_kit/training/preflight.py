"""The gate before every training run: no row is trained on unchecked.

Every row is rendered and encoded, and its labels are decoded again and compared with
the completion. Rows that are too long are left out and counted, never truncated. The
first row or setting that is wrong refuses the run, and the message shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import DataError
from phi_kit.models import chat_template
from phi_kit.models.chat_template import template_fingerprint, turn_framing

from .encoding import IGNORE_INDEX, EncodedRow, TrainingRow, collate, encode
from .loss_mask_view import view_loss_mask
from .row_checks import CHECKS, RowUnderCheck, SealLookup

if TYPE_CHECKING:
    from phi_kit.inference.local.model import LocalModel

# Share of a run's tokens that is trained (kit default): a one-letter answer to a page
# of text has .004, long reasoning after a short question .99.
TRAINED_SHARE = (0.002, 0.998)

Encode = Callable[["LocalModel", TrainingRow], EncodedRow]
Collate = Callable[[Sequence[EncodedRow]], dict[str, Any]]


@dataclass(frozen=True)
class GateReport:
    """The gate's report, for the manifest.

    Attributes:
        read: rows that were given.
        kept: rows that are trained on.
        too_long: rows left out.
        tokens: of the rows kept, one pass.
        trained_tokens: those of them the loss sees.
        train_template: names how training renders a prompt.
        evaluation_template: names how evaluation does; the same, or no run.
        end_of_turn: the token every row ends with.
        bos: whether the template begins with one.
        pad_is_end: whether padding has the same id as the end of a turn.
        sealed: whether the rows were compared with sealed items.
    """

    read: int
    kept: int
    too_long: int
    tokens: int
    trained_tokens: int
    train_template: str
    evaluation_template: str
    end_of_turn: str
    bos: bool
    pad_is_end: bool
    sealed: bool

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


class CheckedRows(Sequence[EncodedRow]):
    """The rows that passed, their indices among those given, and the report on all."""

    def __init__(
        self, rows: list[EncodedRow], indices: list[int], report: GateReport
    ) -> None:
        self.rows, self.indices, self.report = rows, indices, report

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


def gate(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    *,
    max_tokens: int,
    sealed: SealLookup | None = None,
    encode: Encode = encode,
    collate: Collate | None = None,
) -> CheckedRows:
    """Encode the rows of a run, or refuse the run.

    Args:
        student: the model that is trained, with its tokenizer.
        rows: rendered prompts with completions.
        max_tokens: longer rows are left out and counted. A truncated answer would
            teach the model to stop in the middle.
        sealed: says what a text has in common with a held-out item, `None` if
            nothing; a seal's `hit`.
        encode: makes ids and labels of a row.
        collate: makes a batch of rows; the trainer's own where not given.

    Raises:
        DataError: a row or a setting would train something else than the completion.
            The message shows the row.
        ModelError: the template cannot be trained with.
    """
    report = _template(student, rows)
    passed, indices = [], []
    for index, row in enumerate(rows):
        encoded = encode(student, row)
        if len(encoded.ids) > max_tokens:
            continue
        _refuse_row(RowUnderCheck(student, row, encoded, sealed), index)
        passed.append(encoded)
        indices.append(index)
    if not passed:
        raise DataError(
            f"none of {len(rows)} training rows fits into {max_tokens} tokens",
            todo="raise max_row_tokens, or collect shorter seeds",
        )
    tokens = sum(len(row.ids) for row in passed)
    trained = sum(row.trained for row in passed)
    _share(student, passed, trained / tokens)
    _padding(student, passed, collate)
    return CheckedRows(
        passed,
        indices,
        GateReport(
            read=len(rows),
            kept=len(passed),
            too_long=len(rows) - len(passed),
            tokens=tokens,
            trained_tokens=trained,
            sealed=sealed is not None,
            **report,
        ),
    )


def row_faults(row: RowUnderCheck) -> Iterator[tuple[str, str, str]]:
    """Every check a row fails: its name, what is wrong, what to do."""
    for check in CHECKS:
        if (fault := check.check(row)) is not None:
            yield check.name, fault, check.todo


def _refuse_row(row: RowUnderCheck, index: int) -> None:
    for _, fault, todo in row_faults(row):
        raise DataError(
            fault, where=_shown(row.student, row.encoded, f"row {index}"), todo=todo
        )


def _shown(student: LocalModel, encoded: EncodedRow, name: str) -> str:
    return f"{name}\n{view_loss_mask(student.tokenizer, encoded)}"


def _template(student: LocalModel, rows: Sequence[TrainingRow]) -> dict[str, Any]:
    """How the student's template frames a turn in the rows' ways of asking.

    Raises:
        DataError: training and evaluation would not use it alike.
    """
    tokenizer = student.tokenizer
    ways = {row.thinking for row in rows} or {False}
    forms = [turn_framing(tokenizer, thinking=way) for way in sorted(ways)]
    form = forms[0]
    end = tokenizer.convert_ids_to_tokens(form.end)
    ours = template_fingerprint(partial(chat_template.render, tokenizer))
    theirs = template_fingerprint(student.render)
    if ours != theirs:
        raise DataError(
            "training and evaluation render prompts differently",
            where=f"train template {ours}, evaluation template {theirs}",
            todo="let both go through `models.chat_template.render` with one tokenizer",
        )
    if any(other.end not in student.stop_ids for other in forms):
        raise DataError(
            f"sampling would not stop where the template ends a turn: at {end!r}",
            where=f"token {form.end}; the model stops at {sorted(student.stop_ids)}",
            todo="add it to eos_token_id in the model's generation_config.json",
        )
    return {
        "train_template": ours,
        "evaluation_template": theirs,
        "end_of_turn": end,
        "bos": form.bos,
        "pad_is_end": tokenizer.pad_token_id == form.end,
    }


def _share(student: LocalModel, rows: list[EncodedRow], share: float) -> None:
    low, high = TRAINED_SHARE
    if low <= share <= high:
        return
    order = sorted(rows, key=lambda row: row.trained / len(row.ids))
    raise DataError(
        f"{share:.2%} of the run's tokens are trained, which is no sane share",
        where=_shown(
            student, order[0 if share < low else -1], "the most extreme row of them"
        ),
        todo=f"between {low:.1%} and {high:.1%} is; look at how the rows are rendered",
    )


def _padding(
    student: LocalModel, rows: list[EncodedRow], batches: Collate | None
) -> None:
    """Padding trains nothing and hides nothing, whatever its id is."""
    pad = student.tokenizer.pad_token_id
    if batches is None:
        if pad is None:
            raise DataError(
                "the tokenizer has no PAD token",
                todo="set tokenizer.pad_token; any will do, masking goes by position",
            )
        batches = partial(collate, pad=pad)
    longest = max(rows, key=lambda row: len(row.ids))
    # Its last token alone is a row, too: the end of a turn, then only padding.
    pair = [longest, EncodedRow(longest.ids[-1:], longest.labels[-1:])]
    batch = batches(pair)
    for index, row in enumerate(pair):
        width = len(row.ids)
        ids, labels, mask = (
            batch[name][index].tolist()
            for name in ("input_ids", "labels", "attention_mask")
        )
        right = ids[:width] == row.ids and labels[:width] == row.labels
        blank = all(label == IGNORE_INDEX for label in labels[width:])
        if not (right and blank and sum(mask) == sum(mask[:width]) == width):
            raise DataError(
                "padding changes what is trained",
                where=_shown(student, EncodedRow(ids, labels), "a row after padding"),
                todo="mask padding by its position, never by the id of PAD: where "
                "PAD is the end of turn, that would mask it, too",
            )
