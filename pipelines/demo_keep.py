"""What `mainline demo --keep` leaves up, recorded by process id so that the next demo (or a person) can end it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipelines.demo_world import World
from pipelines.jsonfile import read_json, write_json
from pipelines.serve import Served, usable_port

OURS = ("services.serving", "mlflow")


def keep_up(world: World, servers: Sequence[Served], console: Console) -> None:
    """Start the MLflow UI beside the servers and say how to look at them and how to end them."""
    port = usable_port(0)
    store = ["--backend-store-uri", world.tracking_uri]
    with (world.folder / "mlflow" / "ui.log").open("wb") as log:
        ui = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "ui",
                *store,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=world.environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    pids = [*(server.pid for server in servers), ui.pid]
    write_json(_record(world), {"pids": pids})
    for server in servers:
        console.print(f"server: {server.url}/docs", markup=False)
    console.print(f"MLflow: http://127.0.0.1:{port} (up in about ten seconds)", markup=False)
    console.print(f"end them: kill {' '.join(str(pid) for pid in pids)}", markup=False)


def end_kept(world: World, console: Console) -> None:
    """End what an earlier demo left up; a process id that meanwhile is another program's is left alone."""
    path = _record(world)
    if not path.exists():
        return
    for pid in read_json(path)["pids"]:
        command = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if any(name in command for name in OURS):
            os.kill(int(pid), signal.SIGTERM)
            console.print(f"ended process {pid} of the demo before", markup=False)
    path.unlink()


def _record(world: World) -> Path:
    return world.folder.parent / "demo-kept.json"
