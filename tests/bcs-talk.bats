#!/usr/bin/env bats
# bcs_client.py and bcs_server with each other.
# Some names are set by run and load.
# shellcheck disable=SC2154
load bcs-client

setup() { client_setup; }
teardown() { client_teardown; }

client_of() { # client_of NAME [OPTION]...
	"$BUILD/bin/bcs_client.py" -h 127.0.0.1 -p "$port" -u "$@"
}

overhear() { # alice, with the pid $client, writes what she hears to out
	mkfifo in
	exec {in}<>in
	"${alice[@]}" <in >out 2>err 3>&- {in}>&- &
	client=$!
	pids+=("$client")
	await grep -q 'Nobody else' out
}

@test "one at a terminal, one in a pipe: they talk, and hand over a file" {
	real
	at_terminal
	await shows '^server: Nobody else is here$'
	head -c 3M /dev/urandom >photo
	types 'let me s'
	run -0 client_of bob <<<$'hi\n/send photo\nlook'
	assert_output 'server: Also here: alice
bob: hi
bob: look'
	await shows '^server: bob has left$'
	await last_line 'alice> let me s'
	types 'ee'
	press Enter
	await last_line 'alice>'
	types '/get photo copy'
	press Enter
	await shows '^\* got photo as copy, 3145728 bytes$'
	cmp photo copy
	await last_line 'alice>'
	assert_equal "$(screen | grep .)" 'server: Nobody else is here
server: bob has connected
bob: hi
server: bob has uploaded photo to the server
bob: look
server: bob has left
alice: let me see
* got photo as copy, 3145728 bytes
alice>'
	press C-d
	ended 0
}

@test "a thousand lines through a pipe arrive, in their order" {
	real PARLANCE_RATE=0
	overhear
	seq 1000 >lines
	run -0 client_of bob <lines
	assert_equal "$(grep -c '^bob: ' <<<"$output")" 1000
	await hears 'server: bob has left'
	sed 's/^/bob: /' lines | cmp - <(grep '^bob: ' out)
}

@test "the longest message and a file of 64 MiB make the round trip" {
	real
	overhear
	head -c 64M /dev/urandom >big
	head -c 65535 /dev/zero | tr '\0' m >line
	printf '\n/send big\n/get big copy\n' >>line
	run -0 client_of bob <line
	await hears 'server: bob has uploaded big to the server'
	head -n 1 line | sed 's/^/bob: /' | cmp - <(grep '^bob: ' out)
	cmp big copy
}

@test "each refusal of the server is the exit status" {
	real PARLANCE_BCS_ACK_TIMEOUT=1
	run -2 client_of 'a b' </dev/null
	run -3 client_of alice <<<$'a\x1bb'
	: >empty
	printf x >.hidden
	run -5 client_of alice <<<$'/send empty\n/send empty'
	run -5 client_of alice <<<'/send .hidden'
	run -6 client_of alice <<<'/get nosuch'
	# Stopped, it acknowledges nothing.
	overhear
	kill -STOP "$client"
	run -0 client_of bob <<<said
	await alice_is_out
	kill -CONT "$client"
	local status=0
	wait "$client" || status=$?
	assert_equal "$status" 7
	assert_regex "$(<err)" '\(status 7\)$'
}
alice_is_out() {
	[ "$(grep -c 'event=disconnect user=alice' chat.log)" -ge 5 ]
}
