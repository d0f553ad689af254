"""Decoding on this machine: many samples at once from a transformers model.

Each prompt is read once and its keys and values are shared out to its samples.
A row that has finished makes room for the next sample, so the batch stays
full. Every sample has a random stream of its own, so what it says does not
depend on which rows happened to share its batch (up to float rounding).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phi_kit.core.errors import RunError

from .sampling import Asked, Sample, Sampling
from .shortage import out_of_memory
from .unpacked import unpacked, unused

if TYPE_CHECKING:
    from .loading import Student

ROWS = 128  # that decode together; the kit's own choice, not tuned
SHARE = 0.5  # of the free memory that the rows' keys and values may take


def stream(
    student: Student, asked: Sequence[Asked], sampling: Sampling
) -> Iterator[tuple[int, Sample]]:
    """Decode what is asked; yields (place in `asked`, sample) as rows finish.

    Out of memory, it goes on with half the rows; samples in flight begin anew
    and say the same.

    Raises:
        RunError: memory does not suffice for a single row, or the model's
            logits are not finite.
    """
    from .batch import Batch
    from .lockstep import Lockstep, sees_everything

    if not asked:
        return
    ids = _token_ids(student, asked)
    longest = max(map(len, ids.values())) + sampling.max_tokens
    # Similar lengths together: less padding. The samples of a prompt in a row.
    left = sorted(range(len(asked)), key=lambda i: (len(ids[asked[i].prompt]), i))
    whole = sees_everything(student.model.config.get_text_config(), longest)
    decode = Batch if whole else Lockstep
    with unpacked(student.model):
        rows = min(ROWS, len(asked), _fitting(student, longest))
        while left:
            batch = decode(student, asked, ids, sampling, rows=rows)
            done: set[int] = set()
            try:
                for place, sample in batch.run(left):
                    done.add(place)
                    yield place, sample
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if rows == 1:
                    raise _too_large(student) from error
                rows = -(-rows // 2)
            left = [place for place in left if place not in done]


def _token_ids(student: Student, asked: Sequence[Asked]) -> dict[str, list[int]]:
    prompts = list(dict.fromkeys(one.prompt for one in asked))
    # The template has written its own BOS.
    found = student.tokenizer(prompts, add_special_tokens=False).input_ids
    return dict(zip(prompts, found, strict=True))


def _fitting(student: Student, longest: int) -> int:
    """How many rows of so many tokens the free memory holds, at least one."""
    config = student.model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None)
    size = size or config.hidden_size // config.num_attention_heads
    row = 2 * config.num_hidden_layers * heads * size * longest
    row *= student.model.dtype.itemsize
    row += 3 * 4 * config.vocab_size  # logits, and what is made of them
    return max(1, int(SHARE * unused(student.model.device) / row))


def _too_large(student: Student) -> RunError:
    return RunError(
        f"{student.name} does not fit into memory with one sample at a time",
        todo="lower max_tokens, take a smaller model, or free memory",
    )
