"""``llm``: models of a server, what one can do, getting one, and what all calls took."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands.live_check import live_check
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, remark, tell

if TYPE_CHECKING:
    from fairnad_engine.llm.models import LlmSpec
    from fairnad_engine.store.calls import CallTotals


_APART = ("guards", "warnings")  # shown below the rest


@click.group()
def llm() -> None:
    """Language models: what a server has, what a model can do, and what the calls took."""


@llm.command("list")
@click.argument("server", metavar="[URL]", required=False)
@json_option
def list_models(server: str | None, as_json: bool) -> None:
    """List the models of an Ollama server (OLLAMA_HOST, or this machine's by default)."""
    from fairnad_engine.llm.ollama_server import served_models

    names = sorted(served_models(server))
    if as_json:
        print_json(names)
    elif names:
        tell("\n".join(names))
    else:
        remark("the server has no model yet; get one with: fairnad-tui llm pull ollama:qwen3:8b")


@llm.command()
@click.argument("model")
@click.option("--fresh", is_flag=True, help="Ask again, also where it is known.")
@json_option
def probe(model: str, fresh: bool, as_json: bool) -> None:
    """Find out what MODEL can do (context, schema, speed), which guards its server allows, and what ails it."""
    from fairnad_engine.llm.models import parse_llm

    spec = parse_llm(model)
    documents = [_probed(spec, url, fresh) for url in spec.urls or (None,)]
    if as_json:
        print_json(documents)
        return
    for one in documents:
        rows = [(name.replace("_", " "), _said(value)) for name, value in one.items() if name not in _APART]
        rows += [(f"guard: {guard['name']}", f"{_said(guard['held'])}; {guard['how']}") for guard in one["guards"]]
        print_table(spec.name, ("what", "found"), rows)
        for warning in one["warnings"]:
            remark(f"fairnad-tui: {warning}")


def _probed(spec: LlmSpec, url: str | None, fresh: bool) -> dict[str, Any]:
    from fairnad_engine.llm.guards import guards_of
    from fairnad_engine.llm.probe import probe as probe_model
    from fairnad_engine.llm.probe import probe_openai
    from fairnad_engine.llm.server_warnings import server_warnings

    warnings: tuple[str, ...] = ()
    if spec.kind == "openai":
        found = probe_openai(spec.model, url or "")
    else:
        found = probe_model(_ollama(spec).model, url, fresh=fresh)
        warnings = server_warnings(url)
    guards = [asdict(one) for one in guards_of(found)]
    return {
        "model": spec.name,
        "server": url,
        **asdict(found),
        "guards": guards,
        "warnings": [*warnings, *found.advice],
    }


@llm.command()
@click.argument("model")
def pull(model: str) -> None:
    """Get MODEL from Ollama's library onto its server."""
    from fairnad_engine.llm.models import parse_llm
    from fairnad_engine.llm.pull import pull_model

    spec = _ollama(parse_llm(model))
    for url in spec.urls or (None,):
        shown = -1
        for progress in pull_model(spec.model, url):
            percent = int(100 * progress.share) if progress.share is not None else None
            if percent is not None and percent // 10 != shown:
                shown = percent // 10
                remark(f"{progress.status}: {percent} %")
        remark(f"{spec.name} is there")


@llm.command()
@click.option("--run", "run_id", metavar="RUN", help="Only the calls of one run.")
@json_option
@db_option
def stats(run_id: str | None, as_json: bool, db: Path | None) -> None:
    """Say what all calls took, by purpose, model and its weights: tokens, seconds, tokens a second."""
    with open_store(db) as store:
        if run_id:
            store.runs.get(run_id)
        totals = store.calls.totals(run_id)
    if as_json:
        print_json([{**asdict(one), "tokens_per_second": _speed(one)} for one in totals])
        return
    rows = [_row(one.purpose, one.model, one.digest, [one]) for one in totals]
    if len(rows) > 1:
        rows.append(_row("all", "", "", totals))
    columns = ("purpose", "model", "weights", "calls", "read", "written", "seconds", "s a call", "written/s")
    print_table("Calls", columns, rows)


@llm.command()
@click.option("--run", "run_id", metavar="RUN", help="Only the calls of one run.")
@click.option("--purpose", help="Only calls of one purpose, such as screen or extract.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@json_option
@db_option
def calls(run_id: str | None, purpose: str | None, last: int, as_json: bool, db: Path | None) -> None:
    """List the last calls; `llm show NUMBER` shows a prompt and its raw reply."""
    with open_store(db) as store:
        if run_id:
            store.runs.get(run_id)
        lines = store.calls.newest(last, run_id=run_id, purpose=purpose)
    if as_json:
        print_json([asdict(one) for one in lines])
        return
    rows = [(o.id, o.purpose, o.model, o.prompt_tokens, o.completion_tokens, f"{o.seconds:.2f}", o.key) for o in lines]
    print_table("Calls", ("number", "purpose", "model", "read", "written", "seconds", "step"), rows)


@llm.command()
@click.argument("number", type=click.IntRange(1))
@db_option
def show(number: int, db: Path | None) -> None:
    """Show the prompt and the raw reply of a call, and of which weights that is."""
    with open_store(db) as store:
        one, (prompt, reply) = store.calls.line(number), store.calls.text(number)
    spent = f"{one.prompt_tokens:,} tokens read, {one.completion_tokens:,} written, {one.seconds:.2f} s"
    tell(f"--- call {one.id}: {one.purpose} by {one.model}, weights {one.digest or 'not known'}; {spent}")
    tell(f"--- prompt\n{prompt if prompt is not None else '(not kept by the program that asked)'}\n--- reply\n{reply}")


llm.add_command(live_check)


def _row(purpose: str, model: str, digest: str, calls: list[CallTotals]) -> tuple[object, ...]:
    number, seconds = sum(one.calls for one in calls), sum(one.seconds for one in calls)
    written = sum(one.completion_tokens for one in calls)
    read = sum(one.prompt_tokens for one in calls)
    speed = f"{written / seconds:.1f}" if seconds and written else None
    return (
        purpose,
        model,
        _short(digest),
        number,
        read,
        written,
        f"{seconds:.1f}",
        f"{seconds / max(1, number):.2f}",
        speed,
    )


def _short(digest: str) -> str:
    """As many digits of a digest as Ollama's own list shows."""
    return digest.removeprefix("sha256:")[:12] or "-"


def _speed(one: CallTotals) -> float | None:
    return round(one.completion_tokens / one.seconds, 1) if one.seconds and one.completion_tokens else None


def _ollama(spec: LlmSpec) -> LlmSpec:
    """A model that Ollama serves.

    Raises:
        InputError: It is built in, or served by another.
    """
    model = f"openai:{spec.urls[0]}#{spec.model}" if spec.kind == "openai" else spec.name
    if spec.kind == "rules":
        raise InputError(f"{model} is built in: it is always there, needs no server and writes no tokens")
    if spec.kind != "ollama":
        raise InputError(f"{model}: only Ollama is asked this; try the model with: fairnad-tui doctor --llm {model}")
    return spec


def _said(value: object) -> object:
    return {True: "yes", False: "no", None: "-"}.get(value, value) if isinstance(value, bool | None) else value
