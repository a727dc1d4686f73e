"""The terminal application as its user meets it: in a real terminal, by keys alone, from an empty folder."""

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from e2e.tmux_terminal import Terminal, tmux_problem
from tui.idea_library import fill

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.store import Store
from fairnad_engine.workspace import end_worker
from tests.conftest import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("terminal"),
    pytest.mark.skipif(bool(tmux_problem()), reason=tmux_problem()),
]

BUDGET = 200  # far more than is trained while the test looks on: the search must still run when it comes back
SETTINGS = f"""
name = "by keys"
[model]
llm = "rules"
[data]
dataset = "digits"
protocol = "smoke"
[budget]
trained = {BUDGET}
max_params = 60_000
max_macs = 3_000_000
[search]
seed = 11
seed_backbone = "digits-small"
stages = [1, 1, 0]
[machine]
workers = 1
"""


@pytest.fixture
def open_terminal(tmp_path):
    """Open terminals in one empty folder, where the program is installed; no process of it outlives the test."""
    installed = Path(sys.executable).parent
    assert (installed / "fairnad-tui").exists(), f"the program is not installed in {installed}"
    variables = environment(
        HOME=str(tmp_path),
        PATH=f"{installed}{os.pathsep}{os.environ['PATH']}",
        LC_ALL="C.UTF-8",
        FAIRNAD_CONFIG=str(tmp_path / "config.toml"),
        COLUMNS="80",  # as some shells export them; they are no longer true once a window is resized
        LINES="24",
    )
    opened = []

    def open_one(size=(80, 24), term="screen-256color"):
        opened.append(Terminal(tmp_path, variables, size=size, term=term))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
    if (tmp_path / "fairnad.db").exists():
        with Store(tmp_path / "fairnad.db") as store:
            for job in store.jobs.all():
                end_worker(store, job)


def session_of(pid):
    """The processes that a detached worker and its children are."""
    found = []
    for one in psutil.pids():
        with suppress(ProcessLookupError):  # it ended while the others were looked at
            if os.getsid(one) == pid:
                found.append(one)
    return found


def trained_in(screen):
    """The count of trained models that the desk shows."""
    return int(found[1]) if (found := re.search(rf"(\d+)/{BUDGET}", screen)) else -1


def best_of(store):
    """The best accuracy so far, as it is shown."""
    return max(round(one.accuracy, 2) for one in store.runs.candidates("run-1") if one.accuracy is not None)


def add_and_structure_papers(terminal, store):
    terminal.keys("P")
    terminal.wait_for("No papers yet. a adds")
    terminal.keys("a")
    terminal.wait_for("Add papers", "samples stands for the")
    terminal.line("samples")
    terminal.wait_for("20 papers added. s structures them.")
    terminal.keys("M")
    terminal.wait_for("Which model reads papers?", "rules   (built in")
    terminal.line("rules")
    terminal.wait_for("Papers are read by rules.")
    terminal.keys("s")
    terminal.wait_for("job-1 done: 20 papers structured", "20 kept, 0 left out")
    assert store.papers.count() == 20
    ideas = store.ideas.all()
    assert {idea.status for idea in ideas} == {"proposed"}
    assert store.jobs.get("job-1").state == "done"
    return len(ideas)


def decide_about_ideas(terminal, store, ideas):
    terminal.keys("I")
    terminal.wait_for(f"0 of {ideas} decided")
    terminal.keys("a", "r", "a")
    terminal.wait_for(f"3 of {ideas} decided")
    terminal.wait_until(lambda _: store.ideas.counts()["approved"] == 2, "two approvals in the store")
    assert store.ideas.counts()["rejected"] == 1
    terminal.keys("Tab")  # what is still proposed
    terminal.wait_for("status:proposed", f"{ideas - 3} of {ideas}")
    terminal.keys("*")
    terminal.wait_for(f"{ideas - 3} marked")
    terminal.keys("a")
    terminal.wait_for(f"Approve {ideas - 3} ideas?")
    terminal.keys("y")
    terminal.wait_for(f"{ideas} of {ideas} decided")
    terminal.wait_until(lambda _: store.ideas.counts()["approved"] == ideas - 1, "all approvals in the store")
    assert {idea.decided_by for idea in store.ideas.all()} == {"person"}


