#!/usr/bin/env bats
# suite: slow
# The chatfile client against the spec's own minimal server, which can be told
# to misbehave (tests/spec_server.py).
# Quoted on purpose: footers begin with a backslash.
# shellcheck disable=SC1003,SC2016
# Each test is a subshell of its own.
# shellcheck disable=SC2030,SC2031
# Called by kill_everywhere.
# shellcheck disable=SC2317
load client

setup() {
	environment "$BATS_TEST_TMPDIR/home"
	export CHATFILE_PASSWORD=secret TZ=UTC
	server=$BATS_TEST_TMPDIR/server
	there=$server/rooms/lobby.txt
	mkdir "$server" "$BATS_TEST_TMPDIR/alice" \
		"$BATS_TEST_TMPDIR/bob"
	cd "$BATS_TEST_TMPDIR/alice" || exit 1
	pids=()
}

teardown() {
	end "${pids[@]}"
}

serve() { # serve [--keys] [--length] [--wait] [--port N]
	rm -f "$server/port"
	"$BATS_TEST_DIRNAME/spec_server.py" "$server" "$@" 3>&- &
	server_pid=$!
	pids+=("$server_pid")
	await test -e "$server/port"
	base=http://127.0.0.1:$(<"$server/port")/rooms/
	url=${base}lobby.txt
}

plan() { # what the server does with the next requests, a line each
	printf '%s\n' "$@" >"$server/plan"
}

planned() {
	[ ! -s "$server/plan" ] || fail "left of the plan: $(<"$server/plan")"
}

as_bob() { # as_bob TEXT: bob posts it
	(
		cd "$BATS_TEST_TMPDIR/bob" || exit 1
		[ -e .chatfile ] || chatfile -u bob "$url"
		printf '%b' "$1" >>lobby.txt
		chatfile lobby.txt
	)
}

# The same for a file with unsent text.
assert_unsent() { # assert_unsent TEXT
	local size
	size=$(stat -c %s "$there")
	assert_equal "$(tail -c +$((size + 1)) lobby.txt)" "$1"
	head -c "$size" lobby.txt >synced
	assert_equal "$(records synced)" "$(records "$there")"
	rm synced
}

begun() { # begun [OPTIONS of the server]: alice is synced with one message
	serve "$@"
	as_bob 'first\n'
	chatfile -u alice "$url"
	assert_synced
	: >"$server/log"
}

begun_anew() { # begun_anew [OPTIONS of the server]: the same, over again
	rm -rf "$server" lobby.txt .lobby.txt.chatfile .chatfile
	rm -rf "$BATS_TEST_TMPDIR"/bob/{*,.chat*,.lobby*}
	mkdir "$server"
	begun "$@"
}

# --- the command line --------------------------------------------------------

@test "chatfile --help and --version say what they should" {
	run -0 chatfile --help
	assert_output --partial 'usage: chatfile'
	assert_output --partial '--resync'
	run -0 chatfile --version
	assert_output --regexp '^chatfile \(parlance\) [0-9.]+$'
}

@test "wrong usage ends with 100 and a hint" {
	run -100 chatfile
	assert_output --partial 'usage: chatfile'
	run -100 chatfile --no-such-option lobby.txt
	run -100 chatfile one.txt two.txt
	run -100 chatfile ftp://127.0.0.1/rooms/lobby.txt
	assert_output --partial 'only http:// and https://'
	run -100 chatfile http://127.0.0.1/rooms/lobby
	assert_output --partial 'a room file is NAME.txt'
	run -100 chatfile http://127.0.0.1/rooms/a%20b.txt
	run -100 chatfile http://127.0.0.1
	run -100 chatfile http://
	run -100 chatfile ../etc/passwd
	run -100 chatfile -u a:b http://127.0.0.1/rooms/lobby.txt
	assert_output --partial 'no name of a user'
	run -100 chatfile http://alice:secret@127.0.0.1/rooms/lobby.txt
	assert_output --partial 'no password in the URL'
	run -100 chatfile "http://127.0.0.1/rooms/$(printf 'a%.0s' {1..65}).txt"
	run -111 chatfile no-such-folder/lobby.txt
	assert_equal "$(ls -A)" ""
}

