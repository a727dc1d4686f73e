"""Image data sets with fixed splits, held as uint8 tensors.

A trainer asks for the splits it needs by name; the search never asks for ``test`` (method, section 5, honesty rule).
Naming and describing data sets imports neither torch nor numpy, so that a form can offer them at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from fairnad_engine.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

Split = Literal["train", "validation", "test"]
Arrays: TypeAlias = "dict[Split, tuple[NDArray[np.uint8], NDArray[np.int64]]]"


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without opening it.

    Attributes:
        name: As named in settings.
        image_shape: Channels, height, width.
        num_classes: Number of classes.
        mean: Channel means of the raw uint8 values.
        std: Channel standard deviations of the raw uint8 values.
        split_label: Names whose split it is; stands beside every number.
    """

    name: str
    image_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    split_label: str


@dataclass(frozen=True)
class LabelledImages:
    """One split: images (N, C, H, W) uint8, labels (N,) int64."""

    images: torch.Tensor
    labels: torch.Tensor


DIGITS_SPLIT_SEED = 1797
_DIGITS = DatasetInfo(
    name="digits",
    image_shape=(1, 8, 8),
    num_classes=10,
    mean=(77.85,),
    std=(95.85,),
    split_label="own-split",
)


def _load_digits() -> Arrays:
    """Scikit-learn's 1,797 handwritten digits, stratified into 997 / 400 / 400."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = data.target.astype(np.int64)
    order = np.arange(len(labels))
    rest, test = train_test_split(order, test_size=400, stratify=labels, random_state=DIGITS_SPLIT_SEED)
    train, validation = train_test_split(rest, test_size=400, stratify=labels[rest], random_state=DIGITS_SPLIT_SEED)
    splits: dict[Split, NDArray[np.int64]] = {"train": train, "validation": validation, "test": test}
    return {name: (images[np.sort(index)], labels[np.sort(index)]) for name, index in splits.items()}


_LOADERS: dict[str, tuple[DatasetInfo, Callable[[], Arrays]]] = {"digits": (_DIGITS, _load_digits)}


def dataset_names() -> list[str]:
    """Return the names of the data sets this version can train on."""
    return sorted(_LOADERS)


def dataset_info(name: str) -> DatasetInfo:
    """Describe a data set.

    Raises:
        InputError: There is no data set of this name.
    """
    if name not in _LOADERS:
        raise InputError(f"data set {name!r} does not exist; choose one of: {', '.join(dataset_names())}")
    return _LOADERS[name][0]


@lru_cache(maxsize=2)
def _arrays(name: str) -> Arrays:
    dataset_info(name)
    return _LOADERS[name][1]()


def load_split(name: str, split: Split) -> LabelledImages:
    """Load one split of a data set."""
    import torch

    images, labels = _arrays(name)[split]
    return LabelledImages(torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))


def split_digest(name: str) -> str:
    """Hash of the images and labels of all splits: two runs compare only where it is the same."""
    digest = hashlib.sha256()
    for split in ("train", "validation", "test"):
        images, labels = _arrays(name)[split]
        digest.update(images.tobytes())
        digest.update(labels.tobytes())
    return digest.hexdigest()[:16]
