"""An exported candidate: complete, loadable as its readme says, traceable to papers."""

from __future__ import annotations

import ast
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from report_workspace import NASTY, QUOTE, RUN, SOURCES, workspace
from safetensors.torch import load_file

from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.rebuild import GraphBackbone
from fairnad_engine.errors import InputError
from fairnad_engine.report.export import FILES, citation, export_candidate
from fairnad_engine.store import Store
from fairnad_engine.training.datasets import dataset_info, load_split
from fairnad_engine.training.trainer import normalise


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    return export_candidate(store, RUN, "g01-s03", tmp_path / "out")


def test_files(folder: Path, tmp_path: Path) -> None:
    assert folder == tmp_path / "out" / "g01-s03"
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_model_says_what_it_is_and_how_it_was_scored(store: Store, folder: Path) -> None:
    model = json.loads((folder / "model.json").read_text())
    row = store.runs.candidate(RUN, "g01-s03")
    assert row is not None
    assert (model["id"], model["run"], model["width"]) == ("g01-s03", RUN, 0.5)
    assert (model["params"], model["macs"], model["exact_hash"]) == (row.params, row.macs, row.exact_hash)
    assert (model["input_shape"], model["num_classes"], model["dataset"]) == ([1, 8, 8], 10, "digits")
    assert model["validation_accuracy"] == row.accuracy
    run = store.runs.get(RUN)
    assert model["protocol"] == run.environment["protocol"]
    assert (model["protocol_digest"], model["dataset_digest"]) == (run.protocol_digest, run.dataset_digest)
    assert model["aliases"] == [["one.weight", "two.weight"]]
    assert model["versions"]["torch"] == "2"


def test_source_is_the_candidates_under_a_comment(folder: Path) -> None:
    text = (folder / "backbone.py").read_text()
    assert text.endswith(SOURCES["g01-s03"][0])
    header = text.removesuffix(SOURCES["g01-s03"][0])
    assert all(not line or line.startswith("#") for line in header.splitlines())
    assert "Build it with width=0.5" in header and "two.weight is one.weight" in header
    assert "protocol smoke, 2 epochs" in header
    imported = {a.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"torch"}


def test_header_of_full_width_says_nothing_of_other_widths(store: Store, tmp_path: Path) -> None:
    text = (export_candidate(store, RUN, "seed", tmp_path) / "backbone.py").read_text()
    assert "Build it with" not in text and "the seed" in text


def test_readme_lines_load_the_trained_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (folder / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) == 6
    script = folder / "load.py"
    script.write_text(code)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    model = runpy.run_path(str(script))["model"]  # this source was written in this test
    sys.modules.pop("backbone", None)
    graph = parse_graph(json.loads((folder / "graph.json").read_text()))
    trusted = GraphBackbone(graph, load_file(folder / "weights.safetensors")).eval()
    images = normalise(load_split("digits", "validation").images[:32], dataset_info("digits"))
    with torch.no_grad():
        assert torch.allclose(model(images), trusted(images), atol=1e-5)


def test_lineage_ends_at_the_seed_and_names_ideas_and_papers(folder: Path) -> None:
    lineage = json.loads((folder / "lineage.json").read_text())
    assert [entry["id"] for entry in lineage] == ["g01-s03", "seed"]
    assert lineage[0]["change"] == NASTY and lineage[0]["idea"]["sub"] == "pool.strided-conv"
    assert lineage[0]["paper"]["arxiv"] == "1412.6806"
    assert lineage[1]["parent"] is None and lineage[1]["idea"] is None


def test_ideas_quote_the_paper_verbatim(folder: Path) -> None:
    text = (folder / "ideas.md").read_text()
    assert "".join(f"> {line}\n" for line in QUOTE.splitlines()) in text
    assert "A. Author, B. Author (2015). All Convolutional \\| Net. ICLR. arXiv:1412.6806." in text
    assert "\x1b" not in text and "<img" not in text.replace("\\<img", "")


def test_seed_has_no_ideas(store: Store, tmp_path: Path) -> None:
    assert "None" in (export_candidate(store, RUN, "seed", tmp_path) / "ideas.md").read_text()


def test_stage_three_shows_its_derived_idea(store: Store, tmp_path: Path) -> None:
    parent = store.runs.candidate(RUN, "g01-s01")
    assert parent is not None
    values = {k: getattr(parent, k) for k in parent.__dataclass_fields__ if k not in ("run_id", "id", "created_at")}
    derived = {"id": "d1", "main": "act", "sub": "act.hard", "name": "The opposite", "instruction": "Use ReLU6."}
    changed = {"position": 2001, "parent_id": "g01-s01", "idea_id": None, "derived": derived, "stage": 3}
    store.runs.save_candidate(RUN, "g02-s01.1", {**values, **changed})
    evaluation = {
        "purpose": "search", "seed": 5, "protocol": "smoke", "protocol_digest": "x", "status": "done", "accuracy": 31.0,
        "weights": parent.weights, "message": "", "seconds": 1.0,
    }  # fmt: skip
    store.runs.save_evaluation(RUN, "g02-s01.1", evaluation, [])
    folder = export_candidate(store, RUN, "g02-s01.1", tmp_path)
    lineage = json.loads((folder / "lineage.json").read_text())
    assert [entry["id"] for entry in lineage] == ["g02-s01.1", "g01-s01", "seed"]
    assert lineage[0]["idea"]["origin"] == "derived" and lineage[0]["paper"] is None
    text = (folder / "ideas.md").read_text()
    assert "## The opposite" in text and "## Smooth activation" in text


def test_unknown_and_untrained_candidates(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no candidate 'g09-s01'"):
        export_candidate(store, RUN, "g09-s01", tmp_path)
    row = store.runs.candidate(RUN, "g01-s01")
    assert row is not None
    values = {k: getattr(row, k) for k in row.__dataclass_fields__ if k not in ("run_id", "id", "created_at")}
    store.runs.save_candidate(RUN, "g02-s02", {**values, "position": 2002, "status": "verified", "accuracy": None})
    with pytest.raises(InputError, match="only trained candidates"):
        export_candidate(store, RUN, "g02-s02", tmp_path)
    assert not list(tmp_path.glob("g0*"))


def test_citation_leaves_out_what_is_unknown() -> None:
    paper = {"authors": [], "year": None, "title": "T", "venue": "", "arxiv": ""}
    assert citation(paper) == "T."
