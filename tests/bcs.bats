#!/usr/bin/env bats
# suite: filter
# The bcs door as its users test it: frames piped into the handler
# (specs/bcs.txt and every row of clarifications.md on it that one client can
# see by itself). Frames are made and shown by bcs_frames.py.
# Each test is a subshell of its own; backslashes are for printf.
# shellcheck disable=SC1003,SC2030,SC2031,SC2154
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	export PARLANCE_NOW=1795183387 # 2026-11-20T14:03:07Z
	export PARLANCE_MIN_FREE=0 PARLANCE_RATE=0
	unset PARLANCE_LOG_FD
	lobby=$STATE_DIRECTORY/rooms/lobby.txt
	in=$BATS_TEST_TMPDIR/in out=$BATS_TEST_TMPDIR/out
	log=$BATS_TEST_TMPDIR/log
	bcs=$BUILD/handlers/bcs
	pids=()
}

teardown() {
	end "${pids[@]}"
}

frames() { /usr/bin/python3 -I -S -B "$BATS_TEST_DIRNAME/bcs_frames.py" "$@"; }

# Runs the handler over $in.
run_in() {
	exit=0
	"$bcs" <"$in" >"$out" 2>"$log" || exit=$?
}

# talk FRAME...: as a client that registers as alice first.
talk() {
	frames make register:alice "$@" >"$in"
	run_in
}

say() { # say FRAME...: just these
	frames make "$@" >"$in"
	run_in
}

# answered LINE...: that is all it said, but for what all are told first.
answered() {
	printf '%s\n' status:0:welcome 'deliver:server:Nobody else is here' \
		"$@" >"$out.want"
	frames show <"$out" | diff "$out.want" -
}

said() { # said LINE...: that is all it said
	printf '%s\n' "$@" | diff - <(frames show <"$out")
}

holds() { # holds TEXT: the lobby's file is just that (\x escapes)
	printf '%b' "$1" | cmp - "$lobby"
}

# history TEXT: the lobby as others left it.
history() {
	mkdir -p "$STATE_DIRECTORY/rooms"
	printf '%b' "$1" >"$lobby"
}

ALICE='\\~alice @ 2026-11-20T14:03:07Z bcs'

# sam TEXT: says it with an account, through no door.
sam() {
	[ -e "$STATE_DIRECTORY/accounts/sam" ] ||
		echo password | "$BUILD/bin/parlance" user add sam
	"$BUILD/bin/parlance" room say -u sam lobby "$1"
}

# A second client that stays: speak FRAME..., hears N (frames until now).
open_other() {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$bcs" <"$BATS_TEST_TMPDIR/fifo" >"$BATS_TEST_TMPDIR/other" \
		2>"$BATS_TEST_TMPDIR/other.log" 3>&- &
	pids+=($!)
	exec {other}>"$BATS_TEST_TMPDIR/fifo"
	frames make "register:$1" >&"$other"
	until_other 'deliver:server:'
}

close_other() {
	exec {other}>&-
	wait "${pids[0]}"
	pids=()
}

until_other() { # until_other TEXT: it was told that
	local i
	for ((i = 0; i < 500; i++)); do
		! frames show <"$BATS_TEST_TMPDIR/other" | grep -qF -e "$1" ||
			return 0
		read -rt 0.02 <> <(:) || true
	done
	fail "the other one was not told: $1; but: $(frames show \
		<"$BATS_TEST_TMPDIR/other")"
}

# --- registering -------------------------------------------------------------

@test "a newcomer is told 0, then who else is here" {
	talk
	answered
	assert_equal "$exit" 0
}

@test "a name may be of any script, in NFC, of 30 characters" {
	local name
	for name in 'Zoë_9' 'Ωμέγα' '日本語' "$(printf 'é%.0s' {1..30})"; do
		say "register:$name"
		said status:0:welcome 'deliver:server:Nobody else is here'
		assert_equal "$exit" 0
	done
}

