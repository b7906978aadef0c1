#!/usr/bin/env bats
# suite: filter
# The text door as its users test it: commands piped into the handler
# (specs/toychat.txt and the toychat rows of clarifications.md).
# shellcheck disable=SC2030,SC2031
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	export PARLANCE_NOW=1795183387
	data=$BATS_TEST_DIRNAME/data/toychat
	toychat=$BUILD/handlers/toychat
	out=$BATS_TEST_TMPDIR/out log=$BATS_TEST_TMPDIR/log
}

# toychat_in <COMMANDS: what is answered stands in $out, its log in $log.
toychat_in() {
	status=0
	"$toychat" >"$out" 2>"$log" || status=$?
}

# session NAME [STATUS]: a session of tests/data/toychat.
session() {
	toychat_in <"$data/$1.in"
	cmp "$out" "$data/$1.exp"
	assert_equal "$status" "${2:-0}"
}

# say COMMAND...: each with CRLF.
say() {
	printf '%s\r\n' "$@" | toychat_in
}

# answers LINE...: what $out holds.
answers() {
	printf '%s\r\n' "$@" | cmp "$out" -
}

# --- sessions, byte for byte -----------------------------------------------

@test "before logging in only register and login do anything" {
	session before-login
}

@test "each command checks its sender, its fields, its contents, in this order" {
	session after-login
}

@test "names and passwords have their limits in any script, and a name is given once" {
	session register
}

@test "messages have their limits in any script, and come back as they were sent" {
	session send
}

@test "files have their limits, come back byte for byte, and are never commands" {
	session upload
}

@test "commands sent at once are answered in order" {
	session pipelined
}

@test "only CRLF ends a command" {
	session line-ends
}

@test "a command that ends in the middle is dropped, with status 1" {
	session unfinished 1
	rm -r "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	session unfinished-cr 1
}

@test "a file that ends in the middle is dropped, with status 1" {
	session upload-overstated 1
	assert_equal "$(ls -A "$STATE_DIRECTORY/files")" ''
}

@test "commands within the file of a stranger are not executed" {
	session upload-before-login
}

@test "an upload too long to be read past ends the connection" {
	session upload-huge 1
	session upload-huge-in 1
}

@test "one byte at a time is answered the same" {
	for name in before-login after-login register send upload line-ends; do
		rm -rf "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
		python3 -c 'import os, sys
for byte in open(sys.argv[1], "rb").read():
    os.write(1, bytes([byte]))' "$data/$name.in" | toychat_in
		cmp "$out" "$data/$name.exp"
	done
}

# --- length of commands ------------------------------------------------------

@test "a command of 64 KiB is one, one byte more is too long and the end" {
	{ printf 'register ann pw\r\n'; head -c 65536 /dev/zero | tr '\0' x
	printf '\r\ncheckinbox\r\n'; } | toychat_in
	answers success 'error no such command' inbox
	{ printf 'login ann pw\r\n'; head -c 65537 /dev/zero | tr '\0' x
	printf '\r\ncheckinbox\r\n'; } >"$BATS_TEST_TMPDIR/in"
	toychat_in <"$BATS_TEST_TMPDIR/in"
	answers success 'error command too long'
	assert_equal "$status" 1
}

# --- settings -----------------------------------------------------------------

@test "PARLANCE_REGISTER=no closes registration, not the door" {
	say 'register ann pw'
	PARLANCE_REGISTER=no say 'register bob pw' 'login ann pw'
	answers 'error registration is closed' success
}

@test "one address makes no more accounts a minute than PARLANCE_CREATE_RATE" {
	export PARLANCE_CREATE_RATE=2
	REMOTE_ADDR=192.0.2.7 say 'register ann pw' logout 'register bob pw' \
		logout 'register bob pw' 'register carol pw' 'login ann pw'
	answers success success success success \
		'error username already registered' 'error server busy' success
	REMOTE_ADDR=192.0.2.8 say 'register carol pw'
	answers success
	REMOTE_ADDR=127.0.0.1 say 'register dan pw' logout 'register eve pw' \
		logout 'register fay pw'
	answers success success success success success
}

@test "a file over the cap is read past and refused, whatever it holds" {
	export PARLANCE_FILE_MAX=10
	{ printf 'register ann pw\r\nupload ok 10 0123456789\r\n'
	printf 'upload big 14 send * hello\r\n\r\ngetfilelist\r\n'; } | toychat_in
	answers success success 'error file too large' 'filelist ok'
	[ ! -e "$STATE_DIRECTORY/rooms/lobby.txt" ] ||
		run ! grep -q hello "$STATE_DIRECTORY/rooms/lobby.txt"
}

@test "a disk with too little left to be free takes no file, but messages" {
	export PARLANCE_FILES PARLANCE_MIN_FREE=1024G
	PARLANCE_FILES=$(mktemp -d /dev/shm/parlance.XXXXXX) # never as large
	say 'register ann pw' 'upload a 1 x' 'getfilelist' 'send ann hi'
	rmdir "$PARLANCE_FILES"
	answers success 'error could not write to file' filelist success
}

