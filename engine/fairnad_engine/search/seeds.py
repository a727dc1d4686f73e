"""Where every random number of a search comes from (method, section 3, determinism)."""

from __future__ import annotations

import zlib
from typing import Literal

import numpy as np

SeedRule = Literal["place", "structure"]

_MASK = 0xFFFFFFFF


def entropy(run_seed: int, *words: int | str) -> tuple[int, ...]:
    """Seed words for one purpose at one place of a run; equal places give equal words."""
    return (run_seed & _MASK, *(zlib.crc32(w.encode()) if isinstance(w, str) else w & _MASK for w in words))


def generator(words: tuple[int, ...]) -> np.random.Generator:
    """A generator of its own for these words."""
    return np.random.default_rng(np.random.SeedSequence(words))


def torch_seed(words: tuple[int, ...]) -> int:
    """A seed for torch."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0] & 0x7FFFFFFF)


def initial_weights_seed(rule: SeedRule, run_seed: int, *place: int) -> int:
    """What a candidate's initial weights are drawn from: its place in the run, or one seed for the whole run.

    With ``structure`` equal programs begin with equal weights wherever they turn up, as the seed backbone does.
    """
    return torch_seed(entropy(run_seed, *(place if rule == "place" else (0,)), "init"))


def training_seed(rule: SeedRule, run_seed: int, position: int, exact_hash: str) -> int:
    """What a candidate's training is seeded with: its position in the run, or its structure."""
    return torch_seed(entropy(run_seed, position if rule == "place" else exact_hash, "train"))
