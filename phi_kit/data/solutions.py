"""The worked solution that a source gives beside an answer, as it will be taught."""

from __future__ import annotations

import re

from .records import is_sentinel

# What GSM8K's solutions say to a calculator: `48/2 = <<48/2=24>>24`
# (arXiv 2110.14168, section 3). Whoever reads them sees each result twice.
_ANNOTATION = re.compile(r"<<[^<>\n]*=[ \t]*[-$]?[\d.][^<>\n]*>>")


def clean_solution(text: str) -> str:
    """A solution with line ends of one kind and without calculator annotations.

    What only says that there is none (`N/A`, `proof`) is empty. Tags around a
    thought stay.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = _ANNOTATION.sub("", plain).strip()
    return "" if is_sentinel(plain) else plain


def split_at_mark(text: str, mark: str) -> tuple[str, str]:
    """What stands before the last occurrence of a mark, and what after it.

    Without the mark nothing stands after it.
    """
    before, found, after = text.rpartition(mark) if mark else (text, "", "")
    return (before.strip(), after.strip()) if found else (text.strip(), "")
