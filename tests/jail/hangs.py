"""Kinds of hang: what stands at one place of a backbone and never comes to an end."""

from __future__ import annotations

from hostile import Module, module


def hang(name: str, code: str, where: str = "import", ends: str = "timeout", **limits: object) -> Module:
    """Return a module that says where it is and then hangs."""
    return module(name, ends, f"print('reached', os.getpid(), flush=True)\n{code}", where, **limits)


HANGS = (
    hang("sleep", "time.sleep(3600)"),
    hang("spin", "while True:\n    pass", "init"),
    hang("spin that catches everything", """
while True:
    try:
        raise KeyboardInterrupt
    except BaseException:
        pass
""", "forward"),
    hang("loop in C", "import re\nre.match('(a*)*b', 'a' * 64)"),
    hang("big number", "x = 3 ** (10**9)", "forward"),
    hang("huge tensor operation", "x2 = torch.randn(6000, 6000)\nwhile True:\n    x2 = x2 @ x2", "forward"),
    hang("sleep that ignores signals", """
for n in set(range(1, 65)) - {9, 19, 32, 33}:
    signal.signal(n, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
time.sleep(3600)
"""),
    hang("spin that ignores SIGXCPU", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass", cpu_seconds=1,  # noqa: E501
         wall_seconds=3.0),
    hang("stopped by itself", "os.kill(os.getpid(), signal.SIGSTOP)", "init"),
    hang("dead lock", "lock = threading.Lock()\nlock.acquire()\nlock.acquire()"),
    hang("dead lock of two threads", """
a, b = threading.Lock(), threading.Lock()
met = threading.Barrier(2)
def take(first, second):
    with first:
        met.wait()
        with second:
            pass
other = threading.Thread(target=take, args=(a, b))
other.start()
take(b, a)
""", "init"),
    hang("import lock", """
import importlib
threading.Thread(target=lambda: (importlib._bootstrap._imp.acquire_lock(), time.sleep(3600)), daemon=True).start()
time.sleep(0.05)
importlib._bootstrap._imp.acquire_lock()
"""),
    hang("read of a pipe without a writer", "r, w = os.pipe()\nos.read(r, 1)", "forward"),
    hang("read of standard input", "while not sys.stdin.read():\n    pass"),
    hang("futex", "word = bytes(8)\nwhile True:\n    call(202, word, 128, 0, 0, 0, 0)"),
    hang("select", "import select\nselect.select([], [], [])"),
    hang("poll of the reply pipe", "import select\np = select.poll()\np.register(4, 0)\np.poll()", "init"),
    hang("yielding spin", "while True:\n    os.sched_yield()"),
    hang("endless generator", "sum(1 for _ in iter(int, 1))", "init"),
    hang("thread that is never joined", "t = threading.Thread(target=time.sleep, args=(3600,))\nt.start()\nt.join()", "forward"),  # noqa: E501
    hang("first thread that ends", "threading.Thread(target=time.sleep, args=(3600,)).start()\ncall(60, 0)"),
    hang("finalizer", """
class Late:
    def __del__(self):
        while True:
            time.sleep(1)
Late()
"""),
    hang("hook in backward", "x = x.requires_grad_()\nx.register_hook(lambda g: time.sleep(3600))", "forward"),
    hang("exception that is never formatted", """
class Endless(Exception):
    def __str__(self):
        while True:
            time.sleep(1)
raise Endless
"""),
    hang("endless forward", "while True:\n    x = x * 1.0001", "forward", "timeout memory"),
    hang("export without end", """
if not isinstance(x, torch._subclasses.FakeTensor):
    pass
else:
    while True:
        time.sleep(1)
""", "forward", wall_seconds=6.0),
    hang("pause in C that holds the interpreter", "ctypes.PyDLL(None).pause()"),
)  # fmt: skip
