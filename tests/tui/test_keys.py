"""Keys of the user's own: checked when they are read, and named wherever the screens name a key."""

import ast
import re

import pytest

from fairnad_engine.errors import InputError
from fairnad_screens.actions import actions_of, key_of, use_keys
from fairnad_screens.memory import UserSettings, load_settings
from tests.conftest import ROOT
from tests.tui.harness import messages, opened, shown, wait_for

OWN = {
    "app.launch": "f4",
    "app.papers": "f5",
    "papers.add": "f6",
    "ideas.new": "f7",
    "ideas.filter": "f8",
    "template.new": "f9",
    "search.pane-4": "f10",
    "launch.model": "f11",
}


@pytest.fixture(autouse=True)
def forget():
    yield
    use_keys({})


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("home", "f4 opens the form"),
        ("papers", "f6 adds a file or a folder"),
        ("template", "f9 adds one"),
        ("ideas", "f5 goes to the papers"),
        ("ideas", "f7 writes one of your own."),
        ("ideas", " f8 filters: "),
        ("launch", "f5 opens the papers"),
        ("launch", "f11 lists what is there"),
        ("search", "f4 launches one"),
        ("runs", "f4 opens the form"),
    ],
)
async def test_hints_and_bars_name_the_users_own_keys(tmp_path, place, named):
    async with opened(tmp_path / "w.db", place, settings=UserSettings(keys=OWN)) as (app, _):
        await wait_for(lambda: named in " ".join(shown(app).split()) or named in shown(app), named)
        assert " f4 Launch " in shown(app)


async def test_reasons_and_help_name_the_users_own_keys(tmp_path):
    async with opened(tmp_path / "w.db", "runs", settings=UserSettings(keys=OWN)) as (app, pilot):
        await wait_for(lambda: "No run yet" in shown(app))
        await pilot.press("c")
        assert messages(app)[-1] == "There is no run yet; f4 opens the form that launches one."
        await pilot.press("f5", "question_mark")
        await wait_for(lambda: "On this screen" in shown(app))
        assert re.search(r"f6  Add a file", shown(app))


@pytest.fixture
def config(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("FAIRNAD_CONFIG", str(path))
    return path


def test_a_key_may_be_written_as_its_character_and_be_several(config):
    config.write_text("[keys]\n'app.help' = '?,f1'\n'ideas.approve' = '+'\n")
    assert load_settings().keys == {"app.help": "question_mark,f1", "ideas.approve": "plus"}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("'ideas.approve' = 'y'", "ideas.approve and ideas.copy are both on y"),
        ("'ideas.approve' = 'H'", "app.home and ideas.approve are both on H"),
        ("'ideas.approve' = ''", "is no key"),
    ],
)
def test_keys_that_cannot_be_are_one_line(config, keys, says):
    config.write_text(f"[keys]\n{keys}\n")
    with pytest.raises(InputError, match=re.escape(says)):
        load_settings()


def test_two_actions_may_change_keys(config):
    config.write_text("[keys]\n'ideas.approve' = 'y'\n'ideas.copy' = 'a'\n")
    use_keys(load_settings().keys)
    assert (key_of("ideas.approve"), key_of("ideas.copy")) == ("y", "a")


VERBS = (
    "adds|approves|begins|changes|chooses|clears|compares|decides|edits|exports|follows|gives|goes|launches|leaves|lets|"
    "lists|marks|opens|offers|pauses|reads|resumes|retrains|scrolls?|shows|starts|stops|structures|undoes|unfolds|writes"
)
NAMED = re.compile(rf"(?:^|[ (])(?:[A-Za-z/.*\[\]]|Esc|Space|Tab|Enter|Ctrl\+.) (?:{VERBS})\b|\b(?:press|with) [A-Z]\b")
# In a field Enter and Esc are its own; these are no keys.
OTHERS = ("Enter takes it, Esc restores", "Enter goes on to the definition")


def test_no_text_of_the_screens_has_a_key_written_into_it():
    found = []
    for path in (ROOT / "screens").rglob("*.py"):
        tree = ast.parse(path.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                text = node.value
                if "actions" not in path.parts and NAMED.search(text) and not any(one in text for one in OTHERS):
                    found.append(f"{path.name}: {text}")
    assert not found


async def test_help_lists_moving_keys_and_wraps_beside_the_keys(tmp_path):
    async with opened(tmp_path / "w.db", "ideas") as (app, pilot):
        await pilot.press("question_mark")
        await wait_for(lambda: "On this screen" in shown(app))
        lines = [line.strip(" │") for line in shown(app).splitlines()]
        here = next(i for i, line in enumerate(lines) if line.startswith("/  Filter as you type"))
        assert lines[here + 1] and not lines[here + 1].startswith("words")
        column = shown(app).splitlines()[here].index("Filter as")
        assert shown(app).splitlines()[here + 1][:column].strip(" │") == ""
        await pilot.press("G")
        await pilot.pause()
        assert "Change to the next theme" in shown(app)
        await pilot.press("g")
        for _ in range(6):
            if "j ↓ down" in shown(app):
                break
            await pilot.press("pagedown")
            await pilot.pause()
        await wait_for(lambda: "j ↓ down" in shown(app), "the moving keys")
    assert any(one.hidden for one in actions_of("ideas"))


async def test_the_palette_names_the_keys(tmp_path):
    async with opened(tmp_path / "w.db", "ideas", settings=UserSettings(keys=OWN)) as (app, pilot):
        await pilot.press("ctrl+p", *"new idea")
        await wait_for(lambda: "f7: Add an idea of your own" in shown(app))


async def test_a_search_that_begins_as_the_palette_closes_ends_with_it(tmp_path):
    async with opened(tmp_path / "w.db") as (app, pilot):
        await pilot.press("ctrl+p")
        palette = app.screen
        await pilot.press("escape")
        await wait_for(lambda: not palette.is_attached)
        await palette._gather_commands("x").wait()
        await pilot.press("T")
        assert app._exception is None
