"""A workspace in which every text is one of the hostile strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import IdeaDraft, ModelCall
from fairnad_engine.store import Store
from fairnad_engine.workspace import job_folder, template_of
from tests.hostile_strings import hostile_strings, with_surrogates
from tests.unit.report_workspace import RUN, workspace

PAPERS = 50
EACH = 20  # strings of a paper


@contextmanager
def hostile_workspace(folder: Path) -> Iterator[Store]:
    """The finished run of the reports' tests with hostile texts, papers and ideas."""
    with workspace(folder) as store:
        strings = hostile_strings()
        with store.transaction():
            for number in range(PAPERS):
                _paper(store, number, strings[number * EACH : (number + 1) * EACH])
            _run(store, tuple(text for text in strings if len(text) < 2000))  # the long ones are papers
        store.jobs.acquire("job-1")
        store.jobs.set_state("job-1", "running", strings[93])
        folder = job_folder(store.path, "job-1")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").write_text("\n".join(strings), "utf-8")
        activity = {f"training: {text}"[:200]: text[:2000] for text in strings[:200]}
        (folder / "activity.json").write_text(json.dumps(activity), "utf-8")
        yield store


def _paper(store: Store, number: int, mine: tuple[str, ...]) -> None:
    first = mine[0]
    paper = PaperText(
        id=f"hostile-{number:02d}", title=first, authors=(*mine, with_surrogates()[number % 40]), year=2000,
        venue=mine[1], arxiv=mine[2][:50], abstract="\n".join(mine), text="\n\n".join(mine), source=mine[3],
        sections=(),
    )  # fmt: skip
    store.papers.add(paper)
    store.papers.set_screening(paper.id, number % 2 == 0, mine[4], f"ollama:{mine[5][:40]}")
    template, _ = template_of(store)
    drafts = []
    for place, text in enumerate(mine):
        sub = template.subs[(number + place) % len(template.subs)]
        start = paper.text.index(text)
        span = (start, start + len(text)) if place % 2 else None
        drafts.append(IdeaDraft(sub.main, sub.id, text, text, text, span))
    store.ideas.file_extracted(paper.id, drafts, template, "ollama:x/y")


def _run(store: Store, strings: tuple[str, ...]) -> None:
    database = store._db
    database.execute(
        "UPDATE runs SET name = ?, model = ?, model_digest = ?", [strings[90][:80], strings[91], strings[92]]
    )
    ideas = [idea.id for idea in store.ideas.all() if idea.paper_id and idea.paper_id.startswith("hostile")]
    for place, row in enumerate(store.runs.candidates(RUN)):
        change = "\n".join(strings[place::3])
        database.execute("UPDATE candidates SET change = ?, idea_id = ?, failure = ? WHERE id = ?",
                         [change, ideas[place] if row.parent_id else None, None, row.id])  # fmt: skip
        if row.parent_id:
            source = f"{row.source}\n{change}"
            database.execute("UPDATE candidates SET source = ? WHERE id = ?", [source, row.id])
    for slot in (1, 2, 3):
        text = "\n".join(strings[slot::3])
        store.runs.save_attempt((RUN, 1, slot, 1, 0), {"message": text, "source": text, "purpose": strings[slot]})
        calls = [ModelCall("idea", strings[slot], "0", 1, 2, 3.0, text)]
        store.calls.record(f"{RUN}/1/{slot}/1/0", calls, job_id="job-1", run_id=RUN)
    database.execute("UPDATE evaluations SET message = ?", ["\n".join(strings[::2])])
