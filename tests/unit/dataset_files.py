"""Small files in the very formats of the published data sets; their checksums are patched in."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import struct
from pathlib import Path

import numpy as np
from PIL import Image


def md5(path: Path) -> str:
    """Checksum of a file."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(seed: int, *shape: int) -> np.ndarray:
    """Random uint8 values."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def dump(path: Path, content: object) -> tuple[str, str]:
    """Pickle ``content``; the file's name and checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path.name, md5(path)


def cifar10(root: Path, monkeypatch, each: int = 20) -> dict[str, np.ndarray]:
    """Five batches and a test batch of ``each`` images; returns rows and labels as the files hold them."""
    from torchvision.datasets import CIFAR10

    folder = root / "cifar-10-batches-py"
    rows = {f"data_batch_{n}": pixels(n, each, 3072) for n in range(1, 6)} | {"test_batch": pixels(9, each, 3072)}
    labels = [index % 10 for index in range(each)]
    named = {name: dump(folder / name, {"data": data, "labels": labels}) for name, data in rows.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [list(named[f"data_batch_{n}"]) for n in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [list(named["test_batch"])])
    meta = dump(folder / "batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return rows


def cifar100(root: Path, monkeypatch, train: int = 200, test: int = 200) -> dict[str, np.ndarray]:
    """Both files of CIFAR-100, two images a class."""
    from torchvision.datasets import CIFAR100

    folder = root / "cifar-100-python"
    rows = {"train": pixels(1, train, 3072), "test": pixels(2, test, 3072)}
    named = {
        name: dump(folder / name, {"data": data, "fine_labels": [index % 100 for index in range(len(data))]})
        for name, data in rows.items()
    }
    monkeypatch.setattr(CIFAR100, "train_list", [list(named["train"])])
    monkeypatch.setattr(CIFAR100, "test_list", [list(named["test"])])
    meta = dump(folder / "meta", {"fine_label_names": [str(n) for n in range(100)]})
    monkeypatch.setattr(CIFAR100, "meta", {"filename": meta[0], "key": "fine_label_names", "md5": meta[1]})
    return rows


def imagenet16(root: Path, monkeypatch) -> dict[str, dict]:
    """Ten batches of 30 images with labels beyond 120 among them, and 240 held out."""
    from fairnad_engine.training.data import imagenet16 as reader

    folder = root / "ImageNet16"
    content = {
        f"train_data_batch_{n}": {"data": pixels(n, 30, 768), "labels": [(n * 30 + k) % 140 + 1 for k in range(30)]}
        for n in range(1, 11)
    }
    content["val_data"] = {"data": pixels(77, 280, 768), "labels": [k % 140 + 1 for k in range(280)]}
    sums = dict(dump(folder / name, one) for name, one in content.items())
    monkeypatch.setattr(reader, "HELD_OUT", {"val_data": sums.pop("val_data")})
    monkeypatch.setattr(reader, "TRAINING", sums)
    return content


def fashion_mnist(root: Path, monkeypatch, packed: bool) -> np.ndarray:
    """Sixty training and twenty test images as idx files."""
    from fairnad_engine.training.data import fashion_mnist as reader

    folder = root / ("fashion-mnist" if packed else "FashionMNIST/raw")
    folder.mkdir(parents=True)
    images = pixels(5, 80, 28, 28)
    labels = np.arange(80, dtype=np.uint8) % 10
    sums = {}
    for name, part in (("train", slice(0, 60)), ("t10k", slice(60, 80))):
        for kind, data in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            header = bytes((0, 0, 8, data.ndim)) + struct.pack(f">{data.ndim}i", *data.shape)
            whole = header + data.tobytes()
            sums[f"{name}-{kind}-ubyte"] = hashlib.md5(whole).hexdigest()
            path = folder / (f"{name}-{kind}-ubyte" + (".gz" if packed else ""))
            path.write_bytes(gzip.compress(whole) if packed else whole)
    monkeypatch.setattr(reader, "CHECKSUMS", sums)
    return images


def index_file(path: Path, monkeypatch, name: str, **halves) -> Path:
    """An index file in NAS-Bench-201's form."""
    from fairnad_engine.training.data import splits

    path.write_text(json.dumps({key: ["int", [str(one) for one in half]] for key, half in halves.items()}))
    monkeypatch.setitem(splits.NB201_FILES, name, (path.name, md5(path)))
    return path


def image_folder(root: Path, classes: dict[str, int], size=(20, 14)) -> Path:
    """Folders of images, of more than one kind of file; each class has a colour of its own."""
    for place, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for number in range(count):
            data = pixels(100 * place + number, size[1], size[0], 3) // 8 + 60 * place
            Image.fromarray(data).save(root / name / f"{number:03}.{('png', 'bmp')[number % 2]}")
    return root


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))
