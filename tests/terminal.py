#!/usr/bin/env python3
"""terminal.py DIALOGUE COMMAND...: a person at a terminal.

Runs COMMAND on a terminal of its own. DIALOGUE is EXPECT|TYPE|EXPECT|TYPE...:
waits until EXPECT was shown (since what was typed last), then types TYPE, in
which \\n, \\x03 and the like are what they are in Python. Prints all that the
terminal showed and exits as COMMAND does, 128 + N for signal N; 124 where
nothing happens for 20 seconds, COMMAND being killed then.
"""
import os
import pty
import select
import signal
import sys
import time

PATIENCE = 20


def main():
    dialogue = [s.encode().decode("unicode_escape").encode("latin-1")
                for s in sys.argv[1].split("|")] if sys.argv[1] else []
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    shown, since, until, left = b"", 0, time.monotonic() + PATIENCE, 1
    while True:
        if dialogue and dialogue[0] in shown[since:]:
            since = len(shown)
            if len(dialogue) > 1:
                os.write(fd, dialogue[1])
            dialogue = dialogue[2:]
            continue
        left = until - time.monotonic()
        if left <= 0:
            os.kill(pid, signal.SIGKILL)
            break
        if not select.select([fd], [], [], left)[0]:
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            piece = b""
        if not piece:
            break
        shown += piece
    status = os.waitpid(pid, 0)[1]
    sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
    sys.stdout.flush()
    if left <= 0:
        return 124
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) \
        else 128 + os.WTERMSIG(status)


sys.exit(main())
