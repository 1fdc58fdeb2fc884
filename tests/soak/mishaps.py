"""Disruptions of the stack: nginx reloads, a sidecar is killed and restarted, the control plane restarts."""

import asyncio
import json
import os
import signal
from functools import partial
from pathlib import Path

import httpx2

from tests.soak import truth
from tests.soak.changes import Changes
from tests.support.services.stack import Service, StackUnderTest
from tests.support.waiting import eventually


async def reload_nginx(gate: StackUnderTest) -> None:
    before = _workers(gate.nginx.pid)
    os.kill(gate.nginx.pid, signal.SIGHUP)
    await asyncio.to_thread(
        eventually, lambda: not _workers(gate.nginx.pid) & before, 30, what="the old workers are gone"
    )


async def kill_sidecar(gate: StackUnderTest) -> None:
    await asyncio.to_thread(gate.sidecars[0].kill)


async def return_sidecar(gate: StackUnderTest) -> None:
    gate.sidecars[0].start()
    await asyncio.to_thread(gate.sidecars[0].wait_ready)


async def restart_control_plane(gate: StackUnderTest, changes: Changes) -> None:
    """Restart it while no changes are made. Changes before and after it must still reach the gate."""
    async with changes.quiet:
        await asyncio.sleep(truth.TOLERANCE_SECONDS)
        await asyncio.to_thread(gate.control_plane.stop)
        gate.control_plane.start()
        await asyncio.to_thread(gate.control_plane.wait_ready)
        for sidecar in gate.sidecars:
            await asyncio.to_thread(eventually, partial(_follows, sidecar), 30, what="the sidecar follows again")


def _follows(sidecar: Service) -> bool:
    """Return whether the sidecar reports the control plane as reachable."""
    socket = sidecar.spec.argv[-1]
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=socket)) as client:
        answer = client.get("http://sidecar/health")
    return bool(json.loads(answer.text)["controlPlane"] == "ok")


def _workers(master: int) -> set[str]:
    return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())
