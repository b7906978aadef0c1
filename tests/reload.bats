# SIGHUP: serve takes up new settings, logs and programs, and nobody notices.
# shellcheck disable=SC2154 # c, d, hi, answer: set by name, in serve.bash
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
load serve

setup() {
	serve_setup
	export STUB_TEMPLATE=1
}

teardown() {
	serve_teardown
}

load_of() { # load_of COUNT PORT...
	timeout 300 python3 -B "$BATS_TEST_DIRNAME/serve_load.py" "$@"
}

@test "connections, listeners, helpers and pid stay, settings change" {
	echo PARLANCE_RATE=3 >"$PARLANCE_CONF"
	PARLANCE_HASH_SLOTS=7 serve_start chatfile=127.0.0.1:0
	await_log '^stub'
	local port helper
	port=$(port_of chatfile)
	helper=$(sed -n 's/^stub \([0-9]*\) parent.*/\1/p' "$log")
	connect c "$port"
	printf '%s\n' PARLANCE_RATE=4 PARLANCE_HASH_SLOTS=8 >"$PARLANCE_CONF"
	reload
	assert logged 'event=reload connections=1'
	ask "$c" 'env PARLANCE_RATE'
	assert_equal "$answer" 3
	connect d "$port"
	ask "$d" 'env PARLANCE_RATE'
	assert_equal "$answer" 4
	ask "$d" 'env PARLANCE_HASH_SLOTS'
	assert_equal "$answer" 7
	ask "$d" fds
	assert_equal "$answer" '0 1 2'
	run ! gone "$helper"
	assert_equal "$(grep -c '^stub' "$log")" 1
	: >"$PARLANCE_CONF"
	reload
	connect d "$port"
	ask "$d" 'env PARLANCE_RATE'
	assert_equal "$answer" -
	kill "$serve"
	read -rt 15 -u "$c" hi
	assert_equal "$hi" bye
	wait "$serve"
	assert gone "$helper"
}

