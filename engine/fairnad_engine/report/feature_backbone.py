"""The backbone of this folder as a source of feature maps, as detection and segmentation use one.

    from features import load_features
    net = load_features()                 # or FeatureBackbone(model, input_shape) around a module of your own
    maps = net.features(images)           # one map for each resolution, finest first; net(images) is the same
    net.feature_info.channels(), net.feature_info.reduction()

Needs PyTorch, and safetensors to read the trained weights. The source beside it (``backbone.py``) was written by a
language model and is run here: read it before.

A map is the last feature map of its resolution, just before the network goes on to the next coarser one; the head is
left out. Which they are is found once, by watching the network work at sizes of its own, and held against what it does
at every other size. Images of any size go in as long as the network was not written for one size alone; where it
was, the error says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class SizeError(ValueError):
    """The network does not take images of this size."""


# Where a tensor is computed: the module whose forward it is in, which call of it, and its number in there.
_Place = tuple[str, int, int]


@dataclass(frozen=True)
class _Map:
    """One feature map: where the network computes it, and what it looks like."""

    place: _Place
    num_chs: int
    reduction: int

    def is_like(self, tensor: torch.Tensor | None, x: torch.Tensor) -> bool:
        """Whether a tensor may be this map of images ``x``."""
        return tensor is not None and _is_map(tensor, x, self.reduction) and int(tensor.shape[1]) == self.num_chs


class FeatureInfo(Sequence[dict[str, Any]]):
    """What each map looks like: dictionaries with ``num_chs``, ``reduction`` and ``index``, finest first."""

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self._entries = tuple(entries)

    def channels(self) -> list[int]:
        """Channels of each map."""
        return [int(entry["num_chs"]) for entry in self._entries]

    def reduction(self) -> list[int]:
        """By what the sides of an image are divided in each map: its stride."""
        return [int(entry["reduction"]) for entry in self._entries]

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - an entry, or several by a slice
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._entries)

    def __repr__(self) -> str:
        return f"FeatureInfo({list(self._entries)})"


class _DoneError(Exception):
    """Every map is there; what follows is the head."""


class _Watch(TorchFunctionMode):
    """Knows where each tensor is computed, and keeps those that it is asked for."""

    def __init__(self, wanted: set[_Place] | None = None) -> None:
        super().__init__()
        self.wanted = wanted  # None: all of them, in their order, with what they are computed from
        self.kept: dict[_Place, torch.Tensor] = {}
        self.inputs: dict[_Place, list[_Place]] = {}
        self._known: dict[int, _Place] = {}
        self._calls: dict[str, int] = {}
        self._inside: list[list[Any]] = [["", 0, 0]]

    @contextmanager
    def on(self, model: nn.Module) -> Iterator[None]:
        """Watch a network, and nothing of it any more afterwards."""
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self._enter(name)))
            handles.append(module.register_forward_hook(lambda *_: self._leave()))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> None:
        self._calls[name] = self._calls.get(name, 0) + 1
        self._inside.append([name, self._calls[name], 0])

    def _leave(self) -> None:
        self._inside.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            inside = self._inside[-1]
            inside[2] += 1
            place = (inside[0], inside[1], inside[2])
            if self.wanted is None:
                self.inputs[place] = [self._known[id(one)] for one in args if id(one) in self._known]
                self.kept[place] = result  # held, so that no other tensor gets its id
                self._known[id(result)] = place
            elif place in self.wanted:
                self.kept[place] = result
                if len(self.kept) == len(self.wanted):
                    raise _DoneError
        return result


class FeatureBackbone(nn.Module):
    """A backbone that gives its feature maps.

    Attributes:
        model: The network itself; it trains as usual.
        feature_info: Channels and reduction of each map.
    """

    def __init__(
        self, model: nn.Module, input_shape: Sequence[int], out_indices: Sequence[int] | None = None, name: str = ""
    ) -> None:
        """Find the network's maps.

        Args:
            model: Takes images (N, C, H, W).
            input_shape: Channels, height and width that it was trained with.
            out_indices: Which maps, by their place in ``feature_info`` of all; None: every one.
            name: What errors call it.

        Raises:
            ValueError: It has no such map.
            SizeError: It does not even take the images that it was trained with.
        """
        super().__init__()
        self.model = model
        self.name = name or type(model).__name__
        self.input_shape = (int(input_shape[0]), int(input_shape[1]), int(input_shape[2]))
        found = self._find()
        chosen = range(len(found)) if out_indices is None else [range(len(found))[index] for index in out_indices]
        if not found or not chosen:
            raise ValueError(f"{self.name}: no feature map was found in what it computes")
        self._maps = [found[index] for index in chosen]
        self.feature_info = FeatureInfo(
            [
                {"num_chs": one.num_chs, "reduction": one.reduction, "index": index}
                for index, one in zip(chosen, self._maps, strict=True)
            ]
        )

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps of images, finest first: (N, channels, about H / reduction, about W / reduction).

        Raises:
            SizeError: The network was written for another size.
        """
        watch = self._watched(x, {one.place for one in self._maps})
        if all(one.is_like(watch.kept.get(one.place), x) for one in self._maps):
            return [watch.kept[one.place] for one in self._maps]
        # Where its code takes another way at this size, the maps are looked for anew.
        watch = self._watched(x, None)
        alike = {(one.num_chs, one.reduction): watch.kept[one.place] for one in _choose(watch, x)}
        try:
            return [alike[one.num_chs, one.reduction] for one in self._maps]
        except KeyError as error:
            raise self._wrong_size(x, "it computes other maps than at that size") from error

    def _watched(self, x: torch.Tensor, wanted: set[_Place] | None) -> _Watch:
        watch = _Watch(wanted)
        try:
            with watch.on(self.model):
                self.model(x)
        except _DoneError:
            pass
        except Exception as error:
            if isinstance(error, MemoryError) or "memory" in str(error):
                raise  # the machine's size, not the network's
            raise self._wrong_size(x, " ".join(str(error).split())) from error
        return watch

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The same as :meth:`features`."""
        return self.features(x)

    def _wrong_size(self, x: torch.Tensor, reason: str) -> SizeError:
        (_, trained_h, trained_w), (height, width) = self.input_shape, x.shape[-2:]
        return SizeError(
            f"{self.name} was trained at {trained_h}x{trained_w} and does not run at {height}x{width}: its code is "
            f"written for its size ({reason[:200]}); resize the images to {trained_h}x{trained_w}"
        )

    def _find(self) -> list[_Map]:
        """Watch the network on images that are not square, so that nothing else passes for a map; else on its own."""
        channels, height, width = self.input_shape
        device = next((one.device for one in self.model.parameters()), torch.device("cpu"))
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                for sides in ((2 * height, 3 * width), (height, width)):
                    x = torch.zeros(1, channels, *sides, device=device)
                    try:
                        return _choose(self._watched(x, None), x)
                    except SizeError:
                        if sides == (height, width):
                            raise
            return []
        finally:
            self.model.train(training)


def _choose(watch: _Watch, x: torch.Tensor) -> list[_Map]:
    """The last map of each resolution before the next coarser one first appears.

    What only looks away to a coarser map than the last one and comes back, as a gate does, is no resolution of its own.
    """
    seen = [(place, tensor, _reduction(tensor, x)) for place, tensor in watch.kept.items()]
    maps = [(place, tensor, reduction) for place, tensor, reduction in seen if reduction is not None]
    main: list[int] = []
    for _, _, reduction in reversed(maps):
        if not main or reduction < main[-1]:
            main.append(reduction)
    reductions = {place: reduction for place, _, reduction in maps}
    found: list[_Map] = []
    last: _Map | None = None
    for place, tensor, reduction in maps:
        if reduction not in main or (last is not None and reduction < last.reduction):
            continue
        if last is not None and reduction > last.reduction:
            # What the coarser map is computed from, where it is a map of the resolution before.
            sources = [one for one in watch.inputs[place] if reductions.get(one) == last.reduction]
            chosen = sources[0] if sources else last.place
            found.append(_Map(chosen, int(watch.kept[chosen].shape[1]), last.reduction))
        last = _Map(place, int(tensor.shape[1]), reduction)
    return [*found, last] if last is not None else found


def _reduction(tensor: torch.Tensor, x: torch.Tensor) -> int | None:
    """By what the image's sides are divided in a feature map (N, C, h, w); None where it is none."""
    if tensor.dim() != 4 or not tensor.is_floating_point() or tensor.shape[0] != x.shape[0]:
        return None
    height, width = int(tensor.shape[2]), int(tensor.shape[3])
    if height < 1 or width < 1 or (height == 1 and width == 1):
        return None  # pooled to a vector
    reduction = max(1, round(int(x.shape[2]) / height))
    return reduction if _is_map(tensor, x, reduction) else None


