"""Bad input: one line that names the place and the remedy, a non-zero exit, and nothing lost."""

import hashlib
import os
import sqlite3

import pytest

from fairnad_engine.store import Store

GOOD_IDEA = '{"sub": "conv.depthwise", "instruction": "Use depthwise convolutions."}\n'
CONFIG = '[model]\nllm = "rules"\n[search]\nseed_backbone = "digits-small"\n'


def _older(folder):
    (folder / "newer.db").unlink(missing_ok=True)
    with Store(folder / "newer.db") as store:
        store._db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('fairnad', 'm999_future', 'x')"
        )


def _write(name, content):
    def make(folder):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def _locked_folder(folder):
    (folder / "file").write_text("not a folder")


def _other_sqlite(folder):
    connection = sqlite3.connect(folder / "other.db")
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()


# what is made first, the command, the exit code, and what the line says
TABLE = [
    ("missing paper", None, ["papers", "add", "nowhere.md"], 2, "nowhere.md"),
    ("empty paper", _write("empty.md", ""), ["papers", "add", "empty.md"], 2, "empty.md"),
    ("blank paper", _write("blank.txt", " \n\t\n"), ["papers", "add", "blank.txt"], 2, "blank.txt"),
    ("binary paper", _write("image.md", b"\x89PNG\r\n\x00\x00\x01"), ["papers", "add", "image.md"], 2, "image.md"),
    ("unknown kind of paper", _write("paper.docx", b"PK"), ["papers", "add", "paper.docx"], 2, "paper.docx"),
    ("broken line", _write("p.jsonl", '{"title": "A", \n'), ["papers", "add", "p.jsonl"], 2, "p.jsonl"),
    ("paper without title", _write("p.jsonl", '{"abstract": "A net."}\n'), ["papers", "add", "p.jsonl"], 2, "title"),
    ("idea file missing", None, ["ideas", "import", "none.jsonl"], 2, "none.jsonl"),
    ("idea file of another kind", _write("i.txt", "x"), ["ideas", "import", "i.txt"], 2, ".jsonl or .csv"),
    ("idea file not UTF-8", _write("i.jsonl", b"\xff\xfe\x00"), ["ideas", "import", "i.jsonl"], 2, "UTF-8"),
    ("idea line broken", _write("i.jsonl", "{\n"), ["ideas", "import", "i.jsonl"], 2, "i.jsonl:1"),
    (
        "idea of no category",
        _write("i.jsonl", '{"sub": "x.y", "instruction": "a"}'),
        ["ideas", "import", "i.jsonl"],
        2,
        "x.y",
    ),
    (
        "idea without text",
        _write("i.jsonl", '{"sub": "conv.depthwise"}'),
        ["ideas", "import", "i.jsonl"],
        2,
        "instruction",
    ),
    (
        "idea too long",
        _write("i.jsonl", GOOD_IDEA.replace("Use", "Use " * 300)),
        ["ideas", "import", "i.jsonl"],
        2,
        "at most",
    ),
    ("idea CSV without header", _write("i.csv", "1,2,3\n"), ["ideas", "import", "i.csv"], 2, "header"),
    ("empty own idea", None, ["ideas", "add", "--sub", "conv.depthwise", "  "], 2, "empty"),
    ("own idea of no category", None, ["ideas", "add", "--sub", "nope", "Use it."], 2, "nope"),
    ("unknown idea", None, ["ideas", "approve", "ffffffffffff"], 2, "ffffffffffff"),
    ("no ideas named", None, ["ideas", "approve"], 2, "--all"),
    ("edit of nothing", None, ["ideas", "edit", "abc"], 2, "nothing to change"),
    ("ideas of no category", None, ["ideas", "list", "--category", "convv"], 2, "convv"),
    ("approval of no category", None, ["ideas", "approve", "--all", "--category", "convv"], 2, "convv"),
    ("export over a file", _write("kept.csv", "keep me"), ["ideas", "export", "kept.csv"], 2, "--force"),
    ("backup over a file", _write("kept.md", "keep me"), ["backup", "kept.md", "--force"], 2, "no fairnad workspace"),
    ("restore of no backup", _write("kept.md", "keep me"), ["restore", "kept.md"], 2, "no fairnad workspace"),
    ("ideas over a folder", lambda here: (here / "d.csv").mkdir(), ["ideas", "export", "d.csv"], 2, "d.csv: is there"),
    (
        "template over a folder",
        lambda here: (here / "d.yaml").mkdir(),
        ["template", "export", "d.yaml", "--force"],
        4,
        "fairnad-tui: d.yaml: Is a directory",
    ),
    ("calls of no run", None, ["llm", "calls", "--run", "nope"], 2, "nope"),
    ("export to another kind", None, ["ideas", "export", "out.xlsx"], 2, "out.xlsx"),
    ("config missing", None, ["--no-ui", "--config", "none.toml"], 2, "none.toml"),
    ("config not TOML", _write("c.toml", "a = = 1"), ["--no-ui", "--config", "c.toml"], 2, "c.toml"),
    (
        "config with unknown setting",
        _write("c.toml", "[budget]\ntraned = 4\n"),
        ["--no-ui", "--config", "c.toml"],
        2,
        "budget.traned",
    ),
    (
        "config with a wrong value",
        _write("c.toml", "[budget]\ntrained = -4\n"),
        ["--no-ui", "--config", "c.toml"],
        2,
        "budget.trained",
    ),
    ("config not UTF-8", _write("c.toml", b"name = '\xff'"), ["--no-ui", "--config", "c.toml"], 2, "UTF-8"),
    (
        "config without slots",
        _write("c.toml", "[search]\nstages = [0, 0, 0]\n"),
        ["--no-ui", "--config", "c.toml"],
        2,
        "slots",
    ),
    ("no-ui without settings", None, ["--no-ui"], 2, "--demo"),
    ("demo with the screens", None, ["--demo"], 2, "--no-ui"),
    (
        "data set unknown",
        _write("c.toml", CONFIG + '[data]\ndataset = "mnist"\n'),
        ["run", "--config", "c.toml"],
        2,
        "mnist",
    ),
    (
        "protocol unknown",
        _write("c.toml", CONFIG + '[data]\nprotocol = "fast"\n'),
        ["run", "--config", "c.toml"],
        2,
        "fast",
    ),
    (
        "seed backbone unknown",
        _write("c.toml", CONFIG.replace("digits-small", "vgg")),
        ["run", "--config", "c.toml"],
        2,
        "vgg",
    ),
    (
        "seed backbone file missing",
        _write("c.toml", CONFIG.replace("digits-small", "my.py")),
        ["run", "--config", "c.toml"],
        2,
        "my.py",
    ),
    ("no approved ideas", _write("c.toml", CONFIG), ["run", "--config", "c.toml"], 2, "ideas approve"),
    ("a take-over of no run", None, ["run", "--take-over"], 2, "--resume RUN"),
    ("model of no form", None, ["structure", "--llm", "gpt"], 2, "ollama:MODEL"),
    ("model not there", None, ["structure", "--llm", "ollama:m@http://127.0.0.1:9"], 3, "127.0.0.1:9"),
    ("run unknown", None, ["report", "run-9"], 2, "run-9"),
    ("no run yet", None, ["attach"], 2, "no run yet"),
    ("finish before a run", None, ["finish"], 2, "no run yet"),
    ("workspace missing", None, ["status", "--db", "gone.db"], 2, "gone.db"),
    ("workspace is text", _write("text.db", "hello" * 500), ["status", "--db", "text.db"], 4, "text.db"),
    ("workspace of another program", _other_sqlite, ["status", "--db", "other.db"], 4, "no fairnad workspace"),
    ("workspace of a newer version", _older, ["status", "--db", "newer.db"], 4, "newer"),
    ("workspace below a file", _locked_folder, ["papers", "add", "samples", "--db", "file/x.db"], 4, "file"),
    ("export folder missing", None, ["evaluate", "nofolder"], 2, "nofolder"),
    ("template missing", None, ["template", "check", "none.yaml"], 2, "none.yaml"),
    ("template broken", _write("t.yaml", "a: [1\n"), ["template", "check", "t.yaml"], 2, "t.yaml"),
    ("unknown command", None, ["serch"], 2, "serch"),
    ("unknown option", None, ["status", "--jsn"], 2, "--jsn"),
    ("seed not a number", None, ["--no-ui", "--demo", "--seed", "x"], 2, "--seed"),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A workspace with something in it, to be found whole afterwards."""
    folder = tmp_path_factory.mktemp("bad-input")
    from fairnad_engine.workspace import template_of

    with Store(folder / "fairnad.db") as store:
        template, _ = template_of(store)
        store.ideas.add_own(template, "conv.depthwise", "mine", "Use depthwise convolutions.", status="imported")
    return folder


def _content(path):
    """Every row of the workspace, as one hash."""
    connection = sqlite3.connect(path)
    text = "\n".join(connection.iterdump())
    connection.close()
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("make", "arguments", "code", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_bad_input_is_one_line(filled, make, arguments, code, says, capsys, monkeypatch):
    monkeypatch.chdir(filled)
    monkeypatch.delenv("FAIRNAD_DB", raising=False)
    if make:
        make(filled)
    before = _content(filled / "fairnad.db")
    from fairnad_tui.cli import main

    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert ended.value.code == code, captured.err
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("fairnad-tui: ")
    assert says in lines[0]
    assert "Traceback" not in captured.err
    assert _content(filled / "fairnad.db") == before


def test_the_rest_of_a_batch_goes_on(fairnad, tmp_path):
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "a.md").write_text("# A good paper\n\n## Abstract\n\nWe propose a convolution block.\n")
    (tmp_path / "batch" / "b.md").write_bytes(b"\x00\x01")
    (tmp_path / "batch" / "c.md").write_text("# Another good paper\n\n## Abstract\n\nWe propose a residual block.\n")
    ended = fairnad("papers", "add", "batch")
    assert ended.code == 2
    assert ended.out.startswith("2 papers added")
    assert "b.md" in ended.one_line()


def test_a_missing_model_server_ends_the_demo_at_once(fairnad, tmp_path):
    ended = fairnad("--no-ui", "--demo", "--llm", "ollama:qwen3:8b", OLLAMA_HOST="http://127.0.0.1:9")
    assert ended.code == 3
    assert "ollama serve" in ended.one_line()
    assert not (tmp_path / "fairnad.db").exists()


def test_an_unwritable_folder_is_one_line(fairnad, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    ended = fairnad("papers", "add", "samples", "--db", "locked/x.db")
    assert ended.code == 4
    assert "locked" in ended.one_line()
