"""What tests/fanout.py and tests/gallery.py share: running a helper program.

Uses BUILD, RUNTIME_DIRECTORY and TEST_SCALE. Every process in children is ended
when main() returns or fails.
"""
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

BUILD = os.environ["BUILD"]
RUN = os.environ["RUNTIME_DIRECTORY"]
SCALE = int(os.environ.get("TEST_SCALE", "1"))
PATIENCE = 20
children = []
_run_folder = None


class HelperProcess:
    """One helper process, its log read line by line."""
    program = None  # what a subclass runs, unless told otherwise

    def __init__(self, *command, env=None, wait="event=listening", **more):
        self.log = []
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            command or [self.program], stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, **(env or {})), **more)
        children.append(self.process)
        self.pid = self.process.pid
        threading.Thread(target=self.read_log, daemon=True).start()
        if wait:
            self.logged(wait)

    def read_log(self):
        for line in self.process.stderr:
            with self.news:
                self.log.append(line)
                self.news.notify_all()

    def logged(self, text):
        with self.news:
            assert self.news.wait_for(
                lambda: any(text in line for line in self.log),
                PATIENCE), (text, self.log)

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        self.send(number)
        return self.process.wait(PATIENCE)

    def stop(self):
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Systemd:
    """NOTIFY_SOCKET's other end."""

    def __init__(self):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.settimeout(PATIENCE)
        self.name = "@parlance-test-%d" % os.getpid()
        self.s.bind("\0" + self.name[1:])

    def hears(self, wanted):
        while True:
            text = self.s.recv(4096).decode()
            if wanted in text.split("\n"):
                return text

    def starts_two(self, kind):
        """One that tells of its readiness and life, one that stands by."""
        env = {"NOTIFY_SOCKET": self.name, "WATCHDOG_USEC": "200000"}
        first = kind(env=env)
        self.hears("READY=1")
        for _ in range(5):
            self.hears("WATCHDOG=1")
        second = kind(env=env, wait="event=standby")
        assert "STATUS=Standing by" in self.hears("READY=1")
        return first, second

    def sees_take_over(self, first, second):
        first.end(signal.SIGKILL)
        second.logged("event=listening")
        self.hears("READY=1")
        self.hears("WATCHDOG=1")
        assert second.end() == 0
        self.hears("STOPPING=1")


def socket_activated(program, *options):
    """The command by which program gets its socket as from systemd."""
    return ["systemd-socket-activate", *options, "-ESTATE_DIRECTORY",
            "-ERUNTIME_DIRECTORY", program]


def use_run_folder(path):
    """From now on connect() finds its sockets in this one."""
    global _run_folder
    os.makedirs(path, exist_ok=True)
    _run_folder = os.open(path, os.O_PATH)


def connect(name):
    """A connection to this socket, however long the folder's path is."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(PATIENCE)
    s.connect(f"/proc/self/fd/{_run_folder}/{name}")
    return s


def wait_until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


def main(scenarios):
    """Has the scenario happen that the command line names."""
    use_run_folder(RUN)
    try:
        scenarios[sys.argv[1]]()
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
