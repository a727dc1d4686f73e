"""A run's report as a folder: text, data, tables, pictures, and an export of each member of the front."""

from __future__ import annotations

import json
from pathlib import Path

from fairnad_engine.report.export import FILES, export_candidate, write_file
from fairnad_engine.report.front_svg import front_svg
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.plain import comparison_text
from fairnad_engine.report.summary import summarise
from fairnad_engine.report.tables import candidates_csv, front_csv, sampling_csv
from fairnad_engine.store import Store


def write_report(store: Store, run_id: str, folder: Path) -> list[Path]:
    """Write the whole report, over an older one where there is one; ``report.md`` is the first path returned.

    Raises:
        InputError: There is no such run, or the folder cannot be written.
        StoreError: A graph or weights are missing or damaged.
    """
    summary = summarise(store, run_id)
    texts = {
        "report.md": report_markdown(summary),
        "report.txt": comparison_text(summary),
        "report.json": json.dumps(summary.as_dict(), indent=2, sort_keys=True) + "\n",
        "candidates.csv": candidates_csv(summary),
        "front.csv": front_csv(summary),
        "sampling.csv": sampling_csv(summary),
        "front.svg": front_svg(summary, "params"),
        "front-macs.svg": front_svg(summary, "macs"),
    }
    for name, text in texts.items():
        write_file(folder / name, text.encode())
    _remove_outdated(folder / "front", {model.id for model in summary.front})
    exports = [export_candidate(store, run_id, model.id, folder / "front") for model in summary.front]
    return [*(folder / name for name in texts), *exports]


def _remove_outdated(folder: Path, current: set[str]) -> None:
    """Remove exports of models that left the front; anything that is not an export stays."""
    for export in sorted(folder.iterdir()) if folder.is_dir() else ():
        if export.name in current or not (export / "model.json").is_file():
            continue
        for name in FILES:
            (export / name).unlink(missing_ok=True)
        if not any(export.iterdir()):
            export.rmdir()