@test "a file without a .chatfile is told how to begin" {
	touch lobby.txt
	run -100 chatfile lobby.txt
	assert_output --partial 'begin with `chatfile http://HOST:PORT/rooms/lobby.txt`'
}

@test "a .chatfile with a slip is told with its line" {
	printf '# mine\nurl=http://127.0.0.1:1/rooms/\nuzer=alice\n' >.chatfile
	run -100 chatfile lobby.txt
	assert_output --partial './.chatfile:3:'
	echo 'user=alice' >.chatfile
	run -100 chatfile lobby.txt
	assert_output --partial 'no url='
}

@test "the first chatfile URL leaves a .chatfile, then FILE is enough" {
	serve
	run -0 chatfile -u alice "$url"
	assert_output ''
	assert_equal "$(<.chatfile)" "url=$base
user=alice"
	echo 'hello' >>lobby.txt
	run -0 chatfile lobby.txt
	assert_output ''
	run -0 chatfile ./lobby.txt
	run -0 chatfile "$PWD/lobby.txt"
	run -0 chatfile "$url"
	assert_synced
	times 1 hello
	grep '^\\alice @ ' lobby.txt
}

@test "other rooms of the same server need no URL" {
	begun
	echo 'over here' >other.txt
	run -0 chatfile other.txt
	cmp other.txt "$server/rooms/other.txt"
}

@test "a folder belongs to one server" {
	begun
	run -100 chatfile http://127.0.0.1:1/rooms/lobby.txt
	assert_output --partial "synced with $base"
}

@test "a .chatfile may lack the last slash, and hold comments and CR" {
	serve
	printf '# a comment\r\n\nurl=%s\r\nuser=carol\r\n' "${base%/}" >.chatfile
	echo hi >lobby.txt
	run -0 chatfile lobby.txt
	grep '^\\carol @ ' lobby.txt
}

@test "the user comes from -u, the URL, .chatfile, .netrc or the login" {
	serve
	echo 1 >lobby.txt
	run -0 chatfile "http://dora@${url#http://}"
	assert_equal "$(tail -n 1 .chatfile)" "user=dora"
	sed -i /user=/d .chatfile
	echo 2 >>lobby.txt
	run -0 chatfile lobby.txt
	echo "machine 127.0.0.1 login netty password x" >"$HOME/.netrc"
	echo 3 >>lobby.txt
	CHATFILE_PASSWORD='' run -0 chatfile lobby.txt
	unset CHATFILE_PASSWORD
	echo 4 >>lobby.txt
	run -0 chatfile lobby.txt
	echo user=dora >>.chatfile
	echo 5 >>lobby.txt
	run -0 chatfile -u eve lobby.txt
	run sed -n 's/^\\\([a-z]*\) @.*/\1/p' "$there"
	assert_output "dora
$(id -un)
$(id -un)
netty
eve"
}

@test "the password comes from .netrc, or from a prompt without echo" {
	serve
	unset CHATFILE_PASSWORD
	run -0 "$BATS_TEST_DIRNAME/terminal.py" \
		'Password of alice at|secret\n' \
		"$BUILD/bin/chatfile" -u alice "$url"
	refute_output --partial secret
	run -130 "$BATS_TEST_DIRNAME/terminal.py" 'Password of|\x03' \
		"$BUILD/bin/chatfile" -u alice "$url"
	run -100 setsid "$BUILD/bin/chatfile" -u alice "$url"
	assert_output --partial 'no password: set CHATFILE_PASSWORD'
	echo "machine 127.0.0.1 login alice password x" >"$HOME/.netrc"
	run -0 setsid "$BUILD/bin/chatfile" -u alice "$url"
}

# --- sending and fetching -----------------------------------------------------

@test "files stay equally long whatever is exchanged, with a bare server" {
	begun
	for i in 1 2 3; do
		as_bob "bob says $i\nand more\n"
		printf 'alice says %d' "$i" >>lobby.txt
		as_bob "bob $i again"
		chatfile lobby.txt
		assert_synced
		chatfile lobby.txt
		assert_synced
	done
}

