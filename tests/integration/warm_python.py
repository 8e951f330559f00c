# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the files that ansible-playbook has packed for a host, each in a forked child of this process.

Most of the time of a module's process goes into importing boto3, and into compiling the packed sources, which come
without bytecode. Here boto3 is imported already, and bytecode is kept. The rest is taken from where Ansible packed it.
Runs in the Python of the tested environment, until its standard input is closed:

    python warm_python.py SOCKET FOLDER_FOR_BYTECODE
"""

from __future__ import annotations

import gc
import hashlib
import json
import marshal
import os
import runpy
import select
import socket
import sys
import zipimport
from functools import partial
from pathlib import Path
from types import CodeType

from forked import make_clients_quick, status_of


def keep_bytecode(folder: Path) -> None:
    """Compile each source of a zip file once. In tracebacks, its file then has the name that it had the first time."""
    compile_source = zipimport._compile_source

    def compile_once(path: str, source: bytes) -> CodeType:
        kept = folder / hashlib.sha256(source).hexdigest()
        if kept.exists():
            return marshal.loads(kept.read_bytes())
        code = compile_source(path, source)
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_bytes(marshal.dumps(code))
        written.replace(kept)
        return code

    zipimport._compile_source = compile_once


def run(connection: socket.socket) -> None:
    """What the process would do whose command has connected."""
    received, files, _flags, _address = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        received += more
    job = json.loads(received)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.umask(job["umask"])
    os.chdir(job["folder"])
    sys.argv = job["arguments"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    pid = os.getpid()
    status = status_of(partial(runpy.run_path, sys.argv[0], run_name="__main__"))
    if os.getpid() == pid:  # And not what the file has forked off.
        connection.sendall(str(status).encode())
    os._exit(status)


def reap() -> None:
    """Let go of children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main() -> None:
    make_clients_quick("appstream", "dynamodb", "s3")
    keep_bytecode(Path(sys.argv[2]))
    gc.collect()
    gc.freeze()  # Else the first collection in each child copies all memory.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _address = listener.accept()
            if os.fork() == 0:
                listener.close()
                run(connection)
            connection.close()
            reap()


if __name__ == "__main__":
    main()
