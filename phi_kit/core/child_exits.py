"""Whether this process hears of the end of its children.

With SIGCHLD ignored the system clears them away by itself: `subprocess` takes each for
one that ended well, and `os.wait4` finds none. Python neither sees that where a library
has done it, nor can it change it outside the main thread; the C library can.
"""

from __future__ import annotations

import ctypes
import signal

_LIBC = ctypes.CDLL(None)
_ACTION_BYTES = 512  # of a `struct sigaction`: 152 on Linux, 16 on macOS


def child_action() -> ctypes.Array:
    """What happens when a child ends, for `set_child_action` (sigaction(2))."""
    action = ctypes.create_string_buffer(_ACTION_BYTES)
    _LIBC.sigaction(int(signal.SIGCHLD), None, action)
    return action


def set_child_action(action: ctypes.Array) -> None:
    """Put back what `child_action` has told, in any thread."""
    _LIBC.sigaction(int(signal.SIGCHLD), action, None)


def hear_of_children() -> None:
    """Hear of the end of children again, in any thread: the system's default."""
    # All zeros are SIG_DFL without flags, on Linux and on macOS.
    set_child_action(ctypes.create_string_buffer(_ACTION_BYTES))


def children_are_ignored() -> bool:
    """Whether nobody can tell how a child of this process ended."""
    # The handler is the structure's first field, on Linux and on macOS.
    handler = ctypes.c_void_p.from_buffer(child_action()).value
    return handler == signal.SIG_IGN
