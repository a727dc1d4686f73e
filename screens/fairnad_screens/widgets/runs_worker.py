"""Who works on a run, what holds it up, and the cluster's nodes: lines of the runs screen's details."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from fairnad_engine.activity import NodeLoad
from fairnad_screens.actions import key_of
from fairnad_screens.data.faults import fault_of
from fairnad_screens.data.runs import QUIET_SECONDS, Keeper, RunEntry
from fairnad_screens.figures import ago
from fairnad_screens.text import GLYPHS, plain_line

Fact = tuple[str, str, str]
"""Name, text, style."""

_LEASES = {
    "live": "live",
    "quiet": "silent, it may hang",
    "stalled": "stalled: it hangs",
    "stale": "stale: it is gone",
}


def worker_facts(run: RunEntry) -> Iterable[Fact]:
    """Who holds the run, and what to do where that one does nothing."""
    if run.keeper is None:
        return
    keeper = run.keeper
    lease = _LEASES[keeper.lease] + (", on another host" if keeper.elsewhere else "")
    style = "" if keeper.lease == "live" else "$warning" if keeper.lease == "quiet" else "$error"
    beat = f"heartbeat {ago(keeper.age)} ago" if keeper.age else f"heartbeat under {QUIET_SECONDS:.0f} s ago"
    yield "Worker", f"{keeper.host}:{keeper.pid}, {beat}, {lease}{_what_to_do(keeper)}", style


def _what_to_do(keeper: Keeper) -> str:
    if keeper.lease == "live":
        return ""
    if keeper.lease == "stale" and not keeper.elsewhere:
        return f"; {key_of('runs.resume')} resumes"
    return f"; {key_of('runs.take_over')} takes over"


def fault_facts(run: RunEntry) -> Iterable[Fact]:
    """What a run waits for or failed of, with the remedy."""
    if run.state == "waiting":
        fault = fault_of(run.message, run.fault)
        yield "Waits", f"{fault.what or 'no reason is given'}; it goes on by itself", "$warning"
        if fault.remedy:
            yield "Remedy", fault.remedy, ""
    elif run.state == "queued":
        yield "Queued", run.message or "until a worker takes it", ""
    elif run.state == "failed":
        fault = fault_of(run.message, run.fault)
        yield "Fault", f"{fault.what} (exit code {run.exit_code})", "$error"
        yield "Remedy", f"{fault.remedy or 'see its log on the desk'}; {key_of('runs.resume')} resumes", ""


def node_lines(nodes: Sequence[NodeLoad], width: int) -> Iterable[Content]:
    """The cluster's nodes and their load."""
    if not nodes:
        return
    yield Content("")
    away = sum(not one.alive for one in nodes)
    title = f"Nodes ({len(nodes)}{f', {away} gone' if away else ''})"
    yield Content.styled(f"{title:<26}{'CPUs':>10}{'GPUs':>10}{'trainings':>11}", "bold")
    for one in sorted(nodes, key=lambda node: (node.alive, node.address)):
        name = plain_line(one.address, 22)
        load = f"{_part(one.cpus_used, one.cpus):>10}{_part(one.gpus_used, one.gpus):>10}{one.trainings:>11}"
        line = Content.assemble(
            f"{GLYPHS.running if one.alive else GLYPHS.dead} ",
            name,
            " " * (24 - name.cell_length),
            load if one.alive else f"{'gone':>31}",
        ).truncate(width, ellipsis=True)
        yield line if one.alive else line.stylize("$error")


def _part(used: float, there: float) -> str:
    return f"{used:g}/{there:g}" if there else "-"
