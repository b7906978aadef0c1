#!/usr/bin/env bats
# The admin command, as an admin uses it.
# Quoted on purpose: $argon2id$, other shells' variables, \.
# shellcheck disable=SC2016,SC1003
# Each test is a subshell of its own.
# shellcheck disable=SC2030,SC2031
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	export TZ=UTC
	room=$STATE_DIRECTORY/rooms/lobby.txt
	pids=()
}

teardown() {
	end "${pids[@]}"
}

parlance() {
	"$BUILD/bin/parlance" "$@"
}

terminal() { # terminal DIALOGUE COMMAND...: see there
	"$BATS_TEST_DIRNAME/terminal.py" "$@"
}

account() {
	echo "the password" | parlance user add "$1"
}

say() {
	parlance room say -u alice lobby "$@"
}

# A history of another chatfile server: text, then footers of its own kind.
foreign_room() {
	mkdir -p "${room%/*}"
	printf 'hi\n\\bob @ 2020-01-02\nwith \033[31mred\377\n\\\n' >"$room"
}

# --- the command line --------------------------------------------------------

@test "--version and --help answer on standard output" {
	run parlance --version
	assert_success
	assert_output --regexp '^parlance [0-9]+\.[0-9]+\.[0-9]+$'
	run parlance --help
	assert_success
	assert_line '  parlance user add NAME'
	assert_line '  parlance check [--repair]'
}

@test "each command explains itself with --help and touches nothing" {
	parlance --help | sed -n 's/^  parlance \([a-z ]*[a-z]\).*/\1/p' |
		while read -r command; do
			# shellcheck disable=SC2086 # two words
			run parlance $command --help
			assert_success
			assert_line --partial "usage: parlance $command"
			[ "${#lines[@]}" -ge 2 ]
		done
	[ ! -e "$STATE_DIRECTORY" ]
}

@test "a wrong command line is told with the right one, and 100" {
	run -100 parlance
	assert_line 'usage:'
	run -100 parlance frob
	assert_output --partial 'no such command: frob'
	run -100 parlance user
	assert_line '  parlance user add NAME'
	run -100 parlance room frob
	assert_output --partial 'no such command: room frob'
	run -100 parlance user add
	assert_output --partial 'an operand is missing'
	assert_line 'usage: parlance user add NAME'
	run -100 parlance user add a b
	assert_output --partial 'too many operands'
	run -100 parlance user add --repair a
	assert_output --partial 'no such option'
	run -100 parlance room show -n many lobby
	assert_output --partial '-n takes a number'
	run -100 parlance room say -u alice lobby two words
	assert_output --partial 'quote the text'
	run -100 parlance room say -u
	assert_output --partial 'lacks its value'
	run -100 parlance room redact lobby first
	assert_output --partial "not a record's number"
}

@test "a malformed setting stops it, and is named" {
	echo 'PARLANCE_RATE=fast' >"$PARLANCE_CONF"
	run -100 parlance user list
	assert_output --partial 'PARLANCE_RATE=fast'
	echo 'PARLANCE_RATTE=1' >"$PARLANCE_CONF"
	run -100 parlance user list
	assert_output --partial 'parlance.conf:1: no such setting'
	PARLANCE_CONF=$BATS_TEST_TMPDIR/none run -100 parlance user list
	assert_output --partial "$BATS_TEST_TMPDIR/none"
}

@test "PARLANCE_CONF alone leads to a host" {
	account alice
	printf '%s\n' "STATE_DIRECTORY=$STATE_DIRECTORY" \
		"RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY" >"$PARLANCE_CONF"
	unset STATE_DIRECTORY RUNTIME_DIRECTORY
	run parlance user list
	assert_output alice
}

@test "state of a newer version is refused by name" {
	account alice
	echo 2 >"$STATE_DIRECTORY/version"
	run -100 parlance user list
	assert_output --partial "state of version 2"
	assert_output --partial "knows versions up to 1"
	echo one >"$STATE_DIRECTORY/version"
	run -100 parlance room list
	assert_output --partial malformed
}

