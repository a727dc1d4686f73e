"""Splits: drawn with a fixed seed, or NAS-Bench-201's own where its index files are given (method, section 5)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Labels

# Index files of the NAS-Bench-201 benchmark; they are not part of this program.
NB201_FILES = {
    "cifar10": ("cifar-split.txt", "2da7627956f17981dc0b841ab8385f37"),
    "cifar100": ("cifar100-test-split.txt", "16f51963f0ccd95cb6c08c33ca4c1665"),
    "imagenet16-120": ("imagenet-16-120-test-split.txt", "670c7749b090d2e937e20d10e811be22"),
}


def draw(labels: Labels, share: float, seed: int) -> tuple[Labels, Labels]:
    """Draw a share of each class, at least one image and never all.

    Args:
        labels: (N,) int64.
        share: Between 0 and 1.
        seed: Of the draw; the stream of ``RandomState`` is frozen for good, so a split never changes.

    Returns:
        Indices (ascending) of the rest, and of the images drawn.
    """
    import numpy as np

    order = np.random.RandomState(seed).permutation(len(labels))
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        if len(of_class) > 1:
            chosen[of_class[: min(max(round(share * len(of_class)), 1), len(of_class) - 1)]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def nb201_path(name: str, splits: Path) -> Path:
    """Return where a data set's index file must lie: ``splits`` itself, or in that folder."""
    return splits / NB201_FILES[name][0] if splits.is_dir() else splits


def read_nb201(name: str, splits: Path, keys: tuple[str, str], count: int) -> tuple[Labels, Labels]:
    """Read an index file of NAS-Bench-201.

    Args:
        name: Data set.
        splits: The file, or its folder.
        keys: Names of the two halves in the file, such as ``("train", "valid")``.
        count: Number of images that the halves share out.

    Raises:
        InputError: The file is missing, another one, or does not share out ``count`` images.
    """
    import numpy as np

    path = nb201_path(name, splits)
    file, md5 = NB201_FILES[name]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; [data] splits must name NAS-Bench-201's {file}") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise InputError(f"{path}: is not NAS-Bench-201's {file} (md5 {md5}); name that file in [data] splits")
    document = json.loads(data)
    first, second = (np.sort(np.array(document[key][1], dtype=np.int64)) for key in keys)
    if not np.array_equal(np.sort(np.concatenate((first, second))), np.arange(count)):
        raise InputError(f"{path}: does not share out the {count:,} images of {name}; check the data set's files")
    return first, second
