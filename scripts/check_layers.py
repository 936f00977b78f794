#!/usr/bin/env python3
"""Holds the sources to the layers of docs/architecture.md.

A module of src/ includes itself and modules of lower levels; public headers include only the
standard library and dtrain/ headers, and each is listed where the package takes its headers from;
third-party headers stay in the modules that wrap them; headers that the oldest supported compilers
lack are not included. Without arguments checks this repository; --self-test plants violations in
a copy of the rules' world and expects each to be found.
"""

import pathlib
import re
import sys
import tempfile

LEVELS = {
    "base": 0,
    "tensor": 1, "observe": 1, "process": 1,
    "compute": 2, "wire": 2,
    "transport": 3,
    "cluster": 4, "checkpoint": 4, "model": 4, "data": 4,
    "ps": 5, "collective": 5,
    "strategy": 6, "saved_model": 6, "bench": 6,
    "app": 7,
}

# Third-party headers, by how their path begins, and the modules that may include them.
WRAPPED = {
    "Eigen/": {"compute"},
    "zmq.h": {"transport", "cluster", "bench"},
    "zmq.hpp": {"transport"},
    "spdlog/": {"observe"},
    "CLI/": {"app"},
    "csv.h": {"data"},
    "zlib.h": {"data"},
}

# Missing or half there in g++ 12 or clang 14; fmt only ever comes with spdlog.
FORBIDDEN = {"format", "source_location", "ranges", "print", "expected", "fmt/"}

STANDARD = set("""
    algorithm any array atomic barrier bit bitset charconv chrono cmath compare complex concepts
    condition_variable cstddef cstdint cstdio cstdlib cstring ctime deque exception filesystem
    forward_list fstream functional future initializer_list iosfwd iostream iterator latch limits
    list map memory mutex new numbers numeric optional ostream istream queue random ratio semaphore
    set shared_mutex span sstream stack stdexcept stop_token string string_view system_error thread
    tuple type_traits typeindex typeinfo unordered_map unordered_set utility variant vector version
""".split())

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MODULES_OF = re.compile(r"dtrain_module\(\s*\w+(.*?)\)", re.DOTALL)


