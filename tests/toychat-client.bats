#!/usr/bin/env bats
# The toychat client in a pipe, with the real server and with a fake one that
# can be told to misbehave.
# Each test is a subshell of its own; some names are set by run and load.
# shellcheck disable=SC2030,SC2031,SC2154
# Some commands are for another shell.
# shellcheck disable=SC2016
load toychat-client

setup() { client_setup; }
teardown() { client_teardown; }

# --- the command line ----------------------------------------------------------

@test "toychat --help and --version say what they should" {
	run -0 toychat --help
	assert_output --partial 'usage: toychat'
	assert_output --partial '-s PATH'
	run -0 toychat --version
	assert_output --regexp '^toychat \(parlance\) [0-9.]+$'
}

@test "wrong usage ends with 100 and a hint" {
	local wrong
	for wrong in -x argument -s -H '-p 0' '-p 65536' '-p x' \
		'-s sock -p 8888' '-s sock -H localhost'; do
		# shellcheck disable=SC2086 # words
		run -100 toychat $wrong </dev/null
	done
	TOYCHAT_TIMEOUT=x run -100 toychat -s sock </dev/null
	assert_output --partial TOYCHAT_TIMEOUT
	PARLANCE_CONF=absent run -100 toychat </dev/null
	assert_output --partial absent
}

@test "nobody listens: 111, and all the places that were tried" {
	run -111 toychat -s absent.sock </dev/null
	assert_output 'toychat: nobody listens: absent.sock: No such file or directory'
	: >file
	run -111 toychat -s file </dev/null
	assert_output --partial 'file: Connection refused'
	run -111 toychat -H 127.0.0.1 -p 1 </dev/null
	assert_output --partial '127.0.0.1:1: Connection refused'
	run -111 toychat -H host.invalid </dev/null
	assert_output --partial 'host.invalid:8888: '
}

@test "the server is found by itself, by path, by host, by settings" {
	door -a localhost
	run -1 toychat <<<nonsense
	assert_output 'error no such command'
	run -1 toychat -s ../run/toychat.sock <<<nonsense
	assert_output 'error no such command'
	run -1 toychat -H 127.0.0.1 -p "$port" <<<nonsense
	assert_output 'error no such command'
	run -1 toychat -p "$port" <<<nonsense
	assert_output 'error no such command'
	echo "RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY" >"$PARLANCE_CONF"
	unset RUNTIME_DIRECTORY
	run -1 toychat <<<nonsense
	assert_output 'error no such command'
}

@test "over IPv6, in brackets or not" {
	[ -s /proc/net/if_inet6 ] || skip 'no IPv6 here'
	door -a ::1
	run -1 toychat -H ::1 -p "$port" <<<nonsense
	run -1 toychat -H '[::1]' -p "$port" <<<nonsense
	assert_output 'error no such command'
}

# --- a filter ------------------------------------------------------------------

@test "a conversation in a pipe: a command a line, a reply a line, exit 0" {
	door -a 127.0.0.1
	run -0 --separate-stderr toychat <<-'END'
		register alice secret
		send alice hello, world
		send *  two  spaces  
		checkinbox
		recv alice
		recv *
		checkinbox
		getfilelist
		logout
		login alice secret
	END
	assert_equal "$stderr" ''
	run sed -E 's/20..-..-..T..:..:..Z/T/' <<<"$output"
	assert_output - <<-'END'
		success
		success
		success
		inbox * 1 alice 1
		message T alice alice hello, world
		message T alice *  two  spaces  
		inbox
		filelist
		success
		success
	END
}

@test "an error does not end it, but its exit status is 1 then" {
	door -a 127.0.0.1
	run -1 toychat <<<$'checkinbox\nregister alice secret\nrecv *\nlogout'
	assert_output - <<-'END'
		error must be logged in
		success
		error no messages from user
		success
	END
}

@test "lines end in LF or CRLF, the last one in nothing; an empty one is one" {
	door -a 127.0.0.1
	run -1 toychat < <(printf 'register a b\r\nlogout\n\n\r\nlogin a b')
	assert_output - <<-'END'
		success
		success
		error no such command
		error no such command
		success
	END
	run -0 toychat </dev/null
	assert_output ''
}

