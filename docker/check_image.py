"""Build the image and run its docker-compose.yml services on a loopback venue.

Bot, sidecar, venue, maker and live page are started as in the compose file with the profiles paper,
maker and dashboard, until their health checks pass and the bot has sent a quote. The maker is in a
dry run, with a file made by init_maker.py. Then the bot is frozen until its health check fails, and
goes on until it passes again; at last all services are stopped. Before that the image's size is
printed, and each script must say its help. Uses Docker if its daemon answers, otherwise buildah in
a chroot, which requires root on Linux. The checkout's user_data is not modified.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
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
SIZE_LIMIT_MB = 900  # maximum size on top of the base image
PATIENCE_SECONDS = 240.0
PROFILES = ("paper", "maker", "dashboard")
# parameter_dir of config.paper.json; the journal is there, too
PARAMETERS = Path("user_data/paper")
MAKER = "eth_hyperliquid"
# With half an hour of recorded history the first fit need not wait for five minutes of data.
PAST = ["--history-dir", "user_data/paper/HL_data"]


class CheckError(Exception):
    """The check cannot be run or has failed; the message states why."""


@dataclass(frozen=True)
class Service:
    """A service of the compose file, with its variables substituted."""

    name: str
    command: list[str]
    user: str
    environment: dict[str, str] = field(default_factory=dict)
    volumes: list[tuple[str, str]] = field(default_factory=list)  # host path, container path
    health: str | None = None  # a shell command
    network: str = "bridge"  # or "service:NAME" to share that service's
    memory: str | None = None  # at most, as "1000m"
    waits_for: tuple[str, ...] = ()  # services that must be healthy first


def services_of(compose: Path, env_file: Path, variables: Mapping[str, str]) -> list[Service]:
    """Read the compose file with the variables of ``env_file``, overridden by ``variables``.

    Services that own a network come first, in Docker's starting order. Those of other images, such
    as Prometheus, and of other profiles than `PROFILES` are left out.
    """
    pairs = (line.partition("=") for line in env_file.read_text().splitlines() if "=" in line)
    values = {name: value for name, _, value in pairs if not name.startswith("#")}
    values.update(variables)
    blocks = yaml.safe_load(compose.read_text())["services"]
    services = [
        _service(name, block, values)
        for name, block in blocks.items()
        if "build" in block and not set(block.get("profiles", PROFILES)).isdisjoint(PROFILES)
    ]
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
        block.get("mem_limit"),
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
            "check an existing image with --image NAME"
        )


class Docker:
    """Runs services as Docker containers, each with its own name."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._prefix = f"mm-check-{os.getpid()}"
        self._started: set[str] = set()

    def build(self) -> None:
        """Build the image, using cached layers."""
        _loud(["docker", "build", "--file", DOCKERFILE, "--tag", self.image, "."])

    def size(self, image: str) -> int:
        """Return the size of all files in ``image``, bytes."""
        du = ["du", "--one-file-system", "--summarize", "--bytes", "/"]
        return int(_output(["docker", "run", "--rm", "--user", "0", image, *du]).split()[0])

    def run(self, command: Sequence[str]) -> str:
        """Run a command in a container of its own and return what it prints."""
        return _output(["docker", "run", "--rm", self.image, *command])

    def command(self, service: Service, folder: Path) -> list[str]:
        """Return the command that starts a service."""
        network = service.network
        if network.startswith("service:"):
            network = f"container:{self._name(network.removeprefix('service:'))}"
        options = [f"--env={key}={value}" for key, value in service.environment.items()]
        options += [f"--volume={folder / source}:{to}" for source, to in service.volumes]
        options += [f"--memory={service.memory}"] if service.memory else []
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
        """Run a shell command in a started service; return its exit code and output."""
        inside = ["docker", "exec", self._name(service.name), "sh", "-c", command]
        done = subprocess.run(inside, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def send(self, service: Service, folder: Path, number: signal.Signals) -> None:
        """Send a signal to a service: to the child of its init process."""
        name = number.name.removeprefix("SIG")
        code, said = self.run_inside(
            service, folder, f"kill -{name} $(cat /proc/1/task/1/children)"
        )
        if code:
            raise CheckError(f"{service.name} was not sent {number.name}: {said.strip()}")

    def log(self, service: Service, folder: Path) -> str:
        """Return the end of a service's output."""
        command = ["docker", "logs", "--tail", "50", self._name(service.name)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr

    def stop(self, service: Service) -> int | None:
        """Stop and remove a service; return its exit code, None if it was never started."""
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
        """Do nothing: ``stop`` has removed the containers."""

    def _name(self, service: str) -> str:
        return f"{self._prefix}-{service}"


class Buildah:
    """Runs services as processes in one chroot, in a network with only a loopback interface.

    Without an init process, dropped capabilities, memory limits and restarts, which only Docker
    provides.
    """

    _ISOLATION = ("--isolation=chroot", "--network=host")

    def __init__(self, image: str) -> None:
        self.image = image
        self._container = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def build(self) -> None:
        """Build the image, using cached layers."""
        options = ["--isolation", "chroot", "--network", "host", "--layers"]
        _loud(["buildah", "bud", *options, "--file", DOCKERFILE, "--tag", self.image, "."])

    def size(self, image: str) -> int:
        """Return the size of all files in ``image``, bytes."""
        container = _output(["buildah", "from", "--pull-never", image]).strip()
        try:
            root = _output(["buildah", "mount", container]).strip()
            return int(_output(["du", "--summarize", "--bytes", root]).split()[0])
        finally:
            _output(["buildah", "rm", container])

    def run(self, command: Sequence[str]) -> str:
        """Run a command in the chroot and return what it prints."""
        self._open()
        return _output(["buildah", "run", *self._ISOLATION, self._container, "--", *command])

    def _open(self) -> None:
        """Make the chroot, once, and enter a network of its own."""
        if not self._container:
            self._container = _output(["buildah", "from", "--pull-never", self.image]).strip()
            _leave_the_network()

    def start(self, service: Service, folder: Path) -> None:
        """Start a service with its volumes in ``folder``."""
        self._open()
        # The log is opened in the chroot by its user, because supervisord reopens it.
        to_log = ["sh", "-c", f'exec "$@" >>/check/{service.name}.log 2>&1', "sh"]
        command = self._command(service, folder, [*to_log, *service.command])
        with (folder / f"{service.name}.buildah").open("wb") as errors:
            self._processes[service.name] = subprocess.Popen(command, stderr=errors)

    def run_inside(self, service: Service, folder: Path, command: str) -> tuple[int, str]:
        """Run a shell command in a started service; return its exit code and output."""
        inside = self._command(service, folder, ["sh", "-c", command])
        done = subprocess.run(inside, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def send(self, service: Service, folder: Path, number: signal.Signals) -> None:
        """Send a signal to a service."""
        family = psutil.Process(self._processes[service.name].pid).children(recursive=True)
        _program(family).send_signal(number)

    def log(self, service: Service, folder: Path) -> str:
        """Return the end of a service's output."""
        files = [folder / f"{service.name}.{kind}" for kind in ("log", "buildah")]
        return "".join(f.read_text(errors="replace")[-5000:] for f in files if f.exists())

    def stop(self, service: Service) -> int | None:
        """Stop a service; return its exit code, None if it was never started."""
        process = self._processes.pop(service.name, None)
        if process is None:
            return None
        family = psutil.Process(process.pid).children(recursive=True)
        with contextlib.suppress(psutil.Error, StopIteration):
            _program(family).terminate()
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
        options.append(f"--user={service.user}")
        return ["buildah", "run", *self._ISOLATION, *options, self._container, "--", *command]


def _program(family: Sequence[psutil.Process]) -> psutil.Process:
    """Return the first of buildah's descendants that is not its own, the service's program."""
    return next(one for one in family if not one.cmdline()[0].startswith("buildah"))


def _leave_the_network() -> None:
    """Move this process and its later children into a network with only 127.0.0.1."""
    clone_newnet, get_flags, set_flags, up = 0x40000000, 0x8913, 0x8914, 1
    if ctypes.CDLL(None).unshare(clone_newnet):
        raise CheckError("creating a network namespace is not permitted; run as root")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some_socket:
        request = fcntl.ioctl(some_socket, get_flags, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", request)[1] | up
        fcntl.ioctl(some_socket, set_flags, struct.pack("16sh22x", b"lo", flags))


Engine = Docker | Buildah


def engine_for(image: str) -> Engine:
    """Return Docker if its daemon answers, otherwise buildah.

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
        "no container engine: the Docker daemon does not answer (docker info), and buildah needs "
        "root on Linux; start Docker, or run as root after apt-get install buildah"
    )


def _copy_of_user_data(folder: Path, user: str) -> None:
    """Copy the user_data of a fresh checkout, owned by the containers' user."""
    target = folder / "user_data"
    (target / "logs").mkdir(parents=True)
    (folder / "scripts" / "HL_data").mkdir(parents=True)
    (folder / "docker" / "secrets").mkdir(parents=True)
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


def _write_maker(folder: Path, user: str) -> None:
    """Write a maker's file for the loopback venue, as a new user would."""
    file = folder / "user_data" / "makers" / f"{MAKER}.yaml"
    script = str(ROOT / "scripts" / "init_maker.py")
    _output([sys.executable, script, "--loopback", "--defaults", str(file)])
    if os.geteuid() == 0:
        for path in (file.parent, file):
            os.chown(path, *(int(number) for number in user.split(":")))


def _quotes(folder: Path) -> list[dict[str, Any]]:
    try:
        quotes = read_journal(folder / PARAMETERS / JOURNAL_FOLDER).table(QuoteSent)
    except InputError:  # none yet
        return []
    return list(quotes.to_pylist())


class _Session:
    """Runs the services until the context ends; prints their logs on failure."""

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
            code, said = self._health(service)
            return said or "healthy" if code == 0 else None

        self.wait_until(name, healthy)

    def freeze(self, name: str) -> None:
        """Stop a service's process, as if it hung, until its health check fails; let it go on."""
        service = self._services[name]

        def ill() -> str | None:
            code, said = self._health(service)
            return said or "unhealthy" if code else None

        self._engine.send(service, self._folder, signal.SIGSTOP)
        try:
            self._deadline = time.monotonic() + PATIENCE_SECONDS
            self.wait_until(f"{name}, frozen", ill)
        finally:
            self._engine.send(service, self._folder, signal.SIGCONT)
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self.wait_until_healthy(name)

    def _health(self, service: Service) -> tuple[int, str]:
        code, said = self._engine.run_inside(service, self._folder, service.health or "true")
        return code, said.strip()

    def wait_until(self, what: str, reached: Callable[[], str | None]) -> None:
        """Wait until ``reached`` returns a description of the result."""
        started = time.monotonic()
        while not (seen := reached()):
            if time.monotonic() > self._deadline:
                raise CheckError(f"{what}: not reached within {PATIENCE_SECONDS:.0f} s")
            time.sleep(1.0)
        print(f"{what}, after {time.monotonic() - started:.0f} s: {seen}", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is CheckError:
            for name, service in self._services.items():
                print(f"--- {name}\n{self._engine.log(service, self._folder)}", file=sys.stderr)
        last_first = reversed(self._services.items())  # the bot needs the venue while stopping
        codes = {name: self._engine.stop(service) for name, service in last_first}
        print("exit codes:", ", ".join(f"{name} {code}" for name, code in codes.items()))


def check_services(engine: Engine) -> None:
    """Run the paper profile until a quote is sent, and freeze the bot for a while.

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
    by_name["dashboard"].environment["MM_DASHBOARD_TOKEN"] = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory(prefix="mm-image-check-") as name:
        folder = Path(name)
        _copy_of_user_data(folder, services[0].user)
        _write_maker(folder, services[0].user)

        def quoted() -> str | None:
            quotes = _quotes(folder)
            return f"{len(quotes)}, the last {json.dumps(quotes[-1])}" if quotes else None

        with _Session(engine, services, folder) as session:
            session.start_all()
            for one in services:
                if one.health:
                    session.wait_until_healthy(one.name)
            session.wait_until("quotes", quoted)
            session.freeze("freqtrade")


def check_scripts(engine: Engine) -> None:
    """Let each script say its help in the image, so that nothing that it imports is missing.

    Raises
    ------
    CheckError
        One cannot.
    """
    each = 'for one in scripts/*.py; do python "$one" --help >/dev/null || exit 1; done'
    said = engine.run([*("sh", "-c"), f"{each}; ls scripts/*.py | wc -l"])
    print(f"{said.strip()} scripts say their help", flush=True)


def check_size(engine: Engine) -> None:
    """Print the image's size on top of its base.

    Raises
    ------
    CheckError
        The size exceeds the limit.
    """
    base = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.M)[-1]
    added = (engine.size(engine.image) - engine.size(base)) / 1e6
    print(f"{engine.image} adds {added:.0f} MB to {base}", flush=True)
    if added > SIZE_LIMIT_MB:
        raise CheckError(f"{engine.image} adds {added:.0f} MB, at most {SIZE_LIMIT_MB} allowed")


def main(argv: list[str] | None = None) -> int:
    """Build and check the image; return 0 on success."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", metavar="NAME", help="check this image instead of building one")
    parser.add_argument("--build-only", action="store_true", help="only build the image")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        engine = engine_for(options.image or "advanced-mm")
        if options.image is None:
            engine.build()
        if not options.build_only:
            check_size(engine)
            with contextlib.closing(engine):
                check_scripts(engine)
                check_services(engine)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
