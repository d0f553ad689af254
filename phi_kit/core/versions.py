"""What a result may depend on besides its parameters: versions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from phi_kit import __version__

_VERSIONS = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "papermill")


def versions() -> Mapping[str, str]:
    """The versions a result may depend on."""
    found = {"phi_kit": __version__, "python": sys.version.split()[0]}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
