"""What a model writes about each paper in hand, below each other in equal parts of the pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from fairnad_screens.text import GLYPHS, plain, plain_line

_LEAST = 3  # lines of a part: what goes on, and two of the text


@dataclass(frozen=True)
class InHand:
    """A paper in hand: ``doing`` says what it goes through, ``stream`` what the model wrote last."""

    id: str
    doing: str
    stream: str


def streams(papers: Sequence[InHand], here: str, width: int, height: int) -> Content:
    """The end of each stream.

    Args:
        papers: The papers in hand, in the order in which they were begun.
        here: The paper under the cursor, which is among those shown where there is no room for all.
        width: Of the pane, in cells.
        height: Of the pane, in lines.
    """
    room = max(1, height // _LEAST)
    shown = list(papers)
    if len(shown) > room:
        room = max(1, (height - 1) // _LEAST)
        shown = sorted(shown, key=lambda one: one.id != here)[:room]
    left = len(papers) - len(shown)
    share, more = divmod(max(_LEAST, height - bool(left)), len(shown))
    lines: list[Content] = []
    for place, one in enumerate(shown):
        lines += _part(one, width, share + (place < more))
    if left:
        lines.append(plain_line(f"and {left} more in hand", width, "dim"))
    return Content("\n").join(lines)


def _part(one: InHand, width: int, height: int) -> list[Content]:
    """One paper in exactly so many lines."""
    step, _, title = one.doing.partition(": ")
    head = plain_line(f"{GLYPHS.running} {step} now: {title}", width, "bold $accent")
    text = one.stream[-2 * width * height :].strip("\n")
    if text:
        written = [line for part in plain(text).split("\n", allow_blank=True) for line in part.wrap(width)]
    else:
        written = [plain_line("The model has written nothing about it yet.", width, "dim")]
    last = written[-(height - 1) :]
    return [head, *last, *[Content("")] * (height - 1 - len(last))]
