"""Fresh initial weights of a network that was verified before, drawn in the jail for ``finish``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from fairnad_engine.errors import RunFailedError
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, RunRow

if TYPE_CHECKING:
    from fairnad_engine.backbone.jail.result import JailResult

PASSING_FAILURES = ("timeout", "memory")  # the machine's condition, not the candidate's


class Exporter(Protocol):
    """The part of the jail that a finish needs."""

    def run(self, task: str, payload: dict[str, Any], blobs: Mapping[str, bytes] | None = None) -> JailResult:
        """Do one task in a fresh child."""


class NotReproducedError(Exception):
    """The source does not build the same network under another seed."""


class FreshWeights:
    """Draws weights for the networks of one run."""

    def __init__(self, store: Store, run: RunRow, jail: Exporter) -> None:
        self._store = store
        self._run = run
        self._jail = jail

    def draw(self, candidate: CandidateRow, number: int) -> str:
        """Have the source built under another seed and store its weights, if it is the same network.

        Args:
            candidate: A candidate, or a network beside the archive.
            number: Which of its trainings the weights are for.

        Raises:
            NotReproducedError: It is another network, or none.
            RunFailedError: The machine did not let it be built this time.
        """
        from fairnad_engine.backbone.canonical import structure_hashes
        from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
        from fairnad_engine.backbone.verifier import check_weights, load_graph

        trusted = load_graph(self._store.files, candidate.graph)
        result = self._jail.run(
            "export",
            {
                "source": candidate.source,
                "shape": list(trusted.input_shape),
                "classes": trusted.num_classes,
                "width": candidate.width,
                "seed": torch_seed(entropy(self._run.seed, candidate.position, "finish", number, "init")),
            },
            {},
        )
        if result.failure in PASSING_FAILURES:
            raise RunFailedError(
                f"{candidate.id}: fresh weights could not be drawn ({result.failure}: {result.message}); "
                f"free the machine, then go on with: fairnad-tui finish {self._run.id}"
            )
        if not result.ok:
            raise NotReproducedError(f"{result.failure}: {result.message}")
        weights = result.blobs.get("weights", b"")
        try:
            if structure_hashes(parse_graph(result.data.get("graph"))).exact != candidate.exact_hash:
                raise NotReproducedError("its source builds another network under another seed")
            check_weights(trusted, weights)
        except GraphRefusedError as refused:
            raise NotReproducedError(str(refused)) from refused
        return self._store.files.put(weights, ".safetensors")
