"""A candidate as a folder that stands alone: source, trusted graph, trained weights, and where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fairnad_engine.errors import InputError
from fairnad_engine.report.facts import ProtocolFacts
from fairnad_engine.report.summary import idea_line, protocol_facts
from fairnad_engine.report.templates import render_markdown
from fairnad_engine.search.control_row import BESIDE, CONTROL, control_facts
from fairnad_engine.search.finish_results import FINAL, exported_training, ranked_training
from fairnad_engine.search.warm import WARM_START
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import PaperRow
from fairnad_engine.store.records import CandidateRow, EvaluationRow, Row, RunRow
from fairnad_engine.text import escape, one_line

if TYPE_CHECKING:
    from fairnad_engine.backbone.graph import BackboneGraph

EXPORT_VERSION = 1
FILES = (
    "backbone.py", "features.py", "graph.json", "weights.safetensors", "model.json", "lineage.json", "ideas.md",
    "README.md",
)  # fmt: skip


def export_candidate(store: Store, run_id: str, candidate_id: str, folder: Path) -> Path:
    """Write ``folder/<candidate>`` and return it.

    Raises:
        InputError: There is no such candidate, it is not trained, or the folder cannot be written.
        StoreError: Its graph or weights are missing or damaged.
    """
    from fairnad_engine.backbone.graph import parse_graph

    run = store.runs.get(run_id)
    candidate = store.runs.candidate(run_id, candidate_id) or store.beside.get(run_id, candidate_id)
    if candidate is None:
        raise InputError(f"{run_id}: there is no candidate {candidate_id!r}; see: fairnad-tui report {run_id}")
    searched = _training(store, candidate)
    training = exported_training(store, run_id, candidate_id) or searched
    if training is None or training.weights is None:
        raise InputError(f"{candidate_id}: is not trained ({candidate.status}); only trained candidates are exported")
    description = store.files.get(candidate.graph)
    graph = parse_graph(json.loads(description))
    lineage = lineage_of(store, candidate)
    protocol = protocol_facts(run)
    texts = {
        "backbone.py": _source(candidate, protocol, graph),
        "features.py": Path(feature_backbone_file()).read_text("utf-8"),
        "model.json": _json({**_model(run, candidate, training, graph), "control": _control(store, run_id)}),
        "lineage.json": _json(lineage),
        "ideas.md": _ideas(store, candidate, lineage),
        "README.md": _readme(run, candidate, protocol, graph, training),
    }
    target = folder / candidate_id
    write_file(target / "graph.json", description)
    write_file(target / "weights.safetensors", store.files.get(training.weights))
    for name, text in texts.items():
        write_file(target / name, text.encode())
    return target


def write_file(path: Path, data: bytes) -> None:
    """Write a file of a report.

    Raises:
        InputError: The place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name another folder to write to") from error


def lineage_of(store: Store, candidate: CandidateRow) -> list[Row]:
    """The candidate and its ancestors back to the seed, each with its change, idea and paper."""
    return [_ancestor(store, one) for one in _ancestors(store, candidate)]


def feature_backbone_file() -> str:
    """Path of the module that goes into every export as ``features.py``; it needs nothing of this program."""
    return str(Path(__file__).with_name("feature_backbone.py"))


def _control(store: Store, run_id: str) -> Row:
    """The seed at the budget's edge, which an exported model is to be held against."""
    facts = control_facts(store, run_id)
    names = ("state", "note", "width", "params", "macs", "validation_mean", "validation_deviation")
    return {name: getattr(facts, name) for name in names} | {"trainings": len(facts.validation)}


def _training(store: Store, candidate: CandidateRow) -> EvaluationRow | None:
    """What is exported where ``finish`` made none on more images: the search's training, or a side model's first."""
    done = [row for row in store.runs.evaluations_of(candidate.run_id, candidate.id) if row.status == "done"]
    if candidate.status != BESIDE:
        return next((row for row in done if row.purpose == "search"), None)
    control = [row for row in done if row.purpose == CONTROL]
    return control[0] if control else ranked_training(store, candidate.run_id, candidate.id)


def _ancestors(store: Store, candidate: CandidateRow) -> Iterator[CandidateRow]:
    current: CandidateRow | None = candidate
    while current is not None:
        yield current
        current = store.runs.candidate(current.run_id, current.parent_id) if current.parent_id else None


def _ancestor(store: Store, candidate: CandidateRow) -> Row:
    idea = idea_line(store, candidate)
    paper_id = store.ideas.get(candidate.idea_id).paper_id if candidate.idea_id else None
    return {
        "id": candidate.id,
        "parent": candidate.parent_id,
        "came_from": _came_from(store, candidate),
        "generation": candidate.generation,
        "stage": candidate.stage,
        "kind": candidate.kind,
        "change": candidate.change,
        "edit_type": candidate.edit_type,
        "realised": candidate.realised,
        "validation_accuracy": candidate.accuracy,
        "params": candidate.params,
        "macs": candidate.macs,
        "width": candidate.width,
        "idea": vars(idea) if idea else None,
        "paper": _paper(store.papers.get(paper_id)) if paper_id else None,
    }


def _came_from(store: Store, candidate: CandidateRow) -> Row | None:
    """The model of another run that a warm start brought."""
    ancestry = store.runs.get(candidate.run_id).environment.get("ancestry", {})
    members = ancestry.get("members", ()) if candidate.kind == WARM_START else ()
    return next(({"run": ancestry["run"], "model": one["from"]} for one in members if one["id"] == candidate.id), None)


