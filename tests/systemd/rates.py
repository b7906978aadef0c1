#!/usr/bin/env python3
"""rates.py ROUNDS N NAME=PORT...: see `rates`. Rounds take turns; the median
counts."""
import socket
import statistics
import sys
import threading
import time

CLIENTS = 4


def processor_us():
    with open("/sys/fs/cgroup/cpu.stat", encoding="ascii") as f:
        return int(f.readline().split()[1])


def connect(port, times):
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), 30) as s:
            try:
                while s.recv(1000):
                    pass
            except ConnectionResetError:
                pass


def turn(port, count):
    clients = [threading.Thread(target=connect, args=(port, count // CLIENTS))
               for _ in range(CLIENTS)]
    used, begin = processor_us(), time.monotonic()
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    took = time.monotonic() - begin
    time.sleep(0.3)  # what systemd does after the last one counts, too
    return (processor_us() - used) / count, count / took


def main():
    rounds, count = int(sys.argv[1]), int(sys.argv[2])
    ports = [a.split("=") for a in sys.argv[3:]]
    found = {name: [] for name, _ in ports}
    for _ in range(rounds):
        for name, port in ports:
            found[name].append(turn(int(port), count))
    first = None
    for name, turns in found.items():
        us, rate = (statistics.median(x) for x in zip(*turns))
        first = first or (us, rate)
        print("%-10s %6.0f us %5.2f   %6.0f/s %5.2f" %
              (name, us, first[0] / us, rate, rate / first[1]))


main()
