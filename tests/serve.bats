# serve: the accept loop, with stub handlers in a scratch tree.
# shellcheck disable=SC2154 # c, d, hi, answer: set by name, in serve.bash
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
load serve

setup() {
	serve_setup
}

teardown() {
	serve_teardown
}

refused() { # refused STATUS TEXT ARGUMENT...: at start-up
	run -"$1" timeout 10 "$tree/serve" "${@:3}" 3>&-
	assert_output --partial "$2"
	refute_output --partial event=listening
}

cpu_of() { # clock ticks
	local stat
	stat=$(</proc/"$1"/stat)
	# shellcheck disable=SC2086 # a list of fields
	set -- ${stat##*) }
	echo $((${12} + ${13}))
}

@test "what is wrong on the command line or in a setting is named: exit 100" {
	refused 100 'no DOOR=ADDRESS'
	refused 100 'argument="telnet=:0"' telnet=:0
	refused 100 'argument=chatfile ' chatfile
	refused 100 'argument="chatfile=8080"' chatfile=8080
	refused 100 'argument="chatfile=::1:0"' chatfile=::1:0
	refused 100 'argument="chatfile=:65536"' chatfile=:65536
	refused 100 'argument="chatfile=[]:0"' 'chatfile=[]:0'
	refused 100 'address=300.1.1.1.1:0' chatfile=300.1.1.1.1:0
	refused 100 'user=no_such_user' -u no_such_user chatfile=:0
	PARLANCE_CONNECTIONS=0 refused 100 PARLANCE_CONNECTIONS=0 chatfile=:0
	PARLANCE_TRUSTED_PROXIES='::1 10.0.0.0/33' \
		refused 100 PARLANCE_TRUSTED_PROXIES chatfile=:0
	echo PARLANCE_NONSENSE=1 >"$PARLANCE_CONF"
	refused 100 parlance.conf:1: chatfile=:0
	run -100 "$tree/serve" -x
}

@test "a handler that is not there is named: exit 111" {
	refused 111 handler=hchat hchat=127.0.0.1:0
}

@test "an address in use is named: exit 111" {
	serve_start chatfile=127.0.0.1:0
	refused 111 "address=127.0.0.1:$(port_of chatfile) error=\"Address already" \
		"bcs=127.0.0.1:$(port_of chatfile)"
}

@test "every form of address is listened on, and told with its port" {
	serve_start chatfile=127.0.0.1:0 'chatfile=[::1]:0' bcs=:0 'toychat=*:0' \
		chatfile=localhost:0
	local n
	for ((n = 1; n <= $(grep -c door=chatfile "$log"); n++)); do
		case $(grep door=chatfile "$log" | sed -n "${n}p") in
		*'[::1]:'*) connect c "$(port_of chatfile "$n")" ::1 ;;
		*) connect c "$(port_of chatfile "$n")" ;;
		esac
	done
	connect c "$(port_of bcs)" ::1
	connect c "$(port_of bcs)"
	connect c "$(port_of toychat)"
	serve_stop
}

@test "a handler learns who its client is, and our settings" {
	printf '%s\n' 'PARLANCE_RATE = 3' PARLANCE_HASH_SLOTS=7 >"$PARLANCE_CONF"
	sed -i 's/ = /=/' "$PARLANCE_CONF"
	export PARLANCE_HASH_SLOTS=8 REMOTE_ADDR=192.0.2.9
	serve_start chatfile=:0 "toychat=$BATS_TEST_TMPDIR/socket"
	connect c "$(port_of chatfile)"
	ask "$c" 'env REMOTE_ADDR'
	assert_equal "$answer" 127.0.0.1
	ask "$c" 'env REMOTE_PORT'
	assert_regex "$answer" '^[0-9]+$'
	for v in "PARLANCE_RATE 3" "PARLANCE_HASH_SLOTS 8" \
		"STATE_DIRECTORY $STATE_DIRECTORY"; do
		ask "$c" "env ${v% *}"
		assert_equal "$answer" "${v#* }"
	done
	connect c "$(port_of chatfile)" ::1
	ask "$c" 'env REMOTE_ADDR'
	assert_equal "$answer" ::1
	run -0 nc -NU "$BATS_TEST_TMPDIR/socket" <<<'env REMOTE_ADDR'
	assert_line -
	serve_stop
}