def _is_map(tensor: torch.Tensor, x: torch.Tensor, reduction: int) -> bool:
    """Whether both sides are those of the image, divided and rounded either way."""
    sides = zip(tensor.shape[-2:], x.shape[-2:], strict=True)
    return tensor.dim() == 4 and all(
        int(side) // reduction <= int(got) <= -(-int(side) // reduction) for got, side in sides
    )


def load_features(
    folder: str | Path | None = None, *, weights: bool = True, out_indices: Sequence[int] | None = None
) -> FeatureBackbone:
    """Build the backbone of an exported folder, by default the one this file lies in.

    Args:
        folder: The folder.
        weights: Whether it gets its trained weights.
        out_indices: Which maps; None: every one.
    """
    place = Path(folder) if folder is not None else Path(__file__).resolve().parent
    about = json.loads((place / "model.json").read_text("utf-8"))
    scope: dict[str, Any] = {"__name__": "backbone"}
    exec(compile((place / "backbone.py").read_text("utf-8"), str(place / "backbone.py"), "exec"), scope)  # noqa: S102
    channels = int(about["input_shape"][0])
    model: nn.Module = scope["Backbone"](in_channels=channels, num_classes=about["num_classes"], width=about["width"])
    if weights:
        from safetensors.torch import load_file

        stored = load_file(place / "weights.safetensors")
        with torch.no_grad():
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
                tensor.copy_(stored[name])
    return FeatureBackbone(model.eval(), about["input_shape"], out_indices, str(about["id"]))
