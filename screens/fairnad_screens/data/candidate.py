"""One candidate as its screen shows it: itself, its parent, its ancestors, how it was trained and proposed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.places import expanded
from fairnad_engine.store import Store
from fairnad_engine.store.records import AttemptRow, CandidateRow, RunRow, TestRow
from fairnad_screens.actions import key_of

if TYPE_CHECKING:
    from fairnad_engine.backbone.summary import CountChange, GraphSummary


@dataclass(frozen=True)
class Ancestor:
    """A model of the lineage, and the edge that leads to it.

    Attributes:
        id: Candidate id.
        generation: 0 for the seed.
        stage: 0 for the seed.
        kind: Why it was designed.
        status: State of its training.
        accuracy: Validation accuracy, percent.
        params: Parameters.
        change: What was changed against its parent, in the designer's words.
        realised: Whether its graph shows the idea.
        idea: The idea on the edge, with its category; empty for none.
        paper: The paper it is from, in one line; empty for none.
        child: Whether it was made from the shown candidate, rather than the other way round.
    """

    id: str
    generation: int
    stage: int
    kind: str
    status: str
    accuracy: float | None
    params: int
    change: str
    realised: str
    idea: str
    paper: str
    child: bool = False


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training; accuracies percent, the validation's None where it was not scored."""

    number: int
    train_loss: float | None
    train_accuracy: float | None
    validation_accuracy: float | None
    learning_rate: float | None
    seconds: float | None


@dataclass(frozen=True)
class Training:
    """One training: the search's, its short one before (``screen``), or one of ``finish`` with its seed.

    Attributes:
        fidelity: ``full``, or ``short:N`` of N epochs; scores of two fidelities are never compared. Empty while it
            goes on.
        accuracy: Validation accuracy, percent.
        latency: Milliseconds of one pass at batch 1 and at batch 256, where they were measured.
    """

    purpose: str
    seed: int
    epochs: tuple[Epoch, ...]
    status: str
    message: str
    fidelity: str = ""
    accuracy: float | None = None
    latency: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class CandidateSnapshot:
    """Everything of one candidate.

    Attributes:
        row: The candidate.
        protocol: What its accuracy means.
        parent: What it was made from; None for the seed.
        on_front: The generation on whose front it last stood; None where it never did.
        neighbours: Ids of all candidates of the run in order.
        lineage: Its children, itself, and its ancestors back to the seed.
        trainings: Its trainings.
        attempts: The proposals of its slot.
        tokens: Model calls, tokens read and written by attempt (step, attempt).
        graph: Counts of operations of parent and child.
        graph_problem: Why there are none.
        tests: Scores on the test split, made by ``finish``.
    """

    row: CandidateRow
    protocol: str
    parent: CandidateRow | None
    on_front: int | None
    neighbours: tuple[str, ...]
    lineage: tuple[Ancestor, ...]
    trainings: tuple[Training, ...]
    attempts: tuple[AttemptRow, ...]
    tokens: dict[tuple[int, int], tuple[int, int, int]]
    graph: tuple[CountChange, ...]
    graph_problem: str
    tests: tuple[TestRow, ...]


def read_candidate(store: Store, run_id: str, candidate_id: str) -> CandidateSnapshot:
    """Read a candidate.

    Raises:
        InputError: There is no such run or candidate.
    """
    run = store.runs.get(run_id)
    row = store.runs.candidate(run_id, candidate_id)
    if row is None:
        raise InputError(f"{run_id} has no candidate {candidate_id!r} any more; {key_of('app.back')} goes back")
    parent = store.runs.candidate(run_id, row.parent_id) if row.parent_id else None
    lines = sorted(store.live.candidates(run_id), key=lambda line: line.position)
    graph, problem = _graph(store, row, parent)
    attempts = tuple(store.runs.attempts_of_slot(run_id, row.generation, row.slot)) if row.generation else ()
    return CandidateSnapshot(
        row=row,
        protocol=_protocol(run),
        parent=parent,
        on_front=max((g.number for g in store.runs.generations(run_id) if candidate_id in g.front), default=None),
        neighbours=tuple(line.id for line in lines),
        lineage=_lineage(store, row),
        trainings=_trainings(store, row),
        attempts=attempts,
        tokens={(one.step, one.attempt): _tokens(store, one) for one in attempts},
        graph=graph,
        graph_problem=problem,
        tests=tuple(one for one in store.tests.of_run(run_id) if one.candidate_id == candidate_id),
    )


def step_key(attempt: AttemptRow) -> str:
    """The name under which an attempt's model calls are kept."""
    return "/".join(map(str, (attempt.run_id, attempt.generation, attempt.slot, attempt.step, attempt.attempt)))


def read_attempt(store: Store, attempt: AttemptRow) -> str:
    """An attempt at full length: the verifier's words, the model's raw replies, the source that was proposed."""
    parts = [f"purpose: {attempt.purpose}", f"outcome: {attempt.failure or 'accepted'}"]
    if attempt.message:
        parts.append(f"verifier: {attempt.message}")
    calls = store.calls.of_step(step_key(attempt))
    for number, call in enumerate(calls, start=1):
        parts.append(
            f"\n--- reply {number} of {len(calls)}: {call.model}, {call.prompt_tokens:,} tokens read, "
            f"{call.completion_tokens:,} written, {call.seconds:.1f} s\n{call.reply}"
        )
    if not calls:
        parts.append("\n--- no reply was kept: the built-in rules model writes no text")
    if attempt.source:
        parts.append(f"\n--- proposed source\n{attempt.source}")
    return "\n".join(parts)


