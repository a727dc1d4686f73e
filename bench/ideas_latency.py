"""From a key to the paint on the curation desk, with 50,000 ideas.

The real application runs without a terminal; every update of the screen is rendered to bytes as it would be written,
and a key's latency ends with the first update that shows what the key did. ``python -m bench.ideas_latency`` prints it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from fairnad_screens.shell import Shell

_TEXT = """
depthwise convolution kernel residual branch normalisation activation attention gate channel stage stem
pooling resolution block width depth expansion projection shortcut after before replace insert add remove
every first last late early group window token mixer scale shift smooth hard large small two three with
without between
"""
_WORDS = _TEXT.split()
_TYPED = ("depthwise residual", "cat:conv kernel", "status:prop late", "paper:title 7", "stage width")
_KEYS = {" ": "space", ":": "colon"}
_PAPERS = 500


@dataclass(frozen=True)
class IdeasLatency:
    """Milliseconds at the 95th percentile, and seconds until all ideas are first shown.

    ``cpu`` is what the application's own thread computed, which other programs on the machine change little.
    """

    ideas: int
    first_shown_s: float
    filter_p95_ms: float
    filter_cpu_p95_ms: float
    decision_p95_ms: float
    decision_cpu_p95_ms: float
    hiding_decision_p95_ms: float
    move_p95_ms: float
    bulk_s: float
    decision_bytes: float


def fill(path: Path, ideas: int, seed: int = 7) -> None:
    """Make a workspace with that many proposed ideas of realistic length."""
    draw = random.Random(seed)
    with Store(path) as store:
        template, _ = template_of(store)
        for number in range(_PAPERS):
            sentences = [" ".join(draw.choices(_WORDS, k=draw.randint(14, 34))) for _ in range(ideas // _PAPERS)]
            text = ".\n".join(sentences)
            paper = PaperText(
                id=f"{number:016x}",
                title=f"Title {number} of {' '.join(draw.choices(_WORDS, k=5))}",
                authors=("A. Author",),
                year=2000 + number % 26,
                venue="",
                arxiv="",
                abstract="",
                text=text,
                source="bench",
                sections=(),
            )
            store.papers.add(paper)
            drafts = []
            for place, sentence in enumerate(sentences):
                sub = draw.choice(template.subs)
                start = text.index(sentence)
                name = f"{number}-{place}"
                span = (start, start + len(sentence))
                drafts.append(IdeaDraft(sub.main, sub.id, name, f"Use it: {sentence}.", sentence, span))
            store.ideas.file_extracted(paper.id, drafts, template, "bench")


class _Time(NamedTuple):
    passed: float
    computed: float


class _Paints:
    """Renders each update of the screen and notes when it was ready."""

    def __init__(self, app: Shell) -> None:
        self.app = app
        self.bytes = 0
        self._shown: Callable[[], bool] = lambda: False
        self._done: asyncio.Future[_Time] | None = None
        display = app._display

        def painted(screen: Any, renderable: Any) -> None:  # noqa: ANN401
            if hasattr(renderable, "render_segments"):
                self.bytes += len(renderable.render_segments(app.console).encode())
            display(screen, renderable)
            if self._done is not None and not self._done.done() and self._shown():
                self._done.set_result(_Time(time.perf_counter(), time.thread_time()))

        app._display = painted  # type: ignore[method-assign]

    async def seconds(self, pilot: Any, key: str, shown: Callable[[], bool]) -> _Time:  # noqa: ANN401
        """Press a key and return the seconds until an update shows what it did."""
        self._shown = shown
        self._done = asyncio.get_running_loop().create_future()
        begun = _Time(time.perf_counter(), time.thread_time())
        press = asyncio.ensure_future(pilot.press(key))
        ended = await asyncio.wait_for(self._done, 20)
        await press
        return _Time(ended.passed - begun.passed, ended.computed - begun.computed)


async def _measure(path: Path, ideas: int, keys: int) -> IdeasLatency:
    app = Shell(path)
    async with app.run_test(size=(120, 40)) as pilot:
        begun = time.perf_counter()
        desk: Any = app.goto("ideas")
        while len(desk.book.shown) != ideas:
            await pilot.pause(0.01)
        first = time.perf_counter() - begun
        paints = _Paints(app)
        await pilot.pause(0.5)
        moves = [await paints.seconds(pilot, "j", _is(lambda: desk.book.cursor, n + 1)) for n in range(keys)]
        decisions, written = [], paints.bytes
        for number in range(keys):
            count = desk.book.decided + 1
            decisions.append(await paints.seconds(pilot, "ar"[number % 2], _is(lambda: desk.book.decided, count)))
        written = paints.bytes - written
        typed = await _type(pilot, paints, desk)
        desk.filter_by("status:proposed cat:conv")
        await pilot.pause(0.2)
        hiding = []
        for _ in range(keys):
            count = len(desk.book.shown) - 1
            hiding.append(await paints.seconds(pilot, "a", _is(lambda: len(desk.book.shown), count)))
        desk.filter_by("")
        await pilot.press("asterisk", "r")
        rejected = desk.book.statuses["rejected"]
        bulk = await paints.seconds(pilot, "y", lambda: desk.book.statuses["rejected"] > rejected)
        await asyncio.wait_for(app.desk.write(lambda store: store.curation.sequence()), 60)
        return IdeasLatency(
            ideas,
            round(first, 2),
            *_p95(typed),
            *_p95(decisions),
            _p95(hiding)[0],
            _p95(moves)[0],
            round(bulk.passed, 2),
            round(written / keys),
        )


async def _type(pilot: Any, paints: _Paints, desk: Any) -> list[_Time]:  # noqa: ANN401
    seconds = []
    for text in _TYPED:
        await pilot.press("slash")
        for end, letter in enumerate(text, 1):
            key = _KEYS.get(letter, letter)
            seconds.append(await paints.seconds(pilot, key, _is(lambda: desk.filter_text, text[:end])))
        for end in range(len(text) - 1, -1, -1):
            seconds.append(await paints.seconds(pilot, "backspace", _is(lambda: desk.filter_text, text[:end])))
        await pilot.press("escape")
    return seconds


def _is(value: Callable[[], object], wanted: object) -> Callable[[], bool]:
    return lambda: value() == wanted


def _p95(times: list[_Time]) -> tuple[float, float]:
    at = int(0.95 * (len(times) - 1))
    return tuple(round(sorted(part)[at] * 1000, 1) for part in zip(*times, strict=True))


def measure(ideas: int = 50_000, keys: int = 100) -> IdeasLatency:
    """Fill a workspace, drive the desk with keys and return what was measured."""
    with tempfile.TemporaryDirectory(prefix="fairnad-bench-") as folder:
        path = Path(folder) / "fairnad.db"
        fill(path, ideas)
        return asyncio.run(_measure(path, ideas, keys))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(*map(int, sys.argv[1:])))))
