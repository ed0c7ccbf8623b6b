"""Build the image and run the services of docker-compose.yml from it on a loopback venue.

Bot, sidecar and venue are started as the compose file's paper profile would start them, until
parameters are published, the health check passes and the bot has sent a quote. Then all of it is
stopped. Docker is used where its daemon answers, otherwise buildah in a chroot, which needs root
on Linux. Nothing of this checkout's user_data is touched.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from advanced_mm.errors import InputError
from advanced_mm.journal import JOURNAL_FOLDER, QuoteSent, read_journal

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
SIZE_LIMIT_MB = 900  # what the image may add to its base
PATIENCE_SECONDS = 240.0
# Only here: with half an hour of recorded past nobody waits five minutes for the first fit.
PAST = ["--history-dir", "user_data/paper/HL_data"]


class CheckError(Exception):
    """The check cannot be made, or found something wrong; its text says what."""


@dataclass(frozen=True)
class Service:
    """One service of the compose file, its variables filled in."""

    name: str
    command: list[str]
    user: str
    environment: dict[str, str] = field(default_factory=dict)
    volumes: list[tuple[str, str]] = field(default_factory=list)  # of the host, in the container
    health: str | None = None  # a shell command
    network: str = "bridge"  # or "service:NAME": that one's
    waits_for: tuple[str, ...] = ()  # services that must be healthy first


def services_of(compose: Path, env_file: Path, variables: Mapping[str, str]) -> list[Service]:
    """Read the compose file with the variables of ``env_file`` and, above them, ``variables``.

    The services that own a network come first, as Docker starts them.
    """
    pairs = (line.partition("=") for line in env_file.read_text().splitlines() if "=" in line)
    values = {name: value for name, _, value in pairs if not name.startswith("#")}
    values.update(variables)
    blocks = yaml.safe_load(compose.read_text())["services"]
    services = [_service(name, block, values) for name, block in blocks.items()]
    return sorted(services, key=lambda service: service.network.startswith("service:"))


def _service(name: str, block: Mapping[str, Any], values: Mapping[str, str]) -> Service:
    def filled(text: str) -> str:
        return re.sub(
            r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})",
            lambda m: m[1] or values.get(m[2]) or m[3] or "",
            text,
        )

    test = block.get("healthcheck", {}).get("test", [])
    return Service(
        name,
        shlex.split(filled(block["command"])),
        filled(block["user"]),
        {key: filled(value) for key, value in block.get("environment", {}).items()},
        [(v.split(":")[0], v.split(":")[1]) for v in map(filled, block.get("volumes", []))],
        filled(test[1]) if test else None,
        filled(block.get("network_mode", "bridge")),
        tuple(block.get("depends_on", {})),
    )


def _output(command: Sequence[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CheckError(f"{shlex.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def _loud(command: Sequence[str | Path]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        raise CheckError(
            f"the image could not be built ({shlex.join(map(str, command))}); "
            "one built by other means is checked with --image NAME"
        )


class Docker:
    """The containers as Docker's daemon runs them, each with a name of its own."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._prefix = f"mm-check-{os.getpid()}"
        self._started: set[str] = set()

    def build(self) -> None:
        """Build with the cache of earlier builds."""
        _loud(["docker", "build", "--file", DOCKERFILE, "--tag", self.image, "."])

    def size(self, image: str) -> int:
        """Bytes of all files in ``image``."""
        du = ["du", "--one-file-system", "--summarize", "--bytes", "/"]
        return int(_output(["docker", "run", "--rm", "--user", "0", image, *du]).split()[0])

    def command(self, service: Service, folder: Path) -> list[str]:
        """How a service is started."""
        network = service.network
        if network.startswith("service:"):
            network = f"container:{self._name(network.removeprefix('service:'))}"
        options = [f"--env={key}={value}" for key, value in service.environment.items()]
        options += [f"--volume={folder / source}:{to}" for source, to in service.volumes]
        return [
            *("docker", "run", "--detach", "--init", "--restart=unless-stopped"),
            *("--cap-drop=ALL", "--security-opt=no-new-privileges:true"),
            *(f"--name={self._name(service.name)}", f"--network={network}"),
            *(f"--user={service.user}", *options, self.image, *service.command),
        ]

    def start(self, service: Service, folder: Path) -> None:
        """Start a service with its volumes in ``folder``."""
        self._started.add(service.name)
        _output(self.command(service, folder))

    def run_inside(self, service: Service, folder: Path, command: str) -> tuple[int, str]:
        """Run a shell command beside a started service; its exit code and what it printed."""
        inside = ["docker", "exec", self._name(service.name), "sh", "-c", command]
        done = subprocess.run(inside, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def log(self, service: Service, folder: Path) -> str:
        """The end of what a service has printed."""
        command = ["docker", "logs", "--tail", "50", self._name(service.name)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr

    def stop(self, service: Service) -> int | None:
        """Ask a service to end, remove it; its exit code, None if it was never started."""
        if service.name not in self._started:
            return None
        self._started.discard(service.name)
        name = self._name(service.name)
        subprocess.run(["docker", "stop", "--time", "60", name], capture_output=True)
        state = ["docker", "inspect", "--format", "{{.State.ExitCode}}", name]
        code = subprocess.run(state, capture_output=True, text=True).stdout
        subprocess.run(["docker", "rm", "--force", name], capture_output=True)
        return int(code) if code.strip() else None

    def close(self) -> None:
        """Nothing is left."""

    def _name(self, service: str) -> str:
        return f"{self._prefix}-{service}"


class Buildah:
    """The services as processes of one chroot, in a network that has nothing but its loopback.

    There is no init process, no dropped capabilities and no restart here: those are Docker's.
    """

    def __init__(self, image: str) -> None:
        self.image = image
        self._container = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def build(self) -> None:
        """Build with the cache of earlier builds."""
        options = ["--isolation", "chroot", "--network", "host", "--layers"]
        _loud(["buildah", "bud", *options, "--file", DOCKERFILE, "--tag", self.image, "."])

    def size(self, image: str) -> int:
        """Bytes of all files in ``image``."""
        container = _output(["buildah", "from", "--pull-never", image]).strip()
        try:
            root = _output(["buildah", "mount", container]).strip()
            return int(_output(["du", "--summarize", "--bytes", root]).split()[0])
        finally:
            _output(["buildah", "rm", container])

    def start(self, service: Service, folder: Path) -> None:
        """Start a service with its volumes in ``folder``."""
        if not self._container:
            self._container = _output(["buildah", "from", "--pull-never", self.image]).strip()
            _leave_the_network()
        # The log is opened in the chroot by its user: supervisord must be able to open it again.
        to_log = ["sh", "-c", f'exec "$@" >>/check/{service.name}.log 2>&1', "sh"]
        command = self._command(service, folder, [*to_log, *service.command])
        with (folder / f"{service.name}.buildah").open("wb") as own_words:
            self._processes[service.name] = subprocess.Popen(command, stderr=own_words)

    def run_inside(self, service: Service, folder: Path, command: str) -> tuple[int, str]:
        """Run a shell command beside a started service; its exit code and what it printed."""
        inside = self._command(service, folder, ["sh", "-c", command])
        done = subprocess.run(inside, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def log(self, service: Service, folder: Path) -> str:
        """The end of what a service has printed."""
        files = [folder / f"{service.name}.{kind}" for kind in ("log", "buildah")]
        return "".join(f.read_text(errors="replace")[-5000:] for f in files if f.exists())

    def stop(self, service: Service) -> int | None:
        """Ask a service to end; its exit code, None if it was never started."""
        process = self._processes.pop(service.name, None)
        if process is None:
            return None
        family = psutil.Process(process.pid).children(recursive=True)
        with contextlib.suppress(psutil.Error, StopIteration):
            next(p for p in family if not p.cmdline()[0].startswith("buildah")).terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        for child in family:
            with contextlib.suppress(psutil.Error):
                child.kill()
        process.kill()
        return process.wait()

    def close(self) -> None:
        """Remove the chroot."""
        if self._container:
            _output(["buildah", "rm", self._container])

    def _command(self, service: Service, folder: Path, command: Sequence[str]) -> list[str]:
        options = [f"--env={key}={value}" for key, value in service.environment.items()]
        options += [f"--volume={folder / source}:{to}" for source, to in service.volumes]
        options.append(f"--volume={folder}:/check")
        isolation = ["--isolation=chroot", "--network=host", f"--user={service.user}"]
        return ["buildah", "run", *isolation, *options, self._container, "--", *command]


def _leave_the_network() -> None:
    """Go, with all processes started later, into a network of only 127.0.0.1."""
    clone_newnet, get_flags, set_flags, up = 0x40000000, 0x8913, 0x8914, 1
    if ctypes.CDLL(None).unshare(clone_newnet):
        raise CheckError("this process may not have a network of its own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some_socket:
        request = fcntl.ioctl(some_socket, get_flags, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", request)[1] | up
        fcntl.ioctl(some_socket, set_flags, struct.pack("16sh22x", b"lo", flags))


Engine = Docker | Buildah


def engine_for(image: str) -> Engine:
    """Docker where its daemon answers, else buildah.

    Raises
    ------
    CheckError
        If neither can be used.
    """
    ask = ["docker", "info"]
    if shutil.which("docker") and not subprocess.run(ask, capture_output=True).returncode:
        return Docker(image)
    if shutil.which("buildah") and sys.platform == "linux" and os.geteuid() == 0:
        return Buildah(image)
    raise CheckError(
        "no way to run a container: no Docker daemon answers (docker info), and buildah is not "
        "installed or this is not root on Linux (apt-get install buildah)"
    )


def _copy_of_user_data(folder: Path, user: str) -> None:
    """What a fresh checkout has in user_data, owned by the containers' user."""
    target = folder / "user_data"
    (target / "logs").mkdir(parents=True)
    (folder / "scripts" / "HL_data").mkdir(parents=True)
    for config in (ROOT / "user_data").glob("config*.json"):
        shutil.copy(config, target)
    shutil.copytree(
        ROOT / "user_data" / "strategies",
        target / "strategies",
        ignore=shutil.ignore_patterns("__pycache__", "*.json"),
    )
    if os.geteuid() == 0:
        owner = [int(number) for number in user.split(":")]
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *owner)


def _quotes(folder: Path) -> list[dict[str, Any]]:
    try:
        quotes = read_journal(folder / "user_data" / JOURNAL_FOLDER).table(QuoteSent)
    except InputError:  # none yet
        return []
    return list(quotes.to_pylist())


class _Session:
    """The started services, until the context ends; their logs are shown where it fails."""

    def __init__(self, engine: Engine, services: Sequence[Service], folder: Path) -> None:
        self._engine = engine
        self._services = {service.name: service for service in services}
        self._folder = folder
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def __enter__(self) -> "_Session":
        return self

    def start_all(self) -> None:
        """Start each service once those it waits for are healthy."""
        for service in self._services.values():
            for other in service.waits_for:
                self.wait_until_healthy(other)
            self._engine.start(service, self._folder)

    def wait_until_healthy(self, name: str) -> None:
        """Wait until the health check of the service passes."""
        service = self._services[name]

        def healthy() -> str | None:
            code, said = self._engine.run_inside(service, self._folder, service.health or "true")
            return said.strip() or "healthy" if code == 0 else None

        self.wait_until(name, healthy)

    def wait_until(self, what: str, reached: Callable[[], str | None]) -> None:
        """Wait until ``reached`` returns what it has seen."""
        started = time.monotonic()
        while not (seen := reached()):
            if time.monotonic() > self._deadline:
                raise CheckError(f"{what}: not within {PATIENCE_SECONDS:.0f} s of the start")
            time.sleep(1.0)
        print(f"{what}, after {time.monotonic() - started:.0f} s: {seen}", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is CheckError:
            for name, service in self._services.items():
                print(f"--- {name}\n{self._engine.log(service, self._folder)}", file=sys.stderr)
        last_first = reversed(self._services.items())  # the bot still needs the venue at its end
        codes = {name: self._engine.stop(service) for name, service in last_first}
        print("exit codes:", ", ".join(f"{name} {code}" for name, code in codes.items()))


def check_services(engine: Engine) -> None:
    """Run the paper profile until a quote is sent.

    Raises
    ------
    CheckError
        If that takes too long.
    """
    me = {"MM_UID": str(os.getuid() or 1000), "MM_GID": str(os.getgid() or 1000)}
    services = services_of(ROOT / "docker-compose.yml", ROOT / "docker" / "paper.env", me)
    by_name = {service.name: service for service in services}
    by_name["venue"].command.extend(PAST)
    by_name["venue"].volumes.extend(by_name["freqtrade"].volumes)
    with tempfile.TemporaryDirectory(prefix="mm-image-check-") as name:
        folder = Path(name)
        _copy_of_user_data(folder, services[0].user)

        def quoted() -> str | None:
            quotes = _quotes(folder)
            return f"{len(quotes)}, the last {json.dumps(quotes[-1])}" if quotes else None

        with _Session(engine, services, folder) as session:
            session.start_all()
            session.wait_until_healthy("sidecar")
            session.wait_until("quotes", quoted)


def check_size(engine: Engine) -> None:
    """Print what the image adds to its base.

    Raises
    ------
    CheckError
        If that is more than is allowed.
    """
    base = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.M)[-1]
    added = (engine.size(engine.image) - engine.size(base)) / 1e6
    print(f"{engine.image} adds {added:.0f} MB to {base}", flush=True)
    if added > SIZE_LIMIT_MB:
        raise CheckError(f"{engine.image} adds {added:.0f} MB; {SIZE_LIMIT_MB} are allowed")


def main(argv: list[str] | None = None) -> int:
    """Build and check; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", metavar="NAME", help="check this one instead of building it")
    parser.add_argument("--build-only", action="store_true", help="build the image, check nothing")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        engine = engine_for(options.image or "advanced-mm")
        if options.image is None:
            engine.build()
        if not options.build_only:
            check_size(engine)
            with contextlib.closing(engine):
                check_services(engine)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
