"""The one place where a prompt becomes text.

Training, sampling and evaluation all render here, so a template can never
differ between them (a doubled BOS alone has faked gains elsewhere).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = list[dict[str, str]]

# Llama 3's template writes today's date into every prompt unless it is given
# one; this is the template's own. A prompt must not change overnight.
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
        both = f"{instruction}\n\n{prompt}"
        text = apply_template(tokenizer, [{"role": "user", "content": both}])
    return text


def apply_template(
    tokenizer: PreTrainedTokenizerBase, turns: Turns, *, opened: bool = True
) -> str:
    """A conversation as the template writes it.

    Args:
        tokenizer: with its chat template.
        turns: of a `role` and its `content`.
        opened: whether the model's own turn is opened at the end.
    """
    return tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=opened, date_string=DATE
    )
