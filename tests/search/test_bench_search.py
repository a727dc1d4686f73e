"""What ``make bench-search`` writes: the plan's runs, what was tried, what came later, and a person's notes."""

import json

import pytest

from bench import search, search_table
from bench.__main__ import replace_section
from fairnad_engine.errors import InputError
from fairnad_engine.search.run_record import RunRecord

ROW = {
    "digest": "d",
    "proposed": 2,
    "rejected": {},
    "edits": {},
    "realised": {},
    "seconds": {},
    "tokens": 0,
    "reference": {"seed_accuracy": 80.0, "max_params": 1000, "max_macs": 1000},
    "start": [0, 500, 500, 80.0, "trained", False],
    "wall_seconds": 3600,
    "engine": "e1",
}


def row(method, seed, accuracy):
    return {**ROW, "method": method, "seed": seed, "models": [[1001, 500, 500, accuracy, "trained", True]]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A plan on one data set and the plan of the attempts, without a run."""
    for name in ("search-plan", "search-attempts"):
        document = json.loads((search.DATA / f"{name}.json").read_text("utf-8"))
        document["subjects"] = {"digits": document["subjects"]["digits"]}
        document |= {"seeds": [1, 2], "trained": 1}
        (tmp_path / f"{name}.json").write_text(json.dumps(document), "utf-8")
    for module in (search, search_table):
        monkeypatch.setattr(module, "DATA", tmp_path)
    monkeypatch.setattr(search, "WORK", tmp_path / "work")
    return tmp_path


def keep(folder, name, rows):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")


def printed(capsys):
    code = search_table.main()
    return code, capsys.readouterr().out


def test_attempts_and_notes_stand_below_the_plan_s_tables(folder, capsys):
    assert "tried where" not in printed(capsys)[1]
    keep(folder, "search-digits", [row(method, 1, 90) for method in ("fairnad", "random")])
    rows = [
        row(method, seed, 90 + up) for method, up in (("fairnad", 0), ("down", 4), ("random", 1)) for seed in (3, 5)
    ]
    keep(folder, "search-attempts-digits", rows)
    (folder / "search-notes.md").write_text("Missed, because so.\n", "utf-8")
    code, text = printed(capsys)
    assert code == 1  # most of the plan's pairs are missing
    tables, rest = text.split("### What was tried where a target is missed")
    tried, notes = rest.split("### Notes")
    assert "| down |" not in tables and "| random |" in tables
    assert json.loads((folder / "search-attempts.json").read_text("utf-8"))["methods"] in tried
    assert "| down | 2 |" in tried and "94.00 ± 0.00" in tried
    assert "| down | fairnad | 2 |" in tried and "| +4.00 \\[+4.00, +4.00\\] |" in tried
    assert "| down | random | 2 |" in tried and "| fairnad | random |" not in tried
    assert notes.strip() == "Missed, because so."


def test_the_section_written_anew_keeps_the_notes_and_what_follows(folder, capsys):
    (folder / "search-notes.md").write_text("Missed, because so.\n", "utf-8")
    document = "# All\n\n## Search\n\nolder\n\n### Notes\n\nolder\n\n## Next\n\nkept\n"
    written = replace_section(document, f"## Search\n\n{printed(capsys)[1].strip()}\n")
    assert "older" not in written
    assert written.count("Missed, because so.") == 1
    assert written.endswith("\n## Next\n\nkept\n")


def test_the_kept_notes_end_no_section():
    lines = search_table.notes_text().splitlines()
    assert lines
    assert not [line for line in lines if line.startswith(("# ", "## "))]


def test_a_row_added_later_is_run_last_marked_and_without_a_target(folder, capsys):
    path = folder / "search-plan.json"
    document = json.loads(path.read_text("utf-8"))
    later = {"down": {"why": "so.", "set": {"search": {"scale_down": 0.5}}}, "llm-no-idea": {"why": "too."}}
    document["subjects"]["digits"]["later"] = later
    path.write_text(json.dumps(document), "utf-8")
    (subject,) = search.subjects("search-plan")
    study = search.study_of(subject)
    assert study.methods == (*subject.methods, "down", "llm-no-idea")
    assert study.cell("down", 1).search.scale_down == 0.5
    assert {(one.seeds_by, one.control) for one in (study.cell(*cell).search for cell in study.cells())} == {
        ("place", "finish")  # as the first runs were made
    }
    assert study.cell("llm-no-idea", 1).search.method == "llm-no-idea"
    keep(folder, "search-digits", [row(method, 1, 90 + up) for method, up in (("fairnad", 0), ("down", 4))])
    text = printed(capsys)[1]
    assert f"2 of {2 * len(study.methods)} runs" in text
    assert "`down` was added after the first runs and is no row of the plan: so." in text
    assert "| down (added later) | 1 |" in text
    assert "| down (added later) | fairnad | 1 |" in text and "| +4.00 \\[" in text
    assert "above down" not in text


def test_an_attempt_s_workspace_is_not_the_plan_s(folder):
    (mine,), (theirs,) = search.subjects("search-plan"), search.subjects("search-attempts")
    assert mine.workspace != theirs.workspace
    assert (mine.rows.name, theirs.rows.name) == ("search-digits.jsonl", "search-attempts-digits.jsonl")


def test_a_run_of_another_kind_of_machine_is_not_paired(tmp_path):
    kept = [RunRecord.from_json(row("fairnad", seed, 90)) for seed in (1, 2)]
    search.check_pairs(kept, RunRecord.from_json(row("random", 1, 95)), tmp_path / "rows.jsonl")
    other = {**row("random", 1, 95), "start": [0, 500, 500, 80.25, "trained", False]}
    with pytest.raises(InputError, match=r"80\.25 % here and 80\.00 % in the row of fairnad.*rows\.jsonl"):
        search.check_pairs(kept, RunRecord.from_json(other), tmp_path / "rows.jsonl")
    search.check_pairs(kept, RunRecord.from_json({**other, "seed": 3}), tmp_path / "rows.jsonl")
