"""What a data set is to the rest of the program: its description, its splits, its images.

Imports neither torch nor numpy, so that a form can describe data sets at once.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from fairnad_engine.places import expanded
from fairnad_engine.training.data.folder_settings import ImageFolderSettings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Images: TypeAlias = NDArray[np.uint8]
    Labels: TypeAlias = NDArray[np.int64]

Split = Literal["train", "validation", "test", "full"]
OWN_SPLIT, NB201_SPLIT = "own-split", "nb201-split"


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


@dataclass(frozen=True)
class DatasetState:
    """Whether a data set can be used here, for a form.

    Attributes:
        found: Its files are there (their checksums are looked at when they are read).
        detail: What it is, such as ``cifar10: 3x32x32, 10 classes, own-split``.
        why: What is missing and the remedy, in one line; empty where it was found.
    """

    found: bool
    detail: str = ""
    why: str = ""


@dataclass(frozen=True)
class Where:
    """Where a data set is looked for.

    Attributes:
        root: Folder with the data sets' own folders.
        splits: Folder with NAS-Bench-201's index files, or the one file that is needed.
        path: What follows the colon in ``imagefolder:PATH``.
        folder: How a folder of images is read.
    """

    root: Path
    splits: Path | None = None
    path: str = ""
    folder: ImageFolderSettings = field(default_factory=ImageFolderSettings)


@dataclass(frozen=True)
class Pool:
    """All images of a data set, and which of them belong to which split.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        splits: Indices into both; a slice where the images of a split lie together.
    """

    images: Images
    labels: Labels
    splits: dict[Split, Labels | slice]


def content_digest(pool: Pool) -> str:
    """Hash of the images and labels of all splits."""
    import numpy as np

    digest = hashlib.sha256()
    for split in ("train", "validation", "test"):
        index = pool.splits[split]
        digest.update(np.ascontiguousarray(pool.images[index]).data)
        digest.update(np.ascontiguousarray(pool.labels[index]).data)
    return digest.hexdigest()[:16]


def default_root() -> Path:
    """Return the folder of data sets where settings name none: ``$FAIRNAD_DATA``, else one in the user's cache.

    It belongs to no workspace: several searches read the same files.
    """
    named = os.environ.get("FAIRNAD_DATA")
    if named:
        return expanded(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "fairnad-tui" / "data"


def whose_split(where: Where) -> str:
    """Return the label of a split: NAS-Bench-201's where its index files are given, else the program's own."""
    return NB201_SPLIT if where.splits else OWN_SPLIT
