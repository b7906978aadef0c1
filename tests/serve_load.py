"""serve_load.py COUNT PORT...: COUNT connections to stub handlers, by four
threads, to these ports in turn. Each must be greeted, by a process of its own,
and answered. Prints "served COUNT" or what went wrong (exit 1)."""

import socket
import sys
import threading

THREADS = 4
TIMEOUT_S = 30


def visit(number, port):
    """One connection; the pid of its handler."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as s:
        lines = s.makefile("r")
        greeting = lines.readline()
        s.sendall(b"word %d\n" % number)
        answer = lines.readline()
        if not greeting.startswith("hi ") or answer != f"word {number}\n":
            raise ValueError(f"connection {number}: {greeting!r} {answer!r}")
        s.shutdown(socket.SHUT_WR)
        rest = lines.read()
        if rest:
            raise ValueError(f"connection {number}: more than asked: {rest!r}")
        return int(greeting[3:])


def visit_each(numbers, ports, faults):
    for n in numbers:
        try:
            visit(n, ports[n % len(ports)])
        except (OSError, ValueError) as fault:
            faults.append(f"{n}: {fault}")
            return


def main():
    count = int(sys.argv[1])
    ports = [int(p) for p in sys.argv[2:]]
    faults = []
    threads = [
        threading.Thread(
            target=visit_each, args=(range(i, count, THREADS), ports, faults)
        )
        for i in range(THREADS)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("\n".join(faults) or f"served {count}")
    sys.exit(1 if faults else 0)


main()
