#!/usr/bin/env python3
"""scenario.py FILE SCENARIO: has a scenario of ../FILE.py happen on the machine
that this runs on: at the sockets of its units, in the mode that is enabled, over
an empty state. What those files would start themselves is there already.

scenario.py sessions		those of ../data/toychat, byte for byte
"""
import glob
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
STATE = "/var/lib/parlance"
PORTS = {"chatfile": 8080, "hchat": 1234, "bcs": 4000, "toychat": 8888}
SETTINGS = {"RATE": 0, "MIN_FREE": "1M", "CONNECTIONS": 2000}

sys.path.insert(0, TESTS)
sys.dont_write_bytecode = True
os.environ.update(BUILD=TESTS + "/build", STATE_DIRECTORY=STATE,
                  RUNTIME_DIRECTORY="/run/parlance", HOME="/root")
import bcs  # noqa: E402
import bcs_host  # noqa: E402
import helper_process  # noqa: E402
import toychat  # noqa: E402


def systemctl(*words):
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def running(name):
    found = subprocess.run(["pgrep", "-u", "parlance", "-x", name],
                           capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


class Host:
    """Stands for the servers that scenarios start."""

    def __init__(self, *_, **settings):
        if settings:
            write_settings(settings)
            systemctl("try-restart", "parlance-serve.service")
        self.hub = bcs.Hub(PORTS["bcs"])
        self.log = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hub.close()

    @staticmethod
    def port(door):
        return PORTS[door]

    @staticmethod
    def handlers():
        return running("bcs")

    def kill_fanout(self):
        self.hub.until(lambda: running("fanout"))
        pid = running("fanout")[0]
        bcs_host.kill(pid)
        return pid

    @staticmethod
    def dial():
        return Chat()

    end = staticmethod(lambda: 0)


class Chat(toychat.Connection):
    """Stands for one with a handler of its own."""

    def __init__(self):
        super().__init__(socket.create_connection(
            ("127.0.0.1", PORTS["toychat"]), helper_process.PATIENCE))

    def leave(self):
        self.close()


def write_settings(settings):
    with open("/etc/parlance/parlance.conf", "w") as conf:
        for name, value in {**SETTINGS, **settings}.items():
            print(f"PARLANCE_{name}={value}", file=conf)


def begin_anew():
    systemctl("stop", "parlance*")
    helper_process.wait_until(
        lambda: subprocess.run(["pgrep", "-u", "parlance"], check=False,
                               stdout=subprocess.DEVNULL).returncode)
    for folder in STATE, "/run/parlance", "/var/lib/synced":
        shutil.rmtree(folder, ignore_errors=True)
    write_settings({})
    subprocess.run(["systemd-tmpfiles", "--create", "parlance.conf"],
                   check=True)
    serve = systemctl("is-enabled", "parlance-serve.service")[0] == 0
    status, said = systemctl("start", "parlance-serve.service" if serve
                             else "parlance.target")
    assert status == 0, said


def sessions():
    for name in sorted(glob.glob(TESTS + "/data/toychat/*.in")):
        begin_anew()
        with open(name, "rb") as asked, \
                open(name[:-len("in")] + "exp", "rb") as wanted, \
                Chat().sock as s, s.makefile("rb") as answers:
            s.sendall(asked.read())
            s.shutdown(socket.SHUT_WR)
            got, wanted = (re.sub(rb"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z", b"now",
                                  file.read()) for file in (answers, wanted))
            assert got == wanted, (name, got)


def scenario(file, name):
    begin_anew()
    bcs_host.Server = toychat.Server = Host
    toychat.Chat = Chat
    sys.argv[1:] = [name]
    if file == "hchat_client":
        subprocess.run(["parlance", "user", "add", "username"], check=True,
                       input="password\n", text=True, capture_output=True)
        sys.argv[2:] = ["", str(PORTS["hchat"])]
    runpy.run_path(f"{TESTS}/{file}.py", run_name="__main__")


def main(*words):
    if words == ("sessions",):
        sessions()
    else:
        scenario(*words)
    failed = systemctl("list-units", "--failed", "--plain", "--no-legend")[1]
    assert failed == "", failed + subprocess.run(
        ["journalctl", "-b", "-n", "40", "-u", failed.split()[0]], text=True,
        capture_output=True, check=False).stdout


main(*sys.argv[1:])