@test "a name that is none is refused with 2, and the connection ends" {
	local name
	for name in '' 'a b' 'a\n' '~alice' 'a\x00b' '\xff\xfe' 'e\xcc\x81' \
		'\xcc\x81e' "$(printf 'a%.0s' {1..31})" 'a\xe2\x80\x8bb' \
		"$(printf 'a%.0s' {1..65535})" \
		server Server guest anonymous; do
		say "register:$name" send:hi
		frames show -t <"$out" | diff - <(echo status:2)
		assert_equal "$exit" 0
	done
	[ ! -e "$lobby" ]
}

@test "an account's name is not a guest's, in no case" {
	echo password | "$BUILD/bin/parlance" user add Anna
	for name in Anna anna ANNA; do
		say "register:$name"
		said "status:2:this name is an account's"
	done
	echo password | "$BUILD/bin/parlance" user del Anna
	say register:anna
	said "status:2:this name is an account's"
}

@test "a name is one client's at a time, in no other case either" {
	open_other alice
	say register:alice
	said 'status:2:somebody here has this name'
	say register:ALICE
	said 'status:2:somebody here has this name'
	say register:bob
	said status:0:welcome 'deliver:server:Also here: alice'
	close_other
	say register:ALICE
	said status:0:welcome 'deliver:server:Nobody else is here'
}

@test "PARLANCE_GUESTS=no turns everyone away with 2; PARLANCE_REGISTER does not matter" {
	PARLANCE_GUESTS=no say register:alice
	frames show -t <"$out" | diff - <(echo status:2)
	assert_equal "$exit" 0
	PARLANCE_REGISTER=no talk
	answered
}

@test "whatever comes before a register is 1, and the connection ends" {
	local frame
	for frame in send:hi ok deliver:a:b sendfile:f:x fnotify:a:b getfile:f \
		recvfile:x hex:00 hex:09 hex:ff; do
		say "$frame" register:alice
		said 'status:1:please register first'
		assert_equal "$exit" 1
	done
}

@test "a second register is 1, and so is what only a server says" {
	local frame
	for frame in register:bob register:alice deliver:a:b fnotify:a:b \
		recvfile:x hex:00 hex:09 hex:ff; do
		talk send:one "$frame" send:two
		frames show -t <"$out" | tail -n +3 | diff - \
			<(printf '%s\n' status:0 status:1)
		assert_equal "$exit" 1
	done
}

# --- sending -----------------------------------------------------------------

@test "a message is in the lobby, with the name as a guest's and nothing more" {
	talk 'send:hello' 'send:a\nb\n' 'send:\\x\n\\\\y' 'send:tab\tend\r\n.'
	answered status:0:ok status:0:ok status:0:ok status:0:ok
	holds "hello\n$ALICE\na\nb\n\n$ALICE\n\\\\\\\\x\n\\\\\\\\\\\\y\n$ALICE\ntab\tend\r\n.\n$ALICE\n"
	assert_equal "$exit" 0
}

@test "an empty message, or one that is no text, is 3, and the connection stays" {
	talk send: 'send:\x07' 'send:\x00' 'send:a\xff' 'send:a\r' 'send:a\rb' \
		'send:\x7f' 'send:\xc2\x85' 'send:\xed\xa0\x80' send:fine
	frames show -t <"$out" | tail -n +3 | uniq -c | tr -s ' ' | diff - \
		<(printf ' %s\n' '9 status:3' '1 status:0')
	holds "fine\n$ALICE\n"
}

@test "a message of 65,535 bytes is stored whole, and one of backslashes" {
	head -c 65535 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/x"
	yes '\' | head -c 65535 >"$BATS_TEST_TMPDIR/y"
	talk "send:@$BATS_TEST_TMPDIR/x" "send:@$BATS_TEST_TMPDIR/y"
	answered status:0:ok status:0:ok
	{
		cat "$BATS_TEST_TMPDIR/x"
		printf '\n%b\n' "$ALICE"
		sed 's/\\/\\\\/' "$BATS_TEST_TMPDIR/y"
		printf '\n%b\n' "$ALICE"
	} | cmp - "$lobby"
}