def launch(terminal, store):
    terminal.keys("L")
    terminal.wait_for("Settings: proposed", "What is missing")
    terminal.keys("e")
    terminal.wait_for("Take the settings of which TOML file?")
    terminal.line("settings.toml")
    terminal.wait_for("Settings: settings.toml", "by keys", gone="settings.toml, changed")
    terminal.keys("C-r")
    terminal.wait_for("run-1 by keys", "● running")
    run = store.runs.get("run-1")
    assert run.config["budget"]["trained"] == BUDGET
    assert run.config["search"]["stages"] == [1, 1, 0]


def watch_a_generation_end(terminal, store):
    def second(screen):
        found = re.search(r"Generation (\d+)", screen)
        return found and int(found[1]) >= 2

    terminal.wait_until(second, "the second generation", seconds=150)
    assert store.runs.generations("run-1")[0].state == "done"


def focused_pane(screen):
    """The number of the pane with the heavy frame."""
    return found[1] if (found := re.search(r"━(\d) ", screen)) else ""


def focus_front(terminal):
    while (pane := focused_pane(terminal.wait_until(focused_pane, "a pane with the focus"))) != "3":
        terminal.keys("Tab")
        terminal.wait_until(lambda screen, left=pane: focused_pane(screen) not in ("", left), "the next pane")


def open_and_export_the_best(terminal, store):
    focus_front(terminal)  # the cursor is on its best
    best = best_of(store)
    terminal.wait_for(f"{best:.2f} %")  # the desk lags behind the store
    terminal.keys("Enter")
    screen = terminal.wait_for("Candidate", "1 Source", "✓ trained", "% val", "from torch import nn")
    shown = re.search(r"^ (\S+) +✓ trained", screen, re.MULTILINE)[1]
    assert store.runs.candidate("run-1", shown).accuracy >= best - 0.005
    assert f"{store.runs.candidate('run-1', shown).accuracy:.2f} % val" in screen
    terminal.keys("x")
    terminal.wait_for(f"Export {shown} into which folder?", "fairnad-exports/run-1")
    terminal.keys("Enter")
    terminal.wait_for("Exported to")
    terminal.keys("q")
    terminal.wait_for("run-1 by keys", "━3 Pareto front")
    return f"fairnad-exports/run-1/{shown}"


def leave_and_come_back(terminal, store):
    job = store.jobs.of_run("run-1")
    worker = store.jobs.holder(job.id)[0]
    terminal.keys("C-q")
    assert terminal.ended() == 0
    assert worker.is_alive()
    assert store.jobs.living_state(store.jobs.get(job.id)) == "running"
    left_at = store.runs.progress("run-1").trained
    assert left_at < BUDGET
    terminal.wait_until(lambda _: store.runs.progress("run-1").trained > left_at, "a model trained while nobody looks")
    terminal.start("fairnad-tui")
    screen = terminal.wait_for("run-1 by keys", "● running", "Trained ", f"/{BUDGET}")  # the same screen, live
    found_at = trained_in(screen)
    assert found_at > left_at
    terminal.wait_until(lambda screen: trained_in(screen) > found_at, "another trained model on the screen")
    assert store.jobs.holder(job.id)[0] == worker
    return worker


def resize(terminal):
    terminal.resize(120, 40)
    terminal.wait_for("2 Idea sampling", "4 Hypervolume", "● running")
    terminal.resize(80, 24)
    screen = terminal.wait_for("━3 Pareto front", "● running", gone="4 Hypervolume")
    assert max(map(len, screen.splitlines())) <= 80


def stop(terminal, store, worker):
    terminal.keys("s")
    terminal.wait_for("Stop run-1 and what it has in flight?")
    terminal.keys("y")
    terminal.wait_for("run-1 by keys", "stopped", gone="● running")
    job = store.jobs.of_run("run-1")
    assert job.state == "stopped"
    terminal.wait_until(lambda _: not session_of(worker.pid), "the end of the worker and its children")
    assert not store.jobs.is_held(job.id)
    assert 0 < store.runs.progress("run-1").trained < BUDGET
    terminal.keys("C-q")
    assert terminal.ended() == 0


