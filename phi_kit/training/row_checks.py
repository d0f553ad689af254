"""What the gate looks at in one row: each check decodes and compares.

A check returns what is wrong, or `None`. Each is there because some row passes
all the others (`tests/training/test_preflight.py` holds one for every check).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from phi_kit.core import thinking
from phi_kit.models.chat_template import TurnFraming, control_token_ids, turn_framing

from .encoding import IGNORE, Encoded, Row
from .repetition import loops

if TYPE_CHECKING:
    from phi_kit.inference.local.model import LocalModel

Sealed = Callable[[str], object | None]


@dataclass(frozen=True)
class Seen:
    """A row under the gate: as it was meant, and as it was encoded."""

    student: LocalModel
    row: Row
    encoded: Encoded
    sealed: Sealed | None = None

    @property
    def shape(self) -> TurnFraming:
        """How the model's template frames a turn."""
        return turn_framing(self.student.tokenizer)

    @cached_property
    def places(self) -> list[int]:
        """Where the loss looks."""
        labels = self.encoded.labels
        return [place for place, label in enumerate(labels) if label != IGNORE]

    @cached_property
    def body(self) -> list[int]:
        """The trained labels without the token that ends the turn."""
        trained = [self.encoded.labels[place] for place in self.places]
        ended = trained and trained[-1] in control_token_ids(self.student.tokenizer)
        return trained[:-1] if ended else trained

    def decode(self, ids: list[int], *, as_answer: bool = False) -> str:
        """Ids as text; `as_answer` the way a sampled answer is read."""
        return self.student.tokenizer.decode(
            ids, skip_special_tokens=as_answer, clean_up_tokenization_spaces=False
        )

    def there_and_back(self, text: str) -> str:
        """A text as the tokenizer can give it back at all."""
        ids = self.student.tokenizer(text, add_special_tokens=False).input_ids
        return self.decode(ids)


@dataclass(frozen=True)
class Check:
    """One thing a row must be, and what to do where it is not."""

    name: str
    look: Callable[[Seen], str | None]
    todo: str


def labels_are_inputs(seen: Seen) -> str | None:
    """A label is the token at its own place, or masked; the model shifts."""
    ids, labels = seen.encoded.ids, seen.encoded.labels
    if len(ids) != len(labels):
        return f"{len(ids)} tokens have {len(labels)} labels"
    for place in seen.places:
        if labels[place] != ids[place]:
            return f"the label at token {place} is another token than the input's"
    return None


def prompt_is_masked(seen: Seen) -> str | None:
    """Up to the first trained token stands the prompt, whole, and nothing else."""
    start = seen.places[0] if seen.places else len(seen.encoded.ids)
    head, prompt = seen.decode(seen.encoded.ids[:start]), seen.row.prompt
    if head == prompt:
        return None
    meant = (prompt, seen.there_and_back(prompt))
    for text in meant:
        rest = head.removeprefix(text)
        # A completion that is masked is another check's.
        if head == text + rest and (
            seen.row.completion.startswith(rest) or not seen.places
        ):
            return None
    if any(text.startswith(head) for text in meant):
        return f"a part of the prompt is trained: {prompt[len(head) :]!r}"
    return f"what stands before the answer is not the prompt: {head[:80]!r}"


def completion_is_trained(seen: Seen) -> str | None:
    """What is trained is the completion, whole: not cut, not rewritten."""
    if not seen.places:
        return "nothing is trained: every label is -100"
    if seen.places[-1] - seen.places[0] >= len(seen.places):
        return "a part of the completion is masked"
    said, meant = seen.decode(seen.body), seen.row.completion
    if said.endswith(meant) or said.endswith(seen.there_and_back(meant)):
        return None
    lost = set(thinking.written(meant)) - set(thinking.written(said))
    why = "its thought was stripped" if lost else "it was cut or rewritten"
    return f"what is trained is not the completion ({why}): {said[-80:]!r}"


def turn_is_closed(seen: Seen) -> str | None:
    """The last token is trained, and is the one the template closes a turn with."""
    if not seen.places:
        return None
    last, end = seen.encoded.labels[seen.places[-1]], seen.shape.end
    if last != end or seen.places[-1] != len(seen.encoded.ids) - 1:
        said, meant = seen.decode([last]), seen.decode([end])
        return f"the row ends its training with {said!r}, the template with {meant!r}"
    return None


def turn_goes_on(seen: Seen) -> str | None:
    """No control token stands inside the completion."""
    found = set(seen.body) & control_token_ids(seen.student.tokenizer)
    texts = (seen.decode([token]) for token in sorted(found))
    if other := next((text for text in texts if not thinking.written(text)), None):
        return f"inside the completion stands {other!r}"
    return None


