#!/usr/bin/env bash
# hchat_syslog.bash DIR, in a mount namespace of one's own: makes DIR a /dev
# with a syslog, hides the journal, runs hchatd -d, asks it for a page, ends
# it. Prints what syslog was told.
set -eu
dev=$1
mount -t tmpfs -o mode=755 none "$dev"
for node in null zero urandom; do
	touch "$dev/$node"
	mount --bind "/dev/$node" "$dev/$node"
done
ln -s /proc/self/fd "$dev/fd"
[ ! -d /dev/shm ] || { mkdir "$dev/shm" && mount --bind /dev/shm "$dev/shm"; }
mount --rbind "$dev" /dev
[ ! -d /run/systemd ] || mount -t tmpfs none /run/systemd

# Ends at the first line after which there is nothing to come.
exec {told}< <(exec python3 -c '
import re, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
print("up", flush=True)
line = b""
while b"event=drain" not in line:
    line = log.recv(65536)
    print(line.decode().rstrip("\0\n"), flush=True)
')
read -r _ <&"$told"
daemon=$("$BUILD/bin/hchatd" -d -a 127.0.0.1 -p 0 2>"$HOME/listening")
port=$(sed -n 's/.*address=.*://p' "$HOME/listening")
curl -sS -o /dev/null "http://127.0.0.1:$port/"
kill "$daemon"
cat <&"$told"
