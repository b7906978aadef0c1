#!/usr/bin/env bats
# suite: slow
# bcs_client.py in a pipe, against a server that can be told to misbehave.
# Each test is a subshell of its own; some names are set by run and load.
# shellcheck disable=SC2030,SC2031,SC2154
load bcs-client

setup() { client_setup; }
teardown() { client_teardown; }

# --- the command line --------------------------------------------------------

@test "bcs_client.py --help and --version say what they should" {
	run -0 "$BUILD/bin/bcs_client.py" --help
	assert_output --partial 'usage: bcs_client.py'
	assert_output --partial '/get NAME [PATH]'
	run -0 "$BUILD/bin/bcs_client.py" --version
	assert_output --regexp '^bcs_client.py \(parlance\) [0-9.]+$'
}

@test "wrong usage ends with 100, no status code, and a hint" {
	local wrong
	for wrong in '' '-u a -p 0' '-u a -p 65536' '-u a -p x' '-u a -h' \
		'-u a b' '-u a --nosuch' '-u a --sta' "-u $(printf 'a%.0s' {1..65536})"; do
		# shellcheck disable=SC2086 # words
		run -100 "$BUILD/bin/bcs_client.py" $wrong
		assert_output --partial 'usage: bcs_client.py'
	done
	run -100 "$BUILD/bin/bcs_client.py" -u $'\xff'
	assert_output --partial 'not a name in UTF-8'
}

@test "a server that cannot be reached: one line, and 111" {
	fake
	kill "${pids[0]}" && wait "${pids[0]}" || true
	run -111 --separate-stderr client </dev/null
	assert_equal "$output" ''
	assert_equal "$stderr" \
		"bcs_client.py: cannot reach 127.0.0.1 port $port: Connection refused"
	run -111 "$BUILD/bin/bcs_client.py" -u a -h no-such-host.invalid </dev/null
	assert_output --partial 'cannot reach no-such-host.invalid port 4000'
	assert_equal "${#lines[@]}" 1
}

# --- talking -----------------------------------------------------------------

@test "each line of a pipe is a message, shown when it is accepted" {
	fake
	run -0 client < <(printf 'hello\n\nCR\r\n\twörld\n//quote\nthe last')
	assert_output "alice: hello
alice: CR
alice: 	wörld
alice: /quote
alice: the last"
	await got gone
	assert_equal "$(tail -n +2 "$got")" 'register alice
send hello
send CR
send \tw\xf6rld
send /quote
send the last
gone'
}

@test "nothing is sent before the status of what was sent last" {
	fake
	tell next -
	listening
	echo early >&"$in"
	tell deliver bob hi
	# Before the registration is answered, too.
	await hears 'bob: hi'
	await got 'status 0 '
	run ! got 'send early'
	tell next -
	tell status 0
	await got 'send early'
	printf 'second\n/quit\nnever\n' >&"$in"
	tell deliver bob again
	await hears 'bob: again'
	await got 'status 0 ' 2
	run ! got 'send second'
	run ! hears 'alice: early'
	tell status 0
	await got gone
	wait "$client_pid"
	run ! got 'send never'
	assert_equal "$(<out)" 'bob: hi
bob: again
alice: early
alice: second'
}

@test "the end of input is left at when the last status has come" {
	fake
	tell next 0
	tell next 0
	tell next -
	"${alice[@]}" < <(printf 'one\ntwo') >out 3>&- &
	pids+=("$!")
	await got 'send two'
	await hears 'alice: one'
	run ! got gone
	run ! hears 'alice: two'
	tell status 0
	wait "${pids[1]}"
	assert_equal "$(<out)" $'alice: one\nalice: two'
}

@test "what others say and upload is printed, and acknowledged" {
	fake
	listening
	tell deliver server 'Also here: bob'
	tell deliver bob 'two\nlines\r\nthree\n'
	tell deliver bob ''
	tell fnotify bob 'a b.txt'
	await hears 'server: bob has uploaded a b.txt to the server'
	assert_equal "$(<out)" 'server: Also here: bob
bob: two
	lines
	three
bob: 
server: bob has uploaded a b.txt to the server'
	await got 'status 0 ' 3
}

@test "a frame that comes byte by byte, and many in one piece, are the same" {
	fake
	listening
	local c
	for c in '\3' '\0' '\3' b o b '\0' '\2' h i '\3\0\1'; do
		tell raw "$c"
		await sleepless
	done
	tell raw 'x\0\1y\3\0\1z\0\0'
	tell flood 1000
	await hears 'flood: 999'
	assert_equal "$(head -n 4 out)" 'bob: hi
x: y
z: 
flood: 0'
	await got 'status 0 ' 1003
	echo said >&"$in"
	await hears 'alice: said'
}
sleepless() { # orders are taken
	! read -rt 0 -u "$orders"
}

@test "no name and no text sends a control sequence to the terminal" {
	fake
	listening
	tell deliver 'e\x1b[2J\nserver' 'x\x1b]0;title\x07\x9b1m\xc2\x9b\r\x08\x7f\x00'
	tell fnotify 'm\nn' 'f\x1b[31m'
	await grep -q uploaded out
	run -1 grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' out
	assert_equal "$(sed -n 2p out)" \
		"server: m"
	assert_equal "$(wc -l <out)" 3
	exec {in}>&-
	tell next 2 'no\x1b[31m\nbcs_client.py: forged'
	run -2 --separate-stderr client </dev/null
	assert_equal "$stderr" \
		"bcs_client.py: the server refuses alice: no"$'\ufffd'"[31m
	bcs_client.py: forged (status 2)"
}

# --- refusals ----------------------------------------------------------------

