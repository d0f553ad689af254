"""Ways out of the sandbox that harm nobody if one of them works.

Each is an expression, or lines that end in one: if it is true (or a system call's
result is not an error) the program got out. `{pid}` is a process of the host's,
`{canary}` a folder of the host's, `{port}` a port of the host's. `sys(name, …)` is a
system call made directly; a failed one is false.
"""

from __future__ import annotations

import re

PREAMBLE = '''
import ctypes, fcntl, os, resource, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {numbers!r}
class No:
    """A refused call: false, whatever its number says."""
    def __bool__(self):
        return False
def sys(name, *given):
    number = NUMBERS[name] if isinstance(name, str) else name
    given = [ctypes.c_char_p(x) if isinstance(x, bytes) else
             ctypes.c_long(x) if isinstance(x, int) else x for x in given]
    done = libc.syscall(ctypes.c_long(number), *given)
    return No() if done < 0 else True
PID, PARENT, CANARY = {pid}, os.getppid() or 2, "{canary}"
SECRET = CANARY + "/secret"
LIBRARY = os.__file__
def attempt():
'''
_END = """
try:
    got = attempt()
except Exception as error:
    print("refused:", type(error).__name__, error)
    raise SystemExit(1)
if got:
    print("GOT OUT", got)
else:
    print("refused:", ctypes.get_errno())
    raise SystemExit(1)
"""
# x86_64's numbers of calls that Python has no function for.
NUMBERS = {
    **{"kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129},
    **{"rt_tgsigqueueinfo": 297, "pidfd_open": 434, "pidfd_send_signal": 424},
    **{"pidfd_getfd": 438, "prlimit64": 302, "sched_setaffinity": 203},
    **{"sched_setscheduler": 144, "sched_setparam": 142, "sched_setattr": 314},
    **{"sched_getattr": 315, "setpriority": 141, "ioprio_set": 251},
    **{"ioprio_get": 252, "migrate_pages": 256, "move_pages": 279, "kcmp": 312},
    **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311},
    **{"process_madvise": 440, "get_robust_list": 274, "getpgid": 121},
    **{"chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92},
    **{"lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235},
    **{"utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190},
    **{"removexattr": 197, "setxattrat": 463, "file_setattr": 469},
    **{"truncate": 76, "creat": 85, "open": 2, "openat2": 437, "flock": 73},
    **{"fork": 57, "vfork": 58, "clone": 56, "clone3": 435, "execve": 59},
    **{"execveat": 322, "setsid": 112, "setpgid": 109, "unshare": 272},
    **{"setns": 308, "mount": 165, "umount2": 166, "fsopen": 430},
    **{"open_tree": 428, "mount_setattr": 442, "chroot": 161, "pivot_root": 155},
    **{"socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "sendto": 44},
    **{"sendmsg": 46, "sendmmsg": 307, "memfd_create": 319, "memfd_secret": 447},
    **{"shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240},
    **{"userfaultfd": 323, "io_uring_setup": 425, "io_setup": 206, "bpf": 321},
    **{"perf_event_open": 298, "keyctl": 250, "add_key": 248},
    **{"request_key": 249, "fanotify_init": 300, "inotify_init1": 294},
    **{"seccomp": 317, "landlock": 444, "name_to_handle_at": 303},
    **{"open_by_handle_at": 304, "personality": 135, "adjtimex": 159},
    **{"clock_adjtime": 305, "settimeofday": 164, "syncfs": 306, "sync": 162},
    **{"mlockall": 151, "set_mempolicy": 238, "vmsplice": 278, "splice": 275},
    **{"modify_ldt": 154, "iopl": 172, "ioperm": 173, "syslog": 103},
    **{"sethostname": 170, "capset": 126, "setuid": 105, "setresuid": 117},
    **{"setgroups": 116, "mknod": 133, "statfs": 137, "swapon": 167},
    **{"acct": 163, "quotactl": 179, "timerfd_create": 283, "signalfd4": 289},
    **{"timer_create": 222, "prctl": 157, "arch_prctl": 158, "sched_rr": 148},
}
ZERO = "struct.pack('16q', *[0] * 16)"
DAILY = {
    "limits of another process": "resource.prlimit(PID, resource.RLIMIT_CPU)",
    "sets a limit of another process": f"sys('prlimit64', PID, 7, {ZERO}, 0)",
    "pins another process": "os.sched_setaffinity(PID, {0}) or True",
    "mode of a file": "os.chmod(SECRET, 0o777) or True",
    "times of a file": "os.utime(SECRET, (1, 1)) or True",
    "attribute of a file": "os.setxattr(SECRET, 'user.x', b'1') or True",
    "owner of its signals": "r, w = os.pipe()\nfcntl.fcntl(r, 8, PID) or True",
    "which signal": "r, w = os.pipe()\nfcntl.fcntl(r, 10, 9) or True",
    "signals its parent": "os.kill(PARENT, 0) or True",
    "survives its parent": "sys('prctl', 1, 0, 0, 0, 0)",
    "a call of no number": "sys(999) or ctypes.get_errno() not in (1, 38)",
    "writes to its input": "os.write(0, b'x')",
    "a socket": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "a file in memory": "os.memfd_create('x')",
}
SLOW = {
    **{
        f"{name} of another process": f"sys('{name}', PID, {rest})"
        for name, rest in {
            "tkill": "0",
            "kill": "0",
            "rt_sigqueueinfo": f"0, {ZERO}",
            "pidfd_open": "0",
            "sched_setscheduler": f"0, {ZERO}",
            "sched_setparam": ZERO,
            "sched_setattr": f"{ZERO}, 0",
            "sched_getattr": f"{ZERO}, 48, 0",
            "kcmp": "os.getpid(), 0, 0, 0",
            "process_vm_readv": f"{ZERO}, 0, {ZERO}, 0, 0",
            "process_vm_writev": f"{ZERO}, 0, {ZERO}, 0, 0",
            "get_robust_list": f"{ZERO}, {ZERO}",
            "migrate_pages": f"64, {ZERO}, {ZERO}",
            "move_pages": f"0, {ZERO}, 0, {ZERO}, 0",
            "getpgid": "0",
            "setpgid": "0",
        }.items()
    },
    "tgkill of another process": "sys('tgkill', PID, PID, 0)",
    "tgqueueinfo": f"sys('rt_tgsigqueueinfo', PID, PID, 0, {ZERO})",
    "signals everybody": "os.kill(-1, 0) or True",
    "signals its group": "os.killpg(0, 0) or True",
    "signals the first process": "os.getpid() != 1 and os.kill(1, 0) is None",
    "priority of another process": "os.setpriority(os.PRIO_PROCESS, PID, 1) or True",
    "priority of a user": "os.setpriority(os.PRIO_USER, 0, 1) or True",
    "disk priority": "sys('ioprio_set', 1, PID, 0)",
    "disk priority is read": "sys('ioprio_get', 1, PID)",
    "limits of its parent": "resource.prlimit(PARENT, resource.RLIMIT_NOFILE)",
    "pins its parent": "os.sched_setaffinity(PARENT, {0}) or True",
    "affinity is read": "os.sched_getaffinity(PID)",
    "traced by its parent": "sys('ptrace', 0, 0, 0, 0)",
    "attaches to another process": "sys('ptrace', 16, PID, 0, 0)",
    "seizes another process": "sys('ptrace', 0x4206, PID, 0, 0)",
    "mode by a folder": "os.chmod('secret', 0o777, dir_fd=os.open(CANARY, 0x200000))",
    "mode of a folder": "os.chmod(CANARY, 0o777) or True",
    "mode of the library": "os.chmod(LIBRARY, 0o666) or True",
    "mode by its descriptor": "os.fchmod(os.open(LIBRARY, 0), 0o666) or True",
    "mode, the new way": "sys('fchmodat2', -100, SECRET.encode(), 0o777, 0)",
    "owner of a file": "os.chown(SECRET, -1, -1) or True",
    "owner of a link": "os.lchown(SECRET, -1, -1) or True",
    "owner by a descriptor": "os.fchown(os.open(LIBRARY, 0), -1, -1) or True",
    "times by nanoseconds": "sys('utimensat', -100, SECRET.encode(), 0, 0)",
    "times, the old way": "sys('utime', SECRET.encode(), 0)",
    "times, the older way": "sys('utimes', SECRET.encode(), 0)",
    "times of the library": "os.utime(os.open(LIBRARY, 0)) or True",
    "attribute of a link": "sys('lsetxattr', SECRET.encode(), b'user.x', b'', 0, 0)",
    "attribute by a descriptor": (
        "os.setxattr(os.open(LIBRARY, 0), 'user.phi-kit', b'') or True"
    ),
    "attribute, the new way": (
        f"sys('setxattrat', -100, SECRET.encode(), 0, b'user.x', {ZERO}, 16)"
    ),
    "removes an attribute": "sys('removexattr', SECRET.encode(), b'user.x')",
    "file attributes": f"sys('file_setattr', -100, SECRET.encode(), {ZERO}, 24, 0)",
    "cuts a file": "sys('truncate', SECRET.encode(), 0)",
    "cuts a file by reading it": "os.open(SECRET, os.O_TRUNC)",
    "opens a file for nothing": "os.open(SECRET, 3)",
    "opens the library for nothing": "os.open(LIBRARY, 3)",
    "opens a file to append": "os.open(SECRET, os.O_WRONLY | os.O_APPEND)",
    "creates a file": "sys('creat', (CANARY + '/made').encode(), 0o600)",
    "makes a folder": "os.mkdir(CANARY + '/made') or True",
    "removes a file": "os.unlink(SECRET) or True",
    "renames a file": "os.rename(SECRET, CANARY + '/other') or True",
    "takes a file in": "os.rename(SECRET, 'mine') or True",
    "links a file in": "os.link(SECRET, 'mine') or True",
    "links a file out": "open('a', 'w').close()\nos.link('a', CANARY + '/a') or True",
    "reads a file": "open(SECRET).read()",
    "lists a folder": "os.listdir(CANARY)",
    "reads by a link": "os.symlink(SECRET, 'a')\nopen('a').read()",
    "reads by a path handle": (
        "f = os.open(SECRET, 0x200000)\nopen('/proc/self/fd/%d' % f).read()"
    ),
    "reads its own memory map": "open('/proc/self/maps').read()",
    "reads its parent": "open('/proc/%d/environ' % PARENT, 'rb').read()",
    "writes to memory of its own": "open('/proc/self/mem', 'r+b')",
    "owner of signals, the new way": (
        "r, w = os.pipe()\nfcntl.fcntl(r, 15, struct.pack('ii', 1, PID))"
    ),
    "owner by ioctl": "a, b = socket.socketpair()\nfcntl.ioctl(a, 0x8901, PID) or True",
    "signals by ioctl": (
        "a, b = socket.socketpair()\nfcntl.ioctl(a, 0x5452, struct.pack('i', 1))"
    ),
    "lease on a file": "fcntl.fcntl(os.open(LIBRARY, 0), 1024, 0) or True",
    "watches a folder": (
        "fcntl.fcntl(os.open(os.path.dirname(LIBRARY), 0), 1026, 1) or True"
    ),
    "locks the library": "fcntl.flock(os.open(LIBRARY, 0), 6) or True",
    "larger pipes": "r, w = os.pipe()\nfcntl.fcntl(r, 1031, 1 << 20)",
    "types into a terminal": "fcntl.ioctl(0, 0x5412, b'x')",
    "its own terminal": "os.openpty()",
    "dumpable": "sys('prctl', 4, 1, 0, 0, 0)",
    "lets others trace it": "sys('prctl', 0x59616D61, -1, 0, 0, 0)",
    "takes over orphans": "sys('prctl', 36, 1, 0, 0, 0)",
    "a filter of its own": "sys('seccomp', 0, 0, 0)",
    "a filter by prctl": "sys('prctl', 22, 1, 0, 0, 0)",
    "a ruleset of its own": "sys('landlock', 0, 0, 1)",
    "a process": "os.fork() >= 0",
    "a process, quickly": "sys('vfork')",
    "a process by clone": "sys('clone', 17, 0, 0, 0, 0)",
    "a brother by clone": "sys('clone', 0x8011, 0, 0, 0, 0)",
    "a process that shares": "sys('clone', 0x4111, 0, 0, 0, 0)",
    "a process by clone3": f"sys('clone3', {ZERO}, 64)",
    "a thread of a new user": "sys('clone', 0x10010900, 0, 0, 0, 0)",
    "a program": "os.execv('/bin/true', ['true'])",
    "a program by a descriptor": "os.execve(os.open(LIBRARY, 0), ['x'], {})",
    "a session": "os.setsid() or True",
    "new namespaces": "sys('unshare', 0x10000000)",
    "another's namespaces": "sys('setns', 0, 0)",
    "shares nothing": "sys('unshare', 0x400)",
    "mounts": "sys('mount', b'none', b'/tmp', b'tmpfs', 0, 0)",
    "mounts, the new way": "sys('fsopen', b'tmpfs', 0)",
    "a copy of a tree": "sys('open_tree', -100, b'/', 1)",
    "unmounts": "sys('umount2', b'/tmp', 2)",
    "another root": "os.chroot('.') or True",
    **{
        f"a socket of family {family}": f"sys('socket', {family}, {kind}, 0)"
        for family, kind in ((1, 1), (2, 1), (2, 2), (10, 1), (16, 3), (17, 3))
    },
    **{f"a socket of family {f}": f"sys('socket', {f}, 5, 0)" for f in (38, 40)},
    "connects": "socket.create_connection(('127.0.0.1', {port}), timeout=1)",
    "sends to an address": (
        "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "a.sendto(b'x', '/dev/log')"
    ),
    "sends to a nameless address": (
        "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "a.sendto(b'x', b'\\0phi-kit')"
    ),
    "sends a descriptor": (
        "a, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [0])"
    ),
    "binds a socket": "a, b = socket.socketpair()\na.bind('here') or True",
    "secret memory": "sys('memfd_secret', 0)",
    "shared memory": "sys('shmget', 0, 4096, 0o1600)",
    "a queue": "sys('msgget', 0, 0o1600)",
    "semaphores": "sys('semget', 0, 1, 0o1600)",
    "a queue with a name": "sys('mq_open', b'phi-kit', 0o102, 0o600, 0)",
    "memory of the system": "open('/dev/shm/phi-kit-hostile', 'w')",
    "page faults": "sys('userfaultfd', 1)",
    "rings": f"sys('io_uring_setup', 1, {ZERO})",
    "asynchronous files": f"sys('io_setup', 1, {ZERO})",
    "programs of the kernel": f"sys('bpf', 0, {ZERO}, 64)",
    "counters": f"sys('perf_event_open', {ZERO}, 0, -1, -1, 0)",
    "keys": "sys('keyctl', 0, -3, 1)",
    "adds a key": "sys('add_key', b'user', b'phi-kit', b'x', 1, -2)",
    "watches files": "sys('inotify_init1', 0)",
    "watches everything": "sys('fanotify_init', 0x200, 0)",
    "handles of files": f"sys('name_to_handle_at', -100, b'/', {ZERO}, {ZERO}, 0)",
    "another personality": "sys('personality', 0x0040000)",
    "the clock": f"sys('adjtimex', {ZERO} * 2)",
    "the clock, the new way": f"sys('clock_adjtime', 0, {ZERO} * 2)",
    "flushes all disks": "sys('sync')",
    "flushes one disk": "sys('syncfs', os.open(LIBRARY, 0))",
    "locks memory": "sys('mlockall', 4)",
    "where memory lies": "sys('set_mempolicy', 0, 0, 0)",
    "gives pages away": "r, w = os.pipe()\nos.splice(os.open(LIBRARY, 0), w, 1)",
    "segments": f"sys('modify_ldt', 0, {ZERO}, 64)",
    "ports": "sys('iopl', 0)",
    "the kernel's words": "sys('syslog', 10, 0, 0)",
    "the machine's name": "socket.sethostname('phi-kit') or True",
    "becomes somebody": "os.setuid(os.getuid()) or True",
    "becomes root": "os.setresuid(0, 0, 0) or True",
    "joins groups": "os.setgroups([]) or True",
    "rights": f"sys('capset', {ZERO}, {ZERO})",
    "a device": "os.mknod('x', 0o20600, os.makedev(1, 3)) or True",
    "a pipe with a name": "os.mkfifo('x') or True",
    "a timer for others": f"sys('timer_create', 0, {ZERO}, {ZERO})",
    "an older twin": "sys(0x40000000 + 39) or ctypes.get_errno() not in (1, 38)",
    "cuts its input": "os.ftruncate(0, 1 << 20) or True",
    "opens its input anew": "open('/dev/fd/0', 'wb')",
    "opens its input by number": "open('/proc/self/fd/0', 'wb')",
    "maps its input": "import mmap\nmmap.mmap(0, 2)",
}
ESCAPES = DAILY | SLOW


def program(name: str, host: dict) -> str:
    """One of them as a program that ends with 0 if it got out."""
    *before, last = ESCAPES[name].split("\n")
    lines = [*before, f"return {last}" if not last.startswith("import") else last]
    body = "".join(f"    {line}\n" for line in lines)
    text = PREAMBLE.replace("{numbers!r}", repr(NUMBERS)) + body + _END
    return re.sub(r"\{(pid|canary|port)\}", lambda found: str(host[found[1]]), text)
