"""``train``: one backbone file verified, trained alone and scored."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_tui.displays import Display, Event, JsonLines, RichPanel
from fairnad_tui.options import Devices, Size, subject_options
from fairnad_tui.output import remark, tell

if TYPE_CHECKING:
    from fairnad_engine.by_hand_training import Course, Trained


@click.command()
@click.argument("file", metavar="FILE.py", required=False, type=click.Path(path_type=Path))
@click.option("--protocol", default="digits", show_default=True, metavar="P", help="A shipped one, or a .toml.")
@click.option("--data", "dataset", default="digits", show_default=True, metavar="D", help="Data set.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder where data sets lie.")
@click.option("--splits", type=click.Path(path_type=Path), help="Folder with NAS-Bench-201's index files.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of weights and order.")
@click.option("--max-params", type=Size(), help="Most parameters [no bound].")
@click.option("--max-macs", type=Size(), help="Most multiply-accumulates for one image [no bound].")
@click.option("--devices", type=Devices(), default="auto", show_default=True, metavar="D", help="cpu, cuda:0 ...")
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help="Keep source, graph and weights there.")
@subject_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: verdict, epoch ..., trained.")
def train(
    file: Path | None,
    protocol: str,
    dataset: str,
    data_root: Path | None,
    splits: Path | None,
    seed: int,
    max_params: int | None,
    max_macs: int | None,
    devices: Any,  # noqa: ANN401
    save: Path | None,
    class_name: str | None,
    arguments: tuple[str, ...],
    allow_imports: tuple[str, ...],
    width: float | None,
    accept_weak_jail: bool,
    as_json: bool,
) -> None:
    """Verify a backbone file, train it alone, and score it on the validation split; the test split is never read."""
    from fairnad_engine.by_hand import UNLIMITED, examine, read_subject, require_passed, scratch_files
    from fairnad_engine.by_hand_training import check_free, read_course, save_folder, train_alone

    course = read_course(dataset, protocol, data_root=data_root, splits=splits, seed=seed)
    subject = read_subject(file, class_name, arguments, allow_imports, width)
    if save is not None:
        check_free(save)
    with scratch_files() as files, JsonLines() if as_json else training_display() as display:
        limits = course.limits(max_params or UNLIMITED, max_macs or UNLIMITED)
        (found,) = examine([subject], limits, files, accept_weak_jail=accept_weak_jail, seed=seed)
        require_passed(found)
        display.show({"event": "verdict", **found.as_dict()})
        trained = train_alone(found, course, files, lambda epoch: display.show(_epoch_event(epoch, course)), devices)
        display.show(trained_event(subject.label, trained, course))
        if save is not None:
            save_folder(found, trained, course, files, save)
    if save is not None:
        remark(f"kept in {save}; score it again with: fairnad-tui evaluate {save}")


class PlainLines:
    """A sentence a line.

    Args:
        say: Where lines go.
    """

    def __init__(self, say: Callable[[str], None] = tell) -> None:
        self._say = say

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, event: Event) -> None:
        """Print the event."""
        self._say(_sentence(event))
        sys.stdout.flush()

    def activity(self, now: dict[str, str]) -> None:
        """Say nothing: lines want results only."""


class _Panel(RichPanel):
    """The live panel, with this command's sentences."""

    def sentence(self, event: Event) -> str:
        return _sentence(event)


def training_display() -> Display:
    """A live panel on a terminal, lines otherwise."""
    return _Panel() if sys.stdout.isatty() else PlainLines()


def _epoch_event(epoch: Event, course: Course) -> Event:
    return {"event": "epoch", **epoch, "done": epoch["epoch"], "total": course.protocol.epochs, "unit": "epochs"}


def trained_event(label: str, trained: Trained, course: Course) -> Event:
    """The last word about a training."""
    return {
        "event": "trained",
        "file": label,
        "validation_accuracy": trained.accuracy,
        "dataset": course.info.name,
        "protocol": course.protocol.name,
        "epochs": course.protocol.epochs,
        "split": course.info.split_label,
        "seed": course.seed,
        "seconds": trained.seconds,
        "label": course.label,
    }


def _sentence(event: Event) -> str:
    match event["event"]:
        case "verdict":
            return f"{event['file']}: passed, {event['params']:,} parameters, {event['macs']:,} MACs"
        case "epoch":
            score = event["validation_accuracy"]
            name = f"{event['file']}  " if "file" in event else ""
            return (
                f"{name}epoch {event['epoch']:>3}/{event['total']}  loss {event['train_loss']:.4f}  "
                f"train {event['train_accuracy']:6.2f} %  validation {'     -' if score is None else f'{score:6.2f}'} %"
                f"  lr {event['learning_rate']:.5f}  {event['seconds']:.2f} s"
            )
        case _:
            return (
                f"{event['validation_accuracy']:.2f} % validation on {event['label']}, seed {event['seed']}, "
                f"{event['seconds']:.1f} s"
            )
