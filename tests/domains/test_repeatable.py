"""The same seed makes the same items in every process, whatever its hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import itertools, json
from phi_kit import domains
from phi_kit.data.procedural import items
slow = {"countdown", "queens", "hanoi", "word", "anagrams"}
print(json.dumps({
    f"{name}/{family.name}": [
        [s.prompt, s.answer]
        for s in itertools.islice(items(name, family, rng_seed=7, split="x"), 25)
    ]
    for name in domains.names()
    for family in domains.get(name).families
    if family.name not in slow
}))
"""


def drawn(hash_seed: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_items_do_not_depend_on_the_process():
    one, two = drawn("1"), drawn("2")
    assert len(one) > 30
    assert {name for name in one if one[name] != two[name]} == set()
