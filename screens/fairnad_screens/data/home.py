"""What Home shows: the workspace at a glance, the next sensible step, the state of model and jail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError, JailError
from fairnad_engine.store.jobs import AT_WORK
from fairnad_screens.actions import key_of
from fairnad_screens.text import GLYPHS

if TYPE_CHECKING:
    from fairnad_engine.backbone.jail.probe import Layer
    from fairnad_engine.store import Store


@dataclass(frozen=True)
class RunLine:
    """One run as home lists it."""

    id: str
    name: str
    state: str
    trained: int
    budget: int
    best: float | None
    message: str = ""


@dataclass(frozen=True)
class HomeSnapshot:
    """The workspace at a glance."""

    papers: int
    unstructured: int
    ideas: dict[str, int]
    runs: tuple[RunLine, ...]
    structuring: str
    gpus: tuple[str, ...]
    disk: str = ""


def read_home(store: Store) -> HomeSnapshot:
    """Read what home shows."""
    from fairnad_engine.machine import accelerators
    from fairnad_engine.store.filesystem import short_advice
    from fairnad_engine.store.snapshots import told_of

    runs = []
    for run in reversed(store.runs.all()):
        job = store.jobs.of_run(run.id)
        progress = store.runs.progress(run.id)
        state = store.jobs.living_state(job) if job else "unknown"
        told = job.message if job and state in ("waiting", "queued") else ""
        runs.append(RunLine(run.id, run.name, state, progress.counted, progress.budget, progress.best_accuracy, told))
    structuring = [j for j in store.jobs.all() if j.kind == "structure" and store.jobs.is_held(j.id)]
    return HomeSnapshot(
        papers=store.papers.count(),
        unstructured=store.papers.count_unstructured(),
        ideas=store.ideas.counts(),
        runs=tuple(runs),
        structuring=structuring[0].id if structuring else "",
        gpus=accelerators(),
        disk=told_of(store.path) or short_advice(store.path),
    )


@dataclass(frozen=True)
class Step:
    """The next sensible step: its place, what it is in words, and the run it is about."""

    place: str
    words: str
    run: str | None = None


def next_step(snapshot: HomeSnapshot) -> Step:
    """The next sensible step."""
    if not snapshot.papers and not sum(snapshot.ideas.values()):
        return Step("papers", f"Add papers, or press {key_of('home.demo')} for a demo on the papers that ship.")
    if snapshot.structuring:
        return Step("papers", "Papers are being structured; look on.")
    if snapshot.unstructured:
        return Step("papers", f"Structure {snapshot.unstructured:,} papers into ideas.")
    for run in snapshot.runs:
        if run.state in AT_WORK and run.state != "waiting":
            return Step("search", f"Look on as {run.id} searches.", run.id)
    for run in snapshot.runs:
        if run.state == "waiting":
            return Step("search", f"{run.id} waits: {run.message or 'no reason is given'}.", run.id)
        if run.state == "stalled":
            return Step("runs", f"The worker of {run.id} hangs; {key_of('runs.take_over')} among the runs takes over.")
    # An older one that died was left so.
    for run in snapshot.runs[:1]:
        if run.state == "dead":
            return Step("search", f"Resume {run.id}, whose worker died, on its desk.", run.id)
        if run.state == "queued" and run.message:
            return Step("search", f"{run.id} is queued: {run.message}.", run.id)
    if snapshot.ideas["proposed"]:
        return Step("ideas", f"Decide about {snapshot.ideas['proposed']:,} proposed ideas.")
    if not snapshot.runs:
        return Step("launch", f"Launch a search from {snapshot.ideas['approved']:,} approved ideas.")
    return Step("runs", f"Compare runs, export winners, or launch another search with {key_of('app.launch')}.")


def model_state(llm: str | None) -> str:
    """The chosen model in words, and whether something listens where its server should; asks the network."""
    from fairnad_engine.llm.models import DEFAULT_LLM, parse_llm
    from fairnad_engine.llm.ollama_server import is_local, listens, server_url

    if llm is None:
        return f"{DEFAULT_LLM} by default; {key_of('papers.model')} among the papers ({key_of('app.papers')}) chooses"
    try:
        spec = parse_llm(llm)
        urls = [server_url(url) for url in spec.urls or (None,)]
    except InputError as error:
        return str(error)
    if spec.kind == "rules":
        return "rules, built in"
    silent = [url for url in urls if not listens(url)]
    if not silent:
        return f"{spec.name}, {'its server listens' if len(urls) == 1 else f'all {len(urls)} servers listen'}"
    if len(silent) < len(urls):
        return f"{spec.name}, {len(urls) - len(silent)} of {len(urls)} servers listen, not {silent[0]}"
    starts = spec.kind == "ollama" and is_local(silent[0])
    remedy = "start it with: ollama serve" if starts else f"nothing answers at {silent[0]}"
    return f"{spec.name}: {remedy}"


def jail_state() -> str:
    """Which layers of the jail are live, by trying each in processes of its own; takes seconds the first time."""
    from fairnad_engine.backbone.jail.probe import probe

    try:
        return jail_words(probe())
    except JailError as error:
        return f"{GLYPHS.failed} {error}"


def jail_words(layers: Sequence[Layer]) -> str:
    """The state of the jail in a sentence."""
    lacking = [one.name for one in layers if one.required and not one.live]
    if lacking:
        return f"{GLYPHS.failed} lacks {'; '.join(lacking)}: model-written code is refused; fairnad-tui doctor says why"
    away = [one.name for one in layers if not one.live]
    if away:
        return f"{GLYPHS.done} all needed layers live; not there: {'; '.join(away)}"
    return f"{GLYPHS.done} all {len(layers)} layers live"
