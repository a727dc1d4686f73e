"""The workspace file: versions, transactions, histories, leases."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from fairnad_engine import artifacts
from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.errors import DiskFullError, InputError, StoreError
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.structuring import apply_policy
from fairnad_engine.llm.derived import derived_idea
from fairnad_engine.llm.protocol import IdeaDraft, ModelCall
from fairnad_engine.store import Store
from fairnad_engine.store.ideas import idea_document
from fairnad_engine.store.knowledge_records import Derivation
from fairnad_engine.store.records import CountRow
from fairnad_engine.store.schema import migrations
from fairnad_engine.workspace import template_of
from tests.conftest import environment

PAPER = PaperText(
    id="a" * 16,
    title="A paper",
    authors=("A", "B"),
    year=2020,
    venue="CVPR",
    arxiv="2001.00001",
    abstract="We propose.",
    text="Use depthwise convolutions in each block.",
    source="a.md",
    sections=(),
)
QUOTE = "Use depthwise convolutions"
DRAFT = IdeaDraft("conv", "conv.depthwise", "depthwise", "Use depthwise convolutions.", QUOTE, (0, len(QUOTE)))
FROZEN = {
    "config": {"budget": {"trained": 4}},
    "environment": {},
    "template_version": 1,
    "model": "rules",
    "model_digest": "d",
    "dataset_digest": "d",
    "protocol_digest": "p",
    "seed": 0,
}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as opened:
        yield opened


@pytest.fixture
def template(store):
    return template_of(store)[0]


def test_an_older_file_is_backed_up_and_migrated(tmp_path):
    path = tmp_path / "old.db"
    from sqlite_utils import Database

    connection = sqlite3.connect(path, isolation_level=None)
    database = Database(connection)
    migrations.apply(database, stop_before="m002_jobs")
    connection.execute(
        "INSERT INTO papers (id, title, text, source, added_at, authors_json, sections_json) "
        "VALUES ('p', 'Old', 'text', 'x', 'now', '[]', '[]')"
    )
    connection.close()
    with Store(path) as store:
        assert [p.title for p in store.papers.all()] == ["Old"]
        assert store.jobs.all() == []
    backup = sqlite3.connect(tmp_path / "old.db.before-m002_jobs.bak")
    assert backup.execute("SELECT title FROM papers").fetchall() == [("Old",)]
    assert not backup.execute("SELECT name FROM sqlite_master WHERE name = 'jobs'").fetchall()


def test_migrations_are_numbered_in_order():
    names = [m.name for m in migrations._migrations]
    assert [int(name[1:4]) for name in names] == list(range(1, len(names) + 1))


def test_opening_twice_changes_nothing(tmp_path):
    with Store(tmp_path / "a.db"):
        pass
    with Store(tmp_path / "a.db"):
        pass
    assert not list(tmp_path.glob("*.bak"))


def test_a_locked_workspace_is_one_line(tmp_path, monkeypatch):
    with Store(tmp_path / "a.db"):
        pass
    monkeypatch.setattr("fairnad_engine.store.connection._BUSY_MILLISECONDS", 50)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    with Store(tmp_path / "a.db") as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="busy|locked"), store.transaction():
            pass
        other.execute("ROLLBACK")
        with store.transaction():
            pass
    other.close()


def test_a_damaged_file_is_one_line(tmp_path):
    with Store(tmp_path / "a.db"):
        pass
    data = bytearray((tmp_path / "a.db").read_bytes())
    data[100:6000] = os.urandom(5900)
    (tmp_path / "a.db").write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"a\.db"):
        Store(tmp_path / "a.db")


def test_a_transaction_is_all_or_nothing(store):
    with pytest.raises(RuntimeError), store.transaction():
        store.papers.add(PAPER)
        raise RuntimeError
    assert store.papers.all() == []
    with store.transaction():
        store.papers.add(PAPER)
        with store.transaction():
            store.jobs.create("structure", {}, None)
    assert store.papers.count() == 1


def test_papers_are_idempotent_and_come_back_whole(store):
    assert store.papers.add(PAPER)
    assert not store.papers.add(PAPER)
    (row,) = store.papers.all()
    assert (row.title, row.authors, row.text, row.relevant) == (PAPER.title, PAPER.authors, PAPER.text, None)
    store.papers.set_screening(row.id, True, "because", "rules")
    assert store.papers.get("aaaa").reason == "because"
    with pytest.raises(InputError, match="no papers"):
        store.papers.get("zz")


def test_extracting_again_adds_nothing(store, template):
    store.papers.add(PAPER)
    assert store.ideas.file_extracted(PAPER.id, [DRAFT, DRAFT], template, "rules") == 1
    assert store.ideas.file_extracted(PAPER.id, [DRAFT], template, "rules") == 0
    (idea,) = store.ideas.all()
    assert idea.grounded
    assert idea.level == "operation"
    assert store.papers.count_unstructured() == 0


def test_decisions_and_edits_keep_their_history(store, template):
    new_id = store.ideas.add_own(template, "act.smooth", "gelu", "Use GELU.")
    assert store.ideas.get(new_id).decided_by == "person"
    assert store.ideas.decide([new_id], "rejected", "policy:x") == 1
    assert store.ideas.decide([new_id], "rejected", "policy:x") == 0
    store.ideas.edit(new_id, {"instruction": "Use SiLU."}, "person")
    connection = sqlite3.connect(store.path)
    decisions = connection.execute(
        "SELECT old_status, new_status, decided_by FROM idea_decisions ORDER BY id"
    ).fetchall()
    assert decisions == [("proposed", "approved", "person"), ("approved", "rejected", "policy:x")]
    assert connection.execute("SELECT field, old, new FROM idea_edits").fetchall() == [
        ("instruction", "Use GELU.", "Use SiLU.")
    ]
    with pytest.raises(InputError, match="cannot be edited"):
        store.ideas.edit(new_id, {"status": "approved"}, "person")


def test_derived_ideas_mix_into_the_library_only_when_approved(store, template):
    own = store.ideas.add_own(template, "act.smooth", "b", "Own.")
    idea = derived_idea("act.hard", "a", "Derived.")
    first = Derivation("run-1", "g01-s17.1", "seed", "opposite", own)
    store.ideas.add_derived(idea, "operation", first)
    store.ideas.add_derived(idea, "operation", first)
    store.ideas.add_derived(idea, "operation", replace(first, candidate_id="g02-s18.2"))
    assert [one.candidate_id for one in store.ideas.derivations(idea.id)] == ["g01-s17.1", "g02-s18.2"]
    stored = store.ideas.get(idea.id)
    assert (stored.origin, stored.status, stored.paper_id, stored.grounded) == ("derived", "proposed", None, False)
    assert [one for one, *_ in store.ideas.approved()] == [own]
    assert store.ideas.counts()["proposed"] == 0
    for policy in ("grounded", "grounded-unique"):
        assert apply_policy(store, policy) == 0
    store.ideas.decide([idea.id], "approved", "person")
    store.ideas.add_derived(idea, "operation", replace(first, run_id="run-2"))
    assert store.ideas.get(idea.id).status == "approved"
    assert {one for one, *_ in store.ideas.approved()} == {own, idea.id}


def test_a_derived_idea_tells_its_ancestry_and_is_neither_grounded_nor_not(store, template):
    own = store.ideas.add_own(template, "act.smooth", "b", "Own.")
    idea = derived_idea("act.hard", "a", "Derived.")
    store.ideas.add_derived(idea, "operation", Derivation("run-1", "g01-s17.1", "seed", "opposite", own))
    row = store.ideas.get(idea.id)
    document = idea_document(row, store.ideas.derivations(idea.id))
    assert document["grounded"] is None
    assert document["ancestry"] == [
        {"run_id": "run-1", "candidate_id": "g01-s17.1", "parent_id": "seed", "kind": "opposite", "from_id": own}
    ]
    assert "ancestry" not in idea_document(store.ideas.get(own))
    (told,) = store.curation.story(row).ancestry
    assert (told.kind, told.run, told.candidate, told.parent, told.origin) == (
        "opposite", "run-1", "g01-s17.1", "seed", "Own.",
    )  # fmt: skip


def test_template_versions(store, template):
    assert store.templates.newest() == (1, template.digest)
    assert store.templates.save(template, template.source, "again") == 1
    connection = sqlite3.connect(store.path)
    kinds = dict(connection.execute("SELECT kind, count(*) FROM template_nodes GROUP BY 1").fetchall())
    assert kinds == {"level": 3, "main": 15, "sub": 55}


def test_run_rows_may_be_written_again(store):
    run = store.runs.create("x", FROZEN)
    slots = [
        {
            "slot": 1,
            "stage": 1,
            "kind": "idea",
            "main": "conv",
            "sub": "conv.grouped",
            "ideas": ["i"],
            "parent_id": "seed",
        }
    ]
    store.runs.open_generation(run.id, 1, slots)
    key = (run.id, 1, 1, 1, 0)
    store.runs.save_attempt(key, {"purpose": "idea", "task_hash": "t", "design": {"change": "c"}, "source": "s"})
    store.runs.save_attempt(key, {"verdict": {"failure": None}, "failure": None})
    attempt = store.runs.attempt(*key)
    assert attempt.design == {"change": "c"}
    assert attempt.verdict == {"failure": None}
    store.runs.record_event(run.id, 1, "ideas", [1])
    store.runs.record_event(run.id, 1, "ideas", [2])
    assert store.runs.latest_event(run.id, "ideas", 5) == (1, [1])
    store.sampling.save_counts(run.id, [CountRow("conv", "main", 3, 0, active=True)])
    store.sampling.save_counts(run.id, [CountRow("conv", "main", 4, 1, active=True)])
    assert store.sampling.counts(run.id)["conv"].effective == 5


def test_model_calls_are_accounted_once(store):
    call = ModelCall("idea", "m", "h", 10, 5, 0.5, "reply")
    for _ in range(2):
        store.calls.record("run-1/1/1/1/0", [call, call], job_id="job-1", run_id="run-1")
    (total,) = store.calls.totals("run-1")
    assert (total.calls, total.prompt_tokens, total.completion_tokens, total.seconds) == (2, 20, 10, 1.0)


def test_totals_of_calls_do_not_depend_on_their_order(store):
    taken = (0.1, 0.2, 0.3)
    assert sum(taken) != sum(reversed(taken))
    for job, order in (("job-1", taken), ("job-2", tuple(reversed(taken)))):
        calls = [ModelCall("idea", "m", "h", 10, 5, seconds, "reply") for seconds in order]
        store.calls.record(f"run-of-{job}/1", calls, job_id=job, run_id=f"run-of-{job}")
    assert store.calls.totals("run-of-job-1") == store.calls.totals("run-of-job-2")


def test_requests_are_taken_once(store):
    job = store.jobs.create("search", {}, "run-1")
    for kind in ("pause", "resume", "stop"):
        store.jobs.request(job.id, kind)
    assert store.jobs.take_requests(job.id) == ["pause", "resume", "stop"]
    assert store.jobs.take_requests(job.id) == []
    with pytest.raises(InputError, match="explode"):
        store.jobs.request(job.id, "explode")


def test_a_lease_belongs_to_one_living_process(store):
    job = store.jobs.create("search", {}, "run-1")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom pathlib import Path\nfrom fairnad_engine.store import Store\n"
            "s = Store(Path(sys.argv[1])); s.jobs.acquire(sys.argv[2]); print('held', flush=True); sys.stdin.read()",
            str(store.path),
            job.id,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert holder.stdout.readline() == "held\n"
    assert store.jobs.is_held(job.id)
    with pytest.raises(StoreError, match=f"process {holder.pid}"):
        store.jobs.acquire(job.id)
    holder.kill()
    holder.wait()
    assert not store.jobs.is_held(job.id)
    store.jobs.set_state(job.id, "running")
    assert store.jobs.living_state(store.jobs.get(job.id)) == "dead"
    store.jobs.acquire(job.id)
    assert store.jobs.is_held(job.id)
    store.jobs.release(job.id)
    assert not store.jobs.is_held(job.id)


def test_artifacts_are_named_by_content_and_checked(tmp_path):
    files = ArtifactFolder(tmp_path / "files")
    name = files.put(b"weights", ".bin")
    assert files.put(b"weights", ".bin") == name
    assert files.get(name) == b"weights"
    files.path(name).write_bytes(b"damaged")
    with pytest.raises(StoreError, match="does not match"):
        files.get(name)
    with pytest.raises(StoreError, match="restore"):
        files.get("00/0000.bin")
    assert not list((tmp_path / "files").rglob(".writing-*"))


def test_a_failed_write_leaves_no_half_file(tmp_path, monkeypatch):
    files = ArtifactFolder(tmp_path / "files")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="disk is full; free some space"):
        files.put(b"x", ".bin")
    assert not [p for p in (tmp_path / "files").rglob("*") if p.is_file()]


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from fairnad_engine import artifacts
if sys.argv[2] == "named":
    artifacts._open_nameless = lambda folder: None
path = Path(sys.argv[1])
artifacts.write_atomically(path, b"before")
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
artifacts.write_atomically(path, b"after")
"""


