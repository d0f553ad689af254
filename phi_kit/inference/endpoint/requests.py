"""Many requests to one server: as many at once as it bears, retried, within budget."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from phi_kit.core.errors import RunError
from phi_kit.core.paths import ledger_address
from phi_kit.inference.types import (
    UNANSWERED,
    Completion,
    LostSamplesError,
    SampleRequest,
    SamplingParams,
)
from phi_kit.models.model_dir import say

from . import protocol
from .http_client import HttpClient
from .redaction import clean_message
from .refusals import is_about_all_requests
from .replies import EndpointReply, ReplyReader
from .throttle import RetryableError, Throttle, backoff, without_traceback

if TYPE_CHECKING:
    from .client import Endpoint

_QUIET = 5.0  # seconds of nothing but faults that nobody has to hear of
_LISTINGS = 3  # failures after which a server has no list of models
_LOOK_AGAIN = 0.05  # seconds until the budget is looked at again
_NAMED = 3  # refused prompts that are named; the others are counted
_SHOWN = 60  # characters of such a prompt

T = TypeVar("T")


def resume_note() -> str:
    """What becomes of the samples that have arrived, when a step ends midway."""
    if ledger_address():
        return (
            "the same command carries on: every sample that arrived stands in the "
            "ledger and is neither asked nor paid for again"
        )
    return (
        "finished steps stay and the same command carries on after them; without a "
        "ledger (PHI_KIT_LEDGER=off) this step's samples are asked, and paid for, anew"
    )


class GivenUpError(Exception):
    """One sample failed too often; the others go on."""


class EndpointDraw:
    """One call of `Endpoint.stream`, inside its event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        asked: Sequence[SampleRequest] = (),
        sampling: SamplingParams | None = None,
    ):
        self.endpoint, self.asked = endpoint, asked
        self.limits, self.spending = endpoint.settings, endpoint.spending
        self.sampling = sampling or SamplingParams()
        self.outcomes = endpoint.outcomes
        self.dialect = protocol.RequestFields(
            self.sampling, logprobs=self.limits.logprobs, unknown=endpoint.unknown
        )
        self.waiting = iter(range(len(asked)))
        self.lost: dict[int, str] = {}  # why, of the samples given up
        # Refused, while nothing shows yet that it is their prompts' fault.
        self.doubted: list[tuple[int, Completion]] = []
        self.arrived = self.under_way = self.refused = 0
        self.used_up = self.told = False
        self.throttle: Throttle
        self.client: HttpClient

    async def samples(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        """Hand over (place, sample) for all that is asked."""
        async with self._open():
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.limits.concurrency, len(self.asked))):
                        group.create_task(self._work(put))
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
        if self.doubted and self.outcomes.nothing_else():
            raise self._pointless("refused")
        self._hand_over(put)
        if self.arrived < len(self.asked):
            raise self._incomplete()

    async def report(self, put: Callable[[str], None]) -> None:
        """Hand over what the server says of the model, if anything.

        A list of models that cannot be made (some servers answer 404 or 500)
        is no list; a server that cannot be reached is waited for.
        """
        failures = 0

        async def listing() -> bytes:
            nonlocal failures
            try:
                return await protocol.list_models(self.client)
            except protocol.RefusalError as refusal:
                if refusal.status in (401, 403):
                    raise self._ended_by(refusal) from None
                return b""
            except RetryableError as fault:
                failures += bool(fault.status)
                fault.counts = False
                if failures >= _LISTINGS:
                    return b""
                raise

        async with self._open():
            body = await self._patiently(listing)
            put(protocol.describe_model(body, self.endpoint.address, self.client))

    def _open(self) -> HttpClient:
        limits = self.limits
        self.throttle = Throttle(
            limits.concurrency,
            patience=limits.patience,
            first=self.endpoint.first_wait,
        )
        self.client = HttpClient(
            self.endpoint.address.url,
            timeout=limits.timeout,
            concurrency=limits.concurrency,
        )
        self.reader = ReplyReader(
            self.endpoint.address,
            self.sampling.max_tokens,
            counts=(limits.budget_tokens, limits.budget_cost) != (None, None),
            key=self.client.key,
        )
        return self.client

    async def _work(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        """One of many that take what is waiting until nothing is left."""
        for place in self.waiting:
            one = self.asked[place]
            most = self.spending.most(one.prompt, self.sampling.max_tokens)
            if not await self._granted(most):
                return
            self.under_way += 1
            try:
                with self.spending.set_aside(most):
                    sample = await self._patiently(lambda one=one: self._ask(one))
            except GivenUpError as given_up:
                self.lost[place] = str(given_up)
                self.outcomes.lost += 1
                continue
            finally:
                self.under_way -= 1
            self.arrived += 1
            self.doubted.append((place, sample))
            if self.outcomes.answers or sample.finish != "refused":
                self._hand_over(put)
            if kind := self.outcomes.too_many(idle=not self.under_way):
                raise self._pointless(kind)

    def _hand_over(self, put: Callable[[tuple[int, Completion]], None]) -> None:
        for found in self.doubted:
            put(found)
        self.doubted.clear()

    async def _granted(self, amount: Any) -> bool:
        """Whether the budget has room for it, perhaps once others have ended."""
        while not self.used_up:
            if self.under_way and self.outcomes.hold():
                pass  # what is under way may show that it is pointless
            elif self.spending.fits(amount):
                self.outcomes.started += 1
                return True
            else:
                self.used_up = not self.under_way
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result, at the second or a later attempt if need be."""
        attempts = counted = 0
        while True:
            began = 0.0
            try:
                async with self.throttle.slot() as began:
                    async with asyncio.timeout(self.limits.timeout):
                        found = await call()
                    self.throttle.succeeded()
                    return found
            except TimeoutError:
                fault = RetryableError(
                    f"no reply in {self.limits.timeout:g} s", busy=True
                )
            except RetryableError as caught:
                fault = without_traceback(caught)
            self.throttle.failed(fault, began)
            attempts, counted = attempts + 1, counted + fault.counts
            if self.throttle.hopeless(fault):
                raise self._dead(fault.why)
            if counted >= self.endpoint.tries:
                raise GivenUpError(fault.why)
            self._tell(fault)
            wait = backoff(attempts, self.endpoint.first_wait)
            await asyncio.sleep(max(wait, fault.wait or 0))

    async def _ask(self, one: SampleRequest) -> Completion:
        """One request, again at once where the server wanted other words."""
        address, most = self.endpoint.address, self.dialect.most_bytes
        messages = json.loads(one.prompt)
        while True:
            fields = self.dialect.fields(one.seed)
            unseeded = "seed" in self.endpoint.unknown
            try:
                body = await protocol.post(
                    self.client, address, messages, fields, most=most
                )
                break
            except protocol.RefusalError as refusal:
                if not self.dialect.learn(refusal, fields):
                    return self._refuse(one, refusal, fields)
                if not unseeded and "seed" in self.endpoint.unknown:
                    say(f"{address.url} takes no seed: no sample can be repeated")
        try:
            answer = self.reader.read(body)
        except RetryableError as fault:
            if any(fault.used):
                self.spending.note(*fault.used)
            raise
        return self._paid(one, answer)

    def _paid(self, one: SampleRequest, answer: EndpointReply) -> Completion:
        """The sample with what it cost, counted as whatever it is."""
        sample, tokens_in = answer.sample, answer.prompt_tokens
        if sample.finish in UNANSWERED:
            refusal = protocol.RefusalError(200, "")
            self._note(one, sample.finish, refusal, doubtful=False)
        else:
            self.outcomes.answered += 1
        cost = self.spending.note(tokens_in, sample.tokens, counted=answer.counted)
        return replace(sample, cost=cost)

    def _refuse(
        self, one: SampleRequest, refusal: protocol.RefusalError, sent: Any
    ) -> Completion:
        """The sample of a prompt that the server does not answer.

        Raises:
            ModelError: it is no matter of the prompt.
        """
        kind = refusal.kind
        if not kind:
            raise self._ended_by(refusal) from None
        named = is_about_all_requests(refusal.words) or self.dialect.named(
            refusal, sent
        )
        doubtful = kind == "refused" and bool(named)
        self._note(one, kind, refusal, doubtful=doubtful)
        return Completion("", 0, kind)

    def _note(
        self,
        one: SampleRequest,
        kind: str,
        refusal: protocol.RefusalError,
        *,
        doubtful: bool,
    ) -> None:
        """Count a refusal, and name the prompt as long as they are few."""
        self.outcomes.refuse(kind, without_traceback(refusal), doubtful=doubtful)
        self.refused += 1
        if self.refused <= _NAMED:
            asked = clean_message(
                "".join(t["content"] for t in json.loads(one.prompt)[-1:])
            )
            shown = asked if len(asked) <= _SHOWN else f"{asked[:_SHOWN]}…"
            told = f" (HTTP {refusal.status}: {refusal.text})" if refusal.text else ""
            say(f"{UNANSWERED[kind]}{told}: the prompt '{shown}'")

    def _tell(self, fault: RetryableError) -> None:
        """Say once that it is not us who hang."""
        if not self.told and self.throttle.failing > _QUIET:
            self.told = True
            most = f"trying for up to {self.limits.patience:g} s"
            say(f"{self.endpoint.address.url}: {fault.why}; {most}")

    # --- how it ends badly ---

    def _missing(self) -> str:
        missing, total = len(self.asked) - self.arrived, len(self.asked)
        return f"{missing} of {total} samples are missing" if total else "nothing came"

    def _ended_by(self, refusal: protocol.RefusalError) -> Exception:
        return protocol.refusal_error(refusal, self.endpoint.address, self.client)

    def _pointless(self, kind: str) -> Exception:
        """So many refusals, mostly of this kind, as what ends the draw."""
        latest = self.outcomes.latest[kind]
        known = kind != "refused"
        return self._unanswered(latest) if known else self._ended_by(latest)

    def _unanswered(self, refusal: protocol.RefusalError) -> RunError:
        counts = self.outcomes.unanswered
        each = ", ".join(f"{n} {UNANSWERED[why]}" for why, n in counts.most_common())
        told = f" (HTTP {refusal.status}: {refusal.text})" if refusal.text else ""
        asked = self.outcomes.started
        return RunError(
            f"most prompts get no answer: {each}, of {asked} asked{told}",
            where=f"{self.endpoint.address}{self.client.route.shown}",
            todo="shorten the prompts, lower max_tokens or take another server; if it "
            "has to be so, endpoint.unanswered in the study is the share that may "
            f"stay unanswered, now {self.limits.unanswered:g}; {resume_note()}",
        )

    def _dead(self, why: str) -> RunError:
        return RunError(
            f"the endpoint does not answer ({why}); {self._missing()}",
            where=f"{self.endpoint.address}{self.client.route.shown}, nothing but "
            f"faults for {self.throttle.failing:.0f} s",
            todo=f"see whether the server runs and can be reached; {resume_note()}",
        )

    def _incomplete(self) -> RunError:
        if self.used_up:
            allowed = self.limits.model_dump(
                include={"budget_tokens", "budget_cost"}, exclude_none=True
            )
            named = ", ".join(f"{name} {value:g}" for name, value in allowed.items())
            return RunError(
                f"the endpoint's budget is used up: {self.spending} of {named}; "
                f"{self._missing()}",
                where=str(self.spending.file or self.endpoint.address),
                todo=f"raise it in the study's `endpoint:` section; {resume_note()}",
            )
        found = Counter(self.lost.values()).most_common(3)
        whys = "; ".join(f"{n}x {why}" for why, n in found)
        lost = LostSamplesError(
            f"{self._missing()}: each failed {self.endpoint.tries} times ({whys})",
            where=f"{self.endpoint.address}{self.client.route.shown}",
            todo=f"look at the server's log; {resume_note()}",
        )
        lost.places, lost.bearable = tuple(self.lost), self.outcomes.bearable()
        return lost