@test "line feeds within a reply are shown as \\n" {
	door -a 127.0.0.1
	register alice
	printf 'login alice secret\r\nsend alice one\ntwo\r\nlogout\r\n' |
		nc -NU "$RUNTIME_DIRECTORY/toychat.sock" >/dev/null
	run -0 as alice <<<'recv alice'
	assert_output --regexp 'alice alice one\\ntwo$'
}

@test "each reply is there before the next command is given" {
	door -a 127.0.0.1
	coproc CLIENT { toychat 3>&-; }
	pids+=("$CLIENT_PID")
	local reply
	echo 'register alice secret' >&"${CLIENT[1]}"
	read -rt 15 reply <&"${CLIENT[0]}"
	assert_equal "$reply" success
	echo 'checkinbox' >&"${CLIENT[1]}"
	read -rt 15 reply <&"${CLIENT[0]}"
	assert_equal "$reply" inbox
	local pid=$CLIENT_PID
	eval "exec ${CLIENT[1]}>&-"
	wait "$pid"
}

@test "a command that is too long is told of, and not sent" {
	door -a 127.0.0.1
	local long
	printf -v long '%070000d' 0
	run -1 toychat <<<"register alice secret
send alice $long
checkinbox
${long:0:65536}
$long$long$long
logout"
	assert_output - <<-'END'
		success
		error command too long
		inbox
		error no such command
		error command too long
		success
	END
	run -1 toychat < <(printf %s "$long")
	assert_output 'error command too long'
}

@test "the reader of the pipe gone: quietly ended" {
	door -a 127.0.0.1
	run bash -c 'yes nonsense | head -n 5000 | "$BUILD/bin/toychat" | head -n 1'
	assert_output 'error no such command'
	[ -e /dev/full ] || skip 'needs /dev/full'
	run -111 --separate-stderr bash -c \
		'echo nonsense | "$BUILD/bin/toychat" >/dev/full'
	assert_equal "$stderr" 'toychat: standard output: No space left on device'
}

# --- files -----------------------------------------------------------------------

@test "files go up and come down whole: none, one byte, commands, 64 MiB" {
	door -a 127.0.0.1
	register alice
	mkdir up down
	: >up/empty
	printf x >up/one
	printf 'a\r\nlogout\r\n\0\r\n' >up/commands
	head -c 64M /dev/urandom >up/большой
	run -0 as alice <<-'END'
		upload up/empty
		upload up/one
		upload up/commands
		upload up/большой
		getfilelist
		download empty down/empty
		download one down
		download commands down/
		download большой down/with spaces
		checkinbox
	END
	assert_output - <<-'END'
		success
		success
		success
		success
		filelist commands empty one большой
		file empty 0
		file one 1
		file commands 14
		file большой 67108864
		inbox
	END
	cmp up/empty down/empty
	cmp up/one down/one
	cmp up/commands down/commands
	cmp up/большой 'down/with spaces'
	assert_equal "$(find down -type f | wc -l)" 4
}

@test "a download is the umask's, and takes the name of the file by itself" {
	door -a 127.0.0.1
	register alice
	echo text >file
	run -0 as alice <<<'upload file'
	rm file
	umask 027
	run -0 as alice <<<'download file'
	assert_output 'file file 5'
	assert_equal "$(stat -c %a file)" 640
}

@test "a download replaces no file, unless -f tells so" {
	door -a 127.0.0.1
	register alice
	echo new >file
	run -0 as alice <<<'upload file'
	echo old >file
	mkdir folder
	ln -s file link
	run -0 --separate-stderr as alice \
		<<<$'download file\ndownload file link\ndownload file absent/x\ncheckinbox'
	assert_output - <<-'END'
		error could not write to file
		error could not write to file
		error could not write to file
		inbox
	END
	assert_equal "$stderr" 'toychat: file: is there already
toychat: link: is there already, and no file
toychat: absent/x: No such file or directory'
	assert_equal "$(cat file)" old
	run -0 toychat -f <<<$'login alice secret\ndownload file'
	assert_equal "$(cat file)" new
	run -1 toychat -f <<<$'login alice secret\ndownload file link'
	assert [ -L link ]
	assert_equal "$(find . -name '.*' -type f | wc -l)" 0
}

