"""A PostgreSQL server of one's own in a temporary folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


def binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = shutil.which("initdb")
    return Path(path).parent if path else found[-1].parent if found else None


@contextmanager
def server():
    """Start one, and give a URL for it; without PostgreSQL the test is skipped."""
    bin_ = binaries()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="phi-kit-postgres-"))
    os.chown(folder, user, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*words):
        done = subprocess.run(
            [str(word) for word in words],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data, log = folder / "data", folder / "log"
    run(bin_ / "initdb", "-D", data, "-U", "phi", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    # Its output may not go into our pipe, which would never end.
    start = (bin_ / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options)
    run(*start, "start")
    try:
        yield Server(f"postgresql://phi@127.0.0.1:{port}/postgres", run, start)
    finally:
        run(bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    def __init__(self, url, run, start):
        self.url, self._run, self._start = url, run, start

    def restart(self):
        self._run(*self._start, "-m", "fast", "restart")


def _user():
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return os.getuid()
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("no unprivileged user")
