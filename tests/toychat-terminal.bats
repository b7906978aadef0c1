#!/usr/bin/env bats
# The toychat client at a terminal, as a person would see it.
# Each test is a subshell of its own; some names are set by run and load.
# shellcheck disable=SC2030,SC2031,SC2154
# Some commands are for another shell.
# shellcheck disable=SC2016
load toychat-client

setup() {
	client_setup
	export TOYCHAT_INTERVAL=1
}
teardown() { client_teardown; }

fake_terminal() { # fake_terminal STEP...
	fake "$@"
	shell
	enter "clear; $BUILD/bin/toychat -s $BATS_TEST_TMPDIR/fake.sock"
	await last_line 'toychat>'
}

# The process that serves us.
handler() { pgrep -P "$server" -x toychat; }

# --- accounts --------------------------------------------------------------------

@test "the password is asked for, not shown and not remembered" {
	door -a 127.0.0.1
	register bob
	logged_in bob
	await last_line 'bob>'
	run screen
	refute_output --partial secret
	press Up
	await last_line 'bob> login bob'
	press C-c
	enter 'logout'
	await last_line 'toychat>'
	enter 'login  bob  secret'
	await shows 'error: wrong number of fields|^bob>'
	enter 'send bob'
	await shows '^usage: send NAME TEXT'
	enter 'REGISTER bob secret'
	await shows '^no such command: REGISTER'
	press Up
	await shows '> REGISTER bob$'
	press Up
	await shows '> send bob$'
	press Up
	await shows '> login  bob$'
	press Up
	await shows '> logout$'
}

@test "register asks twice, and says so if it was not the same" {
	door -a 127.0.0.1
	at_terminal
	enter 'register anna'
	await last_line 'Password:'
	enter one
	await last_line 'The same again:'
	enter other
	await shows '^These are two different passwords'
	enter 'register anna'
	await last_line 'Password:'
	enter secret
	await last_line 'The same again:'
	enter secret
	await last_line 'anna>'
	enter 'login bob'
	await shows '^You are anna; logout first'
	press C-d
	ended 0
}

@test "Ctrl-C at the password leaves that alone, and the terminal as it was" {
	door -a 127.0.0.1
	register bob
	at_terminal
	enter 'login bob'
	await last_line 'Password:'
	types sec
	press C-c
	await last_line 'toychat>'
	enter 'login bob'
	await last_line 'Password:'
	enter wrong
	await shows '^error: invalid username or password'
	press C-d
	ended 0
}

# --- messages --------------------------------------------------------------------

@test "what comes shows in the prompt while a line is typed, which stays whole" {
	door -a 127.0.0.1
	register alice bob
	logged_in bob
	types 'send alice Привет, '
	await last_line 'bob> send alice Привет,'
	as alice <<<$'send bob one\nsend bob two\nsend * to all' >/dev/null
	await shows '^bob \[\* 1, alice 2\]> send alice Привет,'
	types 'мир'
	await last_line 'bob [* 1, alice 2]> send alice Привет, мир'
	press Enter
	await last_line 'bob [* 1, alice 2]>'
	run -0 as alice <<<'recv bob'
	assert_output --regexp 'Привет, мир$'
	enter read
	await last_line 'bob>'
	run screen
	assert_line --regexp '^[0-9]{2}:[0-9]{2} alice to all: to all$'
	assert_line --regexp '^[0-9]{2}:[0-9]{2} alice: one$'
	assert_line --regexp '^[0-9]{2}:[0-9]{2} alice: two$'
	enter 'read alice'
	await shows '^error: no messages from user'
	enter 'all hello'
	await last_line 'bob [* 1]>'
	enter 'recv *'
	await shows 'bob to all: hello$'
	await last_line 'bob>'
}

@test "a line of many rows survives news and another width of the terminal" {
	door -a 127.0.0.1
	register alice bob
	logged_in bob
	local long='send alice 23456789 123456789 123456789 123456789 123456789 12345'
	types "$long"
	await last_line '6789 12345'
	as alice <<<'send bob one' >/dev/null
	await shows '^bob \[alice 1\]> send'
	"${terminal[@]}" resize-window -x 40
	await shows '^bob \[alice 1\]> send alice 23456789 12345$'
	"${terminal[@]}" resize-window -x 100
	await last_line "bob [alice 1]> $long"
	assert_equal "$(screen | grep -c 'send alice')" 1
	press Enter
	await last_line 'bob [alice 1]>'
	run -0 as alice <<<'recv bob'
	assert_output --regexp "bob alice ${long#send alice }\$"
}

@test "no text of the server's sends a control sequence to the terminal" {
	fake_terminal \
		'message 2026-11-20T14:03:07Z ev\x1b]0;il bob \x1b[2J\x9b1mred\nx\r\n' \
		'error \x1b[31mred\r\n'
	enter 'recv x'
	await shows '^2026-11-20 14:03 ev�\]0;il: �\[2J�1mred$|^20 Nov 14:03 ev'
	await shows '^  x$'
	enter 'recv x'
	await shows '^error: �\[31mred$'
}

