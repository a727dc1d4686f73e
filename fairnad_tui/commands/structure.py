"""``structure``: screen papers and extract their ideas."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_tui.options import KeepAlive, Size, db_option, open_store, server_options
from fairnad_tui.output import remark_on_servers

if TYPE_CHECKING:
    from fairnad_engine.search.config import RunConfig

_MODEL = ("lanes", "keep_alive", "first_token_seconds", "stall_seconds", "retry_seconds", "max_context")


@click.command()
@click.option("--llm", metavar="MODEL", help="rules, ollama:MODEL[@URL,...] or openai:URL#MODEL [ollama:qwen3:8b].")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take [model] and [papers] of this file; the other options lie over it.",
)
@click.option(
    "--lanes", type=click.IntRange(1, 64), metavar="N", help="Papers at a time [2, or one for each server named]."
)
@click.option(
    "--keep-alive", type=KeepAlive(), metavar="TIME", help="How long Ollama keeps the model loaded: 10m, 0, -1."
)
@click.option(
    "--policy",
    type=click.Choice(["grounded", "grounded-unique", "none"]),
    default="none",
    show_default=True,
    help="Approve new ideas whose quote is in the paper, of those that say the same only one, or leave them proposed.",
)
@click.option(
    "--ask-by",
    type=click.Choice(["main", "level"]),
    help="One question for each main category of a piece of text [main], or one for each level: a fifth of the calls.",
)
@click.option("--max-tokens", type=Size(), help="Begin no further paper when the calls took this many, such as 2M.")
@click.option("--reread", is_flag=True, help="Read every paper again; replies that are kept are not asked for again.")
@server_options
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@db_option
def structure(config: Path | None, detach: bool, db: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Screen papers and extract their design ideas.

    A paper is read again only where the template, a prompt, the model or its weights changed since; ideas that are
    there stay as they were decided.
    """
    from fairnad_engine.llm.models import check_llm
    from fairnad_engine.workspace import create_structure_job, start_worker, template_of
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    settings = _settings(config, options)
    with open_store(db) as store:
        check_llm(settings.model.llm)
        remark_on_servers(settings.model.llm)
        template_of(store)
        job = create_structure_job(store, settings)
        start_worker(store, job)
        if detach:
            click.echo(f"{job.id} goes on in the background; see: fairnad-tui status")
            return
        follow(store, job, choose_display(), _command(config, options, settings))


def _settings(config: Path | None, options: dict[str, Any]) -> RunConfig:
    """The file's ``[model]`` and ``[papers]``, or the defaults, and the options over them."""
    from fairnad_engine.search.config import RunConfig, load_config, parse_config
    from fairnad_tui.batch import override

    base = override(load_config(config) if config else RunConfig(), llm=options["llm"])
    model = base.model.model_dump(mode="json")
    model |= {name: options[name] for name in _MODEL if options[name] is not None}
    papers = base.papers.model_dump(mode="json")
    papers |= {name: options[name] for name in ("max_tokens", "ask_by") if options[name] is not None}
    papers |= {"reread": "all"} if options["reread"] else {}
    # Decisions are asked for by name: a file that a search was started with would approve unasked.
    document = {"model": model, "papers": papers, "curation": {"policy": options["policy"]}}
    return parse_config(document, "command line")


def _command(config: Path | None, options: dict[str, Any], settings: RunConfig) -> str:
    """The command that goes on with what this one began."""
    words = ["fairnad-tui", "structure"]
    words += ["--config", str(config)] if config else []
    words += [] if config and options["llm"] is None else ["--llm", settings.model.llm]
    words += ["--lanes", str(options["lanes"])] if options["lanes"] is not None else []
    words += ["--keep-alive", options["keep_alive"]] if options["keep_alive"] is not None else []
    words += ["--ask-by", options["ask_by"]] if options["ask_by"] is not None else []
    words += ["--reread"] if options["reread"] else []
    return shlex.join(words)
