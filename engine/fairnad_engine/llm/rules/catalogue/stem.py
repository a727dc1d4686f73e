"""Stem: the first look at the image."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import ActKind, Blueprint, NormKind, Stem
from .draw import Change, Draw
from .registry import hyperparameter, inverse, transformation
from .schedule import keep_resolution


def _restem(b: Blueprint, stem: Stem, text: str) -> Change | None:
    return Change(replace(b, stem=stem), f"stem: {text}") if stem != b.stem else None


@transformation("deep-stem", "stem.deep")
def deep(b: Blueprint, draw: Draw) -> Change | None:
    """Begin with several small convolutions."""
    count = draw.number("count", [n for n in (2, 3, 4) if (3,) * n != b.stem.kernels])
    stem = replace(b.stem, kernels=(3,) * count, patch=False)
    stem = replace(stem, stride=2, pool=True) if b.stem.stride > 2 else stem
    return _restem(b, stem, f"{count} 3x3 convolutions")


@transformation("patchify-stem", "stem.patchify")
def patchify(b: Blueprint, draw: Draw) -> Change | None:
    """Cut the image into patches, each embedded by one convolution."""
    sides = [p for p in (2, 4) if all(side % p == 0 and side // p >= 4 for side in draw.input_shape[1:])] or [2]
    side = draw.number("patch", sides)
    norm: NormKind = draw.choice(("batch", "layer"))
    act: ActKind = draw.choice(("none", b.stem.act))
    new = replace(b, stem=replace(b.stem, kernels=(side,), stride=side, patch=True, pool=False, norm=norm, act=act))
    new = keep_resolution(new, draw.input_shape)
    return Change(new, f"stem: {side}x{side} patches") if new.stem != b.stem else None


@transformation("large-kernel-stem", "stem.large-kernel")
def large(b: Blueprint, draw: Draw) -> Change | None:
    """Begin with one convolution of a large kernel."""
    kernel = draw.number("kernel", [k for k in (5, 7, 9) if (k,) != b.stem.kernels])
    stem = replace(b.stem, kernels=(kernel,), patch=False)
    stem = replace(stem, stride=2, pool=True) if b.stem.stride > 2 else stem
    return _restem(b, stem, f"{kernel}x{kernel} convolution")


@inverse("plain-stem", "stem.deep", "stem.patchify", "stem.large-kernel")
def plain(b: Blueprint, draw: Draw) -> Change | None:
    """Begin with one 3x3 convolution at full resolution."""
    return _restem(b, replace(b.stem, kernels=(3,), stride=1, patch=False, pool=False), "one 3x3 convolution")


@hyperparameter("stem-kernel")
def stem_kernel(b: Blueprint, draw: Draw) -> Change | None:
    """Change the stem's kernel size."""
    if b.stem.patch:
        return None
    kernel = draw.choice([k for k in (3, 5, 7) if k != b.stem.kernels[0]])
    return _restem(b, replace(b.stem, kernels=(kernel, *b.stem.kernels[1:])), f"{kernel}x{kernel} first")