def _paper(paper: PaperRow) -> Row:
    return {
        "id": paper.id,
        "title": paper.title,
        "authors": list(paper.authors),
        "year": paper.year,
        "venue": paper.venue,
        "arxiv": paper.arxiv,
    }


def _model(run: RunRow, candidate: CandidateRow, training: EvaluationRow, graph: BackboneGraph) -> Row:
    environment = run.environment
    return {
        "format": "fairnad-export",
        "format_version": EXPORT_VERSION,
        "id": candidate.id,
        "run": run.id,
        "run_name": run.name,
        "parent": candidate.parent_id,
        "generation": candidate.generation,
        "input_shape": list(graph.input_shape),
        "num_classes": graph.num_classes,
        "width": candidate.width,
        "params": candidate.params,
        "macs": candidate.macs,
        "exact_hash": candidate.exact_hash,
        "width_hash": candidate.width_hash,
        "aliases": _aliases(graph),
        "dataset": environment["dataset"]["name"],
        "data": _data_location(run),
        "split": environment["split_label"],
        "dataset_digest": run.dataset_digest,
        "protocol": environment["protocol"],
        "protocol_digest": training.protocol_digest,
        "trained_on": _trained_on(training),
        "validation_accuracy": training.accuracy,
        "search_validation_accuracy": candidate.accuracy,
        "run_seed": run.seed,
        "training_seed": training.seed,
        "language_model": run.model,
        "versions": {
            **environment.get("packages", {}),
            **{key: environment[key] for key in ("python", "machine") if key in environment},
        },
    }


def _trained_on(training: EvaluationRow) -> str:
    return "full" if training.purpose == FINAL else "train"


def _data_location(run: RunRow) -> Row:
    """Where the run read its data set, as far as its settings say more than the name."""
    return {k: v for k, v in run.config["data"].items() if k not in ("dataset", "protocol") and v is not None}


def _aliases(graph: BackboneGraph) -> list[tuple[str, str]]:
    return [(entry.name, alias) for entry in graph.tensors for alias in entry.aliases]


def loading_code(candidate: CandidateRow, graph: BackboneGraph) -> list[str]:
    """Lines of Python that build the stand-alone module with its trained weights.

    Tensors are copied by name rather than with ``load_state_dict``: the weights hold a tied tensor once, under its
    first name, and non-persistent buffers too.
    """
    channels, classes = graph.input_shape[0], graph.num_classes
    return [
        "from safetensors.torch import load_file",
        "from backbone import Backbone",
        f"model = Backbone(in_channels={channels}, num_classes={classes}, width={candidate.width!r}).eval()",
        'weights = load_file("weights.safetensors")',
        "for name, tensor in [*model.named_parameters(), *model.named_buffers()]:",
        "    tensor.data.copy_(weights[name])",
    ]


def _source(candidate: CandidateRow, protocol: ProtocolFacts, graph: BackboneGraph) -> str:
    accuracy = f"{candidate.accuracy:.2f} %" if candidate.accuracy is not None else "not scored"
    header = [
        f"Backbone {candidate.id} of {candidate.run_id}, made from {candidate.parent_id or 'nothing: it is the seed'}.",
        f"Validation accuracy {accuracy} ({protocol.label}).",
        f"{candidate.params:,} parameters, {candidate.macs:,} MACs.",
        f"Change: {one_line(candidate.change)}",
        f"Width: {candidate.width!r}.",
    ]
    if candidate.width != 1.0:
        header.append(f"Build it with width={candidate.width!r}: the weights do not fit the default width of 1.0.")
    header += ["Needs PyTorch alone. To load the trained weights:", ""]
    header += [f"    {line}" for line in loading_code(candidate, graph)]
    if aliases := _aliases(graph):
        header += ["", "Tied tensors, stored once:", *(f"    {alias} is {name}" for name, alias in aliases)]
    comment = "\n".join(f"# {escape(line)}".rstrip() for line in header)
    return f"{comment}\n\n{candidate.source}"


def _ideas(store: Store, candidate: CandidateRow, lineage: list[Row]) -> str:
    entries = []
    for ancestor in lineage:
        idea: Any = ancestor["idea"]
        if idea is None:
            continue
        row = None if idea["origin"] in ("derived", WARM_START) else store.ideas.get(idea["id"])
        paper = ancestor["paper"]
        entries.append(
            {
                "model": ancestor["id"],
                "idea": idea,
                "quote": row.quote if row else "",
                "citation": citation(paper) if paper else "",
                "realised": ancestor["realised"],
            }
        )
    return render_markdown("ideas.md.j2", candidate=candidate, entries=entries)


def citation(paper: Row) -> str:
    """A paper in one line."""
    authors = ", ".join(paper["authors"])
    year = f" ({paper['year']})" if paper["year"] else ""
    parts = [f"{authors}{year}".strip(), paper["title"], paper["venue"]]
    if paper["arxiv"]:
        parts.append(f"arXiv:{paper['arxiv']}")
    return ". ".join(part for part in parts if part) + "."


def _readme(
    run: RunRow, candidate: CandidateRow, protocol: ProtocolFacts, graph: BackboneGraph, training: EvaluationRow
) -> str:
    loading = Markup("\n".join(loading_code(candidate, graph)))  # noqa: S704 - made of numbers alone
    return render_markdown(
        "export-readme.md.j2",
        run=run,
        candidate=candidate,
        protocol=protocol,
        loading=loading,
        trained_on=_trained_on(training),
    )


def _json(document: Any) -> str:  # noqa: ANN401
    return json.dumps(document, indent=2) + "\n"
