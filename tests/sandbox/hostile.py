"""Programs that try to hurt the host, and what the sandbox must make of them.

Each is run as a script. `{canary}` is a folder of the host's that must stay as
it is, `{port}` a port of the host's where nobody may ever knock, `{pid}` a
process of the host's that must live on.
"""

# Statuses a program may end with; "finished" means that it failed in its own way.
HOSTILE = {
    "fork bomb": "import os\nwhile True:\n    os.fork()",
    "fork bomb that catches": """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "a daemon that survives": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(30)
        open("{canary}/daemon", "w").write("x")
""",
    "thread bomb": """
import threading, time
kept = []
while True:
    kept.append(threading.Thread(target=time.sleep, args=(60,)))
    kept[-1].start()
""",
    "memory bomb": "x = []\nwhile True:\n    x.append(bytearray(1 << 24))",
    "one huge number": "x = 10 ** 10 ** 10\nprint(x)",
    "a string that doubles": 'x = "a"\nwhile True:\n    x += x',
    "shared memory": """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 1 << 26))
    kept[-1].write(b"x" * (1 << 26))
""",
    "memory files": """
import os
kept = []
while True:
    kept.append(os.memfd_create("x"))
    os.write(kept[-1], b"x" * (1 << 24))
""",
    "endless output": 'while True:\n    print("a" * 10000)',
    "endless errors": 'import sys\nwhile True:\n    sys.stderr.write("a" * 10000)',
    "output like a zip bomb": """
import zlib, sys
packed = zlib.compress(b"0" * (1 << 27))
while True:
    sys.stdout.buffer.write(zlib.decompress(packed))
""",
    "endless loop": "while True:\n    pass",
    "sleep for ever": "import time\ntime.sleep(10 ** 6)",
    "ignores every signal": """
import signal
for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
""",
    "handles the alarm": """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGXCPU, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
signal.signal(signal.SIGALRM, lambda *_: None)
while True:
    time.sleep(0.1)
""",
    "network": """
import socket
socket.create_connection(("1.1.1.1", 53), timeout=2).send(b"x")
print("connected")
""",
    "a socket to this host": """
import socket
socket.create_connection(("127.0.0.1", {port}), timeout=2).send(b"x")
print("connected")
""",
    "name lookup": """
import socket
print("resolved", socket.gethostbyname("example.org"))
""",
    "reads the home folder": """
import os
print("read", open("{canary}/secret").read())
""",
    "reads the passwords": 'print("read", open("/etc/shadow").read())',
    "reads another process": """
import os
for one in ("{pid}", "1", str(os.getppid())):
    print("read", open(f"/proc/{one}/environ", "rb").read())
""",
    "lists all processes": """
import os
print("read", [n for n in os.listdir("/proc") if n == "{pid}"])
""",
    "writes outside": 'open("{canary}/written", "w").write("x")\nprint("wrote")',
    "removes a folder": """
import shutil
shutil.rmtree("{canary}")
print("removed")
""",
    "escapes by a link": """
import os
os.symlink("{canary}", "link")
open("link/written", "w").write("x")
print("wrote")
""",
    "climbs out": 'open("../../../../../../{canary}/written", "w").write("x")',
    "writes to shared memory": """
open("/dev/shm/phi-kit-hostile", "w").write("x")
print("wrote")
""",
    "writes to the system": 'open("/usr/lib/phi-kit-hostile", "w").write("x")',
    "kills its parent": """
import os
os.kill(os.getppid(), 9)
os.kill({pid}, 9)
print("killed")
""",
    "kills everybody": "import os\nos.kill(-1, 9)\nos.killpg(0, 9)\nprint('killed')",
    "traces a process": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, {pid}, 0, 0) == 0 or libc.ptrace(0, 0, 0, 0) == 0:
    print("traced")
else:
    raise SystemExit(1)
""",
    "becomes root": "import os\nos.setuid(0)\nos.seteuid(0)\nos.chroot('/')\n",
    "mounts": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"none", b"/work", b"tmpfs", 0, None) == 0:
    print("mounted")
else:
    raise SystemExit(1)
""",
    "new namespaces": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) == 0:
    print("unshared")
else:
    raise SystemExit(1)
""",
    "starts a shell": 'import os\nprint("ran", os.execv("/bin/sh", ["sh"]))',
    "starts a program": 'import subprocess\nprint("ran", subprocess.run(["id"]))',
    "deep recursion": """
import sys
sys.setrecursionlimit(10 ** 9)
def f(x):
    return f(x + 1) + 1
f(0)
""",
    "overflows the C stack": """
import sys
sys.setrecursionlimit(10 ** 9)
x = []
for _ in range(10 ** 6):
    x = [x]
repr(x)
""",
    "segmentation fault": "import ctypes\nctypes.string_at(0)",
    "closes every descriptor": """
import os
os.closerange(0, 1000)
while True:
    pass
""",
    "huge file": """
with open("huge", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
""",
    "huge sparse file": 'open("sparse", "wb").truncate(1 << 45)',
    "many huge files": """
for n in range(10 ** 6):
    with open(f"huge{n}", "wb") as file:
        file.write(b"x" * (1 << 23))
""",
    "files without end": "for n in range(10 ** 7):\n    open(str(n), 'w').close()",
    "folders without end": """
import os
while True:
    os.mkdir("a")
    os.chdir("a")
""",
    "a folder nobody can remove": """
import os
os.makedirs("a/b/c")
open("a/b/c/file", "w").close()
os.symlink("{canary}", "a/b/link")
os.chmod("a/b/c", 0)
os.chmod("a/b", 0)
os.chmod(".", 0)
raise SystemExit(1)
""",
    "descriptors without end": "import os\nwhile True:\n    os.open('/dev/null', 0)",
    "reads the terminal": 'print("read", open("/dev/tty").read())',
    "waits for input": "while True:\n    input()",
    "leaves at once": "import os\nos._exit(1)",
    "raises a class of its own": """
class Evil(BaseException):
    def __str__(self):
        raise self
raise Evil
""",
}