@test "files stay equally long with keys, lengths and ranges" {
	begun --keys --length
	for i in 1 2 3; do
		as_bob "bob says $i\n"
		printf 'alice says %d' "$i" >>lobby.txt
		chatfile lobby.txt
		assert_synced
	done
	grep '^keys=1$' .lobby.txt.chatfile
}

@test "-n fetches and leaves what was typed, unsent, at the end" {
	begun
	as_bob 'news\n'
	printf 'mine' >>lobby.txt
	run -0 chatfile -n lobby.txt
	assert_unsent mine
	run grep -c mine "$there"
	assert_output 0
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
}

@test "a typed line that looks like a footer is refused with its number" {
	begun
	printf 'hey\n\\o/ hooray\n' >>lobby.txt
	cp lobby.txt before
	run -1 chatfile lobby.txt
	assert_output --partial 'lobby.txt:4:'
	assert_output --partial 'for  \o/ hooray  write  \\o/ hooray'
	cmp lobby.txt before
	assert_equal "$(<"$server/log")" ""
	sed -i '4s/^/\\/' lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	times 1 '\\o/ hooray'
}

@test "text that is no room text is refused with its line, before sending" {
	begun
	cp lobby.txt clean
	for bad in 'a\tfine\nline\033[2J\n' '\0377\n' 'a\0000b' 'a\rb\n' 'end\r' \
		'\\' 'fine\n\\forged @ x'; do
		cp clean lobby.txt
		printf '%b' "$bad" >>lobby.txt
		cp lobby.txt before
		run -1 chatfile lobby.txt
		assert_output --regexp 'lobby\.txt:[34]: '
		cmp lobby.txt before
	done
	assert_equal "$(<"$server/log")" ""
}

@test "65,535 bytes are a message, one more is refused before sending" {
	begun
	head -c 65534 /dev/zero | tr '\0' x >>lobby.txt
	echo >>lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	: >"$server/log"
	head -c 65536 /dev/zero | tr '\0' y >>lobby.txt
	run -1 chatfile lobby.txt
	assert_output --partial '65536 bytes long; a message has at most 65535'
	assert_equal "$(<"$server/log")" ""
}

@test "first use of a file with history finds the offset by lines backwards" {
	begun
	rm .lobby.txt.chatfile
	printf 'two\nlines' >>lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	times 1 two
}

@test "first use: another server's footers are told from typed ones" {
	serve
	mkdir -p "$server/rooms"
	printf 'hi\n\\somebody\n' >"$there"
	printf 'hi\n\\somebody\nmine\n' >lobby.txt
	run -0 chatfile -u alice "$url"
	assert_synced
	times 1 mine
	rm .lobby.txt.chatfile
	printf 'so\n\\o/\nand more\n' >>lobby.txt
	run -1 chatfile lobby.txt
	assert_output --partial 'lobby.txt:6:'
	assert_output --partial 'for  \o/  write  \\o/'
	sed -i '6s/^/\\/' lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
}

@test "a long history is fetched whole" {
	serve --length
	mkdir -p "$server/rooms"
	seq 1 300000 | sed 's/.*/line & of a long message\n\\carl @ x/' >"$there"
	run -0 chatfile -u alice "$url"
	cmp lobby.txt "$there"
}

@test "a long download shows its progress on a terminal" {
	serve --length
	mkdir -p "$server/rooms"
	seq 1 300000 | sed 's/.*/line & of a long message\n\\carl @ x/' >"$there"
	run -0 "$BATS_TEST_DIRNAME/terminal.py" '' \
		"$BUILD/bin/chatfile" -u alice "$url"
	assert_output --regexp 'lobby\.txt: [0-9.]+ of [0-9.]+ MB'
}

@test "https works, with a certificate that one trusts" {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$HOME/key.pem" \
		-out "$HOME/cert.pem" 2>/dev/null
	serve --keys --length --tls "$HOME/cert.pem" "$HOME/key.pem"
	run -111 chatfile -u alice "${url/http:/https:}"
	assert_output --partial 'certificate'
	export CURL_CA_BUNDLE=$HOME/cert.pem
	echo hello >lobby.txt
	run -0 chatfile -u alice "${url/http:/https:}"
	assert_synced
	times 1 hello
}