@pytest.mark.parametrize("way", ["nameless", "named"])
def test_a_kill_while_writing_leaves_the_file_of_before(tmp_path, way):
    command = [sys.executable, "-c", _KILLED_WHILE_WRITING, str(tmp_path / "file"), way]
    done = subprocess.run(command, env=environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_bytes() == b"before"
    left = sorted(path.name for path in tmp_path.iterdir())
    if way == "nameless":
        descriptor = artifacts._open_nameless(tmp_path)
        if descriptor is None:
            pytest.skip("files without a name are unknown to this file system")
        os.close(descriptor)
        assert left == ["file"]


def test_files_are_replaced_where_none_can_be_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(artifacts, "_open_nameless", lambda folder: None)
    for content in (b"one", b"two"):
        artifacts.write_atomically(tmp_path / "file", content)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"two")]


def test_selection_code_has_no_way_to_test_scores():
    from tests.conftest import ROOT

    for name in ("archive", "fairness", "plan", "selection", "slot", "loop", "scoring", "order"):
        text = (ROOT / "engine" / "fairnad_engine" / "search" / f"{name}.py").read_text()
        assert ".tests" not in text, name
        assert "test_results" not in text, name


def test_json_columns_are_json(store):
    store.papers.add(PAPER)
    connection = sqlite3.connect(store.path)
    (authors,) = connection.execute("SELECT authors_json FROM papers").fetchone()
    assert json.loads(authors) == ["A", "B"]
