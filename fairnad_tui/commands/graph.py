"""``graph show`` and ``graph diff``: what backbones are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_tui.options import ImageShape, json_option, subject_options
from fairnad_tui.output import print_json, print_table, tell

if TYPE_CHECKING:
    from fairnad_engine.backbone.graph import BackboneGraph

_shape = click.option(
    "--input", "shape", type=ImageShape(), default="3x32x32", show_default=True, help="Shape of an image."
)
_classes = click.option(
    "--classes", type=click.IntRange(2, 100_000), default=10, show_default=True, help="Number of classes."
)


@click.group()
def graph() -> None:
    """Show a backbone's graph, or what two have different; Python files run in the jail, a graph.json is only read."""


@graph.command("show")
@click.argument("file", metavar="FILE", required=False, type=click.Path(path_type=Path))
@_shape
@_classes
@subject_options
@json_option
def show(file: Path | None, shape: tuple[int, int, int], classes: int, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    """Count a backbone's operations and weights; FILE is a Python file or the graph.json of an export."""
    from fairnad_engine.backbone.summary import summarise_graph

    (found,) = _graphs([file], shape, classes, options)
    summary = summarise_graph(found)
    if as_json:
        print_json(
            {
                "file": str(file) if file else options["class_name"],
                "input": list(summary.input_shape),
                "classes": summary.num_classes,
                "trained_elements": summary.parameters,
                "trained_tensors": summary.tensors,
                "constant_elements": summary.constants,
                "operations": summary.operations,
            }
        )
        return
    channels, height, width = summary.input_shape
    title = f"{channels}x{height}x{width}, {summary.num_classes} classes, {summary.parameters:,} trained elements"
    print_table(title, ("operation", "times"), summary.operations.items())


@graph.command("diff")
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what is the same in both.")
@_shape
@_classes
@subject_options
@json_option
def diff(
    first: Path,
    second: Path,
    everything: bool,
    shape: tuple[int, int, int],
    classes: int,
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Say whether A and B are the same network, and what B has more or fewer of.

    A and B are Python files or the graph.json of exports; --class and --arg hold for both.
    """
    from fairnad_engine.backbone.canonical import structure_hashes
    from fairnad_engine.backbone.summary import compare_graphs, summarise_graph

    one, other = _graphs([first, second], shape, classes, options)
    mine, theirs = structure_hashes(one), structure_hashes(other)
    same = mine.exact == theirs.exact
    same_but_width = mine.width_normalised == theirs.width_normalised
    rows = compare_graphs(summarise_graph(one), summarise_graph(other))
    if as_json:
        changes = [{"name": row.name, "a": row.before, "b": row.after, "change": row.change} for row in rows]
        print_json(
            {
                "a": str(first),
                "b": str(second),
                "same_structure": same,
                "same_but_for_width": same_but_width,
                "counts": changes,
            }
        )
        return
    tell("the same structure" if same else "the same but for width" if same_but_width else "different structures")
    shown = [(row.name, row.before, row.after, f"{row.change:+,}") for row in rows if row.change or everything]
    if shown:
        print_table(f"{first} and {second}", ("what", "A", "B", "change"), shown)


def _graphs(
    paths: list[Path | None], shape: tuple[int, int, int], classes: int, options: dict[str, Any]
) -> list[BackboneGraph]:
    """Read descriptions, and have the Python files described, all in one jail."""
    from fairnad_engine.by_hand import Limits, examine, read_graph, read_subject, require_passed, scratch_files

    weak = options.pop("accept_weak_jail")
    named = (options["class_name"], options["arguments"], options["allow_imports"], options["width"])
    found = {place: read_graph(path) for place, path in enumerate(paths) if path and path.suffix == ".json"}
    subjects = {place: read_subject(path, *named) for place, path in enumerate(paths) if place not in found}
    if subjects:
        with scratch_files() as files:
            seen = examine(list(subjects.values()), Limits(shape, classes), files, accept_weak_jail=weak)
        found |= {place: require_passed(one) for place, one in zip(subjects, seen, strict=True)}
    return [found[place] for place in range(len(paths))]
