"""Settings: what decides an outcome, and what a run digest takes of them."""

import pytest

from fairnad_engine.search.config import RunConfig, load_config, parse_config


def test_the_digest_knows_no_path_server_or_machine():
    here = parse_config(
        {
            "papers": {"sources": ["/home/a/papers"]},
            "model": {"llm": "ollama:m@http://one:11434"},
            "search": {"seed_backbone": "/home/a/net.py"},
            "machine": {"workers": 1},
        },
        "test",
    )
    there = parse_config(
        {
            "papers": {"sources": ["/data/papers"]},
            "model": {"llm": "ollama:m@http://two:11434", "lanes": 8},
            "search": {"seed_backbone": "/data/net.py"},
            "machine": {"workers": 64},
        },
        "test",
    )
    assert here.digest_settings() == there.digest_settings()


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"seed": 1}},
        {"search": {"fairness": "none"}},
        {"search": {"stages": [1, 1, 1]}},
        {"search": {"parent_floor": 1.0}},
        {"search": {"fit": "llm"}},
        {"budget": {"trained": 7}},
        {"budget": {"max_params": 7000}},
        {"budget": {"max_macs": 7000}},
    ],
)
def test_the_digest_knows_every_setting_of_the_search(change):
    assert parse_config(change, "test").digest_settings() != RunConfig().digest_settings()


def test_settings_survive_the_toml_file(tmp_path):
    config = parse_config({"name": "x", "search": {"stages": [2, 2, 1]}, "budget": {"trained": 8}}, "test")
    path = tmp_path / "c.toml"
    path.write_text(config.to_toml())
    assert load_config(path) == config
