"""One backbone file by hand: jail, graph and ladder, without a search.

The file may follow the contract of candidates, or be any module with a class or function that gives a ``nn.Module``.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.contract import CONTRACT, MAX_SOURCE_BYTES, ContractProblem, Entry, check_source
from fairnad_engine.backbone.graph import BackboneGraph, GraphRefusedError, parse_graph
from fairnad_engine.errors import InputError, RefusedError

UNLIMITED = sys.maxsize
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MOST_GRAPH_BYTES = 64 << 20
_LARGEST_REPLY = 600 << 20  # by hand any network may be looked at, however large its weights


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        label: Names it in every message: the file, and the class where the contract does not say it.
        source: Complete Python source.
        entry: What of it is built.
        width: The requested width.
    """

    label: str
    source: str
    entry: Entry = CONTRACT
    width: float = 1.0


@dataclass(frozen=True)
class Limits:
    """What a subject must fit, and what it may cost; without a bound every cost is allowed.

    Attributes:
        input_shape: Channels, height, width of one image.
        num_classes: Number of logits.
        max_params: Most parameters.
        max_macs: Most multiply-accumulates for one image.
    """

    input_shape: tuple[int, int, int] = (3, 32, 32)
    num_classes: int = 10
    max_params: int = UNLIMITED
    max_macs: int = UNLIMITED


@dataclass(frozen=True)
class Examination:
    """What the ladder found.

    Attributes:
        subject: What was looked at.
        limits: What it had to fit.
        failure: Failure class, or None where it passed.
        message: Why it failed: one line, then the subject's own last lines that led there.
        width: The width it was built with after fitting.
        params: Parameters, counted from the graph.
        macs: Multiply-accumulates for one image, counted from the graph.
        activation_bytes: Estimate of what training keeps for one image.
        exact_hash: Structure hash.
        width_hash: Width-normalised structure hash.
        graph: Checked description; None where it failed.
        graph_file: Artifact name of the description.
        weights_file: Artifact name of the initial weights.
        seconds: Wall time of the ladder.
    """

    subject: Subject
    limits: Limits
    failure: str | None
    message: str
    width: float
    params: int
    macs: int
    activation_bytes: int | None
    exact_hash: str
    width_hash: str
    graph: BackboneGraph | None
    graph_file: str
    weights_file: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it went through the whole ladder."""
        return self.failure is None

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form (``docs/cli.md``)."""
        from fairnad_engine.backbone.summary import summarise_graph

        bounds = {"max_params": self.limits.max_params, "max_macs": self.limits.max_macs}
        document: dict[str, Any] = {
            "file": self.subject.label,
            "verdict": "passed" if self.passed else "refused",
            "failure": self.failure,
            "message": self.message,
            "input": list(self.limits.input_shape),
            "classes": self.limits.num_classes,
            "budget": {name: None if bound == UNLIMITED else bound for name, bound in bounds.items()},
            "seconds": round(self.seconds, 3),
        }
        if self.graph is not None:
            summary = summarise_graph(self.graph)
            document |= {
                "width": self.width,
                "params": self.params,
                "macs": self.macs,
                "activation_bytes": self.activation_bytes,
                "exact_hash": self.exact_hash,
                "width_hash": self.width_hash,
                "graph": {
                    "operations": summary.operations,
                    "trained_elements": summary.parameters,
                    "trained_tensors": summary.tensors,
                    "constant_elements": summary.constants,
                },
            }
        return document


def read_subject(
    file: Path | None,
    name: str | None = None,
    arguments: Sequence[str] = (),
    allow_imports: Sequence[str] = (),
    width: float | None = None,
) -> Subject:
    """Read what a user names.

    Args:
        file: Python file; None where ``name`` is ``package.module:name``.
        name: Class or function to build; None follows the contract, unless there are arguments.
        arguments: ``name=literal`` for each keyword that it is called with.
        allow_imports: Packages that the file may import beyond the contract's.
        width: The contract's width.

    Raises:
        InputError: The file cannot be read, an argument is no literal, or the parts do not go together.
    """
    allowed = frozenset(package.partition(".")[0] for package in allow_imports)
    if file is None:
        module, found, name = (name or "").partition(":")
        if not found or not _DOTTED.fullmatch(module) or not name.isidentifier():
            raise InputError("no file; name a Python file, or a class of an installed package by --class MODULE:NAME")
        source, label = f"from {module} import {name}\n", f"{module}:{name}"
        allowed |= {module.partition(".")[0]}
    else:
        source, label = _read_text(file), str(file)
        if name is not None and not name.isidentifier():
            raise InputError(f"--class {name}: is no name of a class or function; MODULE:NAME goes without a file")
    if name is None and not arguments:
        return Subject(label, source, Entry(allow_imports=allowed), 1.0 if width is None else width)
    if width is not None:
        raise InputError("--width goes with the contract of candidates; leave it out beside --class and --arg")
    keywords = dict(_literal(argument) for argument in arguments)
    label = label if file is None or name is None else f"{label}:{name}"
    return Subject(label, source, Entry(name or CONTRACT.name, keywords, allowed))


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SOURCE_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a Python file that can be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; name a Python file") from error


