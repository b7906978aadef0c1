#!/usr/bin/env python3
"""toychat_fake_server.py PATH STEP...: a toychat server that does as it is told.

Listens on the Unix socket PATH and says "ready". With each connection, whose
number it says, it goes through the steps anew, and then answers "success" to
everything:

	TEXT	the bytes that answer the next line (escapes as in Python)
	+TEXT	bytes that are said at once, unasked
	@close	hang up
	@after SECONDS	hang up, not before that
	@huge	64 MiB and more, of one reply that does not end
	@hang	never say anything again

Prints each line that it gets.
"""
import socket
import sys
import time


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def serve(connection, steps):
    reader = connection.makefile("rb")

    def listen():
        text = reader.readline()
        if text:
            print(text.decode("utf-8", "replace").rstrip("\r\n"), flush=True)
        return text

    for step in steps:
        if step.startswith("+"):
            connection.sendall(unescape(step[1:]))
        elif step == "@close":
            return
        elif step.startswith("@after"):
            time.sleep(float(step.split()[1]))
            return
        elif step == "@huge":
            listen()
            connection.sendall(b"inbox")
            for _ in range(80):
                connection.sendall(b" x 1" * 262144)
        elif step == "@hang":
            while listen():
                pass
        elif listen():
            connection.sendall(unescape(step))
        else:
            return
    while listen():
        connection.sendall(b"success\r\n")


def main():
    path, steps = sys.argv[1], sys.argv[2:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("ready", flush=True)
    count = 0
    while True:
        connection, _ = listener.accept()
        count += 1
        print("connection", count, flush=True)
        try:
            serve(connection, steps)
        except OSError:
            pass
        # Not close(): the reader holds the connection, too.
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()


main()
