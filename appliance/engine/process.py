"""A worker process: started by exec with two inherited descriptors and nothing else.

Contract: `start` runs the worker with a minimal environment in a session of its own; only the
channel and the weights are inherited. The worker dies with the thread that started it, so `start`
is called on the main thread. `kill` is final and immediate; `exited` waits for the end.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import appliance

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from appliance.engine.worker.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
"""`python -I` ignores the working directory and PYTHONPATH: say where the package lies."""

_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # An abort in ggml would start a debugger and print a backtrace.
    "GGML_NO_BACKTRACE": "1",
    # Threads that allocate from pools of their own keep memory that is never given back.
    "MALLOC_ARENA_MAX": "2",
}


class WorkerProcess:
    """One running worker."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, channel: int, weights: int) -> "WorkerProcess":
        """Start a worker on two descriptors, which stay the caller's to close."""
        root = str(Path(appliance.__file__).parents[1])
        arguments = [str(channel), str(weights), str(os.getpid())]
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and code
            [sys.executable, "-I", "-c", _BOOT, root, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            pass_fds=(channel, weights),
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    async def exited(self) -> str:
        """Wait for its end; how it came, in words."""
        loop = asyncio.get_running_loop()
        status = await loop.run_in_executor(None, self._process.wait)
        if status >= 0:
            return f"exit status {status}"
        return f"signal {signal.Signals(-status).name}"
