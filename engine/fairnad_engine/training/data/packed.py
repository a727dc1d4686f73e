"""A data set as it travels to other machines, and the folder in which a machine keeps it.

What travels is the whole pool as it lies in memory and which images belong to which split, so a training there reads
the same images in the same order. A folder is named by the hash of its splits' content and is written under another
name first, so what has the right name is whole; it holds ``images.u8``, ``labels.npy``, ``index.npy`` and
``about.json``. Nothing of it is unpickled.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fairnad_engine.errors import MachineFaultError
from fairnad_engine.places import expanded
from fairnad_engine.training.data.description import DatasetInfo, Pool, Where, content_digest

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Split

KIND = "packed"
_PART_BYTES = 64 << 20
Part = tuple[str, bytes]  # a file's name, and what is appended to it


def cache_folder() -> Path:
    """Return where a machine keeps what came from others: ``$FAIRNAD_CACHE``, else a folder in the user's cache."""
    if named := os.environ.get("FAIRNAD_CACHE"):
        return expanded(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "fairnad-tui"


def pack(info: DatasetInfo, pool: Pool) -> Iterator[Part]:
    """Take a data set apart, images in parts of at most 64 MiB."""
    import numpy as np

    indices: list[Any] = []
    splits: dict[str, tuple[str, int, int]] = {}
    start = 0
    for name, index in pool.splits.items():
        if isinstance(index, slice):
            first, last, _ = index.indices(len(pool.labels))
            splits[name] = ("slice", first, last)
        else:
            splits[name] = ("index", start, start + len(index))
            indices.append(np.asarray(index, dtype=np.int64))
            start += len(index)
    index = np.concatenate(indices) if indices else np.zeros(0, dtype=np.int64)
    about = {"info": asdict(info), "splits": splits, "count": len(pool.labels)}
    yield "about.json", json.dumps(about).encode()
    yield "labels.npy", _saved(pool.labels)
    yield "index.npy", _saved(index)
    step = max(1, _PART_BYTES // max(1, pool.images[0].nbytes))
    for first in range(0, len(pool.images), step):
        yield "images.u8", np.ascontiguousarray(pool.images[first : first + step]).tobytes()


def kept(digest: str) -> Path | None:
    """The folder of a data set on this machine, or None where it is not here."""
    folder = cache_folder() / "datasets" / digest
    return folder if folder.is_dir() else None


def keep(digest: str, parts: Sequence[Callable[[], Part]]) -> Path:
    """Put a data set together, unless it is here; of several processes that ask at once one does it.

    Args:
        digest: Hash of its splits' content, which is checked.
        parts: Each gives one part of it, in order.

    Raises:
        MachineFaultError: What came is not that data set.
        OSError: It cannot be written.
    """
    folder = cache_folder() / "datasets" / digest
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".receiving-"))
        try:
            for part in parts:
                name, data = part()
                with (building / name).open("ab") as file:
                    file.write(data)
            if content_digest(pool(Where(building, path=str(building)))) != digest:
                raise MachineFaultError(f"{folder}: the data set did not arrive as it was sent; try again")
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def info(where: Where) -> DatasetInfo:
    """Describe the data set as it was described where it came from."""
    found = _about(where)["info"]
    return DatasetInfo(
        found["name"],
        tuple(found["image_shape"]),
        found["num_classes"],
        tuple(found["mean"]),
        tuple(found["std"]),
        found["split_label"],
    )


def pool(where: Where) -> Pool:
    """Return the images without reading them; the trainings of a machine share what they read."""
    import numpy as np

    folder, about = Path(where.path), _about(where)
    labels = np.load(folder / "labels.npy", allow_pickle=False)
    index = np.load(folder / "index.npy", allow_pickle=False)
    shape = (about["count"], *about["info"]["image_shape"])
    images = np.memmap(folder / "images.u8", dtype=np.uint8, mode="r", shape=shape)
    splits: dict[Split, Any] = {
        cast("Split", name): slice(first, last) if kind == "slice" else index[first:last]
        for name, (kind, first, last) in about["splits"].items()
    }
    return Pool(images, labels, splits)


def missing(where: Where) -> str:
    """Say what is wrong with the folder."""
    return "" if Path(where.path, "about.json").is_file() else f"{where.path}: holds no data set"


def _about(where: Where) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(Path(where.path, "about.json").read_text("utf-8"))
    return about


def _saved(array: Any) -> bytes:  # noqa: ANN401
    import numpy as np

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
