"""The report as it is written: Markdown, tables, pictures, and exports of the front."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_workspace import RUN, workspace

from fairnad_engine.errors import InputError
from fairnad_engine.report.facts import RunSummary
from fairnad_engine.report.front_svg import front_svg
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.report.tables import candidates_csv
from fairnad_engine.report.templates import code, duration, prose
from fairnad_engine.report.write import write_report
from fairnad_engine.store import Store
from fairnad_engine.text import is_plain

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


@pytest.fixture
def summary(store: Store) -> RunSummary:
    return summarise(store, RUN)


def test_every_file_is_written_and_named(store: Store, tmp_path: Path) -> None:
    paths = write_report(store, RUN, tmp_path / "out")
    assert paths[0] == tmp_path / "out" / "report.md"
    assert all(path.exists() for path in paths)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "report.md", "report.txt", "report.json", "candidates.csv", "front.csv", "sampling.csv", "front.svg",
        "front-macs.svg", "front",
    }  # fmt: skip
    front = {m.id for m in summarise(store, RUN).front}
    assert {path.name for path in (tmp_path / "out" / "front").iterdir()} == front
    assert json.loads((tmp_path / "out" / "report.json").read_text())["run"]["id"] == RUN


def test_a_second_report_takes_the_place_of_the_first(store: Store, tmp_path: Path) -> None:
    write_report(store, RUN, tmp_path)
    (tmp_path / "front" / "mine").mkdir()
    (tmp_path / "front" / "mine" / "notes.txt").write_text("keep")
    gone = tmp_path / "front" / "g00-s99"
    gone.mkdir()
    (gone / "model.json").write_text("{}")
    before = (tmp_path / "report.md").read_bytes()
    write_report(store, RUN, tmp_path)
    assert (tmp_path / "report.md").read_bytes() == before
    assert not gone.exists()
    assert (tmp_path / "front" / "mine" / "notes.txt").read_text() == "keep"


def test_markdown_shows_texts_without_obeying_them(summary: RunSummary) -> None:
    text = report_markdown(summary)
    assert is_plain(text)
    assert "\\<U+202E\\>\\<U+001B\\>\\[31m \\<img src=x\\> \\[click\\](http://x) second \\`line\\`" in text
    rows = [line for line in text.splitlines() if line.startswith("| g01-s03 ")]
    assert rows and rows[0].replace("\\|", "").count("|") == 9


def test_markdown_names_protocol_and_the_command_for_test_results(summary: RunSummary) -> None:
    text = report_markdown(summary)
    assert text.count(summary.protocol.label) >= 3
    assert "`fairnad-tui finish run-1`" in text
    assert f"{summary.front[0].validation_accuracy:.2f} %" in text
    assert "| over-budget | proposal | 1 |" in text


def test_markdown_of_a_run_that_has_only_begun(summary: RunSummary) -> None:
    empty = replace(
        summary, run=replace(summary.run, state="running", digest=None), seed=None, generations=(), front=(), models=(),
        turns=(), stages=(), calls=(), language_models=(),
    )  # fmt: skip
    text = report_markdown(empty)
    assert "The run has not reached its end" in text and "No model is trained yet." in text


def test_tables(store: Store, tmp_path: Path) -> None:
    write_report(store, RUN, tmp_path)
    with (tmp_path / "candidates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["seed", "g01-s01", "g01-s03"]
    assert all(row["protocol"].startswith("protocol smoke") for row in rows)
    assert rows[2]["sub"] == "pool.strided-conv" and "\x1b" not in rows[2]["idea_name"]
    with (tmp_path / "sampling.csv").open(newline="") as file:
        counts = {row["id"]: row for row in csv.DictReader(file)}
    assert len(counts) == 70
    assert (counts["pool"]["turns"], counts["pool"]["effective"], counts["pool"]["valid"]) == ("2", "3", "1")
    assert counts["pool.strided-conv"]["kind"] == "sub" and counts["pool.strided-conv"]["valid"] == ""


def test_a_text_that_begins_like_a_formula_is_no_formula(summary: RunSummary) -> None:
    assert ",'=plain change," in candidates_csv(summary)


@pytest.mark.parametrize("cost", ["params", "macs"])
def test_picture_is_valid_and_shows_every_model(summary: RunSummary, cost: str) -> None:
    root = ElementTree.fromstring(front_svg(summary, cost))  # type: ignore[arg-type]
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    shown = sum(len(groups[name].findall(f"{SVG}circle")) for name in ("dominated", "front"))
    hidden = [t.text for t in root.iter(f"{SVG}text") if t.text and t.text.endswith("below the axis")]
    assert shown + sum(int(text.split()[0]) for text in hidden) == len(summary.models) - 1
    assert len(groups["fronts"].findall(f"{SVG}polyline")) == 1
    assert [e for e in root.iter(f"{SVG}path") if e.get("id") == "seed"]
    texts = "".join(root.itertext())
    assert "Validation accuracy (%)" in texts and "logarithmic" in texts and summary.protocol.label in texts


def test_picture_draws_at_most_five_fronts_the_first_and_the_last_among_them(summary: RunSummary) -> None:
    one = summary.generations[0]
    many = replace(summary, generations=tuple(replace(one, number=n) for n in range(1, 13)))
    root = ElementTree.fromstring(front_svg(many))
    titles = [line.findtext(f"{SVG}title") for line in root.iter(f"{SVG}polyline")]
    assert len(titles) == 5
    assert (titles[0], titles[-1]) == ("front, generation 1", "front, generation 12")


def test_picture_of_one_model_and_of_none(summary: RunSummary) -> None:
    alone = replace(summary, models=summary.models[:1], front=(), generations=())
    ElementTree.fromstring(front_svg(alone))
    assert "No model is trained yet" in front_svg(replace(summary, models=()))


def test_a_folder_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another folder"):
        write_report(store, RUN, tmp_path / "file" / "out")


def test_prose_code_and_durations() -> None:
    assert prose("a|b <i> *x* _y_ #1") == r"a\|b \<i\> \*x\* \_y\_ \#1"
    assert prose(None) == "–" and prose(3) == 3
    assert code("a`b") == "``a`b``" and code("`") == "`` ` ``"
    assert [duration(s) for s in (0.04, 61, 3725)] == ["0.0 s", "1 min 01 s", "1 h 02 min"]
