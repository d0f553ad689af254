"""One request to an OpenAI-compatible server, in the words that server knows."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from phi_kit.core.address import Address
from phi_kit.core.errors import ModelError

from .replies import said
from .sampling import Sampling
from .throttle import FaultError, retry_after

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_LATER = (408, 409, 425)  # together with every 5xx: worth asking again
_BUSY = (429, 503, 529)  # 529 is an overloaded Anthropic
_SEED_BITS = 31  # what every server's seed can hold
_CAN_GO = ("seed", "top_p", "top_k", "min_p", "generation_config", "logprobs")
# What a list of models says of one, and says again as long as it is that one.
_REPORTED = ("root", "parent")
_REPORTED_META = ("n_params", "size", "n_vocab", "n_embd", "n_ctx_train")


class RefusalError(Exception):
    """A status that asking again would not change.

    Args:
        status: of HTTP.
        text: what the server said.
    """

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status, self.text = status, text


class Dialect:
    """The fields of a request, as a server wants them.

    Args:
        sampling: token limit and temperature.
        logprobs: whether to ask for log-probabilities.
        unknown: fields the server has refused; `learn` adds to them.
    """

    def __init__(self, sampling: Sampling, *, logprobs: bool, unknown: set[str]):
        self.sampling, self.logprobs, self.unknown = sampling, logprobs, unknown

    def fields(self, seed: int) -> dict[str, Any]:
        """The fields of one request beside model and messages."""
        told = {"do_sample": self.sampling.temperature > 0, "top_k": 0}
        everything = {
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": seed >> (63 - _SEED_BITS),
            # The whole distribution, as a local model is sampled: llama.cpp,
            # vLLM and SGLang cut it by defaults of their own or the model's.
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            # `transformers serve` samples only if told so in its own words.
            "generation_config": json.dumps(told),
        }
        if self.logprobs:
            everything["logprobs"] = True
        if "max_tokens" in self.unknown:
            everything["max_completion_tokens"] = self.sampling.max_tokens
        return {k: v for k, v in everything.items() if k not in self.unknown}

    def learn(self, refusal: RefusalError, sent: Mapping[str, Any]) -> bool:
        """Leave out what a refusal names; whether that is worth another try.

        The token limit only changes its name, and the temperature stays unless
        it is the 1 that a server without one has.
        """
        if refusal.status not in (400, 422):
            return False
        can_go = set(_CAN_GO)
        if "max_completion_tokens" in refusal.text:
            can_go.add("max_tokens")
        if self.sampling.temperature == 1:
            can_go.add("temperature")
        named = {f for f in sent if re.search(rf"\b{f}\b", refusal.text)} & can_go
        self.unknown |= named
        return bool(named)


async def post(
    client: AsyncOpenAI,
    address: Address,
    messages: list[dict[str, str]],
    fields: Mapping[str, Any],
) -> bytes:
    """The body of the server's reply to one request for a completion.

    Raises:
        FaultError: worth another try.
        RefusalError: not worth one.
    """
    create = client.chat.completions.with_raw_response.create
    return await _body(
        create(model=address.model, messages=messages, extra_body=dict(fields)), client
    )


async def listing(client: AsyncOpenAI) -> bytes:
    """The body of the server's list of models; raises as `post` does."""
    return await _body(client.models.with_raw_response.list(), client)


def described(body: bytes, address: Address) -> str:
    """What a list of models says of one, as far as it stays the same."""
    try:
        every = json.loads(body)["data"]
        (one,) = [each for each in every if each["id"] == address.model]
        facts = {name: one.get(name) for name in _REPORTED}
        facts |= {name: (one.get("meta") or {}).get(name) for name in _REPORTED_META}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return " ".join(f"{name}={value}" for name, value in facts.items() if value)


async def _body(call: Awaitable[Any], client: AsyncOpenAI) -> bytes:
    import openai

    try:
        return (await call).content
    except openai.APITimeoutError:
        raise FaultError("no reply in time", busy=True) from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise FaultError(said(cause) or type(cause).__name__) from None
    except openai.APIStatusError as error:
        raise _status(error, client) from None
    except openai.OpenAIError as error:
        raise FaultError(said(error, secret=client.api_key)) from None


def _status(error: APIStatusError, client: AsyncOpenAI) -> FaultError | RefusalError:
    status = error.status_code
    text = said(_words(error), secret=client.api_key)
    wait = retry_after(error.response.headers.get("retry-after"))
    # An account without money answers 429 as well, and always will.
    if status in _BUSY and error.code != "insufficient_quota":
        return FaultError(f"HTTP {status}: {text}", busy=True, counts=False, wait=wait)
    if status in _LATER or status >= 500:
        return FaultError(f"HTTP {status}: {text}", wait=wait, status=status)
    return RefusalError(status, text)


def _words(error: APIStatusError) -> Any:
    """The server's own message, wherever in the body it stands."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("message") or body.get("detail") or body.get("error")
        return inner or json.dumps(body)
    return error.response.text or error.response.reason_phrase


def refused(refusal: RefusalError, address: Address, *, key: bool) -> ModelError:
    """A refusal as the error that ends a run."""
    status = refusal.status
    if status in (401, 403):
        what = "the endpoint refuses the key" if key else "the endpoint needs a key"
        todo = "set PHI_KIT_API_KEY to one that may use this model"
    elif status == 404:
        what = "the endpoint does not know this model or this address"
        todo = "most servers answer below /v1; what follows # is the model as they "
        todo += f"call it: {address.url}/models lists them"
    elif status == 429:
        what, todo = "the account has no money left", "top it up; then carry on"
    else:
        what = "the endpoint refuses the request"
        todo = "see what it says; often the prompt and max_tokens exceed the model's "
        todo += "context, or the model allows one temperature only"
    said_ = f"{what} (HTTP {status}): {refusal.text}"
    return ModelError(said_, where=str(address), todo=todo)