def test_from_an_empty_folder_to_a_stopped_search_by_keys_alone(open_terminal, fairnad, tmp_path):
    terminal = open_terminal()
    (tmp_path / "settings.toml").write_text(SETTINGS)
    terminal.start("fairnad-tui")
    terminal.wait_for("none yet", "Next  Add papers")
    with Store(tmp_path / "fairnad.db") as store:
        ideas = add_and_structure_papers(terminal, store)
        decide_about_ideas(terminal, store, ideas)
        launch(terminal, store)
        watch_a_generation_end(terminal, store)
        export = open_and_export_the_best(terminal, store)
        worker = leave_and_come_back(terminal, store)
        resize(terminal)
        stop(terminal, store, worker)
    scored = fairnad("evaluate", export, "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["equal"]


TERMINALS = pytest.mark.parametrize(
    ("size", "term"), [((80, 24), "screen-256color"), ((120, 40), "xterm-256color")], ids=["small", "large"]
)


def at_the_ideas(terminal):
    terminal.start("fairnad-tui")
    terminal.wait_for("Decide about 9 proposed ideas")
    terminal.keys("I")
    terminal.wait_for("0 of 9 decided", "▸ ○P act.hard")


# It needs the terminal as any editor does: it shows a text, and takes a line that is typed.
EDITOR = """#!/bin/sh
printf 'this is the editor of '; head -n 1 "$1"
read -r line
case "$line" in fail) exit 3 ;; esac
printf '%s\\n' "$line" > "$1"
"""


@TERMINALS
def test_an_idea_is_edited_in_the_users_editor(open_terminal, tmp_path, size, term):
    terminal = open_terminal(size, term)
    place = fill(tmp_path / "fairnad.db")
    write_atomically(tmp_path / "editor", EDITOR.encode())
    (tmp_path / "editor").chmod(0o755)
    terminal.line("unset VISUAL; export EDITOR=./editor")
    at_the_ideas(terminal)
    terminal.keys("E")
    terminal.wait_for("this is the editor of Instruction number 0.", gone="decided")
    terminal.line("aaa Use a hard swish.")  # the first three would approve three ideas, had the editor no keyboard
    terminal.wait_for("0 of 9 decided", "edited: aaa Use a hard swish.")
    terminal.keys("E")
    terminal.wait_for("this is the editor of aaa Use a hard swish.", gone="decided")
    terminal.line("fail")
    terminal.wait_for("0 of 9 decided", "ended with 3; nothing", "was changed")
    terminal.keys("r")
    terminal.wait_for("1 of 9 decided")
    with Store(place) as store:
        terminal.wait_until(lambda _: store.ideas.counts()["rejected"] == 1, "the rejection in the store")
        rejected = store.ideas.all("rejected")
    assert [idea.instruction for idea in rejected] == ["aaa Use a hard swish."]


@TERMINALS
def test_an_idea_is_copied_to_the_terminals_clipboard_and_to_a_file(open_terminal, tmp_path, size, term):
    terminal = open_terminal(size, term)
    fill(tmp_path / "fairnad.db")
    at_the_ideas(terminal)
    assert terminal.clipboard() == ""
    terminal.keys("y")
    terminal.wait_for("Copied the idea")
    terminal.wait_until(lambda _: terminal.clipboard(), "the clipboard")
    assert terminal.clipboard().startswith("Instruction number 0.\n")
    assert "Quote number 0 of it." in terminal.clipboard()
    assert (tmp_path / "fairnad-copied.txt").read_text("utf-8").strip() == terminal.clipboard().strip()
    terminal.keys("*", "y")
    terminal.wait_for("Copied 9 ideas")
    terminal.wait_until(lambda _: "number 8" in terminal.clipboard(), "nine ideas in the clipboard")
    # Escape sequences and invisible characters of a paper reach neither the terminal nor its clipboard as such.
    assert not set("\x00\x07\x1b\u202e\u200b") & set(terminal.clipboard())


def test_after_a_lost_connection_one_is_where_one_was(open_terminal, tmp_path):
    fill(tmp_path / "fairnad.db")
    terminal = open_terminal()
    at_the_ideas(terminal)
    terminal.line("/cat:conv.depthwise")
    terminal.wait_for("3 of 9", "▸ ○P conv.depthwise", "0 of 9 decided")
    terminal.keys("G")
    terminal.wait_until(lambda screen: on_the_last(screen), "the cursor on the last idea")
    terminal.close()
    again = open_terminal((100, 30))
    again.start("fairnad-tui")
    again.wait_until(lambda screen: "3 of 9" in screen and on_the_last(screen), "the cursor where it was")


def on_the_last(screen):
    return re.search("▸ ○P conv.depthwise +Instruction number 5", screen)
