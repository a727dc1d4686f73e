"""How a followed job looks: JSON lines for programs and logs, a live panel on a terminal."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any, Protocol

from fairnad_engine.text import sanitize, single_line
from fairnad_tui.left import left_text

Event = dict[str, Any]


class Display(Protocol):
    """Shows events as they come."""

    def __enter__(self) -> Display:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""

    def show(self, event: Event) -> None:
        """Show one event."""

    def activity(self, now: dict[str, str]) -> None:
        """Show what goes on now."""


class JsonLines:
    """One JSON object a line on standard output."""

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Print the event."""
        sys.stdout.write(json.dumps(event, sort_keys=True) + "\n")
        sys.stdout.flush()

    def activity(self, now: dict[str, str]) -> None:
        """Say nothing: a log wants results only."""


class Silent:
    """Shows nothing, where standard output holds one document."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Say nothing."""

    def activity(self, now: dict[str, str]) -> None:
        """Say nothing."""


class RichPanel:
    """Results scroll by; below them a bar and what each worker does."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._bar: Any = None
        self._lines: list[Any] = []

    def __enter__(self) -> RichPanel:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._lines:
            self._progress.remove_task(task)
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Print a line and move the bar."""
        from rich.text import Text

        line = self.sentence(event)
        if line:
            self._console.print(Text(sanitize(line)))
        if "done" in event and "total" in event:
            if self._bar is None:
                self._bar = self._progress.add_task(str(event.get("unit", "")), total=event["total"])
            self._progress.update(self._bar, completed=event["done"], total=event["total"])

    def sentence(self, event: Event) -> str:
        """The line that an event is shown by; empty for none."""
        return _sentence(event)

    def activity(self, now: dict[str, str]) -> None:
        """Show what each subject goes through, one line each."""
        wanted = [single_line(f"{subject}  {doing}", 70) for subject, doing in sorted(now.items())][:6]
        while len(self._lines) < len(wanted):
            self._lines.append(self._progress.add_task("", total=None))
        for task, text in zip(self._lines, wanted + [""] * len(self._lines), strict=False):
            self._progress.update(task, description=text, visible=bool(text))


def choose_display() -> Display:
    """A live panel on a terminal, JSON lines otherwise."""
    return RichPanel() if sys.stdout.isatty() else JsonLines()


def _sentence(event: Event) -> str:
    match event["event"]:
        case "candidate" if event["status"] == "trained":
            return (
                f"{event['id']:<10} {event['validation_accuracy']:6.2f} %  {event['params']:>9,} params  "
                f"{event['macs']:>11,} MACs  {single_line(event['change'], 60)}"
            )
        case "candidate" if event["status"] == "screened":
            return f"{event['id']:<10} stopped after the short schedule: {single_line(event['change'], 60)}"
        case "candidate":
            return f"{event['id']:<10} {event['status']}: {event['failure']}"
        case "generation":
            best = f"{event['best_accuracy']:.2f} %" if event["best_accuracy"] is not None else "-"
            return (
                f"generation {event['number']} done: {event['trained']} trained, best {best}, "
                f"hypervolume {event['hypervolume']:.4f}"
            )
        case "left":
            return f"left: {left_text(event['hours'])}"
        case "papers":
            return f"{event['added']} papers added, {event['known']} already there, {event['problems']} not readable"
        case "proposed" if event["proposals"]:
            return f"{event['proposals']} categories proposed so far"
        case "state":
            return f"{event['job']} {event['state']}" + (f": {event['message']}" if event["message"] else "")
        case "report":
            return f"report: {event['path']}"
        case _:
            return ""
