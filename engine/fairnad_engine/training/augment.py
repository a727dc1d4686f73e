"""Batched augmentation on the device: one gather for a whole batch (method, section 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def flip_and_crop(images: torch.Tensor, flip: float, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Flip each image with probability ``flip``, then crop it at a random place of its zero-padded copy.

    Args:
        images: (N, C, H, W), any dtype.
        flip: Probability of a horizontal flip.
        padding: Pixels of zero padding on each side.
        generator: Source of the draws; flips are drawn before offsets.

    Returns:
        Tensor of the same shape and dtype.
    """
    count, _, height, width = images.shape
    if flip > 0:
        chosen = torch.rand(count, generator=generator).to(images.device) < flip
        images = torch.where(chosen[:, None, None, None], images.flip(3), images)
    if padding > 0:
        offsets = torch.randint(0, 2 * padding + 1, (2, count), generator=generator).to(images.device)
        images = crop(F.pad(images, (padding,) * 4), offsets[0], offsets[1], height, width)
    return images


def crop(padded: torch.Tensor, top: torch.Tensor, left: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut (height, width) out of each image at its own (top, left), both (N,) int64."""
    device = padded.device
    rows = top[:, None] + torch.arange(height, device=device)
    columns = left[:, None] + torch.arange(width, device=device)
    image = torch.arange(len(padded), device=device)[:, None, None]
    # Index arrays around a slice put their own dimensions first: (N, H, W, C).
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
