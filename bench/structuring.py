"""The library at the paper's scale: 2,353 abstracts, 1,149 papers, a model that answers at once, and kills.

What is measured is the program beside the model: seconds of a call that the server does not take, memory while
thousands of papers pass, and whether a job that is killed again and again comes to the ideas of one that is not, asking
nothing twice but what was in flight.

``python -m bench structuring``; ``tests/e2e/test_structuring_scale.py`` does the same with few papers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fairnad_engine.store import Store

Row = tuple[str, str, str, bool]
ABSTRACTS, PAPERS, KILLS, LANES = 2353, 1149, 20, 4
IDEAS, CALL_MS, GROWTH_MIB = 15_000, 10.0, 40.0
_SENTENCE = "We replace the mixing layer number {number} of each block by a gated layer with {number} branches."
_LOOK_SECONDS = 0.25
_KILL_BETWEEN = (0.02, 0.95)  # of the calls, so that every kill finds work


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    Attributes:
        ideas: Paper, sub-category, instruction and span of each idea.
        calls: Calls in the accounts.
        tokens: Tokens in the accounts.
        asked: How often each prompt reached the server.
        seconds: Wall time of the jobs.
        server_seconds: What the server took of it, summed over requests.
        memory: MiB of the worker, sampled while it worked.
    """

    ideas: list[tuple[Any, ...]]
    calls: int
    tokens: int
    asked: Counter[str]
    seconds: float
    server_seconds: float
    memory: list[float]

    @property
    def repeated(self) -> int:
        """Prompts that reached the server more than once, each time after the first."""
        return sum(self.asked.values()) - len(self.asked)


def write_papers(folder: Path, abstracts: int, papers: int) -> Path:
    """Write a JSON Lines file; the first ``papers`` of its records have a text and a title that says so."""
    path = folder / "papers.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number in range(abstracts):
            whole = number < papers
            abstract = f"Study number {number} of {'blocks' if whole else 'labels'} for image classification."
            record = {"title": f"{'Blocks' if whole else 'Labels'}, part {number}", "abstract": abstract}
            if whole:
                record["text"] = f"{abstract}\n\n# Method\n\n{_SENTENCE.format(number=number)}\n\n{'It is so. ' * 40}"
            lines.write(json.dumps(record) + "\n")
    return path


def answer(request: dict[str, Any]) -> tuple[str, int]:
    """What the model says, and the tokens that it read; the same prompt, the same answer."""
    user = request["messages"][-1]["content"]
    read = sum(len(one["content"]) for one in request["messages"]) // 4
    if "Can this paper inspire" in user:
        return json.dumps({"relevant": "Blocks, part" in user, "reason": "by its title"}), read
    sentence = re.search(r"We replace the mixing layer .*? branches\.", user)
    subs = re.findall(r"^- ([a-z0-9.-]+): ", user, re.MULTILINE)
    draw = int(hashlib.sha256(user.encode()).hexdigest()[:8], 16)
    if sentence is None or draw % 9 == 0:
        return json.dumps({"ideas": []}), read
    idea = {"quote": sentence[0], "sub": subs[draw % len(subs)], "name": "Gated mixing"}
    return json.dumps({"ideas": [{**idea, "instruction": f"Replace the mixing layer, form {draw % 9973}."}]}), read


def _serve(ready: Any, log: str) -> None:  # noqa: ANN401 - a pipe's end
    from tests.llm_server.ollama_protocol import Answered, OllamaProtocol, serving

    def told(request: dict[str, Any]) -> Answered:
        started = time.perf_counter()
        text, read = answer(request)
        prompt = json.dumps([request["messages"], request.get("format")], sort_keys=True)
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        half = len(text) // 2
        found = Answered((text[:half], text[half:]), read, 20)
        line = f"{digest} {time.perf_counter() - started:.6f}\n"
        os.write(descriptor, line.encode())  # one write a line: threads do not mix
        return found

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with serving(OllamaProtocol(told, models=("instant:1b",))) as state:
        ready.send(state.url)
        ready.recv()


