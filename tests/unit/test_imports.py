"""Imports point one way, and start-up pays for nothing it does not need."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, environment

HEAVY = (
    "torch",
    "torchvision",
    "pymoo",
    "textual",
    "ollama",
    "pydantic",
    "sklearn",
    "scipy",
    "numpy",
    "rich",
    "sqlite_utils",
    "ray",
)


def loaded_after(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_help_imports_nothing_heavy():
    statement = "from fairnad_tui.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert not loaded_after(statement) & set(HEAVY)


@pytest.mark.parametrize("command", ["papers", "status", "ideas", "template"])
def test_commands_of_the_library_import_no_torch(command):
    statement = (
        f"from fairnad_tui.cli import main\ntry:\n    main(['{command}', '--help'])\nexcept SystemExit:\n    pass"
    )
    assert not loaded_after(statement) & {"torch", "pymoo", "textual", "ollama", "sklearn"}


def test_the_store_imports_no_torch():
    assert not loaded_after("import fairnad_engine.store, fairnad_engine.workspace") & {"torch", "pymoo", "textual"}


def test_nobody_pays_for_a_cluster_who_has_none():
    modules = "worker, training_jobs, preflight, training.executor, training.ray_cluster, training.ray_executor"
    names = ", ".join(f"fairnad_engine.{one}" for one in modules.split(", "))
    loaded = loaded_after(f"import {names}\nimport fairnad_tui.commands.runs, fairnad_tui.commands.study")
    assert "fairnad_engine" in loaded
    assert "ray" not in loaded


def test_the_trainer_never_loads_jail_store_or_models():
    code = (
        "import sys\nimport fairnad_engine.training.process, fairnad_engine.training.trainer\n"
        "import fairnad_engine.backbone.rebuild\n"
        "bad = [m for m in sys.modules if m.startswith(('fairnad_engine.store', 'fairnad_engine.llm', "
        "'fairnad_engine.backbone.jail', 'fairnad_engine.backbone.export'))]\nprint(bad)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_import_contracts_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_nothing_outside_the_jail_executes_a_candidate_s_source():
    """``exec`` stands in the jail's child, in the rebuild of text made from integers, and in a file for exports."""
    hits = [
        str(path.relative_to(ROOT))
        for folder in ("engine", "screens", "fairnad_tui")
        for path in (ROOT / folder).rglob("*.py")
        if " exec(" in path.read_text() and "backbone/jail/" not in str(path)
    ]
    carried = "engine/fairnad_engine/report/feature_backbone.py"
    own = ["engine/fairnad_engine/backbone/export.py", "engine/fairnad_engine/backbone/rebuild.py"]
    assert sorted(hits) == [*own, carried]
    # The last one is copied into exports as text, for whoever uses them; nothing here may import it.
    sources = [path for folder in ("engine", "screens", "fairnad_tui") for path in (ROOT / folder).rglob("*.py")]
    assert not [path for path in sources if re.search(r"(import|from) \S*feature_backbone", path.read_text())]


def test_nothing_is_unpickled_but_imagenet16_by_an_unpickler_that_knows_only_arrays():
    users = set()
    for path in (path for folder in ("engine", "screens", "fairnad_tui") for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text()
        assert not re.search(r"pickle\.loads?\(|torch\.load\(|allow_pickle=True|joblib\.load", text), path
        if "Unpickler" in text:
            users.add(path.name)
    assert users == {"imagenet16.py"}