def includes(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def is_in(header, prefixes):
    return any(header == p or (p.endswith("/") and header.startswith(p)) for p in prefixes)


def check_order(module, other, place):
    """Whether `module` may use `other`."""
    if other not in LEVELS:
        yield f"{place}: {other} is no module of scripts/check_layers.py"
    elif other != module and LEVELS[other] >= LEVELS[module]:
        yield (f"{place}: {module} (level {LEVELS[module]}) may not use {other} "
               f"(level {LEVELS[other]})")


def check_source(root, path, module):
    for number, bracket, header in includes(path):
        place = f"{path.relative_to(root)}:{number}"
        if is_in(header, FORBIDDEN):
            yield f"{place}: <{header}> is not to be included"
        for prefix, allowed in WRAPPED.items():
            if is_in(header, [prefix]) and module is not None and module not in allowed:
                yield f"{place}: <{header}> belongs to {', '.join(sorted(allowed))} only"
        first = header.split("/")[0]
        if bracket == '"' and module is not None and first != "dtrain":
            yield from check_order(module, first, place)


def check_public_header(root, path):
    for number, bracket, header in includes(path):
        place = f"{path.relative_to(root)}:{number}"
        if bracket == '"' and not header.startswith("dtrain/"):
            yield f"{place}: a public header includes \"{header}\", not a dtrain/ header"
        if bracket == "<" and header not in STANDARD:
            yield f"{place}: a public header includes <{header}>, not of the standard library"


def check_module_list(root, path):
    """The MODULES that a src/<module>/CMakeLists.txt links."""
    for rest in MODULES_OF.findall(path.read_text(encoding="utf-8")):
        match = re.search(r"\bMODULES\b(.*?)(?:\b(?:SOURCES|LIBRARIES)\b|$)", rest, re.DOTALL)
        for other in match.group(1).split() if match else []:
            yield from check_order(path.parent.name, other, str(path.relative_to(root)))


def check(root):
    problems = []
    install = root / "cmake" / "install.cmake"
    listed = install.read_text(encoding="utf-8") if install.exists() else ""
    for path in sorted((root / "include").rglob("*.h*")):
        problems += check_public_header(root, path)
        name = path.relative_to(root / "include").as_posix().removesuffix(".in")
        if name not in listed:
            problems.append(f"{name} is not listed in cmake/install.cmake")
    for path in sorted((root / "src").rglob("*")):
        parts = path.relative_to(root / "src").parts
        if len(parts) == 1 and path.is_dir() and path.name not in LEVELS:
            problems.append(f"src/{path.name} is no module of scripts/check_layers.py")
        if len(parts) < 2 or parts[0] not in LEVELS:
            continue
        if path.suffix in (".h", ".cc"):
            problems += check_source(root, path, parts[0])
        elif path.name == "CMakeLists.txt":
            problems += check_module_list(root, path)
    for folder in ("tests", "examples", "benchmarks", "include"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                problems += check_source(root, path, None)
    return problems


CLEAN = {
    "cmake/install.cmake": "dtrain/fine.h dtrain/version.h",
    "include/dtrain/fine.h": '#include <vector>\n#include "dtrain/version.h"\n',
    "include/dtrain/version.h.in": "",
    "src/base/a.h": "#include <sys/socket.h>\n",
    "src/ps/a.cc": '#include "ps/a.h"\n#include "base/a.h"\n#include "dtrain/fine.h"\n',
    "src/ps/CMakeLists.txt": "dtrain_module(ps SOURCES a.cc\n  MODULES base wire LIBRARIES x)\n",
    "src/compute/a.cc": "#include <Eigen/Core>\n",
}

# File, its text, and what the check must say.
VIOLATIONS = [
    ("src/base/b.cc", '#include "ps/a.h"\n', "src/base/b.cc:1: base (level 0) may not use ps"),
    ("src/tensor/b.cc", '\n#include "observe/a.h"\n', "src/tensor/b.cc:2: tensor (level 1) may not"),
    ("src/ps/b.cc", '# include "elsewhere/a.h"\n', "elsewhere is no module"),
    ("src/ps/b.cc", "#include <Eigen/Core>\n", "<Eigen/Core> belongs to compute only"),
    ("src/ps/b.cc", "#include <format>\n", "<format> is not to be included"),
    ("tests/ps/b.cc", "#include <fmt/core.h>\n", "<fmt/core.h> is not to be included"),
    ("src/wire/CMakeLists.txt", "dtrain_module(wire SOURCES a.cc MODULES base ps)\n",
     "wire (level 2) may not use ps"),
    ("src/other/b.cc", "", "src/other is no module"),
    ("include/dtrain/fine.h", '#include "base/a.h"\n', 'includes "base/a.h", not a dtrain/'),
    ("include/dtrain/fine.h", "#include <zmq.h>\n", "includes <zmq.h>, not of the standard"),
    ("include/dtrain/new.h", "", "dtrain/new.h is not listed"),
]


def problems_of(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return check(root)


def self_test():
    failures = [f"clean files: {problem}" for problem in problems_of(CLEAN)]
    for name, text, expected in VIOLATIONS:
        found = problems_of(CLEAN | {name: text})
        if not any(expected in problem for problem in found):
            failures.append(f"{name} with {text!r}: expected '{expected}', found {found}")
    return failures


def main():
    if sys.argv[1:] not in ([], ["--self-test"]):
        sys.exit("usage: scripts/check_layers.py [--self-test]")
    root = pathlib.Path(__file__).resolve().parent.parent
    problems = self_test() if sys.argv[1:] else check(root)
    print("\n".join(problems) if problems else "ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
