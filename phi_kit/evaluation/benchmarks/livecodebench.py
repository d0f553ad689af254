"""LiveCodeBench's rows as items of the code verifier.

Its hidden cases are packed: base64 of zlib of a pickled text that is JSON. Unpickling
runs what a file says, so only texts are let through.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from dataclasses import replace
from typing import Any

from phi_kit.data.records import Seed

PUBLIC, PRIVATE, STARTER, METADATA = "public", "private", "starter", "metadata"


class _TextOnly(pickle.Unpickler):
    """Loads texts; a pickle that names any class or function is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"refused: {module}.{name}")


def hidden_cases(packed: str) -> list[dict[str, str]]:
    """The cases of `private_test_cases`, plain JSON or packed.

    Raises:
        ValueError: they are neither.
    """
    try:
        return json.loads(packed)
    except ValueError:
        pass
    try:
        opened = zlib.decompress(base64.b64decode(packed, validate=True))
        return json.loads(_TextOnly(io.BytesIO(opened)).load())
    except (zlib.error, pickle.UnpicklingError, EOFError, TypeError) as error:
        raise ValueError(f"the hidden cases cannot be read: {error}") from None


def as_code_item(seed: Seed) -> Seed:
    """A row as an item: the question, the starter code, and all of its cases."""
    facts = seed.facts
    cases = json.loads(facts[PUBLIC]) + hidden_cases(facts[PRIVATE])
    extra: dict[str, Any] = {"cases": cases}
    if entry := json.loads(facts.get(METADATA) or "{}").get("func_name"):
        extra["entry"] = entry
    if starter := str(facts.get(STARTER) or "").strip():
        task = f"Complete this code:\n```python\n{starter}\n```"
    else:
        task = "Read from standard input and print to standard output."
    return replace(
        seed, prompt=f"{seed.prompt.strip()}\n\n{task}", extra=json.dumps(extra)
    )
