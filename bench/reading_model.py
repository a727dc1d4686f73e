"""Train what ``rules`` has learned, ``templates/reading.json``: ``python -m bench.reading_model [--write]``.

It learns from statements written for it (``data/statements``), the template's own words, and the labelled papers of
``data/extraction`` that are not held out. First each of these papers is read by a model that was trained without it;
the table printed is made of that, and so is the judge, which weighs the evidence. Held-out papers are never opened.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.extraction import FOLDER, SHARE, Found, Labelled, Score, load, markdown, match, overlap
from fairnad_engine.knowledge.paper_layout import section_name
from fairnad_engine.knowledge.paper_voice import BODY, EXPERIMENTS, OVERVIEW
from fairnad_engine.knowledge.statement_model import FILE, Judge, Linear, damped
from fairnad_engine.knowledge.statement_words import manner_features, subject_features
from fairnad_engine.knowledge.statements import Reading, chosen, readings, told
from fairnad_engine.knowledge.template import Template
from fairnad_engine.resources import template_file

STATEMENTS = Path(__file__).parent / "data" / "statements"
ALONE, INVENTED, FIELDS = "statements", "invented", "template"
"""Groups of training rows that are no labelled paper."""
SUBJECT_RIDGE, MANNER_RIDGE, JUDGE_COST = 1.0, 2.0, 0.1
KEPT = 10
"""Sub-categories that a word speaks for or against, the strongest ones."""
_EXPERIMENTS = re.compile(r"(?:experiments?|results?|measurements|ablations?)\b")
_OVERVIEW = re.compile(r"(?:abstract|introduction|background|conclusion|limitations|discussion|outlook)\b")


@dataclass(frozen=True)
class Row:
    """One training sentence."""

    group: str
    subject: Mapping[str, float]
    manner: Mapping[str, float]
    subs: frozenset[str]


def written(template: Template) -> Iterator[Row]:
    """Yield the statements written for training, and the template's own."""
    subs = {sub.id for sub in template.subs}
    current = ""
    for line in _lines("by_subject.txt"):
        if line.startswith("["):
            current = line.strip("[]")
        else:
            yield Row(ALONE, subject_features(line), manner_features(line), frozenset({current} & subs))
    section = before = ""
    for line in _lines("papers.txt"):
        if line.startswith(("=", "##")):
            section, before = section_name(line.lstrip("#").strip()), ""
            continue
        tags, text = line.split(" | ", 1)
        given = frozenset(tags.split()) & subs
        heading = " ".join(word for word in tags.split() if word not in subs and word != "-").strip("*.")
        rank = EXPERIMENTS if _EXPERIMENTS.match(section) else OVERVIEW if _OVERVIEW.match(section) else BODY
        manner = manner_features(text, heading, section, before, rank)
        yield Row(INVENTED, subject_features(text, heading), manner, given)
        before = text
    for sub in template.subs:
        for text in sub.examples:
            yield Row(ALONE, subject_features(text), manner_features(text), frozenset({sub.id}))
        for text in (f"{sub.name}. {sub.definition}", sub.name):
            yield Row(FIELDS, subject_features(text), manner_features(text), frozenset({sub.id}))


def _lines(name: str) -> list[str]:
    lines = (STATEMENTS / name).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("# ")]


def labelled_papers() -> dict[str, Labelled]:
    """Return the papers that may be learned from, by folder and name."""
    folders = {"old": FOLDER, "practice": FOLDER / "practice", "fresh": FOLDER / "fresh"}
    return {f"{name}/{one.name}": one for name, folder in folders.items() for one in load(folder, held_out=False)}


def labelled_rows(name: str, paper: Labelled) -> Iterator[Row]:
    """Yield a labelled paper's sentences."""
    for one in told(paper.paper):
        span = (one.passage.start, one.passage.end)
        subs = frozenset(
            label.sub for label in paper.labels if any(overlap(span, place) >= SHARE for place in label.spans)
        )
        manner = manner_features(one.text, one.heading, one.passage.section, one.before, one.passage.rank)
        yield Row(name, subject_features(one.text, one.heading), manner, subs)


class Trainer:
    """Ridge regression over all rows but those of one group."""

    def __init__(self, rows: Sequence[Row], subs: Sequence[str]) -> None:
        self.groups = np.array([row.group for row in rows])
        self.subs = tuple(subs)
        self.truth = np.array([[float(sub in row.subs) for sub in subs] for row in rows])
        self.design = self.truth.max(axis=1)
        self.subject = _Space([row.subject for row in rows])
        self.manner = _Space([row.manner for row in rows])

    def fit(self, without: str = "") -> tuple[Linear, Linear]:
        """Return the models of subject and manner."""
        every = np.flatnonzero(self.groups != without)
        base = self.truth[every].mean(axis=0)
        subject = self.subject.fit(every, self.truth[every] - base, SUBJECT_RIDGE)
        some = np.flatnonzero((self.groups != without) & (self.groups != FIELDS))
        # Lone statements are nearly all designs, a paper's sentences are not: each is compared with its own kind.
        lone = np.isin(self.groups[some], (ALONE, INVENTED))
        usual = np.where(lone, self.design[some][lone].mean(), self.design[some][~lone].mean())
        manner = self.manner.fit(some, (self.design[some] - usual)[:, None], MANNER_RIDGE)
        return self.subject.linear(self.subs, base, subject), self.manner.linear(("design",), np.zeros(1), manner)