# --- the log ------------------------------------------------------------------

@test "every message and every response has its line, passwords masked" {
	say 'register ann s3cret word' 'send ann hi "you"' 'upload f 5 hello' \
		'download f' 'recv ann' 'logout' 'login ann s3cret x' \
		'LOGIN ann s3cret' ' login ann s3cret' 'login  s3cret' \
		$'login\tann s3cret' 'loginann s3cret' 'Register ann s3cret' \
		$'x\ts3cret'
	run ! grep -q s3cret "$log"
	run ! grep -q 'hello' "$log"
	grep -v login-failed "$log" | sed 's/^door=toychat //' |
		diff - <(cat <<-'END'
			event=received message="register ann ***"
			event=sent user=ann message="success"
			event=received user=ann message="send ann hi \"you\""
			event=sent user=ann message="success"
			event=received user=ann message="upload f 5" contents=5
			event=sent user=ann message="success"
			event=received user=ann message="download f"
			event=sent user=ann message="file f 5 "
			event=received user=ann message="recv ann"
			event=sent user=ann message="message 2026-11-20T14:03:07Z ann ann hi \"you\""
			event=received user=ann message="logout"
			event=sent message="success"
			event=received message="login ann ***"
			event=sent message="error invalid username or password"
			event=received message="LOGIN ann ***"
			event=sent message="error no such command"
			event=received message=" login ann ***"
			event=sent message="error no such command"
			event=received message="login  ***"
			event=sent message="error wrong number of fields"
			event=received message="login***"
			event=sent message="error no such command"
			event=received message="loginann ***"
			event=sent message="error no such command"
			event=received message="Register ann ***"
			event=sent message="error no such command"
			event=received message="x***"
			event=sent message="error no such command"
		END
		)
}

@test "passwords are masked whatever stands before the word" {
	say $'\ufefflogin ann s3cret' $'\e[Alogin ann s3cret' \
		'"register ann s3cret"' $'\u00a0LOGIN\u00a0s3cret' 'xlogin s3cret'
	run ! grep -q s3cret "$log"
}

@test "no line of the log is so long that the journal makes two of it" {
	{ head -c 49000 /dev/zero | tr '\0' x
	printf ' door=hchat peer=192.0.2.7 event=login-failed\r\n'
	head -c 65536 /dev/zero | tr '\0' '\1'; printf '\r\n'
	} | toychat_in
	answers 'error no such command' 'error no such command'
	assert_equal "$(wc -l <"$log")" 4
	assert [ "$(wc -L <"$log")" -lt 48000 ]
	run ! grep -q login-failed "$log"
}

@test "into a pipe a line of the log is written in one piece" {
	printf '%09000d\r\n' 0 | "$toychat" 2>&1 >/dev/null | cat >"$log"
	assert_equal "$(wc -l <"$log")" 2
	assert [ "$(wc -L <"$log")" -lt 4096 ]
}

# --- one conversation ---------------------------------------------------------

@test "what is said to all stands in the lobby, once, and comes with its author" {
	say 'register ann pw' 'logout' 'register bob pw' 'send * one' 'logout' \
		'login ann pw' 'send bob direct' 'send * two' 'checkinbox' \
		'recv bob' 'recv *' 'checkinbox'
	local t=2026-11-20T14:03:07Z
	answers success success success success success success success success \
		'inbox * 2' 'error no messages from user' \
		"message $t bob * one" 'inbox * 1'
	printf '%s\n' one "\\bob @ $t toychat" two "\\ann @ $t toychat" |
		cmp - "$STATE_DIRECTORY/rooms/lobby.txt"
	say 'login bob pw' checkinbox 'recv *' 'recv *' 'recv ann' checkinbox
	answers success 'inbox * 2 ann 1' "message $t bob * one" \
		"message $t ann * two" "message $t ann bob direct" inbox
}

@test "a new account's inbox begins where the lobby ends" {
	say 'register ann pw' 'send * before' logout 'register bob pw' checkinbox \
		'send * after' checkinbox
	answers success success success success inbox success 'inbox * 1'
}

@test "lobby messages of other doors come in one line, as room text" {
	say 'register ann pw'
	mkdir -p "$STATE_DIRECTORY/rooms"
	printf 'a\nb\r\nc\n\\\\d\n\\~guest @ 2026-11-20T14:00:00Z hchat id=3f9a12c0\n\x1b[2J\n\\\nmine\n\\x y z\n' \
		>>"$STATE_DIRECTORY/rooms/lobby.txt"
	say 'login ann pw' 'checkinbox' 'recv *' 'recv *' 'recv *'
	answers success 'inbox * 3' \
		'message 2026-11-20T14:00:00Z ~guest * a b c \d' \
		$'message 1970-01-01T00:00:00Z ? * \xef\xbf\xbd[2J' \
		'message 1970-01-01T00:00:00Z x * mine'
}
