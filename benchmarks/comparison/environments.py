"""Environments of peers, kept in the user's cache folder: made once, found again in no time.

Each is a folder named after what is in it: another requirement is another folder. It is made
beside its place and renamed into it, so that what has the name is whole.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import shutil
import sys
from dataclasses import dataclass, field
from collections.abc import Callable

from . import processes

INSTALL_DEADLINE_S = 900.0
IMPORT_DEADLINE_S = 180.0


class Unavailable(Exception):
    """Says why an environment cannot be had here, and what would help."""


@dataclass(frozen=True)
class Environment:
    python: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How to make one. `make` fills an empty folder; `open` says how to use a filled one."""
    name: str
    contents: str  # everything that decides what is in it
    make: Callable[[pathlib.Path, pathlib.Path], None]  # folder, log
    open: Callable[[pathlib.Path], Environment]
    modules: tuple[str, ...] = ()  # what must be there to import


def cache_root() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "dtrain" / "benchmarks"


def key(contents: str) -> str:
    """Of what decides an environment's contents; comments and empty lines do not."""
    lines = [line.split("#")[0].strip() for line in contents.splitlines()]
    return hashlib.sha256("\n".join(filter(None, lines)).encode()).hexdigest()[:16]


def prepare(recipe: Recipe, log: pathlib.Path, root: pathlib.Path | None = None,
            tell: Callable[[str], None] = print) -> Environment:
    """The environment, made if it is not there yet. Raises Unavailable."""
    root = root or cache_root()
    folder = root / f"{recipe.name}-{key(recipe.contents)}"
    if folder.is_dir():
        return recipe.open(folder)
    tell(f"installing {recipe.name} into {folder} (log: {log})")
    _remove_left_behind(root, recipe.name)
    partial = root / f"{recipe.name}.partial-{os.getpid()}"
    try:
        partial.mkdir(parents=True)
        recipe.make(partial, log)
        _import(recipe.open(partial), recipe.modules, log)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run was faster
                raise
    except (OSError, processes.Failed) as wrong:
        raise Unavailable(f"{recipe.name} cannot be installed: {wrong}") from wrong
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return recipe.open(folder)


def _import(environment: Environment, modules: tuple[str, ...], log: pathlib.Path) -> None:
    if modules:
        processes.run([environment.python, "-c", f"import {', '.join(modules)}"], log=log,
                      deadline_s=IMPORT_DEADLINE_S, environment=environment.variables)


def _remove_left_behind(root: pathlib.Path, name: str) -> None:
    """What runs that were killed had begun."""
    for partial in root.glob(f"{name}.partial-*"):
        owner = partial.name.rpartition("-")[2]
        if owner.isdigit() and not pathlib.Path("/proc", owner).exists():
            shutil.rmtree(partial, ignore_errors=True)


def venv(name: str, requirements: pathlib.Path, modules: tuple[str, ...],
         base_python: str = sys.executable) -> Recipe:
    """A virtual environment with what a file of pinned requirements names."""
    text = requirements.read_text(encoding="utf-8")

    def make(folder: pathlib.Path, log: pathlib.Path) -> None:
        try:
            processes.run([base_python, "-m", "venv", str(folder)], log=log,
                          deadline_s=INSTALL_DEADLINE_S)
        except processes.Failed as wrong:
            raise processes.Failed(f"{wrong}\nOn Debian: apt-get install python3-venv") from wrong
        processes.run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet",
                       "--no-input", "--only-binary", ":all:", "-r", str(requirements)],
                      log=log, deadline_s=INSTALL_DEADLINE_S)

    # bin/python finds its packages by where it lies, so the folder may be renamed; the scripts
    # beside it may not, and are not used.
    return Recipe(name, f"{text}\n{base_python} {platform.python_version()} {platform.machine()}",
                  make, lambda folder: Environment(str(folder / "bin/python")), modules)


def debian_packages(name: str, packages: list[str], modules: tuple[str, ...]) -> Recipe:
    """Debian packages and what they need beyond what is installed, unpacked into a folder: nothing
    on the system is changed."""
    release = _debian_release()

    def make(folder: pathlib.Path, log: pathlib.Path) -> None:
        downloads = folder / "downloads"
        downloads.mkdir()
        processes.run(["apt-get", "-qq", "download", *_needed(packages, log)], log=log,
                      folder=downloads, deadline_s=INSTALL_DEADLINE_S)
        for archive in sorted(downloads.glob("*.deb")):
            processes.run(["dpkg-deb", "--extract", str(archive), str(folder)], log=log,
                          deadline_s=INSTALL_DEADLINE_S)
        shutil.rmtree(downloads)

    return Recipe(name, f"{' '.join(packages)}\n{release} {platform.machine()}", make,
                  _open_unpacked, modules)


def _needed(packages: list[str], log: pathlib.Path) -> list[str]:
    """`package=version` of what apt would install."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise processes.Failed("this is not a Debian system; name a Python of your own that has "
                               "the package (see --help)")
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", "-qq", "-y",
               "-o", "Debug::NoLocking=1", *packages]
    try:
        plan = processes.run(command, log=log, deadline_s=120).output
    except processes.Failed:
        if os.geteuid() != 0:
            raise
        # A fresh machine has no lists yet.
        processes.run(["apt-get", "update", "-qq"], log=log, deadline_s=INSTALL_DEADLINE_S)
        plan = processes.run(command, log=log, deadline_s=120).output
    return planned(plan)


def planned(plan: str) -> list[str]:
    """`package=version` of each line of a simulated installation that looks like
    `Inst libsleef3 (3.5.1-3 Debian:12/stable [amd64])`; an upgrade has the old version before."""
    inst = [line.split() for line in plan.splitlines() if line.startswith("Inst ")]
    return [f"{words[1]}={next(word for word in words if word.startswith('('))[1:]}"
            for words in inst]


def _debian_release() -> str:
    try:
        return pathlib.Path("/etc/debian_version").read_text(encoding="ascii").strip()
    except OSError:
        return "not Debian"


def _open_unpacked(folder: pathlib.Path) -> Environment:
    triplet = f"{platform.machine()}-linux-gnu"
    roots = [folder / one for one in (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib")]
    # BLAS and LAPACK lie in folders of their own, which Debian's alternatives choose among: here
    # OpenBLAS's come before those of the reference implementation.
    own = [path for path in roots[0].glob("*/") if any(path.glob("lib*.so*"))]
    paths = [*sorted(own, key=lambda path: ("openblas" not in path.name, path.name)), *roots]
    return Environment("/usr/bin/python3",
                       {"LD_LIBRARY_PATH": ":".join(map(str, paths)),
                        "PYTHONPATH": str(folder / "usr/lib/python3/dist-packages"),
                        "PYTHONNOUSERSITE": "1"})


def own_python(python: str, modules: tuple[str, ...], log: pathlib.Path) -> Environment:
    """A Python of the user's own that has the modules. Raises Unavailable."""
    environment = Environment(python)
    try:
        _import(environment, modules, log)
    except processes.Failed as wrong:
        raise Unavailable(str(wrong)) from wrong
    return environment