class _Space:
    """Sentences as vectors of unit length, and their products."""

    def __init__(self, sentences: Sequence[Mapping[str, float]]) -> None:
        from scipy import sparse

        known = Counter(feature for one in sentences for feature in one)
        self.features = sorted(feature for feature, count in known.items() if count > 1)
        self.rarity = {feature: math.log(len(sentences) / known[feature]) for feature in self.features}
        place = {feature: at for at, feature in enumerate(self.features)}
        matrix = sparse.lil_matrix((len(sentences), len(place)))
        for row, one in enumerate(sentences):
            values = {name: damped(count) * self.rarity[name] for name, count in one.items() if name in place}
            length = math.hypot(*values.values()) or 1.0
            for name, value in values.items():
                matrix[row, place[name]] = value / length
        self.matrix = matrix.tocsr()
        self.products = (self.matrix @ self.matrix.T).toarray()

    def fit(self, rows: np.ndarray, truth: np.ndarray, ridge: float) -> np.ndarray:
        inside = self.products[np.ix_(rows, rows)] + ridge * np.eye(len(rows))
        return np.asarray(self.matrix[rows].T @ np.linalg.solve(inside, truth))

    def linear(self, outputs: Sequence[str], base: np.ndarray, weights: np.ndarray) -> Linear:
        kept: dict[str, dict[int, float]] = {}
        for feature, row in zip(self.features, weights, strict=True):
            places = sorted(np.argsort(-np.abs(row), kind="stable")[:KEPT].tolist())
            kept[feature] = {at: round(float(row[at]), 3) for at in places if abs(row[at]) >= 0.0005}
        rarity = {feature: round(value, 3) for feature, value in self.rarity.items()}
        return Linear(tuple(outputs), tuple(round(float(value), 5) for value in base), rarity, kept)


def judge(found: Sequence[Reading], right: Sequence[bool]) -> Judge:
    """Learn how much each piece of evidence counts."""
    from sklearn.linear_model import LogisticRegression

    names = list(found[0].evidence)
    table = np.array([[one.evidence[name] for name in names] for one in found])
    spread = table.std(axis=0) + 1e-9
    model = LogisticRegression(C=JUDGE_COST, max_iter=1000).fit(table / spread, np.array(right))
    weights = model.coef_[0] / spread
    return Judge(
        {name: round(float(one), 4) for name, one in zip(names, weights, strict=True)}, float(model.intercept_[0])
    )


def main(argv: Sequence[str] = ()) -> int:
    """Print what leaving one paper out gives, and write the model when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.reading_model", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--write", action="store_true", help=f"write templates/{FILE}")
    chosen_options = parser.parse_args(argv)
    template, papers = Template.load(), labelled_papers()
    rows = [*written(template), *(row for name, one in papers.items() for row in labelled_rows(name, one))]
    trainer = Trainer(rows, [sub.id for sub in template.subs])
    unseen = {name: readings(one.paper, template, *trainer.fit(name)) for name, one in papers.items()}
    right = {name: [_right(one, papers[name]) for one in found] for name, found in unseen.items()}
    print(markdown(_left_out(papers, unseen, right), "rules, paper left out"))
    everything = [one for found in unseen.values() for one in found]
    final = judge(everything, [one for found in right.values() for one in found])
    if chosen_options.write:
        subject, manner = trainer.fit()
        template_file(FILE).write_text(_text(subject, manner, final), "utf-8")
    return 0


def _right(one: Reading, paper: Labelled) -> bool:
    span = (one.told.passage.start, one.told.passage.end)
    return any(
        label.sub == one.sub and any(overlap(span, place) >= SHARE for place in label.spans) for label in paper.labels
    )


def _left_out(
    papers: Mapping[str, Labelled], unseen: Mapping[str, list[Reading]], right: Mapping[str, list[bool]]
) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for name, paper in papers.items():
        others = [other for other in papers if other != name]
        learned = judge(
            [one for other in others for one in unseen[other]], [one for other in others for one in right[other]]
        )
        kept = chosen([(learned.likelihood(one.evidence), one) for one in unseen[name]])
        found = [Found(one.sub, (one.told.passage.start, one.told.passage.end)) for one in kept]
        pairs = match(found, paper.labels)
        filed = sum(found[at].sub == paper.labels[label].sub for at, label in pairs)
        group = name.split("/")[0]
        score = Score(len(paper.labels), len(found), len(pairs), filed, len(found))
        scores[group] = scores.get(group, Score()) + score
    return scores


def _text(subject: Linear, manner: Linear, final: Judge) -> str:
    """Return the model as JSON, a feature a line: its rarity, then places of outputs and weights in turns."""
    parts = []
    for name, model in (("subject", subject), ("manner", manner)):
        rows = []
        for feature, rarity in model.rarity.items():
            numbers = [rarity, *(number for pair in model.weights[feature].items() for number in pair)]
            rows.append(f"{json.dumps(feature)}: {json.dumps(numbers)}")
        head = f'"outputs": {json.dumps(model.outputs)},\n"base": {json.dumps(model.base)}'
        parts.append(f'"{name}": {{\n{head},\n"features": {{\n' + ",\n".join(rows) + "\n}}")
    parts.append(f'"judge": {json.dumps({"base": final.base, "weights": final.weights})}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
