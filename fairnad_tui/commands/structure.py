"""``structure``: screen papers and extract their ideas."""

from __future__ import annotations

from pathlib import Path

import click

from fairnad_tui.options import Size, db_option, open_store, server_options


@click.command()
@click.option("--llm", metavar="MODEL", help="rules, ollama:MODEL[@URL,...] or openai:URL#MODEL [ollama:qwen3:8b].")
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
    default="main",
    show_default=True,
    help="One question for each main category of a piece of text, or one for each level: a fifth of the calls.",
)
@click.option("--max-tokens", type=Size(), help="Begin no further paper when the calls took this many, such as 2M.")
@server_options
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@db_option
def structure(
    llm: str | None,
    policy: str,
    ask_by: str,
    max_tokens: int | None,
    detach: bool,
    db: Path | None,
    **server: float | None,
) -> None:
    """Screen papers and extract their design ideas; only papers not yet structured are read."""
    from fairnad_engine.llm.models import check_llm
    from fairnad_engine.search.config import RunConfig, parse_config
    from fairnad_engine.workspace import create_structure_job, start_worker, template_of
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    given = {name: value for name, value in {"llm": llm, **server}.items() if value is not None}
    document = {
        "model": {"llm": RunConfig().model.llm, **given},
        "curation": {"policy": policy},
        "papers": {"ask_by": ask_by, "max_tokens": max_tokens or 0},
    }
    settings = parse_config(document, "command line")
    with open_store(db) as store:
        check_llm(settings.model.llm)
        template_of(store)
        job = create_structure_job(store, settings)
        start_worker(store, job)
        if detach:
            click.echo(f"{job.id} goes on in the background; see: fairnad-tui status")
            return
        follow(store, job, choose_display(), f"fairnad-tui structure --llm {settings.model.llm}")
