"""Seeded choices for transformations: where, how much, and what the idea's own words ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..blueprint import Block, Blueprint, Layer, Path
from ..geometry import Layout, layout, path_shapes

T = TypeVar("T")
BlockPlace = tuple[int, int]
LayerPlace = tuple[int, int, int]

_NUMBER = r"(\d+(?:\.\d+)?)"
_HINTS: dict[str, tuple[str, ...]] = {
    "kernel": (rf"{_NUMBER}\s*[x×]\s*\d+", rf"kernels?(?: sizes?)?(?: of)? {_NUMBER}"),
    "expansion": (
        rf"(?:expan\w+|ratio|factor|inverted bottleneck)(?: ratio| factor)?(?: of| by| to| =)? {_NUMBER}",
        rf"{_NUMBER}\s*(?:x|×|-?fold|times)",
    ),
    "reduction": (rf"reduc\w+(?: ratio| factor)?(?: of| by| =)? {_NUMBER}",),
    "dilation": (rf"(?:dilat\w+|atrous)(?: rate| factor)?(?: of| =)? {_NUMBER}",),
    "groups": (rf"{_NUMBER} (?:groups|paths|branches)", rf"(?:groups?|cardinality)(?: of| =| to)? {_NUMBER}"),
    "heads": (rf"{_NUMBER} (?:attention )?heads",),
    "window": (rf"{_NUMBER}\s*[x×]\s*\d+ (?:\w+ )?windows?", rf"windows?(?: size)?(?: of)? {_NUMBER}"),
    "patch": (rf"{_NUMBER}\s*[x×]\s*\d+", rf"patch(?:es)?(?: size)?(?: of)? {_NUMBER}"),
    "rate": (rf"(?:rate|probability)(?: of| =)? {_NUMBER}",),
    "count": (rf"{_NUMBER} (?:convolutions|layers|3x3)",),
}
_WORDS = {"two": "2", "three": "3", "four": "4", "six": "6", "eight": "8"}
_FIRST_TRIES = 8  # afterwards the instruction's numbers have had their chance


@dataclass(frozen=True)
class Change:
    """What a transformation made: the new blueprint and one line that says what differs."""

    blueprint: Blueprint
    text: str


class Draw:
    """The random choices of one attempt.

    Args:
        rng: Source of every choice.
        input_shape: Channels, height and width of the task's images.
        instruction: The idea's words; numbers and names in them steer the choices while they are valid.
        attempt: How many earlier attempts changed nothing; later ones listen to the instruction less.
    """

    def __init__(
        self, rng: np.random.Generator, input_shape: tuple[int, int, int], instruction: str = "", attempt: int = 0
    ) -> None:
        self.rng, self.input_shape = rng, input_shape
        words = instruction.lower() if attempt < _FIRST_TRIES else ""
        self.words = re.sub(r"\b(two|three|four|six|eight)\b", lambda m: _WORDS[m[1]], words)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self.rng.random() < probability)

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self.rng.integers(len(options)))]

    def number(self, kind: str, options: Sequence[T]) -> T:
        """Return the option that the instruction names as ``kind``, else a random one."""
        for pattern in _HINTS[kind]:
            for found in re.findall(pattern, self.words):
                named = [option for option in options if option == float(found)]
                if named:
                    return named[0]
        return self.choice(options)

    def named(self, options: Mapping[T, str]) -> T:
        """Return an option whose pattern the instruction matches, else a random one."""
        mentioned = [option for option, pattern in options.items() if self.words and re.search(pattern, self.words)]
        return self.choice(mentioned or list(options))

    def layout(self, blueprint: Blueprint) -> Layout:
        """Return the shapes of the network on the task's images."""
        return layout(blueprint, self.input_shape)

    def blocks(self, blueprint: Blueprint, fits: Callable[[Block], bool]) -> list[BlockPlace]:
        """Return a random share of the blocks that fit: all, one stage's, or one; empty if none fits."""
        return self.scope([(s, i) for s, i, block in blueprint.blocks() if fits(block)])

    def layers(self, blueprint: Blueprint, fits: Callable[[Block, Layer], bool]) -> list[LayerPlace]:
        """Return a random share of the main paths' layers that fit."""
        return self.scope(
            [
                (s, i, n)
                for s, i, block in blueprint.blocks()
                for n, layer in enumerate(block.layers)
                if fits(block, layer)
            ]
        )

    def scope(self, places: Sequence[tuple[int, ...]]) -> list[tuple]:  # type: ignore[type-arg]
        """Return a random share of the places: all of them, those of one stage, of one block, or a single one."""
        if not places:
            return []
        stages = sorted({place[0] for place in places})
        stage = self._stage(stages)
        if stage is None:
            return list(places)
        inside = [place for place in places if place[0] == stage]
        if self.chance(0.5):
            return inside
        block = self.choice(sorted({place[1] for place in inside}))
        inside = [place for place in inside if place[1] == block]
        return inside if self.chance(0.5) else [self.choice(inside)]

    def _stage(self, stages: Sequence[int]) -> int | None:
        """Return the stage to act on, None for all."""
        if re.search(r"\b(every|each|all|throughout|everywhere)\b", self.words) and self.chance(0.7):
            return None
        if re.search(r"\b(last|late|later|deep|deeper|final) (stages?|layers?|blocks?)\b", self.words):
            return stages[-1]
        if re.search(r"\b(first|early|earlier|shallow|shallower|initial) (stages?|layers?|blocks?)\b", self.words):
            return stages[0]
        return None if self.chance(0.4) else self.choice(stages)


def edit_blocks(b: Blueprint, places: Sequence[BlockPlace], edit: Callable[[Block], Block]) -> Blueprint:
    """Return a copy with ``edit`` applied to the blocks at ``places``."""
    for s, i in places:
        b = b.with_block(s, i, edit(b.block(s, i)))
    return b


def edit_layers(b: Blueprint, places: Sequence[LayerPlace], edit: Callable[[Block, Layer], Path]) -> Blueprint:
    """Return a copy where each main-path layer at ``places`` gives way to the layers that ``edit`` returns."""
    for s, i in dict.fromkeys((s, i) for s, i, _ in places):
        block = b.block(s, i)
        chosen = {n for t, j, n in places if (t, j) == (s, i)}
        layers = [new for n, old in enumerate(block.layers) for new in (edit(block, old) if n in chosen else (old,))]
        b = b.with_block(s, i, replace(block, layers=tuple(layers)))
    return b


def base_widths(b: Blueprint, place: LayerPlace) -> tuple[int, int]:
    """Return a main-path layer's input and output channels at ``width = 1.0``, before rounding."""
    s, i, n = place
    block, stage = b.block(s, i), b.stages[s]
    before = stage.channels
    if i == 0 and stage.transition is None:
        before = b.stages[s - 1].channels if s else b.stem.channels
    own = stage.channels // 2 if block.split else stage.channels
    shape = path_shapes(block, block.layers)[n]
    widths = [before if width is None else round(own * width) for width in (shape.before, shape.after)]
    return widths[0], widths[1]


def where(b: Blueprint, places: Sequence[tuple[int, ...]]) -> str:
    """Return the places in words."""
    blocks = sorted({(place[0], place[1]) for place in places})
    if len(blocks) == 1:
        return f"stage {blocks[0][0] + 1} block {blocks[0][1] + 1}"
    if len(blocks) == sum(len(stage.blocks) for stage in b.stages):
        return "every block"
    stages = sorted({s for s, _ in blocks})
    names = ", ".join(str(s + 1) for s in stages)
    return f"{len(blocks)} blocks of stage{'s' if len(stages) > 1 else ''} {names}"
