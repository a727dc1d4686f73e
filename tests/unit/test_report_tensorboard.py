"""Curves as TensorBoard's event files, read back by TensorBoard itself."""

import builtins
from pathlib import Path

import pytest
from report_workspace import RUN, workspace

from fairnad_engine.errors import InputError
from fairnad_engine.report.tensorboard import write_tensorboard

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder: Path):
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_what_is_stored(tmp_path: Path) -> None:
    with workspace(tmp_path) as store:
        place = write_tensorboard(store, RUN, tmp_path / "board")
        assert place == tmp_path / "board" / RUN
        run = read(place)
        assert [(e.step, round(e.value, 4)) for e in run["search/hypervolume"]] == [(2, 0.25)]
        assert [(e.step, e.value) for e in run["search/best validation accuracy"]] == [(2, 50.0)]
        for candidate in store.runs.candidates(RUN):
            epochs = store.runs.epochs(RUN, candidate.id)
            curves = read(place / candidate.id)
            for tag, name in (("train loss", "train_loss"), ("validation accuracy", "validation_accuracy")):
                wanted = [(e["epoch"], pytest.approx(e[name], rel=1e-6)) for e in epochs if e[name] is not None]
                assert [(e.step, e.value) for e in curves[f"epoch/{tag}"]] == wanted
                times = [e.wall_time for e in curves[f"epoch/{tag}"]]
                assert times == sorted(times)
        assert not any("test" in tag for tag in run)


def test_written_again_nothing_is_there_twice(tmp_path: Path) -> None:
    with workspace(tmp_path) as store:
        for _ in range(2):
            place = write_tensorboard(store, RUN, tmp_path / "board")
        assert len(read(place)["search/hypervolume"]) == 1
        assert len(list((place / "seed").glob("events.out.tfevents.*"))) == 1


def test_what_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace(tmp_path) as store:
        with pytest.raises(InputError, match="run-9"):
            write_tensorboard(store, "run-9", tmp_path)
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="name another folder"):
            write_tensorboard(store, RUN, tmp_path / "file")
        real = builtins.__import__

        def without(name, *arguments, **keywords):
            if name.startswith("tensorboard"):
                raise ImportError(name)
            return real(name, *arguments, **keywords)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(InputError, match=r"pip install 'fairnad-tui\[tensorboard\]'"):
            write_tensorboard(store, RUN, tmp_path / "board")
