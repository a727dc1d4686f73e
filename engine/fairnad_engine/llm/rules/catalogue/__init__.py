"""The catalogue of transformations, one file for each main category of the attribute tree."""

from __future__ import annotations

from . import (
    activation,
    branching,
    channels,
    convolution,
    downsampling,
    fusion,
    gating,
    hyperparameters,
    links,
    mixing,
    normalisation,
    residual,
    schedule,
    stages,
    stem,
    tail,
)
from .registry import HYPERPARAMETERS, INVERSES, TRANSFORMATIONS, Transformation

__all__ = [
    "HYPERPARAMETERS",
    "INVERSES",
    "TRANSFORMATIONS",
    "Transformation",
    "activation",
    "branching",
    "channels",
    "convolution",
    "downsampling",
    "fusion",
    "gating",
    "hyperparameters",
    "links",
    "mixing",
    "normalisation",
    "residual",
    "schedule",
    "stages",
    "stem",
    "tail",
]
