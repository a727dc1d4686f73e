"""A user's own images: one folder for each class, found with torchvision's reader of such folders.

Decoded once into a memory-mapped file (see :mod:`.mapped`), so that neither the images nor their number need fit in
memory, and several trainers share what they read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError
from fairnad_engine.places import expanded
from fairnad_engine.training.data.description import OWN_SPLIT, DatasetInfo, Pool, Where
from fairnad_engine.training.data.mapped import Mapped, Sample
from fairnad_engine.training.data.splits import draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairnad_engine.training.data.folder_settings import ImageFolderSettings

# Part of the key: raise it when the same files and settings come to give other bytes.
_FORM = 1


def shape(where: Where) -> tuple[int, int, int]:
    """Return channels, height, width."""
    return where.folder.channels, where.folder.size, where.folder.size


def classes(where: Where) -> tuple[str, ...]:
    """Return the names of the classes, in the order of their labels.

    Raises:
        InputError: The folder is missing, or a class in it is.
    """
    root = _folder(where)
    try:
        found = sorted(one.name for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as error:
        raise InputError(
            f"{root}: {error.strerror}; name a folder that holds one folder of images for each class, "
            "as imagefolder:PATH"
        ) from error
    absent = [name for name in where.folder.classes if name not in found]
    if absent:
        raise InputError(f"{root}: has no folder {absent[0]!r}; correct [data.imagefolder] classes")
    if len(found) < 2:
        raise InputError(f"{root}: needs at least two folders of images, one for each class; has {len(found)}")
    return where.folder.classes or tuple(found)


def missing(where: Where) -> str:
    """Say what is wrong with the folder; looks at no image."""
    try:
        names = classes(where)
        if where.folder.test_folder is not None:
            test = expanded(where.folder.test_folder)
            for name in names:
                if not (test / name).is_dir():
                    return f"{test}: has no folder {name!r}; correct [data.imagefolder] test_folder"
    except InputError as error:
        return str(error)
    return ""


def info(where: Where) -> DatasetInfo:
    """Describe the data set; decodes it first where the normalisation is to be computed and never was.

    Raises:
        InputError: The folder is missing, or an image cannot be read.
    """
    settings = where.folder
    if settings.mean is None or settings.std is None:
        found = _mapped(where)
        mean, std = found.mean, found.std
    else:
        mean, std = settings.mean, settings.std
    return DatasetInfo(f"imagefolder:{where.path}", shape(where), len(classes(where)), mean, std, OWN_SPLIT)


def pool(where: Where) -> Pool:
    """Open the decoded images, split by split in one file; decodes them first where that was never done.

    Raises:
        InputError: The folder is missing, or an image cannot be read.
    """
    return _mapped(where).pool()


def stamp(where: Where) -> str:
    """Hash of all that decides what is read: settings, and name, size and time of each file."""
    return _stamp(where.folder, *_samples(where))


def _folder(where: Where) -> Path:
    return expanded(where.path)


def _mapped(where: Where) -> Mapped:
    training, test = _samples(where)
    settings = where.folder
    key = _stamp(settings, training, test)
    return Mapped.open(where.root / "mapped" / key, shape(where), lambda: _splits(settings, training, test))


def _splits(
    settings: ImageFolderSettings, training: Sequence[Sample], test: Sequence[Sample]
) -> dict[str, list[Sample]]:
    """Share the files out; without a test folder the test split is drawn first, then validation from the rest."""
    import numpy as np

    labels = np.array([label for _, label in training], dtype=np.int64)
    rest = np.arange(len(labels))
    tested = list(test)
    if settings.test_folder is None:
        kept, drawn = draw(labels, settings.test_share, settings.split_seed)
        rest, tested = rest[kept], _pick(training, drawn)
    left = 1.0 if settings.test_folder is not None else 1.0 - settings.test_share
    kept, drawn = draw(labels[rest], settings.validation_share / left, settings.split_seed + 1)
    return {"train": _pick(training, rest[kept]), "validation": _pick(training, rest[drawn]), "test": tested}


def _pick(samples: Sequence[Sample], index: NDArray[np.int64]) -> list[Sample]:
    return [samples[int(one)] for one in index]


def _samples(where: Where) -> tuple[list[Sample], list[Sample]]:
    """Files and labels of the folder and of the test folder, in a fixed order."""
    problem = missing(where)
    if problem:
        raise InputError(problem)
    names = classes(where)
    training = _listed(_folder(where), names)
    least = 2 if where.folder.test_folder else 3
    for label, name in enumerate(names):
        count = sum(1 for _, one in training if one == label)
        if count < least:
            raise InputError(f"{_folder(where) / name}: needs at least {least} images, has {count}; add some")
    test = where.folder.test_folder
    return training, _listed(expanded(test), names) if test else []


def _listed(folder: Path, names: Sequence[str]) -> list[Sample]:
    from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

    index = {name: label for label, name in enumerate(names)}
    try:
        found = make_dataset(str(folder), index, extensions=IMG_EXTENSIONS)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: {str(error).partition('Supported')[0]} Put images there or name the classes "
                         "in [data.imagefolder]") from error  # fmt: skip
    return [(Path(path), label) for path, label in found]


def _stamp(settings: ImageFolderSettings, training: Sequence[Sample], test: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    # Normalisation is not part of it: the bytes are the same.
    own = settings.model_dump(mode="json", exclude={"mean", "std", "test_folder", "classes"})
    digest.update(json.dumps([_FORM, own], sort_keys=True).encode())
    for role, samples in (("train", training), ("test", test)):
        for path, label in samples:
            status = path.stat()
            # The last two parts, the class and the file, and not the whole path: a moved folder is the same one.
            row = [role, label, "/".join(path.parts[-2:]), status.st_size, status.st_mtime_ns]
            digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:24]
