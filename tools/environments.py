# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build environments in build/: those of the demo, of the tests and of the linters, which nox sessions share.

Usage: environments.py NAME...

An environment is built again when its requirements or its Python change; a link to one is taken as it is. Needs only
Python 3.11 or newer and a package index that pip can reach.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
REQUIREMENTS = CHECKOUT / "requirements"
# The Pythons that tests and tools support, the best first: 3.12 runs both the oldest and the newest ansible-core.
PYTHONS = ("3.12", "3.11", "3.13", "3.14")
# The versions of ansible-core that have sessions of their own, each with the Pythons that it supports as a controller.
CORES = {
    "2.16": ("3.12", "3.11"),
    "2.17": ("3.12", "3.11"),
    "2.18": ("3.13", "3.12", "3.11"),
    "2.19": ("3.13", "3.12", "3.11"),
    "2.20": ("3.14", "3.13", "3.12"),
    "2.21": ("3.14", "3.13", "3.12"),
    "2.22": ("3.14", "3.13"),
}
# Its tests may fail.
PRE_RELEASE = "2.22"
# amazon.aws 10 and newer need ansible-core 2.17.
NEEDS_OLDER_AMAZON_AWS = "2.16"
# Even if the user has switched bytecode off: otherwise every process would compile Ansible again.
WITH_BYTECODE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class MissingPythonError(Exception):
    """None of the Pythons that an environment can be built with is installed."""


@functools.cache
def find_python(versions: tuple[str, ...] = PYTHONS) -> str:
    """Return the path of the first of these Pythons that is installed.

    Those of pyenv are looked for in its own folder, since its shims only run the versions that are selected.

    Raises:
        MissingPythonError: None is.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
        for candidate in filter(None, candidates):
            if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
                return candidate
    raise MissingPythonError(f"None of these is installed: Python {', '.join(versions)}")


def build_venv(name: str, requirements: Iterable[str], pythons: tuple[str, ...] = PYTHONS, core: str = "") -> None:
    """Build a virtual environment; each of the requirement files is installed on top of those before it.

    ``core`` is the requirement of an ansible-core that no file names.
    """
    folder = BUILD / name
    python = find_python(pythons)
    if not _is_built_with(folder, python):
        _say(f"Building {_relative(folder)} with {_version(python)}: this takes a minute or two, once.")
        _run(python, "-m", "venv", "--clear", folder)
        _pip(folder, "--upgrade", "pip>=25.1,<27")
        _set_stamp(folder / ".python", _version(python))
    for each in requirements:
        file, stamp = REQUIREMENTS / f"{each}.txt", folder / f".{each}"
        content = f"{core}{file.read_text(encoding='utf-8')}"
        if _is_stamped(stamp, content):
            continue
        _say(f"Building {_relative(folder)}: installing {_relative(file)}.")
        _pip(folder, "--no-compile", "--requirement", file, *([core] if core else []))
        # In parallel; some packages have templates that cannot be compiled.
        compile_all = [folder / "bin/python", "-m", "compileall", "-q", "-j", "0", folder / "lib"]
        subprocess.run(compile_all, env=WITH_BYTECODE, check=False)
        _set_stamp(stamp, content)


def build_core(core: str) -> None:
    """Build the virtual environment for one version of ansible-core, with the newest of the rest."""
    package = f"ansible-core~={core}.0" + ("rc1" if core == PRE_RELEASE else "")
    build_venv(f"venv-{core}", ["core"], CORES[core], package)


def build_collections(name: str, *more: str) -> None:
    """Build a tree of collections: this checkout as labstream.aws, with amazon.aws beside it.

    The requirement file of that name replaces the tree; each of the others adds what the tree lacks.
    """
    folder = BUILD / name
    for each in (name, *more):
        file, stamp = REQUIREMENTS / f"{each}.txt", folder / f".{each}"
        content = file.read_text(encoding="utf-8")
        if _is_stamped(stamp, content):
            continue
        _say(f"Building {_relative(folder)}: downloading what {_relative(file)} names.")
        if each == name:
            shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, CHECKOUT / "tools/collections_tree.py", file, folder)
        _set_stamp(stamp, content)


def build_botocore(name: str) -> None:
    """Install another botocore into a folder that goes before others on Python's path."""
    file, folder = REQUIREMENTS / f"{name}.txt", BUILD / name
    content = file.read_text(encoding="utf-8")
    if not _is_stamped(folder / ".stamp", content):
        build_venv("venv", ["runtime"])
        shutil.rmtree(folder, ignore_errors=True)
        _pip(BUILD / "venv", "--no-warn-conflicts", "--target", folder, "--requirement", file)
        _set_stamp(folder / ".stamp", content)


