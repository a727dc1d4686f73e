"""Scikit-learn's 1,797 handwritten digits of 8x8 pixels; they come with that library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairnad_engine.training.data.description import OWN_SPLIT, DatasetInfo, Pool, Where

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Labels, Split

SPLIT_SEED = 1797


def info(_where: Where) -> DatasetInfo:
    """Describe the data set."""
    return DatasetInfo("digits", (1, 8, 8), 10, mean=(77.85,), std=(95.85,), split_label=OWN_SPLIT)


def missing(_where: Where) -> str:
    """Return nothing: the digits are always there."""
    return ""


def pool(_where: Where) -> Pool:
    """Read the images, stratified into 997 / 400 / 400."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = data.target.astype(np.int64)
    order = np.arange(len(labels))
    rest, test = train_test_split(order, test_size=400, stratify=labels, random_state=SPLIT_SEED)
    train, validation = train_test_split(rest, test_size=400, stratify=labels[rest], random_state=SPLIT_SEED)
    splits: dict[Split, Labels | slice] = {
        "train": np.sort(train),
        "validation": np.sort(validation),
        "test": np.sort(test),
        "full": np.sort(rest),
    }
    return Pool(images, labels, splits)
