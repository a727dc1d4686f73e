"""Which layers are live, what is refused without them, and that an old kernel's Landlock is enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from attack import Attack, verdict
from attacks_outside import FILES, NETWORK
from conftest import HERE, Guard

from fairnad_engine.backbone.jail import Jail, landlock, places, probe, zygote_process
from fairnad_engine.errors import JailError

OLDER = "import fairnad_engine.backbone.jail.landlock as landlock; landlock.abi = lambda: {}\n"
NO_SECCOMP = (
    "import fairnad_engine.backbone.jail.seccomp as seccomp\n"
    "def install(process): raise OSError(38, 'no seccomp')\n"
    "seccomp.install = install\n"
)


def _patch_zygote(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    path, run = zygote_process._LAUNCH.split("\n")
    monkeypatch.setattr(zygote_process, "_LAUNCH", f"{path}\n{code}{run}")


def _jail(accept_weak: bool) -> Jail:
    return Jail(accept_weak=accept_weak, tasks_module="hostile_tasks", extra_folders=[HERE], preload=())


def test_every_required_layer_is_live_here() -> None:
    layers = probe.probe()
    assert {layer.name for layer in layers if layer.required} == {
        "files", "network", "other programs", "memory limit", "processor limit", "file size limit", "deadline"
    }  # fmt: skip
    depends_on_system = {"TCP, second lock", "signals, second lock", "own namespaces"}
    assert [layer for layer in layers if not layer.live and layer.name not in depends_on_system] == []


@pytest.mark.parametrize(("version", "bits"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (7, 16)])
def test_rights_of_each_landlock_abi(version: int, bits: int) -> None:
    files, tcp, scopes = landlock.handled(version)
    assert files == (1 << bits) - 1
    assert (tcp != 0) == (version >= 4)
    assert (scopes != 0) == (version >= 6)


@pytest.mark.parametrize("version", [1, 2, 3, 5])
def test_files_are_safe_with_an_older_landlock(version: int, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    _patch_zygote(monkeypatch, OLDER.format(version))
    with _jail(accept_weak=False) as jail:
        for attack in FILES:
            assert verdict(attack, _send(jail, attack, guard)) == "", attack.name
    assert guard.untouched()


def _send(jail: Jail, attack: Attack, guard: Guard):
    return jail.run("snippet", {"source": attack.source, "guard": str(guard.folder), "secret": str(guard.secret)})


@pytest.mark.parametrize(
    ("code", "missing", "attack"),
    [(OLDER.format(0), {"files"}, FILES[0]), (NO_SECCOMP, {"network", "other programs"}, NETWORK[0])],
    ids=["no Landlock", "no seccomp"],
)
@pytest.mark.fault("jail-layer")
def test_a_missing_layer_is_found_named_and_refused(
    code: str, missing: set[str], attack: Attack, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _patch_zygote(monkeypatch, code)
    found = probe.probe.__wrapped__()
    assert missing <= {layer.name for layer in found if layer.required and not layer.live}
    with _jail(accept_weak=False) as jail, pytest.raises(JailError, match="could not be entered"):
        jail.run("ping", {})
    with _jail(accept_weak=True) as jail:
        assert jail.run("ping", {"value": 3}).data["pong"] == 3
        assert "reached" in verdict(attack, _send(jail, attack, guard)), "the attack is stopped by nothing tested here"
    monkeypatch.setattr(probe, "probe", lambda: found)
    with pytest.raises(JailError) as caught:
        probe.ensure_minimum(False)
    assert "--accept-weak-jail" in str(caught.value)
    assert all(name in str(caught.value) for name in missing)
    assert "\n" not in str(caught.value)
    with pytest.raises(JailError, match="lacks"), _jail(accept_weak=False):
        pass
    probe.ensure_minimum(True)


def test_nothing_readable_lies_above_the_workspace_or_home() -> None:
    for path in places.readable():
        assert not Path.home().is_relative_to(path)
        assert not HERE.is_relative_to(path)
        assert not Path.cwd().is_relative_to(path)
