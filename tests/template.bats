# suite: filter
# Templates: processes that serve starts once a door, and that fork a handler
# for each connection. With stub handlers, and with the real ones.
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

# The templates among serve's children: those that have no client on 0.
templates() {
	local pid
	for pid in $(<"/proc/$serve/task/$serve/children"); do
		[ "$(readlink "/proc/$pid/fd/0")" = /dev/null ] &&
			[ "$(readlink "/proc/$pid/exe")" != "$tree/fanout" ] &&
			! tr '\0' '\n' <"/proc/$pid/cmdline" | grep -q fanout &&
			echo "$pid"
	done 2>/dev/null
	return 0
}

template_gone() { ! templates | grep -qx "$1"; }

load_of() { # load_of COUNT DOOR...
	local count=$1 ports=()
	shift
	for door; do ports+=("$(port_of "$door")"); done
	timeout 300 python3 -B "$BATS_TEST_DIRNAME/serve_load.py" "$count" \
		"${ports[@]}"
}

@test "one template forks the handlers of a door, who are serve's children" {
	serve_start chatfile=127.0.0.1:0
	local pids=()
	for _ in 1 2 3; do
		connect c "$(port_of chatfile)"
		pids+=("$hi")
		assert_equal "$(ps -o ppid= -p "$hi" | tr -d ' ')" "$serve"
	done
	assert_equal "$(templates | wc -l)" 1
	refute_regex " ${pids[*]} " " $(templates) "
	assert_equal "$(printf '%s\n' "${pids[@]}" | sort -u | wc -l)" 3
	serve_stop
}

@test "a forked handler knows its peer, and has its client and the log alone" {
	export REMOTE_ADDR=192.0.2.9
	serve_start chatfile=:0 "toychat=$BATS_TEST_TMPDIR/socket"
	connect d "$(port_of chatfile)" ::1
	connect c "$(port_of chatfile)"
	ask "$c" 'env REMOTE_ADDR'
	assert_equal "$answer" 127.0.0.1
	ask "$c" 'env REMOTE_PORT'
	assert_regex "$answer" '^[0-9]+$'
	ask "$c" fds
	assert_equal "$answer" '0 1 2'
	ask "$c" signals
	assert_equal "$answer" '1 1'
	ask "$d" 'env REMOTE_ADDR'
	assert_equal "$answer" ::1
	run -0 nc -NU "$BATS_TEST_TMPDIR/socket" <<<'env REMOTE_ADDR'
	assert_line -
	serve_stop
}

@test "a forked handler that dies of a signal is reaped, and logged with its peer" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	ask "$c" 'env REMOTE_PORT'
	echo "die 9" >&"$c"
	await_log "event=exit door=chatfile pid=$hi signal=9 peer=127.0.0.1:$answer\$"
	await gone "$hi"
	serve_stop
}

kill_templates() {
	local pid
	while [ ! -e "$BATS_TEST_TMPDIR/enough" ]; do
		for pid in $(templates); do kill -KILL "$pid" || :; done
		read -rt "0.0$((RANDOM % 10))" -u "$tick" _ || :
	done 2>/dev/null
}

@test "templates are killed at random: every connection is served, once" {
	serve_start chatfile=127.0.0.1:0 bcs=127.0.0.1:0
	local rounds=0 kills=$((5 * TEST_SCALE))
	kill_templates 3>&- &
	started+=($!)
	while ((rounds++ < 3 * TEST_SCALE)) ||
		! logged 'event=template door=.* signal=9' "$kills"; do
		run -0 load_of 100 chatfile bcs
		assert_output "served 100"
	done
	: >"$BATS_TEST_TMPDIR/enough"
	serve_stop
}

@test "out of processes for a template, the connection is held" {
	[ "$UID" = 0 ] || skip "takes root, to become someone else"
	local as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	mkdir "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	chown 65534:65534 "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	"${as[@]}" prlimit --pid "$(templates)" --nproc=1:
	exec {d}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	await_log 'event=handler error="Resource temporarily unavailable"'
	run ! read -rt 0.2 -u "$d" hi
	"${as[@]}" prlimit --pid "$(templates)" --nproc=1024:
	read -rt 15 -u "$d" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

@test "a template that is out of descriptors costs no connection" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local old
	old=$(templates)
	prlimit --pid "$old" --nofile=3:
	connect d "$(port_of chatfile)"
	await template_gone "$old"
	connect d "$(port_of chatfile)"
	assert_equal "$(templates | wc -l)" 1
	serve_stop
}

@test "a template that is stuck is killed, and its connections are served" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local stuck
	stuck=$(templates)
	kill -STOP "$stuck"
	connect d "$(port_of chatfile)"
	await_log "event=template door=chatfile pid=$stuck error=\"no answer\""
	await gone "$stuck"
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
}

@test "what cannot be a template is started for each connection" {
	unset STUB_TEMPLATE
	serve_start chatfile=127.0.0.1:0
	run -0 load_of 30 chatfile
	assert_output 'served 30'
	refute logged event=template
	serve_stop
}

