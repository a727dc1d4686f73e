"""The verifier's ladder for one proposal: contract, jail, graph, budgets, depth (method, section 4).

Whether a structure is new is decided afterwards, in slot order, by the search; everything here depends on the
proposal alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.agreement import disagreement
from fairnad_engine.backbone.analysis import Cost, measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.contract import CONTRACT, Entry, check_source
from fairnad_engine.backbone.fitting import Budget, Hint, read_hints, widths_below, widths_to_fill
from fairnad_engine.backbone.graph import BackboneGraph, GraphRefusedError, ModeGraph, NodeRef, parse_graph
from fairnad_engine.backbone.jail.client import Confinement

__all__ = ["Budget", "Verdict", "Verifier", "check_weights", "load_graph", "longest_chain"]

MIN_LAYERS = 3
_FIT_EXPORTS = 3  # of the widths that should fit, how many are tried for real
_WITNESSES = 2  # before and after the trace
_WEIGHTS_TABLE_BYTES = 8 << 20
_LAYER_OPS = ("aten.conv1d", "aten.conv2d", "aten.linear", "aten.matmul", "aten.mm", "aten.addmm", "aten.bmm")


@dataclass(frozen=True)
class Verdict:
    """What the ladder says of a proposal.

    Attributes:
        failure: Failure class, or None where it passed.
        message: Why it failed, in one line.
        width: The width it was built with after fitting.
        params: Parameters, counted from the graph.
        macs: Multiply-accumulates for one image, counted from the graph.
        exact_hash: Structure hash.
        width_hash: Width-normalised structure hash.
        graph: Artifact name of the graph description.
        weights: Artifact name of the initial weights.
    """

    failure: str | None
    message: str = ""
    width: float = 1.0
    params: int = 0
    macs: int = 0
    exact_hash: str = ""
    width_hash: str = ""
    graph: str = ""
    weights: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)

    def measured(self) -> dict[str, Any]:
        """What was measured and stored of a backbone that passed, as a candidate's columns."""
        return {name: value for name, value in asdict(self).items() if name not in ("failure", "message")}


@dataclass(frozen=True)
class _Exported:
    graph: BackboneGraph
    weights: bytes
    cost: Cost
    witness: tuple[object, ...]


