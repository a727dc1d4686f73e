"""Every class of failure a proposal can end in, by the rung of the verifier's ladder that finds it."""

from __future__ import annotations

from enum import StrEnum


class Rung(StrEnum):
    """What the verifier does about a failure (method, section 4)."""

    EXECUTION = "execution"  # back to the designer to debug, at most twice
    BUDGET = "budget"  # width fitting, then back to the designer, at most four times
    STRUCTURE = "structure"  # proposed anew
    DESIGN = "design"  # the designer had nothing to offer
    TRAINING = "training"  # verified, but no score came of it


RUNGS: dict[str, Rung] = {
    **dict.fromkeys(
        (
            "syntax",
            "contract",
            "import",
            "build",
            "forward",
            "output-shape",
            "backward",
            "not-exportable",
            "graph-refused",
            "op-not-allowed",
            "batch-dependent",
            "train-eval-mismatch",
            "graph-disagrees",
            "baked-randomness",
            "activations-too-large",
            "timeout",
            "memory",
            "crash",
            "jail-violation",
            "output-too-large",
            "edit-mismatch",
        ),
        Rung.EXECUTION,
    ),
    "over-budget": Rung.BUDGET,
    **dict.fromkeys(
        (
            "unchanged",
            "unchanged-reply",
            "width-only",
            "resized",
            "duplicate",
            "near-duplicate",
            "quota",
            "not-multi-layer",
        ),
        Rung.STRUCTURE,
    ),
    **dict.fromkeys(("inexpressible", "malformed-reply", "truncated-reply", "no-idea", "no-parent"), Rung.DESIGN),
    **dict.fromkeys(("diverged", "out-of-memory", "trainer-error", "training-timeout"), Rung.TRAINING),
}


def rung_of(kind: str) -> Rung:
    """The rung a failure class belongs to; what the jail may add later counts as execution."""
    return RUNGS.get(kind, Rung.EXECUTION)


class CandidateError(Exception):
    """The candidate failed; ``kind`` is its machine-readable failure class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
