"""A training row as the loss sees it, token by token.

In a notebook the tokens are coloured, on a terminal the row is split into
stretches with their names. The trained ones are also underlined and the end of
the turn framed, so that no meaning depends on colour alone (blue and orange
are Okabe and Ito's, https://jfly.uni-koeln.de/color/). Text keeps the colour of
the page and only its ground is tinted: it reads on light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from phi_kit.models.chat_template import control_token_ids

from .encoding import IGNORE_INDEX, EncodedRow

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STYLES = {
    "untrained": "opacity:0.65",
    "trained": "background-color:rgba(86,180,233,0.35);border-bottom:2px solid #0072B2",
    "end of turn": "background-color:rgba(230,159,0,0.30);"
    "border:2px solid #E69F00;font-weight:bold",
}
SPECIAL = "outline:1px dotted;border-radius:3px"
SHOWN = 600  # characters of a stretch that a message shows


@dataclass(frozen=True)
class TokenSpan:
    """A stretch of text of one or, inside a character, more tokens.

    Attributes:
        text: what the tokens say.
        ids: the tokens.
        kind: a key of `STYLES`.
        special: whether it is a control token, which stands for no text.
    """

    text: str
    ids: tuple[int, ...]
    kind: str
    special: bool


@dataclass(frozen=True)
class LossMaskView:
    """A training row as the loss sees it; show it in a cell, or print it."""

    pieces: tuple[TokenSpan, ...]

    @property
    def caption(self) -> str:
        """How many tokens are trained, and how the row ends."""
        counts = dict.fromkeys(STYLES, 0)
        for piece in self.pieces:
            counts[piece.kind] += len(piece.ids)
        total = sum(counts.values())
        trained = total - counts["untrained"]
        ends = [p for p in self.pieces if p.kind == "end of turn"]
        end = (
            f"the turn ends with {ends[-1].text} ({ends[-1].ids[0]})"
            if ends
            else "no end of turn is trained"
        )
        share = f"{trained / total:.1%}" if total else "-"
        return f"{trained} of {total} tokens are trained ({share}); {end}"

    def __str__(self) -> str:
        lines = []
        for kind, part in groupby(self.pieces, key=lambda piece: piece.kind):
            text = "".join(piece.text for piece in part)
            lines.append(f"{kind:>11} | {_cropped(text)}")
        return "\n".join([*lines, f"{'':>11} | {self.caption}"])

    def _repr_html_(self) -> str:
        spans = "".join(_span(piece) for piece in self.pieces)
        legend = " ".join(
            f'<span style="{style}">{kind}</span>' for kind, style in STYLES.items()
        )
        return (
            '<div style="font-family:monospace;line-height:1.9;white-space:pre-wrap;'
            f'overflow-wrap:anywhere">{spans}</div>'
            f'<p>{legend} <span style="{SPECIAL}">special token</span>. '
            f"{escape(self.caption)}.</p>"
        )


def view_loss_mask(tokenizer: PreTrainedTokenizerBase, row: EncodedRow) -> LossMaskView:
    """A row with its mask: trained, untrained, end of turn.

    Args:
        tokenizer: the model's own.
        row: its token ids and labels.
    """
    control = control_token_ids(tokenizer)
    trained = [i for i, label in enumerate(row.labels) if label != IGNORE_INDEX]
    last = trained[-1] if trained and row.labels[trained[-1]] in control else None
    pieces, tokens = [], []
    for position, token in enumerate(row.ids):
        tokens.append(token)
        text = tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        following = position + 1 < len(row.ids)
        kind = _kind(row, position, last)
        # Half a character decodes to a replacement sign: wait for the other half.
        if (
            text.endswith("\ufffd")
            and following
            and kind == _kind(row, position + 1, last)
        ):
            continue
        special = len(tokens) == 1 and token in control
        pieces.append(TokenSpan(text, tuple(tokens), kind, special))
        tokens = []
    return LossMaskView(tuple(pieces))


def _kind(row: EncodedRow, position: int, last: int | None) -> str:
    if position == last:
        return "end of turn"
    masked = position >= len(row.labels) or row.labels[position] == IGNORE_INDEX
    return "untrained" if masked else "trained"


def _span(piece: TokenSpan) -> str:
    style = STYLES[piece.kind]
    if piece.special and piece.kind != "end of turn":
        style = f"{style};{SPECIAL}"
    text = escape(piece.text).replace("\n", "⏎\n")
    title = f"{piece.kind}: {', '.join(map(str, piece.ids))}"
    return f'<span style="{style}" title="{title}">{text}</span>'


def _cropped(text: str) -> str:
    shown = text.replace("\n", "⏎")
    if len(shown) <= SHOWN:
        return shown
    half = SHOWN // 2
    return f"{shown[:half]} … {len(shown) - 2 * half} characters … {shown[-half:]}"
