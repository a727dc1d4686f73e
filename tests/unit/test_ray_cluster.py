"""Settings of a Ray cluster, what is said where there is none, and how a data set travels to its nodes."""

from __future__ import annotations

import importlib.util
import json
import socket
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from fairnad_engine import preflight
from fairnad_engine.activity import Activity, NodeLoad, read_nodes
from fairnad_engine.errors import InputError, MachineFaultError
from fairnad_engine.search.config import RunConfig, load_config, parse_config
from fairnad_engine.search.study_config import StudyConfig
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.training import datasets
from fairnad_engine.training.data import packed
from fairnad_engine.training.data.description import DatasetInfo, Pool
from fairnad_engine.training.ray_cluster import INSTALL, address_of, explain
from fairnad_engine.training.ray_node import _PREFIX, _other_versions, _scratch, _unusable
from fairnad_engine.training_jobs import machine_of_finish
from fairnad_engine.workspace import job_folder
from fairnad_tui.batch import override
from fairnad_tui.cli import main

WRONG = (
    *("", "Ray", "ray:", "ray:head", "ray:head:0", "ray:head:70000"),
    *("ray://head:10001", "slurm", "ray:a b:1", "local:1"),
)
RAY = ("ray", "ray:auto", "ray:10.0.0.7:6379", "ray:head.lab:6379", "ray:[::1]:6379")


@pytest.mark.parametrize("text", ["local", *RAY])
def test_an_executor_changes_no_outcome_and_survives_the_file(text, tmp_path):
    config = parse_config({"machine": {"executor": text}}, "test")
    assert config.outcome_settings() == RunConfig().outcome_settings()
    assert config.digest_settings() == RunConfig().digest_settings()
    (tmp_path / "c.toml").write_text(config.to_toml())
    assert load_config(tmp_path / "c.toml") == config


def test_what_a_local_run_freezes_knows_no_executor():
    assert not {"executor", "verify_on"} & set(RunConfig().model_dump(mode="json")["machine"])
    told = RunConfig.model_validate({"machine": {"executor": "ray", "verify_on": "ray"}})
    assert RunConfig.model_validate(told.model_dump(mode="json")) == told
    assert told.outcome_settings() == RunConfig().outcome_settings()
    assert RunConfig().model_dump(mode="json")["machine"]["workers"] == 2


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_executor_is_one_line(text, capsys):
    with pytest.raises(InputError, match=r"machine\.executor: .*write local, ray, ray:auto or ray:HOST:PORT"):
        parse_config({"machine": {"executor": text}}, "test")
    for command in (["run"], ["--no-ui", "--demo"], ["finish"], ["study"]):
        with pytest.raises(SystemExit):
            main([*command, "--executor", text])
        told = capsys.readouterr().err
        assert "write local, ray, ray:auto or ray:HOST:PORT" in told
        assert told.count("\n") == 1


def test_a_command_lies_over_the_file_and_may_take_a_run_back():
    base = RunConfig.model_validate({"machine": {"executor": "ray:auto"}})
    assert override(base).machine.executor == "ray:auto"
    assert override(base, executor="local").machine.executor == "local"
    assert override(RunConfig(), executor="ray").machine.executor == "ray"


def test_a_study_and_a_finish_take_it_over(tmp_path):
    study = StudyConfig(name="s", methods=("fairnad",), seeds=(0,), run={"machine": {"workers": 7}})
    machine = study.with_executor("ray:auto").cell("fairnad", 0).machine
    assert (machine.executor, machine.workers) == ("ray:auto", 7)
    config = RunConfig.model_validate({"machine": {"executor": "ray:auto"}}).model_dump(mode="json")
    with Store(tmp_path / "w.db") as store:
        fields = dict.fromkeys(("template_version", "seed"), 0)
        fields |= dict.fromkeys(("model", "model_digest", "dataset_digest", "protocol_digest"), "")
        run = store.runs.create("r", {"config": config, "environment": {}, **fields})
        store.jobs.create("search", config, run.id)
        asked: list[tuple[dict[str, Any], str]] = [({}, "ray:auto"), ({"executor": "local"}, "local")]
        for finish, executor in asked:
            job: JobRow = store.jobs.create("finish", {"top": 1, **finish}, run.id)
            assert machine_of_finish(store, job).executor == executor


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_no_cluster_and_no_ray_are_told_before_anything_is_written(monkeypatch):
    monkeypatch.setattr(preflight, "_CHECKS", ())
    port = unused_port()
    settings = RunConfig.model_validate({"machine": {"executor": f"ray:127.0.0.1:{port}"}})
    with pytest.raises(InputError, match=rf"no Ray cluster answers at 127\.0\.0\.1:{port}.*ray start --head"):
        preflight.check_before_start(settings)
    named = RunConfig.model_validate({"machine": {"executor": "ray", "devices": ["cuda:0"]}})
    with pytest.raises(InputError, match=r"machine\.devices: a Ray cluster gives out its GPUs itself"):
        preflight.check_before_start(named)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="not installed") as error:
        preflight.check_before_start(settings)
    assert INSTALL in str(error.value)