@test "what happens to a connection is known after a reload, too" {
	PARLANCE_CONNECTIONS=2 serve_start chatfile=127.0.0.1:0
	local pid
	connect c "$(port_of chatfile)"
	pid=$hi
	ask "$c" 'env REMOTE_PORT'
	connect d "$(port_of chatfile)"
	reload
	exec {e}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	run ! read -rt 0.2 -u "$e" hi
	echo "die 9" >&"$c"
	await_log "event=exit door=chatfile pid=$pid signal=9 peer=127.0.0.1:$answer\$"
	read -rt 15 -u "$e" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

@test "malformed settings are refused, named, and the old ones stay" {
	echo PARLANCE_RATE=3 >"$PARLANCE_CONF"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	echo PARLANCE_RATE=many >"$PARLANCE_CONF"
	reload
	assert logged 'event=reload error='
	assert logged 'PARLANCE_RATE=many'
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 3
	echo PARLANCE_FILES=/nonexistent >"$PARLANCE_CONF"
	reload
	assert logged 'PARLANCE_FILES=/nonexistent'
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 3
	ask "$c" hello
	assert_equal "$answer" hello
	echo PARLANCE_RATE=5 >"$PARLANCE_CONF"
	reload
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 5
	serve_stop
}

@test "serve -t looks at settings and arguments, and serves nobody" {
	run -0 "$tree/serve" -t chatfile=127.0.0.1:0
	assert_output ''
	run -100 "$tree/serve" -t telnet=:0
	echo PARLANCE_RATE=many >"$PARLANCE_CONF"
	run -100 "$tree/serve" -t chatfile=127.0.0.1:0
	assert_output --partial PARLANCE_RATE=many
}

@test "the conversation's log is opened again by its name" {
	local chat=$BATS_TEST_TMPDIR/chat.log
	serve_start -l "$chat" bcs=127.0.0.1:0
	connect c "$(port_of bcs)"
	echo "die 9" >&"$c"
	await grep -q signal=9 "$chat"
	mv "$chat" "$chat.1"
	reload
	connect c "$(port_of bcs)"
	echo "die 6" >&"$c"
	await grep -q signal=6 "$chat"
	assert_equal "$(grep -c . "$chat.1")" 1
	serve_stop
}

@test "a conversation's log on standard output goes on there" {
	serve_run "$tree/serve" -l - bcs=127.0.0.1:0 >"$BATS_TEST_TMPDIR/out"
	await_listening
	reload
	connect c "$(port_of bcs)"
	echo "die 9" >&"$c"
	await grep -q signal=9 "$BATS_TEST_TMPDIR/out"
	reload
	connect c "$(port_of bcs)"
	echo "die 6" >&"$c"
	await grep -q signal=6 "$BATS_TEST_TMPDIR/out"
	serve_stop
}

@test "under load nobody is refused or dropped by reload after reload" {
	serve_start chatfile=127.0.0.1:0 bcs=127.0.0.1:0 toychat=127.0.0.1:0
	local n total=$((5 * TEST_SCALE)) ports
	ports=("$(port_of chatfile)" "$(port_of bcs)" "$(port_of toychat)")
	[ "$total" -le 20 ] || total=20
	connect c "${ports[0]}"
	load_of $((300 * TEST_SCALE)) "${ports[@]}" >"$BATS_TEST_TMPDIR/load" \
		2>&1 3>&- &
	local load=$!
	started+=("$load")
	for ((n = 0; n < total; n++)); do
		reload
		ask "$c" "still $n"
		assert_equal "$answer" "still $n"
	done
	wait "$load" || { cat "$BATS_TEST_TMPDIR/load" && false; }
	assert_equal "$(cat "$BATS_TEST_TMPDIR/load")" \
		"served $((300 * TEST_SCALE))"
	refute logged 'event=reload error'
	serve_stop
}

@test "SIGHUPs in a row are all heeded, the last one for sure" {
	serve_start chatfile=127.0.0.1:0
	local n
	for n in 1 2 3 4 5 6 7 8; do
		echo "PARLANCE_RATE=$n" >"$PARLANCE_CONF"
		kill -HUP "$serve"
	done
	await setting_is "$(port_of chatfile)" PARLANCE_RATE 8
	serve_stop
}

@test "SIGTERM right after SIGHUP drains, however far the reload got" {
	local pause
	for pause in 001 003 005 010 020 030; do
		rm -f "$log"
		serve_start chatfile=127.0.0.1:0
		connect c "$(port_of chatfile)"
		kill -HUP "$serve"
		read -rt "0.$pause" -u "$tick" _ || :
		kill "$serve"
		read -rt 15 -u "$c" hi
		assert_equal "$hi" bye
		wait "$serve"
		hangup "$c"
	done
}

@test "the program that stands at its path now takes over" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	cp "$tree/serve" "$tree/new"
	mv "$tree/new" "$tree/serve"
	assert_equal "$(readlink "/proc/$serve/exe")" "$tree/serve (deleted)"
	reload
	assert_equal "$(readlink "/proc/$serve/exe")" "$tree/serve"
	ask "$c" hello
	assert_equal "$answer" hello
	# And one that cannot run does not.
	echo '#!/nowhere' >"$tree/new"
	chmod 755 "$tree/new"
	mv "$tree/new" "$tree/serve"
	reload
	assert logged 'event=reload error='
	connect d "$(port_of chatfile)"
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
}

@test "a Unix socket and its lock are kept, and go in the end" {
	local socket=$BATS_TEST_TMPDIR/socket
	serve_start "toychat=$socket"
	reload
	run -0 nc -NU "$socket" <<<hello
	assert_line hello
	run -111 timeout 10 "$tree/serve" "toychat=$socket" 3>&-
	assert_output --partial "address=$socket"
	reload
	serve_stop
	[ ! -e "$socket" ]
}

@test "a connection that a stuck template has is served after a reload" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local pid
	for pid in $(<"/proc/$serve/task/$serve/children"); do
		[ "$(readlink "/proc/$pid/fd/0")" != /dev/null ] ||
			[ "$(readlink "/proc/$pid/fd/1")" != /dev/null ] ||
			kill -STOP "$pid"
	done
	exec {d}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	reload
	read -rt 15 -u "$d" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

@test "a serve that is detached, reloads" {
	local pid
	pid=$("$tree/serve" -d "toychat=$BATS_TEST_TMPDIR/socket" 2>/dev/null 3>&-)
	started+=("$pid")
	echo PARLANCE_RATE=9 >"$PARLANCE_CONF"
	kill -HUP "$pid"
	rate_is_9() {
		nc -NU "$BATS_TEST_TMPDIR/socket" <<<'env PARLANCE_RATE' | grep -qx 9
	}
	await rate_is_9
	kill "$pid"
	await gone "$pid"
}

