"""Ideas that mean the same: vectors are asked for once, accounted, and never join what differs in a number."""

from __future__ import annotations

import json

import numpy as np
import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.embeddings import Embedder, make_embedder

MEANINGS = {"gate": (1.0, 0.0, 0.02), "attention": (0.99, 0.0, 0.1), "pool": (0.0, 1.0, 0.0)}


def vector(text):
    """Texts that name the same part point the same way, longer ones further."""
    for word, found in MEANINGS.items():
        if word in text:
            return [len(text) * one for one in found]
    return [0.0, 0.0, 1.0]


@pytest.fixture
def server():
    with serving(OllamaProtocol(says(""), vector=vector)) as state:
        yield state


def test_vectors_have_length_one_and_are_asked_for_once(server, tmp_path):
    texts = ["a gate", "a much longer gate", "a pool", "a gate"]
    vectors, calls = Embedder("tiny:1b", server.url, tmp_path, batch=2).embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[0], vectors[1]) and np.array_equal(vectors[0], vectors[3])
    assert [len(one["input"]) for one in server.embedded] == [2, 1]
    assert all(one["truncate"] is False for one in server.embedded)
    assert [(one.purpose, one.prompt_tokens) for one in calls] == [("embed", 14), ("embed", 7)]
    again, calls = Embedder("tiny:1b", server.url, tmp_path).embed([*texts[::-1], "new"])
    assert np.array_equal(again[3], vectors[0]) and len(calls) == 1
    assert server.embedded[-1]["input"] == ["new"]


def test_other_weights_have_other_vectors(server, tmp_path):
    Embedder("tiny:1b", server.url, tmp_path).embed(["a gate"])
    server.digest = "sha256:other"
    assert len(Embedder("tiny:1b", server.url, tmp_path).embed(["a gate"])[1]) == 1


def test_a_file_that_was_cut_off_costs_the_calls_again(server, tmp_path):
    Embedder("tiny:1b", server.url, tmp_path).embed(["a gate"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert len(Embedder("tiny:1b", server.url, tmp_path).embed(["a gate"])[1]) == 1


@pytest.mark.parametrize("bad", [[], [float("nan"), 1.0], [0.0, 0.0]])
def test_what_is_no_vector_is_refused(tmp_path, bad):
    with serving(OllamaProtocol(says(""), vector=lambda text: bad if "odd" in text else [1.0, 2.0])) as server:
        embedder = Embedder("tiny:1b", server.url, tmp_path)
        with pytest.raises(ModelUnavailableError):
            embedder.embed(["plain", "odd"])
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spec", ["rules", "openai:http://127.0.0.1:1#m"])
def test_only_ollama(spec, tmp_path):
    with pytest.raises(ModelUnavailableError, match="only models of Ollama"):
        make_embedder(spec, tmp_path)


def test_by_command(fairnad, server, tmp_path):
    for text in ("Put a gate behind it.", "Some attention follows.", "Use 2 gate units.", "Let it pool the map."):
        assert fairnad("ideas", "add", "--sub", "conv.depthwise", text).code == 0
    model = f"ollama:tiny:1b@{server.url}"
    (group,) = json.loads(fairnad("ideas", "duplicates", "--embed", model, "--json").out)
    # Another number is another idea, however alike the vectors are.
    assert [one["instruction"] for one in group["ideas"]] == ["Put a gate behind it.", "Some attention follows."]
    assert json.loads(fairnad("ideas", "duplicates", "--embed", model, "--threshold", "100", "--json").out) == []
    (stats,) = json.loads(fairnad("llm", "stats", "--json").out)
    assert (stats["purpose"], stats["calls"], stats["prompt_tokens"]) == ("embed", 1, 28)
    assert fairnad("ideas", "duplicates", "--embed", model, "--merge").out.startswith("groups: 1; ideas merged")
    refused = fairnad("ideas", "duplicates", "--embed", "ollama:none:1b@" + server.url)
    assert refused.code == 3 and "none:1b" in refused.one_line()
