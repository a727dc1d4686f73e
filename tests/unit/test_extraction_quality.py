"""The quality of extraction: sound labels, a metric that can fail, and what ``rules`` reaches on each set."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from bench.extraction import FOLDER, SETS, Found, Label, Score, load, match, measure, overlap, papers_of
from fairnad_engine.knowledge.rules_reader import RulesReader
from fairnad_engine.knowledge.template import Template


@pytest.fixture(scope="module")
def papers():
    return load()


def test_quotes_stand_exactly_once_and_sub_categories_exist(papers):
    known = {sub.id for sub in Template.load().subs}
    labels = yaml.safe_load((FOLDER / "labels.yaml").read_text("utf-8"))
    assert set(labels) == {path.stem for path in (FOLDER / "papers").glob("*.md")}
    for name, rows in labels.items():
        text = (FOLDER / "papers" / f"{name}.md").read_text("utf-8")
        for row in rows:
            assert row["sub"] in known, name
            for quote in (row["quote"], *row.get("also", [])):
                assert text.count(quote) == 1, (name, quote)
    assert sum(len(paper.labels) for paper in papers) >= 100
    assert any(not paper.labels for paper in papers), "papers without any idea are there too"


def test_a_third_is_held_out_by_the_written_draw(papers):
    names = sorted(paper.name for paper in papers)
    held_out = [paper.name for paper in papers if paper.held_out]
    assert len(names) >= 12
    assert 3 * len(held_out) >= len(names)
    assert held_out == sorted(random.Random(6).sample(names, -(-len(names) // 3)))


def test_a_quote_that_is_not_there_is_refused(tmp_path: Path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one.md").write_text("# One\n\n## Design\n\nUse a gate. Use a gate.\n", "utf-8")
    (tmp_path / "held_out.txt").write_text("# none\n", "utf-8")
    for quote in ("Use a stem.", "Use a gate."):
        (tmp_path / "labels.yaml").write_text(yaml.safe_dump({"one": [{"sub": "x.y", "quote": quote}]}), "utf-8")
        with pytest.raises(ValueError, match="exactly once"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [((0, 10), (0, 10), 1.0), ((0, 10), (5, 15), 0.5), ((0, 100), (40, 50), 1.0), ((0, 10), (10, 20), 0.0)],
)
def test_overlap_is_of_the_shorter_span(one, other, share):
    assert overlap(one, other) == share
    assert overlap(None, other) == 0.0


def test_matching_is_one_to_one_and_needs_half():
    labels = [Label("a", ((0, 10),)), Label("b", ((20, 30), (60, 70)))]
    assert match([Found("a", (0, 10)), Found("a", (0, 10))], labels) in ([(0, 0)], [(1, 0)])
    assert match([Found("a", (6, 30))], [labels[0]]) == []
    assert match([Found("b", (60, 70)), Found("b", (20, 30))], [labels[1]]) in ([(0, 0)], [(1, 0)])
    assert match([Found("a", None)], labels) == []
    assert match([], labels) == match([Found("a", (0, 9))], []) == []


def test_matching_prefers_more_pairs_then_equal_sub_categories():
    # One sentence with two labels: each idea goes to its own, whatever the order.
    both = [Label("a", ((0, 10),)), Label("b", ((10, 20),))]
    assert match([Found("b", (0, 20)), Found("a", (0, 20))], both) == [(0, 1), (1, 0)]
    # The second idea fits only the first label: two pairs count more than one equal sub-category.
    assert match([Found("a", (0, 20)), Found("c", (0, 10))], both) == [(0, 1), (1, 0)]


def test_scores_count_what_they_say():
    total = Score(labels=4, found=2, matched=2, filed=1, grounded=1) + Score(labels=1, found=3, matched=0, filed=0)
    assert total.shares == {"recall": 0.4, "precision": 0.4, "category accuracy": 0.5, "grounding rate": 0.2}
    assert not total.meets_targets
    assert Score(labels=10, found=8, matched=6, filed=5, grounded=8).meets_targets
    assert not Score(labels=10, found=9, matched=6, filed=5, grounded=9).meets_targets
    assert not Score(labels=10, found=8, matched=6, filed=4, grounded=8).meets_targets
    assert not Score(labels=11, found=8, matched=6, filed=5, grounded=8).meets_targets


def test_half_of_the_fresh_papers_are_held_out():
    papers = load(FOLDER / "fresh")
    names = sorted(paper.name for paper in papers)
    assert len(names) == 20
    assert sorted(paper.name for paper in papers if paper.held_out) == sorted(random.Random(2026).sample(names, 10))


def test_one_side_of_a_folder_can_be_opened_alone():
    assert all(paper.held_out for paper in load(held_out=True))
    assert not any(paper.held_out for paper in load(held_out=False))


@pytest.mark.parametrize("name", SETS)
def test_rules_meets_the_targets(name):
    score = measure(RulesReader(), papers_of(name), Template.load())
    assert score.meets_targets, score
    assert score.grounded == score.found
