"""Forty people, one endpoint, one ledger on PostgreSQL: processes of their own."""

import multiprocessing
import os
from collections import Counter

import postgres
import pytest
from fault_server import serving, slowly

from phi_kit.cache import own_part
from phi_kit.core.params import EndpointSettings
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import SamplingParams

PEOPLE, PROMPTS = 40, 200

pytestmark = pytest.mark.slow


def sit(person, model, ledger, begin, said):
    """One person's notebook: the same draw as everybody's."""
    os.environ |= {
        own_part.PERSON: person,
        "PHI_KIT_LEDGER": ledger,
        "PHI_KIT_API_KEY": person,  # by which the server tells them apart
    }
    endpoint = Endpoint(model, EndpointSettings(concurrency=1))
    rendered = [endpoint.render("", f"{n}?") for n in range(PROMPTS)]
    begin.wait()
    drawn = draw(endpoint, rendered, SamplingParams(max_tokens=8, temperature=0.7))
    said.put((person, [one.text for (one,) in drawn]))


def test_forty_people_pay_for_each_sample_once_and_share_the_work():
    context = multiprocessing.get_context("fork")
    begin, said = context.Barrier(PEOPLE), context.Queue()
    shares = Counter()

    def counted(handler, request, number):
        shares[handler.headers["authorization"]] += 1
        slowly(handler, request, number)

    with postgres.server() as database, serving(counted) as server:
        names = [f"person-{n}" for n in range(PEOPLE)]
        room = [
            context.Process(
                target=sit, args=(name, server.name, database.url, begin, said)
            )
            for name in names
        ]
        for one in room:
            one.start()
        heard = dict(said.get(timeout=240) for _ in room)
        for one in room:
            one.join()
        asked = [request["messages"][-1]["content"] for request in server.requests]
    assert sorted(heard) == sorted(names)
    assert len({tuple(texts) for texts in heard.values()}) == 1
    assert len(asked) == len(set(asked)) == PROMPTS
    # With one request each under way, nobody waits for more than the others' one.
    assert server.most_running <= PEOPLE
    # Who comes late finds it done; but nobody has drawn it for all.
    assert len(shares) > PEOPLE / 4
    assert max(shares.values()) < PROMPTS / 4