# --- keys ------------------------------------------------------------------------

@test "Tab completes commands, people, files there and files here" {
	door -a 127.0.0.1
	register alice bob
	mkdir folder
	echo hello >folder/letter.txt
	echo hello >folder/later.txt
	as bob <<<$'upload folder/letter.txt\nsend bob hi' >/dev/null
	logged_in bob
	types 're'
	press Tab
	await shows '^  register$'
	types 'ad b'
	press Tab
	await last_line 'bob [bob 1]> read bob'
	press C-u
	types 'dow'
	press Tab
	types 'l'
	press Tab
	await last_line 'bob [bob 1]> download letter.txt'
	types 'fol'
	press Tab
	await last_line 'bob [bob 1]> download letter.txt folder/'
	press C-u
	types 'upload folder/l'
	press Tab
	await shows '^  letter.txt$'
	await last_line 'bob [bob 1]> upload folder/l'
	types 'a'
	press Tab
	await last_line 'bob [bob 1]> upload folder/later.txt'
	press Enter
	await shows '^uploaded'
}

@test "Ctrl-C drops the line, Ctrl-D quits, the terminal is as it was" {
	door -a 127.0.0.1
	at_terminal
	types 'nonsense'
	press C-c
	await shows 'nonsense\^C$'
	await last_line 'toychat>'
	enter ''
	await last_line 'toychat>'
	run screen
	refute_output --partial 'no such command'
	press C-d
	ended 0
}

@test "quit quits; help and what is no command are told here" {
	door -a 127.0.0.1
	at_terminal
	enter help
	await shows '^  download NAME \[FILE\]'
	enter 'help send'
	await last_line 'toychat>'
	enter nonsense
	await shows '^no such command: nonsense'
	enter send
	await shows '^usage: send NAME TEXT'
	enter checkinbox
	await shows '^error: must be logged in'
	enter quit
	ended 0
}

@test "stopped and continued, it goes on as it was" {
	door -a 127.0.0.1
	at_terminal
	types 'nonsen'
	press C-z
	await shows Stopped
	await last_line '$'
	enter fg
	await last_line 'toychat> nonsen'
	enter se
	await shows '^no such command: nonsense'
	press C-d
	ended 0
}

# --- ends ------------------------------------------------------------------------

@test "server gone: told at once, the line typed stays readable, 111" {
	door -a 127.0.0.1
	register bob
	logged_in bob
	types 'send bob some long text, the end of which is on another second row'
	await shows ' row$'
	kill "$server"
	wait "$server" || true
	await shows '^toychat: the server closed the connection$'
	run screen
	assert_output --partial ' second row'
	ended 111
}

@test "SIGTERM gives the terminal back" {
	door -a 127.0.0.1
	at_terminal
	types 'some text'
	await last_line 'toychat> some text'
	pkill -TERM -P "$("${terminal[@]}" display -p '#{pane_pid}')" toychat
	ended 143
}

@test "a connection closed before anyone logged in is opened anew, unseen" {
	fake_terminal '@after 5.2'
	types 'nonsen'
	await grep -q 'connection 2' "$got"
	enter se
	await shows '^no such command: nonsense'
	run screen
	refute_output --partial closed
	press C-d
	ended 0
}

@test "a connection closed before anyone logged in, and nobody there: told" {
	fake @close
	shell
	enter "clear; $BUILD/bin/toychat -s $BATS_TEST_TMPDIR/fake.sock"
	await shows '^toychat: the server closed the connection'
	ended 111
}

# --- files -----------------------------------------------------------------------

@test "files go up and down, and one in the way is asked about" {
	door -a 127.0.0.1
	register bob
	echo new >file
	logged_in bob
	enter 'upload file'
	await shows '^uploaded'
	enter 'upload absent'
	await shows '^error: absent: No such file or directory'
	enter files
	await shows '^  file$'
	echo old >file
	enter 'download file'
	await shows 'Replace it\?'
	enter n
	await shows '^error: file: is there already'
	assert_equal "$(cat file)" old
	enter 'download file'
	await last_line 'It is there already. Replace it? [y/N]'
	enter y
	await shows '^4 bytes'
	assert_equal "$(cat file)" new
	enter 'download file ~/copy'
	await grep -qx new "$HOME/copy"
}

@test "how far a download is shows, and Ctrl-C stops it, no half of it left" {
	fake_terminal 'file x 1048577 0123456789'
	enter 'download x'
	await shows '^x  10 B of 1.0 MiB'
	press C-c
	await shows 'Ctrl-C again to leave'
	press C-c
	ended 0
	assert_equal "$(ls -A)" ''
}

@test "an upload that is stopped is not kept, and we go on in step" {
	door -a 127.0.0.1
	register bob
	head -c 60M /dev/zero >file
	logged_in bob
	kill -STOP "$(handler)"
	enter 'upload file'
	await shows '^file  .* of 60.0 MiB'
	press C-c
	await shows 'Ctrl-C again to leave'
	kill -CONT "$(handler)"
	await shows '^error: file: stopped, nothing was stored'
	enter files
	await shows '^no files'
	press C-d
	ended 0
}