@test "a symbolic link is followed" {
	begun
	mkdir real
	mv lobby.txt .lobby.txt.chatfile real
	ln -s real/lobby.txt lobby.txt
	echo more >>lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	[ -L lobby.txt ]
}

# --- refusals and failures -----------------------------------------------------

@test "each refusal is explained and leaves the file as it was" {
	begun
	echo mine >>lobby.txt
	cp lobby.txt before
	while IFS='|' read -r status code says; do
		plan "$status" "$status" "$status" "$status"
		run "-$code" chatfile lobby.txt
		assert_output --partial "$says"
		cmp lobby.txt before
	done <<-END
		401|1|wrong user or password, for user alice
		403|1|the server refuses (403: said so)
		404|1|the server has no place for lobby.txt
		409|1|another text under this key
		413|1|too long for the server
		416|1|--resync
		400|1|the server refuses (400: said so)
		302|1|redirects (302) to https://example.org/rooms/lobby.txt�[2J:
		500|111|try again later
		507|111|(507: said so)
	END
	plan
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
}

@test "a busy server is asked again, and the message stands once" {
	begun --keys
	plan 503 'kept 503' 503
	echo mine >>lobby.txt
	run -0 chatfile lobby.txt
	planned
	assert_synced
	times 1 mine
}

@test "nobody there, no such host: 111, and the file as before" {
	echo mine >lobby.txt
	run -111 chatfile -u alice http://127.0.0.1:1/rooms/lobby.txt
	assert_output --partial "Couldn't connect"
	run -111 chatfile -u alice http://no.such.host.invalid/rooms/lobby.txt
	assert_output --partial 'Could not resolve host'
	assert_equal "$(<lobby.txt)" mine
	rm -f lobby.txt .lobby.txt.chatfile
	run -111 chatfile -u alice http://127.0.0.1:1/rooms/lobby.txt
	assert_equal "$(ls -A)" ""
}

@test "answers that make no sense change nothing, and are got over" {
	for flags in '' '--keys --length'; do
		# shellcheck disable=SC2086
		begun_anew $flags
		turn=0
		for bad in drop garbage early cut cut-line long short range \
			'kept 500' lost; do
			turn=$((turn + 1))
			as_bob "before $turn\nnews\n"
			printf 'mine %d\n' "$turn" >>lobby.txt
			cp lobby.txt before
			plan "$bad"
			run chatfile lobby.txt
			[ "$status" = 111 ] || fail "$bad: $status $output"
			planned
			cmp lobby.txt before
			as_bob "after $turn\n"
			run -0 chatfile lobby.txt
			assert_synced
			times 1 "mine $turn"
		done
	done
}

@test "a fetch that goes wrong changes nothing, and is got over" {
	begun --keys --length
	for bad in drop garbage cut cut-line long short range; do
		as_bob "news\n$bad\n"
		cp lobby.txt before
		plan "$bad"
		run -111 chatfile lobby.txt
		cmp lobby.txt before
	done
	run -0 chatfile lobby.txt
	assert_synced
}

@test "a server that hangs is given up after CHATFILE_TIMEOUT" {
	begun
	plan hang
	echo mine >>lobby.txt
	cp lobby.txt before
	CHATFILE_TIMEOUT=1 run -111 chatfile lobby.txt
	cmp lobby.txt before
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
}

@test "a lost answer, then more typed: the rest is a message of its own" {
	for flags in '' --keys; do
		begun_anew $flags
		for end in '\n' ''; do
			printf %b "sent once$end" >>lobby.txt
			plan lost
			run -111 chatfile lobby.txt
			as_bob 'in between\n'
			printf '\nadded later' >>lobby.txt
			run -0 chatfile lobby.txt
			assert_synced
		done
		times 2 'sent once'
		times 2 'added later'
	done
}

