"""What ``deploy/compose.yaml`` starts, where there is no engine for containers: its commands, and its health checks.

Run: python -m telefine_assets_tests.deploy.without_containers [FOLDER OF PROGRAMS]

PostgreSQL, Redis and a bucket come from wheels; all else is as the compose file has it: the
folder that ``telefine init --profile cluster`` writes, the services' commands, environment
and health checks, one after the other until all are healthy, then the signal to end. Takes
two minutes, and the ports that are published there.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from telefine_assets_tests.deploy.files import DEPLOY, ours
from telefine_assets_tests.e2e.cluster import KEY, _databases, _redis
from telefine_assets_tests.s3_server import s3_server

PATIENCE_SECONDS = 180
HERE = {"http://webserver:3000": "http://127.0.0.1:3000", "http://pushgateway:9091": "http://127.0.0.1:9091"}


class Service:
    """One service, as a process of this machine."""

    def __init__(self, name: str, said: dict[str, Any], folder: Path, known: dict[str, str]) -> None:
        home = folder / name
        (home / "dagster").mkdir(parents=True)
        shipped = folder / "deployment" / ".telefine" / "dagster" / "dagster.yaml"
        (home / "dagster" / "dagster.yaml").write_text(shipped.read_text())
        own = {key: _filled(value, known) for key, value in said["environment"].items()}
        places = {"TELEFINE_CONFIG": str(folder / "deployment" / "telefine.yaml"), "TELEFINE_HOME": str(home)}
        places |= {"DAGSTER_HOME": str(home / "dagster"), "AWS_ENDPOINT_URL": known["AWS_ENDPOINT_URL"]}
        self.environment = known | own | places
        self.name, self.command, self.folder = name, said["command"], folder / "deployment"
        self.check: list[str] = said.get("healthcheck", {}).get("test") or _of_the_image()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it prints goes where ours does."""
        self.process = subprocess.Popen(self.command, env=self.environment, cwd=self.folder, start_new_session=True)

    def healthy(self) -> bool:
        """Whether its health check says so."""
        kind, *words = self.check
        command = words if kind == "CMD" else ["sh", "-c", words[0].replace("$$", "$")]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, check=False)
        return done.returncode == 0

    def end(self) -> int:
        """Tell it to end, as an engine does; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _filled(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: known[found[1]], HERE.get(value, value))


def _of_the_image() -> list[str]:
    (check,) = re.findall(r"^HEALTHCHECK.*?CMD (\[.*?\])$", (DEPLOY / "Dockerfile").read_text(), re.M | re.S)
    return ["CMD", *yaml.safe_load(check)]


def main(programs: Path) -> None:
    """Start all, wait until each is healthy, end all.

    Raises:
        AssertionError: a service did not come up, or did not end well.
    """
    with TemporaryDirectory(prefix="telefine-compose-") as name, s3_server() as s3:
        folder = Path(name)
        shell = {"PATH": f"{programs}{os.pathsep}/usr/bin:/bin", "HOME": name, "HOSTNAME": os.uname().nodename}
        init = [programs / "telefine", "init", folder / "deployment", "--profile", "cluster", "--module", "json:loads"]
        subprocess.run(init, env=shell, check=True)
        with _databases() as urls, _redis(folder) as redis:
            known = shell | _example(folder / "deployment" / ".env.example") | s3
            known |= {"TELEFINE_LEDGER__URL": urls("ledger", "psycopg"), "TELEFINE_SIGNER__PRIVATE_KEY": KEY}
            known |= {"TELEFINE_MLFLOW__TRACKING_URI": urls("mlflow", "psycopg")}
            known |= {"DAGSTER_POSTGRES_URL": urls("dagster", "psycopg2")}
            known |= {"CELERY_BROKER_URL": f"{redis}/0", "CELERY_RESULT_BACKEND": f"{redis}/1"}
            bucket, *services = sorted(_services(folder, known), key=lambda each: each.name != "bucket")
            subprocess.run(bucket.command, env=bucket.environment, check=True)
            _run(services)


def _services(folder: Path, known: dict[str, str]) -> list[Service]:
    return [Service(name, said, folder, known) for name, said in ours().items()]


def _run(services: list[Service]) -> None:
    began, waiting = time.monotonic(), list(services)
    try:
        for each in services:
            each.start()
        while waiting and time.monotonic() < began + PATIENCE_SECONDS:
            for each in [each for each in waiting if each.healthy()]:
                print(f"{each.name}: healthy after {time.monotonic() - began:.0f} s", flush=True)
                waiting.remove(each)
        assert not waiting, [each.name for each in waiting]
        ended = {each.name: each.end() for each in services}
        print(f"ended: {ended}")
        assert not any(ended.values()), ended
    finally:
        for each in services:
            if each.process is not None and each.process.poll() is None:
                os.killpg(each.process.pid, signal.SIGKILL)


def _example(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(sys.executable).parent).resolve())