def export(store: Store, run_id: str, candidate_id: str, folder: str) -> Path:
    """Write a candidate as a folder of its own; see the engine's ``export_candidate``."""
    from fairnad_engine.report.export import export_candidate

    return export_candidate(store, run_id, candidate_id, expanded(folder))


def write_copy(path: Path, text: str) -> Path:
    """Write what was copied to a file too, for terminals that keep the clipboard to themselves."""
    from fairnad_engine.artifacts import write_atomically

    write_atomically(path, text.encode())
    return path


def _protocol(run: RunRow) -> str:
    from fairnad_engine.report.summary import protocol_facts

    try:
        return protocol_facts(run).label
    except KeyError:  # a run of an unfinished program froze less
        return "protocol not recorded"


def _tokens(store: Store, attempt: AttemptRow) -> tuple[int, int, int]:
    calls = store.calls.of_step(step_key(attempt))
    return len(calls), sum(c.prompt_tokens for c in calls), sum(c.completion_tokens for c in calls)


def _lineage(store: Store, row: CandidateRow) -> tuple[Ancestor, ...]:
    children = store.runs.children(row.run_id, row.id)
    ancestors, seen = [row], {row.id}
    # A damaged store may hold a circle of parents; each is shown once.
    while (parent := ancestors[-1].parent_id) and parent not in seen:
        above = store.runs.candidate(row.run_id, parent)
        if above is None:
            break
        ancestors.append(above)
        seen.add(parent)
    return (*(_ancestor(store, one, child=True) for one in children), *(_ancestor(store, one) for one in ancestors))


def _ancestor(store: Store, row: CandidateRow, *, child: bool = False) -> Ancestor:
    from fairnad_engine.report.summary import idea_line

    idea = idea_line(store, row)
    paper_id = store.ideas.get(row.idea_id).paper_id if row.idea_id else None
    return Ancestor(
        id=row.id,
        generation=row.generation,
        stage=row.stage,
        kind=row.kind,
        status=row.status,
        accuracy=row.accuracy,
        params=row.params,
        change=row.change,
        realised=row.realised,
        idea=f"{idea.name} [{idea.sub}{', derived' if idea.origin == 'derived' else ''}]" if idea else "",
        paper=_paper(store, paper_id) if paper_id else "",
        child=child,
    )


def _paper(store: Store, paper_id: str) -> str:
    paper = store.papers.get(paper_id)
    author = f"{paper.authors[0]}{' et al.' if paper.authors[1:] else ''}" if paper.authors else ""
    when = f"({paper.year})" if paper.year else ""
    arxiv = f"arXiv:{paper.arxiv}" if paper.arxiv else ""
    return " ".join(part for part in (author, when, paper.title, arxiv) if part)


def _trainings(store: Store, row: CandidateRow) -> tuple[Training, ...]:
    found = []
    for purpose in ("screen", "search", "finish"):
        rows = store.runs.epochs(row.run_id, row.id, purpose)
        evaluations = {e.seed: e for e in store.runs.evaluations_of(row.run_id, row.id) if e.purpose == purpose}
        for seed in dict.fromkeys((*evaluations, *(one["seed"] for one in rows))):
            epochs = tuple(
                Epoch(
                    number=one["epoch"],
                    train_loss=one["train_loss"],
                    train_accuracy=one["train_accuracy"],
                    validation_accuracy=one["validation_accuracy"],
                    learning_rate=one["learning_rate"],
                    seconds=one["seconds"],
                )
                for one in rows
                if one["seed"] == seed
            )
            ended = evaluations.get(seed)
            if ended is None:
                found.append(Training(purpose, seed, epochs, "", ""))
                continue
            found.append(
                Training(
                    purpose=purpose,
                    seed=seed,
                    epochs=epochs,
                    status=ended.status,
                    message=ended.message,
                    fidelity=ended.fidelity,
                    accuracy=ended.accuracy,
                    latency=(ended.latency_1, ended.latency_256),
                )
            )
    return tuple(found)


def _graph(store: Store, row: CandidateRow, parent: CandidateRow | None) -> tuple[tuple[CountChange, ...], str]:
    from fairnad_engine.backbone.graph import GraphRefusedError
    from fairnad_engine.backbone.summary import compare_graphs

    try:
        child = _summary(store.files.root, row.graph)
        return compare_graphs(_summary(store.files.root, parent.graph) if parent else child, child), ""
    except (StoreError, GraphRefusedError, ValueError) as error:
        return (), str(error)


@lru_cache(maxsize=64)
def _summary(root: Path, name: str) -> GraphSummary:
    """A graph's summary; files are named by their content, so it never changes."""
    from fairnad_engine.artifacts import ArtifactFolder
    from fairnad_engine.backbone.graph import parse_graph
    from fairnad_engine.backbone.summary import summarise_graph

    return summarise_graph(parse_graph(json.loads(ArtifactFolder(root).get(name))))
