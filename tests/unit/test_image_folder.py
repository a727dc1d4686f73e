"""A user's own images: splits, sizes, normalisation, and the mapped file that they are decoded into."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as tv

from fairnad_engine.errors import InputError
from fairnad_engine.training.data import mapped
from fairnad_engine.training.datasets import dataset_info, dataset_state, load_split, split_digest
from tests.unit import dataset_files as files

COUNTS = {"cat": 20, "dog": 10, "owl": 10}


@pytest.fixture
def pets(tmp_path):
    return files.image_folder(tmp_path / "pets", COUNTS)


@pytest.fixture
def where(tmp_path):
    """Keywords that keep decoded images in the test's own folder."""
    return {"root": tmp_path / "data", "imagefolder": {"size": 8}}


def load(pets, where, split, **settings):
    given = {**where, "imagefolder": {**where["imagefolder"], **settings}}
    return load_split(f"imagefolder:{pets}", split, **given)


def decoded(path, size):
    image = tv.center_crop(tv.resize(Image.open(path).convert("RGB"), [size], antialias=True), [size, size])
    return np.asarray(image).transpose(2, 0, 1).tobytes()


def test_each_class_is_shared_out_and_every_image_read_as_torchvision_would(pets, where):
    parts = {name: load(pets, where, name) for name in ("train", "validation", "test", "full")}
    assert [np.bincount(part.labels).tolist() for part in parts.values()] == [
        [12, 6, 6],
        [4, 2, 2],
        [4, 2, 2],
        [16, 8, 8],
    ]
    rows = [image.numpy().tobytes() for name in ("train", "validation", "test") for image in parts[name].images]
    expected = [decoded(path, 8) for path in pets.rglob("*.*")]
    assert sorted(rows) == sorted(expected)
    assert torch.equal(parts["full"].images[: len(parts["train"].images)], parts["train"].images)


def test_normalisation_is_computed_on_the_training_images_or_given(pets, where):
    info = dataset_info(f"imagefolder:{pets}", **where)
    images = load(pets, where, "train").images.double()
    assert info.mean == pytest.approx(images.mean((0, 2, 3)).tolist(), abs=1e-3)
    assert info.std == pytest.approx(images.transpose(0, 1).reshape(3, -1).std(1, correction=0).tolist(), abs=1e-3)
    assert (info.image_shape, info.num_classes, info.split_label) == ((3, 8, 8), 3, "own-split")
    given = {"mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0], "size": 8}
    assert dataset_info(f"imagefolder:{pets}", root=where["root"], imagefolder=given).std == (4.0, 5.0, 6.0)


def test_images_are_decoded_once_and_stay_in_the_file(pets, where, monkeypatch):
    digest = split_digest(f"imagefolder:{pets}", **where)
    monkeypatch.setattr(mapped, "_decode", lambda *_: pytest.fail("decoded again"))
    (folder,) = (where["root"] / "mapped").iterdir()
    opened = mapped.Mapped.open(folder, (3, 8, 8), lambda: pytest.fail("listed again"))
    assert isinstance(opened.pool().images, np.memmap)
    moved = pets.rename(pets.parent / "moved")  # the same images elsewhere
    assert split_digest(f"imagefolder:{moved}", **where) == digest


@pytest.mark.parametrize(
    "settings",
    [{"size": 12}, {"channels": 1}, {"split_seed": 1}, {"validation_share": 0.3}, {"classes": ["owl", "cat"]}],
)
def test_another_setting_or_another_file_is_another_data_set(pets, where, settings):
    digest = split_digest(f"imagefolder:{pets}", **where)
    other = {"root": where["root"], "imagefolder": {"size": 8, **settings}}
    assert split_digest(f"imagefolder:{pets}", **other) != digest
    # The same names with another content, then one name fewer.
    Image.new("RGB", (9, 9)).save(pets / "dog" / "000.png")
    edited = split_digest(f"imagefolder:{pets}", **where)
    (pets / "dog" / "000.png").unlink()
    assert len({digest, edited, split_digest(f"imagefolder:{pets}", **where)}) == 3


def test_classes_named_in_settings_have_their_labels_in_that_order(pets, where):
    part = load(pets, where, "full", classes=["owl", "cat"])
    assert np.bincount(part.labels).tolist() == [8, 16]


def test_a_test_folder_is_the_test_split(pets, where, tmp_path):
    apart = files.image_folder(tmp_path / "apart", {"cat": 1, "dog": 2, "owl": 3})
    assert np.bincount(load(pets, where, "test", test_folder=str(apart)).labels).tolist() == [1, 2, 3]
    assert np.bincount(load(pets, where, "validation", test_folder=str(apart)).labels).tolist() == [4, 2, 2]
    (apart / "owl").rename(apart / "emu")
    with pytest.raises(InputError, match=r"has no folder 'owl'; correct \[data.imagefolder\] test_folder"):
        load(pets, where, "test", test_folder=str(apart))


def test_a_broken_image_is_named_and_leaves_nothing_half_done(pets, where):
    path = pets / "owl" / "004.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"owl/004\.png: is not an image that can be read"):
        load(pets, where, "train")
    assert list((where["root"] / "mapped").iterdir()) == []
    path.unlink()
    assert len(load(pets, where, "full").labels) == 31


def test_a_damaged_file_of_decoded_images_is_named(pets, where):
    load(pets, where, "train")
    (folder,) = (where["root"] / "mapped").iterdir()
    (folder / "images.u8").write_bytes(b"short")
    with pytest.raises(InputError, match="delete this folder"):
        mapped.Mapped.open(folder, (3, 8, 8), dict)


def test_two_processes_that_decode_at_once_leave_one_result(pets, where, tmp_path):
    """The one that is later meets the other's folder when it renames its own."""
    digest = split_digest(f"imagefolder:{pets}", **where)
    (folder,) = (where["root"] / "mapped").iterdir()
    samples = {"train": [(pets / "cat" / "000.png", 0)], "validation": [], "test": []}
    mapped._build(folder, (3, 8, 8), samples)
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
    assert split_digest(f"imagefolder:{pets}", **where) == digest


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mean": [1, 2, 3]}, "both mean and std"),
        ({"mean": [1], "std": [60]}, "one for each channel"),
        ({"mean": [0.5] * 3, "std": [0.2] * 3}, "scale 0 to 255"),
        ({"validation_share": 0.5, "test_share": 0.5}, "less than a tenth"),
        ({"classes": ["cat"]}, "at least two"),
        ({"size": 1}, "size"),
        ({"colour": True}, "colour"),
        ({"classes": ["cat", "emu"]}, "has no folder 'emu'"),
    ],
)
def test_bad_settings_are_one_line(pets, where, settings, says):
    why = dataset_state(f"imagefolder:{pets}", root=where["root"], imagefolder=settings).why
    assert says in why
    assert "\n" not in why


def test_a_state_counts_classes_and_needs_no_image(pets, where):
    state = dataset_state(f"imagefolder:{pets}", **where)
    assert state.found
    assert state.detail == f"imagefolder:{pets}: 3x8x8, 3 classes, own-split"
    assert not where["root"].exists()
    assert "one for each class" in dataset_state(f"imagefolder:{pets / 'cat'}", **where).why
    (pets / "yak").mkdir()
    with pytest.raises(InputError, match="yak"):
        load(pets, where, "train")
