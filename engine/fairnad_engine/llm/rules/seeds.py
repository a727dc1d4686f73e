"""The seed backbones that ship with the program, as blueprints; ``templates/backbones`` holds them rendered."""

from __future__ import annotations

from .blueprint import Block, Blueprint, Layer, Stage, Stem
from .render import render

_BASIC = Block(layers=(Layer(), Layer(act="none")))
_HALVING = Block(layers=(Layer(), Layer(act="none")), stride=2)


def _resnet(name: str, channels: tuple[int, ...], depth: int) -> Blueprint:
    stages = tuple(Stage(c, (_BASIC if s == 0 else _HALVING, *[_BASIC] * (depth - 1))) for s, c in enumerate(channels))
    return Blueprint(name=name, stem=Stem(channels[0]), stages=stages)


SEEDS: dict[str, Blueprint] = {
    # The CIFAR ResNet-32 with option A shortcuts (arXiv:1512.03385): 464,154 parameters, 68.86 M MACs at 3x32x32.
    "resnet32": _resnet("resnet32", (16, 32, 64), 5),
    # A small relative for 8x8 images.
    "digits-small": _resnet("digits-small", (8, 16, 24), 2),
}


def seed_source(name: str) -> str:
    """Return the source of a seed backbone.

    Raises:
        KeyError: No seed has this name.
    """
    return render(SEEDS[name])
