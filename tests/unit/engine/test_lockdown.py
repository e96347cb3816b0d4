"""Each restriction, tried from inside a process that locked itself down."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROLOGUE = """
import ctypes, errno, os, signal, socket, sys, threading, resource
from appliance.engine.worker.lockdown import lock_down
memfd = os.memfd_create("weights")
os.write(memfd, b"weights")
pair = socket.socketpair()
libc = ctypes.CDLL(None, use_errno=True)
def denied(action, *numbers):
    try:
        action()
    except OSError as error:
        assert error.errno in (numbers or (errno.EPERM, errno.EACCES)), error
    else:
        raise AssertionError("it was allowed")
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
report = lock_down()
"""


def inside(code: str, prologue: str = PROLOGUE) -> None:
    done = subprocess.run(
        [sys.executable, "-c", prologue + code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


ATTEMPTS = {
    "open a file": 'denied(lambda: os.open("/etc/hostname", os.O_RDONLY))',
    "list a folder": 'denied(lambda: os.listdir("/"))',
    "create a file": 'denied(lambda: os.open("/tmp/x", os.O_WRONLY | os.O_CREAT))',
    "write to its weights": 'denied(lambda: os.open(f"/proc/self/fd/{memfd}", os.O_RDWR))',
    "make a TCP socket": "denied(lambda: socket.socket())",
    "make a Unix socket": "denied(lambda: socket.socket(socket.AF_UNIX))",
    "make a netlink socket": "denied(lambda: socket.socket(socket.AF_NETLINK))",
    "make another socket pair": "denied(socket.socketpair)",
    "run a program": 'denied(lambda: os.execv("/bin/true", ["true"]))',
    "fork": "denied(os.fork)",
    "fork by clone3": "denied(lambda: call(435, ctypes.create_string_buffer(88), 88), 38)",
    "vfork": "denied(lambda: call(58))",
    "trace": "denied(lambda: call(101, 0, 0, 0, 0))",
    "read another process's memory": "denied(lambda: call(310, os.getpid(), 0, 0, 0, 0, 0))",
    "signal its parent": "denied(lambda: os.kill(os.getppid(), 0))",
    "signal a thread of its parent": "denied(lambda: call(234, os.getppid(), os.getppid(), 0))",
    "raise a limit": "denied(lambda: call(302, 0, 4, ctypes.create_string_buffer(16), 0))",
    "make memory files": 'denied(lambda: os.memfd_create("x"))',
    "use io_uring": "denied(lambda: call(425, 4, ctypes.create_string_buffer(120)))",
    "load BPF": "denied(lambda: call(321, 0, 0, 0))",
    "mount": "denied(lambda: call(165, 0, 0, 0, 0, 0))",
    "enter other namespaces": "denied(lambda: call(272, 0))",
    "make itself dumpable": "denied(lambda: call(157, 4, 1, 0, 0, 0))",
    "use the 32-bit numbers": "denied(lambda: call(0x40000000 | 41, 2, 1, 0))",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_worker_cannot(attempt: str) -> None:
    inside(ATTEMPTS[attempt])


def test_what_it_needs_still_works() -> None:
    inside(
        """
with open(f"/proc/self/fd/{memfd}", "rb") as file:
    assert file.read() == b"weights"
pair[0].sendall(b"x"); assert pair[1].recv(1) == b"x"
done = []
thread = threading.Thread(target=lambda: done.append(1)); thread.start(); thread.join()
assert done
signal.setitimer(signal.ITIMER_REAL, 0.01); signal.signal(signal.SIGALRM, lambda *_: done.append(2))
while len(done) < 2: pass
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert bytearray(64 << 20)
"""
    )


def test_an_ordinary_user_can_lock_itself_down_as_well() -> None:
    """As a service does: without any capability, so by way of a user namespace."""
    ordinary = PROLOGUE.replace(
        "report = lock_down()",
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\nreport = lock_down()",
    )
    inside(
        """
assert set(report.refused) <= {"no-network"}, report  # a container may forbid user namespaces
with open(f"/proc/self/fd/{memfd}", "rb") as file:
    assert file.read() == b"weights"
denied(lambda: os.open("/etc/hostname", os.O_RDONLY))
denied(lambda: socket.socket())
""",
        ordinary,
    )


def test_threads_started_before_or_after_are_bound_as_well() -> None:
    inside(
        """
caught = []
def attempt():
    try: socket.socket()
    except OSError: caught.append(1)
thread = threading.Thread(target=attempt); thread.start(); thread.join()
assert caught
"""
    )


def test_real_templates_and_broken_ones_need_no_file_any_more() -> None:
    folder = ROOT / "build/llama-cpp/vendor/llama.cpp/models/templates"
    sources = [path.read_text() for path in sorted(folder.glob("*.jinja"))]
    sources += ["{{ '\\n' | wordwrap }}", "{% for %}", "{{ nothing.at_all }}", "{{ 1 / 0 }}"]
    done = subprocess.run(
        [sys.executable, "-c", TEMPLATES_IN_A_LOCKED_PROCESS],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        timeout=100,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    usable, rendered = map(int, done.stdout.split())
    assert usable == len(sources) - 1
    assert rendered >= len(sources) - 4


TEMPLATES_IN_A_LOCKED_PROCESS = """
import datetime, json, sys
from appliance.engine.worker import __main__
from appliance.engine.worker.lockdown import lock_down
from appliance.engine.worker.preload import preload
from appliance.engine.worker.template import ChatTemplate, ControlTokens, TemplateUnusableError
from appliance.errors import RefusalError
from appliance.generation.prompt import Message
sources = json.load(sys.stdin)
preload()
assert not lock_down().refused
usable = rendered = 0
for source in sources:
    try:
        variables = {"bos_token": "<s>", "eos_token": "</s>"}
        template = ChatTemplate(source, ControlTokens({}), variables, datetime.datetime.now)
        usable += 1
        template.render([Message(role="user", content="é x")])
        rendered += 1
    except (TemplateUnusableError, RefusalError):
        pass
print(usable, rendered)
"""


def test_this_machine_grants_every_restriction() -> None:
    inside("assert report.refused == (), report")


def test_the_report_names_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.engine.worker import lockdown

    for step in ("_forbid_new_privileges", "_leave_the_network", "_limit_resources",
                 "_forbid_dumping"):  # fmt: skip
        monkeypatch.setattr(lockdown, step, lambda: True)
    monkeypatch.setattr(lockdown, "_close_the_file_system", lambda: False)
    monkeypatch.setattr(lockdown.seccomp_filter, "install", lambda: False)
    report = lockdown.lock_down()
    assert report.refused == ("landlock", "seccomp")
    assert "no-network" in report.held


def test_an_unknown_architecture_gets_no_filter_rather_than_a_wrong_one() -> None:
    from appliance.engine.worker import seccomp_filter

    assert seccomp_filter.program("riscv64", os.getpid()) is None
