"""The learned part of the reading without a language model: linear weights that ``bench.reading_model`` writes.

Three small models: which sub-category a sentence speaks of, whether it speaks as a design statement does, and how
much these two and the rules' own evidence count together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fairnad_engine.resources import template_file

FILE = "reading.json"


@dataclass(frozen=True)
class Linear:
    """A linear model over features of unit length.

    Attributes:
        outputs: What it scores.
        base: The score of each output where no feature is known.
        rarity: How much each feature counts before lengths are made equal.
        weights: For each feature, the outputs (by place) that it speaks for or against.
    """

    outputs: tuple[str, ...]
    base: tuple[float, ...]
    rarity: Mapping[str, float]
    weights: Mapping[str, Mapping[int, float]]

    def scores(self, features: Mapping[str, float]) -> dict[str, float]:
        """Return the score of each output."""
        known = {name: damped(count) * self.rarity[name] for name, count in features.items() if name in self.rarity}
        length = math.hypot(*known.values()) or 1.0
        found = list(self.base)
        for name, value in known.items():
            for place, weight in self.weights[name].items():
                found[place] += weight * value / length
        return dict(zip(self.outputs, found, strict=True))


def damped(count: float) -> float:
    """Return what a feature counts that stands in a sentence ``count`` times."""
    return 1 + math.log(count) if count >= 1 else count


@dataclass(frozen=True)
class Judge:
    """A logistic model over a handful of named pieces of evidence."""

    weights: Mapping[str, float]
    base: float

    def likelihood(self, evidence: Mapping[str, float]) -> float:
        """Return how likely it is, from 0 to 1, that a statement is a design idea of its sub-category."""
        total = self.base + sum(weight * evidence[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


@dataclass(frozen=True)
class StatementModel:
    """The three models together."""

    subject: Linear
    manner: Linear
    judge: Judge


@cache
def shipped_model() -> StatementModel:
    """Return the model that comes with the program."""
    data = json.loads(template_file(FILE).read_text("utf-8"))
    judge = Judge(data["judge"]["weights"], data["judge"]["base"])
    return StatementModel(_linear(data["subject"]), _linear(data["manner"]), judge)


def _linear(data: Mapping[str, Any]) -> Linear:
    features = data["features"]
    return Linear(
        tuple(data["outputs"]),
        tuple(data["base"]),
        {name: row[0] for name, row in features.items()},
        {name: dict(zip(row[1::2], row[2::2], strict=True)) for name, row in features.items()},
    )