@test "statuses come in the order of what was asked" {
	talk send:1 send: sendfile:f:x sendfile:f:x getfile:none send:2 getfile:f
	answered status:0:ok 'status:3:the message is empty' status:0:ok \
		'status:5:a file of this name is there already' \
		'status:6:there is no such file' status:0:ok recvfile:x
}

@test "a status that nobody waits for is ignored, of any code" {
	talk ok ok status:9:what send:x 'status:1:\xff' send:y
	answered status:0:ok status:0:ok
	assert_equal "$exit" 0
}

@test "frames may come a byte at a time" {
	frames make register:alice send:hello 'sendfile:f:some bytes' \
		getfile:f >"$in"
	/usr/bin/python3 -I -S -c 'import os, sys
for b in open(sys.argv[1], "rb").read(): os.write(1, bytes([b]))' "$in" |
		"$bcs" >"$out" 2>"$log"
	answered status:0:ok status:0:ok 'recvfile:some bytes'
}

@test "more is sent at once than a buffer holds, and all is answered" {
	local sends
	mapfile -t sends < <(seq -f 'send:%.0f' 300)
	head -c 60000 /dev/zero | tr '\0' z >"$BATS_TEST_TMPDIR/z"
	talk "${sends[@]}" "send:@$BATS_TEST_TMPDIR/z" "sendfile:z:@$BATS_TEST_TMPDIR/z" \
		"send:@$BATS_TEST_TMPDIR/z" "send:@$BATS_TEST_TMPDIR/z" send:last
	assert_equal "$(frames show <"$out" | grep -c '^status:0:ok$')" 305
	assert_equal "$(grep -c '^[0-9]' "$lobby")" 300
}

@test "with PARLANCE_RATE a burst of 100 goes at once, then so many a second" {
	local sends start=$EPOCHREALTIME took
	mapfile -t sends < <(seq -f 'send:%.0f' 110)
	PARLANCE_RATE=20 talk "${sends[@]}" getfile:none
	took=$((${EPOCHREALTIME/./} - ${start/./}))
	assert_equal "$(frames show <"$out" | grep -c '^status:0:ok$')" 110
	[ "$took" -ge 450000 ] || fail "only $took us"
}

# --- the end -----------------------------------------------------------------

@test "input that ends within a frame ends with 1, wherever that is" {
	local n size
	frames make register:alice send:hi getfile:f 'sendfile:f:abc' >"$in.all"
	size=$(stat -c %s "$in.all")
	for ((n = 0; n <= size; n++)); do
		head -c "$n" "$in.all" >"$in"
		run_in
		case $n in
		0 | 8 | 13 | 17 | "$size") assert_equal "$n $exit" "$n 0" ;;
		*) assert_equal "$n $exit" "$n 1" ;;
		esac
	done
	assert_equal "$(ls "$STATE_DIRECTORY/files")" f
}

@test "input that ends is a leave, though nothing was acknowledged" {
	history 'old\n\\~bob @ x bcs\n'
	talk send:hi
	answered status:0:ok
	assert_equal "$exit" 0
	say register:bob
	said status:0:welcome 'deliver:server:Nobody else is here'
}

@test "an output that is closed ends it" {
	mkfifo "$BATS_TEST_TMPDIR/never"
	frames make register:alice send:hi >"$in"
	{
		cat "$in"
		exec cat "$BATS_TEST_TMPDIR/never"
	} | "$bcs" 2>"$log" | head -c 1 >/dev/null &
	pids+=($!)
	exec {hold}<>"$BATS_TEST_TMPDIR/never"
	until grep -q event=end "$log" 2>/dev/null; do
		read -rt 0.02 <> <(:) || true
	done
	exec {hold}>&-
}

