"""The list of transformations, filled by the modules beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..blueprint import Blueprint
from .draw import Change, Draw

Apply = Callable[[Blueprint, Draw], Change | None]


@dataclass(frozen=True)
class Transformation:
    """One structural change.

    Attributes:
        name: Unique name.
        subs: Sub-categories whose ideas it expresses (for an inverse: whose ideas it takes back).
        description: What it does, in the imperative.
        apply: Returns the change at a random place, or None where the place has nothing to change.
    """

    name: str
    subs: tuple[str, ...]
    description: str
    apply: Apply


TRANSFORMATIONS: dict[str, Transformation] = {}
INVERSES: dict[str, Transformation] = {}
HYPERPARAMETERS: dict[str, Transformation] = {}


def _register(table: dict[str, Transformation], name: str, subs: tuple[str, ...]) -> Callable[[Apply], Apply]:
    def keep(apply: Apply) -> Apply:
        description = (apply.__doc__ or "").strip().split("\n")[0]
        if name in table:
            raise ValueError(f"{name} is registered twice")
        table[name] = Transformation(name, subs, description, apply)
        return apply

    return keep


def transformation(name: str, *subs: str) -> Callable[[Apply], Apply]:
    """Register a transformation for ideas of ``subs``; its docstring's first line is its description."""
    return _register(TRANSFORMATIONS, name, subs)


def inverse(name: str, *subs: str) -> Callable[[Apply], Apply]:
    """Register what takes ideas of ``subs`` back."""
    return _register(INVERSES, name, subs)


def hyperparameter(name: str, *subs: str) -> Callable[[Apply], Apply]:
    """Register a change of one hyper-parameter that is neither depth nor width."""
    return _register(HYPERPARAMETERS, name, subs)
