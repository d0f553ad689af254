"""The checks of the gate on one row: each decodes it again and compares.

Each check is there because some row passes all the others: for every check
`tests/training/test_row_checks.py` holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from phi_kit.core import thinking
from phi_kit.models.chat_template import TurnFraming, control_token_ids, turn_framing

from .encoding import IGNORE_INDEX, EncodedRow, TrainingRow

if TYPE_CHECKING:
    from phi_kit.inference.local.model import LocalModel

# A loop (kit default): prose may say a thing four times, a list may run long.
LOOP_COPIES, LOOP_TOKENS, LOOP_PERIOD = 5, 48, 512
SealLookup = Callable[[str], object | None]


@dataclass(frozen=True)
class RowUnderCheck:
    """A row at the gate: as it was rendered, and as it was encoded."""

    student: LocalModel
    row: TrainingRow
    encoded: EncodedRow
    sealed: SealLookup | None = None

    @property
    def shape(self) -> TurnFraming:
        """How the model's template frames a turn."""
        return turn_framing(self.student.tokenizer, thinking=self.row.thinking)

    @cached_property
    def trained_positions(self) -> list[int]:
        """Positions that the loss sees."""
        labels = self.encoded.labels
        return [i for i, label in enumerate(labels) if label != IGNORE_INDEX]

    @cached_property
    def completion_ids(self) -> list[int]:
        """The trained labels without the token that ends the turn."""
        trained = [self.encoded.labels[i] for i in self.trained_positions]
        ended = trained and trained[-1] in control_token_ids(self.student.tokenizer)
        return trained[:-1] if ended else trained

    def decode(self, ids: list[int], *, as_answer: bool = False) -> str:
        """Ids as text; `as_answer` the way a sampled answer is read."""
        return self.student.tokenizer.decode(
            ids, skip_special_tokens=as_answer, clean_up_tokenization_spaces=False
        )

    def roundtrip(self, text: str) -> str:
        """A text after encoding and decoding: some tokenizers change it."""
        ids = self.student.tokenizer(text, add_special_tokens=False).input_ids
        return self.decode(ids)


@dataclass(frozen=True)
class RowCheck:
    """A check: returns what is wrong with a row or `None`; `todo` says what to do."""

    name: str
    check: Callable[[RowUnderCheck], str | None]
    todo: str


def labels_are_inputs(checked: RowUnderCheck) -> str | None:
    """A label is the token at its own position, or masked; the model shifts."""
    ids, labels = checked.encoded.ids, checked.encoded.labels
    if len(ids) != len(labels):
        return f"{len(ids)} tokens have {len(labels)} labels"
    for position in checked.trained_positions:
        if labels[position] != ids[position]:
            return f"the label at token {position} is another token than the input's"
    return None


def prompt_is_masked(checked: RowUnderCheck) -> str | None:
    """Up to the first trained token stands the prompt, whole, and nothing else."""
    start = (
        checked.trained_positions[0]
        if checked.trained_positions
        else len(checked.encoded.ids)
    )
    head, prompt = checked.decode(checked.encoded.ids[:start]), checked.row.prompt
    if head == prompt:
        return None
    spellings = (prompt, checked.roundtrip(prompt))
    for text in spellings:
        rest = head.removeprefix(text)
        # A completion that is masked is another check's.
        if head == text + rest and (
            checked.row.completion.startswith(rest) or not checked.trained_positions
        ):
            return None
    if any(text.startswith(head) for text in spellings):
        return f"a part of the prompt is trained: {prompt[len(head) :]!r}"
    return f"what stands before the answer is not the prompt: {head[:80]!r}"


def completion_is_trained(checked: RowUnderCheck) -> str | None:
    """The trained tokens are the completion, whole: neither cut nor rewritten."""
    if not checked.trained_positions:
        return "nothing is trained: every label is -100"
    if checked.trained_positions[-1] - checked.trained_positions[0] >= len(
        checked.trained_positions
    ):
        return "a part of the completion is masked"
    trained, completion = checked.decode(checked.completion_ids), checked.row.completion
    if trained.endswith((completion, checked.roundtrip(completion))):
        return None
    lost = set(thinking.written(completion)) - set(thinking.written(trained))
    why = "its thought was stripped" if lost else "it was cut or rewritten"
    return f"what is trained is not the completion ({why}): {trained[-80:]!r}"


def turn_is_closed(checked: RowUnderCheck) -> str | None:
    """The last token is trained, and is the one the template closes a turn with."""
    if not checked.trained_positions:
        return None
    last, end = checked.encoded.labels[checked.trained_positions[-1]], checked.shape.end
    if last != end or checked.trained_positions[-1] != len(checked.encoded.ids) - 1:
        ours, theirs = checked.decode([last]), checked.decode([end])
        return f"the row ends its training with {ours!r}, the template with {theirs!r}"
    return None


def turn_goes_on(checked: RowUnderCheck) -> str | None:
    """No control token stands inside the completion."""
    controls = set(checked.completion_ids) & control_token_ids(
        checked.student.tokenizer
    )
    texts = (checked.decode([token]) for token in sorted(controls))
    if other := next((text for text in texts if not thinking.written(text)), None):
        return f"inside the completion stands {other!r}"
    return None


def one_bos(checked: RowUnderCheck) -> str | None:
    """As many BOS at the start as the template has: one or none."""
    bos = checked.student.tokenizer.bos_token_id
    ids = [token for token in checked.encoded.ids[:3] if bos is not None]
    count = next((n for n, token in enumerate(ids) if token != bos), len(ids))
    if count != checked.shape.bos:
        return f"the row begins with {count} BOS tokens, the template with " + str(
            int(checked.shape.bos)
        )
    return None