def build_dynalite() -> None:
    """Install a second implementation of DynamoDB. Without Node, the tests that use it are skipped."""
    file, folder = CHECKOUT / "tests/dynalite/package.json", BUILD / "dynalite"
    content = file.read_text(encoding="utf-8")
    if _is_stamped(folder / ".stamp", content):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(file, folder)
    npm = ["npm", "install", "--prefix", folder, "--cache", BUILD / "home/.npm", "--silent", "--no-audit", "--no-fund"]
    npm += ["--engine-strict", "--no-package-lock", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=20000"]
    if shutil.which("npm") and subprocess.run(npm, check=False).returncode == 0:
        _set_stamp(folder / ".stamp", content)
    else:
        _say("dynalite is skipped: it needs node, npm and a registry.")


def build_chromium() -> None:
    """Install the browser that opens handout pages, in a CI job that may do so, since it goes into the system.

    Without it, the tests that use it are skipped.
    """
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        return
    if os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = "apt-get update -qq && apt-get install -qq --no-install-recommends chromium"
        done = subprocess.run(["sh", "-c", install], env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        print(done.stdout, done.stderr, file=sys.stderr)
    _say("chromium is skipped: install it to test handout pages in a browser.")


ENVIRONMENTS: dict[str, Callable[[], None]] = {
    "nox": lambda: build_venv("nox", ["nox"]),
    "runtime": lambda: build_venv("venv", ["runtime"]),
    "newest": lambda: build_venv("venv", ["runtime", "test"]),
    "collections": lambda: build_collections("collections"),
    "collections-test": lambda: build_collections("collections", "collections-test"),
    "oldest": lambda: build_venv("venv-oldest", ["oldest"]),
    "collections-oldest": lambda: build_collections("collections-oldest"),
    "lint": lambda: build_venv("venv-lint", ["lint"]),
    "audit": lambda: build_venv("venv-audit", ["audit"]),
    "botocore-nimble": lambda: build_botocore("botocore-nimble"),
    "botocore-gamelift": lambda: build_botocore("botocore-gamelift"),
    "dynalite": build_dynalite,
    "chromium": build_chromium,
    **{f"core-{core}": functools.partial(build_core, core) for core in CORES},
    f"collections-{NEEDS_OLDER_AMAZON_AWS}": lambda: build_collections(f"collections-{NEEDS_OLDER_AMAZON_AWS}"),
}


# Those that also build another one's folder.
_SAME_FOLDER = {
    "runtime": "newest",
    "botocore-nimble": "newest",
    "botocore-gamelift": "newest",
    "collections-test": "collections",
}


def build(*names: str) -> None:
    """Build these environments, unless they are up to date; another process that builds one is waited for."""
    for name in names:
        with _lock(name):
            ENVIRONMENTS[name]()


def main() -> None:
    """Build the environments named on the command line, three at a time."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(build, sys.argv[1:]))


@contextmanager
def _lock(name: str) -> Iterator[None]:
    BUILD.mkdir(exist_ok=True)
    (BUILD / "home").mkdir(exist_ok=True)
    name = _SAME_FOLDER.get(name, name)
    with (BUILD / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_built_with(folder: Path, python: str) -> bool:
    return _is_stamped(folder / ".python", _version(python))


def _is_stamped(stamp: Path, content: str) -> bool:
    is_current = stamp.exists() and stamp.read_text(encoding="utf-8") == _digest(content)
    return is_current or stamp.parent.is_symlink()


def _set_stamp(stamp: Path, content: str) -> None:
    stamp.write_text(_digest(content), encoding="utf-8")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


@functools.cache
def _version(python: str) -> str:
    command = [python, "-c", "import sys; print('Python', sys.version)"]
    return " ".join(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def _pip(folder: Path, *arguments: str | Path) -> None:
    # Wheels only: a fresh machine has no compiler.
    _run(folder / "bin/python", "-m", "pip", "install", "-qq", "--only-binary", ":all:", *arguments)


def _run(*command: str | Path) -> None:
    subprocess.run(command, env=WITH_BYTECODE, check=True)


def _relative(path: Path) -> Path:
    return path.relative_to(CHECKOUT)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
