"""What pyproject.toml declares is what is imported, and the other way round."""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
INSTALLED = packages_distributions()
# Declared, yet imported by no module; each with what needs it.
NOT_IMPORTED = {
    "accelerate": "transformers' Trainer runs on it",
    "gguf": "transformers reads the embedded model's file with it",
    "jupyterlab": "`phi-kit lab` starts it as a program",
    "build": "a program that makes the wheel",
    "ruff": "a program that lints",
    "pytest-xdist": "pytest loads it as a plugin",
    "psycopg": "SQLAlchemy loads it for a postgresql:// address",
}
# Tests that need it are skipped where it is missing.
NOT_DECLARED = {"selenium", "every_eval_ever", "lm_eval", "rdkit"}
# Pins fastapi and torch itself, at other versions than the set the kit is tested with.
NOT_PINNED = {"vllm"}
# Imported late, by those who have asked for it; the extra that it stands in. Where it
# is missing a message says so.
OPTIONAL = {"ray": "cluster"}


def required(lines):
    """Requirements by the name that a package index knows them by."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in parsed}


def top_level_imports(source):
    """The packages a module imports, in functions and for type checks as well."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        yield from (name.partition(".")[0] for name in names)


def python_of(notebook):
    """The code cells of a notebook as one module."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def distributions(sources, *, own=()):
    """What these modules import, as distributions; `own` modules are left out."""
    packages = {name for source in sources for name in top_level_imports(source)}
    packages -= {*sys.stdlib_module_names, "phi_kit", *own}
    unknown = packages - set(INSTALLED)
    assert not unknown, f"imported, and not installed: {sorted(unknown)}"
    return {canonicalize_name(INSTALLED[package][0]) for package in packages}


@pytest.fixture(scope="module")
def by_kit():
    paths = list((ROOT / "phi_kit").rglob("*.py"))
    sources = [path.read_text(encoding="utf-8") for path in paths]
    sources += [python_of(path) for path in (ROOT / "notebooks").rglob("*.ipynb")]
    assert len(sources) > 100
    return distributions(sources)


@pytest.fixture(scope="module")
def by_tests():
    paths = list((ROOT / "tests").rglob("*.py"))
    own = {path.stem for path in paths} | {path.parent.name for path in paths}
    sources = [path.read_text(encoding="utf-8") for path in paths]
    return distributions(sources, own=own | NOT_DECLARED)


@pytest.mark.slow
def test_the_kit_imports_what_it_declares_and_nothing_else(by_kit):
    declared = set(required(PROJECT["dependencies"]))
    assert sorted(by_kit - declared) == sorted(OPTIONAL)
    assert sorted(declared - by_kit - set(NOT_IMPORTED)) == []


def test_tests_import_what_is_declared_for_them(by_kit, by_tests):
    dev = set(required(EXTRAS["dev"]))
    assert sorted(by_tests - dev - set(required(PROJECT["dependencies"]))) == []
    assert sorted(dev - by_tests - set(NOT_IMPORTED)) == []
    assert dev & by_kit == set(OPTIONAL)  # what else the kit imports, everybody needs


def test_what_is_optional_stands_in_its_extra():
    for name, extra in OPTIONAL.items():
        assert name in required(EXTRAS[extra])


def test_every_reason_is_still_needed(by_kit, by_tests):
    declared = required([*PROJECT["dependencies"], *EXTRAS["dev"]])
    assert set(NOT_IMPORTED) <= set(declared) - by_kit - by_tests


def test_the_constraints_pin_what_is_declared():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and line[0] != "#")
    pins = {canonicalize_name(name): version for name, version in pairs}
    every = [PROJECT["dependencies"], *EXTRAS.values()]
    declared = required(line for part in every for line in part)
    assert set(declared) - set(pins) == NOT_PINNED
    for name in declared.keys() - NOT_PINNED:
        requirement = declared[name]
        assert requirement.specifier.contains(pins[name]), name


def test_the_conda_environment_installs_the_kit_with_an_extra_it_has():
    text = (ROOT / "environment.yml").read_text()
    extras = re.search(r"-e \.\[([\w,]+)\]", text)[1].split(",")
    assert set(extras) <= set(EXTRAS)
    assert re.search(r"python=([\d.]+)", text)[1] == PROJECT["requires-python"][2:]
    assert "-c constraints.txt" in text