@test "a lost answer, then the text changed: both stand, once each" {
	for flags in '' --keys; do
		begun_anew $flags
		printf 'helo\n' >>lobby.txt
		plan lost
		run -111 chatfile lobby.txt
		as_bob 'in between\n'
		sed -i 's/^helo/hello/' lobby.txt
		run -0 chatfile lobby.txt
		assert_synced
		times 1 helo
		times 1 hello
	done
}

@test "a lost answer, then the text deleted: the record is taken in" {
	begun --keys
	printf 'oops\n' >>lobby.txt
	plan lost
	run -111 chatfile lobby.txt
	sed -i '/^oops/d' lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	times 1 oops
}

@test "a lost answer, then -n: what was stored is no unsent text any more" {
	for flags in '' --keys; do
		begun_anew $flags
		printf 'stored' >>lobby.txt
		plan lost
		run -111 chatfile lobby.txt
		printf '\nnot yet\n' >>lobby.txt
		run -0 chatfile -n lobby.txt
		assert_unsent 'not yet'
		printf 'drop\n' >"$server/plan"
		run -111 chatfile lobby.txt
		as_bob 'hi\n'
		run -0 chatfile -n lobby.txt
		assert_unsent 'not yet'
		run -0 chatfile lobby.txt
		assert_synced
		times 1 stored
		times 1 'not yet'
	done
}

@test "a password refused after a lost answer does not make it post twice" {
	begun --keys
	printf 'once\n' >>lobby.txt
	plan lost 401
	run -111 chatfile lobby.txt
	run -1 chatfile lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	times 1 once
}

@test "the same text twice in a row is two messages, to a bare server too" {
	begun
	for _ in 1 2; do
		echo ok >>lobby.txt
		run -0 chatfile lobby.txt
	done
	assert_synced
	times 2 ok
}

# --- people who do not wait -----------------------------------------------------

@test "text typed during the exchange goes behind the answer" {
	for flags in '' '--keys --length'; do
		# shellcheck disable=SC2086
		begun_anew $flags
		as_bob 'news\n'
		echo sent >>lobby.txt
		plan "run echo typed meanwhile >>$PWD/lobby.txt"
		run -0 chatfile lobby.txt
		planned
		assert_synced
		times 1 sent
		times 1 'typed meanwhile'
		# An unfinished line, whose end is typed meanwhile.
		printf 'half a' >>lobby.txt
		plan "run echo ' line' >>$PWD/lobby.txt"
		run -0 chatfile lobby.txt
		assert_synced
		printf 'ended' >>lobby.txt
		plan "run echo >>$PWD/lobby.txt"
		: >"$server/log"
		run -0 chatfile lobby.txt
		assert_synced
		assert_equal "$(grep -c . "$server/log")" 1
		# Longer than the answer.
		echo short >>lobby.txt
		plan "run seq 1 1000 >>$PWD/lobby.txt"
		run -0 chatfile lobby.txt
		assert_synced
		times 1 1000
	done
}

@test "text typed in the last moment before the append is not written over" {
	begun --keys
	as_bob 'news, and a line that is longer than what is typed meanwhile\n'
	for long in '' ' and longer and longer and longer than the answer is'; do
		echo sent >>lobby.txt
		plan "run echo 'typed meanwhile$long' >>$PWD/lobby.txt"
		strace -o trace -e trace=writev \
			-e inject=writev:delay_enter=700000:when=1 \
			"$BUILD/bin/chatfile" lobby.txt 3>&- &
		pid=$!
		pids+=("$pid")
		await grep -qa '^answer=' .lobby.txt.chatfile
		echo "last moment$long" >>lobby.txt
		wait $pid
		assert_synced
		times 1 "typed meanwhile$long"
		times 1 "last moment$long"
	done
	times 2 sent
}

@test "text typed while fetching stays at the end" {
	begun
	as_bob 'news\n'
	plan "run echo typed meanwhile >>$PWD/lobby.txt"
	run -0 chatfile -n lobby.txt
	assert_unsent 'typed meanwhile'
}

