"""System calls by number, and which of them a candidate has no use for.

The numbers are those of the kernel's own tables (``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``); from 424 on the two agree. Everything is called raw through libc's
``syscall``, so the jail needs no package and no C library newer than the kernel.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

NEWEST_KNOWN = 469  # file_setattr, Linux 6.17: a call that is newer than this table is answered ENOSYS

# Each entry: name, number on x86_64, number on aarch64 ("-": the architecture never had it).
_DENIED = {
    "sockets of every family": """
        socket 41 198, socketpair 53 199, connect 42 203, accept 43 202, accept4 288 242, sendto 44 206,
        recvfrom 45 207, sendmsg 46 211, recvmsg 47 212, sendmmsg 307 269, recvmmsg 299 243,
        shutdown 48 210, bind 49 200, listen 50 201, getsockname 51 204, getpeername 52 205,
        setsockopt 54 208, getsockopt 55 209
    """,
    "other programs and processes": """
        execve 59 221, execveat 322 281, fork 57 -, vfork 58 -, setsid 112 157, setpgid 109 154
    """,
    "reaching into another process": """
        ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
        process_mrelease 448 448, pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424,
        kcmp 312 272, get_robust_list 274 100, tkill 200 130, rt_sigqueueinfo 129 138,
        rt_tgsigqueueinfo 297 240, perf_event_open 298 241, setpriority 141 140, sched_setaffinity 203 122,
        sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274, ioprio_set 251 30,
        migrate_pages 256 238, move_pages 279 239
    """,
    "queues and memory that outlive or leave the process": """
        memfd_create 319 279, memfd_secret 447 447, shmget 29 194, shmat 30 196, shmctl 31 195,
        shmdt 67 197, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192, msgget 68 186,
        msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181,
        mq_timedsend 242 182, mq_timedreceive 243 183, mq_notify 244 184, mq_getsetattr 245 185,
        add_key 248 217, request_key 249 218, keyctl 250 219
    """,
    "kernel interfaces with a long record of holes": """
        io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, io_setup 206 0,
        io_submit 209 2, io_cancel 210 3, io_destroy 207 1, io_getevents 208 4, io_pgetevents 333 292,
        userfaultfd 323 282, bpf 321 280, splice 275 76, tee 276 77, vmsplice 278 75, modify_ldt 154 -,
        uprobe 336 -, uretprobe 335 -
    """,
    "the file tree and what Landlock does not judge": """
        mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, fsopen 430 430, fsconfig 431 431,
        fsmount 432 432, fspick 433 433, open_tree 428 428, open_tree_attr 467 467, move_mount 429 429,
        mount_setattr 442 442, statmount 457 457, listmount 458 458, setns 308 268, unshare 272 97,
        open_by_handle_at 304 265, name_to_handle_at 303 264, chmod 90 -, fchmod 91 52, fchmodat 268 53,
        fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, setxattr 188 5,
        lsetxattr 189 6, fsetxattr 190 7, setxattrat 463 463, removexattr 197 14, lremovexattr 198 15,
        fremovexattr 199 16, removexattrat 466 466, file_setattr 469 469, utime 132 -, utimes 235 -,
        futimesat 261 -, utimensat 280 88, truncate 76 45, mknod 133 -, mknodat 259 33, symlink 88 -,
        symlinkat 266 36, link 86 -, linkat 265 37, mkdir 83 -, mkdirat 258 34, rmdir 84 -, inotify_init 253 -,
        inotify_init1 294 26, inotify_add_watch 254 27, fanotify_init 300 262, fanotify_mark 301 263,
        sync 162 81, syncfs 306 267, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10, getxattrat 464 464,
        listxattr 194 11, llistxattr 195 12, flistxattr 196 13, listxattrat 465 465
    """,
    "files that take room but cannot be seen: none can be removed, so what is in the scratch is all there is": """
        unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276
    """,
    "room on the disk taken at once, faster than anybody can look": """
        fallocate 285 47
    """,
    "locks on files that others read too": """
        flock 73 32
    """,
    "identity, and the jail's own layers": """
        setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147,
        setresgid 119 149, setfsuid 122 151, setfsgid 123 152, setgroups 116 159, capset 126 91,
        seccomp 317 277, landlock_create_ruleset 444 444, landlock_add_rule 445 445,
        landlock_restrict_self 446 446, lsm_set_self_attr 460 460
    """,
    "the machine": """
        personality 135 92, quotactl 179 60, quotactl_fd 443 443, reboot 169 142, swapon 167 224,
        swapoff 168 225, acct 163 89, settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266,
        adjtimex 159 171, sethostname 170 161, setdomainname 171 162, syslog 103 116, vhangup 153 58,
        iopl 172 -, ioperm 173 -, init_module 175 105, finit_module 313 273, delete_module 176 106,
        create_module 174 -, kexec_load 246 104, kexec_file_load 320 294, lookup_dcookie 212 18,
        nfsservctl 180 42, uselib 134 -, _sysctl 156 -, mbind 237 235, set_mempolicy 238 237,
        set_mempolicy_home_node 450 450
    """,
}

# Calls that are judged by their arguments, and those that the jail itself makes.
_OTHERS = """
    clone 56 220, clone3 435 435, kill 62 129, tgkill 234 131, prctl 157 167, prlimit64 302 261, ioctl 16 29,
    fcntl 72 25, open 2 -, openat 257 56, openat2 437 437, capget 125 90
"""

_COLUMN = {"x86_64": 1, "aarch64": 2}


def machine() -> str:
    """Return ``x86_64`` or ``aarch64``, or the empty string where the numbers are not known."""
    name = platform.machine()
    return name if name in _COLUMN and ctypes.sizeof(ctypes.c_void_p) == 8 else ""


def _numbers(text: str, on: str) -> dict[str, int]:
    entries = (entry.split() for entry in text.split(","))
    return {entry[0]: int(entry[_COLUMN[on]]) for entry in entries if entry[_COLUMN[on]] != "-"}


def denied(on: str) -> dict[str, int]:
    """Return name -> number of the calls that are refused whatever their arguments."""
    return {name: number for text in _DENIED.values() for name, number in _numbers(text, on).items()}


@cache
def numbers(on: str) -> dict[str, int]:
    """Return name -> number of every call this package knows on the machine ``on``."""
    return {**denied(on), **_numbers(_OTHERS, on)}


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def call(name: str, *arguments: int | ctypes.c_void_p | None) -> int:
    """Make a system call and return its result.

    Raises:
        OSError: The kernel refused it; also where the machine's numbers are not known (``ENOSYS``).
    """
    number = numbers(machine()).get(name) if machine() else None
    if number is None:
        raise OSError(38, f"{name}: {os.strerror(38)}")
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc().syscall(ctypes.c_long(number), *words))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """Make a ``prctl`` call; missing arguments are 0.

    Raises:
        OSError: The kernel refused it.
    """
    return call("prctl", option, *(arguments + (0,) * 4)[:4])
