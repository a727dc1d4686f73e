"""On what kind of file system a workspace lies, found out before the store is opened there.

SQLite's write-ahead log keeps its index in shared memory, which processes of one host alone see: two hosts that write
one such file damage it, and neither notices. So on a file system that other hosts may see too the store keeps a
rollback journal and maps nothing.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The first field of what statfs(2) answers; linux/magic.h, and the file systems' own sources.
_MAGIC: dict[int, str] = {
    0x6969: "nfs",
    0x517B: "smb",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x19830326: "beegfs",
    0x00C36400: "ceph",
    0x01021997: "9p",
    0x5346414F: "afs",
    0x6B414653: "afs",
    0x73757245: "coda",
    0xAAD7AAEA: "panfs",
    0x20030528: "orangefs",
    0x7461636F: "ocfs2",
    0x01161970: "gfs2",
    0x786F4256: "vboxsf",
    0xBACBACBC: "vmhgfs",
    0x65735546: "fuse",
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x01021994: "tmpfs",
    0x794C7630: "overlay",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
}
_NETWORK = frozenset(
    ("nfs", "smb", "cifs", "smb2", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs", "coda", "panfs", "orangefs",
     "ocfs2", "gfs2", "vboxsf", "vmhgfs", "wekafs", "virtiofs", "fuse")
)  # fmt: skip
# What FUSE serves from this machine's own disks; whatever else it serves is taken for another machine's.
_LOCAL_FUSE = frozenset(
    ("fuseblk", "ntfs-3g", "ntfs", "exfat", "ext2", "zfs", "fuse-overlayfs", "bindfs", "mergerfs", "unionfs", "encfs",
     "gocryptfs", "cryfs", "securefs", "lxcfs", "squashfuse", "archivemount")
)  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")
# Mount options that keep locks from other hosts: of nfs, cifs and lustre.
_NO_LOCKS = frozenset(("nolock", "nobrl", "localflock", "noflock", "local_lock=all", "local_lock=posix"))


@dataclass(frozen=True)
class FileSystem:
    """The file system that holds a path.

    Attributes:
        kind: Its name, such as ``nfs``, ``fuse.sshfs`` or ``ext4``.
        network: Whether other hosts may see the same files; False where nothing is known of it.
        shared_locks: Whether its locks reach the other hosts, as far as its mount options tell.
    """

    kind: str
    network: bool
    shared_locks: bool = True


@dataclass(frozen=True)
class _Mount:
    kind: str
    options: frozenset[str]


def file_system(path: Path) -> FileSystem:
    """The file system of a file or folder; of one that is not there, that of the nearest folder above it."""
    target = Path(os.path.realpath(path))
    while not target.exists() and target != target.parent:
        target = target.parent
    mount = _mount_of(str(target))
    magic = magic_of(target)
    kind = _MAGIC.get(magic) if magic is not None else None
    if kind == "fuse":
        kind = mount.kind if mount.kind.startswith(("fuse", "virtiofs")) else "fuse"
        return FileSystem(kind, kind.removeprefix("fuse.") not in _LOCAL_FUSE, shared_locks=kind != "fuse.sshfs")
    kind = kind or mount.kind
    network = kind in _NETWORK or kind.rstrip("34") in _NETWORK
    return FileSystem(kind, network, shared_locks=not (network and mount.options & _NO_LOCKS))


def magic_of(path: Path) -> int | None:
    """The type of a path's file system as statfs(2) gives it; None where it does not answer."""
    # Larger than any struct statfs; its first field is f_type, a machine word.
    answer = (ctypes.c_long * 64)()
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), ctypes.byref(answer)):
        return None
    return int(answer[0]) & 0xFFFFFFFF


def mount_lines() -> Iterable[str]:
    """What this process has mounted, a line each."""
    try:
        return _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()


def _mount_of(target: str) -> _Mount:
    """The mount that a path lies in: the longest one, of several in one place the last."""
    best, found = "", _Mount("unknown", frozenset())
    for line in mount_lines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or not rest[0]:
            continue
        place = _unescaped(fields[4])
        if (target == place or target.startswith(place.rstrip("/") + "/")) and len(place) >= len(best):
            best, found = place, _Mount(rest[0], frozenset(f"{fields[5]},{rest[-1]}".split(",")))
    return found


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def advice(path: Path) -> str:
    """What to know of the file system of a workspace, in one paragraph; empty where there is nothing to say."""
    found = file_system(path.parent)
    if not found.network:
        return ""
    locks = "" if found.shared_locks else "Its locks do not reach other hosts: use the workspace from one host alone. "
    return (
        f"{path} lies on a network file system ({found.kind}). The store keeps a rollback journal there, which is "
        "safe; each write takes longer, and readers and the worker wait for each other. A worker on another host that "
        "writes with a write-ahead log, as older versions do, damages the file: end it first. "
        f"{locks}With --local-store DIR, a folder on this machine's own disk, the store works there and is brought "
        "here every ten minutes and at the end."
    )


def short_advice(path: Path) -> str:
    """The same where there is room for a line or two."""
    found = file_system(path.parent)
    if not found.network:
        return ""
    return (
        f"{found.kind}, a network file system: slower, and no other host may write with a log; --local-store DIR "
        "keeps the store on this machine's disk (doctor says more)"
    )