@test "a handler gets its client and the log, no other descriptor" {
	serve_start chatfile=127.0.0.1:0 bcs=127.0.0.1:0
	connect c "$(port_of chatfile)"
	connect d "$(port_of chatfile)"
	ask "$d" fds
	assert_equal "$answer" '0 1 2'
	ask "$d" signals
	assert_equal "$answer" '1 1'
	serve_stop
}

@test "accepted sockets have no delay and are kept alive" {
	serve_start chatfile=127.0.0.1:0 'chatfile=[::1]:0'
	connect c "$(port_of chatfile)"
	ask "$c" options
	assert_equal "$answer" '1 1 300'
	connect c "$(port_of chatfile 2)" ::1
	ask "$c" options
	assert_equal "$answer" '1 1 300'
	serve_stop
}

@test "a Unix socket may have a long path, is for everyone, and goes again" {
	local folder
	folder=$BATS_TEST_TMPDIR/$(printf '%0150d' 0)
	mkdir "$folder"
	serve_start "toychat=$folder/socket"
	await_log "address=$folder/socket\$"
	assert_equal "$(stat -c %a "$folder/socket")" 666
	cd "$folder"
	run -0 nc -NU socket <<<'env REMOTE_PORT'
	assert_line -
	refused 111 "address=$folder/socket" "toychat=$folder/socket"
	serve_stop
	[ ! -e socket ]
}

@test "a stale Unix socket is replaced, any other file is left alone" {
	local socket=$BATS_TEST_TMPDIR/socket
	serve_start "toychat=$socket"
	kill -KILL "$serve"
	wait "$serve" || :
	[ -S "$socket" ]
	serve_start "toychat=$socket"
	run -0 nc -NU "$socket" <<<hello
	assert_line hello
	serve_stop
	echo precious >"$socket"
	refused 111 "address=$socket" "toychat=$socket"
	assert_equal "$(cat "$socket")" precious
	rm "$socket"
	socat "UNIX-LISTEN:$socket,fork" EXEC:/bin/true 3>&- &
	started+=($!)
	await test -S "$socket"
	refused 111 'error="Address already in use"' "toychat=$socket"
}

