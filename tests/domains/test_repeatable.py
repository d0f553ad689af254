"""The same seed makes the same items in every process, whatever its hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import itertools, json, sys
from phi_kit import domains
from phi_kit.data.generators import generate_items
n, left_out = int(sys.argv[1]), sys.argv[2:]
print(json.dumps({
    f"{name}/{family.name}": [
        [s.prompt, s.answer]
        for s in itertools.islice(
            generate_items(name, family, rng_seed=7, split="x"), n
        )
    ]
    for name in domains.names()
    for family in domains.get(name).families
    if family.name not in left_out
}))
"""
# A second or more for a few items.
LONG = ("countdown", "queens", "hanoi", "word", "anagrams")


def drawn(hash_seed: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "arguments", [("8", *LONG), pytest.param(("25",), marks=pytest.mark.slow)]
)
def test_items_do_not_depend_on_the_process(arguments):
    """Sets of strings have another order in every process; items must not."""
    both = [drawn(hash_seed, *arguments) for hash_seed in ("1", "2")]
    one, two = (json.loads(process.communicate()[0]) for process in both)
    assert len(one) > 30
    assert {name for name in one if one[name] != two[name]} == set()
