"""Kernel isolation of a sandboxed program: namespaces, Landlock, seccomp, rlimits.

Standard library only: `program_runner.py` loads this file by its path in a
process of its own, never in the kit's. Four mechanisms, each usable alone:

- namespaces: an empty network, its own process numbers, and a file system of
  the interpreter, the system libraries (both read-only) and one small folder;
- Landlock: files outside these cannot be opened, TCP cannot be used;
- seccomp: no system call but those on a list (`system_calls.py`);
- rlimits: CPU, memory, file size, open files.

Sources: man pages user_namespaces(7), pivot_root(2), landlock(7), seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct

WORK = "/work"
# The user id of a program inside; on the host it owns nothing.
NOBODY = 65534
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_NEW = {"ns": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000}
_NEW |= {"pid": 0x20000000, "net": 0x40000000}
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND = 1, 2, 4, 32, 4096
_REC, _PRIVATE, _DETACH = 16384, 1 << 18, 2
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS = 1, 4, 38

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> int:
    """A libc call; raises OSError with the call's name when it fails."""
    done = getattr(_libc, name)(*args)
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return done


def _mount(source: str, target: str, *, kind: str = "", flags: int, data: str = ""):
    words = (source.encode(), target.encode(), kind.encode() or None)
    _call("mount", *words, ctypes.c_ulong(flags), data.encode() or None)


def enter_namespaces(
    visible: list[str], packages: dict[str, str], *, megabytes: int, files: int
) -> None:
    """Leave the host's namespaces; only these paths and a small folder remain.

    Root keeps its user namespace (it changes its user id later); anybody else
    needs a new one.

    Raises:
        OSError: the kernel refuses it to this user.
    """
    kinds = _NEW["ns"] | _NEW["uts"] | _NEW["ipc"] | _NEW["pid"] | _NEW["net"]
    uid, gid = os.getuid(), os.getgid()
    try:
        if uid:
            raise PermissionError
        _call("unshare", kinds)
    except PermissionError:
        _call("unshare", kinds | _NEW["user"])
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {uid} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {gid} 1")
    _mount("none", "/", flags=_REC | _PRIVATE)
    _new_root(visible, packages, megabytes=megabytes, files=files)


def _write(path: str, words: str) -> None:
    with open(path, "w") as file:
        file.write(words)


def _new_root(
    visible: list[str], packages: dict[str, str], *, megabytes: int, files: int
) -> None:
    _mount("tmpfs", "/tmp", kind="tmpfs", flags=_NOSUID | _NODEV, data="mode=755")
    os.mkdir("/tmp/old")
    _call("pivot_root", b"/tmp", b"/tmp/old")
    os.chdir("/")
    for path in visible:
        _bind(path)
    for inside, outside in packages.items():
        _bind(outside, inside)
    os.mkdir(WORK)
    quota = f"size={megabytes}m,nr_inodes={files},mode=777"
    _mount("tmpfs", WORK, kind="tmpfs", flags=_NOSUID | _NODEV, data=quota)
    if not os.path.exists("/tmp"):  # unless Python itself lives there
        os.symlink(WORK, "/tmp")
    _call("umount2", b"/old", _DETACH)
    os.rmdir("/old")
    _mount("none", "/", flags=_BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)
    os.chdir(WORK)


def _bind(path: str, at: str = "") -> None:
    """Bind one path of the old root read-only, at the same path or at `at`."""
    at = at or path
    source = "/old" + path
    if not os.path.lexists(source):
        return
    os.makedirs(os.path.dirname(at), exist_ok=True)
    if os.path.islink(source):  # /lib -> usr/lib
        os.symlink(os.readlink(source), at)
        return
    if os.path.exists(at):
        return
    if os.path.isdir(source):
        os.mkdir(at)
    else:
        open(at, "w").close()
    _mount(source, at, flags=_BIND | _REC)
    if path not in DEVICES:
        # A user namespace may not clear flags that the old mount had.
        flags = os.statvfs(at).f_flag & (_NOSUID | _NODEV | 8 | 1024 | 2048)
        _mount("none", at, flags=_BIND | _REMOUNT | _RDONLY | _NOSUID | flags)


def drop_privileges(uid: int, work: str) -> None:
    """Drop every privilege that root or a user namespace gave.

    `uid` 0 keeps root's identity (its interpreter may be readable to root
    alone) but none of root's powers.

    Raises:
        OSError: the kernel refused.
    """
    if uid and os.getuid() == 0:
        try:
            _set_user(uid, work)
        except OSError:  # a container that maps few ids
            _set_user(NOBODY, work)
    header = struct.pack("II", 0x20080522, 0)  # capset(2), version 3
    _call("capset", header, struct.pack("6I", *[0] * 6))


def _set_user(uid: int, work: str) -> None:
    if os.stat(work).st_mode & 0o777 != 0o777:
        os.chown(work, uid, uid)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def die_with_parent() -> None:
    """Have the kernel send SIGKILL once the parent ends; it may have ended already."""
    _call("prctl", _PDEATHSIG, 9, 0, 0, 0)


def make_dumpable() -> None:
    """Let processes of the same user see which files this one has open."""
    _call("prctl", _DUMPABLE, 1, 0, 0, 0)


def no_new_privileges() -> None:
    """No set-uid program can give privileges back."""
    _call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)


def set_limits(*, seconds: int, megabytes: int, file_megabytes: int) -> None:
    """CPU, memory, file size, open files; no core dumps, no locked memory."""
    mega = 1 << 20
    wanted = {
        "CPU": (seconds, seconds + 1),
        "AS": (megabytes * mega,) * 2,
        "FSIZE": (file_megabytes * mega,) * 2,
        "NOFILE": (64, 64),
        "CORE": (0, 0),
        "MEMLOCK": (0, 0),
        "MSGQUEUE": (0, 0),
    }
    for name, pair in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            pair = tuple(min(limit, hard) for limit in pair)
        try:
            resource.setrlimit(kind, pair)
        except (OSError, ValueError):
            if name in ("CPU", "FSIZE"):  # macOS refuses AS; these two work anywhere
                raise


def limit_processes(count: int) -> None:
    """At most so many processes and threads of this user, wherever they run."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (count, count))


def restrict_files(readable: list[str], work: str) -> int:
    """Forbid by Landlock all other files, and TCP.

    Returns:
        The version of the kernel's interface; 0 where it has none.
    """
    version = _libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return 0
    rights = (1 << (13 + (version >= 2) + (version >= 3))) - 1
    rules = struct.pack("QQQ", rights, 3 * (version >= 4), 3 * (version >= 6))
    size = 8 + 8 * (version >= 4) + 8 * (version >= 6)
    ruleset = _call("syscall", 444, rules, ctypes.c_size_t(size), 0)
    reading = 0b1100  # READ_FILE | READ_DIR
    for path, allowed in [*((path, reading) for path in readable), (work, rights)]:
        try:
            beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not os.path.isdir(path):
            allowed &= 0b110  # a file can be read and written, not listed
        if path in DEVICES:
            allowed |= (0b10 | 1 << 14) & rights  # write, truncate
        rule = struct.pack("=Qi", allowed, beneath)
        _call("syscall", 445, ruleset, 1, rule, 0)
        os.close(beneath)
    _call("syscall", 446, ruleset, 0)
    os.close(ruleset)
    return version