@test "at a door's limit others wait in the backlog, other doors are open" {
	PARLANCE_CONNECTIONS=2 serve_start chatfile=127.0.0.1:0 bcs=127.0.0.1:0
	connect a "$(port_of chatfile)"
	connect b "$(port_of chatfile)"
	exec {c}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	connect d "$(port_of bcs)"
	run ! read -rt 0.2 -u "$c" hi
	hangup "$a"
	read -rt 15 -u "$c" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

# In a network of its own, since loopback is exempt.
per_source() {
	local n
	ip link set lo up
	for n in 192.0.2.1/32 192.0.2.2/32 2001:db8:0:1::1/128 \
		2001:db8:0:1::2/128 2001:db8:0:2::1/128; do
		ip address add "$n" dev lo ${n:+nodad}
	done
	PARLANCE_CONNECTIONS_PER_SOURCE=2 serve_start chatfile=:0
	port=$(port_of chatfile)
	for n in 192.0.2.1 192.0.2.2 2001:db8:0:1::1 2001:db8:0:2::1; do
		connect c "$port" "$n"
		connect d "$port" "$n"
	done
	for n in 192.0.2.1 192.0.2.1 192.0.2.2 2001:db8:0:1::2 2001:db8:0:1::1
	do
		hi=
		! connect e "$port" "$n" || return 1
		[ -z "$hi" ]
	done
	for n in 1 2 3; do connect e "$port" 127.0.0.1; done
	await_log event=limit 3
	[ "$(grep -c event=limit "$log")" = 3 ]
	grep -q 'event=limit door=chatfile source=192.0.2.1 connections=2' "$log"
	# Once it is below its limit it may come again, and is told again.
	ask "$d" 'env REMOTE_ADDR'
	[ "$answer" = 2001:db8:0:2::1 ]
	ask "$d" hello
	echo "die 9" >&"$d"
	await_log event=exit
	connect d "$port" 2001:db8:0:2::1
	! connect e "$port" 2001:db8:0:2::1 || return 1
	await_log 'event=limit .*source=2001:db8:0:2::1'
	kill "$serve"
	wait "$serve"
}

trusted() {
	ip link set lo up
	ip address add 192.0.2.1/32 dev lo
	PARLANCE_CONNECTIONS_PER_SOURCE=1 serve_start chatfile=:0
	port=$(port_of chatfile)
	connect c "$port" 192.0.2.1
	connect c "$port" 192.0.2.1
	connect c "$port" 192.0.2.1
	run ! grep event=limit "$log"
	kill "$serve"
	wait "$serve"
}

apart() { # apart FUNCTION: in a network of its own
	unshare -rn true || skip "no network namespaces here"
	run -0 unshare -rn bash -euc "
		source /dev/stdin
		run() { shift; ! \"\$@\"; }
		tree='$tree' log='$log' started=()
		exec {tick}<> <(:)
		trap 'kill -KILL \${serve-} 2>/dev/null || :' EXIT
		$1" 3>&- < <(declare -f)
}

@test "over its limit a source is closed at once, IPv6 by /64, told once" {
	apart per_source
}

@test "a trusted proxy has no limit of its own" {
	PARLANCE_TRUSTED_PROXIES='10.0.0.0/8, 192.0.2.0/24' apart trusted
}

@test "SIGTERM drains: handlers finish, new clients are refused, exit 0" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local handler=$hi
	connect d "$(port_of chatfile)"
	ask "$d" deaf-not
	kill "$serve"
	read -rt 15 -u "$c" answer
	assert_equal "$answer" bye
	wait "$serve"
	assert gone "$handler"
	run ! connect c "$(port_of chatfile)"
	run -0 cat "$log"
	assert_line 'event=drain connections=2'
	refute_output --partial event=exit
	nothing_left
}

@test "a second SIGTERM hurries: who does not end is killed" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	echo deaf >&"$c"
	ask "$c" well
	kill "$serve"
	await_log event=drain
	kill "$serve"
	wait "$serve"
	nothing_left
	await_log "event=exit door=chatfile pid=$hi signal=9 peer=127.0.0.1:"
}

@test "who has not ended 10 s after SIGTERM is killed" {
	[ "$TEST_SCALE" != 1 ] || skip "takes 10 s: check-long"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	echo deaf >&"$c"
	ask "$c" well
	local begin=$SECONDS
	serve_stop
	assert [ $((SECONDS - begin)) -ge 9 ]
	assert [ $((SECONDS - begin)) -le 13 ]
	nothing_left
}

@test "SIGINT drains too" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	kill -INT "$serve"
	read -rt 15 -u "$c" hi
	assert_equal "$hi" bye
	wait "$serve"
}

@test "a handler that dies of a signal is logged with its peer" {
	serve_start chatfile=127.0.0.1:0 "toychat=$BATS_TEST_TMPDIR/socket"
	connect c "$(port_of chatfile)"
	ask "$c" 'env REMOTE_PORT'
	echo 'die 11' >&"$c"
	await_log "^event=exit door=chatfile pid=$hi signal=11 peer=127.0.0.1:$answer\$"
	nc -NU "$BATS_TEST_TMPDIR/socket" <<<'die 6' >/dev/null
	await_log "^event=exit door=toychat pid=[0-9]+ signal=6 peer=uid:$UID\$"
	serve_stop
}

@test "200 handlers crash, and serve goes on" {
	local crashes=$((TEST_SCALE == 1 ? 50 : 200)) n
	PARLANCE_CONNECTIONS=500 serve_start chatfile=127.0.0.1:0
	local port
	port=$(port_of chatfile)
	for ((n = 0; n < crashes; n++)); do
		connect c "$port"
		echo 'die 11' >&"$c"
	done
	await_log signal=11 "$crashes"
	connect c "$port"
	ask "$c" hello
	assert_equal "$answer" hello
	assert_equal "$(pgrep -cP "$serve" -x chatfile)" 1
	serve_stop
}

