"""Pictures of the screens from a real run: ``python -m bench.pictures demo/fairnad.db`` writes ``docs/pictures/``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from fairnad_screens.shell import Shell

_SIZE = (120, 36)
# Place, and the keys that bring it to what the picture shows.
_PICTURES = (("ideas", ("j", "j", "j")), ("search", ()))


async def take(workspace: Path, folder: Path) -> list[Path]:
    """Open each place on a workspace and write what it shows as SVG."""
    written = []
    for place, keys in _PICTURES:
        app = Shell(workspace)
        async with app.run_test(size=_SIZE) as pilot:
            await app.desk.opened()
            app.goto(place)
            await pilot.pause(2.0)
            for key in keys:
                await pilot.press(key)
            await pilot.pause(1.0)
            path = folder / f"{place}.svg"
            path.write_text(app.export_screenshot(), "utf-8")
            written.append(path)
    return written


def main() -> None:
    """Take the pictures of the workspace named on the command line."""
    folder = Path("docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    for path in asyncio.run(take(Path(sys.argv[1]), folder)):
        print(path)


if __name__ == "__main__":
    main()
