"""Image data sets with fixed splits, held as uint8 tensors.

A trainer asks for the splits it needs by name; the search never asks for ``test`` (method, section 5, honesty rule).
Nothing is ever downloaded: a data set that is not there is one line that says where it was looked for.
Naming and describing data sets imports neither torch nor numpy, so that a form can offer them at once.

Every function takes the settings of ``[data]`` as keywords: ``root`` (folder of data sets), ``splits`` (index files
of NAS-Bench-201) and ``imagefolder`` (how a folder of own images is read).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fairnad_engine.errors import InputError
from fairnad_engine.places import expanded
from fairnad_engine.training.data import cifar, digits, fashion_mnist, image_folder, imagenet16, packed
from fairnad_engine.training.data.description import (
    DatasetInfo,
    DatasetState,
    LabelledImages,
    Pool,
    Split,
    Where,
    content_digest,
    default_root,
)
from fairnad_engine.training.data.folder_settings import ImageFolderSettings
from fairnad_engine.training.data.splits import NB201_FILES, nb201_path

__all__ = [
    "DatasetInfo",
    "DatasetState",
    "LabelledImages",
    "Split",
    "dataset_info",
    "dataset_names",
    "dataset_state",
    "load_split",
    "load_whole_test",
    "packed_parts",
    "split_digest",
    "split_sizes",
    "splits_problem",
    "whole_test_size",
]

IMAGE_FOLDER = "imagefolder"


@dataclass(frozen=True)
class _Source:
    """How a data set is described, looked for and read; ``stamp`` changes when its files do."""

    info: Callable[[Where], DatasetInfo]
    missing: Callable[[Where], str]
    pool: Callable[[Where], Pool]
    stamp: Callable[[Where], str] = lambda _where: ""


_SOURCES = {
    "digits": _Source(digits.info, digits.missing, digits.pool),
    "fashion-mnist": _Source(fashion_mnist.info, fashion_mnist.missing, fashion_mnist.pool),
    "cifar10": _Source(cifar.info10, cifar.missing10, cifar.pool10),
    "cifar100": _Source(cifar.info100, cifar.missing100, cifar.pool100),
    "imagenet16-120": _Source(imagenet16.info, imagenet16.missing, imagenet16.pool),
}
_PACKED = _Source(packed.info, packed.missing, packed.pool)  # came from another machine; nobody names it in settings
_FOLDER = _Source(image_folder.info, image_folder.missing, image_folder.pool, image_folder.stamp)


def dataset_names() -> list[str]:
    """Return the names of the data sets this version can train on; own images are named ``imagefolder:PATH``."""
    return list(_SOURCES)


def dataset_info(
    name: str,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> DatasetInfo:
    """Describe a data set; only own images without a given normalisation are opened for it.

    Raises:
        InputError: There is no data set of this name, or own images cannot be read.
    """
    source, where = _find(name, root, splits, imagefolder)
    return source.info(where)


def dataset_state(
    name: str,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> DatasetState:
    """Say whether a data set is here, cheaply enough for a form: files are looked for and not read."""
    try:
        source, where = _find(name, root, splits, imagefolder)
    except InputError as error:
        return DatasetState(found=False, why=str(error))
    problem = source.missing(where) or splits_problem(name, where.splits)
    if problem:
        return DatasetState(found=False, why=problem)
    if source is _FOLDER:
        shape, classes, label = image_folder.shape(where), len(image_folder.classes(where)), "own-split"
    else:
        info = source.info(where)
        shape, classes, label = info.image_shape, info.num_classes, info.split_label
    return DatasetState(found=True, detail=f"{name}: {'x'.join(map(str, shape))}, {classes} classes, {label}")


def load_split(
    name: str,
    split: Split,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> LabelledImages:
    """Load one split of a data set.

    Args:
        name: Data set.
        split: ``train``, ``validation``, ``test``, or ``full``: all that the data set gives to train on, which is
            more than ``train`` where validation images are taken from it (50,000 of CIFAR-10).
        root: Folder of data sets.
        splits: NAS-Bench-201's index files.
        imagefolder: How own images are read.

    Returns:
        Images and labels on the CPU; own images stay in a file that is mapped into memory.

    Raises:
        InputError: The data set is missing or damaged.
    """
    import numpy as np
    import torch

    pool = _pool(*_find(name, root, splits, imagefolder))
    index = pool.splits[split]
    images, labels = pool.images[index], pool.labels[index]
    if not isinstance(pool.images, np.memmap) and isinstance(index, slice):
        images = images.copy()  # what a caller writes to stays its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # mapped images are read only, and nobody writes to them
        return LabelledImages(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels.copy()))


def load_whole_test(
    name: str,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> LabelledImages:
    """Load the whole published test set: the test split, and the validation images where those were taken from it.

    Other papers report on it (method, section 5); no number of a search does.

    Raises:
        InputError: The data set is missing or damaged.
    """
    import torch

    where: dict[str, Any] = {"root": root, "splits": splits, "imagefolder": imagefolder}
    loaded = [load_split(name, part, **where) for part in _whole_test(name, where)]
    return LabelledImages(torch.cat([one.images for one in loaded]), torch.cat([one.labels for one in loaded]))


def whole_test_size(name: str, where: Mapping[str, Any]) -> int:
    """Count the images of :func:`load_whole_test`; ``where`` holds its keywords."""
    sizes = split_sizes(name, **where)
    return sum(sizes[part] for part in _whole_test(name, where))


def _whole_test(name: str, where: Mapping[str, Any]) -> tuple[Split, ...]:
    """The splits that are the published test set: validation images were taken from what trains, or from it."""
    sizes = split_sizes(name, **where)
    return ("test",) if sizes["full"] > sizes["train"] else ("validation", "test")


def split_sizes(
    name: str,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> dict[Split, int]:
    """Count the images of each split; ``full`` has more than ``train`` where validation is part of it.

    Raises:
        InputError: The data set is missing or damaged.
    """
    pool = _pool(*_find(name, root, splits, imagefolder))
    return {split: len(pool.labels[index]) for split, index in pool.splits.items()}


def split_digest(
    name: str,
    *,
    root: str | Path | None = None,
    splits: str | Path | None = None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None = None,
) -> str:
    """Hash of the images and labels of all splits: two runs compare only where it is the same.

    Raises:
        InputError: The data set is missing or damaged.
    """
    return content_digest(_pool(*_find(name, root, splits, imagefolder)))


def packed_parts(name: str, where: Mapping[str, Any]) -> Iterator[packed.Part]:
    """Take a data set apart for another machine; ``where`` holds the keywords of its readers.

    Raises:
        InputError: The data set is missing or damaged.
    """
    source, place = _find(name, where.get("root"), where.get("splits"), where.get("imagefolder"))
    return packed.pack(source.info(place), _pool(source, place))


def _find(
    name: str,
    root: str | Path | None,
    splits: str | Path | None,
    imagefolder: ImageFolderSettings | Mapping[str, Any] | None,
) -> tuple[_Source, Where]:
    """Find the source of a data set, and where it is looked for."""
    kind, _, path = name.partition(":")
    if kind == packed.KIND and path:
        return _PACKED, Where(Path(path), path=path)
    own = kind == IMAGE_FOLDER and path != ""
    if not own and name not in _SOURCES:
        known = ", ".join((*_SOURCES, f"{IMAGE_FOLDER}:PATH"))
        raise InputError(f"data set {name!r} does not exist; choose one of: {known}")
    if splits is not None and name not in NB201_FILES:
        raise InputError(f"{name} has one split, the program's own; remove [data] splits")
    folder = expanded(root) if root is not None else default_root()
    given = expanded(splits) if splits is not None else None
    if not own:
        return _SOURCES[name], Where(folder, given)
    if not isinstance(imagefolder, ImageFolderSettings):
        try:
            imagefolder = ImageFolderSettings.model_validate(imagefolder or {})
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"[data.imagefolder] {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return _FOLDER, Where(folder, given, path, imagefolder)


def splits_problem(name: str, splits: str | Path | None) -> str:
    """Why NAS-Bench-201's index file of a data set cannot be read; empty where it is there, or none is asked for."""
    if splits is None or name not in NB201_FILES:
        return ""
    path = nb201_path(name, expanded(splits))
    file = NB201_FILES[name][0]
    return "" if path.is_file() else f"{path}: is not there; [data] splits must name NAS-Bench-201's {file}"


def _pool(source: _Source, where: Where) -> Pool:
    return _read(source, where, source.stamp(where))


@lru_cache(maxsize=2)
def _read(source: _Source, where: Where, _stamp: str) -> Pool:
    return source.pool(where)