@test "SIGTERM while it waits: it leaves, and says goodbye by exit 0" {
	open_other bob
	kill "${pids[0]}"
	wait "${pids[0]}"
	pids=()
	exec {other}>&-
	grep -q 'event=end user=bob' "$BATS_TEST_TMPDIR/other.log"
}

# --- delivering --------------------------------------------------------------

@test "what was said before is not delivered; what another says is, once" {
	history 'before\n\\~carol @ 2026-11-20T14:00:00Z hchat\n'
	open_other bob
	frames make ok >&"$other"
	talk 'send:hello\nthere' 'send:\\o/'
	# No fanout: that she came is known when she speaks.
	until_other 'alice has connected'
	frames make ok >&"$other"
	until_other 'deliver:alice:hello\nthere'
	# One at a time: the next waits for the status.
	run ! grep -q 'o/' "$BATS_TEST_TMPDIR/other"
	frames make ok >&"$other"
	until_other 'deliver:alice:\\o/'
	close_other
	# Without fanout a short visit may go unnoticed, a message may not.
	frames show <"$BATS_TEST_TMPDIR/other" | grep -v ^deliver:server: |
		diff - <(printf '%s\n' status:0:welcome \
			'deliver:alice:hello\nthere' 'deliver:alice:\\o/')
}

@test "other doors' authors are shown as they stand in the room" {
	sam first
	open_other bob
	frames make ok >&"$other"
	sam 'from the shell'
	until_other 'deliver:sam:from the shell'
	printf '%s\n' hi '\~guest @ t hchat id=0' >>"$lobby"
	sam mark
	until_mark
	close_other
	grep -qF 'deliver:~guest:hi' <(frames show <"$BATS_TEST_TMPDIR/other")
}

@test "a record that is too long comes in pieces, whole" {
	sam first
	open_other bob
	/usr/bin/python3 -I -S - "$lobby" <<-'PY'
	import sys
	text = ("é" * 99 + "\n" + "\\\\back\n") * 2000
	open(sys.argv[1], "a").write(text + "\n\\~x @ t other\n")
	open(sys.argv[1] + ".want", "w").write(text.replace("\\\\", "\\"))
	PY
	sam mark
	for ((i = 0; i < 12; i++)); do frames make ok >&"$other"; done
	until_mark
	close_other
	/usr/bin/python3 -I -S -B - "$BATS_TEST_DIRNAME" "$BATS_TEST_TMPDIR/other" \
		"$lobby.want" <<-'PY'
	import sys
	sys.path.insert(0, sys.argv[1])
	import bcs_frames
	got = list(bcs_frames.frames(open(sys.argv[2], "rb").read()))
	pieces = [f for f in got if f[0] == "deliver" and f[1] == b"~x"]
	assert len(pieces) > 5, len(pieces)
	for p in pieces: p[2].decode()
	whole = b"".join(p[2] for p in pieces)
	assert whole == open(sys.argv[3], "rb").read(), len(whole)
	PY
}

# Acknowledges until the mark came.
until_mark() {
	local i
	for ((i = 0; i < 500; i++)); do
		! frames show <"$BATS_TEST_TMPDIR/other" | grep -q ':mark$' ||
			return 0
		frames make ok >&"$other"
		read -rt 0.02 <> <(:) || true
	done
	fail "no mark: $(frames show <"$BATS_TEST_TMPDIR/other" | cut -c -200)"
}

@test "what is no text, or has no author, is delivered all the same" {
	sam first
	open_other bob
	printf 'a\033b\377c\r\n\\\nempty author\n\\ @ t d\n\\~carol @ t bcs\nodd\n\\~b\001d @ t bcs\n' \
		>>"$lobby"
	sam mark
	until_mark
	close_other
	frames show <"$BATS_TEST_TMPDIR/other" | grep ^deliver | tail -n +2 |
		head -n 5 | diff - <(printf '%s\n' 'deliver::a�b�c�' \
		'deliver::empty author' 'deliver:server:carol has connected' \
		'deliver:carol:' 'deliver:b�d:odd')
}

