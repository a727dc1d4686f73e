"""What commands print: JSON for programs, tables for people; data on standard output, remarks on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from fairnad_engine.text import json_text, sanitize


def print_json(document: Any) -> None:  # noqa: ANN401
    """Print a document as JSON."""
    click.echo(json_text(document, indent=2))


def tell(text: str) -> None:
    """Print lines that may name files or hold foreign text."""
    click.echo(sanitize(text, keep_newlines=True))


def remark(text: str) -> None:
    """Print a line about what goes on to standard error."""
    click.echo(sanitize(text), err=True)


def remark_on_servers(llm: str) -> None:
    """Say once, before it is used, what is wrong with the servers of a model: their age, and who can reach them."""
    from fairnad_engine.llm.models import parse_llm
    from fairnad_engine.llm.server_warnings import warnings_of

    for warning in warnings_of(parse_llm(llm)):
        remark(f"fairnad-tui: {warning}")


_told_of: set[Path] = set()


def remark_on_disk(path: Path) -> None:
    """Say once what is to know of the file system that a workspace lies on, or of the choice of its local copy.

    Raises:
        StoreError: The copy cannot be used.
    """
    from fairnad_engine.store.choosing import said
    from fairnad_engine.store.filesystem import advice
    from fairnad_engine.store.local_copy import current_copy, working_file

    if path in _told_of:
        return
    _told_of.add(path)
    working_file(path)
    for one in said:
        remark(f"fairnad-tui: {one}")
    if current_copy(path) is None and (told := advice(path)):
        remark(f"fairnad-tui: {told}")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; on a terminal with borders, otherwise separated by tabs."""
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(sanitize(_text(value)).replace("\t", " ") for value in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(sanitize(_text(value))) for value in row))
    Console().print(table)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
