"""``calibrate``: the reference networks trained here, against published numbers and for what a candidate will cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_tui.commands.train import PlainLines, training_display
from fairnad_tui.displays import Event
from fairnad_tui.options import json_option
from fairnad_tui.output import print_json, print_table, remark

if TYPE_CHECKING:
    from fairnad_engine.by_hand_training import Course
    from fairnad_engine.calibration import Calibration


@click.command()
@click.option("--protocol", default="digits", show_default=True, metavar="P", help="A shipped one, or a .toml.")
@click.option("--data", "dataset", default="digits", show_default=True, metavar="D", help="Data set.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder where data sets lie.")
@click.option("--splits", type=click.Path(path_type=Path), help="Folder with NAS-Bench-201's index files.")
@click.option("--epochs", type=click.IntRange(1, 10_000), help="Train this many [all; 1 for large data on a CPU].")
@click.option(
    "--candidates", type=click.IntRange(1), multiple=True, default=(100, 500), show_default=True, help="Hours for."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of weights and order.")
@click.option("--accept-weak-jail", is_flag=True, help="Run it although a layer of the jail is missing.")
@json_option
def calibrate(
    protocol: str,
    dataset: str,
    data_root: Path | None,
    splits: Path | None,
    epochs: int | None,
    candidates: tuple[int, ...],
    seed: int,
    accept_weak_jail: bool,
    as_json: bool,
) -> None:
    """Train the ResNet of NAS-Bench-201 and ResNet-32, and say what a candidate will cost on this machine.

    Where data set and protocol are the published ones, the result stands beside the published accuracy.
    """
    from fairnad_engine.by_hand import scratch_files
    from fairnad_engine.by_hand_training import read_course
    from fairnad_engine.calibration import calibrate as train_references
    from fairnad_engine.calibration import epochs_here

    course = read_course(dataset, protocol, data_root=data_root, splits=splits, seed=seed)
    count = epochs_here(course, epochs)
    whole = count == course.protocol.epochs
    if not whole:
        remark(
            f"training {count} of {course.protocol.epochs} epochs"
            + ("; there is no GPU here" if epochs is None else "")
            + "; seconds are an extrapolation, and no accuracy is compared"
        )
    # Epochs are remarks: what is printed as data is the result alone.
    display = training_display() if sys.stdout.isatty() else PlainLines(remark)

    def tell_epoch(name: str, epoch: Event) -> None:
        display.show({"event": "epoch", "file": name, **epoch, "total": count})

    with scratch_files() as files, display:
        found = list(train_references(course, count, files, tell_epoch, accept_weak_jail=accept_weak_jail))
    if as_json:
        print_json(_document(found, course, candidates))
    else:
        _show(found, course, candidates)


def _document(found: list[Calibration], course: Course, candidates: tuple[int, ...]) -> dict[str, object]:
    return {
        "dataset": course.info.name,
        "protocol": course.protocol.name,
        "protocol_epochs": course.protocol.epochs,
        "split": course.info.split_label,
        "networks": [
            {**one.as_dict(), "hours": {str(count): round(one.hours_for(count), 3) for count in candidates}}
            for one in found
        ],
    }


def _show(found: list[Calibration], course: Course, candidates: tuple[int, ...]) -> None:
    print_table(
        f"{course.label}; one training at a time",
        (
            *("network", "params", "MACs", "epochs", "val %", "published test %", "s/epoch", "s/candidate"),
            *(f"hours for {count}" for count in candidates),
        ),
        (
            (
                one.name,
                one.params,
                one.macs,
                f"{one.epochs} of {course.protocol.epochs}",
                f"{one.accuracy:.2f}",
                None if one.published is None else f"{one.published:.2f} ({one.accuracy - one.published:+.2f})",
                f"{one.seconds_per_epoch:.2f}",
                f"{one.candidate_seconds:.1f}",
                *(f"{one.hours_for(count):.2f}" for count in candidates),
            )
            for one in found
        ),
    )
    if any(one.published is not None for one in found):
        remark(
            "published numbers are test accuracies, of CIFAR-10 after training on all 50,000 images; "
            f"measured here is validation accuracy ({course.info.split_label})"
        )
