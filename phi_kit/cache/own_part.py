"""Who draws what, where a room of people fills one ledger.

`PHI_KIT_PERSON` names who sits here. What a ledger lacks is then not leased all at
once, by whoever comes first: it falls into parts by the samples' keys, each person
begins with the part that her name falls on, and goes on with the next one of which
somebody has left something. So everyone in the room draws, no sample is paid for twice,
and nobody waits for the part of who has stayed at home.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Sequence

PERSON = "PHI_KIT_PERSON"
PARTS = 64  # kit default: enough for a room of forty


def person() -> str:
    """Who sits here; empty where nobody is named."""
    return os.environ.get(PERSON, "").strip()


def next_part(keys: Collection[str]) -> Sequence[str]:
    """Which of these samples to draw first.

    Args:
        keys: of samples that nobody draws; hexadecimal, as `store.sample_key` has them.

    Returns:
        This person's next part; all of them where nobody is named.
    """
    if not person():
        return list(keys)
    first = _part(hashlib.blake2b(person().encode(), digest_size=16).hexdigest())
    parts = defaultdict(list)
    for key in keys:
        parts[(_part(key) - first) % PARTS].append(key)
    return parts[min(parts)] if parts else []


def _part(key: str) -> int:
    return int(key[:8], 16) % PARTS