def one_bos(seen: Seen) -> str | None:
    """As many BOS at the start as the template has: one or none."""
    bos = seen.student.tokenizer.bos_token_id
    ids = [token for token in seen.encoded.ids[:3] if bos is not None]
    found = next((n for n, token in enumerate(ids) if token != bos), len(ids))
    if found != seen.shape.bos:
        return f"the row begins with {found} BOS tokens, the template with " + str(
            int(seen.shape.bos)
        )
    return None


def prompt_opens_the_turn(seen: Seen) -> str | None:
    """The prompt ends where the model goes on: not before, and not after."""
    if not seen.row.prompt.endswith(seen.shape.opening):
        return (
            f"the prompt ends with {seen.row.prompt[-40:]!r}, "
            f"the template's with {seen.shape.opening!r}"
        )
    return None


def prompt_is_asked(seen: Seen) -> str | None:
    """The prompt is what evaluation would ask, letter by letter."""
    if seen.row.asked is None:
        return None
    wanted = seen.student.render(*seen.row.asked)
    if wanted != seen.row.prompt:
        return f"evaluation would ask otherwise: {wanted[-120:]!r}"
    return None


def completion_answers(seen: Seen) -> str | None:
    """There is an answer, and after a thought, too."""
    if not seen.row.completion.strip():
        return "a training row has no completion"
    if not thinking.answered(seen.row.completion).strip():
        return "a training row has a thought and no answer after it"
    return None


def thoughts_are_closed(seen: Seen) -> str | None:
    """Every thought that is opened is closed, once, and in that order."""
    opened = seen.shape.thought
    if alone := thinking.unpaired(opened + seen.row.completion):
        inside = f" (the prompt opens {opened})" if opened else ""
        return f"{alone} has no partner{inside}"
    return None


def answer_reads_back(seen: Seen) -> str | None:
    """An answer is read without its control tokens: its text must survive that."""
    said = seen.decode(seen.body, as_answer=True)
    for tag in thinking.written(seen.decode(seen.body)):
        if tag not in said:
            return f"evaluation would not see {tag}: the tokenizer hides it as special"
    return None


def does_not_loop(seen: Seen) -> str | None:
    """The completion does not run in circles."""
    for found in loops(seen.body):
        text = seen.decode(seen.body[found.start : found.start + found.period])
        # Digits may repeat: a grid, a long decimal. Words may not.
        if any(one.isalpha() and other.isalpha() for one, other in pairwise(text)):
            return f"the completion says {found.copies} times in a row: {text[:80]!r}"
    return None


def is_not_sealed(seen: Seen) -> str | None:
    """Neither question nor completion overlaps a held-out item."""
    if seen.sealed is None:
        return None
    question = seen.row.asked[1] if seen.row.asked else seen.row.prompt
    for text in (question, seen.row.completion):
        if (hit := seen.sealed(text)) is not None:
            return f"the row overlaps a sealed item: {hit}"
    return None


def has_embeddings(seen: Seen) -> str | None:
    """Every token, PAD included, has a row in the model's embeddings."""
    known = seen.student.model.get_input_embeddings().weight.shape[0]
    pad = seen.student.tokenizer.pad_token_id or 0
    highest = max(*seen.encoded.ids, pad)
    if highest >= known:
        return f"token {highest} has no embedding: the model has {known}"
    return None


ENCODER = "the row was encoded by other rules than the kit's `encode`; use that one"
RENDER = "render the row with the student's own template, as `evaluation.ask` does"
WRITER = "look at the step that wrote the row; such a completion is no seed"

CHECKS = (
    Check("completion answers", completion_answers, WRITER),
    Check("labels are inputs", labels_are_inputs, ENCODER),
    Check("completion is trained", completion_is_trained, ENCODER),
    Check("prompt is masked", prompt_is_masked, ENCODER),
    Check("turn is closed", turn_is_closed, ENCODER),
    Check("one BOS", one_bos, "take `bos_token` out of the template or the encoder"),
    Check("prompt opens the turn", prompt_opens_the_turn, RENDER),
    Check("prompt is asked", prompt_is_asked, RENDER),
    Check("turn goes on", turn_goes_on, WRITER),
    Check("thoughts are closed", thoughts_are_closed, WRITER),
    Check(
        "answer reads back",
        answer_reads_back,
        'set "special": false for it in the tokenizer\'s added_tokens_decoder',
    ),
    Check("does not loop", does_not_loop, WRITER),
    Check("is not sealed", is_not_sealed, "drop the row: training may not see it"),
    Check(
        "has embeddings",
        has_embeddings,
        "resize the model's embeddings, or take the tokenizer that belongs to it",
    ),
)