# --- files -------------------------------------------------------------------

@test "an upload is there, the lobby says so, and it comes back" {
	talk 'sendfile:a b.bin:\x00\xff\n' 'getfile:a b.bin' sendfile:empty: \
		getfile:empty
	answered status:0:ok 'recvfile:\x00\xff\x0a' status:0:ok recvfile:
	printf '\0\377\n' | cmp - "$STATE_DIRECTORY/files/a b.bin"
	holds "alice has uploaded a b.bin\n$ALICE file=a%20b.bin\nalice has uploaded empty\n$ALICE file=empty\n"
}

@test "an upload is told to others as fnotify, not to who sent it" {
	open_other bob
	frames make ok >&"$other"
	talk 'sendfile:né w.txt:x' send:after
	said status:0:welcome 'deliver:server:Also here: bob' status:0:ok \
		status:0:ok
	until_other 'alice has connected'
	frames make ok >&"$other"
	until_other 'fnotify:alice:né w.txt'
	until_other 'deliver:alice:after'
	close_other
}

@test "a record that names a file by no file's name is delivered as text" {
	sam first
	open_other bob
	printf '%s\n' one '\~x @ t hchat file=..%2fetc' two \
		'\~x @ t hchat file=%zz' three '\~x @ t hchat file=ok' >>"$lobby"
	sam mark
	until_mark
	close_other
	frames show <"$BATS_TEST_TMPDIR/other" | tail -n 4 | head -n 3 |
		diff - <(printf '%s\n' deliver:~x:one deliver:~x:two fnotify:~x:ok)
}

@test "no name leads out of the folder: 5 for uploads, 6 for downloads" {
	local name long
	long=$(printf 'n%.0s' {1..256})
	mkdir -p "$STATE_DIRECTORY"
	echo secret >"$STATE_DIRECTORY/secret"
	for name in ../x ../secret /etc/passwd a/b . .. .hidden '' 'a\x00b' \
		'a\nb' '\xff' 'a\x7f' "$long"; do
		talk "sendfile:$name:contents" "getfile:$name" send:still
		frames show -t <"$out" | tail -n +3 | diff - \
			<(printf '%s\n' status:5 status:6 status:0)
	done
	assert_equal "$(ls -A "$STATE_DIRECTORY/files")" ''
	talk "sendfile:${long%n}:contents" "getfile:${long%n}"
	answered status:0:ok recvfile:contents
}

@test "a symbolic link is neither followed nor replaced" {
	talk
	ln -s ../rooms/lobby.txt "$STATE_DIRECTORY/files/link"
	talk getfile:link sendfile:link:x
	answered 'status:6:there is no such file' \
		'status:5:a file of this name is there already'
}

@test "a file above PARLANCE_FILE_MAX is 5, one of that size is taken" {
	head -c 100000 /dev/urandom >"$BATS_TEST_TMPDIR/f"
	PARLANCE_FILE_MAX=99999 talk "sendfile:f:@$BATS_TEST_TMPDIR/f" send:x
	answered 'status:5:the file is too large' status:0:ok
	PARLANCE_FILE_MAX=100000 talk "sendfile:f:@$BATS_TEST_TMPDIR/f" getfile:f
	frames show -t <"$out" | cut -c -8 | tail -n 2 | diff - \
		<(printf '%s\n' status:0 recvfile)
	tail -c 100000 "$out" | cmp - "$BATS_TEST_TMPDIR/f"
	cmp "$STATE_DIRECTORY/files/f" "$BATS_TEST_TMPDIR/f"
}

@test "below PARLANCE_MIN_FREE an upload is 4, and a message is not" {
	export PARLANCE_FILES PARLANCE_MIN_FREE=1024G
	PARLANCE_FILES=$(mktemp -d /dev/shm/parlance.XXXXXX) # never as large
	talk sendfile:f:x send:x
	rmdir "$PARLANCE_FILES"
	answered 'status:4:there is not enough space for the file' status:0:ok
}

