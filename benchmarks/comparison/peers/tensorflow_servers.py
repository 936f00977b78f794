"""TensorFlow's servers as real processes, one computing thread each; they end with the process that
started them. `python tensorflow_servers.py` is one of them, told by TF_CONFIG what it is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import IO

import common

Cluster = dict[str, list[str]]


def free_ports(count: int) -> list[int]:
    """Taken together, so that no two are the same; TensorFlow binds them itself."""
    sockets = []
    for _ in range(count):
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        sockets.append(taken)
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


class Servers:
    """The workers and servers of a cluster: started on entering, killed on leaving. What they
    print goes to `log`, and to standard error when the body fails."""

    def __init__(self, cluster: Cluster, log: IO[bytes]) -> None:
        self._cluster = cluster
        self._log = log
        self._children: list[tuple[str, subprocess.Popen]] = []

    def __enter__(self) -> Servers:
        die = common.dying_with(os.getpid())
        for job in ("ps", "worker"):
            for index in range(len(self._cluster.get(job, []))):
                config = {"cluster": self._cluster, "task": {"type": job, "index": index}}
                self._children.append((job, subprocess.Popen(
                    [sys.executable, __file__], stdin=subprocess.DEVNULL, stdout=self._log,
                    stderr=self._log, env={**os.environ, "TF_CONFIG": json.dumps(config)},
                    preexec_fn=die)))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for _, child in self._children:
            child.kill()
        for _, child in self._children:
            child.wait()
        if kind is not None:
            self._log.seek(0)
            sys.stderr.write(self._log.read().decode(errors="replace")[-4000:])

    def pss_bytes(self, job: str) -> int:
        """Of the largest."""
        return max(common.pss_bytes(child.pid) for name, child in self._children if name == job)


def serve() -> None:
    common.one_thread()
    import tensorflow as tf
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    config = tf.compat.v1.ConfigProto()
    config.intra_op_parallelism_threads = 1
    # Threads that wait, which TensorFlow asks for: fewer than workers + 1 can deadlock.
    workers = resolver.cluster_spec().as_dict().get("worker", [])
    config.inter_op_parallelism_threads = len(workers) + 1
    tf.distribute.Server(resolver.cluster_spec(), job_name=resolver.task_type,
                         task_index=resolver.task_id, protocol="grpc", config=config).join()


if __name__ == "__main__":
    serve()
