"""Soak of a studio: many clients at once, none of whom is to be lost or overtaken.

    python benchmarks/studio_soak.py starter --clients 50 --minutes 5

Each client asks for a clip, waits for it, and asks again, at an address of this machine. A request
that ends before one that was taken in earlier has overtaken it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil

PATIENCE = 900
"""Seconds that a client waits."""


@dataclass(frozen=True)
class Answered:
    """A request of a client: when it was taken in, and when its clip was there."""

    client: int
    asked: float
    ended: float
    error: str


def main() -> None:
    """Run it, and print what was found."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("target")
    words.add_argument("--clients", type=int, default=50)
    words.add_argument("--minutes", type=float, default=5.0)
    words.add_argument("--seconds", type=float, default=1.0, help="of each clip")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with (Path(folder) / "log.txt").open("w+") as log:
            server = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mousai_kit",
                    "studio",
                    asked.target,
                    "--headless",
                    "--port",
                    str(port),
                    "--gallery",
                    f"{folder}/gallery",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            try:
                wait_for_port(port)
                report(*soak(asked, port, psutil.Process(server.pid)))
            finally:
                server.terminate()
                server.wait()
            log.seek(0)
            print("tracebacks of the server:", log.read().count("Traceback"))
        print("clips in the gallery:", len(list(Path(folder, "gallery", "clips").iterdir())))


def soak(
    asked: argparse.Namespace, port: int, server: psutil.Process
) -> tuple[list[Answered], list[float]]:
    """Let the clients ask; return their requests, and the server's memory in MiB, each second."""
    name, end = Path(asked.target).stem, time.monotonic() + 60 * asked.minutes
    found: list[Answered] = []

    def ask(number: int) -> None:
        seed = 0
        while time.monotonic() < end:
            seed += 1
            began, error = time.monotonic(), ""
            try:
                made = make(
                    port, system=name, prompt="x", seconds=asked.seconds, seed=1000 * number + seed
                )
                if made["clips"][0]["settings"]["seed"] != 1000 * number + seed:
                    error = "another's clip"
            except Exception as fault:  # it counts as lost
                error = repr(fault)
            found.append(Answered(number, began, time.monotonic(), error))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(asked.clients)]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        memory.append(server.memory_info().rss / 2**20)
        time.sleep(1)
    return found, memory


def make(port: int, **asked: object) -> dict[str, Any]:
    """Ask for clips as curl would; return the last of what is told of them."""
    place = f"http://127.0.0.1:{port}/gradio_api/call/v2/make"
    request = urllib.request.Request(place, json.dumps(asked).encode())
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        event = json.load(answer)["event_id"]
    told: dict[str, Any] = {}
    with urllib.request.urlopen(f"{place}/{event}", timeout=PATIENCE) as states:
        kind = ""
        for line in states:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind in ("generating", "complete"):
                told = (json.loads(value) or [told])[0] or told
            elif name == "data" and kind == "error":
                raise RuntimeError(value)
    return told


def report(found: list[Answered], memory: list[float]) -> None:
    """Print what was found."""
    lost = [one for one in found if one.error]
    waits = sorted(one.ended - one.asked for one in found)
    counts = [sum(one.client == n for one in found) for n in {one.client for one in found}]
    overtaken = [
        second.asked - first.asked
        for first, second in combinations(sorted(found, key=lambda one: one.asked), 2)
        if second.ended < first.ended - 0.2
    ]
    print(f"requests: {len(found)}, lost: {len(lost)}", *{one.error for one in lost})
    print(f"clips of a client: {min(counts)} to {max(counts)}")
    print(f"wait: median {statistics.median(waits):.1f} s, longest {waits[-1]:.1f} s")
    later = max(overtaken, default=0.0)
    print(f"overtaken: {len(overtaken)} pairs, by requests at most {later:.2f} s later")
    fifth = max(1, len(memory) // 5)
    parts = [memory[n : n + fifth] for n in range(0, 5 * fifth, fifth)]
    told = " ".join(f"{statistics.median(part):.0f}" for part in parts if part)
    print(f"memory, fifth by fifth: {told} MiB")


def free_port() -> int:
    """Return a port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError("the studio did not start")


if __name__ == "__main__":
    main()