@test "out of descriptors: nothing spins, nobody is lost, it resumes" {
	serve_start chatfile=127.0.0.1:0
	local port free=3 before
	port=$(port_of chatfile)
	connect c "$port"
	await_log '^stub'
	while [ -e "/proc/$serve/fd/$free" ]; do free=$((free + 1)); done
	prlimit --pid "$serve" --nofile="$free:"
	exec {d}<>"/dev/tcp/127.0.0.1/$port"
	await_log 'event=accept error="Too many open files"'
	before=$(cpu_of "$serve")
	run ! read -rt 0.8 -u "$d" hi
	assert [ $(($(cpu_of "$serve") - before)) -le 5 ]
	prlimit --pid "$serve" --nofile=1024:
	read -rt 15 -u "$d" hi
	assert_regex "$hi" '^hi '
	assert_equal "$(grep -c event=accept "$log")" 1
	serve_stop
}

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

@test "out of processes: the connection is held until there is one" {
	[ "$UID" = 0 ] || skip "takes root, to become someone else"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	mkdir "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	chown 65534:65534 "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	serve_start chatfile=127.0.0.1:0
	assert_equal "$(stat -c %u "/proc/$serve")" 65534
	connect c "$(port_of chatfile)"
	as_nobody prlimit --pid "$serve" --nproc=1:
	exec {d}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	await_log 'event=handler error="Resource temporarily unavailable"'
	run ! read -rt 0.2 -u "$d" hi
	as_nobody prlimit --pid "$serve" --nproc=1024:
	read -rt 15 -u "$d" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

@test "-u: the state and the processes are that user's" {
	[ "$UID" = 0 ] || skip "takes root, to become someone else"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	chmod 644 "$PARLANCE_CONF"
	mkdir -p "$STATE_DIRECTORY/rooms"
	echo text >"$STATE_DIRECTORY/rooms/lobby.txt"
	ln -s /etc/hostname "$STATE_DIRECTORY/rooms/link"
	serve_start -u nobody chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	assert_equal "$(stat -c %U "/proc/$serve")" nobody
	assert_equal "$(stat -c %U "/proc/$hi")" nobody
	assert_equal "$(stat -c %U "$STATE_DIRECTORY/rooms/lobby.txt")" nobody
	assert_equal "$(stat -c %U "$RUNTIME_DIRECTORY/index")" nobody
	assert_equal "$(stat -Lc %U "$STATE_DIRECTORY/rooms/link")" root
	serve_stop
}

no_new_privs() { sed -n 's/^NoNewPrivs:[[:space:]]*//p' "/proc/$1/status"; }

@test "nothing that serve starts can gain privileges, unless PARLANCE_SANDBOX=off" {
	PARLANCE_SANDBOX=try serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	assert_equal "$(no_new_privs "$serve")" 1
	assert_equal "$(no_new_privs "$hi")" 1
	await_log '^stub'
	assert_equal "$(no_new_privs "$(stub_of)")" 1
	serve_stop
	PARLANCE_SANDBOX=off serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	assert_equal "$(no_new_privs "$serve")" 0
	serve_stop
}

@test "a set-user-id program as handler runs as the user who serves" {
	[ "$UID" = 0 ] || skip "takes root, to become someone else"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	chmod 644 "$PARLANCE_CONF"
	cp --remove-destination /usr/bin/id "$tree/chatfile"
	chmod 4755 "$tree/chatfile"
	setpriv --reuid=65534 --clear-groups "$tree/chatfile" | grep -q euid=0 ||
		skip "set-user-id has no effect here"
	PARLANCE_SANDBOX=try serve_start -u nobody chatfile=127.0.0.1:0
	run -0 nc -N 127.0.0.1 "$(port_of chatfile)" </dev/null
	assert_output --partial 'uid=65534(nobody)'
	refute_output --partial euid=
	serve_stop
}

stub_of() { sed -nE 's/^stub ([0-9]+) parent.*/\1/p' "$log" | tail -n 1; }

@test "fanout is started, started again when it is killed, ended last" {
	serve_start chatfile=127.0.0.1:0
	await_log '^stub [0-9]+ parent'
	local first
	first=$(stub_of)
	kill -KILL "$first"
	await_log '^stub [0-9]+ parent' 2
	await_log "event=helper name=fanout pid=$first signal=9"
	connect c "$(port_of chatfile)"
	serve_stop
	assert_equal "$(tail -n 1 "$log")" "stub $(stub_of) ends"
	nothing_left
}

@test "a fanout that cannot start is tried less and less often" {
	rm "$tree/fanout"
	printf '#!/bin/sh\nexit 7\n' >"$tree/fanout"
	chmod +x "$tree/fanout"
	serve_start chatfile=127.0.0.1:0
	await_log 'name=fanout pid=[0-9]+ status=7 retry_ms=800'
	assert_equal "$(grep -c event=helper "$log")" 4
	connect c "$(port_of chatfile)"
	rm "$tree/fanout"
	await_log 'event=helper name=fanout error="No such file'
	serve_stop
}

@test "gallery is started where there is the web door, and there alone" {
	ln "$tree/chatfile" "$tree/hchat"
	cp "$BUILD/helpers/gallery" "$tree"
	serve_start chatfile=127.0.0.1:0
	await_log '^stub [0-9]+ parent' # fanout's
	serve_stop
	refute logged door=gallery
	serve_start hchat=127.0.0.1:0
	await_log 'door=gallery event=listening'
	kill -KILL "$(pgrep -P "$serve" -x gallery)"
	await_log 'event=helper name=gallery pid=[0-9]+ signal=9'
	await_log 'door=gallery event=listening' 2
	serve_stop
	logged 'door=gallery event=stop'
}

@test "when serve is killed fanout ends, handlers end with their clients" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	await_log '^stub [0-9]+ parent'
	kill -KILL "$serve"
	await gone "$(stub_of)"
	ask "$c" hello
	assert_equal "$answer" hello
	hangup "$c"
	await gone "$hi"
}

