"""What doctor says about log-out, with a bus that answers as logind's does."""

import getpass

import pytest

from fairnad_engine.logging_out import after_logout


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """Put a ``busctl`` first in the path that says what it is told to."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")

    def says(script):
        program = tmp_path / "busctl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return says


def test_a_machine_without_logind_ends_nothing(bus, tmp_path):
    assert after_logout(tmp_path).survives
    bus("echo 'Failed to get property: no such service' >&2; exit 1")
    assert after_logout(tmp_path).survives and "no logind" in after_logout(tmp_path).told


ASKED = '[ "$1 $5" = "get-property KillUserProcesses" ] || exit 1; echo "b %s"'


def test_a_machine_that_leaves_processes_alone(bus, tmp_path):
    bus(ASKED % "false")
    assert after_logout(tmp_path).survives and "=no" in after_logout(tmp_path).told


def test_one_that_ends_them_says_what_to_do_until_the_user_lingers(bus, tmp_path):
    bus(ASKED % "true")
    found = after_logout(tmp_path)
    assert not found.survives
    assert "loginctl enable-linger" in found.told and "systemd-run --user --scope" in found.told
    (tmp_path / "ada").touch()
    lingering = after_logout(tmp_path)
    assert "ada lingers" in lingering.told and "systemd-run --user --scope" in lingering.told
    assert not lingering.survives and "enable-linger" not in lingering.told


def test_root_is_spared(bus, tmp_path, monkeypatch):
    bus(ASKED % "true")
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert after_logout(tmp_path).survives
