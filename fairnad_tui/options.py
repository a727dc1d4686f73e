"""Options that several sub-commands share, and how a command opens its workspace."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_Function = TypeVar("_Function", bound=Callable[..., Any])

DEFAULT_DB = Path("fairnad.db")
_MOST_STREAMS = 64


def db_option(function: _Function) -> _Function:
    """``--db`` after a sub-command, where users type it too."""
    with_db = click.option(
        "--db", type=click.Path(path_type=Path), help="Workspace file [./fairnad.db].", expose_value=True
    )(function)
    return local_store_option(with_db)


def local_store_option(function: _Function) -> _Function:
    """``--local-store``: the folder goes into the environment, where this process and its workers find it."""

    def use(context: click.Context, option: click.Parameter, folder: Path | None) -> None:
        if folder is not None:
            os.environ["FAIRNAD_LOCAL_STORE"] = str(folder.resolve())

    return click.option(
        "--local-store",
        type=click.Path(path_type=Path, file_okay=False),
        help="Work on a copy of the workspace in this folder of a local disk; snapshots go to --db.",
        expose_value=False,
        callback=use,
    )(function)


def json_option(function: _Function) -> _Function:
    """``--json``: documented keys on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with documented keys.")(function)


class Size(click.ParamType[Any]):
    """A count such as ``464154``, ``60k``, ``1.5M`` or ``0.2G``."""

    name = "count"
    _units = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}  # noqa: RUF012 - read only

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Read the count."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)([kmg]?)", str(value).strip().lower().replace("_", ""))
        if found is None or (count := round(float(found[1]) * self._units[found[2]])) < 1:
            self.fail(f"{value!r} is no count; write 1500000, 60k, 1.5M or 0.2G", param, ctx)
        return count


class Devices(click.ParamType[Any]):
    """``auto``, or devices such as ``cpu`` or ``cuda:0,cuda:1``, as ``[machine] devices`` has them."""

    name = "devices"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | list[str]:  # noqa: ANN401
        """Read the names."""
        if isinstance(value, list):
            return value
        if value == "auto":
            return "auto"
        names = [one.strip() for one in str(value).split(",")]
        if not all(re.fullmatch(r"cpu|cuda:\d{1,3}", one) for one in names):
            self.fail(f"{value!r} is no device; write auto, cpu, cuda:0 or cuda:0,cuda:1", param, ctx)
        return names


class Streams(click.ParamType[Any]):
    """``auto``, or the number of trainings at a time on each GPU."""

    name = "streams"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:  # noqa: ANN401
        """Read the number."""
        if isinstance(value, int):
            return value
        if value == "auto":
            return "auto"
        if not re.fullmatch(r"[1-9]\d?", str(value)) or int(value) > _MOST_STREAMS:
            self.fail(f"{value!r} is no number of trainings; write auto or 1 to {_MOST_STREAMS}", param, ctx)
        return int(value)


class ExecutorName(click.ParamType[Any]):
    """What runs trainings, as ``[machine] executor`` has it."""

    name = "executor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """Read the name."""
        from fairnad_engine.training.ray_cluster import check_executor

        try:
            return check_executor(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def executor_option(function: _Function) -> _Function:
    """``--executor``: the machine or the cluster that runs trainings, over what ``[machine]`` says."""
    return click.option(
        "--executor", type=ExecutorName(), metavar="E", help="What trains: local, ray, ray:auto or ray:HOST:PORT."
    )(function)


def device_options(function: _Function) -> _Function:
    """``--devices``, ``--streams`` and ``--executor``: where trainings run, over what ``[machine]`` says."""
    function = executor_option(function)
    for option in (
        click.option("--streams", type=Streams(), metavar="N|auto", help="Trainings at a time on each GPU."),
        click.option("--devices", type=Devices(), metavar="D", help="auto, cpu, cuda:0 or cuda:0,cuda:1 ..."),
    ):
        function = option(function)
    return function


class KeepAlive(click.ParamType[Any]):
    """How long a server keeps its model loaded, as ``[model] keep_alive`` has it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """Read the time."""
        if not re.fullmatch(r"-?\d{1,8}|\d{1,8}(ms|s|m|h)", str(value)):
            self.fail(
                f"{value!r} is no time; write 10m, 0 to free the GPU after each answer, or -1 for ever", param, ctx
            )
        return str(value)


def server_options(function: _Function) -> _Function:
    """How a model's server is asked, over what ``[model]`` says; the values come by the names of its settings."""
    seconds = click.FloatRange(1, 86_400)
    for option in (
        click.option(
            "--max-context",
            type=click.IntRange(1024, 1_048_576),
            metavar="TOKENS",
            help="Largest context that the model is loaded with [32768].",
        ),
        click.option(
            "--retry",
            "retry_seconds",
            type=click.FloatRange(0, 86_400),
            metavar="SECONDS",
            help="Longest wait for a server that fails [60].",
        ),
        click.option(
            "--stall", "stall_seconds", type=seconds, metavar="SECONDS", help="Longest silence in mid-answer [60]."
        ),
        click.option(
            "--first-token",
            "first_token_seconds",
            type=seconds,
            metavar="SECONDS",
            help="Longest wait for an answer's first token [600].",
        ),
    ):
        function = option(function)
    return function


class ImageShape(click.ParamType[Any]):
    """Channels, height and width of an image, such as ``3x32x32``."""

    name = "CxHxW"

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int, int]:
        """Read the shape."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,2})x(\d{1,4})x(\d{1,4})", str(value).strip())
        if found is None or 0 in (shape := (int(found[1]), int(found[2]), int(found[3]))):
            self.fail(f"{value!r} is no shape of an image; write channels, height and width: 3x32x32", param, ctx)
        return shape


def subject_options(function: _Function) -> _Function:
    """What of a Python file is built, for the commands that look at one by hand."""
    for option in (
        click.option("--accept-weak-jail", is_flag=True, help="Run it although a layer of the jail is missing."),
        click.option("--width", type=click.FloatRange(0, 64, min_open=True), help="Width of a candidate [1.0]."),
        click.option("--allow-import", "allow_imports", metavar="PACKAGE", multiple=True, help="The file may import."),
        click.option(
            "--arg", "arguments", metavar="NAME=VALUE", multiple=True, help="Keyword it is called with, a literal."
        ),
        click.option(
            "--class", "class_name", metavar="NAME", help="Class or function of the file that gives a nn.Module."
        ),
    ):
        function = option(function)
    return function


def open_store(db: Path | None, *, create: bool = False) -> Store:
    """Open the workspace named after the sub-command, before it, or by default.

    Raises:
        InputError: It does not exist and this command does not create one.
    """
    from fairnad_engine.errors import InputError
    from fairnad_engine.store import Store
    from fairnad_engine.store.local_copy import there_is
    from fairnad_tui.output import remark_on_disk

    context = click.get_current_context(silent=True)
    path = db or (context.find_root().obj if context else None) or DEFAULT_DB
    if not create and not there_is(path):
        raise InputError(f"{path}: there is no workspace; make one with: fairnad-tui papers add FOLDER --db {path}")
    remark_on_disk(path)
    return Store(path)
