"""The verifier's ladder as people read it: its rungs, where a proposal fell off, and what each failure means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fairnad_engine.store.records import AttemptRow

State = Literal["passed", "failed", "open"]

# In the order in which the verifier and then the search climb them.
_RUNGS: dict[str, tuple[str, ...]] = {
    "source": ("syntax", "contract", "import"),
    "jail": (
        "build", "forward", "output-shape", "backward", "not-exportable", "baked-randomness", "timeout", "memory",
        "crash", "jail-violation", "output-too-large",
    ),
    "graph": ("graph-refused", "op-not-allowed", "train-eval-mismatch", "activations-too-large"),
    "budget": ("over-budget",),
    "depth": ("not-multi-layer",),
    "truth": ("graph-disagrees", "batch-dependent"),
    "new": ("unchanged", "width-only", "resized", "duplicate", "near-duplicate", "quota"),
}  # fmt: skip
_OF_REPLAY = "its graph: "  # begins the message where the graph failed in a child of its own

# Checks that a program which cheats its measure is caught by.
CHEAT_CHECKS = frozenset(
    {"graph-disagrees", "batch-dependent", "train-eval-mismatch", "baked-randomness", "jail-violation"}
)

MEANINGS: dict[str, str] = {
    "syntax": "The source is not valid Python.",
    "contract": "The source does not define a Backbone as the contract asks.",
    "import": "It imports something else than torch and math.",
    "build": "Building the network raised an error.",
    "forward": "Running the network on images raised an error.",
    "output-shape": "It does not give one row of logits for each image.",
    "backward": "No gradient could be computed.",
    "not-exportable": "The network cannot be written down as a graph.",
    "graph-refused": "The graph writes what it must not, overrides precision, or is not well formed.",
    "op-not-allowed": "The graph uses an operation that is not on the list of allowed ones.",
    "batch-dependent": "An image's logits depend on the other images of its batch.",
    "train-eval-mismatch": "Train mode and eval mode are not one network: layers or parameters differ.",
    "graph-disagrees": "Run as source it does something else than its graph, which is what is counted and trained.",
    "baked-randomness": "Random numbers were drawn once and frozen into the graph.",
    "activations-too-large": "Its intermediate results need more memory than is allowed.",
    "timeout": "It was not done in time and was ended.",
    "memory": "It asked for more memory than the jail gives.",
    "crash": "Its process died.",
    "jail-violation": "It tried what the jail forbids.",
    "output-too-large": "It sent back more than is accepted.",
    "over-budget": "It has more parameters or MACs than the budget allows, also when narrowed.",
    "unchanged": "Its structure equals its parent's.",
    "width-only": "It differs from its parent in width alone.",
    "resized": "It was to keep depth and widths, and does not.",
    "duplicate": "The run has this structure already.",
    "near-duplicate": "Its source is all but that of a model that the run has.",
    "quota": "Its generation still owes structural edits, and this is none.",
    "not-multi-layer": "It has too few layers in a row.",
    "inexpressible": "The designer could not put the idea into this network.",
    "malformed-reply": "The model's reply could not be read.",
    "truncated-reply": "The model's reply broke off.",
    "unchanged-reply": "The model gave back the program that it was to change.",
    "edit-mismatch": "The model's edit does not fit the program that it was to change.",
    "no-idea": "There was no idea to work with.",
    "no-parent": "There was no model to change.",
    "diverged": "Its training went to infinity.",
    "out-of-memory": "Its training needed more memory than the device has.",
    "trainer-error": "Its training ended with an error.",
    "training-timeout": "Its training was not done in time.",
}


@dataclass(frozen=True)
class Rung:
    """One rung and how the proposal fared on it."""

    name: str
    state: State


def ladder(attempt: AttemptRow) -> tuple[Rung, ...]:
    """The rungs of a proposal; none where it never came to the verifier, or fell in a way that tells no rung."""
    if attempt.failure is None:
        return () if attempt.verdict is None else tuple(Rung(name, "passed") for name in _RUNGS)
    fell = next((name for name, kinds in _RUNGS.items() if attempt.failure in kinds), None)
    if fell is None:
        return ()
    if attempt.message.startswith(_OF_REPLAY):
        fell = "truth"
    names = list(_RUNGS)
    here = names.index(fell)
    return tuple(
        Rung(name, "passed" if place < here else "failed" if place == here else "open")
        for place, name in enumerate(names)
    )


def meaning(failure: str) -> str:
    """A failure class in one short sentence, and whether it guards against cheats; empty for an unknown one."""
    told = MEANINGS.get(failure, "")
    return f"{told} This check guards against cheats." if failure in CHEAT_CHECKS else told