@test "what is refused on either side is one error line, and we go on in step" {
	export PARLANCE_FILE_MAX=1K
	door -a 127.0.0.1
	register alice
	mkdir folder
	mkfifo fifo
	echo x >'with space'
	head -c 1025 /dev/zero >large
	echo y >.hidden
	run -0 --separate-stderr as alice <<-'END'
		upload absent
		upload folder
		upload folder/
		upload fifo
		upload with space
		upload large
		upload .hidden
		upload 
		upload
		download absent
		download
		download ../../x
		download a/b c
		logout
		upload large
		login alice secret
		checkinbox
	END
	assert_output - <<-'END'
		error could not read from file
		error could not read from file
		error invalid file name
		error could not read from file
		error invalid file name
		error file too large
		error invalid file name
		error wrong number of fields
		error wrong number of fields
		error could not read from file
		error wrong number of fields
		error could not write to file
		error invalid file name
		success
		error must be logged in
		success
		inbox
	END
	assert_equal "$(find . -type f | sort | xargs -d '\n')" \
		'./.hidden ./large ./with space'
}

@test "a disk full of a download: told, and we go on in step" {
	door -a 127.0.0.1
	register alice
	head -c 300000 /dev/urandom >file
	run -0 as alice <<<'upload file'
	mv file was
	# A file may not be longer than that: EFBIG.
	run -1 bash -c 'ulimit -f 100; "$BUILD/bin/toychat"' \
		<<<$'login alice secret\ndownload file\ncheckinbox'
	assert_output - <<-'END'
		success
		toychat: file: File too large
		error could not write to file
		inbox
	END
	assert [ ! -e file ]
}

# --- servers that misbehave ------------------------------------------------------

@test "server gone in the middle: told, and 111" {
	fake 'success\r\n' @close
	run -111 faked <<<$'login a b\ncheckinbox\nlogout'
	assert_output - <<-'END'
		success
		toychat: the server closed the connection
	END
}

@test "server gone while nothing is asked: told at once" {
	fake 'success\r\n' @close
	mkfifo in
	exec {in}<>in
	run -111 faked <in {in}>&- < <(echo login a b; exec cat <in)
	assert_line 'toychat: the server closed the connection'
	exec {in}>&-
}

@test "a server that says why before it closes is heard" {
	fake 'success\r\n' '+error server busy\r\n' @close
	run -111 faked <<<$'login a b\ncheckinbox\nlogout'
	assert_output --partial 'error server busy'
}

@test "a server that does not answer is given up" {
	fake @hang
	TOYCHAT_TIMEOUT=1 run -111 faked <<<'checkinbox'
	assert_output 'toychat: the server does not answer'
}

@test "a reply cut short is none" {
	fake 'succ' @close
	run -111 faked <<<'checkinbox'
	assert_output 'toychat: the server closed the connection'
}

@test "control sequences of a server do not get through" {
	fake 'message \x1b[2J \xff a\x00b \x9b1m\x07 body\r\n'
	run -0 faked <<<'recv x'
	assert_output "message �[2J � a�b �1m� body"
}

@test "a reply that has no end does not take all memory" {
	fake @huge
	run -111 bash -c 'ulimit -v 400000; "$BUILD/bin/toychat" -s "$0"' \
		"$BATS_TEST_TMPDIR/fake.sock" <<<checkinbox
	assert_output "toychat: the server's reply has no end"
}

@test "a server cannot choose where a download goes" {
	fake 'file ../../evil 3 abc\r\n' 'file /etc/evil 3 abc\r\n' \
		'file x 3 abc\r\n'
	run -1 faked <<<$'download good\ndownload .profile\ndownload ../x\ndownload fine'
	assert_output - <<-'END'
		file good 3
		toychat: download: say as which file to save that
		error could not write to file
		toychat: download: say as which file to save that
		error could not write to file
		file fine 3
	END
	assert_equal "$(find .. -newer ../got -name '*evil*')" ''
	assert_equal "$(cat good)" abc
}

@test "half a file is not left, whatever the server does" {
	local reply
	for reply in 'file x 10 abc' 'file x 2 abcd\r\n' 'file x -1 abc\r\n' \
		'file x 99999999999 abc\r\n' 'file x 3'; do
		fake "$reply" @close
		run -111 faked <<<'download x'
		assert_output --regexp '^toychat: the server'
		kill "$server" && wait "$server" || true
		rm ../fake.sock
		assert_equal "$(ls -A)" ''
	done
	fake 'file x 0 \r\n'
	run -111 faked <<<'checkinbox'
	assert_output 'toychat: the server does not keep to the protocol'
}
