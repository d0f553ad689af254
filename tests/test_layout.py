"""The package's shape: who may import whom, how long things are, what is said."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "phi_kit"
MODULES = sorted(PACKAGE.rglob("*.py"))
MIDDLE = ("data", "models", "metrics", "plots", "train", "verify")
# Beside what lies below it, what a part of the middle layer may read.
NEIGHBOURS = {
    "verify": ("data.options", "data.records", "metrics"),
    "train": ("models",),
    "plots": ("metrics",),
}
BELOW = {
    "core": (),
    **dict.fromkeys(MIDDLE, ("core",)),
    "domains": ("core", *MIDDLE),
    "steps": ("core", *MIDDLE, "domains"),
    "study": ("core", *MIDDLE, "domains", "steps"),
    "cli": ("core", *MIDDLE, "domains", "steps", "study"),
    "__main__": ("cli",),
    "__init__": (),
}
# Nothing but tensors; imported inside the functions that decode.
TORCH_ITSELF = {f"models.{name}" for name in ("batch", "lockstep", "prefill", "slots")}
HEAVY = {"torch", "transformers", "peft", "datasets", "bitsandbytes", "accelerate"}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def typing_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(nodes, *, inside=True):
    """Every import that runs: (module, level); `inside` also in functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield base, node.level
            yield from ((f"{base}.{a.name}".strip("."), node.level) for a in node.names)
        elif not typing_only(node) and (
            inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            yield from imports(ast.iter_child_nodes(node), inside=inside)


def inner(path, module, level):
    """A module of the package, without `phi_kit.`; `None` for others."""
    if not level:
        return (
            module.removeprefix("phi_kit.") if module.startswith("phi_kit.") else None
        )
    here = path.relative_to(PACKAGE).parts
    return ".".join([*here[: len(here) - level], *filter(None, [module])])


def within(module, parts):
    return any(module == part or module.startswith(f"{part}.") for part in parts)


def test_there_is_a_package_to_look_at():
    assert len(MODULES) > 50
    assert {name_of(path).split(".")[0] for path in MODULES} == set(BELOW)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path):
    layer = name_of(path).split(".")[0]
    for module, level in imports(ast.parse(path.read_text()).body):
        target = inner(path, module, level)
        if target is None or target == "__version__" or not target:
            continue
        if layer == "steps":
            same = target in ("steps", name_of(path))
            assert same or not within(target, ["steps"]), f"a step imports {target}"
        allowed = (layer, *BELOW[layer], *NEIGHBOURS.get(layer, ()))
        assert within(target, allowed), f"{name_of(path)} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_imports_stand_where_they_are_used(path):
    if name_of(path) in TORCH_ITSELF:
        return
    for module, _ in imports(ast.parse(path.read_text()).body, inside=False):
        assert module.split(".")[0] not in HEAVY


def test_importing_the_kit_imports_no_torch():
    apart = {"__main__", *TORCH_ITSELF}
    names = [f"phi_kit.{name_of(p)}" for p in MODULES if name_of(p) not in apart]
    names = [name.removesuffix(".__init__") for name in names]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


def public(body, *, prefix=""):
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, prefix=f"{node.name}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_public_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    for name, node in public(tree.body):
        # An overridden hook of a library is documented there.
        hook = "." in name and node.name.startswith("on_")
        assert hook or ast.get_docstring(node), name


def test_a_step_has_one_shape():
    from phi_kit import steps

    notebooks = sorted((ROOT / "notebooks").glob("0*.ipynb"))
    for number, (name, notebook) in enumerate(
        zip(steps.STEPS, notebooks, strict=True), 1
    ):
        module = steps.load(name)
        assert module.Params.STEP == notebook.stem == f"{number:02}_{name}"
        assert callable(module.run)
        assert all(needed < module.Params.STEP for needed in module.Params.NEEDS)