@test "what was sent is changed in place during the exchange: both stand" {
	begun --keys
	echo helo >>lobby.txt
	plan "run printf 'first\n%s\nhello\n' '$(tail -n 1 "$there")' \
>$PWD/new && cat $PWD/new >$PWD/lobby.txt"
	plan "run sed 's/^helo/hello/' $PWD/lobby.txt >$PWD/new && cat $PWD/new >$PWD/lobby.txt"
	run -0 chatfile lobby.txt
	planned
	assert_synced
	times 1 helo
	times 1 hello
}

@test "an editor replaces the file during the exchange: the new one is used" {
	begun
	as_bob 'news\n'
	echo mine >>lobby.txt
	plan "run cd $PWD && cp lobby.txt new && echo more >>new && mv new lobby.txt"
	run -0 chatfile lobby.txt
	planned
	assert_synced
	times 1 mine
	times 1 more
}

@test "a replaced file that does not begin with what was sent is left alone" {
	for flags in '' --keys; do
		begun_anew $flags
		echo helo >>lobby.txt
		plan "run cd $PWD && sed -i s/helo/hello/ lobby.txt && cp lobby.txt left"
		run -1 chatfile lobby.txt
		assert_output --partial 'was replaced meanwhile'
		cmp lobby.txt left
		run -0 chatfile lobby.txt
		assert_synced
		times 1 helo
		times 1 hello
	done
}

@test "a file removed during the exchange is not made again" {
	begun --keys
	cp lobby.txt kept
	echo mine >>lobby.txt
	plan "run rm $PWD/lobby.txt"
	run -1 chatfile lobby.txt
	assert_output --partial 'lobby.txt is gone'
	[ ! -e lobby.txt ]
	cp kept lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
}

@test "a changed or shortened history is noticed, --resync cures it" {
	begun
	as_bob 'news\n'
	run -0 chatfile lobby.txt
	cp lobby.txt good
	: >"$server/log"
	sed -i 's/^first/first!/' lobby.txt
	run -1 chatfile lobby.txt
	assert_output --partial 'was changed here'
	head -c 10 good >lobby.txt
	run -1 chatfile lobby.txt
	assert_output --partial 'is shorter than'
	: >lobby.txt
	run -1 chatfile lobby.txt
	assert_equal "$(<"$server/log")" ""
	sed 's/^first/first!/' good >lobby.txt
	echo mine >>lobby.txt
	run -0 chatfile --resync lobby.txt
	assert_output --partial 'kept as lobby.txt.old'
	assert_synced
	times 1 mine
	grep -x 'first!' lobby.txt.old
}

@test "a removed file is fetched anew" {
	begun
	rm lobby.txt
	run -0 chatfile lobby.txt
	assert_synced
	rm lobby.txt .lobby.txt.chatfile
	run -0 chatfile "$url"
	assert_synced
}

@test "a server that lost its file: 416, then --resync keeps unsent text" {
	begun
	as_bob 'more\n'
	run -0 chatfile lobby.txt
	printf 'anew\n\\bob @ 2026-11-21T10:00:00Z\n' >"$there"
	echo mine >>lobby.txt
	cp lobby.txt before
	run -1 chatfile lobby.txt
	assert_output --partial '--resync'
	cmp lobby.txt before
	run -0 chatfile -n --resync lobby.txt
	assert_unsent mine
	cmp lobby.txt.old before
	run -0 chatfile --resync lobby.txt
	[ -e lobby.txt.old.1 ]
	assert_synced
	times 1 mine
}

@test "--resync after a lost answer does not post twice" {
	begun --keys
	echo mine >>lobby.txt
	plan lost
	run -111 chatfile lobby.txt
	run -0 chatfile --resync lobby.txt
	assert_synced
	times 1 mine
}

@test "a damaged memo is told, and --resync makes a new one" {
	begun
	echo mine >>lobby.txt
	echo 'chatfile=2' >.lobby.txt.chatfile
	run -1 chatfile lobby.txt
	assert_output --partial 'damaged or of a newer version'
	run -0 chatfile --resync lobby.txt
	assert_synced
	times 1 mine
}

