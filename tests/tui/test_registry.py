"""The registry of actions: complete, free of clashes, every key alive and driven, the source of the documentation."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fairnad_screens.actions import SCOPES, actions_of
from fairnad_screens.base import FairScreen
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.keys_doc import render_keys
from fairnad_screens.memory import load_settings
from fairnad_screens.shell import PLACES, Shell
from fairnad_screens.study import StudyScreen
from fairnad_screens.widgets.bars import MAX_FOOTER_KEYS
from tests.conftest import ROOT
from tests.tui.harness import opened

STACKED = {
    "candidate": ("fairnad_screens.candidate", "CandidateScreen"),
    "study": ("fairnad_screens.study", "StudyScreen"),
}
CLASSES = {**PLACES, **STACKED}


def test_the_key_reference_is_generated():
    assert (ROOT / "docs" / "keys.md").read_text() == render_keys(), (
        "run: python -m fairnad_screens.keys_doc > docs/keys.md"
    )


@pytest.mark.parametrize("scope", [s for s in SCOPES if s != "app"])
def test_no_two_actions_of_a_screen_share_a_key(scope):
    taken = {}
    for one in (*actions_of("app"), *actions_of(scope)):
        for key in one.key.split(","):
            assert key not in taken, f"{one.id} and {taken[key]} share {key}"
            taken[key] = one.id


@pytest.mark.parametrize("scope", list(SCOPES))
def test_every_action_is_explained_and_the_footer_fits(scope):
    for one in actions_of(scope):
        assert one.scope == scope
        assert one.help.endswith(".")
        assert one.label
    shared = [a for a in actions_of("app") if a.footer]
    assert len([a for a in actions_of(scope) if a.footer]) + (len(shared) if scope != "app" else 0) <= MAX_FOOTER_KEYS


@pytest.mark.parametrize("scope", list(CLASSES))
def test_every_action_has_its_method(scope):
    module, name = CLASSES[scope]
    screen = getattr(importlib.import_module(module), name)
    for one in actions_of(scope):
        assert callable(getattr(screen, f"do_{one.name}", None)), one.id


def test_every_action_of_the_shell_has_its_method():
    for one in actions_of("app"):
        assert one.name in PLACES or callable(getattr(Shell, f"do_{one.name}", None)), one.id


@pytest.mark.parametrize("scope", list(CLASSES))
async def test_every_key_reaches_its_action(tmp_path, monkeypatch, scope):
    reached = []
    for receiver in (FairScreen, Shell):
        monkeypatch.setattr(receiver, "action_do", lambda self, action_id: reached.append(action_id))
    async with opened(tmp_path / "w.db", "home" if scope in STACKED else scope) as (app, pilot):
        if scope in STACKED:
            app.push_screen(CandidateScreen("run-1", "seed") if scope == "candidate" else StudyScreen())
            await pilot.pause()
        assert scope == app.screen.SCOPE
        for one in (*actions_of(scope), *actions_of("app")):
            for key in one.key.split(","):
                reached.clear()
                await pilot.press(key)
                assert reached == [one.id], key


@cache
def pressed(file: Path) -> set[str]:
    """Every key that the pilot tests of a file press: arguments of ``press``, and what a loop puts into their names."""
    tests = (one for one in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(one, ast.AsyncFunctionDef))
    return {key for test in tests for key in _keys(test)}


def _keys(test: ast.AST) -> Iterator[str]:
    loops = [node for node in ast.walk(test) if isinstance(node, ast.For)]
    assignments = [node for node in ast.walk(test) if isinstance(node, ast.Assign)]
    marks = [node for node in getattr(test, "decorator_list", []) if isinstance(node, ast.Call)]
    for call in ast.walk(test):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "press":
            for argument in call.args:
                # What is starred is a word that is typed letter by letter, or keys in brackets.
                starred = isinstance(argument, ast.Starred)
                yield from (text for text in _texts(argument) if not (starred and _is_word(argument, text)))
                names = _names(argument)
                for loop in loops:
                    if names & _names(loop.target):
                        yield from _texts(loop.iter)
                        for assigned in assignments:
                            if _names(loop.iter) & _names(assigned.targets[0]):
                                yield from _texts(assigned.value)
                for mark in marks:
                    if names & set(",".join(_texts(mark.args[0] if mark.args else mark)).replace(" ", "").split(",")):
                        yield from _texts(mark)


def _texts(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "range":
            yield from map(str, range(*map(ast.literal_eval, one.args)))


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _is_word(starred: ast.Starred, text: str) -> bool:
    return isinstance(starred.value, ast.Constant) and starred.value.value == text


@pytest.mark.parametrize("one", [one for scope in SCOPES for one in actions_of(scope)], ids=lambda one: one.id)
def test_a_pilot_test_drives_every_action_by_its_key(one):
    """Of the app by the tests of home, of a screen by its own."""
    file = Path(__file__).with_name(f"test_{'home' if one.scope == 'app' else one.scope}.py")
    driven = bool(pressed(file) & set(one.key.split(",")))
    assert driven, f"no test in {file.name} presses {one.key}: {one.help}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("theme = 'pink'", "theme"),
        ("[keys]\n'ideas.nothing' = 'y'", "ideas.nothing"),
        ("keys = 3", "[keys]"),
        ("theme = ", "cannot be read"),
    ],
)
def test_bad_settings_are_one_line(tmp_path, monkeypatch, text, says):
    from fairnad_engine.errors import InputError

    path = tmp_path / "config.toml"
    path.write_text(text)
    monkeypatch.setenv("FAIRNAD_CONFIG", str(path))
    with pytest.raises(InputError, match=says.replace("[", r"\[")) as error:
        load_settings()
    assert str(path) in str(error.value)


def test_a_key_of_the_user_s_own(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text("theme = 'ansi-dark'\n[keys]\n'app.help' = 'f1'\n")
    monkeypatch.setenv("FAIRNAD_CONFIG", str(path))
    settings = load_settings()
    assert settings.theme == "ansi-dark"
    assert settings.keys == {"app.help": "f1"}