# --- user --------------------------------------------------------------------

@test "user add takes a line of standard input, and leaves the next to others" {
	printf 'first\nsecond\r\n' >"$BATS_TEST_TMPDIR/in"
	{ parlance user add alice && parlance user add bob; } \
		<"$BATS_TEST_TMPDIR/in"
	run parlance user list
	assert_output $'alice\nbob'
	[ -f "$STATE_DIRECTORY/accounts/alice" ]
	[ ! -s "$STATE_DIRECTORY/accounts/alice" ]
	run grep -rlaE 'first|second' "$STATE_DIRECTORY"
	assert_output ''
}

@test "a name is given once, in whatever case" {
	account alice
	run -1 account alice
	assert_output --partial 'alice: there is such an account'
	run -1 account Alice
	assert_output --partial 'Alice: taken by alice'
	parlance user del alice
	run -1 account alice
	assert_output --partial 'was an account once'
	run -1 account ALICE
	assert_output --partial 'was an account once'
	run parlance user list
	assert_output ''
}

@test "a name that cannot be is told before the password is asked for" {
	for name in '' 'a b' 'a/b' '-' '..' $'a\tb' $'\xff' \
		'aaaaaaaaaabbbbbbbbbbccccccccccd'; do
		run -100 parlance user add -- "$name"
		assert_output --partial 'cannot be a name'
	done
	for name in server Guest ANONYMOUS; do
		run -1 parlance user add "$name"
		assert_output --partial 'reserved'
	done
	account 'Zoë_2'
	run parlance user list
	assert_output 'Zoë_2'
}