@test "a handler that was replaced serves the next connection" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local old
	old=$(templates)
	cp "$tree/chatfile" "$tree/new"
	mv "$tree/new" "$tree/chatfile"
	connect d "$(port_of chatfile)"
	assert_equal "$(readlink "/proc/$hi/exe")" "$tree/chatfile"
	await template_gone "$old"
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
}

@test "a template is replaced after 1,000 connections" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local old
	old=$(templates)
	run -0 load_of 998 chatfile
	assert_equal "$(templates)" "$old"
	run -0 load_of 20 chatfile
	assert_output 'served 20'
	await template_gone "$old"
	assert_equal "$(templates | wc -l)" 1
	serve_stop
}

@test "no template stays for more than a minute when nobody comes" {
	[ "$TEST_SCALE" -gt 1 ] || skip "takes a minute: make check-long"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local old
	old=$(templates)
	read -rt 55 -u "$tick" _ || :
	assert_equal "$(templates)" "$old"
	await template_gone "$old"
	ask "$c" hello
	assert_equal "$answer" hello
	connect d "$(port_of chatfile)"
	serve_stop
}

@test "a template that was replaced and does not end is killed" {
	[ "$TEST_SCALE" -gt 1 ] || skip "takes 10 seconds: make check-long"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local old
	old=$(templates)
	kill -STOP "$old"
	cp "$tree/chatfile" "$tree/new"
	mv "$tree/new" "$tree/chatfile"
	connect d "$(port_of chatfile)"
	refute template_gone "$old"
	await_log "event=template door=chatfile pid=$old error=\"does not end\""
	await gone "$old"
	ask "$c" hello
	assert_equal "$answer" hello
	serve_stop
}

@test "at a door's limit those whom a template serves count" {
	PARLANCE_CONNECTIONS=2 serve_start chatfile=127.0.0.1:0
	connect a "$(port_of chatfile)"
	connect b "$(port_of chatfile)"
	exec {c}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	run ! read -rt 0.2 -u "$c" hi
	hangup "$a"
	read -rt 15 -u "$c" hi
	assert_regex "$hi" '^hi '
	serve_stop
}

@test "who drains takes those along who are on their way" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	kill -STOP "$(templates)"
	exec {d}<>"/dev/tcp/127.0.0.1/$(port_of chatfile)"
	kill "$serve"
	read -rt 15 -u "$c" hi
	assert_equal "$hi" bye
	wait "$serve"
	assert_equal "$(left_behind)" ''
}

field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

real_handlers() { # from where they were built
	local door
	unset STUB_TEMPLATE
	for door in chatfile hchat bcs toychat; do
		cp --remove-destination "$BUILD/handlers/$door" "$tree/$door"
	done
	cp "$BUILD/helpers/gallery" "$tree/gallery"
}

@test "each door's handlers serve one client after another from a template" {
	real_handlers
	serve_start chatfile=127.0.0.1:0 hchat=127.0.0.1:0 bcs=127.0.0.1:0 \
		"toychat=$BATS_TEST_TMPDIR/socket"
	for _ in 1 2 3; do
		run -0 curl -sS "http://127.0.0.1:$(port_of chatfile)/rooms/"
		assert_output "please log in"
		run -0 curl -sS "http://127.0.0.1:$(port_of hchat)/healthz"
		nc -N 127.0.0.1 "$(port_of bcs)" <<<wrong | grep -aq register
		run -0 nc -NU "$BATS_TEST_TMPDIR/socket" \
			<<<$'register user secret\r'
	done
	assert_output --partial error
	await_log 'door=toychat .*event=sent user=user message="success"'
	assert_equal "$(pgrep -c -P "$serve" -- -templ)" 4
	serve_stop
}

@test "each door's handlers are forked, confined, and hold no way back" {
	local door pid
	real_handlers
	serve_start chatfile=127.0.0.1:0 hchat=127.0.0.1:0 bcs=127.0.0.1:0 \
		toychat=127.0.0.1:0
	if [ "$(field "$serve" Seccomp_filters)" != 0 ] ||
		[ "${PARLANCE_SANDBOX-}" = off ]; then
		skip "there is no sandbox, or another around us"
	fi
	for door in chatfile hchat bcs toychat; do
		exec {c}<>"/dev/tcp/127.0.0.1/$(port_of "$door")"
		await forked "$door"
		pid=$(handler_of "$door")
		assert_equal "$(field "$pid" NoNewPrivs)" 1
		assert_equal "$(field "$pid" Seccomp_filters)" 2
		# Its client twice; folders; the log. No other socket.
		run -0 find "/proc/$pid/fd" -lname 'socket:*' -printf '%f\n'
		assert_equal "$(sort <<<"$output" | tr '\n' ' ')" '0 1 '
		hangup "$c"
	done
	serve_stop
}

handler_of() { # handler_of DOOR: one that has a client
	local pid
	for pid in $(<"/proc/$serve/task/$serve/children"); do
		[ "$(readlink "/proc/$pid/exe")" = "$tree/$1" ] || continue
		case $(readlink "/proc/$pid/fd/0") in socket:*) echo "$pid" ;; esac
	done 2>/dev/null
	return 0
}

forked() { [ -n "$(handler_of "$1")" ]; }
