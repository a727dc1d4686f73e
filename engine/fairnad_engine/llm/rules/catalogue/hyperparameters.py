"""Hyper-parameters of layers that stand in no sub-category of their own: kernel sizes, dilation, heads, windows."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Blueprint
from .draw import Change, Draw, edit_layers, where
from .registry import hyperparameter


@hyperparameter("kernel-size")
def kernel_size(b: Blueprint, draw: Draw) -> Change | None:
    """Change the kernel size of spatial layers; dense ones stay at most 5x5."""
    kernel = draw.choice((3, 5, 7))
    places = draw.layers(
        b,
        lambda _, x: (
            x.kernel != kernel
            and (x.op == "pool" or x.spatial)
            and kernel not in x.kernels
            and (kernel <= 5 or x.groups != 1)
        ),
    )
    new = edit_layers(b, places, lambda _, layer: (replace(layer, kernel=kernel),))
    return Change(new, f"{where(b, places)}: {kernel}x{kernel}") if places else None


@hyperparameter("dilation")
def dilation(b: Blueprint, draw: Draw) -> Change | None:
    """Change the dilation of spatial convolutions."""
    rate = draw.choice((1, 2, 3))
    places = draw.layers(b, lambda _, x: x.spatial and not (x.kernels or x.factorised) and x.dilation != rate)
    new = edit_layers(b, places, lambda _, layer: (replace(layer, dilation=rate),))
    return Change(new, f"{where(b, places)}: dilation {rate}") if places else None


@hyperparameter("attention-heads")
def heads(b: Blueprint, draw: Draw) -> Change | None:
    """Change the number of attention heads."""
    count = draw.choice((1, 2, 4, 8))
    places = draw.layers(b, lambda _, x: x.op in ("attention", "window") and x.heads != count)
    new = edit_layers(b, places, lambda _, layer: (replace(layer, heads=count),))
    return Change(new, f"{where(b, places)}: {count} heads") if places else None


@hyperparameter("attention-window")
def window(b: Blueprint, draw: Draw) -> Change | None:
    """Change the side of attention windows."""
    side = draw.choice((2, 4, 7, 8))
    places = draw.layers(b, lambda _, x: x.op == "window" and x.window != side)
    new = edit_layers(b, places, lambda _, layer: (replace(layer, window=side),))
    return Change(new, f"{where(b, places)}: {side}x{side} windows") if places else None
