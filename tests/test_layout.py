"""The package's shape: who may import whom, how long things are, what is said."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "phi_kit"
MODULES = sorted(PACKAGE.rglob("*.py"))
# From the floor up: a package imports from lower floors only. Packages on one floor
# do not import each other.
FLOORS = (
    ("core",),
    ("models", "sandbox", "stats", "data", "cluster"),
    ("cache", "verifiers", "plots"),
    ("inference",),
    ("domains",),
    ("training", "rewards"),
    ("evaluation",),
    ("selection", "responses"),
    ("synthesis",),
    ("steps",),
    ("study",),
    ("course",),
    ("cli",),
    ("__main__",),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# Nothing but tensors; imported inside the functions that decode.
TORCH_ITSELF = {
    f"inference.local.{name}"
    for name in ("engine", "kv_cache", "prefill", "shared_prefix")
}
# Modules of metrics, which only the library `evaluate` loads.
METRICS = {
    f"evaluation.metrics.{path.stem}.{path.stem}"
    for path in (PACKAGE / "evaluation" / "metrics").glob("*/*.py")
}
HEAVY = {"torch", "transformers", "peft", "datasets", "bitsandbytes", "accelerate"}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(
        ".__init__"
    )


TREES = {path: ast.parse(path.read_text()) for path in MODULES}


def typing_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(nodes, *, everywhere=True):
    """Every import as (module, level); else those alone that run on import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield base, node.level
            yield from ((f"{base}.{a.name}".strip("."), node.level) for a in node.names)
        elif everywhere or not (
            typing_only(node)
            or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            yield from imports(ast.iter_child_nodes(node), everywhere=everywhere)


def inner(path, module, level):
    """A name inside the package, without `phi_kit.`; `None` for other packages."""
    if not level:
        inside = module.startswith("phi_kit.")
        return module.removeprefix("phi_kit.") if inside else None
    here = path.relative_to(PACKAGE).parts
    return ".".join([*here[: len(here) - level], *filter(None, [module])])


NAMES = {name_of(path) for path in MODULES} - {"__init__"}


def imported_by(path):
    """The package's modules that a module imports: on import, for types, in functions.

    `from .package import name` counts as the module `package.name` where there is one,
    else as the package itself.
    """
    targets = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            targets |= {inner(path, alias.name, 0) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                whole = inner(path, f"{base}.{alias.name}".strip("."), node.level)
                targets.add(whole if whole in NAMES else inner(path, base, node.level))
    return (targets & NAMES) - {name_of(path)}


def circles(arrows):
    """Groups of modules that import each other, by Tarjan's algorithm."""
    number, low, stack, groups = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for target in arrows.get(name, ()):
            if target not in number:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], number[target])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in arrows:
        if name not in number:
            visit(name)
    return groups


def test_every_package_has_its_floor():
    assert {name_of(path).split(".")[0] for path in MODULES} == {
        "__init__",
        *FLOOR,
    }


def test_the_readme_lists_the_packages_from_the_top_floor_down():
    text = (ROOT / "README.md").read_text().partition("| `phi_kit/` | holds |")[2]
    rows = [line.split("|")[1] for line in text.splitlines() if line[:3] == "| `"]
    listed = [tuple(re.findall(r"`(\w+)`", row)) for row in rows]
    floors = [floor for floor in reversed(FLOORS) if floor != ("__main__",)]
    assert [set(row) for row in listed] == [set(floor) for floor in floors]


def test_no_modules_import_each_other_in_a_circle():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]
    assert circles({name_of(path): imported_by(path) for path in MODULES}) == []


def goes_up(here, target):
    """Whether a module imports another one that does not lie below it."""
    package, other = here.split(".")[0], target.split(".")[0]
    if package == other == "steps":
        return target not in ("steps", here)
    return bool(package) and other != package and FLOOR[other] >= FLOOR[package]


def test_imports_go_one_way():
    assert goes_up("steps.benchmark", "steps.probe_sft")
    assert goes_up("core.paths", "data.rows")
    assert not goes_up("data.rows", "core.paths")
    assert [
        f"{name_of(path)} imports {target}"
        for path in MODULES
        for target in sorted(imported_by(path))
        if goes_up(name_of(path), target)
    ] == []


def test_heavy_imports_stand_where_they_are_used():
    assert [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if name_of(path) not in TORCH_ITSELF | METRICS
        for module, _ in imports(TREES[path].body, everywhere=False)
        if module.split(".")[0] in HEAVY
    ] == []


def test_importing_the_kit_imports_no_torch():
    apart = {"__main__", *TORCH_ITSELF, *METRICS}
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


def test_modules_and_functions_stay_short():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}
    assert [
        f"{name_of(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= 60
    ] == []


def public(body, *, prefix=""):
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, prefix=f"{node.name}.")


def undocumented(tree):
    """What of a module has no docstring: "" is the module itself."""
    if not ast.get_docstring(tree):
        yield ""
    for name, node in public(tree.body):
        # An overridden hook of a library is documented there.
        hook = "." in name and node.name.startswith("on_")
        if not (hook or ast.get_docstring(node)):
            yield name


def test_what_is_public_is_documented():
    assert list(undocumented(ast.parse("def f(): pass"))) == ["", "f"]
    assert [
        f"{name_of(path)}: {name}"
        for path in MODULES
        for name in undocumented(TREES[path])
    ] == []


def test_a_class_name_stands_for_one_class():
    modules = {}
    for path in MODULES:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.ClassDef):
                modules.setdefault(node.name, []).append(name_of(path))
    steps_params = modules.pop("Params")
    assert all(name.startswith("steps.") for name in steps_params)
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}


def test_a_module_name_stands_in_one_place():
    # A package's base class and a family's verifier are called alike everywhere, and
    # a command like the step that it runs.
    modules = {}
    for path in MODULES:
        if path.parent.name == "cli" and (PACKAGE / "steps" / path.name).is_file():
            continue
        if path.stem not in ("__init__", "base", "verifier"):
            modules.setdefault(path.stem, []).append(name_of(path))
    assert {stem: where for stem, where in modules.items() if len(where) > 1} == {}


def test_a_step_has_one_shape():
    from phi_kit import steps

    notebooks = sorted((ROOT / "notebooks").glob("0*.ipynb"))
    for number, (step, notebook) in enumerate(
        zip(steps.STEPS, notebooks, strict=True), 1
    ):
        module = steps.load(step)
        assert module.Params.STEP is step
        assert step.number == number
        assert notebook.stem == step.folder == f"{number:02}_{step.name}"
        assert callable(module.run)
        assert all(needed.number < number for needed in step.needs)
