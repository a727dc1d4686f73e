"""An exported folder scored again, whole and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from report_workspace import RUN, workspace
from safetensors.torch import load_file, save, save_file

from fairnad_engine.backbone import jailed
from fairnad_engine.backbone.export import CandidateError
from fairnad_engine.backbone.jail.result import JailResult
from fairnad_engine.errors import InputError
from fairnad_engine.report.evaluate import check_standalone, evaluate_folder
from fairnad_engine.report.export import export_candidate
from fairnad_engine.store import Store


class LogitsHere:
    """The jail's task in this process; only for sources of this test."""

    def run(self, task: str, payload: dict, blobs: dict) -> JailResult:
        try:
            data, out = jailed.TASKS[task](payload, blobs)
        except CandidateError as error:
            return JailResult(False, failure=error.kind, message=str(error))
        return JailResult(True, data=data, blobs=out)


class Replies:
    """A jail that gives one reply."""

    def __init__(self, result: JailResult) -> None:
        self.result = result

    def run(self, task: str, payload: dict, blobs: dict) -> JailResult:
        return self.result


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    return export_candidate(store, RUN, "g01-s03", tmp_path)


@pytest.mark.parametrize("name", ["seed", "g01-s01", "g01-s03"])
def test_the_recorded_accuracy_comes_out_exactly(store: Store, tmp_path: Path, name: str) -> None:
    row = store.runs.candidate(RUN, name)
    assert row is not None
    result = evaluate_folder(export_candidate(store, RUN, name, tmp_path))
    assert result.equal and result.validation_accuracy == result.recorded == row.accuracy
    assert (result.params, result.macs) == (row.params, row.macs)
    assert (result.dataset, result.protocol) == ("digits", "protocol smoke, 2 epochs, digits, own-split")


def test_the_source_is_never_executed(folder: Path) -> None:
    (folder / "backbone.py").write_text("raise SystemExit('executed')")
    assert evaluate_folder(folder).equal


def test_other_weights_are_seen(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    save_file({name: torch.zeros_like(tensor) for name, tensor in weights.items()}, folder / "weights.safetensors")
    edited = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**edited, "validation_accuracy": 99.0}))
    result = evaluate_folder(folder)
    assert result.recorded == 99.0 and not result.equal


def test_threads_are_as_before(folder: Path) -> None:
    before = torch.get_num_threads()
    evaluate_folder(folder)
    assert torch.get_num_threads() == before


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _text(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def _model(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**document, **changes}))

    return change


def _graph(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "graph.json").read_text())
        (folder / "graph.json").write_text(json.dumps({**document, **changes}))

    return change


def _cut_weights(folder: Path) -> None:
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data[: len(data) // 2])


def _other_weights(folder: Path) -> None:
    save_file({"a": torch.zeros(1)}, folder / "weights.safetensors")


def _folder_for_file(folder: Path) -> None:
    (folder / "graph.json").unlink()
    (folder / "graph.json").mkdir()


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (_without("model.json"), "model.json"),
        (_without("graph.json"), "graph.json"),
        (_without("weights.safetensors"), "weights.safetensors"),
        (_text("model.json", "{"), "model.json"),
        (_text("model.json", "[]"), "model.json"),
        (_model(width=-1), "model.json.*width"),
        (_model(protocol={"name": "x"}), "model.json.*protocol"),
        (_model(dataset="nothing"), "nothing"),
        (_model(dataset_digest="0"), "model.json.*digest 0"),
        (_text("graph.json", "not json"), "graph.json"),
        (_text("graph.json", "[" * 100_000), "graph.json"),
        (_text("graph.json", "{}"), "graph.json"),
        (_graph(classes=3), "graph.json|weights"),
        (_graph(input=[3, 8, 8]), "graph.json"),
        (_cut_weights, "weights.safetensors"),
        (_other_weights, "weights.safetensors.*missing"),
        (_folder_for_file, "graph.json"),
    ],
)
def test_damage_is_one_line_that_names_the_file_and_a_remedy(
    folder: Path, damage: Callable[[Path], None], names: str
) -> None:
    damage(folder)
    with pytest.raises(InputError, match=names) as caught:
        evaluate_folder(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert any(word in message for word in ("export", "use those", "choose one"))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        evaluate_folder(tmp_path / "nowhere")


def test_the_source_gives_the_graphs_logits(store: Store, tmp_path: Path) -> None:
    for name in ("g01-s01", "g01-s03"):
        assert check_standalone(export_candidate(store, RUN, name, tmp_path), LogitsHere()) < 1e-4


def test_another_source_is_seen(folder: Path) -> None:
    source = (folder / "backbone.py").read_text()
    (folder / "backbone.py").write_text(source.replace("return self.head(x", "return 1 + self.head(x"))
    assert check_standalone(folder, LogitsHere()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    "reply",
    [
        JailResult(False, failure="timeout", message="too slow"),
        JailResult(True),
        JailResult(True, blobs={"logits": b"junk"}),
        JailResult(True, blobs={"logits": save({"logits": torch.zeros(3, 10)})}),
        JailResult(True, blobs={"logits": save({"logits": torch.full((32, 10), torch.nan)})}),
    ],
)
def test_a_jail_reply_that_is_no_logits(folder: Path, reply: JailResult) -> None:
    with pytest.raises(InputError, match=r"backbone\.py"):
        check_standalone(folder, Replies(reply))