def prompt_opens_the_turn(checked: RowUnderCheck) -> str | None:
    """The prompt ends where the model goes on: not before, and not after."""
    if not checked.row.prompt.endswith(checked.shape.opening):
        return (
            f"the prompt ends with {checked.row.prompt[-40:]!r}, "
            f"the template's with {checked.shape.opening!r}"
        )
    return None


def prompt_is_asked(checked: RowUnderCheck) -> str | None:
    """The prompt is what evaluation would ask, letter by letter."""
    if checked.row.rendered_from is None:
        return None
    evaluated = checked.row.rendered_from.rendered(checked.student.render)
    if evaluated != checked.row.prompt:
        return f"evaluation would ask otherwise: {evaluated[-120:]!r}"
    return None


def completion_answers(checked: RowUnderCheck) -> str | None:
    """There is an answer, and after a thought, too."""
    if not checked.row.completion.strip():
        return "a training row has no completion"
    if not thinking.answered(checked.row.completion).strip():
        return "a training row has a thought and no answer after it"
    return None


def thoughts_are_closed(checked: RowUnderCheck) -> str | None:
    """Every thought that is opened is closed, once, and in that order."""
    opened = checked.shape.thought
    if alone := thinking.unpaired(opened + checked.row.completion):
        inside = f" (the prompt opens {opened})" if opened else ""
        return f"{alone} has no partner{inside}"
    return None


def answer_reads_back(checked: RowUnderCheck) -> str | None:
    """An answer is read without its control tokens: its text must survive that."""
    answer = checked.decode(checked.completion_ids, as_answer=True)
    for tag in thinking.written(checked.decode(checked.completion_ids)):
        if tag not in answer:
            return f"evaluation would not see {tag}: the tokenizer hides it as special"
    return None


def does_not_loop(checked: RowUnderCheck) -> str | None:
    """The completion does not repeat itself over and over."""
    for loop in find_loops(checked.completion_ids):
        text = checked.decode(
            checked.completion_ids[loop.start : loop.start + loop.period]
        )
        # Digits may repeat: a grid, a long decimal. Words may not.
        if any(a.isalpha() and b.isalpha() for a, b in pairwise(text)):
            return f"the completion says {loop.copies} times in a row: {text[:80]!r}"
    return None


def is_not_sealed(checked: RowUnderCheck) -> str | None:
    """Neither question nor completion overlaps a held-out item."""
    if checked.sealed is None:
        return None
    question = (
        checked.row.rendered_from.question
        if checked.row.rendered_from
        else checked.row.prompt
    )
    for text in (question, checked.row.completion):
        if (hit := checked.sealed(text)) is not None:
            return f"the row overlaps a sealed item: {hit}"
    return None


def has_embeddings(checked: RowUnderCheck) -> str | None:
    """Every token, PAD included, has a row in the model's embeddings."""
    embeddings = checked.student.model.get_input_embeddings().weight.shape[0]
    pad = checked.student.tokenizer.pad_token_id or 0
    highest = max(*checked.encoded.ids, pad)
    if highest >= embeddings:
        return f"token {highest} has no embedding: the model has {embeddings}"
    return None


@dataclass(frozen=True)
class TokenLoop:
    """`copies` of the `period` tokens from `start` on, one after the other."""

    start: int
    period: int
    copies: int


def find_loops(tokens: Sequence[int]) -> Iterator[TokenLoop]:
    """Every loop, those of a short period first.

    A loop is a stretch of at least `LOOP_TOKENS` tokens that consists of at least
    `LOOP_COPIES` copies of at most `LOOP_PERIOD` tokens, in a row and without a gap.

    Args:
        tokens: token ids of a completion.
    """
    ids = np.asarray(tokens)
    for period in range(1, min(LOOP_PERIOD, len(ids) // LOOP_COPIES) + 1):
        needed = max(period * LOOP_COPIES, LOOP_TOKENS) - period
        if needed > len(ids) - period:
            continue
        # Where each token equals the one a period before it, and how long on end.
        same = np.concatenate(([False], ids[period:] == ids[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        runs = edges[1::2] - edges[::2]
        for i in np.flatnonzero(runs >= needed):
            copies = int(runs[i]) // period + 1
            yield TokenLoop(int(edges[2 * i]), period, copies)


ENCODER = "the row was encoded by other rules than the kit's `encode`; use that one"
RENDER = "render the row with the student's own template, as `evaluation.ask` does"
WRITER = "look at the step that wrote the row; such a completion is no seed"

CHECKS = (
    RowCheck("completion answers", completion_answers, WRITER),
    RowCheck("labels are inputs", labels_are_inputs, ENCODER),
    RowCheck("completion is trained", completion_is_trained, ENCODER),
    RowCheck("prompt is masked", prompt_is_masked, ENCODER),
    RowCheck("turn is closed", turn_is_closed, ENCODER),
    RowCheck("one BOS", one_bos, "take `bos_token` out of the template or the encoder"),
    RowCheck("prompt opens the turn", prompt_opens_the_turn, RENDER),
    RowCheck("prompt is asked", prompt_is_asked, RENDER),
    RowCheck("turn goes on", turn_goes_on, WRITER),
    RowCheck("thoughts are closed", thoughts_are_closed, WRITER),
    RowCheck(
        "answer reads back",
        answer_reads_back,
        'set "special": false for it in the tokenizer\'s added_tokens_decoder',
    ),
    RowCheck("does not loop", does_not_loop, WRITER),
    RowCheck("is not sealed", is_not_sealed, "drop the row: training may not see it"),
    RowCheck(
        "has embeddings",
        has_embeddings,
        "resize the model's embeddings, or take the tokenizer that belongs to it",
    ),
)