def _literal(argument: str) -> tuple[str, Any]:
    name, equals, text = argument.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"--arg {argument}: is not of the form name=value")
    try:
        return name, ast.literal_eval(repr(ast.literal_eval(text)))  # as the jail's child will read it
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise InputError(
            f"--arg {argument}: {text} is no Python literal; write a number, True, None, (1, 2), or quoted text: "
            f"--arg '{name}=\"{text[:40]}\"'"
        ) from error


@contextmanager
def scratch_files() -> Iterator[ArtifactFolder]:
    """A folder for graphs and weights that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fairnad-") as folder:
        yield ArtifactFolder(Path(folder))


def examine(
    subjects: Sequence[Subject],
    limits: Limits,
    files: ArtifactFolder,
    *,
    accept_weak_jail: bool = False,
    seed: int = 0,
) -> list[Examination]:
    """Send subjects through jail, graph and ladder (method, section 4).

    Args:
        subjects: What to look at, one after the other, in one jail.
        limits: What each must fit.
        files: Receives graphs and initial weights.
        accept_weak_jail: Run although a layer of the jail is missing.
        seed: Seed of the initial weights.

    Raises:
        JailError: The jail lacks a layer, or failed itself.
    """
    problems = [check_source(subject.source, entry=subject.entry) for subject in subjects]
    if all(problems):  # no need of a jail
        return [_refused(one, limits, problem) for one, problem in zip(subjects, problems, strict=True) if problem]
    import torch

    from fairnad_engine.backbone.jail.client import Jail

    torch.set_num_threads(1)
    with Jail(accept_weak=accept_weak_jail, reply_bytes=_LARGEST_REPLY) as jail:
        return [_examine(jail, subject, limits, files, seed) for subject in subjects]


def _examine(jail: Any, subject: Subject, limits: Limits, files: ArtifactFolder, seed: int) -> Examination:  # noqa: ANN401
    from fairnad_engine.backbone.verifier import Budget, Verifier, load_graph

    budget = Budget(limits.input_shape, limits.num_classes, limits.max_params, limits.max_macs)
    began = time.monotonic()
    verdict = Verifier(jail, files, budget, "down", subject.entry).verify(subject.source, subject.width, seed)
    seconds = time.monotonic() - began
    graph = load_graph(files, verdict.graph) if verdict.failure is None else None
    return Examination(
        subject=subject,
        limits=limits,
        failure=verdict.failure,
        message=verdict.message,
        width=verdict.width,
        params=verdict.params,
        macs=verdict.macs,
        activation_bytes=_activation_bytes(graph),
        exact_hash=verdict.exact_hash,
        width_hash=verdict.width_hash,
        graph=graph,
        graph_file=verdict.graph,
        weights_file=verdict.weights,
        seconds=seconds,
    )


def _refused(subject: Subject, limits: Limits, problem: ContractProblem) -> Examination:
    return Examination(
        subject, limits, problem.kind, problem.message, subject.width, 0, 0, None, "", "", None, "", "", seconds=0.0
    )


def _activation_bytes(graph: BackboneGraph | None) -> int | None:
    if graph is None:
        return None
    from fairnad_engine.backbone.analysis import measure

    return measure(graph).activation_bytes


def require_passed(examination: Examination) -> BackboneGraph:
    """Return the graph of what passed.

    Raises:
        RefusedError: It did not pass; the message names file, failure class and reason.
    """
    if examination.graph is None:
        first = examination.message.splitlines()[0] if examination.message else ""
        raise RefusedError(f"{examination.subject.label}: {examination.failure}: {first}{remedy(examination)}")
    return examination.graph


def remedy(examination: Examination) -> str:
    """What a user can do about a failure, where there is more to say than its message does."""
    if examination.failure == "import":
        return "; allow a package by --allow-import NAME"
    if examination.failure == "contract" and examination.subject.entry.follows_contract:
        return "; name another class by --class NAME"
    return ""


def read_graph(path: Path) -> BackboneGraph:
    """Read a ``graph.json`` of an exported backbone.

    Raises:
        InputError: It cannot be read or is no graph description.
    """
    try:
        if path.stat().st_size > _MOST_GRAPH_BYTES:
            raise InputError(f"{path}: is larger than {_MOST_GRAPH_BYTES} bytes; name a graph.json of an export")
        return parse_graph(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a graph.json of an export") from error
    except (GraphRefusedError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no graph description ({str(error)[:200]}); export the backbone again") from error
