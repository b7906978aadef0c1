#!/usr/bin/env bash
# hchat_syslog.bash syslog|journal DIR, in a mount namespace of one's own: makes
# DIR a /dev with a syslog, and /run a folder with or without a journal, runs
# hchatd -d, asks it for a page, ends it. Prints what the log was told.
set -eu
dev=$2
mount -t tmpfs -o mode=755 none "$dev"
for node in null zero urandom; do
	touch "$dev/$node"
	mount --bind "/dev/$node" "$dev/$node"
done
ln -s /proc/self/fd "$dev/fd"
[ ! -d /dev/shm ] || { mkdir "$dev/shm" && mount --bind /dev/shm "$dev/shm"; }
mount --rbind "$dev" /dev
mount -t tmpfs none /run
[ "$1" = syslog ] || mkdir -p /run/systemd/journal

# Ends at the line after which there is nothing to come.
exec {told}< <(exec python3 -c '
import socket, sys
kind, path = ((socket.SOCK_DGRAM, "/dev/log") if sys.argv[1] == "syslog" else
              (socket.SOCK_STREAM, "/run/systemd/journal/stdout"))
log = socket.socket(socket.AF_UNIX, kind)
log.bind(path)
if kind == socket.SOCK_STREAM:
    log.listen()
print("up", flush=True)
if kind == socket.SOCK_STREAM:
    log = log.accept()[0]
data = b""
while b"event=drain" not in data:
    data = log.recv(65536)
    print(data.decode().rstrip("\0\n"), flush=True)
' "$1")
read -r _ <&"$told"
daemon=$("$BUILD/bin/hchatd" -d -a 127.0.0.1 -p 0 2>"$HOME/listening")
port=$(sed -n 's/.*address=.*://p' "$HOME/listening")
curl -sS -o /dev/null "http://127.0.0.1:$port/"
kill "$daemon"
cat <&"$told"
