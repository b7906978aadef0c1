#!/usr/bin/env bats
# suite: slow
# /send and /get of bcs_client.py, against a server that can be told to
# misbehave.
# Each test is a subshell of its own; some names are set by run and load.
# shellcheck disable=SC2030,SC2031,SC2154
load bcs-client

setup() { client_setup; }
teardown() { client_teardown; }

uploaded() { # uploaded NAME FILE: the server got it whole
	await got "sendfile $1 $(stat -Lc %s "$2") $(sha256sum <"$2" | cut -d' ' -f1)"
}

@test "/send: no bytes, one byte, 64 MiB, and names with spaces" {
	fake
	: >empty
	printf x >'one byte'
	head -c 64M /dev/urandom >big
	ln -s big link
	run -0 client <<<"first
/send empty
/send 'one byte'
/send $PWD/./big
/send link
last"
	assert_output $'alice: first\nalice: last'
	uploaded empty empty
	uploaded 'one byte' 'one byte'
	uploaded big big
	uploaded link big
	await got gone
	assert_equal "$(sed 's/ .*//' "$got" | tail -n +3 | xargs)" \
		'send sendfile sendfile sendfile sendfile send gone'
}

@test "/send: what is no file to be sent is told before anything is sent" {
	fake
	mkdir folder
	mkfifo pipe
	truncate -s 4294967296 huge
	local what
	for what in absent folder pipe huge /dev/null; do
		run -111 client <<<"said
/send $what"
		assert_line --partial "bcs_client.py: "
		assert_line 'alice: said'
	done
	await got gone 5
	run ! grep -q sendfile "$got"
	run -0 client --stay <<<"/send absent
said"
	assert_line 'bcs_client.py: cannot open absent: No such file or directory'
	assert_line 'alice: said'
}

@test "/send: others are heard meanwhile, and acknowledged when it is out" {
	fake
	head -c 32M /dev/urandom >big
	listening
	await hearing
	tell deaf
	echo /send big >&"$in"
	await uploading
	tell flood 100
	await hears 'flood: 99'
	tell hear
	uploaded big big
	await got 'status 0 ' 101
	assert_equal "$(grep -nx 'status 0 ' "$got" | tail -n 100 | head -n 1 | cut -d: -f1)" \
		"$(($(grep -n '^sendfile' "$got" | cut -d: -f1) + 1))"
}
hearing() {
	tell deliver bob hi
	await hears 'bob: hi'
	await got 'status 0 '
}
uploading() { # it fills what the kernel takes, then waits
	[ "$(find "/proc/$client_pid/fd" -lname "$PWD/big")" ]
}

@test "/send: a file that becomes shorter meanwhile is given up, and told" {
	fake
	truncate -s 256M big
	listening
	await hearing
	tell deaf
	echo /send big >&"$in"
	await uploading
	tell flood 10
	await hears 'flood: 9'
	truncate -s 1M big
	tell hear
	local status=0
	wait "$client_pid" || status=$?
	assert_equal "$status" 111
	assert_equal "$(<err)" 'bcs_client.py: big became shorter while it was sent; the server dropped it'
	await got 'gone in the middle'
}

@test "/send: refused in the middle: ends so, or with --stay goes on in step" {
	fake
	head -c 32M /dev/urandom >big
	listening --stay
	await hearing
	tell deaf
	echo /send big >&"$in"
	echo said >&"$in"
	await uploading
	tell next -
	tell status 5 'file exists'
	await grep -q 'refuses big: file exists (status 5)' err
	tell hear
	await hears 'alice: said'
	uploaded big big
	rm in
	exec {in}>&-
	wait "$client_pid"
	: >"$got"
	tell next 0
	tell next 5 'too big'
	run -5 client <<<'/send big
said'
	assert_output 'bcs_client.py: the server refuses big: too big (status 5)'
}

@test "/get: no bytes, 64 MiB, to here, to a folder, to a name" {
	fake
	head -c 64M /dev/urandom >big
	tell file "$PWD/big"
	mkdir folder
	umask 027
	run -0 client <<<"/get 'her file'
/get name folder
/get name folder/other
/get ../../etc/passwd other
said"
	assert_output 'alice: said'
	local f
	for f in 'her file' folder/name folder/other other; do
		cmp big "$f"
		assert_equal "$(stat -c %a "$f")" 640
	done
	await got 'getfile ../../etc/passwd'
	tell cut 0
	run -0 client <<<'/get nothing'
	assert [ -f nothing ]
	assert [ ! -s nothing ]
	assert_equal "$(find . -name '.bcs*')" ''
}

@test "/get: never into what exists, nor out of the folder" {
	fake
	echo mine >mine
	ln -s nowhere dangling
	tell cut 2 hi
	local wrong=(mine dangling 'x mine' '../x' /etc/x a/b . .. "''"
		'x no/such/folder' "$(printf 'a%.0s' {1..256})" $'x\x1b')
	run -0 client --stay < <(printf '/get %s\n' "${wrong[@]}")
	assert_equal "$(grep -c '^bcs_client.py: ' <<<"$output")" "${#wrong[@]}"
	run -111 client <<<'/get mine'
	assert_output 'bcs_client.py: mine exists already'
	await got gone 2
	run ! grep -q getfile "$got"
	assert_equal "$(<mine)" mine
	# It comes to be there meanwhile.
	tell next 0
	tell next -
	"${alice[@]}" <<<'/get late' >out 2>err 3>&- &
	pids+=("$!")
	await got 'getfile late'
	echo mine >late
	tell raw '\x08\0\0\0\2hi'
	local status=0
	wait "${pids[1]}" || status=$?
	assert_equal "$status" 111
	assert_equal "$(<late)" mine
	assert_equal "$(<err)" 'bcs_client.py: cannot write late: File exists'
	assert_equal "$(find . -name '.bcs*')" ''
}

@test "/get: refused, with the server's status and reason" {
	fake
	run -6 client <<<$'/get nosuch\nsaid'
	assert_output 'bcs_client.py: the server refuses nosuch: no such file (status 6)'
	run -0 client --stay <<<$'/get nosuch\nsaid'
	assert_line 'alice: said'
	assert [ ! -e nosuch ]
	tell next 0
	tell next 0 odd
	run -111 client <<<'/get nosuch'
	assert_output 'bcs_client.py: the server sent no file nosuch'
}

@test "/get: half a file is not left, whatever ends it" {
	fake
	tell cut 1000 part
	local end code
	for end in close kill; do
		: >"$got"
		"${alice[@]}" <<<'/get big' >out 2>err 3>&- &
		pids+=("$!")
		await got 'getfile big'
		await find_part
		[ "$end" = close ] && tell close && code=111
		[ "$end" = kill ] && kill "${pids[-1]}" && code=143
		local status=0
		wait "${pids[-1]}" || status=$?
		assert_equal "$status" "$code"
		assert_equal "$(find . -name '.bcs*' -o -name big)" ''
	done
}
find_part() { [ "$(find . -name '.bcs*')" ]; }

@test "/get: a full disk is told; with --stay it goes on in step" {
	fake
	head -c 8M /dev/urandom >big
	tell file "$PWD/big"
	(
		ulimit -f 1024
		run -111 client <<<$'/get copy\nsaid'
		assert_output 'bcs_client.py: cannot write copy: File too large'
		run -0 client --stay <<<$'/get copy\nsaid'
		assert_output 'bcs_client.py: cannot write copy: File too large
alice: said'
	)
	assert_equal "$(find . -name '.bcs*' -o -name copy)" ''
}