class _FailedError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Verifier:
    """Sends proposals through the ladder; safe to call from several threads.

    Args:
        jail: Where candidates run.
        files: Receives graphs and initial weights.
        budget: What a backbone may cost, and what it must fit.
        fit: How a backbone over budget is narrowed.
        entry: What of a source is built; only what follows the contract has a width to fit.
    """

    def __init__(
        self, jail: Confinement, files: ArtifactFolder, budget: Budget, fit: str = "down", entry: Entry = CONTRACT
    ) -> None:
        self._jail = jail
        self._files = files
        self._budget = budget
        self._fit = fit if entry.follows_contract else "llm"
        self._entry = entry

    def verify(self, source: str, width: float, seed: int) -> Verdict:
        """Build, check, count and store a proposal.

        Args:
            source: Complete Python source.
            width: The requested width.
            seed: Seed of the initial weights.
        """
        problem = check_source(source, entry=self._entry)
        if problem is not None:
            return Verdict(problem.kind, problem.message)
        try:
            width, exported = self._within_budget(source, width, seed)
            if longest_chain(exported.graph.eval) < MIN_LAYERS:
                raise _FailedError("not-multi-layer", f"fewer than {MIN_LAYERS} layers in a row")
            self._check_agreement(exported, seed)
        except _FailedError as failed:
            return Verdict(failed.kind, str(failed), width=width)
        hashes = structure_hashes(exported.graph)
        return Verdict(
            failure=None,
            width=width,
            params=exported.cost.params,
            macs=exported.cost.macs,
            exact_hash=hashes.exact,
            width_hash=hashes.width_normalised,
            graph=self._files.put(exported.graph.to_json().encode(), ".graph.json"),
            weights=self._files.put(exported.weights, ".safetensors"),
        )

    def _within_budget(self, source: str, width: float, seed: int) -> tuple[float, _Exported]:
        exported = self._export(source, width, seed)
        cost = exported.cost
        fits = self._budget.holds(cost.params, cost.macs)
        if self._fit == "fill":
            fitted = self._first_fitting(source, widths_to_fill(self._hints, source, width, cost, self._budget), seed)
            if fitted is not None and not (fits and fitted[0] <= width):
                return fitted
        if fits:
            return width, exported
        if self._fit == "down":
            narrower = widths_below(self._hints, source, width, cost, self._budget)
            fitted = self._first_fitting(source, narrower, seed)
            if fitted is not None:
                return fitted
        raise _FailedError(
            "over-budget",
            f"{cost.params} parameters and {cost.macs} MACs; "
            f"the budget is {self._budget.max_params} and {self._budget.max_macs}",
        )

    def _first_fitting(self, source: str, widths: list[float], seed: int) -> tuple[float, _Exported] | None:
        """The first of these widths that is within the budget for real; a hint may have promised too much."""
        for width in widths[:_FIT_EXPORTS]:
            try:
                fitted = self._export(source, width, seed)
            except _FailedError:
                continue  # widths may break divisibility, or ask for more memory than there is
            if self._budget.holds(fitted.cost.params, fitted.cost.macs):
                return width, fitted
        return None

    def _hints(self, source: str, widths: list[float]) -> list[Hint | None]:
        payload = {
            "source": source,
            "shape": list(self._budget.input_shape),
            "classes": self._budget.num_classes,
            "widths": widths,
            "most": [4 * self._budget.max_params, 4 * self._budget.max_macs],
        }
        result = self._jail.run("widths", payload, {})
        return read_hints(result.data.get("widths") if result.ok else None, len(widths))

    def _check_agreement(self, exported: _Exported, seed: int) -> None:
        """Hold what the candidate did in its own child against what its graph does in another."""
        document = json.loads(exported.graph.to_json())
        result = self._jail.run("replay", {"graph": document, "seed": seed}, {"weights": exported.weights})
        if not result.ok:
            raise _FailedError(result.failure or "crash", f"its graph: {result.message}")
        for claimed in exported.witness:
            problem = disagreement(claimed, result.data["seen"])
            if problem is not None:
                raise _FailedError("graph-disagrees", f"run eagerly, the source gives {problem} than its graph")
        if result.data["leak"]:
            raise _FailedError("batch-dependent", "in eval mode an image's logits depend on the images beside it")

    def _export(self, source: str, width: float, seed: int) -> _Exported:
        result = self._jail.run(
            "export",
            {
                "source": source,
                "shape": list(self._budget.input_shape),
                "classes": self._budget.num_classes,
                "width": width,
                "seed": seed,
                **self._entry.request(),
            },
            {},
        )
        if not result.ok:
            raise _FailedError(result.failure or "crash", result.message)
        try:
            graph = parse_graph(result.data.get("graph"))
            if graph.input_shape != self._budget.input_shape or graph.num_classes != self._budget.num_classes:
                raise GraphRefusedError("the graph is for another input or number of classes")
            weights = result.blobs.get("weights", b"")
            check_weights(graph, weights)
            witness = result.data.get("witness")
            if not isinstance(witness, list) or len(witness) != _WITNESSES:
                raise GraphRefusedError("the child tells nothing of the candidate's own step")
            return _Exported(graph, weights, measure(graph), tuple(witness))
        except GraphRefusedError as refused:
            raise _FailedError(refused.kind, str(refused)) from refused


def check_weights(graph: BackboneGraph, weights: bytes) -> None:
    """Read the weights as the trainer will.

    Raises:
        GraphRefusedError: They are no safetensors, or do not fit the graph.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from fairnad_engine.backbone.rebuild import GraphBackbone

    if int.from_bytes(weights[:8], "little") > _WEIGHTS_TABLE_BYTES:
        raise GraphRefusedError("the table of the weights is longer than that of any graph")
    try:
        GraphBackbone(graph, load(weights))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        text = " ".join(str(error).split())[:300]
        raise GraphRefusedError(f"the weights cannot be read: {text}") from error


def load_graph(files: ArtifactFolder, name: str) -> BackboneGraph:
    """Read a stored graph description."""
    return parse_graph(json.loads(files.get(name)))


def longest_chain(graph: ModeGraph) -> int:
    """Number of weighted layers on the longest path from images to logits."""
    depth: list[int] = []
    for node in graph.nodes:
        longest = max(_depths(node.references(), depth), default=0)
        depth.append(longest + any(node.op.startswith(op + ".") for op in _LAYER_OPS))
    return depth[graph.output.index]


def _depths(references: Iterable[object], depth: list[int]) -> list[int]:
    return [depth[r.index] for r in references if isinstance(r, NodeRef)]
