#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real servers, minimally configured, each on a free loopback port, in a directory of its own.

    farm.py NAME[:OPTION=VALUE]... -- COMMAND ARGS

runs COMMAND while the servers run; it finds them in NAME_PORT and NAME_PID. Nothing is left behind.
"""

import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
PATIENCE_S = 10
PAGE = b"%s\n" % (b"0123456789abcdef" * 64)
LARGE_BYTES = 16 << 20
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)

NGINX = """
daemon off;
worker_processes %(workers)s;
pid nginx.pid;
error_log error.log crit;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    keepalive_requests 1000000;
    %(files)s
    tcp_nopush %(nopush)s;
    tcp_nodelay on;
    server {
        listen 127.0.0.1:%(port)d;
        root .;
        location = /status { stub_status; }
        location = /dripped { try_files /large =404; limit_rate 200k; }
        %(proxy)s
    }
}
"""

PROXY = """
        location /proxy/ { proxy_pass http://127.0.0.1:%d/; }
        location /through/ { proxy_pass http://127.0.0.1:%d/; proxy_buffering off; }
"""

HAPROXY = """
global
    nbthread 1
    stats socket unix@stats.sock mode 600 level user
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:%(port)d
    default_backend back
backend back
    http-reuse always
    server nginx 127.0.0.1:%(backend)d
"""


def redis(home, port, hz=10, appendonly="no"):
    return ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
            "--appendonly", appendonly, "--appendfsync", "everysec", "--daemonize", "no", "--dir", home, "--logfile", home / "log",
            "--hz", hz]


def nginx(home, port, nopush="off", workers=1, backend=None, aio="off"):
    proxy = PROXY % (int(backend), int(backend)) if backend else ""
    (home / "nginx.conf").write_text(NGINX % {"port": port, "nopush": nopush,
                                              "workers": workers, "proxy": proxy,
                                              "files": "sendfile on;" if aio == "off" else
                                                       f"sendfile off; aio {aio};"})
    (home / "page").write_bytes(PAGE)
    (home / "large").write_bytes(PAGE * (LARGE_BYTES // len(PAGE)))
    return ["nginx", "-p", f"{home}/", "-c", home / "nginx.conf", "-e", home / "error.log"]


def memcached(home, port, threads=2):
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    return ["memcached", "-l", "127.0.0.1", "-p", port, "-U", 0, "-t", threads, *user]


def haproxy(home, port, backend):
    (home / "haproxy.cfg").write_text(HAPROXY % {"port": port, "backend": int(backend)})
    return ["haproxy", "-db", "-f", home / "haproxy.cfg"]


def node(home, port, uring=0):
    return ["env", f"UV_USE_IO_URING={uring}", "node", HERE / "echo.js", "--port", port]


def echo(home, port, selector="epoll"):
    return [PYTHON, HERE / "echo.py", "--port", port, "--selector", selector]


def asyncio(home, port):
    return [PYTHON, HERE / "asyncecho.py", "--port", port]


def java(home, port):
    return ["java", "-XX:TieredStopAtLevel=1", HERE / "Echo.java", port]


def threads(home, port):
    return ["java", "-XX:TieredStopAtLevel=1", HERE / "Threads.java", port]


def go(home, port):
    subprocess.run(["go", "build", "-o", home / "echo", HERE / "echo.go"], check=True,
                   env={**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(home / "cache")})
    return [home / "echo", port]


def postgres(home, port):
    """It does not run as root; its own user may be gone, as its package leaves it when removed."""
    programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    become, data = [], home / "data"
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(home, user.pw_uid, user.pw_gid)
        become = ["setpriv", "--reuid", user.pw_uid, "--regid", user.pw_gid, "--clear-groups",
                  "--pdeathsig", "TERM"]
    subprocess.run([str(word) for word in (*become, programs / "initdb", "-D", data, "-U",
                                           "postgres", "-A", "trust", "-N")],
                   check=True, cwd=home, stdout=subprocess.DEVNULL)
    return [*become, programs / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", home]


def chat(home, port, selector="epoll"):
    return [PYTHON, HERE / "chat.py", "--port", port, "--selector", selector]


PROGRAMS = {"redis": "redis-server", "echo": PYTHON, "chat": PYTHON, "asyncio": PYTHON,
            "java": "javac", "threads": "javac", "postgres": "pgbench"}
FORKING = ("nginx",)
RECIPES = {make.__name__: make for make in (redis, nginx, memcached, haproxy, node, echo, chat,
                                             asyncio, java, threads, go, postgres)}


class Server:
    """One running server; `pid` is the process that serves (of nginx, the worker)."""

    def __init__(self, name, **options):
        self.name = name
        self.port = free_port()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"iophase-{name}-"))
        self.home.chmod(0o755)  # nginx serves as another user
        self.process = None
        try:
            self.process = start(RECIPES[name](self.home, self.port, **options), self.home)
            self._await(self._accepts)
            # The master of nginx listens already while it has no worker yet.
            self.pid = self._await(self._worker) if name in FORKING else self.process.pid
        except BaseException:
            self.stop()
            raise

    def stop(self):
        try:
            if self.process:
                stop(self.process)
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _await(self, condition):
        """Returns what `condition()` says once it is true."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if said := condition():
                return said
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not serve: {self._last_words()}")

    def _accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def _worker(self):
        master = self.process.pid
        children = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(children[0]) if children else None

    def _last_words(self):
        logs = [path.read_text(errors="replace") for path in self.home.glob("*log")]
        return " ".join(logs).strip()[-300:]


def installed(name):
    return shutil.which(PROGRAMS.get(name, name))


def start(argv, home):
    # A process group of its own: Ctrl-C is for whoever runs the farm, which then ends the servers.
    with open(home / "output.log", "wb") as output:
        return subprocess.Popen([str(word) for word in argv], cwd=home, process_group=0,
                                preexec_fn=die_with_parent, stdin=subprocess.DEVNULL,
                                stdout=output, stderr=output)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(process):
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def parse(words):
    for word in words:
        name, _, options = word.partition(":")
        yield name, dict(option.split("=") for option in options.split(",") if option)


def end_on(*signals):
    """Ends through SystemExit, so that every `with` and `finally` is passed, and but once."""
    def end(caught, _):
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + caught)

    for number in signals:
        signal.signal(number, end)


def main(argv):
    if "--" not in argv[1:-1]:
        sys.exit(__doc__)
    cut = argv.index("--")
    end_on(signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    env, servers, child = dict(os.environ), [], None
    try:
        for name, options in parse(argv[1:cut]):
            if not installed(name):
                sys.exit(f"{name} is not installed (sudo make deps installs all)")
            server = Server(name, **options)
            servers.append(server)
            env[f"{name.upper()}_PORT"] = str(server.port)
            env[f"{name.upper()}_PID"] = str(server.pid)
        child = subprocess.Popen(argv[cut + 1:], env=env)
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        if child:
            stop(child)
        for server in reversed(servers):
            server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
