"""``live-check``: a user's own model on a little of everything, and whether it is good enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import FairnadError, InputError
from fairnad_engine.llm.edits import EditFormat, EditSettings
from fairnad_tui.options import json_option, server_options
from fairnad_tui.output import print_json, print_table, remark, remark_on_servers, tell

if TYPE_CHECKING:
    from fairnad_engine.llm.live_figures import Measured, Plan

_INTERRUPTED = 130


@click.command("live-check")
@click.option("--llm", metavar="MODEL", help="ollama:MODEL[@URL,...] or openai:URL#MODEL [ollama:qwen3:8b].")
@click.option("--quick", is_flag=True, help="3 abstracts, a paper in 3 categories, 4 proposals: a first impression.")
@click.option(
    "--edit-format",
    type=click.Choice(["whole", "diff", "catalogue"]),
    default="whole",
    show_default=True,
    help="How the model gives its designs.",
)
@click.option(
    "--max-reply",
    type=click.IntRange(128, 32_768),
    default=EditSettings().max_reply,
    show_default=True,
    help="Longest reply with a design, in tokens, as [model] max_reply.",
)
@server_options
@click.option("--accept-weak-jail", is_flag=True, help="Run its designs although a layer of the jail is missing.")
@json_option
def live_check(
    llm: str | None,
    quick: bool,
    edit_format: EditFormat,
    max_reply: int,
    accept_weak_jail: bool,
    as_json: bool,
    **server: float | None,
) -> None:
    """Try a model on 5 abstracts, 3 papers and 20 designs, and say whether it is good enough and what to change.

    Designs go through the verifier in the jail. Nothing is written to a workspace. Ctrl+C shows what was measured so
    far.
    """
    from fairnad_engine.llm.live_check import LiveCheck
    from fairnad_engine.llm.live_figures import Listening, Measured, Plan
    from fairnad_engine.llm.models import chat_model, parse_llm
    from fairnad_engine.search.config import RunConfig

    model = RunConfig().model
    spec = parse_llm(llm or model.llm)
    if spec.kind == "rules":
        raise InputError("rules is built in and asks no server; name a model: --llm ollama:MODEL or openai:URL#MODEL")
    asked = model.model_copy(update={name: value for name, value in server.items() if value is not None})
    edits = EditSettings(edit_format, max_reply=max_reply)
    plan = Plan.quick(edits) if quick else Plan(edits=edits)
    measured = Measured(spec.name)
    listening = Listening(measured)
    listening.model = chat = chat_model(
        spec, on_text=listening.heard, timeouts=asked.timeouts, max_context=asked.max_context
    )
    chat.check()
    remark_on_servers(llm or model.llm)
    code = 0
    try:
        LiveCheck(listening, measured, plan, remark).run(accept_weak_jail=accept_weak_jail)
    except KeyboardInterrupt:
        measured.ended, code = f"interrupted at {measured.doing}", _INTERRUPTED
    except FairnadError as error:
        measured.ended, code = str(error), error.exit_code
    _show(measured, plan, as_json)
    if code:
        raise click.exceptions.Exit(code)


def _show(measured: Measured, plan: Plan, as_json: bool) -> None:
    from fairnad_engine.llm.live_verdict import as_document

    document = as_document(measured, plan)
    if as_json:
        print_json(document)
        return
    print_table(
        f"{measured.model}, designs as {plan.edits.edit_format}",
        ("figure", "found", "of", "95 % interval", "wanted", "good"),
        [_figure(one) for one in document["figures"]],
    )
    calls = ("purpose", "calls", "read", "written", "s a call", "read/s", "written/s")
    names = ("prompt_tokens", "completion_tokens", "seconds_a_call", "read_a_second", "written_a_second")
    rows = [(one["purpose"], one["calls"], *(_short(one[name]) for name in names)) for one in document["calls"]]
    print_table("Calls", calls, rows)
    print_table("Ahead, one call at a time", ("what", "calls", "hours"), [_ahead(one) for one in document["forecast"]])
    if measured.ended:
        tell(f"Ended early: {measured.ended}")
    tell(f"Verdict: {document['verdict']}")
    for one in document["figures"]:
        if one["good"] is False:
            tell(f"- {one['name']}: {_found(one)}, wanted {_wanted(one)}: {one['change']}")


def _figure(one: dict[str, Any]) -> tuple[object, ...]:
    low, high = one["low"], one["high"]
    interval = f"{low:.0%} to {high:.0%}" if low is not None else "-"
    good = {True: "yes", False: "NO", None: "-"}[one["good"]]
    return one["name"], _found(one), one["of"], interval, _wanted(one), good


def _found(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return "not measured"
    return f"{one['value']:.0%}" if one["low"] is not None else f"{one['value']:.1f}"


def _wanted(one: dict[str, Any]) -> str:
    if one["least"] is None:
        return "-"
    share = one["low"] is not None or one["least"] < 1
    return f">= {one['least']:.0%}" if share else f">= {one['least']:g}"


def _ahead(one: dict[str, Any]) -> tuple[object, ...]:
    return one["what"], one["calls"], "-" if one["hours"] is None else f"{one['hours']:,.1f}"


def _short(value: float | None) -> object:
    return value if value is None or isinstance(value, int) else f"{value:,.1f}"
