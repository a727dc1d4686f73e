"""Hostile modules that reach for other processes, the kernel, the jail, the machine's resources and the reply."""

from __future__ import annotations

from hostile import module
from modules_outside import refused

NEIGHBOURS = (
    refused("kill the parent", "os.kill(os.getppid(), signal.SIGKILL)"),
    refused("kill the client", "os.kill(CLIENT, signal.SIGTERM)", "forward"),
    refused("kill everybody", "os.kill(-1, signal.SIGKILL)"),
    refused("kill by descriptor owner", "import fcntl\nfcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())"),
    refused("ptrace", "call(101, 16, os.getppid(), 0, 0)"),
    refused("process_vm_readv", "call(310, os.getppid(), bytes(16), 1, bytes(16), 1, 0)"),
    refused("process_vm_writev", "call(311, os.getppid(), bytes(16), 1, bytes(16), 1, 0)"),
    refused("pidfd", "call(434, os.getppid(), 0)"),
    refused("limits of the parent", "import resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))"),
    refused("nice", "os.nice(-5)"),
    refused("real-time scheduling", "call(144, 0, 1, struct.pack('i', 50))"),
    refused("processor affinity", "os.sched_setaffinity(0, {0})"),
    refused("traceable again", "call(157, 4, 1, 0, 0, 0)"),
    refused("outlive the parent", "call(157, 1, 0, 0, 0, 0)"),
    module("many timers", "import", """
        event = struct.pack('qii', 0, 10, 0) + bytes(48)
        for _ in range(100_000):
            call(222, 1, event, bytes(8))
    """),
)  # fmt: skip