@test "the name of a guest who is connected cannot be taken" {
	parlance user list
	# Who holds a lock on the file is there: design 6.
	python3 - "$RUNTIME_DIRECTORY/present/ivan" 3>&- <<-'END' &
		import fcntl, os, signal, struct, sys
		F_OFD_SETLK = 37
		file = open(sys.argv[1], "w")
		fcntl.fcntl(file, F_OFD_SETLK, struct.pack(
		    "hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
		file.write("Ivan %d 127.0.0.1:5\n" % os.getpid())
		file.flush()
		signal.pause()
	END
	pids=("$!")
	await test -s "$RUNTIME_DIRECTORY/present/ivan"
	run -1 account IVAN
	assert_output --partial 'a guest of that name is connected'
	end "${pids[@]}"
	account IVAN
}

@test "a password is 1 to 50 characters of any script, and told if not" {
	euro=$(printf '€%.0s' {1..50})
	parlance user add alice <<<"$euro"
	run -1 parlance user add bob <<<"$euro€"
	assert_output --partial 'longer than 50 characters'
	run -1 parlance user add bob <<<"$(printf 'x%.0s' {1..3000})"
	assert_output --partial 'longer than 50 characters'
	run -1 parlance user add bob <<<''
	assert_output --partial 'empty'
	run -1 parlance user add bob </dev/null
	assert_output --partial 'no password'
	run -1 parlance user add bob <<<$'a\tb'
	assert_output --partial 'control character'
	run -1 parlance user add bob <<<$'\xff'
	assert_output --partial 'not valid UTF-8'
	printf 'no newline' | parlance user add carol
	parlance user add dave <<<'with : and  spaces '
	run parlance user list
	assert_output $'alice\ncarol\ndave'
}

@test "of many who want a name at once, one gets it" {
	for name in alice Alice ALICE aLICE alice Alice; do
		account "$name" 2>/dev/null 3>&- && echo "$name" &
	done >"$BATS_TEST_TMPDIR/got"
	wait
	[ "$(wc -l <"$BATS_TEST_TMPDIR/got")" = 1 ]
	run parlance user list
	assert_output "$(cat "$BATS_TEST_TMPDIR/got")"
	run parlance check
	assert_success
}

@test "passwd, disable, enable and del need an account" {
	account alice
	for command in passwd disable enable del; do
		run -1 parlance user "$command" Alice <<<new
		assert_output --partial "Alice: no such account in $STATE_DIRECTORY"
	done
	parlance user del alice
	for command in passwd disable enable del; do
		run -1 parlance user "$command" alice <<<new
		assert_output --partial 'no such account'
	done
}

@test "user list is sorted and says who is disabled" {
	account carol
	account alice
	account Bob
	parlance user disable carol
	run parlance user list
	assert_output $'Bob\nalice\ncarol disabled'
	parlance user enable carol
	run parlance user list
	assert_output $'Bob\nalice\ncarol'
}

@test "passwd changes what is stored, and del removes it" {
	db=$STATE_DIRECTORY/db/parlance.db
	account alice
	old=$(sqlite3 "$db" 'SELECT password FROM users')
	[[ $old == '$argon2id$'* ]]
	parlance user passwd alice <<<'another'
	new=$(sqlite3 "$db" 'SELECT password FROM users')
	[[ $new == '$argon2id$'* ]]
	[ "$old" != "$new" ]
	parlance user del alice
	run sqlite3 "$db" 'SELECT username, password FROM users'
	assert_output 'alice|'
}

# What the chatfile door answers to these credentials.
door() { # door USER:PASSWORD
	printf 'GET /rooms/ HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n' \
		"Authorization: Basic $(printf %s "$1" | base64)" |
		"$BUILD/handlers/chatfile" 2>/dev/null | head -n 1
}

@test "passwd, disable and del take effect at a door at once" {
	ok='^HTTP/1.1 200 ' unauthorized='^HTTP/1.1 401 '
	account alice
	[[ "$(door 'alice:the password')" =~ $ok ]]
	parlance user passwd alice <<<'new'
	[[ "$(door 'alice:the password')" =~ $unauthorized ]]
	[[ "$(door alice:new)" =~ $ok ]]
	parlance user disable alice
	[[ "$(door alice:new)" =~ $unauthorized ]]
	parlance user enable alice
	[[ "$(door alice:new)" =~ $ok ]]
	parlance user del alice
	[[ "$(door alice:new)" =~ $unauthorized ]]
}

@test "what an admin says is synced by the chatfile door, and the other way" {
	account alice
	say 'from the admin'
	printf 'POST /rooms/lobby.txt HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\n\r\n%s' \
		"Authorization: Basic $(printf 'alice:the password' | base64)" \
		'Content-Length: 13' 'from the door' |
		"$BUILD/handlers/chatfile" >"$BATS_TEST_TMPDIR/answer"
	grep -q '^from the admin$' "$BATS_TEST_TMPDIR/answer"
	run parlance room show lobby
	assert_line 'from the door'
	assert_line --regexp '^\\alice @ .* chatfile$'
}

@test "at a terminal the password is asked for twice and never shown" {
	run terminal 'password: |geheim\n|again: |geheim\n' \
		"$BUILD/bin/parlance" user add alice
	assert_success
	refute_output --partial geheim
	run terminal 'password: |geheim\n|again: |gehiem\n' \
		"$BUILD/bin/parlance" user add bob
	assert_failure 1
	assert_output --partial 'the two passwords differ'
	run terminal 'password: |\n' "$BUILD/bin/parlance" user add bob
	assert_failure 1
	assert_output --partial 'empty'
	run terminal 'password: |\x04' "$BUILD/bin/parlance" user add bob
	assert_failure 1
	run parlance user list
	assert_output alice
}

@test "Ctrl-C at the password leaves the terminal with its echo" {
	run terminal 'password: |abc\x03|echo is |x\n' sh -c 'trap : INT
		"$BUILD/bin/parlance" user add alice
		code=$?
		stty -a | grep -o " echo " && echo "echo is on, $code"
		read x'
	assert_output --partial 'echo is on, 130'
	run parlance user list
	assert_output ''
}

@test "at a terminal user del asks, and --yes answers" {
	account alice
	account bob
	run terminal '[y/N] |n\n' "$BUILD/bin/parlance" user del alice
	assert_failure 1
	assert_output --partial 'Delete the account alice'
	assert_output --partial 'not done'
	run terminal '[y/N] |y\n' "$BUILD/bin/parlance" user del alice
	assert_success
	run terminal '' "$BUILD/bin/parlance" user del --yes bob
	assert_success
	assert_output ''
	run parlance user list
	assert_output ''
}

# --- room say, show, list ----------------------------------------------------

@test "room say stores a record as the account, by the door parlance" {
	account alice
	PARLANCE_NOW=1795183387 say 'hello everyone'
	printf '%s\n' 'hello everyone' \
		'\alice @ 2026-11-20T14:03:07Z parlance' |
		cmp - "$room"
}

@test "room say reads standard input less its last newline, and escapes" {
	account alice
	printf '\\o/\n\\\\\n\n\n' | PARLANCE_NOW=0 say
	printf '%s\n' '\\o/' '\\\' '' '' \
		'\alice @ 1970-01-01T00:00:00Z parlance' | cmp - "$room"
	printf 'no end' | PARLANCE_NOW=0 say
	PARLANCE_NOW=0 say '-- signed'
	run parlance room show lobby -n 2
	assert_line --index 0 'no end'
	assert_line --index 2 -- '-- signed'
}

@test "many admins speak at once, and each message stands once, whole" {
	account alice
	for i in {1..8}; do
		for j in {1..5}; do say "message $i.$j"; done 3>&- &
	done
	wait
	run bash -c 'grep -c "^message [1-8].[1-5]$" "$1"; sort -u "$1" |
		grep -c "^message"; grep -c "^.alice @ " "$1"' - "$room"
	assert_output $'40\n40\n40'
	run parlance room check
	assert_success
}

@test "room say is for accounts that are there and enabled" {
	run -100 parlance room say lobby hello
	assert_output --partial '-u USER is missing'
	run -1 say hello
	assert_output --partial 'alice: no such account'
	account alice
	run -1 parlance room say -u Alice lobby hello
	assert_output --partial 'Alice: no such account'
	parlance user disable alice
	run -1 say hello
	assert_output --partial 'disabled'
	parlance user del alice
	run -1 say hello
	assert_output --partial 'no such account'
	[ ! -e "$room" ]
}

@test "room say refuses what is no room text, and says where" {
	account alice
	run -1 say ''
	assert_output --partial 'nothing was said'
	run -1 say $'one\ntwo \033[31m'
	assert_output --partial 'line 2, byte 9'
	refute_output --partial $'\033'
	run -1 say $'bad \xff'
	assert_output --partial 'nothing was said'
	run -1 say $'ends with CR\r'
	assert_output --partial 'nothing was said'
	head -c 65536 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
	run -1 say <"$BATS_TEST_TMPDIR/long"
	assert_output --partial 'nothing was said'
	[ ! -s "$room" ]
	head -c 65535 "$BATS_TEST_TMPDIR/long" | say
	{ head -c 65535 "$BATS_TEST_TMPDIR/long" | tr x '\\' && echo; } | say
	[ "$(grep -c 'alice @' "$room")" = 2 ]
}

@test "a room's name is checked by every command" {
	account alice
	for name in '' '../x' 'a b' 'lobby.txt' 'x/y' \
		"$(printf 'x%.0s' {1..65})"; do
		run -100 parlance room say -u alice "$name" hi
		assert_output --partial "not a room's name"
		for command in show tail 'tail -f' del check; do
			# shellcheck disable=SC2086 # two words
			run -100 parlance room $command -- "$name"
			assert_output --partial "not a room's name"
		done
	done
	for command in show tail del check; do
		run -1 parlance room "$command" nowhere
		assert_output --partial 'nowhere: no such room'
	done
	run -1 parlance room redact nowhere 1
	assert_output --partial 'no such room'
}

@test "in a pipe room show gives what is stored, byte for byte" {
	account alice
	say one
	say $'two\n\\backslash'
	say three
	parlance room show lobby | cmp - "$room"
	parlance room show -n 1 lobby >"$BATS_TEST_TMPDIR/last"
	tail -n 2 "$room" | cmp - "$BATS_TEST_TMPDIR/last"
	parlance room show -n 9 lobby | cmp - "$room"
	[ -z "$(parlance room show -n 0 lobby)" ]
}

@test "on a terminal, or with -r, room show is for people" {
	account alice
	PARLANCE_NOW=1795183387 say $'\\o/ there\n'
	expected=$'#1 alice, 2026-11-20 14:03:07 (parlance)\n\\o/ there'
	run parlance room show -r lobby
	assert_output --partial "$expected"
	run terminal '' "$BUILD/bin/parlance" room show lobby
	assert_success
	assert_output --partial "$expected"
	TZ=XYZ-1 run parlance room show -r lobby
	assert_output --partial '2026-11-20 15:03:07'
}

@test "no text passes for another record" {
	account alice
	say $'hi\n\n#2 bob, 2026-11-20 14:03:07 (hchat)\nme too'
	run parlance room show -r lobby
	refute_line --regexp '^#2'
	assert_line '  #2 bob, 2026-11-20 14:03:07 (hchat)'
}

@test "the history of another server is shown safely" {
	foreign_room
	parlance room show lobby | cmp - "$room"
	run parlance room show -r lobby
	assert_line '#1 bob, 2020-01-02'
	assert_line 'hi'
	assert_line 'with �[31mred�'
	run parlance room check
	assert_success
	[ -z "$(ls "$STATE_DIRECTORY/lost")" ]
}

@test "a reader that goes away ends room show quietly" {
	account alice
	head -c 60000 /dev/zero | tr '\0' x | say
	for _ in 1 2 3 4 5 6; do cat "$room"; done >"$BATS_TEST_TMPDIR/more"
	cp "$BATS_TEST_TMPDIR/more" "$room"
	run bash -c 'set -o pipefail
		"$BUILD/bin/parlance" room show lobby | head -c 1'
	assert_success
	assert_output x
	run bash -c '"$BUILD/bin/parlance" room show lobby >/dev/full'
	assert_failure 111
	assert_output --partial 'standard output'
}

@test "room list tells records, bytes and the last time, by name" {
	account alice
	run parlance room list
	assert_success
	assert_output ''
	PARLANCE_NOW=0 say one
	PARLANCE_NOW=60 say two
	parlance room say -u alice empty x
	: >"$STATE_DIRECTORY/rooms/empty.txt"
	listed=0123456789abcdef0123456789abcdef
	unlisted=ffffffffffffffffffffffffffffffff
	cp "$room" "$STATE_DIRECTORY/rooms/$listed.txt"
	cp "$room" "$STATE_DIRECTORY/rooms/$unlisted.txt"
	printf 'format=1\nsubject=On tea\nlisted=1\n' \
		>"$STATE_DIRECTORY/meta/$listed"
	size=$(stat -c %s "$room")
	run parlance room list
	assert_line --index 0 "$listed	2	$size	1970-01-01T00:01:00Z	listed	On tea"
	assert_line --index 1 "empty	0	0	-"
	assert_line --index 2 "$unlisted	2	$size	1970-01-01T00:01:00Z	unlisted"
	assert_line --index 3 "lobby	2	$size	1970-01-01T00:01:00Z"
	run terminal '' "$BUILD/bin/parlance" room list
	assert_line --index 0 --regexp '^ROOM +RECORDS +BYTES +LAST$'
	assert_line --index 4 --regexp \
		"^lobby +2 +$size +1970-01-01 00:01:00\$"
}

@test "a listed room in which nobody has spoken is listed, and can be deleted" {
	account alice
	printf 'GET /chat_create?subject=%s HTTP/1.1\r\nHost: h\r\n\r\n' \
		'Cake&listed=1' Tea | "$BUILD/handlers/hchat" >/dev/null 2>&1
	say one
	run parlance room list
	assert_line --index 0 --regexp '^[0-9a-f]{32}	0	0	-	listed	Cake$'
	assert_line --index 1 --regexp '^lobby	1	'
	[ "${#lines[@]}" = 2 ]
	cake=${lines[0]%%	*}
	parlance room del "$cake" </dev/null
	[ ! -e "$STATE_DIRECTORY/meta/$cake" ]
	run parlance room list
	[ "${#lines[@]}" = 1 ]
	run -1 parlance room del "$cake"
	assert_output --partial 'no such room'
}

# --- room tail ---------------------------------------------------------------

@test "room tail shows the last ten records, or as many as asked for" {
	account alice
	for i in {1..12}; do say "message $i"; done
	parlance room tail lobby >"$BATS_TEST_TMPDIR/out"
	tail -n 20 "$room" | cmp - "$BATS_TEST_TMPDIR/out"
	parlance room tail -n 2 lobby >"$BATS_TEST_TMPDIR/out"
	tail -n 4 "$room" | cmp - "$BATS_TEST_TMPDIR/out"
}

follow() { # follow ARGUMENTS: tail -f into $BATS_TEST_TMPDIR/out
	"$BUILD/bin/parlance" room tail -f "$@" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- &
	follower=$!
	pids+=("$follower")
}

shown() { # shown TEXT: once?
	[ "$(grep -cxF -- "$1" "$BATS_TEST_TMPDIR/out")" = 1 ]
}

@test "room tail -f shows what is said, without a helper too, until it is told to stop" {
	account alice
	say before
	follow -n 1 lobby
	await shown before
	say after
	await shown after
	kill -TERM "$follower"
	wait "$follower" || [ "$?" = 143 ]
	parlance room show lobby | cmp - "$BATS_TEST_TMPDIR/out"
}

@test "Ctrl-C ends room tail -f" {
	account alice
	say one
	run terminal 'one\r\n|\x03' "$BUILD/bin/parlance" room tail -f lobby
	assert_failure 130
	assert_line one
}

@test "room tail -f waits for a room that is not there yet" {
	account alice
	follow lobby
	await grep -q 'no such room yet' "$BATS_TEST_TMPDIR/err"
	say first
	await shown first
	say second
	await shown second
	parlance room show lobby | cmp - "$BATS_TEST_TMPDIR/out"
}

@test "room tail -f ends when nobody reads any more" {
	account alice
	say one
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$BUILD/bin/parlance" room tail -f lobby >"$BATS_TEST_TMPDIR/fifo" 3>&- &
	follower=$!
	pids+=("$follower")
	head -n 1 <"$BATS_TEST_TMPDIR/fifo" >/dev/null
	gone() {
		! kill -0 "$follower" 2>/dev/null
	}
	await gone
}

@test "room tail -f follows a room that is edited, replaced or deleted" {
	account alice
	for i in 1 2 3; do say "message $i"; done
	follow lobby
	await shown 'message 3'
	sed -i 's/message 1/edited/' "$room"
	say four
	await shown four
	parlance room del lobby
	await grep -q 'is gone' "$BATS_TEST_TMPDIR/err"
	say anew
	await shown anew
	shown 'message 3'
}

start_fanout() {
	"$BUILD/helpers/fanout" 2>>"$BATS_TEST_TMPDIR/fanout.log" 3>&- &
	fanout=$!
	pids+=("$fanout")
	await test -S "$RUNTIME_DIRECTORY/fanout.sock"
}

@test "room tail -f misses nothing while fanout dies and comes back" {
	account alice
	start_fanout
	follow -n 0 lobby
	await grep -q 'no such room yet' "$BATS_TEST_TMPDIR/err"
	for i in {1..15}; do
		say "message $i"
		if [ $((i % 5)) = 0 ]; then
			kill -KILL "$fanout"
			wait "$fanout" 2>/dev/null || true
			say "while it is gone $i"
			start_fanout
		fi
	done
	say last
	await shown last
	parlance room show lobby | cmp - "$BATS_TEST_TMPDIR/out"
}

# --- room redact, del, check -------------------------------------------------

@test "room redact takes a message back, and nothing else" {
	account alice
	say one
	say $'a secret\n\\of two lines'
	say three
	size=$(stat -c %s "$room")
	parlance room redact lobby 2
	[ "$(stat -c %s "$room")" = "$size" ]
	run parlance room show -n 2 lobby
	assert_line --index 0 'xxxxxxxx'
	assert_line --index 1 'xxxxxxxxxxxxxx'
	assert_line --index 2 --regexp '^\\alice @ '
	assert_line --index 3 three
	run -1 parlance room redact lobby 4
	assert_output --partial 'no record 4; it has 3'
	run -1 parlance room redact lobby 0
	assert_output --partial 'no record 0'
	run parlance room check lobby
	assert_success
}

@test "at a terminal room redact says whose record that is, and asks" {
	account alice
	PARLANCE_NOW=1795183387 say secret
	run terminal '[y/N] |\n' "$BUILD/bin/parlance" room redact lobby 1
	assert_failure 1
	assert_output --partial \
		'record 1 of lobby, by alice at 2026-11-20 14:03:07'
	grep -q secret "$room"
	run terminal '[y/N] |yes\n' "$BUILD/bin/parlance" room redact lobby 1
	assert_success
	run grep secret "$room"
	assert_failure
	say again
	run terminal '' "$BUILD/bin/parlance" room redact lobby 2 --yes
	assert_success
	assert_output ''
}

@test "room del removes a room, and asks at a terminal" {
	account alice
	say one
	run terminal '[y/N] |n\n' "$BUILD/bin/parlance" room del lobby
	assert_failure 1
	assert_output --partial 'the room lobby and its 1 records'
	[ -e "$room" ]
	parlance room del lobby
	[ ! -e "$room" ]
	[ ! -e "$RUNTIME_DIRECTORY/index/lobby" ]
	run -1 parlance room del lobby
	assert_output --partial 'no such room'
}

@test "room check says a line about each room, 0 if all are whole" {
	account alice
	run parlance room check
	assert_success
	assert_output ''
	say one
	parlance room say -u alice other two
	run parlance room check
	assert_success
	assert_line --index 0 --regexp '^lobby: whole, 1 records, [0-9]+ bytes$'
	assert_line --index 1 --regexp '^other: whole, 1 records, [0-9]+ bytes$'
	run parlance room check other
	assert_success
	[ "${#lines[@]}" = 1 ]
	run -1 parlance room check nosuch
	assert_output --partial 'no such room'
	refute_output --partial damage
}

@test "room check finds torn bytes and touches nothing; --repair moves them" {
	account alice
	say one
	printf 'torn tail' >>"$room"
	run -1 parlance room check lobby
	assert_output --partial 'lobby: damaged, 1 records'
	assert_output --partial '9 bytes after them belong to no whole record'
	assert_output --partial '--repair'
	[ "$(tail -c 9 "$room")" = 'torn tail' ]
	run parlance room check --repair lobby
	assert_success
	assert_output --partial 'lobby: repaired, 1 records'
	assert_output --partial "moved to $STATE_DIRECTORY/lost/lobby."
	[ "$(cat "$STATE_DIRECTORY"/lost/lobby.*)" = 'torn tail' ]
	run parlance room check
	assert_success
}

@test "more than 1 MiB of damage shuts a room until room check --repair" {
	account alice
	say one
	head -c 1100000 /dev/zero >>"$room"
	run -111 say two
	assert_output --partial 'damaged'
	assert_output --partial 'room check'
	run parlance room show lobby
	assert_success
	assert_line one
	run -1 parlance room check
	assert_output --partial '1100000 bytes after them'
	parlance room check --repair
	[ "$(stat -c %s "$STATE_DIRECTORY"/lost/lobby.*)" = 1100000 ]
	say two
}

@test "a room shut by a failed write is opened by room check --repair" {
	account alice
	say one
	: >"$RUNTIME_DIRECTORY/failed/lobby"
	run -111 say two
	assert_output --partial 'shut since a write to disk failed'
	run -1 parlance room check
	assert_output --partial 'is shut by a failed write'
	run parlance room check --repair
	assert_success
	assert_output --partial 'was shut'
	say two
}

@test "a writer that is stopped leaves an admin with a clear answer" {
	account alice
	say one
	exec 9<"$room"
	flock 9
	run parlance room show lobby 9<&-
	assert_success
	run -111 say two 9<&-
	assert_output --partial 'busy'
	exec 9<&-
	say three
}

@test "a disk that fails shuts the room, says so, and shows nothing of it" {
	account alice
	say one
	run -111 strace -o /dev/null -f -e inject=fdatasync:error=EIO \
		"$BUILD/bin/parlance" room say -u alice lobby two
	assert_output --partial 'the disk failed, and the room is shut'
	run -111 say three
	assert_output --partial 'shut since a write to disk failed'
	run parlance room show lobby
	refute_output --partial two
	run -1 parlance room check
	run parlance room check --repair
	assert_success
	assert_output --partial "moved to $STATE_DIRECTORY/lost/lobby."
	say four
	run parlance room show lobby
	refute_output --partial two
	assert_line four
}

# --- check -------------------------------------------------------------------

@test "check finds a new host and a used one whole" {
	run parlance check
	assert_success
	account alice
	say one
	run parlance check
	assert_success
	assert_line 'database: whole, 1 accounts (with deleted ones)'
	assert_line 'accounts: whole'
	assert_line --regexp '^lobby: whole'
}

@test "check finds what accounts/ has too many and too few; --repair mends it" {
	account alice
	rm "$STATE_DIRECTORY/accounts/alice"
	: >"$STATE_DIRECTORY/accounts/stray"
	run -1 parlance check
	assert_line 'accounts: 1 files too many, 1 missing'
	assert_output --partial 'accounts/stray: belongs to no account'
	assert_output --partial 'accounts/alice: is missing'
	[ -e "$STATE_DIRECTORY/accounts/stray" ]
	run parlance check --repair
	assert_success
	assert_line 'accounts: 1 files too many, 1 missing, repaired'
	[ "$(ls "$STATE_DIRECTORY/accounts")" = alice ]
	run parlance check
	assert_success
}

@test "check opens a database that a failed write shut, with --repair" {
	account alice
	: >"$RUNTIME_DIRECTORY/failed/parlance.db"
	run -111 parlance user disable alice
	assert_output --partial 'parlance check --repair'
	run parlance user list
	assert_output alice
	run -1 parlance check
	assert_line --partial 'shut by a failed write'
	parlance check --repair
	[ ! -e "$RUNTIME_DIRECTORY/failed/parlance.db" ]
	parlance user disable alice
}

@test "a damaged database is told, and accounts/ kept as they are" {
	account alice
	rm -f "$STATE_DIRECTORY"/db/*
	run -1 parlance check --repair
	assert_output --partial 'restore it from a backup'
	[ -e "$STATE_DIRECTORY/accounts/alice" ]
	echo garbage >"$STATE_DIRECTORY/db/parlance.db"
	run -1 parlance check --repair
	assert_output --partial 'damaged'
	assert_output --partial 'restore it from a backup'
	[ -e "$STATE_DIRECTORY/accounts/alice" ]
}
