"""What a chat template does to a conversation, read off the template itself.

Nothing here knows a model by name. A made-up conversation is rendered and what
stands around its words is looked at: how the model's turn is opened, which
token closes it, whether there is a BOS. `tests/families.py` names the
families this is checked on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from phi_kit.core import thinking
from phi_kit.core.errors import ModelError
from phi_kit.core.files import digest_json

from .chat_template import apply_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Words that no template writes by itself.
_ASKED, _ANSWERED = "Wherefore?", "Therefore."
_PROBES = (
    ("Give only the answer.", _ASKED),
    ("Two lines.\nNo more.", "1\n2 3"),
    ("Put the answer in \\boxed{}.", "<b>Äpfel</b> and {braces}"),
)


@dataclass(frozen=True)
class TurnFraming:
    """How a template frames the model's turn.

    Attributes:
        opening: from the user's last word to where the model goes on.
        end: id of the token that closes the model's turn. It is often not the
            tokenizer's EOS: Phi-4-mini closes with `<|end|>`, Gemma with
            `<end_of_turn>`.
        bos: whether the text begins with a BOS token.
        thought: the tag by which `opening` already opens a thought, so that an
            answer begins inside it (DeepSeek-R1); empty where it opens none.
    """

    opening: str
    end: int
    bos: bool
    thought: str


def turn_framing(tokenizer: PreTrainedTokenizerBase) -> TurnFraming:
    """How the tokenizer's template frames the model's turn.

    Raises:
        ModelError: the template does not open the model's turn, does not close
            it with a special token, loses the question, or writes today's date.
    """
    return _shape(tokenizer, tokenizer.get_chat_template(), tokenizer.bos_token)


@lru_cache(maxsize=8)  # asked for every row; a changed template is another key
def _shape(
    tokenizer: PreTrainedTokenizerBase, template: str, bos: str | None
) -> TurnFraming:
    asked = [{"role": "user", "content": _ASKED}]
    answered = [*asked, {"role": "assistant", "content": _ANSWERED}]
    if "strftime_now" in template and "date_string" not in template:
        raise _refused("writes today's date: another day, another prompt")
    prompt = apply_template(tokenizer, asked)
    whole = apply_template(tokenizer, answered, opened=False)
    if _ASKED not in prompt or _ANSWERED not in whole:
        raise _refused(f"loses what is said: {prompt!r}")
    thought = thinking.opened_by(prompt)
    # A finished turn shows no thought opened for the next one.
    stem = prompt.rstrip().removesuffix(thought) if thought else prompt
    before, _, after = whole.rpartition(_ANSWERED)
    lead = before.removeprefix(stem)
    # Qwen3 writes an empty thought before an answer that has none.
    if not before.startswith(stem) or thinking.without_tags(lead).strip():
        raise _refused(
            f"does not open the model's turn: the prompt ends {prompt[-40:]!r}, "
            f"an answer stands after {before[-40:]!r}"
        )
    closing = tokenizer(after, add_special_tokens=False).input_ids
    ends = [token for token in closing if token in control_token_ids(tokenizer)]
    if not ends:
        raise _refused(f"closes no turn with a special token, but with {after!r}")
    return TurnFraming(
        opening=prompt.rpartition(_ASKED)[2],
        end=ends[0],
        bos=bool(bos) and prompt.startswith(bos),
        thought=thought,
    )


def _refused(why: str) -> ModelError:
    return ModelError(
        f"the model's chat template {why}",
        where="chat_template of the tokenizer",
        todo="take the template of the model's own repository, or one of its family",
    )


def control_token_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of the tokens that stand for no text: turn marks, BOS, EOS, PAD."""
    return _control_ids(tokenizer, len(tokenizer))


@lru_cache(maxsize=8)
def _control_ids(tokenizer: PreTrainedTokenizerBase, _: int) -> frozenset[int]:
    added = tokenizer.added_tokens_decoder
    marked = {number for number, token in added.items() if token.special}
    return frozenset(marked | set(tokenizer.all_special_ids))


def template_fingerprint(render: Callable[[str, str], str]) -> str:
    """Sixteen hex digits for a way of rendering.

    Args:
        render: makes text of an instruction and a question.
    """
    return digest_json([render(instruction, asked) for instruction, asked in _PROBES])
