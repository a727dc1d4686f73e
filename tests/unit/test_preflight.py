"""What must be there before a search: every need is tried, the first that is missing ends a command."""

import socket
from dataclasses import replace

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine.backbone.jail import probe
from fairnad_engine.errors import InputError, JailError, ModelUnavailableError
from fairnad_engine.llm.ollama_server import served_models
from fairnad_engine.preflight import check_before_start, checks
from fairnad_engine.search.config import RunConfig
from fairnad_engine.training import datasets
from fairnad_engine.training.protocol import load_protocol
from fairnad_tui.commands.plan import _papers, _protocol_line


@pytest.fixture(autouse=True)
def jail(monkeypatch):
    """The jail has its own tests; here it is whole."""
    monkeypatch.setattr(probe, "probe", lambda: (probe.Layer("files", True, "", True),))


def config(**sections):
    return RunConfig.model_validate(
        {"model": {"llm": "rules"}, "search": {"seed_backbone": "digits-small"}, **sections}
    )


def test_where_everything_is_there_each_check_says_what_it_found():
    found = checks(config())
    assert all(one.ready for one in found)
    assert {one.name: one.detail for one in found}["data set"] == "digits: 1x8x8, 10 classes, own-split"
    check_before_start(config())


@pytest.mark.parametrize(
    ("sections", "name", "error", "says"),
    [
        ({"model": {"llm": "gpt"}}, "model", InputError, "not a model"),
        ({"data": {"dataset": "cats"}}, "data set", InputError, "choose one of: digits"),
        ({"data": {"protocol": "fast"}}, "protocol", InputError, "choose one of: digits, nasbench201"),
        ({"search": {"seed_backbone": "vgg"}}, "seed backbone", InputError, "digits-small"),
        ({"machine": {"devices": ["cuda:63"]}}, "devices", InputError, "cuda:63 is not there"),
        ({"machine": {"executor": "ray:127.0.0.1:1"}}, "cluster", InputError, "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_one_missing_thing_is_named_with_its_remedy(sections, name, error, says):
    missing = [one for one in checks(config(**sections)) if not one.ready]
    assert [one.name for one in missing] == [name]
    assert says in missing[0].problem
    with pytest.raises(error, match=says):
        check_before_start(config(**sections))


def test_a_run_s_own_cluster_is_there_and_the_forecast_does_not_know_it():
    found = checks(config(machine={"executor": "ray"}))
    assert found[-1].name == "cluster" and found[-1].ready
    assert "one of the run's own" in found[-1].detail and "this machine alone" in found[-1].detail


def test_index_files_are_missing_apart_from_the_data(tmp_path, monkeypatch):
    data = {"dataset": "cifar10", "root": str(tmp_path), "splits": str(tmp_path / "nb201")}
    found = {one.name: one for one in checks(config(data=data))}
    assert "cifar-split.txt" in found["index files"].problem
    assert found["data set"].problem and "split" not in found["data set"].problem
    monkeypatch.setitem(datasets._SOURCES, "cifar10", replace(datasets._SOURCES["cifar10"], missing=lambda _where: ""))
    found = {one.name: one for one in checks(config(data=data))}
    assert found["data set"].ready and found["data set"].detail == "cifar10, without its index files"
    with pytest.raises(InputError, match=r"cifar-split\.txt"):
        check_before_start(config(data=data))
    (tmp_path / "nb201").mkdir()
    (tmp_path / "nb201" / "cifar-split.txt").write_text("{}")
    found = {one.name: one for one in checks(config(data=data))}
    assert found["index files"].ready and found["data set"].detail.endswith("nb201-split")
    assert "index files" not in {one.name for one in checks(config())}


@pytest.mark.parametrize("there", [False, True])
def test_a_plan_names_a_split_only_where_its_index_file_is_there(tmp_path, there):
    if there:
        (tmp_path / "cifar-split.txt").write_text("{}")
    settings = config(data={"dataset": "cifar10", "splits": str(tmp_path)})
    line = _protocol_line(settings, load_protocol("nasbench201"))
    assert ("index files for nb201-split are MISSING;" in line) is not there
    assert (" nb201-split;" in line) is there


def test_a_plan_says_whose_papers_the_library_is_of():
    assert "sample papers" in _papers(config(papers={"sources": ["samples"]}))
    assert "[papers] sources" in _papers(config(papers={"sources": ["samples"]}))
    assert _papers(config(papers={"sources": ["mine/", "samples"]})) == "mine/, samples"


def test_a_jail_that_lacks_a_layer_is_missing_unless_accepted(monkeypatch):
    monkeypatch.setattr(probe, "probe", lambda: (probe.Layer("network", False, "open", True),))
    assert [one.name for one in checks(config()) if not one.ready] == ["jail"]
    with pytest.raises(JailError, match="network"):
        check_before_start(config())
    assert all(one.ready for one in checks(config(machine={"accept_weak_jail": True})))


def test_the_models_of_a_server_are_listed():
    with serving(OllamaProtocol(says("x"))) as state:
        assert served_models(state.url) == state.models


def test_where_nothing_listens_it_says_how_to_start_it():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelUnavailableError, match="ollama serve"):
        served_models(f"http://127.0.0.1:{port}")
