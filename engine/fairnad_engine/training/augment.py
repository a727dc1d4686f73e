"""Batched augmentation on the device (method, section 5).

A random crop of a whole batch is one gather of rows and a flip one choice between whole images: no loop over images,
no copy to the host, no synchronisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def flip_and_crop(images: torch.Tensor, flip: float, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Flip each image with probability ``flip``, then crop it at a random place of its zero-padded copy.

    Args:
        images: (N, C, H, W), any dtype.
        flip: Probability of a horizontal flip.
        padding: Pixels of zero padding on each side.
        generator: Source of the draws, on its own device; flips are drawn before offsets.

    Returns:
        Tensor of the same shape and dtype.
    """
    count, place = len(images), generator.device
    if flip > 0:
        chosen = torch.rand(count, generator=generator, device=place) < flip
        images = flip_chosen(images, chosen.to(images.device, non_blocking=True))
    if padding > 0:
        offsets = torch.randint(0, 2 * padding + 1, (2, count), generator=generator, device=place)
        top, left = offsets.to(images.device, non_blocking=True)
        images = crop(F.pad(images, (padding,) * 4), top, left, images.shape[2], images.shape[3])
    return images


def flip_chosen(images: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Mirror the images where ``chosen``, (N,) bool, is true."""
    both = torch.cat((images, images.flip(3)))
    # Choosing between whole images of both kinds is several times faster than torch.where over their pixels.
    which = torch.arange(len(images), device=images.device) + len(images) * chosen
    return both.index_select(0, which)


def crop(padded: torch.Tensor, top: torch.Tensor, left: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut (height, width) out of each image at its own (top, left).

    Args:
        padded: (N, C, rows, columns), any dtype.
        top: (N,) int64, at most rows - height.
        left: (N,) int64, at most columns - width.
        height: Rows to keep.
        width: Columns to keep.

    Returns:
        Tensor (N, C, height, width).
    """
    count, channels, rows, columns = padded.shape
    pixels = padded.contiguous()
    # Every run of `width` pixels that begins anywhere in the batch, as overlapping rows: a crop picks its own.
    runs = pixels.as_strided((pixels.numel() - width + 1, width), (1, 1))
    plane = torch.arange(count * channels, device=padded.device).view(count, channels, 1) * (rows * columns)
    row = (top[:, None] + torch.arange(height, device=padded.device)) * columns
    start = plane + (row + left[:, None])[:, None]
    cut = runs.index_select(0, start.view(-1))
    if channels == 1:
        # One memory under two names; kernels are chosen by this one, and recorded scores depend on that choice.
        return cut.view(count, height, width, 1).permute(0, 3, 1, 2)
    return cut.view(count, channels, height, width)