class Run:
    """A workspace, its server, and a job that may be killed and begun again."""

    def __init__(self, folder: Path, papers: Path) -> None:
        self._folder = folder
        self._db = folder / "fairnad.db"
        self._log = folder / "asked.txt"
        self._log.touch()
        self._memory: list[float] = []
        self._papers = papers
        self._job = ""

    def carry_out(self, kills: int, calls: int = 0, seed: int = 0) -> Outcome:
        """Add the papers and structure them; kill the worker so many times, at random numbers of calls."""
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, str(self._log)))
        server.start()
        try:
            url = ours.recv()
            self._command("papers", "add", str(self._papers))
            started = time.monotonic()
            rng = random.Random(seed)
            low, high = (int(share * calls) for share in _KILL_BETWEEN)
            for at in sorted(rng.sample(range(low, high), kills)) if kills else []:
                self._begin(url)
                self._watch(functools.partial(self._beyond, at))
                self._kill()
            self._begin(url)
            self._watch(lambda: False)
            seconds = time.monotonic() - started
        finally:
            ours.send(None)
            server.join()
        return self._outcome(seconds)

    def _command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "fairnad_tui", *arguments, "--db", str(self._db)]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)

    def _begin(self, url: str) -> None:
        config = self._folder / "c.toml"
        config.write_text(f'[model]\nllm = "ollama:instant:1b@{url}"\nlanes = {LANES}\n')
        with Store(self._db) as store:
            from fairnad_engine.search.config import load_config
            from fairnad_engine.workspace import create_structure_job, start_worker

            job = create_structure_job(store, load_config(config))
            self._job = job.id
            start_worker(store, job)

    def _worker(self) -> tuple[str, psutil.Process | None]:
        """The state of the newest job, and the process that works on it."""
        with Store(self._db) as store:
            job = store.jobs.get(self._job)
            holder = store.jobs.holder(job.id)
            held = holder is not None and store.jobs.is_held(job.id)
        if job.state == "failed":
            raise RuntimeError(job.message)
        try:
            return job.state, psutil.Process(holder[0].pid) if held and holder is not None else None
        except psutil.NoSuchProcess:
            return job.state, None

    def _watch(self, reached: Callable[[], bool]) -> None:
        """Until a number of calls is reached, or the job is done."""
        looked = 0.0
        while not reached():
            if time.monotonic() - looked > _LOOK_SECONDS:
                looked = time.monotonic()
                state, worker = self._worker()
                if state == "done":
                    return
                if worker is not None:
                    self._memory.append(worker.memory_info().rss / 2**20)
            time.sleep(0.002)

    def _kill(self) -> None:
        _, worker = self._worker()
        if worker is not None:
            os.killpg(os.getpgid(worker.pid), signal.SIGKILL)
        while self._worker()[1] is not None:
            time.sleep(0.01)

    def _beyond(self, calls: int) -> bool:
        return self._asked() >= calls

    def _asked(self) -> int:
        return self._log.stat().st_size // len(f"{'0' * 64} 0.000000\n")

    def _outcome(self, seconds: float) -> Outcome:
        lines = [line.split() for line in self._log.read_text().splitlines()]
        with Store(self._db) as store:
            ideas = sorted((one.paper_id, one.sub, one.instruction, one.span) for one in store.ideas.all())
            totals = store.calls.totals()
        return Outcome(
            ideas=ideas,
            calls=sum(one.calls for one in totals),
            tokens=sum(one.prompt_tokens + one.completion_tokens for one in totals),
            asked=Counter(digest for digest, _ in lines),
            seconds=seconds,
            server_seconds=sum(float(spent) for _, spent in lines),
            memory=self._memory,
        )


def growth(memory: list[float]) -> float:
    """MiB by which the last quarter's median lies above the second quarter's."""
    quarter = max(1, len(memory) // 4)
    early, late = sorted(memory[quarter : 2 * quarter]), sorted(memory[-quarter:])
    return late[len(late) // 2] - early[len(early) // 2] if early else 0.0


def compare(folder: Path, abstracts: int, papers: int, kills: int) -> tuple[Outcome, Outcome]:
    """The same papers undisturbed and killed."""
    source = write_papers(folder, abstracts, papers)
    outcomes = []
    for name in ("undisturbed", "killed"):
        (folder / name).mkdir()
        calls = len(outcomes[0].asked) if outcomes else 0
        outcomes.append(Run(folder / name, source).carry_out(kills if outcomes else 0, calls))
    return outcomes[0], outcomes[1]


def main() -> list[Row]:
    """Measure; name, figure, target and whether it was met."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = compare(Path(folder), ABSTRACTS, PAPERS, KILLS)
    calls = len(whole.asked)
    overhead = 1000 * (whole.seconds - whole.server_seconds / LANES) / calls
    grown = growth(whole.memory)
    same, twice = killed.ideas == whole.ideas, len(killed.ideas) - len(set(killed.ideas))
    accounts = (killed.calls, killed.tokens) == (whole.calls, whole.tokens)
    return [
        (
            f"ideas of {PAPERS:,} papers, {calls:,} calls",
            f"{len(whole.ideas):,}",
            f">= {IDEAS:,}",
            len(whole.ideas) >= IDEAS,
        ),
        ("program per call, by the wall clock", f"{overhead:.1f} ms", f"<= {CALL_MS:.0f} ms", overhead <= CALL_MS),
        (
            "worker's memory, last quarter over second",
            f"{grown:+.1f} MiB",
            f"<= {GROWTH_MIB:.0f} MiB",
            grown <= GROWTH_MIB,
        ),
        (f"ideas after {KILLS} kills", "the same" if same else "others", "the same", same),
        ("ideas twice", str(twice), "0", twice == 0),
        ("calls made again", str(killed.repeated), f"<= {KILLS * LANES}, in flight", killed.repeated <= KILLS * LANES),
        ("tokens in the accounts", "the same" if accounts else "others", "the same", accounts),
    ]