KERNEL = (
    refused("memfd", "os.memfd_create('x')"),
    refused("io_uring", "call(425, 8, bytes(120))"),
    refused("userfaultfd", "call(323, 0)"),
    refused("bpf", "call(321, 0, bytes(128), 128)"),
    refused("perf", "call(298, bytes(128), 0, -1, -1, 0)"),
    refused("keyctl", "call(250, 0, -3, 1)"),
    refused("add_key", "call(248, b'user', b'x', b'x', 1, -3)"),
    refused("mount", "call(165, b'none', b'.', b'tmpfs', 0, None)"),
    refused("setns", "call(308, 0, 0)"),
    refused("unshare", "call(272, 0x10000000)"),
    refused("pivot_root", "call(155, b'.', b'.')"),
    refused("chroot", "os.chroot('.')"),
    refused("TIOCSTI", "import fcntl\nfcntl.ioctl(1, 0x5412, b'x')"),
    refused("shared memory of System V", "call(29, 0, 4096, 0o1600)"),
    refused("message queue", "call(240, b'x', 0o102, 0o600, None)"),
    refused("large pipe", "import fcntl\nfcntl.fcntl(os.pipe()[1], 1031, 1 << 20)"),
    refused("become root", "os.setuid(0)"),
    refused("take capabilities", "call(126, struct.pack('Ii', 0x20080522, 0), b'\\xff' * 24)"),
    refused("another filter", "call(317, 1, 0, bytes(16))"),
    refused("another Landlock", "call(444, bytes(8), 8, 0)"),
    refused("personality", "call(135, 0x0400000)"),
    module("32-bit call", "jail-violation crash", """
        import mmap
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex('b814000000cd80c3'))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    """),
    module("raise the memory limit", "import", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
)  # fmt: skip

RESOURCES = (
    module("memory", "memory", "held = []\nwhile True:\n    held.append(torch.empty(1 << 26))", "init"),
    module("one huge tensor", "memory", "self.x = torch.empty(1 << 40)", "init"),
    module("disk", "output-too-large", """
        for n in range(100):
            open(str(n), 'wb').write(bytes(16 << 20))
        time.sleep(60)
    """),
    module("inodes", "output-too-large", """
        for n in range(1_000_000):
            open(str(n), 'w').close()
    """),
    refused("disk taken at once", "f = os.open('x', os.O_CREAT | os.O_RDWR)\ncall(285, f, 1, 0, 48 << 20)"),
    module("one huge file", "output-too-large", "open('x', 'wb').truncate(1 << 40)"),
    module("processor", "timeout", "while True:\n    pass", "forward", cpu_seconds=1),
    module("signals ignored", "timeout", """
        for n in set(range(1, 65)) - {9, 19, 32, 33}:
            signal.signal(n, signal.SIG_IGN)
        time.sleep(60)
    """, wall_seconds=0.3),
    module("threads", "import", """
        stop = threading.Event()
        for _ in range(5000):
            threading.Thread(target=stop.wait, daemon=True).start()
    """),
    module("descriptors", "import", "held = [os.dup(0) for _ in range(5000)]"),
    module("output", "output-too-large", "while True:\n    print('x' * 65536)", "forward"),
    module("unrolled graph", "timeout output-too-large memory", """
        for _ in range(10**9):
            x = x + 1
    """, "forward", wall_seconds=2.0),
    module("huge constant", "output-too-large memory", "self.register_buffer('x', torch.ones(1 << 25))", "init"),
)  # fmt: skip

PYTHON = (
    module("deep brackets", "syntax", "x = " + "(" * 5000 + ")" * 5000),
    module("deep expression", "crash memory syntax import", "x = " + "-" * 200_000 + "1"),
    module("deep attribute chain", "crash memory syntax import", "x = os" + ".x" * 100_000),
    refused("pickled call", """
        import pickle
        class Bomb:
            def __reduce__(self):
                return os.open, (GUARD + '/planted', os.O_CREAT | os.O_WRONLY)
        pickle.loads(pickle.dumps(Bomb()))
    """),
    refused("pickled call in a checkpoint", """
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (GUARD + '/planted',)
        torch.save({'state': Bomb()}, 'own.pt')
        torch.load('own.pt', weights_only=False)
    """, "init"),
    module("os through __subclasses__", "import", """
        found = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close']
        assert found[0].__init__.__globals__['system']('touch ' + GUARD + '/planted') == 0
    """),
    module("frames of the caller", "crash import", """
        frame = sys._getframe()
        while frame:
            if 'tasks' in frame.f_locals:
                frame.f_locals['tasks'].clear()
            frame = frame.f_back
        raise SystemExit
    """),
    module("end without a reply", "crash", "os._exit(0)", "init"),
    module("half a reply", "crash", "os.write(4, struct.pack('>I', 100) + b'{')\nos._exit(0)"),
    module("reply with half a character in raw bytes", "crash", """
        body = b'{"ok":true,"data":{"graph":"\\xed\\xa0\\x80"},"blobs":[]}'
        os.write(4, struct.pack('>I', len(body)) + body)
        os._exit(0)
    """),
    module("two replies", "crash", """
        body = b'{"ok":true,"data":{"graph":{}},"blobs":[]}'
        os.write(4, struct.pack('>I', len(body)) + body)
    """),
    module("claims that the jail is broken", "crash", "os.write(4, b'-no jail')\nos._exit(1)"),
    module("reply pipe closed", "crash", "os.close(4)", "forward"),
    module("late deeds", "crash", """
        import atexit, weakref
        plant = lambda *_: open(GUARD + '/planted', 'w')
        class Late:
            __del__ = plant
        keep = Late()
        atexit.register(plant)
        weakref.finalize(keep, plant)
        threading.Thread(target=time.sleep, args=(3600,)).start()
        raise SystemExit
    """),
    module("broken tools", "crash", "import json\njson.dumps = None", "forward"),
    module("metaclass that hangs", "timeout", """
        class Meta(type):
            def __instancecheck__(cls, other):
                while True:
                    time.sleep(1)
            __subclasscheck__ = __instancecheck__
        class Fake(metaclass=Meta):
            pass
        isinstance(1, Fake)
    """, wall_seconds=0.3),
)  # fmt: skip