@test "systemd's sockets are kept, and it is told" {
	cat >"$BATS_TEST_TMPDIR/systemd.py" <<-'END'
	import os, socket, subprocess, sys, threading
	s = socket.socket()
	s.bind(("127.0.0.1", 0))
	s.listen()
	notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	path = os.environ["STATE_DIRECTORY"] + ".notify"
	notify.bind(path)
	if os.fork():
	    os.dup2(s.fileno(), 3)
	    os.set_inheritable(3, True)
	    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1",
	        LISTEN_FDNAMES="chatfile", NOTIFY_SOCKET=path)
	    os.execv(sys.argv[1], [sys.argv[1]])
	s.close()
	notify.settimeout(60)
	while True:
	    word = notify.recv(4096).decode()
	    print(word, file=sys.stderr, flush=True)
	    if "STOPPING" in word:
	        break
	END
	serve_run python3 "$BATS_TEST_TMPDIR/systemd.py" "$tree/serve"
	await_log '^READY=1'
	connect c "$(port_of chatfile)"
	echo PARLANCE_RATE=6 >"$PARLANCE_CONF"
	reload
	await_log '^READY=1' 2
	assert logged '^RELOADING=1'
	assert logged '^MONOTONIC_USEC='
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 6
	run ! grep '^stub' "$log"
	echo PARLANCE_RATE=no >"$PARLANCE_CONF"
	reload
	await_log '^READY=1' 3
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
	await_log '^STOPPING=1'
}

# --- whose settings -------------------------------------------------------

as_root() { # and everybody can reach what is here
	[ "$UID" = 0 ] || skip "takes root, to become someone else"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
}

@test "-u: settings that only root can read are refused, and told; others count" {
	as_root
	echo PARLANCE_RATE=3 >"$PARLANCE_CONF"
	chmod 600 "$PARLANCE_CONF"
	serve_start -u nobody chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	echo PARLANCE_RATE=4 >"$PARLANCE_CONF"
	reload
	assert logged "error=\"$PARLANCE_CONF: Permission denied\""
	assert logged 'event=reload error='
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 3
	chmod 644 "$PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections=1'
	assert_equal "$(stat -c %U "/proc/$serve")" nobody
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 4
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
}

@test "-u: a port below 1024 stays open" {
	as_root
	unshare -n true || skip "no network namespaces"
	chmod 644 "$PARLANCE_CONF"
	local inside
	# shellcheck disable=SC2016 # its own
	serve_run unshare -n bash -c 'ip link set lo up && exec "$@"' _ \
		"$tree/serve" -u nobody chatfile=127.0.0.1:80
	await_listening
	reload
	assert logged 'event=reload connections=0'
	assert_equal "$(stat -c %U "/proc/$serve")" nobody
	inside=(nsenter --net="/proc/$serve/ns/net")
	assert_equal "$("${inside[@]}" cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 1024
	run -0 "${inside[@]}" nc -N 127.0.0.1 80 <<<hello
	assert_line hello
	serve_stop
}

@test "a user's serve reads that user's settings, at a reload too" {
	as_root
	unset PARLANCE_CONF STATE_DIRECTORY
	export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config XDG_STATE_HOME=$BATS_TEST_TMPDIR
	mkdir -p "$XDG_CONFIG_HOME/parlance" "$RUNTIME_DIRECTORY"
	mkdir "$BATS_TEST_TMPDIR/parlance"
	chown nobody "$RUNTIME_DIRECTORY" "$BATS_TEST_TMPDIR/parlance"
	echo PARLANCE_RATE=3 >"$XDG_CONFIG_HOME/parlance/parlance.conf"
	serve_run setpriv --reuid=nobody --regid=nogroup --clear-groups \
		"$tree/serve" chatfile=127.0.0.1:0
	await_listening
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 3
	assert setting_is "$(port_of chatfile)" STATE_DIRECTORY \
		"$BATS_TEST_TMPDIR/parlance"
	echo PARLANCE_RATE=4 >"$XDG_CONFIG_HOME/parlance/parlance.conf"
	reload
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 4
	unset XDG_CONFIG_HOME
	serve_stop
}

@test "what root started does not read settings from root's home afterwards" {
	as_root
	unset PARLANCE_CONF
	[ ! -e /etc/parlance ] || skip "this machine has settings"
	export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	mkdir -p "$XDG_CONFIG_HOME/parlance"
	echo PARLANCE_RATE=3 >"$XDG_CONFIG_HOME/parlance/parlance.conf"
	serve_start -u nobody chatfile=127.0.0.1:0
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE -
	local n
	for n in 1 2; do
		reload
		await_log 'event=reload connections=0' "$n"
		assert setting_is "$(port_of chatfile)" PARLANCE_RATE -
	done
	serve_stop
}
