"""Servers side by side on loopback: start one, load it, read what its process tree cost. Linux only (/proc)."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def tree(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            rest += [int(child) for child in task.read_text().split()]
    return found


class Side:
    """One server in a process group of its own; `ready` is a path that answers 200 when it can be asked."""

    def __init__(self, command: list[str], port: int, ready: str, folder: Path, environ: dict[str, str]) -> None:
        self.port, self.started = port, time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "server.log").open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
                start_new_session=True,
            )
        while not self._answers(ready):
            if self.process.poll() is not None or time.monotonic() - self.started > 120:
                self.stop()
                raise SystemExit(f"a server did not start, see {folder}/server.log")
            time.sleep(0.05)
        self.ready_wall, self.ready_cpu, self.private = time.monotonic() - self.started, self.cpu(), 0.0

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def cpu(self) -> float:
        """Return the CPU seconds of the tree so far, those of its ended children too."""
        ticks = 0
        for pid in tree(self.process.pid):
            numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(number) for number in numbers[11:15])
        return ticks / TICK

    def private_mb(self) -> float:
        """Return the private memory of the tree's largest process, the worker."""
        sizes = []
        for pid in tree(self.process.pid):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            sizes.append(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
        return max(sizes) / 1024

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Cost:
    """What a load cost: CPU ms per request of the server, requests per second, latencies in ms, failures."""

    cpu_ms: float = 0.0
    rate: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    last: bytes = b""

    def percentile(self, share: float) -> float:
        return sorted(self.latencies)[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return the bytes of a keep-alive POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
    ]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + body


class _Client:
    """One connection that sends the same request again and again."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since, self.answer = 0.0, b""

    def ask(self, message: bytes) -> None:
        self.since, self.answer = time.perf_counter(), b""
        self.socket.sendall(message)

    def read(self) -> tuple[int, bytes] | None:
        """Return status and body once the reply is whole; a closed connection is status 0."""
        part = self.socket.recv(1 << 20)
        self.answer += part
        head, gap, body = self.answer.partition(b"\r\n\r\n")
        if not part:
            return 0, b""
        if not gap:
            return None
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        return (int(head.split()[1]), body) if len(body) >= int(names[b"content-length"]) else None


def load(side: Side, message: bytes | Sequence[bytes], count: int, connections: int = 1, pause: float = 0.0) -> Cost:
    """Send a request, or several in turn, `count` times over some connections, each waiting for its reply; return the cost.

    `pause` is in seconds, before each further request.
    """
    messages = cycle([message] if isinstance(message, bytes) else message)
    cost, clients = Cost(), [_Client(side.port) for _ in range(connections)]
    waiting = selectors.DefaultSelector()
    begun, cpu, left = time.perf_counter(), side.cpu(), count
    for client in clients:
        waiting.register(client.socket, selectors.EVENT_READ, client)
        client.ask(next(messages))
        left -= 1
    while len(cost.latencies) < count:
        for key, _ in waiting.select(timeout=120) or [_gave_up()]:
            done = key.data.read()
            if done is None:
                continue
            cost.latencies.append(1000 * (time.perf_counter() - key.data.since))
            cost.failed += done[0] != 200
            cost.last = done[1]
            if left > 0 and done[0]:
                if pause:
                    time.sleep(pause)
                key.data.ask(next(messages))
                left -= 1
            else:
                waiting.unregister(key.fileobj)
    cost.rate = count / (time.perf_counter() - begun)
    cost.cpu_ms = 1000 * (side.cpu() - cpu) / count
    for client in clients:
        client.socket.close()
    return cost


def _gave_up() -> tuple[selectors.SelectorKey, int]:
    raise SystemExit("a server gave no reply for two minutes")
