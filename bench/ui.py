"""The screens: first paint, keys among 50,000 ideas, bytes and processor time of the live desk, idling.

``python -m bench.ui`` (``make bench-ui``) prints one table and writes it to ``docs/benchmarks-ui.md``.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.terminal import Terminal

_ROUNDS = 7
_LIVE_SECONDS = 30.0
_BARE_APP = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("painted")
Bare().run()
"""
Row = tuple[str, str, str, bool]


def main() -> None:
    """Measure everything, print and write the table; exit 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*start_up(Path(folder)), *ideas(Path(folder)), *live(Path(folder)), *idle(Path(folder))]
    text = _table(rows)
    print(text)
    Path("docs/benchmarks-ui.md").write_text(text)
    sys.exit(0 if all(ok for *_, ok in rows) else 1)


def start_up(folder: Path) -> list[Row]:
    """First paint against a bare Textual app; ``--help`` against a bare interpreter.

    The first paint is the first frame: places and keys. The workspace's contents come
    when the store is open; their time stands beside it without a limit.
    """
    db = folder / "start.db"
    subprocess.run(
        [sys.executable, "-m", "fairnad_tui", "papers", "add", "samples", "--db", db],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    ours, contents, bare = [], [], []
    for _ in range(_ROUNDS):
        bare.append(_paint([sys.executable, "-c", _BARE_APP], b"painted"))
        frame, whole = _paint_of_home(db)
        ours.append(frame)
        contents.append(whole)
    paint = statistics.median(ours) / statistics.median(bare)
    whole_ratio = statistics.median(contents) / statistics.median(bare)
    helps = [_seconds([_program(), "--help"]) for _ in range(_ROUNDS)]
    empties = [_seconds([sys.executable, "-c", "pass"]) for _ in range(_ROUNDS)]
    help_ratio = statistics.median(helps) / statistics.median(empties)
    return [
        ("first paint, times a bare Textual app", f"{paint:.2f}", "2.00", paint <= 2),
        ("home with the workspace's contents, times a bare Textual app", f"{whole_ratio:.2f}", "", True),
        ("`--help`, times `python -c pass`", f"{help_ratio:.2f}", "8.00", help_ratio <= 8),
    ]


def ideas(folder: Path) -> list[Row]:
    """Keys on the curation desk with 50,000 ideas."""
    from bench.ideas_latency import measure

    found = measure()
    return [
        (
            "50,000 ideas: filter keystroke to paint, p95 ms",
            f"{found.filter_p95_ms:.0f}",
            "100",
            found.filter_p95_ms <= 100,
        ),
        (
            "50,000 ideas: decision key to paint, p95 ms",
            f"{found.decision_p95_ms:.0f}",
            "50",
            found.decision_p95_ms <= 50,
        ),
    ]


def live(folder: Path) -> list[Row]:
    """The search desk at 120x40 beside a run that writes 50 rows a second."""
    db = folder / "busy.db"
    writer = subprocess.Popen(
        [sys.executable, "-m", "bench.busy_run", str(db), str(_LIVE_SECONDS * 2)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    terminal = _open(db, (120, 40))
    try:
        terminal.wait_for(b"Workspace")
        terminal.press("S")
        terminal.read_for(8)
        cpu, started = terminal.cpu_seconds(), time.perf_counter()
        painted = terminal.read_for(_LIVE_SECONDS)
        seconds = time.perf_counter() - started
        share = (terminal.cpu_seconds() - cpu) / seconds * 100
    finally:
        terminal.close()
        writer.kill()
    rate = painted / seconds / 1024
    return [
        ("live search desk: KiB/s to the terminal", f"{rate:.1f}", "15.0", rate <= 15),
        ("live search desk: % of one core", f"{share:.1f}", "5.0", share <= 5),
    ]


def idle(folder: Path) -> list[Row]:
    """Home while nothing happens."""
    terminal = _open(folder / "start.db", (120, 40))
    try:
        terminal.wait_for(b"Workspace")
        terminal.read_for(5)
        cpu, started = terminal.cpu_seconds(), time.perf_counter()
        terminal.read_for(_LIVE_SECONDS)
        share = (terminal.cpu_seconds() - cpu) / (time.perf_counter() - started) * 100
    finally:
        terminal.close()
    return [("idle: % of one core", f"{share:.2f}", "1.00", share <= 1)]


def _program() -> str:
    return str(Path(sys.executable).with_name("fairnad-tui"))


def _open(db: Path, size: tuple[int, int]) -> Terminal:
    return Terminal([_program(), "--db", str(db)], size=size, environment=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", "FAIRNAD_CONFIG": "/nonexistent", "LANG": "C.UTF-8"}


def _paint(command: list[str], text: bytes) -> float:
    terminal = Terminal(command, size=(80, 24), environment=_environment())
    try:
        return terminal.wait_for(text)
    finally:
        terminal.close()


def _paint_of_home(db: Path) -> tuple[float, float]:
    terminal = Terminal([_program(), "--db", str(db)], size=(80, 24), environment=_environment())
    try:
        return terminal.wait_for(b"Home"), terminal.wait_for(b"Workspace")
    finally:
        terminal.close()


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _table(rows: list[Row]) -> str:
    lines = [
        "# The screens, measured",
        "",
        f"By `make bench-ui` on {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| what | measured | at most | met |",
        "|---|---:|---:|---|",
        *(f"| {what} | {value} | {limit} | {_met(limit, ok)} |" for what, value, limit, ok in rows),
        "",
    ]
    return "\n".join(lines)


def _met(limit: str, ok: bool) -> str:
    return "" if not limit else "yes" if ok else "no"


if __name__ == "__main__":
    main()