@test "a second client waits for the first" {
	begun
	echo mine >>lobby.txt
	mkfifo gate
	plan "run : >$PWD/entered; cat $PWD/gate"
	chatfile lobby.txt 3>&- &
	first=$!
	pids+=("$first")
	await test -e entered
	chatfile lobby.txt 3>&- &
	second=$!
	pids+=("$second")
	await grep -q -- '-> FLOCK' /proc/locks
	echo typed >>lobby.txt
	echo go >gate
	wait $first
	wait $second
	assert_synced
	times 1 mine
	times 1 typed
}

# --- killed, disk full ------------------------------------------------------------

@test "a full disk while the answer is written leaves the file as before" {
	begun --keys
	as_bob 'news\n'
	echo mine >>lobby.txt
	cp lobby.txt before
	for call in writev fsync renameat; do
		for n in 1 2 3; do
			run strace -o trace -e trace=$call \
				-e inject=$call:error=ENOSPC:when=$n \
				"$BUILD/bin/chatfile" lobby.txt
			if ! grep -q INJECTED trace; then
				break
			fi
			assert_equal "$status" 111
			assert_output --partial 'No space left'
		done
	done
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
}

@test "an append cut short by a full disk is taken back" {
	begun
	lines() {
		seq "$1" "$2" |
			sed 's/$/ and some words more\n\\carl @ 2026-11-21T10:00:00Z/'
	}
	lines 1 15000 >>"$there"
	chatfile lobby.txt
	lines 15001 18000 >>"$there"
	printf 'mine\n' >>lobby.txt
	cp lobby.txt before
	# Room for the memo with the answer in it, but too little for the file.
	run bash -c "ulimit -f $(($(stat -c %s lobby.txt) / 1024 + 100)); \
		exec strace -o trace -e trace=writev,ftruncate '$BUILD/bin/chatfile' lobby.txt"
	assert_equal "$status" 111
	grep -q '^ftruncate(.*= 0' trace
	cmp lobby.txt before
	: >"$server/log"
	run -0 chatfile lobby.txt
	assert_synced
	times 1 mine
	# Carried out from the memo: nothing had to be asked for that.
	refute grep -q 'body=[1-9]' "$server/log"
}

@test "in a folder of others no link that they made is followed" {
	begun
	echo precious >"$BATS_TEST_TMPDIR/mine"
	ln -s "$BATS_TEST_TMPDIR/mine" .lobby.txt.chatfile.new
	echo hi >>lobby.txt
	chatfile lobby.txt
	assert_synced
	assert_equal "$(<"$BATS_TEST_TMPDIR/mine")" precious
}

@test "a memo of another client's making is not written over" {
	begun --keys
	echo mine >>lobby.txt
	# While we are with the server an editor replaces the file, and another
	# client syncs the new one.
	plan "run cd $PWD && cp lobby.txt new && echo more >>new && mv new lobby.txt && '$BUILD/bin/chatfile' lobby.txt"
	run -0 chatfile lobby.txt
	planned
	assert_synced
	times 1 mine
	times 1 more
}

prepare() {
	printf 'news %d\n\\carl @ 2026-11-21T10:00:00Z\n' "$1" >>"$there"
	printf 'mine %d\n' "$1" >>lobby.txt
}

@test "killed at every system call of an exchange, a message stands once" {
	begun --keys --length
	kill_everywhere 0
}

@test "killed at every system call, then more typed: all stands once" {
	begun --keys --length
	more() { printf 'later %d\n' "$1" >>lobby.txt; }
	finally() { times 1 "later $1"; }
	kill_everywhere 1
}

@test "killed at every system call with a bare server: once as well" {
	begun
	kill_everywhere 2
}

@test "killed at every system call with text typed during the exchange" {
	begun --keys
	prepare() {
		printf 'news %d\n\\carl @ 2026-11-21T10:00:00Z\n' "$1" >>"$there"
		printf 'mine %d\n' "$1" >>lobby.txt
		plan "run echo during $1 >>$PWD/lobby.txt"
	}
	more() { plan; }
	finally() {
		# Killed before it was asked, the server did not type.
		[ "$(grep -cx "during $1" "$there")" -le 1 ]
		! grep -qx "during $1" lobby.txt || times 1 "during $1"
	}
	kill_everywhere 1
}

