"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) through torchvision's readers, which check md5 before they unpickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import InputError
from fairnad_engine.training.data.description import DatasetInfo, Pool, Where, whose_split
from fairnad_engine.training.data.splits import draw, read_nb201

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Labels, Split

SPLIT_SEED = 201
_ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
# Named here too, so that looking for them needs no torchvision.
_FILES = {
    "cifar10": ("cifar-10-batches-py", ("batches.meta", *(f"data_batch_{n}" for n in range(1, 6)), "test_batch")),
    "cifar100": ("cifar-100-python", ("meta", "train", "test")),
}


def info10(where: Where) -> DatasetInfo:
    """Describe CIFAR-10; normalised as NAS-Bench-201 does."""
    mean, std = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
    return DatasetInfo("cifar10", (3, 32, 32), 10, mean, std, whose_split(where))


def info100(where: Where) -> DatasetInfo:
    """Describe CIFAR-100; normalised as NAS-Bench-201 does."""
    mean, std = (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)
    return DatasetInfo("cifar100", (3, 32, 32), 100, mean, std, whose_split(where))


def missing10(where: Where) -> str:
    """Say which file of CIFAR-10 is not there."""
    return _missing("cifar10", where)


def missing100(where: Where) -> str:
    """Say which file of CIFAR-100 is not there."""
    return _missing("cifar100", where)


def pool10(where: Where) -> Pool:
    """Read CIFAR-10: the 50,000 training images in two halves, train and validation; ``full`` is both.

    Raises:
        InputError: A file is missing or damaged.
    """
    import numpy as np

    images, labels, count = _read("cifar10", where)
    if where.splits:
        train, validation = read_nb201("cifar10", where.splits, ("train", "valid"), count)
    else:
        train, validation = draw(labels[:count], 0.5, SPLIT_SEED)
    splits: dict[Split, Labels | slice] = {
        "train": train,
        "validation": validation,
        "test": np.arange(count, len(labels)),
        "full": slice(0, count),
    }
    return Pool(images, labels, splits)


def pool100(where: Where) -> Pool:
    """Read CIFAR-100: trained on all 50,000; one half of the test images is validation, the other the test split.

    Raises:
        InputError: A file is missing or damaged.
    """
    images, labels, count = _read("cifar100", where)
    if where.splits:
        validation, test = read_nb201("cifar100", where.splits, ("xvalid", "xtest"), len(labels) - count)
    else:
        test, validation = draw(labels[count:], 0.5, SPLIT_SEED)
    splits: dict[Split, Labels | slice] = {
        "train": slice(0, count),
        "validation": validation + count,
        "test": test + count,
        "full": slice(0, count),
    }
    return Pool(images, labels, splits)


def _missing(name: str, where: Where) -> str:
    folder, files = _FILES[name]
    for file in files:
        if not (where.root / folder / file).is_file():
            return (
                f"{name}: no {file} in {where.root / folder}; unpack {_ARCHIVES[name]} in {where.root}, "
                "or name another folder in [data] root or $FAIRNAD_DATA"
            )
    return ""


def _read(name: str, where: Where) -> tuple[Any, Any, int]:
    """Images (N, 3, 32, 32), labels, and the number of training images, which come first."""
    import numpy as np
    from torchvision import datasets

    problem = _missing(name, where)
    if problem:
        raise InputError(problem)
    reader: Callable[..., Any] = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    try:
        parts = [reader(str(where.root), train=train, download=False) for train in (True, False)]
    except RuntimeError as error:
        raise InputError(_damaged(name, reader, where)) from error
    images = np.concatenate([part.data.transpose(0, 3, 1, 2) for part in parts])
    labels = np.concatenate([np.asarray(part.targets, dtype=np.int64) for part in parts])
    return np.ascontiguousarray(images), labels, len(parts[0].targets)


def _damaged(name: str, reader: Any, where: Where) -> str:  # noqa: ANN401
    from torchvision.datasets.utils import check_integrity

    folder = where.root / _FILES[name][0]
    expected = [*reader.train_list, *reader.test_list, (reader.meta["filename"], reader.meta["md5"])]
    wrong = [f"{file} (md5 {md5})" for file, md5 in expected if not check_integrity(str(folder / file), md5)]
    return f"{folder}: not the published file: {', '.join(wrong) or 'one'}; unpack {_ARCHIVES[name]} again"
