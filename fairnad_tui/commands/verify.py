"""``verify``: one backbone file through jail, graph and checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_tui.options import ImageShape, Size, json_option, subject_options
from fairnad_tui.output import print_json, print_table, tell

if TYPE_CHECKING:
    from fairnad_engine.by_hand import Examination

_REFUSED = 8


@click.command()
@click.argument("file", metavar="FILE.py", required=False, type=click.Path(path_type=Path))
@click.option("--input", "shape", type=ImageShape(), default="3x32x32", show_default=True, help="Shape of an image.")
@click.option("--classes", type=click.IntRange(2, 100_000), default=10, show_default=True, help="Number of classes.")
@click.option("--max-params", type=Size(), help="Most parameters [no bound].")
@click.option("--max-macs", type=Size(), help="Most multiply-accumulates for one image [no bound].")
@click.option("--budget", metavar="PARAMS,MACS", help="Both bounds at once, such as 1.5M,0.2G.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Seed of the initial weights.")
@subject_options
@json_option
def verify(
    file: Path | None,
    shape: tuple[int, int, int],
    classes: int,
    max_params: int | None,
    max_macs: int | None,
    budget: str | None,
    seed: int,
    class_name: str | None,
    arguments: tuple[str, ...],
    allow_imports: tuple[str, ...],
    width: float | None,
    accept_weak_jail: bool,
    as_json: bool,
) -> None:
    """Send a backbone file through jail, graph and checks, and say what came of it.

    FILE.py holds `class Backbone(nn.Module)` as the search writes it, or any class or function that --class names;
    without a file, --class torchvision.models:resnet18 takes it from an installed package. The exit code is 8 where it
    is refused.
    """
    from fairnad_engine.by_hand import UNLIMITED, Limits, examine, read_subject, scratch_files

    if budget is not None:
        max_params, max_macs = _bounds(budget, max_params, max_macs)
    limits = Limits(shape, classes, max_params or UNLIMITED, max_macs or UNLIMITED)
    subject = read_subject(file, class_name, arguments, allow_imports, width)
    with scratch_files() as files:
        (found,) = examine([subject], limits, files, accept_weak_jail=accept_weak_jail, seed=seed)
    if as_json:
        print_json(found.as_dict())
    else:
        show_verdict(found)
    if not found.passed:
        raise click.exceptions.Exit(_REFUSED)


def show_verdict(found: Examination) -> None:
    """Print what the ladder found, and what the graph is made of."""
    from fairnad_engine.by_hand import remedy

    if found.graph is None:
        rows = [("verdict", "refused"), ("failure", str(found.failure)), ("seconds", f"{found.seconds:.2f}")]
        print_table(found.subject.label, ("what", "value"), rows)
        tell(found.message + remedy(found))
        return
    from fairnad_engine.backbone.summary import summarise_graph

    channels, height, width = found.limits.input_shape
    print_table(
        found.subject.label,
        ("what", "value"),
        [
            ("verdict", "passed"),
            ("images and classes", f"{channels}x{height}x{width}, {found.limits.num_classes} classes"),
            *_width_row(found),
            ("parameters", found.params),
            ("MACs", found.macs),
            ("activation bytes", found.activation_bytes),
            ("exact hash", found.exact_hash),
            ("width hash", found.width_hash),
            ("seconds", f"{found.seconds:.2f}"),
        ],
    )
    print_table("Graph", ("operation", "times"), summarise_graph(found.graph).operations.items())


def _width_row(found: Examination) -> list[tuple[str, str]]:
    if not found.subject.entry.follows_contract:
        return []
    narrowed = f", narrowed from {found.subject.width:g} to meet the budget"
    return [("width", f"{found.width:g}{narrowed if found.width != found.subject.width else ''}")]


def _bounds(budget: str, max_params: int | None, max_macs: int | None) -> tuple[int, int]:
    params, comma, macs = budget.partition(",")
    if not comma or max_params is not None or max_macs is not None:
        raise click.UsageError("--budget takes PARAMS,MACS, such as 1.5M,0.2G, in place of --max-params and --max-macs")
    size = Size()
    return size.convert(params, None, None), size.convert(macs, None, None)
