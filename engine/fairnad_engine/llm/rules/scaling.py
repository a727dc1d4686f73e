"""Capacity: to grow a blueprint into the slack under the budgets, and to shrink it until it fits them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .blueprint import Blueprint, Stage
from .catalogue.stages import deepen, depths, plain, widths
from .cost import count
from .geometry import InvalidBlueprintError, layout, scaled

FILL = 0.95  # share of the budgets a scaled-up backbone may take by the estimate
_WORTH_IT = 1.03  # growth in parameters or MACs below this is no scaling up
_TRIES = 40


@dataclass(frozen=True)
class Budget:
    """What a backbone may cost on the task's images."""

    input_shape: tuple[int, int, int]
    num_classes: int
    params: float
    macs: float

    def cost(self, b: Blueprint) -> tuple[int, int]:
        """Return parameters and MACs of a blueprint."""
        return count(b, self.input_shape, self.num_classes)

    def holds(self, b: Blueprint, fill: float = 1.0) -> bool:
        """Whether a blueprint keeps within a share of the budgets."""
        params, macs = self.cost(b)
        return params <= self.params * fill and macs <= self.macs * fill


def refit(b: Blueprint, input_shape: tuple[int, int, int]) -> Blueprint:
    """Return a copy whose token MLPs have the grids of the maps that they see.

    Raises:
        InvalidBlueprintError: The network does not work on such inputs.
    """
    for shape in layout(b, input_shape).blocks:
        if not any(layer.op == "tokens" for path in shape.block.paths for layer in path):
            continue
        paths = [
            tuple(replace(x, grid=min(shape.size)) if x.op == "tokens" else x for x in path)
            for path in shape.block.paths
        ]
        b = b.with_block(shape.stage, shape.index, replace(shape.block, layers=paths[0], branches=tuple(paths[1:])))
    return b


def widened(b: Blueprint, factor: float, only: int | None = None) -> Blueprint:
    """Return a copy with every stage (and the stem), or one stage, ``factor`` times as wide."""

    def wide(s: int, stage: Stage) -> Stage:
        return replace(stage, channels=scaled(stage.channels, factor)) if only in (None, s) else stage

    stem = replace(b.stem, channels=scaled(b.stem.channels, factor)) if only is None else b.stem
    return replace(b, stem=stem, stages=tuple(wide(s, stage) for s, stage in enumerate(b.stages)))


def shrink(b: Blueprint, budget: Budget, fill: float = 1.0, least: float = 0.5) -> Blueprint | None:
    """Return the widest narrower copy within a share of the budgets; blocks go where width alone would ask too much.

    Args:
        b: The blueprint to shrink.
        budget: The budgets.
        fill: Share of the budgets to keep within.
        least: Widths below this share cost blocks first, while there are any to give.
    """
    while True:
        for step in range(100, 9, -2):
            narrow = widened(b, step / 100)
            if budget.holds(narrow, fill):
                if step / 100 >= least or (shorter := _shorter(b)) is None:
                    return narrow
                b = shorter
                break
        else:
            fewer = _shorter(b)
            if fewer is None:
                return None
            b = fewer


def _shorter(b: Blueprint) -> Blueprint | None:
    """Return a copy without one block of the deepest stage that has one twice, so that no idea is lost."""
    for s in sorted(range(len(b.stages)), key=lambda s: -len(b.stages[s].blocks)):
        blocks = b.stages[s].blocks
        kinds = [replace(plain(block), shortcut="pad", drop_path=0.0) for block in blocks]
        spare = [i for i, kind in enumerate(kinds) if i and blocks[i].stride == 1 and kinds.count(kind) > 1]
        if spare:
            return b.with_stage(s, replace(b.stages[s], blocks=(*blocks[: spare[-1]], *blocks[spare[-1] + 1 :])))
    return None


def grow(b: Blueprint, budget: Budget, rng: np.random.Generator) -> tuple[Blueprint, str] | None:
    """Return a wider or deeper copy within the budgets and what was changed, or None where there is no slack."""
    params, macs = budget.cost(b)
    for _ in range(_TRIES):
        new, text = _GROWTHS[int(rng.integers(len(_GROWTHS)))](b, rng)
        try:
            grown = budget.cost(new)
        except InvalidBlueprintError:
            continue
        larger = grown[0] >= params * _WORTH_IT or grown[1] >= macs * _WORTH_IT
        if larger and budget.holds(new, FILL):
            return new, text
    return None


def _wider_all(b: Blueprint, rng: np.random.Generator) -> tuple[Blueprint, str]:
    factor = float(rng.choice((1.125, 1.25, 1.375, 1.5, 1.75, 2.0)))
    new = widened(b, factor)
    return new, f"widths {widths(b)} -> {widths(new)}"


def _wider_stage(b: Blueprint, rng: np.random.Generator) -> tuple[Blueprint, str]:
    s, factor = int(rng.integers(len(b.stages))), float(rng.choice((1.25, 1.5, 2.0)))
    new = widened(b, factor, only=s)
    return new, f"widths {widths(b)} -> {widths(new)}"


def _deeper_all(b: Blueprint, rng: np.random.Generator) -> tuple[Blueprint, str]:
    new = b
    for s in range(len(b.stages)):
        new = deepen(new, s)
    return new, f"depths {depths(b)} -> {depths(new)}"


def _deeper_stage(b: Blueprint, rng: np.random.Generator) -> tuple[Blueprint, str]:
    s, new = int(rng.integers(len(b.stages))), b
    for _ in range(int(rng.integers(1, 4))):
        new = deepen(new, s)
    return new, f"depths {depths(b)} -> {depths(new)}"


def _compound(b: Blueprint, rng: np.random.Generator) -> tuple[Blueprint, str]:
    """Scale depth and width together (compound scaling, arXiv:1905.11946)."""
    new = widened(_deeper_stage(b, rng)[0], float(rng.choice((1.1, 1.2, 1.3))))
    return new, f"depths {depths(b)} -> {depths(new)}, widths {widths(b)} -> {widths(new)}"


_GROWTHS: tuple[Callable[[Blueprint, np.random.Generator], tuple[Blueprint, str]], ...] = (
    _wider_all,
    _wider_stage,
    _deeper_all,
    _deeper_stage,
    _compound,
)
