"""A parlance host of one's own: serve with its doors, over a scratch folder."""
import os
import re
import signal
import subprocess
import time

BUILD = os.environ["BUILD"]


class Host:
    def __init__(self, folder, doors=("hchat", "chatfile", "bcs")):
        self.folder = folder
        self.environment = dict(
            os.environ, HOME=folder, STATE_DIRECTORY=folder + "/state",
            RUNTIME_DIRECTORY=folder + "/run", LC_ALL="C.UTF-8",
            PARLANCE_CONF=folder + "/parlance.conf")
        open(folder + "/parlance.conf", "a").close()
        self.port = {door: 0 for door in doors}
        self.others = []
        self.accounts = set()
        self.start()

    def start(self):
        """Start serve; a second time on the ports it had the first."""
        self.log = open(self.folder + "/log", "a+b")
        begin = self.log.seek(0, os.SEEK_END)
        self.serve = subprocess.Popen(
            [BUILD + "/helpers/serve"] + ["%s=127.0.0.1:%d" % door
                                          for door in self.port.items()],
            stdin=subprocess.DEVNULL, stderr=self.log, env=self.environment)
        for door in self.port:
            found = self.logged(r"event=listening.* door=%s address=\S*:(\d+)"
                                r"|door=%s .*event=listening.*address=\S*:(\d+)"
                                % (door, door), begin)
            self.port[door] = int(found[1] or found[2])

    def logged(self, pattern, begin=0, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with open(self.folder + "/log", errors="replace") as log:
                log.seek(begin)
                text = log.read()
            found = re.search(pattern, text)
            if found:
                return found
            if self.serve.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError("not in the log: %s\n%s" % (pattern, text))

    def stop(self):
        self.serve.terminate()
        self.serve.wait(20)
        self.log.close()

    def restart(self):
        self.stop()
        self.start()

    def children(self, name):
        """The pids of that program that this serve started."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as stat:
                    fields = stat.read()
            except OSError:
                continue
            comm = fields[fields.index("(") + 1:fields.rindex(")")]
            state, parent = fields[fields.rindex(")") + 2:].split()[:2]
            if comm == name and state != "Z" and \
                    int(parent) == self.serve.pid:
                found.append(int(pid))
        return found

    def kill(self, name):
        """Kill all of that program, handlers or a helper."""
        old = self.children(name)
        for pid in old:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return old

    def kill_helper(self, name):
        """Kill it and wait until serve has started another."""
        old = self.kill(name)
        assert old, "no %s runs" % name
        end = time.monotonic() + 20
        while not set(self.children(name)) - set(old):
            assert time.monotonic() < end, "no new %s" % name
            time.sleep(0.02)

    def url(self, path="/", door="hchat"):
        return "http://127.0.0.1:%d%s" % (self.port[door], path)

    def parlance(self, *arguments, text=""):
        done = subprocess.run([BUILD + "/bin/parlance", *arguments],
                              input=text, text=True, env=self.environment,
                              capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def account(self, name, password):
        self.accounts.add(name)
        self.parlance("user", "add", name, text=password + "\n")

    def say(self, room, text, user="ivan"):
        if user not in self.accounts:
            self.account(user, "any")
        self.parlance("room", "say", "-u", user, room, text=text + "\n")

    def run(self, *command, cwd=None, **variables):
        """A program that goes on in the background until end()."""
        process = subprocess.Popen(
            command, cwd=cwd or self.folder, stdout=subprocess.PIPE,
            stderr=self.log, stdin=subprocess.DEVNULL,
            env=dict(self.environment, **variables))
        self.others.append(process)
        return process

    def end(self):
        for process in self.others:
            process.terminate()
            process.wait(20)
            process.stdout.close()
        self.stop()
