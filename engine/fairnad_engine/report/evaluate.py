"""An exported folder scored again, through its graph alone; its source runs only in the jail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairnad_engine.backbone.graph import BackboneGraph, GraphRefusedError, parse_graph
from fairnad_engine.errors import InputError
from fairnad_engine.training.protocol import Protocol as TrainingProtocol

if TYPE_CHECKING:
    import torch

    from fairnad_engine.backbone.jail.result import JailResult
    from fairnad_engine.backbone.rebuild import GraphBackbone

COMPARED_IMAGES = 32
_MOST_BYTES = {
    "model.json": 1 << 20,
    "graph.json": 64 << 20,
    "weights.safetensors": 1 << 30,
    "backbone.py": 1 << 20,
}


@dataclass(frozen=True)
class Evaluation:
    """A folder's score.

    Attributes:
        validation_accuracy: Percent on the validation split, measured now.
        recorded: What the folder says.
        equal: Whether they are the same number.
        params: Parameters, counted from the graph.
        macs: Multiply-accumulates for one image, counted from the graph.
        dataset: Data set.
        protocol: Protocol, epochs and split.
    """

    validation_accuracy: float
    recorded: float
    equal: bool
    params: int
    macs: int
    dataset: str
    protocol: str

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form with the attribute names as keys."""
        return asdict(self)


class Jailed(Protocol):
    """The part of the jail that is needed here."""

    def run(self, task: str, payload: dict[str, Any], blobs: Mapping[str, bytes] | None = None) -> JailResult:
        """Do one task in a fresh child."""


class _Model(BaseModel):
    """What is read of ``model.json``; ``data`` says where the run read its data set, where that was not the default."""

    model_config = ConfigDict(frozen=True)

    width: float = Field(gt=0)
    dataset: str
    data: dict[str, Any] = Field(default_factory=dict)
    split: str
    dataset_digest: str
    protocol: TrainingProtocol
    trained_on: Literal["train", "full"] = "train"
    validation_accuracy: float
    aliases: tuple[tuple[str, str], ...] = ()


def evaluate_folder(folder: Path) -> Evaluation:
    """Rebuild a backbone from graph and weights and score it on the validation split.

    Raises:
        InputError: A file is missing or damaged, or the data set is another one.
    """
    from fairnad_engine.backbone.analysis import measure
    from fairnad_engine.training.datasets import dataset_info, load_split, split_digest
    from fairnad_engine.training.trainer import score

    model = _read_model(folder)
    graph, network, _ = _read_network(folder)
    info = dataset_info(model.dataset, **model.data)
    if graph.input_shape != info.image_shape or graph.num_classes != info.num_classes:
        raise InputError(f"{folder / 'graph.json'}: is not for images of {model.dataset}; export the model again")
    if (here := split_digest(model.dataset, **model.data)) != model.dataset_digest:
        raise InputError(
            f"{folder / 'model.json'}: was scored on other images or splits of {model.dataset} "
            f"(digest {model.dataset_digest}, here {here}); use those of the run"
        )
    try:
        cost = measure(graph)
    except GraphRefusedError as refused:
        raise _damaged(folder / "graph.json", refused) from refused
    with _one_thread():
        validation = load_split(model.dataset, "validation", **model.data)
        accuracy = score(network, info, validation, model.protocol.eval_batch_size)
    return Evaluation(
        validation_accuracy=accuracy,
        recorded=model.validation_accuracy,
        equal=accuracy == model.validation_accuracy,
        params=cost.params,
        macs=cost.macs,
        dataset=model.dataset,
        protocol=f"protocol {model.protocol.name}, {model.protocol.epochs} epochs, {model.dataset}, {model.split}"
        + (", trained on these images too" if model.trained_on == "full" else ""),
    )


def check_standalone(folder: Path, jail: Jailed) -> float:
    """Return the largest difference of a logit between the graph and ``backbone.py``, which runs in the jail.

    Raises:
        InputError: A file is missing or damaged, or the source does not give logits.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load, save

    from fairnad_engine.training.datasets import dataset_info, load_split
    from fairnad_engine.training.trainer import normalise

    model = _read_model(folder)
    graph, network, weights = _read_network(folder)
    path = folder / "backbone.py"
    try:
        source = _read(folder, "backbone.py").decode()
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    split = load_split(model.dataset, "validation", **model.data).images[:COMPARED_IMAGES]
    images = normalise(split, dataset_info(model.dataset, **model.data)).contiguous()
    with _one_thread(), torch.no_grad():
        expected = network.eval()(images)
    payload = {
        "source": source,
        "classes": graph.num_classes,
        "width": model.width,
        "aliases": [list(pair) for pair in model.aliases],
    }
    try:
        result = jail.run("logits", payload, {"images": save({"images": images}), "weights": weights})
    except ValueError as error:
        raise InputError(f"{folder}: cannot be handed to the jail ({error}); compare a smaller model") from error
    if not result.ok:
        raise InputError(f"{path}: {result.failure}: {result.message}; export the model again")
    try:
        logits = load(result.blobs.get("logits", b""))["logits"]
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, "it gave no logits") from error
    return _largest_difference(path, logits, expected)


def _largest_difference(path: Path, logits: torch.Tensor, expected: torch.Tensor) -> float:
    if logits.shape != expected.shape or logits.dtype != expected.dtype:
        raise _damaged(path, f"it gave {list(logits.shape)} {logits.dtype}, wanted {list(expected.shape)}")
    difference = float((logits - expected).abs().max())
    if difference != difference:
        raise _damaged(path, "its logits are no numbers")
    return difference


def _read_model(folder: Path) -> _Model:
    path = folder / "model.json"
    try:
        return _Model.model_validate_json(_read(folder, "model.json"))
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def _read_network(folder: Path) -> tuple[BackboneGraph, GraphBackbone, bytes]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    from fairnad_engine.backbone.rebuild import GraphBackbone

    try:
        graph = parse_graph(json.loads(_read(folder, "graph.json")))
    except (GraphRefusedError, ValueError, RecursionError) as error:
        raise _damaged(folder / "graph.json", error) from error
    weights = _read(folder, "weights.safetensors")
    try:
        return graph, GraphBackbone(graph, load(weights)), weights
    except (GraphRefusedError, SafetensorError, ValueError, KeyError) as error:
        raise _damaged(folder / "weights.safetensors", error) from error


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; name one that a report wrote under front/")
    if not path.is_file():
        raise InputError(f"{path}: is missing; name a folder that a report wrote under front/, or export it again")
    try:
        if path.stat().st_size > _MOST_BYTES[name]:
            raise _damaged(path, f"is larger than {_MOST_BYTES[name]} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; make it readable, or export the model again") from error


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path}: is damaged ({str(reason)[:200]}); export the model again")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute as a trainer does: sums in another order would give other logits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
