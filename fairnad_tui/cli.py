"""The command line: options, sub-commands, and how every failure becomes one line and an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from fairnad_engine import __version__
from fairnad_engine.errors import FairnadError
from fairnad_tui.options import device_options, local_store_option

_COMMANDS: dict[str, tuple[str, str]] = {
    "attach": ("running", "Follow a run that goes on in the background."),
    "backup": ("moving", "Copy the workspace while it is used."),
    "restore": ("moving", "Put a backup in the place of a damaged workspace."),
    "calibrate": ("calibrate", "Train the reference networks, and say what a candidate will cost here."),
    "control": ("running", "Pause, resume or stop a run."),
    "doctor": ("doctor", "Try the jail's layers, the model and this machine, and say what is missing."),
    "evaluate": ("results", "Score an exported backbone again, through its graph alone."),
    "export": ("results", "Write one candidate as a folder of its own."),
    "export-workspace": ("moving", "Write the workspace as one archive to take elsewhere."),
    "finish": ("results", "Retrain the front's best with fresh weights, then test them once."),
    "graph": ("graph", "Show a backbone file's graph, or what two have different."),
    "ideas": ("ideas", "List, decide, add, edit, import and export ideas."),
    "import-workspace": ("moving", "Make a workspace of such an archive."),
    "local-store": ("local_store", "Say where a workspace is worked on; bring it home, or choose after a divergence."),
    "live-check": ("live_check", "Try your model on papers and designs, and say whether it is good enough."),
    "llm": ("llm", "Models of a server: list, probe, pull; and what all calls took."),
    "papers": ("papers", "Add and list papers."),
    "report": ("results", "Write a run's report."),
    "run": ("runs", "Search backbones from the approved ideas, or resume a search."),
    "status": ("running", "Say where the workspace and its runs stand."),
    "study": ("study", "Run methods by seeds over one configuration, and compare them."),
    "structure": ("structure", "Screen papers and extract their design ideas."),
    "template": ("template", "The attribute template: show, check, propose, diff, apply, export, import."),
    "train": ("train", "Verify a backbone file, train it alone, and score it."),
    "verify": ("verify", "Send a backbone file through jail, graph and checks."),
}
# Objects that are made between two collections. Importing makes many that stay: at Python's own figure, collecting
# among them takes a tenth of what a short command does.
_ALLOCATIONS = 20_000


class _LazyGroup(click.Group):
    """Knows its sub-commands by name and imports a family only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"fairnad_tui.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])


_EPILOG = (
    "Exit codes: 0 done, 1 defect, 2 bad input, 3 model unavailable, 4 workspace, 5 jail, 6 run failed, 7 stopped, "
    "8 refused."
)


@click.group(cls=_LazyGroup, invoke_without_command=True, epilog=_EPILOG, context_settings={"max_content_width": 100})
@click.option("--db", type=click.Path(path_type=Path), envvar="FAIRNAD_DB", help="Workspace file [./fairnad.db].")
@local_store_option
@click.option("--no-ui", is_flag=True, help="Run structure, curation, search and report without the terminal screens.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings of a --no-ui run, a TOML file.")
@click.option("--demo", is_flag=True, help="With --no-ui: the sample papers, the rules model and handwritten digits.")
@click.option("--llm", metavar="MODEL", help="rules, ollama:MODEL[@URL,...] or openai:URL#MODEL.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of every random choice.")
@click.option("--trained", type=click.IntRange(1), help="Models to train.")
@click.option("--workers", type=click.IntRange(1, 256), help="Trainings at a time; does not change the outcome.")
@device_options
@click.option(
    "--accept-weak-jail", is_flag=True, help="Run model-written code although a layer of the jail is missing."
)
@click.version_option(__version__, prog_name="fairnad-tui")
@click.pass_context
def group(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401
    """Fair, LLM-driven neural architecture search in the terminal (FairNAD, arXiv:2605.19247).

    Without a sub-command the terminal application opens.
    """
    ctx.obj = options["db"]
    if ctx.invoked_subcommand is not None:
        return
    if options["no_ui"]:
        from fairnad_tui.batch import run_batch

        run_batch(**{name: value for name, value in options.items() if name != "no_ui"})
        return
    for name in ("config", "demo"):
        if options[name]:
            raise click.UsageError(f"--{name} goes with --no-ui")
    from fairnad_tui.application import open_application

    open_application(options["db"], options["llm"])


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the ``fairnad-tui`` command."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        code = group.main(args=arguments, prog_name="fairnad-tui", standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)  # a command that did its work and still has something to complain of
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except FairnadError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader went away (``| head``): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{_named(error)}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; nothing was lost, mend it and try again", 4)
    except Exception as error:
        _defect(error)
    finally:
        _bring_home()


def _named(error: OSError) -> str:
    """The file that an error is about as the user knows it: what is written first has a hidden name of our own."""
    path = Path(os.fsdecode(error.filename2 or error.filename))
    return str(path.parent if path.name.startswith(".") else path)


def _bring_home() -> None:
    """Leave a workspace that was worked on in a local copy whole at its home."""
    copies = sys.modules.get("fairnad_engine.store.local_copy")
    if copies is None or not copies.copies_in_use():
        return
    from fairnad_engine.store.snapshots import leave_all
    from fairnad_engine.text import sanitize

    for problem in leave_all():
        click.echo(f"fairnad-tui: {sanitize(problem)}", err=True)


def _fail(message: str, code: int) -> None:
    from fairnad_engine.text import one_line, sanitize

    click.echo(f"fairnad-tui: {sanitize(one_line(message))}", err=True)
    sys.exit(code)


def _defect(error: Exception) -> None:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="fairnad-tui-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    _fail(f"a defect of the program: {type(error).__name__}: {error}; please report it with {file.name}", 1)
