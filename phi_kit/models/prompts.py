"""The one place where a prompt becomes text.

Training, sampling and evaluation all render here, so a template can never
differ between them (a doubled BOS alone has faked gains elsewhere).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(tokenizer: PreTrainedTokenizerBase, instruction: str, prompt: str) -> str:
    """The text the model completes: system turn, user turn, its own turn opened."""
    turns = [
        {"role": "system", "content": instruction},
        {"role": "user", "content": prompt},
    ]
    return tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True
    )
