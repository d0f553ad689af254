"""Which system calls a sandboxed program may make: these, and no other.

Standard library only, loaded inside the sandbox. It is an allow-list, so that a call
nobody thought of, or one that the next kernel brings, is refused like any other.
Allowed is what Python, its library and numpy need to compute: memory, threads, time,
the program's own files. Landlock bounds *which* files, but not their modes, owners,
times and attributes: these can be changed only where namespaces show the host's files
read-only. A call that names a process may only name the program's own.

Numbers from the kernel's `syscall_64.tbl` and `asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import os
import struct

# Name: the number on x86_64, then on aarch64 (-1: it has none).
ALLOWED = {
    **{"read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66)},
    **{"futex": (202, 98), "mmap": (9, 222), "munmap": (11, 215)},
    **{"mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233)},
    **{"brk": (12, 214), "msync": (26, 227), "getrandom": (318, 278)},
    **{"pread64": (17, 67), "pwrite64": (18, 68), "preadv": (295, 69)},
    **{"pwritev": (296, 70), "preadv2": (327, 286), "pwritev2": (328, 287)},
    **{"lseek": (8, 62), "close": (3, 57), "close_range": (436, 436)},
    **{"fstat": (5, 80), "stat": (4, -1), "lstat": (6, -1)},
    **{"newfstatat": (262, 79), "statx": (332, 291), "access": (21, -1)},
    **{"faccessat": (269, 48), "faccessat2": (439, 439)},
    **{"readlink": (89, -1), "readlinkat": (267, 78), "getcwd": (79, 17)},
    **{"chdir": (80, 49), "fchdir": (81, 50)},
    **{"getdents": (78, -1), "getdents64": (217, 61)},
    **{"mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1)},
    **{"unlink": (87, -1), "unlinkat": (263, 35), "rename": (82, -1)},
    **{"renameat": (264, 38), "renameat2": (316, 276)},
    **{"symlink": (88, -1), "symlinkat": (266, 36)},
    **{"link": (86, -1), "linkat": (265, 37), "umask": (95, 166)},
    **{"ftruncate": (77, 46), "fsync": (74, 82), "fdatasync": (75, 83)},
    **{"dup": (32, 23), "dup2": (33, -1), "dup3": (292, 24)},
    **{"pipe": (22, -1), "pipe2": (293, 59), "poll": (7, -1), "ppoll": (271, 73)},
    **{"select": (23, -1), "pselect6": (270, 72)},
    **{"epoll_create": (213, -1), "epoll_create1": (291, 20)},
    **{"epoll_ctl": (233, 21), "epoll_wait": (232, -1), "epoll_pwait": (281, 22)},
    # A pair of sockets is how asyncio wakes itself.
    **{"recvfrom": (45, 207), "shutdown": (48, 210), "getsockname": (51, 204)},
    **{"getpeername": (52, 205), "getsockopt": (55, 209)},
    **{"set_robust_list": (273, 99), "set_tid_address": (218, 96)},
    **{"rseq": (334, 293), "sched_yield": (24, 124), "getcpu": (309, 168)},
    **{"rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135)},
    **{"rt_sigreturn": (15, 139), "rt_sigpending": (127, 136)},
    **{"rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133)},
    **{"sigaltstack": (131, 132), "pause": (34, -1), "alarm": (37, -1)},
    **{"setitimer": (38, 103), "getitimer": (36, 102)},
    **{"restart_syscall": (219, 128), "nanosleep": (35, 101)},
    **{"clock_nanosleep": (230, 115), "clock_gettime": (228, 113)},
    **{"clock_getres": (229, 114), "gettimeofday": (96, 169)},
    **{"time": (201, -1), "times": (100, 153)},
    **{"getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173)},
    **{"getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176)},
    **{"getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150)},
    **{"getgroups": (115, 158), "getpgrp": (111, -1), "uname": (63, 160)},
    **{"sysinfo": (99, 179), "getrusage": (98, 165), "getrlimit": (97, 163)},
    **{"wait4": (61, 260), "waitid": (247, 95)},
    **{"exit": (60, 93), "exit_group": (231, 94)},
}
# Modes and times of files, where no files of the host's can be named for writing.
OWN_FILES = {
    **{"chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53)},
    **{"utimensat": (280, 88), "utime": (132, -1), "utimes": (235, -1)},
}
# These depend on one of their arguments: its place, and what it may be.
PID = -1  # stands for the program's own process
CHOSEN: dict[str, tuple[tuple[int, int], int, tuple[int, ...]]] = {
    "kill": ((62, 129), 0, (PID,)),
    "tkill": ((200, 130), 0, (PID,)),
    "tgkill": ((234, 131), 0, (PID,)),
    "prlimit64": ((302, 261), 0, (0, PID)),
    "sched_getaffinity": ((204, 123), 0, (0, PID)),
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, and the locks
    # sqlite3 takes: no owner, no signal, no lease, no watch.
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 5, 6, 7, 1030)),
    # TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": (
        (16, 29),
        1,
        (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),
    ),
    # PR_SET_NAME, PR_GET_NAME: above all not the signal of the parent's death
    "prctl": ((157, 167), 0, (15, 16)),
    "socketpair": ((53, 199), 0, (1,)),  # AF_UNIX
}
_OPEN = (((2, -1), 1), ((257, 56), 2))  # open, openat: the place of the flags
_CLONE, _SENDTO = (56, 220), (44, 206)
# Libraries fall back to older calls if a newer one is not implemented.
_NEWER = 424
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
_LOAD, _EQ, _GE, _ANY, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_SECCOMP = 22

Line = tuple[int, int, int, int]


def _low(index: int) -> Line:
    """Load the lower half of an argument."""
    return _LOAD, 0, 0, 16 + 8 * index


def _case(number: int, *body: Line) -> list[Line]:
    """The rule for one call; a negative number is a call that does not exist."""
    return [] if number < 0 else [(_EQ, 0, len(body), number), *body]


def _one_of(index: int, values: tuple[int, ...], pid: int) -> list[Line]:
    lines = [_low(index)]
    for value in values:
        lines += [(_EQ, 0, 1, pid if value == PID else value), (_RET, 0, 0, _ALLOW)]
    return [*lines, (_RET, 0, 0, _EPERM)]


def _opening(index: int) -> list[Line]:
    """Refuse truncating a file that is opened without a right to write."""
    lines = [_low(index), (_AND, 0, 0, 0o1003)]  # O_TRUNC | O_ACCMODE
    for forbidden in (0o1000, 0o3, 0o1003):
        lines += [(_EQ, 0, 1, forbidden), (_RET, 0, 0, _EPERM)]
    return [*lines, (_RET, 0, 0, _ALLOW)]


def filter_program(machine: str, pid: int, *, own_files: bool) -> list[Line]:
    """The filter: (code, jump if true, jump if false, value).

    Args:
        machine: the architecture's name.
        pid: the only process that may be named.
        own_files: whether the program can change no files but its own.
    """
    column = list(_AUDIT).index(machine)
    # Another architecture's calls have other numbers.
    lines = [(_LOAD, 0, 0, 4), (_EQ, 1, 0, _AUDIT[machine]), (_RET, 0, 0, _KILL)]
    lines.append((_LOAD, 0, 0, 0))
    allowed = ALLOWED | (OWN_FILES if own_files else {})
    for numbers in allowed.values():
        lines += _case(numbers[column], (_RET, 0, 0, _ALLOW))
    for numbers, index, values in CHOSEN.values():
        lines += _case(numbers[column], *_one_of(index, values, pid))
    for numbers, index in _OPEN:
        lines += _case(numbers[column], *_opening(index))
    # A thread and nothing else: no process, no namespace, no tracing.
    thread = [_low(0), (_ANY, 0, 2, 0x10000), (_ANY, 1, 0, 0x7E023080)]
    lines += _case(_CLONE[column], *thread, (_RET, 0, 0, _ALLOW), (_RET, 0, 0, _EPERM))
    # To the other end of the pair, never to an address.
    halves = [(_LOAD, 0, 0, 48), (_EQ, 0, 3, 0), (_LOAD, 0, 0, 52), (_EQ, 0, 1, 0)]
    lines += _case(_SENDTO[column], *halves, (_RET, 0, 0, _ALLOW), (_RET, 0, 0, _EPERM))
    # Numbers from 2^30 are x86_64's x32 twins of the same calls.
    lines += [(_GE, 0, 1, 1 << 30), (_RET, 0, 0, _EPERM)]
    return [*lines, (_GE, 0, 1, _NEWER), (_RET, 0, 0, _ENOSYS), (_RET, 0, 0, _EPERM)]


def restrict_system_calls(*, own_files: bool) -> bool:
    """Refuse by seccomp every call not on the list; False where the kernel cannot.

    Threads stay possible; a second process does not, so that one limit bounds
    all memory and one signal ends everything.
    """
    machine = os.uname().machine
    if machine not in _AUDIT:
        return False
    lines = filter_program(machine, os.getpid(), own_files=own_files)
    body = b"".join(struct.pack("HBBI", *line) for line in lines)
    code = ctypes.create_string_buffer(body)
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
    return ctypes.CDLL(None, use_errno=True).prctl(_SECCOMP, 2, program, 0, 0) == 0
