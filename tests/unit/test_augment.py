"""Batched flip and crop against torchvision's, image by image."""

import itertools

import pytest
import torch
from torchvision.transforms import functional as tv

from fairnad_engine.training.augment import crop, flip_and_crop, flip_chosen

CASES = list(itertools.product((False, True), range(9), range(9)))


def picture(channels=3, side=32, count=1):
    generator = torch.Generator().manual_seed(channels)
    return torch.randint(1, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_162_places_and_sides_equal_torchvision_in_one_batch(channels):
    images = picture(channels, count=len(CASES))
    flips, tops, lefts = (torch.tensor(column) for column in zip(*CASES, strict=True))
    padded = torch.nn.functional.pad(flip_chosen(images, flips), (4, 4, 4, 4))
    ours = crop(padded, tops, lefts, 32, 32)
    for image, result, (flip, top, left) in zip(images, ours, CASES, strict=True):
        theirs = tv.crop(tv.pad(tv.hflip(image) if flip else image, [4, 4, 4, 4]), top, left, 32, 32)
        assert torch.equal(result, theirs), (flip, top, left)


def test_each_image_gets_its_own_draw_flip_before_crop():
    images = picture(count=64)
    ours = flip_and_crop(images, 0.5, 4, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    flips = torch.rand(64, generator=generator) < 0.5
    tops, lefts = torch.randint(0, 9, (2, 64), generator=generator)
    assert 0 < int(flips.sum()) < 64
    for image, result, flip, top, left in zip(images, ours, flips, tops, lefts, strict=True):
        theirs = tv.crop(tv.pad(tv.hflip(image) if flip else image, [4, 4, 4, 4]), int(top), int(left), 32, 32)
        assert torch.equal(result, theirs)


def test_every_place_and_side_is_drawn():
    image = torch.arange(1, 65, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(4000, 1, 8, 8)
    assert len(torch.unique(flip_and_crop(image, 0.5, 1, torch.Generator().manual_seed(0)), dim=0)) == 18


def test_memory_order_of_the_input_changes_no_pixel():
    images = picture(count=16)
    plain = flip_and_crop(images, 0.5, 2, torch.Generator().manual_seed(1))
    other = images.to(memory_format=torch.channels_last)
    assert torch.equal(plain, flip_and_crop(other, 0.5, 2, torch.Generator().manual_seed(1)))


def test_grey_crops_keep_the_strides_that_scores_depend_on():
    out = flip_and_crop(picture(1, 8, 5), 0.0, 1, torch.Generator().manual_seed(0))
    assert out.stride() == (64, 1, 8, 1)


def test_without_flip_and_padding_nothing_is_drawn_or_changed():
    images, generator = picture(count=4), torch.Generator().manual_seed(3)
    before = generator.get_state()
    assert torch.equal(flip_and_crop(images, 0.0, 0, generator), images)
    assert torch.equal(generator.get_state(), before)
