"""Decoded images in one memory-mapped file, for data sets that need not fit in memory.

A folder of its own holds ``images.u8`` (all splits behind each other, (N, C, H, W) uint8), ``labels.npy`` and
``about.json``. It is written under another name and renamed when whole, so what has the right name is whole; two
processes that decode the same images at once do the work twice and one result stays.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from fairnad_engine.errors import InputError
from fairnad_engine.training.data.description import Pool

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import Images, Split

Sample: TypeAlias = tuple[Path, int]
_CHUNK = 2048  # images decoded between two looks at the results


@dataclass(frozen=True)
class Mapped:
    """Decoded images on disk.

    Attributes:
        folder: Where they lie.
        shape: Channels, height, width.
        counts: Images of each split, in the order of the file.
        mean: Channel means over the training split, 0 to 255.
        std: Channel standard deviations over the training split.
    """

    folder: Path
    shape: tuple[int, int, int]
    counts: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def open(cls, folder: Path, shape: tuple[int, int, int], splits: Callable[[], dict[str, list[Sample]]]) -> Mapped:
        """Open a folder of decoded images; decode them where it is not there.

        Args:
            folder: Named after all that decides its content.
            shape: Channels, height, width.
            splits: Gives the files and labels of each split; called only to decode.

        Raises:
            InputError: An image cannot be read, or the folder cannot be written.
        """
        if not folder.is_dir():
            try:
                _build(folder, shape, splits())
            except OSError as error:
                raise InputError(
                    f"{folder.parent}: cannot keep decoded images there: {error.strerror}; "
                    "name a folder to write in with [data] root"
                ) from error
        try:
            about = json.loads((folder / "about.json").read_text("utf-8"))
            counts = {str(name): int(count) for name, count in about["counts"].items()}
            whole = (folder / "images.u8").stat().st_size == sum(counts.values()) * _pixels(shape)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise _damaged(folder) from error
        if not whole:
            raise _damaged(folder)
        return cls(folder, shape, counts, tuple(about["mean"]), tuple(about["std"]))

    def pool(self) -> Pool:
        """Return the images without reading them; pages come in as they are used."""
        import numpy as np

        count = sum(self.counts.values())
        # Read only: a private writable mapping would be refused where it is larger than memory.
        images = np.memmap(self.folder / "images.u8", dtype=np.uint8, mode="r", shape=(count, *self.shape))
        labels = np.load(self.folder / "labels.npy", allow_pickle=False)
        splits: dict[Split, Any] = {}
        start = 0
        for name, size in self.counts.items():
            splits[cast("Split", name)] = slice(start, start + size)
            start += size
        # Training images come first and validation next, so both together lie in one piece too.
        splits["full"] = slice(0, self.counts["train"] + self.counts["validation"])
        return Pool(images, labels, splits)


def _damaged(folder: Path) -> InputError:
    return InputError(f"{folder}: decoded images are damaged; delete this folder, they are decoded again")


def _pixels(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]


def _build(folder: Path, shape: tuple[int, int, int], splits: dict[str, list[Sample]]) -> None:
    import numpy as np

    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".decoding-"))
    try:
        samples = [sample for name in ("train", "validation", "test") for sample in splits[name]]
        histogram = np.zeros((shape[0], 256), dtype=np.int64)
        training = len(splits["train"])
        done = 0
        with (building / "images.u8").open("wb") as file:
            for images in _decoded([path for path, _ in samples], shape):
                file.write(images.tobytes())
                for channel in range(shape[0]):
                    used = images[: max(training - done, 0), channel]
                    histogram[channel] += np.bincount(used.reshape(-1), minlength=256)
                done += len(images)
            _flush(file)
        with (building / "labels.npy").open("wb") as file:
            np.save(file, np.array([label for _, label in samples], dtype=np.int64))
            _flush(file)
        mean, std = _moments(histogram)
        about = {"counts": {name: len(splits[name]) for name in ("train", "validation", "test")}}
        with (building / "about.json").open("w", encoding="utf-8") as text:
            json.dump({**about, "mean": mean, "std": std}, text)
            _flush(text)
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same content
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _flush(file: Any) -> None:  # noqa: ANN401
    file.flush()
    os.fsync(file.fileno())


def _moments(histogram: Any) -> tuple[list[float], list[float]]:  # noqa: ANN401
    """Means and deviations of (C, 256) counts of values; a channel without contrast gets the deviation 1."""
    import numpy as np

    values = np.arange(256, dtype=np.float64)
    total = histogram.sum(1)
    mean = histogram @ values / total
    std = np.sqrt((histogram * (values - mean[:, None]) ** 2).sum(1) / total)
    return [round(float(one), 4) for one in mean], [max(round(float(one), 4), 1.0) for one in std]


def _decoded(paths: Sequence[Path], shape: tuple[int, int, int]) -> Iterator[Images]:
    """Decode files in order, a chunk at a time; threads, because decoding runs outside Python."""
    import numpy as np

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8), thread_name_prefix="decode") as threads:
        for start in range(0, len(paths), _CHUNK):
            part = paths[start : start + _CHUNK]
            yield np.stack(list(threads.map(lambda path: _decode(path, shape), part)))


def _decode(path: Path, shape: tuple[int, int, int]) -> Images:
    """Read one image: shorter side to the size, then the centre, as (C, H, W) uint8."""
    import numpy as np
    from PIL import Image
    from torchvision.transforms import functional as tv

    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB" if shape[0] == 3 else "L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: is not an image that can be read ({error}); replace or remove it") from error
    image = tv.center_crop(tv.resize(image, [shape[1]], antialias=True), [shape[1], shape[2]])
    return np.asarray(image, dtype=np.uint8).reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1)