@test "a refused registration ends with its status code, also with --stay" {
	fake
	local code
	for code in 1 2 3 4 5 6 7 255; do
		tell next "$code" "because of $code"
		run "-$code" --separate-stderr client </dev/null
		assert_equal "$output" ''
		assert_equal "$stderr" "bcs_client.py: the server refuses alice: because of $code (status $code)"
	done
	tell next 2
	run -2 client --stay </dev/null
	assert_output --partial 'no reason given (status 2)'
}

@test "a refused message ends with its status code" {
	fake
	local code
	for code in 1 3 99; do
		tell next 0
		tell next 0
		tell next "$code" "because of $code"
		run "-$code" --separate-stderr client < <(printf 'a\nb\nc\n')
		assert_equal "$output" 'alice: a'
		assert_regex "$stderr" "because of $code \(status $code\)$"
	done
	run ! got 'send c'
}

@test "--stay: what is refused is told, only 1 and 7 end it" {
	fake
	local code
	for code in 3 99; do
		tell next 0
		tell next "$code" 'not that'
		run -0 client --stay < <(printf 'a\nb\n')
		assert_output "bcs_client.py: the server refuses the message: not that (status $code)
alice: b"
	done
	for code in 1 7; do
		tell next 0
		tell next "$code" over
		run "-$code" client --stay < <(printf 'a\nb\n')
		assert_output "bcs_client.py: the server says: over (status $code)"
	done
}

@test "a status that nothing was asked for: its code ends it, 0 is nothing" {
	fake
	listening
	tell status 0 fine
	tell deliver bob hi
	await hears 'bob: hi'
	tell status 7 'too slow'
	tell close
	local status=0
	wait "$client_pid" || status=$?
	assert_equal "$status" 7
	assert_equal "$(<err)" 'bcs_client.py: the server says: too slow (status 7)'
}

# --- what can go wrong -------------------------------------------------------

@test "server gone: told, and 111" {
	fake
	tell next 0
	tell next -
	"${alice[@]}" < <(echo said) >out 2>err 3>&- &
	pids+=("$!")
	await got 'send said'
	tell close
	local status=0
	wait "${pids[1]}" || status=$?
	assert_equal "$status" 111
	assert_equal "$(<err)" 'bcs_client.py: the server closed the connection; it had not answered to the message'
	assert_equal "$(<out)" ''
}

@test "a server that talks something else: told, and 111" {
	fake
	local what
	for what in 'HTTP/1.1 400 Bad Request' '\0' '\1\0\1a' '\x09' \
		'\4\0\0\0\x08\0\0\0\0'; do
		tell next -
		"${alice[@]}" </dev/null >out 2>err 3>&- &
		pids+=("$!")
		await got 'register alice'
		: >"$got"
		tell raw "$what"
		wait "${pids[-1]}" || [ $? = 111 ] || fail "$what"
	done
}

@test "a line that cannot be sent: those before it are, those behind are not" {
	fake
	local max
	max=$(head -c 65535 /dev/zero | tr '\0' m)
	run -0 client <<<"$max
/$(printf %s "/$max" | head -c 65535)"
	await got 'send (65535 bytes)' 2
	local line status
	for line in "m$max" "//m$max" "$max$max$max" $'\xff' $'\xed\xa0\x80'; do
		: >"$got"
		run -100 --separate-stderr client <<<"before
$line
behind"
		assert_equal "$output" 'alice: before'
		assert_regex "$stderr" '^bcs_client.py: line 2 is (too long|not UTF-8)'
		await got gone
		run ! got 'send behind'
		run -0 --separate-stderr client --stay <<<"before
$line
behind"
		assert_equal "$output" $'alice: before\nalice: behind'
	done
}

@test "a command that is none is told, and not said" {
	fake
	local wrong=(/nosuch / '/ send x' /send '/send a b' '/get' '/get a b c'
		'/quit now' "/send 'a" "/get a\\")
	run -0 client --stay < <(printf '%s\n' "${wrong[@]}")
	assert_equal "$(grep -c '^bcs_client.py: /' <<<"$output")" \
		"${#wrong[@]}"
	run -100 client <<<$'/nosuch\nsaid'
	assert_output \
		'bcs_client.py: /nosuch: no such command; see /help, or say //nosuch'
	await got gone 2
	run ! grep -q '^send' "$got"
}

@test "the reader of a pipe gone: quietly ended" {
	fake
	listening
	kill "$client_pid"
	wait "$client_pid" || true
	{ client 2>err <in 3>&- || echo "$?" >code; } | head -n 1 >out 3>&- &
	pids+=("$!")
	await got 'register alice' 2
	tell flood 2
	await hears 'flood: 0'
	tell flood 10
	await test -s code
	assert_equal "$(<code)" 141
	assert_equal "$(<err)" ''
}

@test "output that cannot be written is told, and not acknowledged" {
	fake
	tell next -
	"${alice[@]}" </dev/null >/dev/full 2>err 3>&- &
	pids+=("$!")
	await got 'register alice'
	tell deliver bob hi
	local status=0
	wait "${pids[1]}" || status=$?
	assert_equal "$status" 111
	assert_equal "$(<err)" 'bcs_client.py: standard output: No space left on device'
	await grep -q gone "$got"
	run ! got 'status 0 '
}

@test "SIGTERM leaves, 143; closed descriptors are no trouble" {
	fake
	listening
	kill "$client_pid"
	local status=0
	wait "$client_pid" || status=$?
	assert_equal "$status" 143
	assert_equal "$(<err)" ''
	await got gone
	closed
	tell next 2
	closed || assert_equal "$?" 2
	await got 'register alice' 3
}
closed() {
	client <&- >&- 2>&- 3>&-
}
