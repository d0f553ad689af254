"""Odd replies of a server, and what has to come of each.

`want` is the sample, as far as it is named: text, finish, tokens. Or it is a text:
part of the message with which that one sample is given up, while the others come.
Or an `Ends`: the run ends at once, with that message.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

from fault_server import MODEL, PROMPT_TOKENS, TOKENS

USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": TOKENS}
THOUGHT = "<think>\n2 and 2\n</think>\n\n4"
FILTERED = {"text": "", "finish": "filtered"}
TOO_LONG = {"text": "", "finish": "too_long", "tokens": 0}
REFUSED = {"text": "", "finish": "refused", "tokens": 0}


class Ends(str):
    """A message that ends the run."""


@dataclass(frozen=True)
class Odd:
    """One reply."""

    name: str
    body: Any
    want: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else as_json(self.body)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def chat(content: Any = "4", finish: Any = "stop", *, usage: Any = USAGE, **message):
    """A reply whose message has that content."""
    choice = {"index": 0, "message": {"content": content, **message}}
    return whole(choice | {"finish_reason": finish}, usage=usage)


def whole(*choices: Any, usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "choices": list(choices), "usage": usage} | more


def error(message: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message} | more}


def text(value: str, finish: str = "stop", **more: Any) -> dict[str, Any]:
    return {"text": value, "finish": finish} | more


# --- a text in other shapes -------------------------------------------------------

PART = {"type": "text", "text": "4"}
MISTRAL = {"type": "thinking", "thinking": [{"type": "text", "text": "2 and 2"}]}
ANTHROPIC = {"type": "thinking", "thinking": "2 and 2", "signature": "c2ln"}
SUMMARY = [{"type": "summary_text", "text": "2 and 2"}]
CALL = {"function": {"name": "add", "arguments": '{"a": 2}'}}

SHAPES = [
    Odd("parts", chat([PART]), text("4", tokens=TOKENS)),
    Odd("several parts", chat([PART, {"type": "text", "text": "2"}]), text("42")),
    Odd("one part, no list", chat(PART), text("4")),
    Odd("output_text", chat([{"type": "output_text", "text": "4"}]), text("4")),
    Odd("texts in a list", chat(["4", "2"]), text("42")),
    Odd("a text with a value", chat([{"text": {"value": "4"}}]), text("4")),
    Odd("a number", chat(4), text("4")),
    Odd("no part at all", chat([]), text("")),
    Odd("an image beside it", chat([{"type": "image_url"}, PART]), text("4")),
    Odd("references beside it", chat([PART, {"type": "reference"}]), text("4")),
    Odd("thinking as Mistral has it", chat([MISTRAL, PART]), text(THOUGHT)),
    Odd("thinking as Anthropic has it", chat([ANTHROPIC, PART]), text(THOUGHT)),
    Odd("thinking behind the text", chat([PART, ANTHROPIC]), text(THOUGHT)),
    Odd(
        "thinking that was cut",
        chat([MISTRAL], "length"),
        text("<think>\n2 and 2", "length"),
    ),
    Odd(
        "reasoning with a summary",
        chat([{"type": "reasoning", "summary": SUMMARY}, PART]),
        text(THOUGHT),
    ),
    Odd(
        "thinking that is hidden",
        chat([{"type": "redacted_thinking", "data": "x"}, PART]),
        text("4"),
    ),
    Odd(
        "refusal as a part", chat([{"type": "refusal", "refusal": "No."}]), text("No.")
    ),
    Odd("refusal beside nothing", chat(None, refusal="No."), text("No.")),
    Odd("refusal beside empty", chat("", refusal="No."), text("No.")),
    Odd("reasoning_content", chat("4", reasoning_content="2 and 2"), text(THOUGHT)),
    Odd("reasoning", chat("4", reasoning="2 and 2"), text(THOUGHT)),
    Odd("thinking", chat("4", thinking="2 and 2"), text(THOUGHT)),
    Odd(
        "reasoning in an object",
        chat("4", reasoning={"text": "2 and 2"}),
        text(THOUGHT),
    ),
    Odd(
        "reasoning_details",
        chat("4", reasoning_details=[{"type": "reasoning.text", "text": "2 and 2"}]),
        text(THOUGHT),
    ),
    Odd("thinking_blocks", chat("4", thinking_blocks=[ANTHROPIC]), text(THOUGHT)),
    Odd("empty reasoning", chat("4", reasoning_content=""), text("4")),
    Odd(
        "the thought twice",
        chat("<think>\n2 and 2\n</think>\n4", reasoning_content="2 and 2"),
        text("<think>\n2 and 2\n</think>\n4"),
    ),
    Odd(
        "the thought twice, closed only",
        chat("2 and 2</think>4", reasoning_content=" 2 and 2 "),
        text("2 and 2</think>4"),
    ),
    Odd(
        "the thought twice, both fields",
        chat("4", reasoning="2 and 2", reasoning_content="2 and 2"),
        text(THOUGHT),
    ),
    Odd("message is a text", whole({"message": "4"}), text("4")),
    Odd("text in place of a message", whole({"text": "4"}), text("4")),
    Odd("delta in place of a message", whole({"delta": {"content": "4"}}), text("4")),
    Odd(
        "two choices", whole({"message": {"content": "4"}}, {"message": {}}), text("4")
    ),
    Odd(
        "a tool that nobody offered",
        chat(None, "tool_calls", tool_calls=[CALL]),
        text('<tool_call>\n{"name": "add", "arguments": "{\\"a\\": 2}"}\n</tool_call>'),
    ),
    Odd("half a character", as_json(chat("4\ud83d")), text("4\ufffd")),
    Odd(
        "a whole character in halves", as_json(chat("4\U0001f600")), text("4\U0001f600")
    ),
    Odd(
        "a byte that is no text",
        as_json(chat("4~")).replace(b"~", b"\xff"),
        text("4\ufffd"),
    ),
    Odd("a NUL", chat("4\0"), text("4\ufffd")),
    Odd(
        "a line break unescaped",
        as_json(chat("4~5")).replace(b"~", b"\n"),
        text("4\n5"),
    ),
    Odd("a BOM", b"\xef\xbb\xbf" + as_json(chat()), text("4")),
    Odd("UTF-16", json.dumps(chat("vier")).encode("utf-16"), text("vier")),
    Odd("blanks around it", b"\n\n  " + as_json(chat()) + b"\n", text("4")),
    Odd(
        "gzip unasked",
        gzip.compress(as_json(chat())),
        text("4"),
        headers={"content-encoding": "gzip"},
    ),
    Odd(
        "deflate unasked",
        zlib.compress(as_json(chat())),
        text("4"),
        headers={"content-encoding": "deflate"},
    ),
    Odd(
        "deflate without its two bytes",
        zlib.compress(as_json(chat()))[2:-4],
        text("4"),
        headers={"content-encoding": "deflate"},
    ),
    Odd("another status that is well", chat(), text("4"), status=201),
]

# --- why it ended -----------------------------------------------------------------

TRUNCATED = [
    "length",
    "max_tokens",
    "max_length",
    "model_length",
    "max_output_tokens",
    "MAX_TOKENS",
    "incomplete",
    "Length",
    "FINISH_REASON_LENGTH",
    "FinishReason.MAX_TOKENS",
    "max_new_tokens",
    "max_completion_tokens",
    "token_limit",
    "limit",
    "truncated",
    "context_length_exceeded",
    "model_context_window_exceeded",
    "ERROR_LIMIT",
    "output_limit",
    "maxTokens",
]
WELL = [
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
    "STOP",
    "COMPLETE",
    "stop_token",
    "FINISH_REASON_STOP",
    "completed",
]
TAKEN_AWAY = [
    "content_filter",
    "content_filtered",
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "SPII",
    "PROHIBITED_CONTENT",
    "sensitive",
    "guardrail_intervened",
    "refusal",
    "ERROR_TOXIC",
    "content-filter",
    "MODEL_ARMOR",
]
NO_ANSWER = [
    "error",
    "abort",
    "aborted",
    "cancelled",
    "ERROR",
    "USER_CANCEL",
    "timeout",
    "network_error",
    "insufficient_system_resource",
    "MALFORMED_FUNCTION_CALL",
    "OTHER",
    "load",
]

ENDINGS = [
    *(Odd(f"ends by {one}", chat("4", one), text("4", "length")) for one in TRUNCATED),
    *(Odd(f"ends by {one}", chat("4", one), text("4")) for one in WELL),
    *(
        Odd(f"ends by {one}", chat("4", one), text("4", "filtered"))
        for one in TAKEN_AWAY
    ),
    *(Odd(f"ends by {one}", chat("4", one), f"ended by '{one}'") for one in NO_ANSWER),
    Odd("ends by an object", chat("4", {"type": "length"}), text("4", "length")),
    Odd(
        "no reason, and full",
        chat("4" * 9, None, usage={"completion_tokens": 8}),
        text("4" * 9, "length", tokens=8),
    ),
    Odd("no reason, and not full", chat("4", None), text("4")),
    Odd(
        "stop_reason only",
        whole({"message": {"content": "4"}, "stop_reason": "max_tokens"}),
        text("4", "length"),
    ),
    Odd("nothing, and cut", chat(None, "length"), text("", "length", tokens=TOKENS)),
    Odd(
        "no content at all, and cut",
        whole({"message": {}, "finish_reason": "length"}),
        text("", "length"),
    ),
    Odd(
        "no message, and cut",
        whole({"finish_reason": "MAX_TOKENS"}),
        text("", "length"),
    ),
    Odd("nothing, and filtered", chat(None, "content_filter"), FILTERED),
    Odd(
        "turn ended at once",
        chat(None, usage={"completion_tokens": 1}),
        text("", tokens=1),
    ),
    Odd("nothing, and stopped", chat(None), "without a text"),
    Odd("an empty text", chat(""), text("", tokens=TOKENS)),
]

# --- how many tokens --------------------------------------------------------------

COUNTS = [
    Odd("no usage", chat("4" * 10, usage=None), text("4" * 10, tokens=3)),
    Odd("usage is a text", chat("4", usage="five"), text("4", tokens=1)),
    Odd(
        "no usage, and cut",
        chat("4", "length", usage=None),
        text("4", "length", tokens=8),
    ),
    Odd(
        "total only",
        chat(usage={"prompt_tokens": 7, "total_tokens": 107}),
        text("4", tokens=100),
    ),
    Odd(
        "total below the prompt",
        chat(usage={"prompt_tokens": 7, "total_tokens": 1}),
        text("4", tokens=1),
    ),
    Odd(
        "output_tokens",
        chat(usage={"input_tokens": 7, "output_tokens": 5}),
        text("4", tokens=5),
    ),
    Odd(
        "tokens in a text", chat(usage={"completion_tokens": "5"}), text("4", tokens=5)
    ),
    Odd(
        "tokens with a point",
        chat(usage={"completion_tokens": 5.0}),
        text("4", tokens=5),
    ),
    Odd("half a token", chat(usage={"completion_tokens": 5.5}), text("4", tokens=1)),
    Odd("fewer than none", chat(usage={"completion_tokens": -5}), text("4", tokens=1)),
    Odd(
        "a text for no token", chat(usage={"completion_tokens": 0}), text("4", tokens=1)
    ),
    Odd(
        "tokens of 23 digits",
        chat(usage={"completion_tokens": 10**22}),
        text("4", tokens=1),
    ),
    Odd(
        "tokens of 5000 digits",
        as_json(chat()).replace(b": 5", b": " + b"5" * 5000),
        text("4", tokens=1),
    ),
    Odd(
        "tokens that are no number",
        as_json(chat()).replace(b": 5", b": NaN"),
        text("4", tokens=1),
    ),
    Odd(
        "endless tokens",
        as_json(chat()).replace(b": 5", b": Infinity"),
        text("4", tokens=1),
    ),
    Odd("true tokens", chat(usage={"completion_tokens": True}), text("4", tokens=1)),
    Odd(
        "logprobs that are none",
        whole(
            {"message": {"content": "4"}, "logprobs": {"content": [{"logprob": None}]}}
        ),
        text("4", logprob=None),
    ),
    Odd(
        "endless logprobs",
        as_json(
            whole(
                {
                    "message": {"content": "4"},
                    "logprobs": {"content": [{"logprob": float("-inf")}]},
                }
            )
        ),
        text("4", logprob=None),
    ),
]

# --- prompts that get no answer -----------------------------------------------------

AZURE = error(
    "The response was filtered due to the prompt triggering the policy.",
    code="content_filter",
    innererror={"code": "ResponsibleAIPolicyViolation"},
)
LONG = "This model's maximum context length is 2048 tokens. However, you requested 3000"

REFUSALS = [
    Odd("Azure's filter", AZURE, FILTERED, 400),
    Odd("the code alone", error("Bad request", code="content_filter"), FILTERED, 400),
    Odd(
        "inner code alone",
        error("Bad", innererror={"code": "ResponsibleAIPolicyViolation"}),
        FILTERED,
        400,
    ),
    Odd(
        "OpenAI's filter",
        error("Invalid prompt: your prompt was flagged", code="invalid_prompt"),
        FILTERED,
        400,
    ),
    Odd(
        "DashScope's filter",
        error(
            "Input data may contain inappropriate content.",
            code="data_inspection_failed",
        ),
        FILTERED,
        400,
    ),
    Odd(
        "Anthropic's filter",
        error("Output blocked by content filtering policy"),
        FILTERED,
        400,
    ),
    Odd(
        "LiteLLM's filter",
        error("litellm.ContentPolicyViolationError: …", code="400"),
        FILTERED,
        400,
    ),
    Odd(
        "OpenRouter's filter",
        error("Your input was flagged", code=403, metadata={"reasons": ["violence"]}),
        FILTERED,
        403,
    ),
    Odd(
        "xAI's filter",
        {
            "code": "permission denied",
            "error": "Content violates usage guidelines. SAFETY_CHECK_TYPE_BIO",
        },
        FILTERED,
        403,
    ),
    Odd("forbidden by law", error("Unavailable"), FILTERED, 451),
    Odd("a filter in a 200", error("flagged by moderation", code=403), FILTERED),
    Odd("Gemini's feedback", {"promptFeedback": {"blockReason": "SAFETY"}}, FILTERED),
    Odd(
        "a filter beside a choice",
        whole(
            {
                "message": {"content": ""},
                "finish_reason": "error",
                "error": {"code": 403, "message": "Output was blocked by moderation"},
            }
        ),
        FILTERED,
    ),
    Odd(
        "vLLM's context",
        {"object": "error", "message": LONG, "type": "BadRequestError", "code": 400},
        TOO_LONG,
        400,
    ),
    Odd(
        "vLLM's context, as of late",
        error("The decoder prompt is longer than the maximum model length of 2048"),
        TOO_LONG,
        400,
    ),
    Odd("OpenAI's context", error(LONG, code="context_length_exceeded"), TOO_LONG, 400),
    Odd(
        "the new name of the limit",
        error(f"'max_tokens' or 'max_completion_tokens' is too large. {LONG}"),
        TOO_LONG,
        400,
    ),
    Odd(
        "SGLang's context",
        error("The input (5000 tokens) is longer than the model's context length"),
        TOO_LONG,
        400,
    ),
    Odd(
        "llama.cpp's context",
        error(
            "the request exceeds the available context size",
            type="exceed_context_size_error",
            n_ctx=4096,
        ),
        TOO_LONG,
        400,
    ),
    Odd(
        "llama.cpp's context, midway",
        error("Context size has been exceeded."),
        TOO_LONG,
        500,
    ),
    Odd(
        "TGI's context",
        {
            "error": "`inputs` tokens + `max_new_tokens` must be <= 2048",
            "error_type": "validation",
        },
        TOO_LONG,
        422,
    ),
    Odd(
        "Ollama's context",
        {"error": "prompt too long; exceeded max context length by 9 tokens"},
        TOO_LONG,
        400,
    ),
    Odd(
        "Gemini's context",
        [
            error(
                "The input token count (5000) exceeds the maximum of tokens",
                code=400,
                status="INVALID_ARGUMENT",
            )
        ],
        TOO_LONG,
        400,
    ),
    Odd(
        "Anthropic's context",
        error("prompt is too long: 210000 tokens > 200000 maximum"),
        TOO_LONG,
        400,
    ),
    Odd(
        "Mistral's context",
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768",
        },
        TOO_LONG,
        400,
    ),
    Odd(
        "xAI's context",
        {"error": "The maximum prompt length is 131072 but this has 537812 tokens"},
        TOO_LONG,
        400,
    ),
    Odd(
        "Cerebras' context",
        error("Current length is 9000 while limit is 8192"),
        TOO_LONG,
        400,
    ),
    Odd(
        "DashScope's context",
        error("Range of input length should be [1, 30720]"),
        TOO_LONG,
        400,
    ),
    Odd(
        "a request too large",
        b"<html>413 Request Entity Too Large</html>",
        TOO_LONG,
        413,
    ),
    Odd("a context in a 200", error(LONG, code=400), TOO_LONG),
    Odd("no reason to be seen", error("Invalid request"), REFUSED, 400),
    Odd("no word at all", b"", REFUSED, 400),
    Odd(
        "FastAPI's way",
        {
            "detail": [
                {
                    "loc": ["body", "messages", 0],
                    "msg": "no such role",
                    "input": {"seed": 1},
                }
            ]
        },
        REFUSED,
        422,
    ),
]

# --- nothing that could be read ----------------------------------------------------

MIDWAY = {"finish_reason": "error", "error": {"code": 502, "message": "sorry"}}
DEEP = b"[" * 100_000 + b"]" * 100_000

USELESS = [
    Odd("broken midway", whole({"message": {"content": "4"}} | MIDWAY), "by 'error'"),
    Odd("a page", b"<html>it works!</html>", "a garbled reply"),
    Odd("nothing", b"", "a garbled reply"),
    Odd("half a JSON", as_json(chat())[:-20], "a garbled reply"),
    Odd("a list", [chat()], "no JSON object"),
    Odd("null", None, "no JSON object"),
    Odd(
        "a stream",
        b'data: {"choices": [{"delta": {"content": "4"}}]}\n\n',
        "a garbled reply",
    ),
    Odd("nested without end", DEEP, "nested too deeply"),
    Odd(
        "nested within a text's place",
        as_json(chat("~")).replace(b'"~"', DEEP),
        "nested too deeply",
    ),
    Odd("parts within parts", chat([[[[[[[[[[["4"]]]]]]]]]]]), text("")),
    Odd("no choices", whole(), "without a choice"),
    Odd("choices are a text", {"choices": "4"}, "without a choice"),
    Odd("a choice is a text", whole("4"), "without a choice"),
    Odd("an error in a 200", error("out of order"), "without a choice (out of order)"),
    Odd("far more text than tokens", chat("4" * 100_000), "100,000 characters for 8"),
    Odd("more than anybody reads", chat("4" * 2_000_000), "which was not read"),
    Odd(
        "packed in a way of its own",
        b"\x28\xb5\x2f\xfd",
        "packed as zstd",
        headers={"content-encoding": "zstd"},
    ),
    Odd(
        "packed twice",
        b"x",
        "packed as gzip, gzip",
        headers={"content-encoding": "gzip, gzip"},
    ),
    Odd(
        "packed, they say",
        as_json(chat()),
        "cannot be unpacked",
        headers={"content-encoding": "gzip"},
    ),
    Odd("no body but well", b"", "a garbled reply", 204),
    Odd("out of order", error("sorry"), "HTTP 500: sorry", 500),
    Odd("too early", error("sorry"), "HTTP 425: sorry", 425),
]

# --- what ends a run ----------------------------------------------------------------

ENDS = [
    Odd(
        "no key",
        error("who are you?"),
        Ends("needs a key (HTTP 401): who are you?"),
        401,
    ),
    Odd("a key of no use", error("no"), Ends("needs a key (HTTP 403)"), 403),
    Odd("no money", error("pay first"), Ends("no money left (HTTP 402)"), 402),
    Odd(
        "no money, said as busy",
        error("pay", code="insufficient_quota"),
        Ends("no money left"),
        429,
    ),
    Odd("no such model", error("which?"), Ends("does not know this model"), 404),
    Odd("no such way", b"", Ends("refuses the request (HTTP 405)"), 405),
    Odd("another model", chat() | {"model": "other"}, Ends("'other' answered")),
    Odd(
        "another server",
        b"",
        Ends("sends us elsewhere"),
        307,
        {"location": "http://127.0.0.2:9/v1/chat/completions"},
    ),
    Odd("a redirect to nowhere", b"", Ends("sends us to nowhere"), 308),
    Odd(
        "a redirect that cannot be",
        b"",
        "Invalid URL in location header",
        307,
        {"location": "http://[::"},
    ),
    Odd(
        "a redirect to itself",
        b"",
        Ends("sends us to"),
        307,
        {"location": "/v1/chat/completions"},
    ),
    Odd(
        "a redirect that drops the prompt",
        b"",
        Ends("sends us to"),
        302,
        {"location": "/v1/chat/completions"},
    ),
    Odd("a choice of several", b"", Ends("sends us to nowhere"), 300),
]

EVERY = [*SHAPES, *ENDINGS, *COUNTS, *REFUSALS, *USELESS, *ENDS]
