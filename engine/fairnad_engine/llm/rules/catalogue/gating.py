"""Gating and channel attention: features multiplied by what is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..blueprint import Block, Blueprint, Gate
from ..naming import GATE_NAMES, gate_name
from .draw import Change, Draw, edit_blocks, where
from .registry import Apply, hyperparameter, inverse, transformation


def add_gate(b: Blueprint, draw: Draw, gate: Gate) -> Change | None:
    """Put a gate behind the last layer of a share of the blocks, or behind the first; a like one gives way."""
    places = draw.blocks(b, lambda block: all(g != gate for x in block.layers for g in x.gates))
    if not places:
        return None
    early = draw.chance(0.3)

    def edit(block: Block) -> Block:
        at = 0 if early else len(block.layers) - 1
        kept = [tuple(g for g in x.gates if g.kind != gate.kind) for x in block.layers]
        layers = tuple(replace(x, gates=(*kept[n], gate) if n == at else kept[n]) for n, x in enumerate(block.layers))
        return replace(block, layers=layers)

    side = "first" if early else "last"
    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: {gate_name(gate)} behind the {side} layer")


@transformation("squeeze-excitation", "gate.squeeze-excitation")
def squeeze(b: Blueprint, draw: Draw) -> Change | None:
    """Weigh channels by a small MLP over their means."""
    return add_gate(b, draw, Gate("squeeze", reduction=draw.number("reduction", (2, 4, 8, 16))))


@transformation("efficient-channel-attention", "gate.efficient-channel")
def efficient(b: Blueprint, draw: Draw) -> Change | None:
    """Weigh channels by a one-dimensional convolution over their means."""
    return add_gate(b, draw, Gate("efficient", kernel=draw.number("kernel", (3, 5, 7))))


@transformation("spatial-gate", "gate.spatial")
def spatial(b: Blueprint, draw: Draw) -> Change | None:
    """Weigh positions by the mean and maximum over channels."""
    return add_gate(b, draw, Gate("spatial", kernel=draw.number("kernel", (3, 5, 7))))


@transformation("multiplicative-gate", "gate.multiplicative")
def multiplicative(b: Blueprint, draw: Draw) -> Change | None:
    """Multiply features with a convolved copy of themselves."""
    return add_gate(b, draw, Gate("multiplicative", kernel=draw.number("kernel", (3, 5, 7))))


def _remover(kind: str) -> Apply:
    def remove(b: Blueprint, draw: Draw) -> Change | None:
        places = draw.blocks(b, lambda block: any(g.kind == kind for x in block.layers for g in x.gates))
        new = _edit_gates(b, places, lambda gates: tuple(g for g in gates if g.kind != kind))
        return Change(new, f"{where(b, places)}: no {GATE_NAMES[kind]}") if places else None

    remove.__doc__ = f"Take the {GATE_NAMES[kind]} out."
    return remove


def _edit_gates(
    b: Blueprint, places: list[tuple[int, int]], edit: Callable[[tuple[Gate, ...]], tuple[Gate, ...]]
) -> Blueprint:
    return edit_blocks(
        b, places, lambda block: replace(block, layers=tuple(replace(x, gates=edit(x.gates)) for x in block.layers))
    )


for _kind, _sub in (
    ("squeeze", "gate.squeeze-excitation"),
    ("efficient", "gate.efficient-channel"),
    ("spatial", "gate.spatial"),
    ("multiplicative", "gate.multiplicative"),
):
    inverse(f"no-{_kind}-gate", _sub)(_remover(_kind))


@hyperparameter("gate-size")
def gate_size(b: Blueprint, draw: Draw) -> Change | None:
    """Change the reduction or kernel of gates."""
    places = draw.blocks(b, lambda block: any(x.gates for x in block.layers))
    reduction, kernel = draw.choice((2, 4, 8, 16)), draw.choice((3, 5, 7))
    new = _edit_gates(b, places, lambda gates: tuple(replace(g, reduction=reduction, kernel=kernel) for g in gates))
    return Change(new, f"{where(b, places)}: gates with reduction {reduction}, kernel {kernel}") if places else None
