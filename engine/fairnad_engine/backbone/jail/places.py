"""Which folders a candidate may read, and where its scratch lies."""

from __future__ import annotations

import importlib.util
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
BASE_PREFIX = "fairnad-jail-"

DEVICES = (Path("/dev/null"), Path("/dev/zero"), Path("/dev/urandom"), Path("/dev/random"))
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
# Open to everyone and without secrets; torch counts processors with them.
_PROCESSORS = ("/proc/cpuinfo", "/sys/devices/system/cpu")


def site_folder(package: str) -> Path | None:
    """Return the folder that holds an installed top-level package, without importing it."""
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or []) if found else []
    return Path(places[0]).resolve().parent if places else None


def readable(extra: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return what a candidate may read: interpreter, libraries, this package; nothing else of the machine.

    Named are library folders rather than ``sys.prefix``, because an environment may have been made in the very
    folder where the user keeps the workspace.
    """
    names = sysconfig.get_paths()
    folders = [Path(names[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [Path(prefix) / lib for prefix in (sys.prefix, sys.base_prefix) for lib in ("lib", "lib64")]
    folders += [site for site in (site_folder(name) for name in ("torch", "numpy", "safetensors")) if site]
    folders += [Path(name) for name in (*_SYSTEM_LIBRARIES, *_PROCESSORS)]
    folders += [PACKAGE, *extra]
    resolved = dict.fromkeys(folder.resolve() for folder in folders if folder.exists())
    return tuple(path for path in resolved if not any(above in resolved for above in path.parents))


def open_to_all(path: Path) -> bool:
    """Say whether an ordinary user can reach and read ``path``."""
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    above = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return above and path.stat().st_mode & needed == needed


def scratch_base() -> Path:
    """Make and return a new folder for the scratch folders of one jail, which any user can pass through."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - a fresh name is made in it
    parent = next((p for p in candidates if p.is_dir() and open_to_all(p)), candidates[0])
    base = Path(tempfile.mkdtemp(prefix=BASE_PREFIX, dir=parent))
    base.chmod(0o711)
    return base.resolve()
