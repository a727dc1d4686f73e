"""The registry of actions: complete, free of clashes, and the source of the documentation."""

import importlib

import pytest

from fairnad_screens.actions import SCOPES, actions_of
from fairnad_screens.keys_doc import render_keys
from fairnad_screens.memory import load_settings
from fairnad_screens.shell import PLACES, Shell
from fairnad_screens.widgets.bars import MAX_FOOTER_KEYS
from tests.conftest import ROOT

CLASSES = {**PLACES, "candidate": ("fairnad_screens.candidate", "CandidateScreen")}


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
