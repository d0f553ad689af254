"""The files that a sandboxed program may see, and the command that starts it."""

from __future__ import annotations

import os
import py_compile
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WORK = "/work"
# Where the packages lie that some tests need, apart from Python's own library.
PACKAGES = "/packages"
# Everything that is loaded inside a sandbox lies in this folder.
_INSIDE = Path(__file__).parent / "inside"


@cache
def visible_paths() -> list[str]:
    """What Python needs to run: its library, the C libraries, three devices."""
    base = {"platbase": sys.base_exec_prefix}  # not the virtual environment's
    python = [sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib")]
    python += [f"{sys.base_prefix}/lib", sysconfig.get_config_var("LIBDIR") or ""]
    paths = {os.path.realpath(path) for path in [*python, sys.executable] if path}
    paths |= {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"}
    paths |= {"/etc/ld.so.cache", "/etc/localtime"}
    paths |= {"/dev/null", "/dev/zero", "/dev/urandom"}
    existing = [path for path in paths if path != "/" and Path(path).exists()]
    outer = [
        p for p in existing if not any(str(up) in existing for up in Path(p).parents)
    ]
    return sorted(outer, key=lambda path: (path.count("/"), path))


@cache
def interpreter_is_public() -> bool:
    """Whether a user without rights could still read the interpreter."""
    library = Path(os.path.realpath(sysconfig.get_path("stdlib")))
    return all(folder.stat().st_mode & 1 for folder in [library, *library.parents])


@cache
def package_folders(name: str) -> dict[str, str]:
    """An installed package's folders: path inside the sandbox to path outside."""
    spec = find_spec(name)
    if spec is None or not spec.origin:
        return {}
    package = Path(os.path.realpath(spec.origin)).parent
    folders = (package, package.with_name(f"{name}.libs"))
    return {f"{PACKAGES}/{path.name}": str(path) for path in folders if path.is_dir()}


@cache
def compile_inside() -> None:
    """Compile the files of `inside` once: every program loads them."""
    for file in sorted(_INSIDE.glob("*.py")):
        with suppress(OSError):  # a folder that cannot be written to
            py_compile.compile(str(file), quiet=2)


def runner_command(mode: str, *, disk: int, packages: Mapping[str, str]) -> list[str]:
    """The command line that starts the runner.

    Args:
        mode: the isolation.
        disk: megabytes that it may write.
        packages: folders it may read, as `package_folders` gives them.
    """
    compile_inside()
    # -I and -S: no user site, no environment, no packages.
    python = [os.path.realpath(sys.executable), "-I", "-S", "-B", "-X", "utf8"]
    if mode == "bubblewrap":
        return [
            *_bwrap(disk, packages),
            *python,
            "/inside/program_runner.py",
            "/inside",
        ]
    return [*python, str(_INSIDE / "program_runner.py"), str(_INSIDE)]


def _bwrap(disk: int, packages: Mapping[str, str]) -> list[str]:
    words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    words += ["--unshare-uts", "--die-with-parent", "--as-pid-1", "--clearenv"]
    if os.getuid() == 0:  # the runner becomes a user of its own
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID"]
        words += ["--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    # Left to itself, bwrap makes what stands above a private folder private, too.
    above = {str(up) for path in visible_paths() for up in Path(path).parents} - {"/"}
    for folder in sorted(above):
        words += ["--perms", "0755", "--dir", folder]
    for path in visible_paths():
        if Path(path).is_symlink():
            words += ["--symlink", str(Path(path).readlink()), path]
        else:
            words += ["--dev-bind" if path.startswith("/dev/") else "--ro-bind"]
            words += [path, path]
    for file in sorted(_INSIDE.glob("*.py")):
        words += ["--ro-bind", str(file), f"/inside/{file.name}"]
    for inside, outside in packages.items():
        words += ["--ro-bind", outside, inside]
    words += ["--perms", "0777", "--size", str(disk << 20), "--tmpfs", WORK]
    if not any(path.startswith("/tmp/") for path in visible_paths()):
        words += ["--symlink", WORK, "/tmp"]
    return [*words, "--remount-ro", "/", "--chdir", WORK]
