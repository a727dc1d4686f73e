"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 pixels (Chrabaszcz et al., 2017, arXiv:1707.08819).

The files are pickles, which can run code; so each one's md5 is checked before a byte of it is unpickled, and the
unpickler knows nothing but arrays.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import InputError
from fairnad_engine.training.data.description import DatasetInfo, Pool, Where, whose_split
from fairnad_engine.training.data.splits import draw, read_nb201

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Images, Labels

SPLIT_SEED = 201
CLASSES = 120
FOLDER = "ImageNet16"
TRAINING = {
    "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
    "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
    "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
    "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
    "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
    "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
    "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
    "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
    "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
    "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
}
HELD_OUT = {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}


def info(where: Where) -> DatasetInfo:
    """Describe the data set; normalised as NAS-Bench-201 does."""
    mean, std = (122.68, 116.66, 104.01), (63.22, 61.26, 65.09)
    return DatasetInfo("imagenet16-120", (3, 16, 16), CLASSES, mean, std, whose_split(where))


def missing(where: Where) -> str:
    """Say which file is not there."""
    for name in (*TRAINING, *HELD_OUT):
        if not (where.root / FOLDER / name).is_file():
            return (
                f"imagenet16-120: no {name} in {where.root / FOLDER}; put the 16x16 pickles of downsampled ImageNet "
                "there, or name another folder in [data] root or $FAIRNAD_DATA"
            )
    return ""


def pool(where: Where) -> Pool:
    """Read 151,700 images to train on and 6,000 held out, of which one half is validation, the other the test split.

    Raises:
        InputError: A file is missing or damaged.
    """
    import numpy as np

    problem = missing(where)
    if problem:
        raise InputError(problem)
    folder = where.root / FOLDER
    parts = [_read(folder / name, md5) for name, md5 in (*TRAINING.items(), *HELD_OUT.items())]
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    held_out = parts[-1][1]
    count = len(labels) - len(held_out)
    if where.splits:
        validation, test = read_nb201("imagenet16-120", where.splits, ("xvalid", "xtest"), len(held_out))
    else:
        test, validation = draw(held_out, 0.5, SPLIT_SEED)
    return Pool(
        images,
        labels,
        {
            "train": slice(0, count),
            "validation": validation + count,
            "test": test + count,
            "full": slice(0, count),
        },
    )


class _Arrays(pickle.Unpickler):
    """Reads dictionaries of lists and numpy arrays; whatever else a pickle names is refused."""

    _names = frozenset({"_reconstruct", "ndarray", "dtype", "encode", "scalar"})
    _modules = frozenset({"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs"})

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the base class's signature
        """Look up ``module.name`` for the pickle.

        Raises:
            pickle.UnpicklingError: It is not part of an array.
        """
        if module not in self._modules or name not in self._names:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of arrays")
        return super().find_class(module, name)


def _read(path: Path, md5: str) -> tuple[Images, Labels]:
    """Images (N, 3, 16, 16) and labels (0 to 119) of one file, in the file's order."""
    import numpy as np

    data = path.read_bytes()
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise InputError(f"{path}: is not the published file (md5 {md5}), so it is not unpickled; get the file again")
    try:
        content = _Arrays(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: is no file of arrays ({error}); get the file again") from None
    labels = np.asarray(content["labels"], dtype=np.int64)
    kept = (labels >= 1) & (labels <= CLASSES)
    images = np.asarray(content["data"], dtype=np.uint8)[kept].reshape(-1, 3, 16, 16)
    return images, labels[kept] - 1
