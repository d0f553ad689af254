"""The domains: what can be asked, and how each answer is checked.

`get` finds a domain by its name; `of` builds the one that a step works on, which a
study may have defined or given another instruction.
"""

from .registry import get, listed, names
from .study_domain import all_known, known, of

__all__ = ["all_known", "get", "known", "listed", "names", "of"]
