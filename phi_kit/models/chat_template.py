"""Chat templates: the one place where a prompt becomes text.

Training, sampling and evaluation all render here, so a template can never
differ between them (a doubled BOS alone has faked gains elsewhere). How a template
frames the model's turn is read off the template itself, by rendering a made-up
conversation: no model is known by name. `tests/families.py` names the families this
is checked on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from phi_kit.core import thinking
from phi_kit.core.errors import ModelError
from phi_kit.core.files import digest_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = list[dict[str, str]]

# Llama 3's template writes today's date into every prompt unless it is given one.
# This is the template's own default: a prompt must not change overnight.
DATE = "26 Jul 2024"


def render(tokenizer: PreTrainedTokenizerBase, instruction: str, prompt: str) -> str:
    """The text the model completes: system turn, user turn, its own turn opened.

    Where a template refuses a system turn (Gemma 2) or puts its own text in its
    place (Phi-4-reasoning), the instruction stands at the head of the user turn,
    as Gemma 3's own template has it.
    """
    from jinja2 import TemplateError

    system = {"role": "system", "content": instruction}
    try:
        text = apply_template(tokenizer, [system, {"role": "user", "content": prompt}])
    except TemplateError:
        text = None
    if text is None or instruction.strip() not in text:
        question = f"{instruction}\n\n{prompt}"
        text = apply_template(tokenizer, [{"role": "user", "content": question}])
    return text


def apply_template(
    tokenizer: PreTrainedTokenizerBase, turns: Turns, *, open_turn: bool = True
) -> str:
    """A conversation as the template writes it.

    Args:
        tokenizer: with its chat template.
        turns: each with a `role` and its `content`.
        open_turn: whether the model's own turn is opened at the end.
    """
    return tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=open_turn, date_string=DATE
    )


# Words that no template writes by itself.
_QUESTION, _ANSWER = "Wherefore?", "Therefore."
_PROBES = (
    ("Give only the answer.", _QUESTION),
    ("Two lines.\nNo more.", "1\n2 3"),
    ("Put the answer in \\boxed{}.", "<b>Äpfel</b> and {braces}"),
)


@dataclass(frozen=True)
class TurnFraming:
    """How a template frames the model's turn.

    Attributes:
        opening: the text between the user's last word and the model's first.
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
    return _turn_framing(tokenizer, tokenizer.get_chat_template(), tokenizer.bos_token)


@lru_cache(maxsize=8)  # asked for every row; a changed template is another key
def _turn_framing(
    tokenizer: PreTrainedTokenizerBase, template: str, bos: str | None
) -> TurnFraming:
    question = [{"role": "user", "content": _QUESTION}]
    conversation = [*question, {"role": "assistant", "content": _ANSWER}]
    if "strftime_now" in template and "date_string" not in template:
        raise _template_error("writes today's date: another day, another prompt")
    prompt = apply_template(tokenizer, question)
    finished = apply_template(tokenizer, conversation, open_turn=False)
    if _QUESTION not in prompt or _ANSWER not in finished:
        raise _template_error(f"loses what is said: {prompt!r}")
    thought = thinking.opened_by(prompt)
    # A finished turn shows no thought opened for the next one.
    stem = prompt.rstrip().removesuffix(thought) if thought else prompt
    before, _, after = finished.rpartition(_ANSWER)
    lead = before.removeprefix(stem)
    # Qwen3 writes an empty thought before an answer that has none.
    if not before.startswith(stem) or thinking.without_tags(lead).strip():
        raise _template_error(
            f"does not open the model's turn: the prompt ends {prompt[-40:]!r}, "
            f"an answer stands after {before[-40:]!r}"
        )
    closing = tokenizer(after, add_special_tokens=False).input_ids
    ends = [token for token in closing if token in control_token_ids(tokenizer)]
    if not ends:
        raise _template_error(
            f"closes no turn with a special token, but with {after!r}"
        )
    return TurnFraming(
        opening=prompt.rpartition(_QUESTION)[2],
        end=ends[0],
        bos=bool(bos) and prompt.startswith(bos),
        thought=thought,
    )


def _template_error(why: str) -> ModelError:
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
    special = {number for number, token in added.items() if token.special}
    return frozenset(special | set(tokenizer.all_special_ids))


def template_fingerprint(render_prompt: Callable[[str, str], str]) -> str:
    """Sixteen hex digits that name a way of rendering.

    Args:
        render_prompt: makes text of an instruction and a question.
    """
    return digest_json([render_prompt(*probe) for probe in _PROBES])