# Plays systemd: two sockets by name, and a place to be notified.
activate() {
	cat >"$BATS_TEST_TMPDIR/systemd.py" <<-'END'
	import os, socket, sys
	def listener():
	    s = socket.socket()
	    s.bind(("127.0.0.1", 0))
	    s.listen()
	    return s
	notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	notify.bind(os.environ["HOME"] + "/notify")
	if os.fork():
	    print(notify.recv(100).decode(), file=sys.stderr, flush=True)
	    print(notify.recv(100).decode(), file=sys.stderr, flush=True)
	    os.wait()
	    sys.exit(0)
	a, b = listener(), listener()
	a = os.dup2(os.dup(a.fileno()), 103)
	b = os.dup2(os.dup(b.fileno()), 104)
	os.closerange(3, 100)
	os.dup2(a, 3)
	os.dup2(b, 4)
	os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2",
	    LISTEN_FDNAMES=os.environ["NAMES"],
	    NOTIFY_SOCKET=os.environ["HOME"] + "/notify")
	os.execv(sys.argv[1], [sys.argv[1]])
	END
	serve_run python3 "$BATS_TEST_TMPDIR/systemd.py" "$tree/serve"
}

@test "systemd's sockets are taken by name, and it is told of readiness" {
	NAMES=chatfile:bcs activate 3>&-
	await_log '^READY=1'
	connect c "$(port_of bcs)"
	ask "$c" 'env LISTEN_FDS'
	assert_equal "$answer" -
	ask "$c" 'env NOTIFY_SOCKET'
	assert_equal "$answer" -
	ask "$c" options
	assert_equal "$answer" '1 1 300'
	connect d "$(port_of chatfile)"
	run ! grep '^stub' "$log"
	kill "$(ps -o ppid= -p "$hi")"
	await_log '^STOPPING=1'
	wait "$serve"
}

@test "no process is left, whatever comes and goes while it ends" {
	local n
	serve_start chatfile=127.0.0.1:0
	for n in 1 2 3 4; do
		(
			trap - ERR
			set +eE
			while exec {c}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
			do
				read -rt 5 -u "$c" _
				exec {c}>&-
			done
		) 2>/dev/null 3>&- &
		started+=($!)
	done
	connect c "$(port_of chatfile)"
	serve_stop
	nothing_left
}