# --- following ---------------------------------------------------------------------

follow() {
	"$BUILD/bin/chatfile" -f "$@" lobby.txt >out 2>&1 3>&- &
	follower=$!
	pids+=("$follower")
}

is_synced() {
	[ "$(stat -c %s lobby.txt 2>/dev/null)" = "$(stat -c %s "$there")" ] &&
		[ "$(records lobby.txt)" = "$(records "$there")" ]
}

here() {
	grep -qxF -- "$1" lobby.txt
}

up() {
	grep -qxF -- "$1" "$there"
}

@test "-f appends what comes and sends what is typed, until SIGTERM" {
	begun --keys --length --wait
	follow
	await grep -q wait=50 "$server/log"
	as_bob 'hello follower\n'
	await here 'hello follower'
	echo 'hello bob' >>lobby.txt
	await up 'hello bob'
	await is_synced
	as_bob 'again\n'
	await here again
	kill -TERM $follower
	wait $follower
	assert_equal "$(<out)" ""
}

@test "-f with a server that cannot wait asks every few seconds" {
	begun
	follow
	await grep -q . "$server/log"
	as_bob 'hello follower\n'
	await here 'hello follower'
	echo 'hello bob' >>lobby.txt
	await up 'hello bob'
	await is_synced
	# Not a flood of questions.
	[ "$(grep -c . "$server/log")" -lt 12 ]
}

@test "-f drops its lock while it waits: chatfile by hand works beside it" {
	begun --keys --wait
	follow
	await grep -q wait=50 "$server/log"
	exec 8>>lobby.txt
	printf 'by hand\n' >&8 # not closed: the follower leaves it a second
	run -0 chatfile lobby.txt
	up 'by hand'
	exec 8>&-
	await is_synced
	as_bob 'still there\n'
	await here 'still there'
	times 1 'by hand'
}

@test "-f sees an editor's new file" {
	begun --wait
	follow
	await grep -q wait=50 "$server/log"
	cp lobby.txt new
	echo edited >>new
	mv new lobby.txt
	await up edited
	await is_synced
	as_bob 'and on\n'
	await here 'and on'
}

@test "-f leaves bad text alone, says so once, and goes on fetching" {
	begun --wait
	follow
	await grep -q wait=50 "$server/log"
	printf '\\o/\n' >>lobby.txt
	await grep -q 'lobby.txt:3: a line may not begin' out
	as_bob 'news\n'
	await here news
	as_bob 'more news\n'
	await here 'more news'
	assert_equal "$(grep -c 'may not begin' out)" 1
	assert_unsent '\o/'
	sed -i 's/^\\o/\\\\o/' lobby.txt
	await up '\\o/'
	await is_synced
}

@test "-f -n sends nothing" {
	begun --wait
	echo mine >>lobby.txt
	follow -n
	await grep -q wait=50 "$server/log"
	as_bob 'news\n'
	await here news
	assert_unsent mine
	kill -INT $follower
	wait $follower
}

@test "-f survives a restart of the server" {
	begun --keys --wait
	follow
	await grep -q wait=50 "$server/log"
	kill $server_pid
	wait $server_pid || true
	await grep -q 'trying again' out
	echo 'typed meanwhile' >>lobby.txt
	port=$(<"$server/port")
	serve --keys --wait --port "$port"
	await up 'typed meanwhile'
	await is_synced
	as_bob 'hello again\n'
	await here 'hello again'
	assert_equal "$(grep -c 'trying again' out)" 1
}

@test "-f shows a line on a terminal" {
	begun --wait
	run -0 "$BATS_TEST_DIRNAME/terminal.py" 'up to date at|\x03' \
		"$BUILD/bin/chatfile" -f lobby.txt
	assert_output --regexp 'lobby\.txt: up to date at [0-9:]{8}, waiting'
}

@test "-f ends with 1 where the server refuses" {
	begun
	plan 401
	follow
	ended=0
	wait $follower || ended=$?
	assert_equal $ended 1
	assert_equal "$(<out)" "chatfile: wrong user or password, for user alice"
}
