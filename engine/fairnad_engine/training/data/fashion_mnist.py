"""Fashion-MNIST: 70,000 grey images of 28x28 pixels (Xiao et al., 2017, arXiv:1708.07747).

Read here and not by torchvision, whose reader wants the files unpacked and then checks none of them: these are read
packed or unpacked, and their content is checked either way.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError
from fairnad_engine.training.data.description import OWN_SPLIT, DatasetInfo, Pool, Where
from fairnad_engine.training.data.splits import draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLIT_SEED = 201
VALIDATION_SHARE = 1 / 6
FOLDERS = ("FashionMNIST/raw", "fashion-mnist")
# md5 of the unpacked content: packed files differ by the name and time that gzip adds.
CHECKSUMS = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def info(_where: Where) -> DatasetInfo:
    """Describe the data set."""
    return DatasetInfo("fashion-mnist", (1, 28, 28), 10, mean=(72.94,), std=(90.02,), split_label=OWN_SPLIT)


def missing(where: Where) -> str:
    """Say which file is not there."""
    try:
        for name in CHECKSUMS:
            _path(where.root, name)
    except InputError as error:
        return str(error)
    return ""


def pool(where: Where) -> Pool:
    """Read the images: 60,000 to train on, a sixth of them held out for validation, and 10,000 to test on.

    Raises:
        InputError: A file is missing or damaged.
    """
    import numpy as np

    names = list(CHECKSUMS)
    parts = [_read(where.root, name) for name in names]
    images = np.concatenate((parts[0], parts[2]))[:, None]
    labels = np.concatenate((parts[1], parts[3])).astype(np.int64)
    count = len(parts[1])
    train, validation = draw(labels[:count], VALIDATION_SHARE, SPLIT_SEED)
    return Pool(
        images,
        labels,
        {
            "train": train,
            "validation": validation,
            "test": slice(count, len(labels)),
            "full": slice(0, count),
        },
    )


def _path(root: Path, name: str) -> Path:
    for folder in FOLDERS:
        for path in (root / folder / name, root / folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise InputError(
        f"fashion-mnist: no {name}.gz in {root / FOLDERS[1]}; put the four files of Fashion-MNIST there, "
        "or name another folder in [data] root or $FAIRNAD_DATA"
    )


def _read(root: Path, name: str) -> NDArray[np.uint8]:
    """Read one idx file: magic 00 00 08 and the number of dimensions, sizes as big-endian int32, then the bytes."""
    import numpy as np

    path = _path(root, name)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}; get the file again") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != CHECKSUMS[name]:
        raise InputError(f"{path}: is not Fashion-MNIST's {name} (content md5 {CHECKSUMS[name]}); get the file again")
    sizes = np.frombuffer(data, dtype=">i4", count=data[3], offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(tuple(int(size) for size in sizes))
