"""Draws from hostile servers in a process of its own; prints what each took.

Usage: hostile_run.py SAMPLES NAME...; for each a line of JSON: seconds, the most MB
so far, how many samples came, and the error.
"""

import json
import sys
import time

from peaks import peak

from phi_kit.core.errors import PhiKitError
from phi_kit.core.params import EndpointSettings
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import SampleRequest, SamplingParams


def megabytes():
    return peak() / 2**20


def drawn(name, n):
    settings = EndpointSettings(timeout=30, patience=30, concurrency=32)
    model = Endpoint(name, settings, tries=2, first_wait=0.01)
    asked = [SampleRequest(model.render("", f"{i}?"), 0, i << 40) for i in range(n)]
    try:
        _ = model.identity
        return len(dict(model.stream(asked, SamplingParams(max_tokens=16)))), ""
    except PhiKitError as error:
        return 0, str(error)


n, *names = sys.argv[1:]
print(json.dumps({"most": megabytes()}))
for name in names:
    began = time.monotonic()
    came, error = drawn(name, int(n))
    seconds = time.monotonic() - began
    row = {"seconds": seconds, "most": megabytes(), "came": came, "error": error}
    print(json.dumps(row), flush=True)