@test "an upload of 4 GiB that is cut short leaves nothing" {
	talk hex:0500016bffffffff61
	answered
	assert_equal "$exit" 1
	talk hex:05000166000000026162 hex:0500016700000002
	assert_equal "$exit" 1
	assert_equal "$(ls -A "$STATE_DIRECTORY/files")" f
}

@test "PARLANCE_FILES is the folder; one that is not there is a fault of 100" {
	mkdir "$BATS_TEST_TMPDIR/up"
	PARLANCE_FILES=$BATS_TEST_TMPDIR/up talk sendfile:f:x getfile:f
	answered status:0:ok recvfile:x
	[ -f "$BATS_TEST_TMPDIR/up/f" ]
	PARLANCE_FILES=$BATS_TEST_TMPDIR/none talk
	assert_equal "$exit" 100
}

# --- when the machine fails --------------------------------------------------

@test "a room that is locked, or was closed by a failed sync, is 4" {
	talk send:one
	: >"$RUNTIME_DIRECTORY/failed/lobby"
	talk send:two sendfile:f:x
	answered 'status:4:the disk failed; the room is closed until it is repaired' \
		'status:4:the disk failed; the room is closed until it is repaired'
	holds "one\n$ALICE\n"
	# Nobody would ever hear of it.
	assert_equal "$(ls -A "$STATE_DIRECTORY/files")" ''
	rm "$RUNTIME_DIRECTORY/failed/lobby"
	flock "$lobby" "$BUILD/handlers/bcs" <"$in" >"$out" 2>"$log"
	answered 'status:4:the room is busy, try again' \
		'status:4:the room is busy, try again'
}

@test "a disk without a byte left is 4, and nothing half is stored" {
	talk send:one
	frames make register:alice send:two >"$in"
	# A limit on the size of files, as good as a full disk.
	(ulimit -f 0 && exec "$bcs" <"$in" 2>"$log") | cat >"$out"
	frames show -t <"$out" | tail -n 1 | diff - <(echo status:4)
	holds "one\n$ALICE\n"
}

# --- the rest ----------------------------------------------------------------

@test "PARLANCE_LOG_FD gets registrations, messages and disconnects only" {
	frames make register:a_b 'send:say "hi"\n' send: >"$in"
	REMOTE_ADDR=192.0.2.1 REMOTE_PORT=7 PARLANCE_LOG_FD=7 "$bcs" <"$in" \
		>"$out" 2>"$log" 7>"$BATS_TEST_TMPDIR/chat"
	sed -i 's/pid=[0-9]*/pid=N/' "$BATS_TEST_TMPDIR/chat"
	diff - "$BATS_TEST_TMPDIR/chat" <<-'EOS'
	time=2026-11-20T14:03:07Z event=register user=a_b peer=192.0.2.1:7 pid=N
	time=2026-11-20T14:03:07Z event=message user=a_b peer=192.0.2.1:7 text="say \"hi\"\n"
	time=2026-11-20T14:03:07Z event=disconnect user=a_b peer=192.0.2.1:7 pid=N
	EOS
	run ! grep -q 'hi' "$log"
	say register:server
	PARLANCE_LOG_FD=99 say register:bob
	assert_equal "$exit" 100
}

@test "no message's text is in the log" {
	talk send:confidential 'sendfile:f:confidential'
	run ! grep -q confidential "$log"
	grep -q 'event=send user=alice bytes=12' "$log"
}

@test "--help and --version" {
	run "$bcs" --help
	assert_success
	assert_output --partial 'usage: bcs'
	run "$bcs" --version
	assert_output --regexp '^bcs \(parlance\) [0-9.]+$'
	run "$bcs" -p 4000
	assert_failure 100
}

@test "it does not link SQLite" {
	run ldd "$bcs"
	refute_output --partial sqlite
}
