"""Hostile modules that reach for files, networks and other programs. Raw call numbers are those of x86_64."""

from __future__ import annotations

from hostile import Module, module


def refused(name: str, code: str, where: str = "import", **limits: object) -> Module:
    """Return a module whose lines meet what the kernel refuses."""
    return module(name, "jail-violation", code, where, **limits)


FILES = (
    refused("read a secret", "open(SECRET).read()"),
    refused("read a secret in forward", "open(SECRET).read()", "forward"),
    refused("read the shadow file", "open('/etc/shadow').read()", "init"),
    refused("own memory file", "open('/proc/self/mem', 'r+b')"),
    refused("own memory map", "open('/proc/self/maps').read()"),
    refused("environment of the parent", "open(f'/proc/{os.getppid()}/environ').read()"),
    refused("command line of process 1", "open('/proc/1/cmdline').read()"),
    refused("shared memory folder", "open('/dev/shm/planted', 'w')"),
    refused("plant a file", "open(GUARD + '/planted', 'w')"),
    refused("append to a secret", "open(SECRET, 'a')"),
    refused("change a library", "open(torch.__file__, 'a')"),
    refused("symbolic link", "os.symlink(SECRET, 'link')"),
    refused("hard link", "os.link(SECRET, 'link')"),
    refused("make a fifo", "os.mkfifo('fifo')"),
    refused("make a device", "os.mknod('memory', 0o20666, os.makedev(1, 1))"),
    refused("set-uid file", "open('own', 'w').close()\nos.chmod('own', 0o4755)"),
    refused("change an owner", "os.chown(SECRET, 0, 0)"),
    refused("empty a secret", "os.truncate(SECRET, 0)"),
    refused("remove a secret", "os.unlink(SECRET)"),
    refused("nameless file", "os.open('.', os.O_TMPFILE | os.O_RDWR)"),
    refused("file that is open but removed", "file = open('own', 'wb')\nos.unlink('own')"),
    refused("file replaced while mapped", "open('a', 'w').close()\nopen('b', 'w').close()\nos.replace('a', 'b')"),
    refused("list the home", "os.listdir('/root')"),
    refused("list the folder above", "os.listdir('..')"),
    refused("attributes of a secret", "os.getxattr(SECRET, 'user.x')"),
    module("map a secret", "import", "torch.from_file(SECRET, shared=True, size=1)"),
    refused("file by handle", "call(304, -100, bytes(128), 0)"),
    refused("lock a library", "import fcntl\nfcntl.flock(open(torch.__file__), fcntl.LOCK_EX)"),
    refused("lock a part of a library", "import fcntl\nfcntl.lockf(open(torch.__file__), fcntl.LOCK_SH)"),
    refused("copy a secret", "import shutil\nshutil.copy(SECRET, 'mine')"),
    module("database outside", "import", "import sqlite3\nsqlite3.connect(GUARD + '/planted').execute('create table t(x)')"),  # noqa: E501
)  # fmt: skip

NETWORK = (
    refused("inet", "socket.socket(socket.AF_INET)"),
    refused("inet6", "socket.socket(socket.AF_INET6)"),
    refused("datagrams in forward", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))", "forward"),  # noqa: E501
    refused("unix", "socket.socket(socket.AF_UNIX).connect(GUARD + '/socket')"),
    refused("abstract", "socket.socket(socket.AF_UNIX).connect('\\0bus')"),
    refused("netlink", "socket.socket(16, socket.SOCK_RAW, 0)"),
    refused("raw", "socket.socket(2, socket.SOCK_RAW, 1)"),
    refused("packet", "socket.socket(17, socket.SOCK_RAW, 0x0300)"),
    refused("vsock", "socket.socket(40)"),
    refused("bluetooth", "call(41, 31, 3, 0)"),
    refused("kernel cryptography", "socket.socket(38, socket.SOCK_SEQPACKET)"),
    refused("pair", "socket.socketpair()"),
    refused("web", "import urllib.request\nurllib.request.urlopen(f'http://127.0.0.1:{PORT}')"),
    refused("event loop", "import asyncio\nasyncio.new_event_loop()"),
    refused("send on the reply pipe as a socket", "call(46, 4, bytes(64), 0)"),
)  # fmt: skip

PROGRAMS = (
    refused("execv", "os.execv('/bin/true', ['true'])"),
    refused("execve of this interpreter", "os.execve(sys.executable, ['python', '-c', 'pass'], {})", "init"),
    refused("posix_spawn", "os.posix_spawn('/bin/touch', ['touch', GUARD + '/planted'], {})"),
    refused("subprocess", "import subprocess\nsubprocess.check_call(['/bin/touch', GUARD + '/planted'])", "forward"),
    module("shell", "import", "assert os.system('touch ' + GUARD + '/planted') == 0"),
    module("shell by ctypes", "import", "assert libc.system(('touch ' + GUARD + '/planted').encode()) == 0"),
    refused("execve by ctypes", "call(59, b'/bin/true', None, None)"),
    refused("execveat", "call(322, -100, b'/bin/true', None, None, 0)"),
    refused("program in memory", "os.execve(os.memfd_create('x'), ['x'], {})"),
    refused("fork", "os.fork()"),
    refused("fork bomb", "while True:\n    os.fork()"),
    refused("vfork", "call(58)"),
    refused("clone without threads", "call(56, 0x4111, 0, 0, 0, 0)"),
    module("clone3", "import", "call(435, bytes(88), 88)"),
    module("pseudo-terminal", "import jail-violation", "import pty\npty.fork()"),
    refused("process pool", "import multiprocessing as mp\nmp.get_context('fork').Process(target=print).start()"),
    refused("new session", "call(112)"),
    refused("hub", "torch.hub.load('pytorch/vision', 'resnet18', trust_repo=True)"),
    refused("weights from the net", "torch.hub.load_state_dict_from_url(f'http://127.0.0.1:{PORT}/x.pt')", "init"),
    module(
        "compiler", "jail-violation build",
        "from torch.utils.cpp_extension import load_inline\nload_inline('x', 'int f() {return 0;}', functions=['f'])",
        "init",
    ),
    module("torch's load_library", "import", "torch.ops.load_library(SECRET)"),
    module("library of its own", "import", "open('own.so', 'wb').write(b'\\x7fELF')\nctypes.CDLL('./own.so')"),
)  # fmt: skip
