"""What a result cannot be read without: the machine, and the versions of what ran on it."""

from __future__ import annotations

import os
import pathlib
import platform
import subprocess


def _first(path: str, beginning: str) -> str:
    """The value of a `name : value` line of /proc."""
    try:
        for line in pathlib.Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(beginning):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return "unknown"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def describe() -> dict[str, str]:
    memory = _first("/proc/meminfo", "MemTotal").split()[0]
    flags = _first("/proc/cpuinfo", "flags").split()
    vectors = [name for name in ("avx2", "avx512f", "avx512_bf16") if name in flags]
    hypervisor = "hypervisor" in flags
    return {
        "processor": f"{_first('/proc/cpuinfo', 'model name')}, "
                     f"{len(os.sched_getaffinity(0))} cores, {' '.join(vectors) or 'no AVX2'}"
                     f"{', a virtual machine' if hypervisor else ''}",
        "memory": f"{int(memory) / (1 << 20):.1f} GiB" if memory.isdigit() else "unknown",
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', 'Linux')}, "
                  f"kernel {platform.release().split('-')[0]}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def versions() -> dict[str, str]:
    return {"compiler": _output("c++", "--version").partition("\n")[0] or "unknown",
            "Python": platform.python_version()}


def commit(root: pathlib.Path) -> str:
    """Of the clone, with `+` when files differ from it; empty where there is none."""
    head = _output("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no",
                      "--", ".", ":!docs")
    return f"{head}+" if head and changed else head
