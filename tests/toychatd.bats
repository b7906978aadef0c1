#!/usr/bin/env bats
# toychatd: its options, its two listeners. First with stub handlers in a
# scratch tree, then with the real one.
# shellcheck disable=SC2154 # c, hi, answer: set by name, in serve.bash
load serve

setup() {
	serve_setup
	serve_front toychatd
}

teardown() {
	serve_teardown
}

refused() { # refused STATUS TEXT ARGUMENT...
	run -"$1" timeout 10 bin/toychatd -a 127.0.0.1 -p 0 "${@:3}" 3>&-
	assert_output --partial "$2"
	refute_output --partial event=listening
}

start() { # start ARGUMENT...: until it listens
	serve_run bin/toychatd -a 127.0.0.1 -p 0 "$@"
	await_listening
}

real() { # the handler is the real one
	cp --remove-destination "$BUILD/handlers/toychat" \
		"$BUILD/helpers/fanout" libexec
}

@test "toychatd --help tells its options" {
	run -0 bin/toychatd --help
	assert_output --partial 'usage: toychatd'
	for option in '-p PORT' '-u PATH' '-a ADDRESS' 'by default' 8888; do
		assert_output --partial -- "$option"
	done
	run -0 bin/toychatd --version
	assert_output --partial 'toychatd (parlance)'
}

@test "what is wrong on the command line is named: exit 100" {
	refused 100 '-p 65536: not a port' -p 65536
	refused 100 '-p x: not a port' -p x
	refused 100 'argument: takes no arguments' argument
	refused 100 '-u: an empty path' -u ''
	refused 100 '-u: the path is too long' -u "$(printf 'x/%.0s' {1..2100})"
	run -100 bin/toychatd -x
	run -100 bin/toychatd -u
	unset RUNTIME_DIRECTORY
	echo nonsense >"$PARLANCE_CONF"
	refused 100 parlance.conf:1
}

@test "a socket that cannot be is named: exit 111" {
	: >file
	mkdir folder
	refused 111 "address=$PWD/file error=\"File exists\"" -u file
	refused 111 "address=$PWD/absent/sock error=\"No such file" -u absent/sock
	refused 111 "address=$PWD/folder error=\"File exists\"" -u folder
	start -u sock
	refused 111 "address=$PWD/sock error=\"Address already in use\"" -u sock
	serve_stop
}

@test "it listens on TCP and on the socket of -u, for every user, at once" {
	start -u 'my socket'
	assert [ "$(grep -c 'event=listening door=toychat' "$log")" = 2 ]
	assert_equal "$(stat -c %a 'my socket')" 666
	connect c "$(port_of toychat)"
	ask "$c" 'env REMOTE_ADDR'
	assert_equal "$answer" 127.0.0.1
	run -0 nc -NU 'my socket' <<<'env REMOTE_ADDR'
	assert_line -
	assert [ ! -e "$RUNTIME_DIRECTORY/toychat.sock" ]
	serve_stop
	assert [ ! -e 'my socket' ]
}

@test "without -u the socket is RUNTIME_DIRECTORY's, whoever names that" {
	start
	assert_equal "$(stat -c %a "$RUNTIME_DIRECTORY/toychat.sock")" 666
	serve_stop
	echo "RUNTIME_DIRECTORY=$PWD/other" >"$PARLANCE_CONF"
	unset RUNTIME_DIRECTORY
	start
	run -0 nc -NU other/toychat.sock <<<'env RUNTIME_DIRECTORY'
	assert_line "$PWD/other"
	# It is in no environment, but read: so that reading it anew counts.
	run grep -zc '^RUNTIME_DIRECTORY=' "/proc/$serve/environ"
	assert_output 0
	serve_stop
}

@test "a socket that was left behind by a killed server is no obstacle" {
	start -u sock
	kill -KILL "$serve"
	wait "$serve" || true
	assert [ -S sock ]
	start -u sock
	run -0 nc -NU sock <<<'env REMOTE_ADDR'
	assert_line -
	serve_stop
}

@test "on the Unix socket the peer is its user, in the log too" {
	real
	start
	run -1 "$BUILD/bin/toychat" <<<nonsense
	assert_output 'error no such command'
	await_log "door=toychat peer=uid:$UID event=received message=\"?nonsense"
	run -1 "$BUILD/bin/toychat" -p "$(port_of toychat)" <<<nonsense
	await_log 'door=toychat peer=127.0.0.1:[0-9]* event=received'
	if [ "$UID" = 0 ]; then
		chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$PWD"
		run -0 setpriv --reuid 61234 --clear-groups nc -NU \
			"$RUNTIME_DIRECTORY/toychat.sock" <<<$'nonsense\r'
		await_log 'peer=uid:61234'
	fi
	serve_stop
}

@test "what one says at one socket, its path long, is heard at the other" {
	local long
	printf -v long 'folder%.0s' {1..30}
	mkdir "$long" "$long/$long"
	real
	start -u "$long/$long/sock"
	run -0 "$BUILD/bin/toychat" -s "$long/$long/sock" <<<$'register anna secret\nsend anna hi'
	run -0 "$BUILD/bin/toychat" -p "$(port_of toychat)" \
		<<<$'login anna secret\nrecv anna'
	assert_output --regexp 'anna anna hi$'
	serve_stop
}
