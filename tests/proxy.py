#!/usr/bin/env python3
"""A client behind a proxy that speaks PROXY protocol v1, for tests.

proxy.py DOOR PORT SOURCE HOW LINE [HEADER]

Connects from SOURCE to the door, sends LINE (a Python string's escapes count)
and one request, prints in a line how the door takes it. HOW: `apart` waits
until the line was taken in before the request, `joined` sends both in one
packet, `bytes` sends byte by byte, `half` sends nothing behind the line and
tells how much processor time the handler spent in a second of that.
"""
import fcntl
import glob
import os
import socket
import struct
import sys
import termios
import time


def http(path):
    def request(header):
        return (f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"{header}\r\n").encode()
    return request


REQUESTS = {
    "chatfile": http("/rooms/"),
    "hchat": http("/"),
    "create": http("/chat_create?subject=S&listed=0"),
    "bcs": lambda _: b"\1\0\5alice",
    "toychat": lambda _: b"login nobody wrong\r\n",
}


def send_slowly(sock, data):
    for byte in data:
        sock.sendall(bytes([byte]))
        while struct.unpack("i", fcntl.ioctl(
                sock, termios.TIOCOUTQ, b"\0" * 4))[0]:
            os.sched_yield()


def shown(door, reply):
    if door == "bcs":
        return f"status {reply[1]}" if reply[:1] == b"\4" else repr(reply)
    return reply.split(b"\r\n")[0].decode()


def of_handlers(door):
    """Ticks of processor time that handlers of a door have used so far."""
    sum_ = 0
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            folder = os.path.dirname(stat)
            exe = os.readlink(folder + "/exe")
            with open(stat) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if exe == f"{os.environ['BUILD']}/handlers/{door}":
            sum_ += int(fields[11]) + int(fields[12])
    return sum_


def main(door, port, source, how, line, header=""):
    line = line.encode().decode("unicode_escape").encode("latin-1")
    request = REQUESTS[door](header and header + "\r\n")
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((source, 0))
    sock.settimeout(30)
    sock.connect(("::1" if ":" in source else "127.0.0.1", int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if how == "half":
        sock.sendall(line)
        sock.settimeout(1)
        before = of_handlers(door)
        try:
            print("answered", sock.recv(100))
        except socket.timeout:
            spent = of_handlers(door) - before
            print("idle" if spent < os.sysconf("SC_CLK_TCK") / 4
                  else f"spent {spent} ticks")
        return
    if how == "late":
        time.sleep(float(line))
        line = b""
    if how == "bytes":
        send_slowly(sock, line + request)
    elif how == "apart":
        send_slowly(sock, line[:1])
        sock.sendall(line[1:])
        send_slowly(sock, request[:1])
        sock.sendall(request[1:])
    else:
        sock.sendall(line + request)
    try:
        print(shown(door, sock.recv(4096)))
    except ConnectionResetError:
        print("reset")


main(*sys.argv[1:])
