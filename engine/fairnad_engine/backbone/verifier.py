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
from fairnad_engine.backbone.analysis import Cost, measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.contract import check_source
from fairnad_engine.backbone.graph import BackboneGraph, GraphRefusedError, ModeGraph, NodeRef, parse_graph
from fairnad_engine.backbone.jail.client import Jail

MIN_LAYERS = 3
_FIT_STEPS = 16  # widths scanned below the requested one
_FIT_EXPORTS = 3  # of those, how many are tried for real
_LAYER_OPS = ("aten.conv1d", "aten.conv2d", "aten.linear", "aten.matmul", "aten.mm", "aten.addmm", "aten.bmm")


@dataclass(frozen=True)
class Budget:
    """What a backbone may cost, and what it must fit."""

    input_shape: tuple[int, int, int]
    num_classes: int
    max_params: int
    max_macs: int

    def holds(self, params: int, macs: int) -> bool:
        """Whether both costs are within the budget."""
        return params <= self.max_params and macs <= self.max_macs


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


class _FailedError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Verifier:
    """Sends proposals through the ladder; safe to call from several threads."""

    def __init__(self, jail: Jail, files: ArtifactFolder, budget: Budget, fit: str = "down") -> None:
        self._jail = jail
        self._files = files
        self._budget = budget
        self._fit = fit

    def verify(self, source: str, width: float, seed: int) -> Verdict:
        """Build, check, count and store a proposal.

        Args:
            source: Complete Python source.
            width: The requested width.
            seed: Seed of the initial weights.
        """
        problem = check_source(source)
        if problem is not None:
            return Verdict(problem.kind, problem.message)
        try:
            width, exported = self._within_budget(source, width, seed)
            if longest_chain(exported.graph.eval) < MIN_LAYERS:
                raise _FailedError("not-multi-layer", f"fewer than {MIN_LAYERS} layers in a row")
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
        if self._budget.holds(cost.params, cost.macs):
            return width, exported
        if self._fit == "down":
            for narrower in self._narrower_widths(source, width, cost)[:_FIT_EXPORTS]:
                fitted = self._export(source, narrower, seed)
                if self._budget.holds(fitted.cost.params, fitted.cost.macs):
                    return narrower, fitted
        raise _FailedError(
            "over-budget",
            f"{cost.params} parameters and {cost.macs} MACs; "
            f"the budget is {self._budget.max_params} and {self._budget.max_macs}",
        )

    def _narrower_widths(self, source: str, width: float, cost: Cost) -> list[float]:
        """Widths below the requested one that should fit, widest first; costs told by the child are only hints."""
        scanned = [round(width * (1 - step / _FIT_STEPS), 6) for step in range(1, _FIT_STEPS - 1)]
        result = self._jail.run(
            "widths",
            {
                "source": source,
                "shape": list(self._budget.input_shape),
                "classes": self._budget.num_classes,
                "widths": scanned,
            },
            {},
        )
        hints = result.data.get("widths") if result.ok else None
        if not isinstance(hints, list) or len(hints) != len(scanned):
            return []
        fitting = []
        for one, hint in zip(scanned, hints, strict=True):
            if not _is_numbers(hint, 3):
                return []
            moved = hint[2] < cost.macs or hint[1] < cost.params
            if moved and self._budget.holds(hint[1], hint[2]):
                fitting.append(one)
        return fitting

    def _export(self, source: str, width: float, seed: int) -> _Exported:
        result = self._jail.run(
            "export",
            {
                "source": source,
                "shape": list(self._budget.input_shape),
                "classes": self._budget.num_classes,
                "width": width,
                "seed": seed,
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
            return _Exported(graph, weights, measure(graph))
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

    try:
        GraphBackbone(graph, load(weights))
    except (SafetensorError, ValueError, KeyError) as error:
        raise GraphRefusedError(f"the weights cannot be read: {error}") from error


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


def _is_numbers(value: object, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in value)
    )
