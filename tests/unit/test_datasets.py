"""Data sets: readers on files of the published formats, checksums before unpickling, splits and their labels."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fairnad_engine.errors import InputError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.training.data import splits as split_files
from fairnad_engine.training.data.description import default_root
from fairnad_engine.training.datasets import (
    dataset_info,
    dataset_names,
    dataset_state,
    load_split,
    split_digest,
)
from tests.unit import dataset_files as files
from tests.unit.test_imports import loaded_after

SPLITS = ("train", "validation", "test", "full")


def loaded(name, **where):
    return {split: load_split(name, split, **where) for split in SPLITS}


def rows(split):
    return [image.numpy().tobytes() for image in split.images]


def sizes(parts):
    return [len(parts[split].labels) for split in SPLITS]


def assert_shares_out(parts, *names):
    """Each image of the named splits is in one of them only."""
    together = [row for name in names for row in rows(parts[name])]
    assert len(set(together)) == len(together)


def test_cifar10_is_halved_with_every_class_and_full_is_both_halves(tmp_path, monkeypatch):
    batches = files.cifar10(tmp_path, monkeypatch)
    parts = loaded("cifar10", root=tmp_path)
    assert sizes(parts) == [50, 50, 20, 100]
    for name in ("train", "validation"):
        assert np.bincount(parts[name].labels).tolist() == [5] * 10
    assert_shares_out(parts, "train", "validation", "test")
    assert set(rows(parts["train"]) + rows(parts["validation"])) == set(rows(parts["full"]))
    assert rows(parts["full"])[20] == batches["data_batch_2"][0].tobytes()
    assert rows(parts["test"])[3] == batches["test_batch"][3].tobytes()
    assert int(parts["test"].labels[3]) == 3
    assert parts["train"].images.shape[1:] == dataset_info("cifar10").image_shape
    assert parts["train"].images.dtype == torch.uint8
    assert dataset_info("cifar10").split_label == "own-split"


def test_cifar100_keeps_all_for_training_and_halves_the_test_images(tmp_path, monkeypatch):
    batches = files.cifar100(tmp_path, monkeypatch)
    parts = loaded("cifar100", root=tmp_path)
    assert sizes(parts) == [200, 100, 100, 200]
    assert rows(parts["train"]) == [row.tobytes() for row in batches["train"]]
    assert np.bincount(parts["test"].labels).tolist() == [1] * 100
    assert_shares_out(parts, "validation", "test")
    assert set(rows(parts["validation"]) + rows(parts["test"])) == {row.tobytes() for row in batches["test"]}


def test_imagenet16_keeps_labels_1_to_120_in_the_files_order(tmp_path, monkeypatch):
    content = files.imagenet16(tmp_path, monkeypatch)
    parts = loaded("imagenet16-120", root=tmp_path)
    kept = [
        (data.tobytes(), label - 1)
        for number in range(1, 11)
        for data, label in zip(*content[f"train_data_batch_{number}"].values(), strict=True)
        if label <= 120
    ]
    assert rows(parts["train"]) == [row for row, _ in kept]
    assert parts["train"].labels.tolist() == [label for _, label in kept]
    assert sizes(parts)[1:3] == [120, 120]
    assert sorted(parts["test"].labels.tolist()) == list(range(120))
    assert_shares_out(parts, "validation", "test")


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist_is_read_packed_and_unpacked(tmp_path, monkeypatch, packed):
    images = files.fashion_mnist(tmp_path, monkeypatch, packed)
    parts = loaded("fashion-mnist", root=tmp_path)
    assert sizes(parts) == [50, 10, 20, 60]
    assert rows(parts["full"]) == [image.tobytes() for image in images[:60]]
    assert np.bincount(parts["validation"].labels).tolist() == [1] * 10
    assert_shares_out(parts, "train", "validation", "test")
    assert dataset_state("fashion-mnist", root=tmp_path).detail == "fashion-mnist: 1x28x28, 10 classes, own-split"


@pytest.mark.parametrize(
    ("name", "make", "file"),
    [
        ("cifar10", files.cifar10, "cifar-10-batches-py/data_batch_3"),
        ("cifar10", files.cifar10, "cifar-10-batches-py/batches.meta"),
        ("cifar100", files.cifar100, "cifar-100-python/test"),
        ("imagenet16-120", files.imagenet16, "ImageNet16/train_data_batch_10"),
    ],
)
def test_a_file_with_another_checksum_is_named_and_never_unpickled(tmp_path, monkeypatch, name, make, file):
    make(tmp_path, monkeypatch)
    mark = tmp_path / "unpickled"
    bomb = pickle.dumps(files.Bomb(mark))
    (tmp_path / file).write_bytes(bomb)
    with pytest.raises(InputError, match=Path(file).name):
        load_split(name, "train", root=tmp_path)
    assert not mark.exists()
    pickle.loads(bomb)
    assert mark.exists()  # it would have gone off


def test_even_the_right_checksum_lets_imagenet16_unpickle_nothing_but_arrays(tmp_path, monkeypatch):
    from fairnad_engine.training.data import imagenet16

    files.imagenet16(tmp_path, monkeypatch)
    mark = tmp_path / "unpickled"
    path = tmp_path / "ImageNet16" / "val_data"
    files.dump(path, files.Bomb(mark))
    monkeypatch.setattr(imagenet16, "HELD_OUT", {"val_data": files.md5(path)})
    with pytest.raises(InputError, match="val_data: is no file of arrays"):
        load_split("imagenet16-120", "train", root=tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("change", ["cut", "other"])
def test_a_damaged_idx_file_is_named(tmp_path, monkeypatch, change):
    files.fashion_mnist(tmp_path, monkeypatch, True)
    path = tmp_path / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    data = path.read_bytes()
    path.write_bytes(data[:-100] if change == "cut" else (path.parent / "t10k-images-idx3-ubyte.gz").read_bytes())
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: .* get the file again"):
        load_split("fashion-mnist", "train", root=tmp_path)


@pytest.mark.parametrize("name", [n for n in dataset_names() if n != "digits"])
def test_what_is_not_there_says_where_it_was_looked_for_and_what_to_set(tmp_path, name):
    state = dataset_state(name, root=tmp_path)
    assert not state.found
    for part in (name, str(tmp_path), "[data] root", "$FAIRNAD_DATA"):
        assert part in state.why
    with pytest.raises(InputError) as error:
        load_split(name, "train", root=tmp_path)
    assert str(error.value) == state.why
    assert "\n" not in state.why


def test_a_form_asks_for_states_without_torch(tmp_path):
    (tmp_path / "own" / "a").mkdir(parents=True)
    (tmp_path / "own" / "b").mkdir()
    asked = "\n".join(f"dataset_state({n!r})" for n in [*dataset_names(), f"imagefolder:{tmp_path / 'own'}"])
    loaded_now = loaded_after(f"from fairnad_engine.training.datasets import dataset_state\n{asked}")
    assert not loaded_now & {"torch", "torchvision", "sklearn", "numpy"}


def test_the_folder_of_data_sets(monkeypatch, tmp_path):
    monkeypatch.setenv("FAIRNAD_DATA", str(tmp_path / "mine"))
    assert default_root() == tmp_path / "mine"
    assert str(tmp_path / "mine") in dataset_state("cifar10").why
    monkeypatch.delenv("FAIRNAD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "fairnad-tui" / "data"


def test_index_files_decide_the_split_and_its_label(tmp_path, monkeypatch):
    batches = files.cifar10(tmp_path, monkeypatch)
    train = sorted(np.random.RandomState(0).permutation(100)[:50].tolist())
    valid = sorted(set(range(100)) - set(train))
    path = files.index_file(tmp_path / "split.txt", monkeypatch, "cifar10", train=train, valid=valid)
    everything = np.concatenate([batches[f"data_batch_{n}"] for n in range(1, 6)])
    for where in (path, tmp_path):  # the file, or its folder
        parts = loaded("cifar10", root=tmp_path, splits=where)
        assert rows(parts["train"]) == [everything[index].tobytes() for index in train]
        assert rows(parts["validation"]) == [everything[index].tobytes() for index in valid]
    assert dataset_info("cifar10", splits=path).split_label == "nb201-split"
    assert split_digest("cifar10", root=tmp_path, splits=path) != split_digest("cifar10", root=tmp_path)


@pytest.mark.parametrize(("name", "make"), [("cifar100", files.cifar100), ("imagenet16-120", files.imagenet16)])
def test_index_files_count_from_the_first_held_out_image(tmp_path, monkeypatch, name, make):
    make(tmp_path, monkeypatch)
    own = loaded(name, root=tmp_path)
    held_out = sorted(rows(own["validation"]) + rows(own["test"]))
    count = len(held_out)
    halves = {"xvalid": range(0, count, 2), "xtest": range(1, count, 2)}
    path = files.index_file(tmp_path / "split.txt", monkeypatch, name, **halves)
    theirs = loaded(name, root=tmp_path, splits=path)
    assert sorted(rows(theirs["validation"]) + rows(theirs["test"])) == held_out
    # Held-out files list their labels 0, 1, 2 ... here, so every second image means every second label.
    assert set((theirs["validation"].labels % 2).tolist()) == {0}
    assert set((theirs["test"].labels % 2).tolist()) == {1}
    assert rows(theirs["train"]) == rows(own["train"])


def test_a_wrong_index_file_is_refused(tmp_path, monkeypatch):
    files.cifar10(tmp_path, monkeypatch)
    (tmp_path / "cifar-split.txt").write_text("{}")
    with pytest.raises(InputError, match=r"cifar-split\.txt: is not NAS-Bench-201's"):
        load_split("cifar10", "train", root=tmp_path, splits=tmp_path)
    path = files.index_file(tmp_path / "s.txt", monkeypatch, "cifar10", train=range(60), valid=range(50, 100))
    with pytest.raises(InputError, match="does not share out the 100 images"):
        load_split("cifar10", "train", root=tmp_path, splits=path)
    with pytest.raises(InputError, match=r"remove \[data\] splits"):
        dataset_info("digits", splits=path)
    assert "must name NAS-Bench-201's" in dataset_state("cifar10", root=tmp_path, splits=tmp_path / "none").why


@pytest.mark.skipif(
    "FAIRNAD_NB201_SPLITS" not in os.environ,
    reason="needs NAS-Bench-201's index files, which are not part of this project: name their folder in "
    "FAIRNAD_NB201_SPLITS",
)
@pytest.mark.parametrize(
    ("name", "keys", "count"),
    [
        ("cifar10", ("train", "valid"), 50_000),
        ("cifar100", ("xvalid", "xtest"), 10_000),
        ("imagenet16-120", ("xvalid", "xtest"), 6_000),
    ],
)
def test_the_published_index_files_halve_what_they_share_out(name, keys, count):
    first, second = split_files.read_nb201(name, Path(os.environ["FAIRNAD_NB201_SPLITS"]), keys, count)
    assert len(first) == len(second) == count // 2


def test_a_drawn_split_never_changes():
    labels = np.arange(40) % 4
    rest, drawn = split_files.draw(labels, 0.3, 201)
    assert drawn.tolist() == [4, 6, 7, 11, 12, 14, 17, 19, 20, 22, 25, 29]
    assert sorted([*rest, *drawn]) == list(range(40))


def test_digits_and_their_digest_stay_as_they_were():
    parts = loaded("digits")
    assert sizes(parts) == [997, 400, 400, 1397]
    assert split_digest("digits") == "a0c017d369a79f34"


def test_what_a_caller_writes_stays_its_own(tmp_path, monkeypatch):
    files.cifar100(tmp_path, monkeypatch)
    first = load_split("cifar100", "train", root=tmp_path)
    before = first.images.clone()
    first.images.zero_()
    first.labels.zero_()
    again = load_split("cifar100", "train", root=tmp_path)
    assert torch.equal(again.images, before)
    assert again.labels.any()


def test_settings_of_data_leave_an_unchanged_configuration_as_it_was():
    config = RunConfig()
    assert "root" not in config.to_toml()
    assert config.digest_settings()["dataset"] == "digits"
    assert config.data.location() == {"root": None, "splits": None, "imagefolder": None}
    own = RunConfig.model_validate({"data": {"dataset": "imagefolder:pets", "imagefolder": {"size": 16}}})
    assert RunConfig.model_validate(own.model_dump(mode="json")) == own
    assert own.digest_settings()["dataset"] == "imagefolder"  # no path: its content stands in the digest
    assert own.data.resolved().dataset == f"imagefolder:{Path.cwd() / 'pets'}"
    assert own.data.resolved().location()["imagefolder"]["size"] == 16
