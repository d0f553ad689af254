"""Chat templates: the one place where a prompt becomes text.

Training, sampling and evaluation all render here, so a template can never
differ between them (a doubled BOS alone has faked gains elsewhere). How a template
frames the model's turn is read off the template itself, by rendering a made-up
conversation: no model is known by name. `tests/families.py` names the families this
is checked on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from phi_kit.core import thinking as thoughts
from phi_kit.core.errors import ModelError
from phi_kit.core.files import digest_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = list[dict[str, str]]
Examples = Sequence[tuple[str, str]]  # questions with their responses

# Some templates write today's date into every prompt. A prompt must not change
# overnight: they are given Llama 3's own default.
DATE = "26 Jul 2024"
_TODAY = re.compile(r"""strftime_now\(\s*(?P<quote>["'])(?P<form>.*?)(?P=quote)\s*\)""")


# How a template calls the switch of its model's thinking: Qwen3, SmolLM3, GLM and
# Gemma 4 have the first, Granite 3.3 and DeepSeek-V3.1 the second.
SWITCHES = ("enable_thinking", "thinking")


class Asked(NamedTuple):
    """What a model is asked, and whether it is to think first."""

    instruction: str
    question: str
    thinking: bool = False

    def rendered(
        self, render_prompt: Callable[..., str], examples: Examples = ()
    ) -> str:
        """The prompt that a sampler's `render` makes of it, after some examples."""
        return render_prompt(
            self.instruction,
            self.question,
            thinking=self.thinking,
            examples=examples,
        )


def render(
    tokenizer: PreTrainedTokenizerBase,
    instruction: str,
    prompt: str,
    *,
    thinking: bool = False,
    examples: Examples = (),
) -> str:
    """The text the model completes: system turn, user turn, its own turn opened.

    Where a template refuses a system turn (Gemma 2) or puts its own text in its
    place (Phi-4-reasoning), the instruction stands at the head of the first user
    turn, as Gemma 3's own template has it.

    Args:
        tokenizer: with its chat template.
        instruction: how to answer.
        prompt: the question.
        thinking: whether the model is to think first, where its template knows that.
        examples: questions with responses, shown as earlier turns. What a template
            leaves of an earlier thought (Qwen3: nothing) is its own affair.
    """
    from jinja2 import TemplateError

    asked = [question for question, _ in examples] + [prompt]
    answers = [response for _, response in examples]
    try:
        turns = [{"role": "system", "content": instruction}, *_turns(asked, answers)]
        text = apply_template(tokenizer, turns, thinking=thinking)
    except TemplateError:
        text = None
    if text is None or instruction.strip() not in text:
        asked[0] = f"{instruction}\n\n{asked[0]}"
        text = apply_template(tokenizer, _turns(asked, answers), thinking=thinking)
    return text


def _turns(asked: Sequence[str], answers: Sequence[str]) -> Turns:
    """Questions and answers in turn; the last question has no answer yet."""
    turns: Turns = []
    for question, answer in zip_longest(asked, answers):
        turns.append({"role": "user", "content": question})
        if answer is not None:
            turns.append({"role": "assistant", "content": answer})
    return turns


def apply_template(
    tokenizer: PreTrainedTokenizerBase,
    turns: Turns,
    *,
    open_turn: bool = True,
    thinking: bool = False,
) -> str:
    """A conversation as the template writes it.

    Args:
        tokenizer: with its chat template.
        turns: each with a `role` and its `content`.
        open_turn: whether the model's own turn is opened at the end.
        thinking: whether the model is to think first; said only to a template that
            has a switch for it.
    """
    template = tokenizer.get_chat_template()
    return tokenizer.apply_chat_template(
        turns,
        chat_template=_with_fixed_date(template),
        tokenize=False,
        add_generation_prompt=open_turn,
        date_string=DATE,
        **dict.fromkeys(thinking_switches(template), thinking),
    )


@lru_cache(maxsize=8)
def _with_fixed_date(template: str) -> str:
    """A template that asks for today's date (SmolLM3, gpt-oss) and is told `DATE`."""
    date = datetime.strptime(DATE, "%d %b %Y")
    return _TODAY.sub(lambda asked: repr(date.strftime(asked["form"])), template)


@lru_cache(maxsize=8)
def thinking_switches(template: str) -> tuple[str, ...]:
    """The variables by which a template is told whether its model is to think."""
    from jinja2 import Environment

    # Lexed, not parsed: templates have tags that only transformers knows.
    tokens = [(kind, text) for _, kind, text in Environment().lex(template)]
    words = [token for token in tokens if token[0] != "whitespace"]
    named = {
        text
        for before, (kind, text) in pairwise([("", ""), *words])
        if kind == "name" and before != ("operator", ".")  # `message.thinking`
    }
    return tuple(switch for switch in SWITCHES if switch in named)


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


def turn_framing(
    tokenizer: PreTrainedTokenizerBase, *, thinking: bool = False
) -> TurnFraming:
    """How the tokenizer's template frames the model's turn.

    Args:
        tokenizer: with its chat template.
        thinking: whether the model is asked to think first, as in `render`.

    Raises:
        ModelError: the template does not open the model's turn, does not close
            it with a special token, loses the question, or writes today's date.
    """
    return _turn_framing(
        tokenizer, tokenizer.get_chat_template(), tokenizer.bos_token, thinking
    )


@lru_cache(maxsize=8)  # asked for every row; a changed template is another key
def _turn_framing(
    tokenizer: PreTrainedTokenizerBase, template: str, bos: str | None, thinking: bool
) -> TurnFraming:
    question = [{"role": "user", "content": _QUESTION}]
    conversation = [*question, {"role": "assistant", "content": _ANSWER}]
    if "strftime_now(" in _with_fixed_date(template) and "date_string" not in template:
        raise _template_error("writes today's date: another day, another prompt")
    prompt = apply_template(tokenizer, question, thinking=thinking)
    finished = apply_template(
        tokenizer, conversation, open_turn=False, thinking=thinking
    )
    if _QUESTION not in prompt or _ANSWER not in finished:
        raise _template_error(f"loses what is said: {prompt!r}")
    # A finished turn need not show the thought that is opened for the next one, nor
    # the empty one that says there is to be none.
    thought, stem = thoughts.opened_by(prompt), thoughts.before_last(prompt)
    before, _, after = finished.rpartition(_ANSWER)
    lead = before.removeprefix(stem)
    # Qwen3 writes an empty thought before an answer that has none.
    if not before.startswith(stem) or thoughts.without_tags(lead).strip():
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


def template_fingerprint(render_prompt: Callable[..., str]) -> str:
    """Sixteen hex digits that name a way of rendering.

    Args:
        render_prompt: makes text of an instruction and a question, as a sampler's
            `render` does.
    """
    plain = [render_prompt(*probe) for probe in _PROBES]
    thought = [render_prompt(*probe, thinking=True) for probe in _PROBES]
    return digest_json(plain if thought == plain else plain + thought)
