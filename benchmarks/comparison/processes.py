"""Runs commands so that nothing of them is left: not after a deadline, not after Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_ENDING_S = 2.0
_LOG_TAIL = 1500
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A command that did not end well; the text says which, how and what it printed last. `output`
    is what it had printed, if it ended by itself."""

    def __init__(self, text: str, output: str = "") -> None:
        super().__init__(text)
        self.output = output


@dataclass(frozen=True)
class Finished:
    output: str
    seconds: float


def adopt_orphans() -> None:
    """Processes whose parent ends become this one's children, so that it can end them. Once, at
    the start of the program."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Of a process, children before their own children."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(one) for one in task.read_text(encoding="ascii").split()]
        except OSError:  # it has just ended
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def _is_zombie(pid: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def end_descendants() -> None:
    """Ends every process that this one has started, and theirs: first kindly, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        limit = time.monotonic() + _ENDING_S
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        while any(not _is_zombie(pid) for pid in descendants(os.getpid())):
            if time.monotonic() > limit:
                break
            time.sleep(0.02)  # a poll with a deadline: these are not all our children
        else:
            break
    _reap()


def run(command: list[str], *, log: pathlib.Path, deadline_s: float,
        environment: dict[str, str] | None = None,
        folder: pathlib.Path | None = None) -> Finished:
    """Runs one command to its end and returns its standard output; standard error goes to `log`.
    Raises Failed when it cannot be started, fails, or has not ended after `deadline_s`. Whatever
    happens, no process of it is left."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)

    begin = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    what = " ".join(command)
    try:
        with open(log, "ab") as errors:
            errors.write(f"\n$ {what}\n".encode())
            errors.flush()
            try:
                # A session of its own: Ctrl-C comes to this process alone, which ends them all.
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                    env={**os.environ, **(environment or {})}, cwd=folder,
                    start_new_session=True, preexec_fn=die_with_parent)
            except OSError as wrong:
                raise Failed(f"{what} cannot be started: {wrong}") from wrong
            try:
                output = child.communicate(timeout=deadline_s)[0].decode(errors="replace")
            except subprocess.TimeoutExpired as late:
                raise Failed(f"{what} had not ended after {deadline_s:.0f} s") from late
        if child.returncode != 0:
            raise Failed(f"{what} ended with {child.returncode}: {_tail(log, output)}", output)
        return Finished(output, time.monotonic() - begin)
    finally:
        end_descendants()


def _tail(log: pathlib.Path, output: str) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
    text = text.partition("\n")[2].strip() or output.strip()
    return text[-_LOG_TAIL:] or "it printed nothing"
