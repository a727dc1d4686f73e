"""Where every random number of a search comes from (method, section 3, determinism)."""

from __future__ import annotations

import zlib

import numpy as np

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
