#!/usr/bin/env bats
# suite: slow
# The web door at sockets: waiting, hang-ups, streams (hchat_client.py), and
# hchatd, in the foreground and as a daemon.
# Variables of chatfile.bash and hchat.bash.
# shellcheck disable=SC2030,SC2031,SC2153,SC2154
load hchat
load serve

setup_file() { chatfile_setup_file; }

setup() {
	hchat_setup
	unset PARLANCE_NOW
	serve='' daemon=
}

# The daemon is nobody's child here: helpers and all that writes its log end
# with it.
teardown() {
	local pid
	for pid in $serve $daemon; do
		kill "$pid" 2>/dev/null || continue
		await gone "$pid"
	done
	wait
	[ -n "$BATS_TEST_COMPLETED" ] || head -n 50 "$log"
}

serve_hchat() { # serve_hchat [NAME=VALUE...]: until it listens; sets $port
	env "$@" "$BUILD/bin/hchatd" -a 127.0.0.1 -p 0 2>"$log" </dev/null 3>&- &
	serve=$!
	await_log event=listening
	await_log socket=fanout.sock
	await_log socket=gallery.sock
	port=$(port_of hchat)
}

client() { # client TEST [PORT]
	SERVE=$serve run timeout -k 5 120 \
		"$BATS_TEST_DIRNAME/hchat_client.py" "$1" "$chatfile" ${2:+"$2"}
	assert_success
}

# --- waiting -------------------------------------------------------------------

@test "a request for a message not there yet is answered when it comes" {
	client wait
}

@test "a client that hangs up ends its wait at once" {
	client hangup
	client half_close
}

@test "SIGTERM ends a wait with 204 and the connection" {
	client term
}

@test "at a pipe a wait outlives the end of input, but not the reader" {
	client pipe
}

@test "one message answers all who wait for it" {
	serve_hchat PARLANCE_CONNECTIONS=2000
	client many "$port"
}

@test "a wait outlives fanout" {
	serve_hchat
	client fanout "$port"
}

@test "who waits in a room that is deleted is told that it is gone" {
	serve_hchat
	client deleted "$port"
}

@test "an idle connection gives a long message's memory back, and goes on" {
	client idle
}

# --- streams -------------------------------------------------------------------

@test "without gallery a handler serves an event stream itself, until SIGTERM" {
	client events
}

@test "an event stream costs no process of its own where there is gallery" {
	serve_hchat
	client parked "$port"
}

# --- hchatd --------------------------------------------------------------------

@test "hchatd -h shows its help" {
	run -0 "$BUILD/bin/hchatd" -h
	assert_output --partial 'usage: hchatd'
	assert_output --partial '-d'
	assert_output --partial '1234'
	run -100 "$BUILD/bin/hchatd" -x
	run -100 "$BUILD/bin/hchatd" -p port
	run -100 "$BUILD/bin/hchatd" argument
}

@test "hchatd -d returns once it listens, prints its pid, serves, and stops on SIGTERM" {
	run -0 --separate-stderr timeout 20 \
		"$BUILD/bin/hchatd" -d -a 127.0.0.1 -p 0
	assert_output --regexp '^[0-9]+$'
	daemon=$output
	printf '%s\n' "$stderr" >"$log"
	port=$(port_of hchat)
	# It has let go of all that it was started with.
	assert_equal "$(ps -o tty=,sid= -p "$daemon" | tr -s ' ')" \
		"$(printf '? %7d' "$daemon" | tr -s ' ')"
	assert_equal "$(readlink "/proc/$daemon/fd/0")" /dev/null
	assert_equal "$(readlink "/proc/$daemon/fd/1")" /dev/null
	[ "$(readlink "/proc/$daemon/fd/2")" != "$(readlink /proc/self/fd/2)" ]
	run -0 curl -sS "http://127.0.0.1:$port/healthz"
	assert_output fine
	kill "$daemon"
	await gone "$daemon"
	run -7 curl -sS "http://127.0.0.1:$port/healthz"
}

@test "hchatd -d says what is wrong and fails if it cannot listen" {
	serve_hchat
	run -111 --separate-stderr timeout 20 \
		"$BUILD/bin/hchatd" -d -a 127.0.0.1 -p "$port"
	[ -z "$output" ]
	[[ $stderr == *'Address already in use'* ]]
}

# In a mount namespace of its own, with a /dev and a /run that have such a log.
logs_to() { # logs_to syslog|journal
	unshare -m true 2>/dev/null || skip "needs to unshare mounts"
	mkdir "$BATS_TEST_TMPDIR/dev"
	timeout -k 5 60 unshare -m bash "$BATS_TEST_DIRNAME/hchat_syslog.bash" \
		"$1" "$BATS_TEST_TMPDIR/dev" >"$out"
}

@test "the daemon's log goes to the journal" {
	logs_to journal
	assert_equal "$(head -n 1 "$out")" parlance-serve
	grep -qx '<6>event=listening door=hchat address=127.0.0.1:[0-9]*' "$out"
	grep -q '^<6>door=hchat peer=127.0.0.1:[0-9]* event=index' "$out"
}

@test "where there is no journal the daemon's log goes to syslog" {
	logs_to syslog
	grep -qE '^<30>.* parlance-serve\[[0-9]+\]: event=listening door=hchat' \
		"$out"
	grep -qE '^<30>.* door=hchat peer=127.0.0.1:[0-9]+ event=index' "$out"
}
