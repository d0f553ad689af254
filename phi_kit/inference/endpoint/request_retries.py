"""Send one request per sample: concurrently, retried, and within the budget."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from phi_kit.core.endpoint_url import EndpointAddress
from phi_kit.core.errors import RunError
from phi_kit.core.params import EndpointSettings
from phi_kit.core.paths import ledger_address
from phi_kit.core.progress import print_status
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.inference.types import (
    Completion,
    LostSamplesError,
    SampleRequest,
    SamplingParams,
)

from . import protocol
from .budget import Amount, Budget
from .http_client import HttpClient
from .redaction import clean_message
from .refusals import (
    RefusalError,
    RequestOutcomes,
    RetryableError,
    is_about_all_requests,
    without_traceback,
)
from .replies import EndpointReply, ReplyReader

MAX_BACKOFF_SECONDS = 30.0  # between two attempts, unless the server asks for more
_SILENT_SECONDS = 5.0  # of nothing but failures before the user is told
_MAX_LISTINGS = 3  # failures after which a server has no list of models
_POLL_SECONDS = 0.05  # until the budget is looked at again
_NAMED_PROMPTS = 3  # refused prompts that are printed; the others are counted
_PROMPT_CHARS = 60  # of such a prompt

T = TypeVar("T")


def resume_note() -> str:
    """What happens to the samples that have arrived when a step ends midway."""
    if ledger_address():
        return (
            "the same command carries on: every sample that arrived stands in the "
            "ledger and is neither asked nor paid for again"
        )
    return (
        "finished steps stay and the same command carries on after them; without a "
        "ledger (PHI_KIT_LEDGER=off) this step's samples are asked, and paid for, anew"
    )


@dataclass
class ServerState:
    """What is known of one server, over all draws from it.

    Attributes:
        address: its URL and the model's name there.
        settings: budget, concurrency and patience.
        budget: what has been spent, earlier runs of the study included.
        tries: failed requests after which one sample is given up; those that
            a busy server (429, 503) puts off do not count.
        first_wait: seconds after the first failure at most; see `backoff`.
        unsupported: fields of a request that the server has refused so far.
        outcomes: of all that it was asked.
    """

    address: EndpointAddress
    settings: EndpointSettings
    budget: Budget
    tries: int
    first_wait: float
    unsupported: set[str] = field(default_factory=set)
    outcomes: RequestOutcomes = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = RequestOutcomes(self.settings.unanswered)


class GivenUpError(Exception):
    """One sample failed in all its tries; the others go on."""


def backoff(attempt: int, first_wait: float) -> float:
    """Seconds before the next attempt: doubling, with jitter of one half.

    Args:
        attempt: number of failed attempts, from 1.
        first_wait: the longest wait after the first failure.
    """
    # With jitter, requests that failed together are not repeated together.
    return min(MAX_BACKOFF_SECONDS, first_wait * 2 ** (attempt - 1)) * random.uniform(
        0.5, 1
    )


class Throttle:
    """Limits the number of requests to one server at a time.

    The number is halved when the server is busy (429, 503, no answer in time) and
    grows by about one per round of answers: additive increase, multiplicative
    decrease, as TCP does it (RFC 5681). A `Retry-After` holds all requests back.

    Args:
        concurrency: requests at once, at most; it begins there.
        patience: seconds of nothing but failures after which to give up.
        first_wait: as for `backoff`.
    """

    def __init__(self, concurrency: int, *, patience: float, first_wait: float):
        self.concurrency, self.patience = concurrency, patience
        self.first_wait = first_wait
        self.limit, self.running = float(concurrency), 0
        self.failing_since: float | None = None
        self._halved_at = self._resume_at = -math.inf
        self._room = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Wait for room for one request; yields the time when there was room."""
        async with self._room:
            await self._room.wait_for(lambda: self.running < int(self.limit))
            self.running += 1
        try:
            while (left := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(left + random.uniform(0, self.first_wait))
            yield time.monotonic()
        finally:
            self.running -= 1
            async with self._room:
                self._room.notify_all()

    def succeeded(self) -> None:
        """Record an answer."""
        self.failing_since = None
        self.limit = min(self.limit + 1 / self.limit, float(self.concurrency))

    def failed(self, fault: RetryableError, began: float) -> None:
        """Record the failure of an attempt that began at that time."""
        now = time.monotonic()
        if self.failing_since is None:
            self.failing_since = now
        # Requests that began before the limit was halved say nothing of the new one.
        if fault.busy and began > self._halved_at:
            self.limit, self._halved_at = max(1.0, self.limit / 2), now
        if fault.wait is not None:
            self._resume_at = max(self._resume_at, now + fault.wait)

    @property
    def failing(self) -> float:
        """Seconds for which there have been nothing but failures."""
        since = self.failing_since
        return 0.0 if since is None else time.monotonic() - since

    def should_give_up(self, fault: RetryableError) -> bool:
        """True once failures, plus `Retry-After`, exceed `patience` seconds."""
        return self.failing + (fault.wait or 0) > self.patience


class EndpointDraw:
    """One call of `Endpoint.stream`, inside its event loop."""

    def __init__(
        self,
        server: ServerState,
        requests: Sequence[SampleRequest] = (),
        sampling: SamplingParams | None = None,
    ):
        self.server, self.requests = server, requests
        self.settings, self.budget = server.settings, server.budget
        self.sampling = sampling or SamplingParams()
        self.outcomes = server.outcomes
        self.fields = protocol.RequestFields(
            self.sampling,
            logprobs=self.settings.logprobs,
            unsupported=server.unsupported,
        )
        self.waiting = iter(range(len(requests)))
        self.lost: dict[int, str] = {}  # samples given up, and why
        # Refused samples, while nothing shows yet that it is their prompts' fault.
        self.held_back: list[tuple[int, Completion]] = []
        self.arrived = self.under_way = self.refused = 0
        self.used_up = self.warned = False
        self.throttle: Throttle
        self.client: HttpClient

    async def samples(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        """Hand over (index, sample) for all requests."""
        async with self._open():
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.settings.concurrency, len(self.requests))):
                        group.create_task(self._work(put))
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
        if self.held_back and self.outcomes.only_refused():
            raise self._too_many_refusals("refused")
        self._hand_over(put)
        if self.arrived < len(self.requests):
            raise self._incomplete()

    async def report(self, put: Callable[[str], None]) -> None:
        """Hand over the server's facts about the model, if there are any.

        Some servers have no list of models and answer 404 or 500; a server that
        cannot be reached is waited for.
        """
        failures = 0

        async def listing() -> bytes:
            nonlocal failures
            try:
                return await protocol.list_models(self.client)
            except RefusalError as refusal:
                if refusal.status in (401, 403):
                    raise self._ended_by(refusal) from None
                return b""
            except RetryableError as fault:
                failures += bool(fault.status)
                fault.counts = False
                if failures >= _MAX_LISTINGS:
                    return b""
                raise

        async with self._open():
            body = await self._retried(listing)
            put(protocol.describe_model(body, self.server.address, self.client))

    def _open(self) -> HttpClient:
        settings = self.settings
        self.throttle = Throttle(
            settings.concurrency,
            patience=settings.patience,
            first_wait=self.server.first_wait,
        )
        self.client = HttpClient(
            self.server.address.url,
            timeout=settings.timeout,
            concurrency=settings.concurrency,
        )
        self.reader = ReplyReader(
            self.server.address,
            self.sampling.max_tokens,
            needs_usage=(settings.budget_tokens, settings.budget_cost) != (None, None),
            key=self.client.key,
        )
        return self.client

    async def _work(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        """A worker that takes waiting requests until none is left."""
        for index in self.waiting:
            request = self.requests[index]
            amount = self.budget.max_amount(request.prompt, self.sampling.max_tokens)
            if not await self._wait_for_budget(amount):
                return
            self.under_way += 1
            try:
                with self.budget.reserve(amount):
                    sample = await self._retried(
                        lambda request=request: self._ask(request)
                    )
            except GivenUpError as given_up:
                self.lost[index] = str(given_up)
                self.outcomes.lost += 1
                continue
            finally:
                self.under_way -= 1
            self.arrived += 1
            self.held_back.append((index, sample))
            if self.outcomes.answers or sample.finish != "refused":
                self._hand_over(put)
            if kind := self.outcomes.too_many(idle=not self.under_way):
                raise self._too_many_refusals(kind)

    def _hand_over(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        for indexed in self.held_back:
            put(indexed)
        self.held_back.clear()

    async def _wait_for_budget(self, amount: Amount) -> bool:
        """Wait until the budget has room; `False` if it is used up."""
        while not self.used_up:
            if self.under_way and self.outcomes.should_wait():
                pass  # the requests under way may show that it is pointless
            elif self.budget.fits(amount):
                self.outcomes.started += 1
                return True
            else:
                self.used_up = not self.under_way
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result, repeated after retryable failures."""
        attempts = counted = 0
        while True:
            began = 0.0
            try:
                async with self.throttle.slot() as began:
                    async with asyncio.timeout(self.settings.timeout):
                        result = await call()
                    self.throttle.succeeded()
                    return result
            except TimeoutError:
                fault = RetryableError(
                    f"no reply in {self.settings.timeout:g} s", busy=True
                )
            except RetryableError as caught:
                fault = without_traceback(caught)
            self.throttle.failed(fault, began)
            attempts, counted = attempts + 1, counted + fault.counts
            if self.throttle.should_give_up(fault):
                raise self._no_answer(fault.why)
            if counted >= self.server.tries:
                raise GivenUpError(fault.why)
            self._warn_once(fault)
            wait = backoff(attempts, self.server.first_wait)
            await asyncio.sleep(max(wait, fault.wait or 0))

    async def _ask(self, request: SampleRequest) -> Completion:
        """Send one request, repeated at once without fields the server refuses."""
        address, max_bytes = self.server.address, self.fields.max_reply_bytes
        messages = json.loads(request.prompt)
        while True:
            fields = self.fields.fields(request.seed)
            unseeded = "seed" in self.server.unsupported
            try:
                body = await protocol.post(
                    self.client, address, messages, fields, max_bytes=max_bytes
                )
                break
            except RefusalError as refusal:
                if not self.fields.drop_unsupported_fields(refusal, fields):
                    return self._refuse(request, refusal, fields)
                if not unseeded and "seed" in self.server.unsupported:
                    print_status(
                        f"{address.url} takes no seed: no sample can be repeated"
                    )
        try:
            reply = self.reader.read(body)
        except RetryableError as fault:
            if any(fault.used):
                self.budget.record(*fault.used)
            raise
        return self._paid(request, reply)

    def _paid(self, request: SampleRequest, reply: EndpointReply) -> Completion:
        """The sample with its cost, recorded in budget and outcomes."""
        sample, tokens_in = reply.sample, reply.prompt_tokens
        if sample.finish in UNANSWERED:
            refusal = RefusalError(200, "")
            self._note_refusal(request, sample.finish, refusal, doubtful=False)
        else:
            self.outcomes.answered += 1
        cost = self.budget.record(tokens_in, sample.tokens, counted=reply.counted)
        return replace(sample, cost=cost)

    def _refuse(
        self, request: SampleRequest, refusal: RefusalError, sent: Any
    ) -> Completion:
        """The sample of a prompt that the server does not reply.

        Raises:
            ModelError: it is no matter of the prompt.
        """
        kind = refusal.kind
        if not kind:
            raise self._ended_by(refusal) from None
        named = is_about_all_requests(refusal.words) or self.fields.named(refusal, sent)
        doubtful = kind == "refused" and bool(named)
        self._note_refusal(request, kind, refusal, doubtful=doubtful)
        return Completion("", 0, kind)

    def _note_refusal(
        self,
        request: SampleRequest,
        kind: str,
        refusal: RefusalError,
        *,
        doubtful: bool,
    ) -> None:
        """Count a refusal, and print the prompt of the first few."""
        self.outcomes.add_refusal(kind, without_traceback(refusal), doubtful=doubtful)
        self.refused += 1
        if self.refused <= _NAMED_PROMPTS:
            prompt = clean_message(
                "".join(t["content"] for t in json.loads(request.prompt)[-1:])
            )
            shown = (
                prompt if len(prompt) <= _PROMPT_CHARS else f"{prompt[:_PROMPT_CHARS]}…"
            )
            reason = f" (HTTP {refusal.status}: {refusal.text})" if refusal.text else ""
            print_status(f"{UNANSWERED[kind]}{reason}: the prompt '{shown}'")

    def _warn_once(self, fault: RetryableError) -> None:
        """Print once that the server, not the kit, is what hangs."""
        if not self.warned and self.throttle.failing > _SILENT_SECONDS:
            self.warned = True
            limit = f"trying for up to {self.settings.patience:g} s"
            print_status(f"{self.server.address.url}: {fault.why}; {limit}")

    # --- the errors that end a draw ---

    def _missing(self) -> str:
        missing, total = len(self.requests) - self.arrived, len(self.requests)
        return f"{missing} of {total} samples are missing" if total else "nothing came"

    def _ended_by(self, refusal: RefusalError) -> Exception:
        return protocol.refusal_error(refusal, self.server.address, self.client)

    def _too_many_refusals(self, kind: str) -> Exception:
        """The error of so many refusals, mostly of this kind."""
        latest = self.outcomes.latest[kind]
        prompts_fault = kind != "refused"
        return self._unanswered(latest) if prompts_fault else self._ended_by(latest)

    def _unanswered(self, refusal: RefusalError) -> RunError:
        counts = self.outcomes.unanswered
        each = ", ".join(f"{n} {UNANSWERED[why]}" for why, n in counts.most_common())
        reason = f" (HTTP {refusal.status}: {refusal.text})" if refusal.text else ""
        asked = self.outcomes.started
        return RunError(
            f"most prompts get no answer: {each}, of {asked} asked{reason}",
            where=f"{self.server.address}{self.client.route.shown}",
            todo="shorten the prompts, lower max_tokens or take another server; if it "
            "has to be so, endpoint.unanswered in the study is the share that may "
            f"stay unanswered, now {self.settings.unanswered:g}; {resume_note()}",
        )

    def _no_answer(self, why: str) -> RunError:
        return RunError(
            f"the endpoint does not answer ({why}); {self._missing()}",
            where=f"{self.server.address}{self.client.route.shown}, nothing but "
            f"faults for {self.throttle.failing:.0f} s",
            todo=f"see whether the server runs and can be reached; {resume_note()}",
        )

    def _incomplete(self) -> RunError:
        if self.used_up:
            allowed = self.settings.model_dump(
                include={"budget_tokens", "budget_cost"}, exclude_none=True
            )
            named = ", ".join(f"{name} {value:g}" for name, value in allowed.items())
            return RunError(
                f"the endpoint's budget is used up: {self.budget} of {named}; "
                f"{self._missing()}",
                where=str(self.budget.file or self.server.address),
                todo=f"raise it in the study's `endpoint:` section; {resume_note()}",
            )
        reasons = Counter(self.lost.values()).most_common(3)
        whys = "; ".join(f"{n}x {why}" for why, n in reasons)
        lost = LostSamplesError(
            f"{self._missing()}: each failed {self.server.tries} times ({whys})",
            where=f"{self.server.address}{self.client.route.shown}",
            todo=f"look at the server's log; {resume_note()}",
        )
        lost.indices = tuple(self.lost)
        lost.tolerable = self.outcomes.losses_tolerable()
        return lost
