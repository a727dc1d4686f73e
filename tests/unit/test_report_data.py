"""An exported folder finds the images it was scored on again: other roots, own folders of images, own settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_files import cifar10, image_folder
from report_workspace import RUN, SOURCES, workspace
from safetensors.torch import load

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.rebuild import GraphBackbone
from fairnad_engine.by_hand import Examination, Subject
from fairnad_engine.by_hand_training import Course, Trained, read_course, save_folder
from fairnad_engine.errors import InputError
from fairnad_engine.report.evaluate import evaluate_folder
from fairnad_engine.report.export import export_candidate
from fairnad_engine.search.config import DataSection
from fairnad_engine.store import Store
from fairnad_engine.training.datasets import dataset_info, load_split, split_digest
from fairnad_engine.training.trainer import score

_OWN = {"size": 12, "channels": 1, "validation_share": 0.4, "split_seed": 3}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual folder of data sets is empty, so only what a folder says leads to the images."""
    monkeypatch.setenv("FAIRNAD_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _network(data: DataSection) -> tuple[str, bytes, float]:
    """Graph, weights and validation accuracy of an untrained network for a data set."""
    info = dataset_info(data.dataset, **data.location())
    request = {"shape": list(info.image_shape), "classes": info.num_classes, "width": 1.0, "seed": 0}
    document, weights = export_backbone(SOURCES["seed"][0], request)
    graph = parse_graph(document)
    validation = load_split(data.dataset, "validation", **data.location())
    return graph.to_json(), weights, score(GraphBackbone(graph, load(weights)), info, validation, 512)


def _exported(store: Store, data: DataSection, folder: Path) -> Path:
    """The stored run, made one on another data set, and its candidate exported."""
    text, weights, accuracy = _network(data)
    graph, trained = store.files.put(text.encode(), ".graph.json"), store.files.put(weights, ".safetensors")
    run, info = store.runs.get(RUN), dataset_info(data.dataset, **data.location())
    config = {**run.config, "data": data.model_dump(mode="json")}
    environment = {**run.environment, "dataset": {"name": info.name}, "split_label": info.split_label}
    changes = {
        "config_json": json.dumps(config),
        "environment_json": json.dumps(environment),
        "dataset_digest": split_digest(data.dataset, **data.location()),
    }
    store.runs._db.table("runs").update(RUN, changes)
    store.runs._db.table("candidates").update((RUN, "g01-s01"), {"graph": graph, "accuracy": accuracy, "width": 1.0})
    (training,) = [one for one in store.runs.evaluations(RUN, "search") if one.candidate_id == "g01-s01"]
    key = (RUN, "g01-s01", "search", training.seed)
    store.runs._db.table("evaluations").update(key, {"weights": trained, "accuracy": accuracy})
    return export_candidate(store, RUN, "g01-s01", folder)


def _kept_by_hand(course: Course, data: DataSection, folder: Path) -> Path:
    text, weights, accuracy = _network(data)
    files = ArtifactFolder(folder / "files")
    names = files.put(text.encode(), ".graph.json"), files.put(weights, ".safetensors")
    graph = parse_graph(json.loads(text))
    subject = Subject("net.py", SOURCES["seed"][0])
    found = Examination(subject, course.limits(), None, "", 1.0, 1, 1, None, "e", "w", graph, *names, 0.1)
    (folder / "kept").mkdir()
    save_folder(found, Trained(accuracy, names[1], (), 0.1), course, files, folder / "kept")
    return folder / "kept"


def _cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSection:
    cifar10(tmp_path / "mine", monkeypatch)
    return DataSection(dataset="cifar10", root=str(tmp_path / "mine"))


def _own(tmp_path: Path, settings: dict[str, Any] | None) -> DataSection:
    image_folder(tmp_path / "own", {"cat": 10, "dog": 10, "eel": 10})
    return DataSection.model_validate({"dataset": f"imagefolder:{tmp_path / 'own'}", "imagefolder": settings})


def test_an_export_names_the_root_it_was_scored_from(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _exported(store, _cifar10(tmp_path, monkeypatch), tmp_path)
    found = evaluate_folder(folder)
    assert found.equal and found.dataset == "cifar10"
    model = json.loads((folder / "model.json").read_text())
    assert model["data"] == {"root": str(tmp_path / "mine")}
    (folder / "model.json").write_text(json.dumps({**model, "data": {}}))
    with pytest.raises(InputError, match=r"cifar10: no batches.meta in .*empty"):
        evaluate_folder(folder)


def test_an_export_of_own_images_says_how_they_are_read(store: Store, tmp_path: Path) -> None:
    folder = _exported(store, _own(tmp_path, _OWN), tmp_path)
    assert evaluate_folder(folder).equal
    model = json.loads((folder / "model.json").read_text())
    assert {name: model["data"]["imagefolder"][name] for name in _OWN} == _OWN
    model["data"]["imagefolder"]["split_seed"] = 4
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(InputError, match="was scored on other images or splits"):
        evaluate_folder(folder)


def test_a_folder_kept_by_hand_names_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _cifar10(tmp_path, monkeypatch)
    course = read_course("cifar10", "nasbench201", data_root=tmp_path / "mine")
    folder = _kept_by_hand(course, data, tmp_path)
    assert evaluate_folder(folder).equal
    assert json.loads((folder / "model.json").read_text())["data"] == {"root": str(tmp_path / "mine")}


def test_a_folder_kept_by_hand_finds_own_images_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _own(tmp_path, None)
    monkeypatch.chdir(tmp_path)
    course = read_course("imagefolder:own", "smoke")  # a relative path is kept as an absolute one
    folder = _kept_by_hand(course, data, tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    found = evaluate_folder(folder)
    assert found.equal and found.dataset == f"imagefolder:{tmp_path / 'own'}"