def test_which_cluster_is_meant(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert address_of("ray") is None
    assert address_of("ray:head:1") == "head:1"
    with pytest.raises(InputError, match="node of no Ray cluster"):
        address_of("ray:auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.7:6379\n")
    assert address_of("ray:auto") == "10.0.0.7:6379"
    assert address_of("ray") is None  # on a shared machine that may be somebody else's
    monkeypatch.setenv("RAY_ADDRESS", "head:2")
    assert address_of("ray") == address_of("ray:auto") == "head:2"


def test_another_version_is_said_in_ray_s_own_words():
    from ray._private.utils import check_version_info, compute_version_info

    ours = compute_version_info()
    with pytest.raises(RuntimeError) as error:
        check_version_info({"ray_version": "2.41.0", "python_version": "3.10.2"}, "node 10.0.0.7")
    told = explain(str(error.value), "head:6379")
    assert f"runs Ray 2.41.0 and Python 3.10.2, this process Ray {ours[0]} and Python {ours[1]}" in told
    assert "\n" not in told
    assert "same environment" in told


def test_a_gpu_that_torch_cannot_use_is_no_candidate_s_fault(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert _unusable("cpu") == ""
    assert "offers a GPU that torch" in _unusable("cuda:0")


def test_a_node_with_another_torch_is_refused():
    here = torch.__version__.partition("+")[0]
    assert _other_versions({"torch": here, "nothing": "1"}) == ""
    assert "torch" in _other_versions({"torch": "1.0"})


@pytest.mark.parametrize("slices", [False, True])
def test_a_data_set_arrives_as_it_was_sent(slices, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNAD_CACHE", str(tmp_path))
    monkeypatch.setattr(packed, "_PART_BYTES", 3 * 64)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    order = rng.permutation(20)
    cuts = {"train": (0, 9), "validation": (9, 14), "test": (14, 20), "full": (0, 14)}
    splits = {name: slice(*cut) if slices else order[slice(*cut)] for name, cut in cuts.items()}
    pool = Pool(images, rng.integers(0, 5, 20), splits)
    info = DatasetInfo("own", (1, 8, 8), 5, (1.25,), (0.1,), "own-split")
    digest = datasets.content_digest(pool)
    parts = [partial(lambda part: part, one) for one in packed.pack(info, pool)]
    assert sum(part()[0] == "images.u8" for part in parts) > 5
    folder = packed.keep(digest, parts)
    assert packed.kept(digest) == folder
    assert packed.keep(digest, ()) == folder  # not asked for again
    name = f"{packed.KIND}:{folder}"
    assert datasets.dataset_info(name) == info
    assert datasets.split_digest(name) == digest
    for split, index in splits.items():
        loaded = datasets.load_split(name, split)
        assert np.array_equal(loaded.images.numpy(), images[index])
        assert np.array_equal(loaded.labels.numpy(), pool.labels[index])


def test_a_data_set_that_came_damaged_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNAD_CACHE", str(tmp_path))
    digest = datasets.split_digest("digits")
    parts = list(datasets.packed_parts("digits", {}))
    name, data = parts[-1]
    parts[-1] = (name, bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(MachineFaultError, match="did not arrive"):
        packed.keep(digest, [partial(lambda part: part, one) for one in parts])
    assert packed.kept(digest) is None
    assert [one.suffix for one in (tmp_path / "datasets").iterdir()] == [".lock"]


def test_what_killed_trainings_left_is_removed_and_what_is_held_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"{_PREFIX}left"
    left.mkdir()
    (left / ".held").touch()
    with _scratch() as mine:
        assert not left.exists()
        with _scratch() as other:
            assert mine.exists()
            assert mine != other
    assert list(tmp_path.iterdir()) == []


def test_nodes_are_read_as_they_were_written(tmp_path):
    nodes = [NodeLoad("10.0.0.7", True, 8, 3, 2, 1.5, 3)]
    activity = Activity(tmp_path / "activity.json")
    activity("c1", "training")
    activity.show_nodes(nodes)
    activity.flush()
    at, found = read_nodes(tmp_path)
    assert at > 0
    assert found == nodes
    assert json.loads((tmp_path / "activity.json").read_text()) == {"c1": "training"}
    Activity(tmp_path / "activity.json")  # the next life
    assert read_nodes(tmp_path) == (0.0, [])


def test_status_of_a_run_shows_its_nodes_while_it_is_at_work(tmp_path, capsys):
    config = RunConfig().model_dump(mode="json")
    path = tmp_path / "w.db"
    with Store(path) as store:
        fields = dict.fromkeys(("template_version", "seed"), 0)
        fields |= dict.fromkeys(("model", "model_digest", "dataset_digest", "protocol_digest"), "")
        run = store.runs.create("r", {"config": config, "environment": {}, **fields})
        job = store.jobs.create("search", config, run.id)
        activity = Activity(job_folder(path, job.id) / "activity.json")
        activity.show_nodes([NodeLoad("10.0.0.7", True, 8, 3, 2, 1.5, 3), NodeLoad("10.0.0.8", False, 0, 0, 0, 0, 0)])
        activity.flush()
        main(["status", run.id, "--db", str(path)])
        assert "10.0.0.7" not in capsys.readouterr().out  # what an earlier worker saw is over
        token = store.jobs.acquire(job.id)
        assert token
        main(["status", run.id, "--db", str(path)])
        told = capsys.readouterr().out.splitlines()
        assert "10.0.0.7\talive\t3\t8\t1.5\t2\t3" in told
        assert "10.0.0.8\tlost\t0\t0\t0\t0\t0" in told
        main(["status", "--db", str(path)])
        assert "10.0.0.7" not in capsys.readouterr().out
        main(["status", "--json", "--db", str(path)])
        (one,) = json.loads(capsys.readouterr().out)["runs"]
        assert [node["trainings"] for node in one["nodes"]] == [3, 0]
