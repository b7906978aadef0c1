#!/usr/bin/env bats
# suite: slow
# The chatfile door at sockets: slow, broken, impatient and patient clients
# (client.py), and curl through chatfiled.
# Variables of chatfile.bash.
# shellcheck disable=SC2016,SC2153,SC2154
load chatfile

setup_file() { chatfile_setup_file; }

setup() {
	chatfile_setup
	server=
}

teardown() {
	[ -z "$server" ] || kill "$server" || :
	[ -z "$server" ] || wait "$server" || :
}

data=$BATS_TEST_DIRNAME/data/chatfile

client() { # client TEST [FILE]: see there
	"$BATS_TEST_DIRNAME/client.py" "$1" "$chatfile" "${@:2}"
}

@test "clients that are silent, slow or deaf are dropped at their deadlines" {
	client patience
}

@test "a request cut at any byte is told so, and stores nothing" {
	client cut "$data/first.in"
}

@test "a request without a length cut in its head is told so" {
	client cut "$data/bare.in"
}

@test "requests that arrive byte by byte get the same answers" {
	client dribble "$data/pipelined.in"
}

@test "a connection carries one request after the other" {
	client keep
}

@test "an idle connection gives the database back, and goes on" {
	client idle
}

@test "Prefer: wait is answered when someone speaks, or when time is up" {
	client wait
}

@test "a room that is not there yet can be waited for" {
	client wait_new
}

@test "a client that hangs up is not waited for, and SIGTERM ends a wait" {
	client wait_hangup
}

@test "at a pipe a wait outlives the end of input, but not the reader" {
	client wait_pipe
}

@test "SIGTERM lets a request that has begun be finished" {
	client term
}

@test "a body without a length that stops coming is 408 and not stored" {
	client late_bare
}

@test "an empty message without a length is answered after a moment" {
	client bare_empty
}

@test "eight clients, some killed and retried, end with the room's records" {
	client invariant
}

# --- when the machine fails ---------------------------------------------------

@test "a full disk is 507, the room stays as it was, and there is a way on" {
	head -c 40000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/much"
	post_file lobby "$BATS_TEST_TMPDIR/much"
	cp "$rooms/lobby.txt" "$BATS_TEST_TMPDIR/before"
	# No file may grow beyond 64 KiB.
	(ulimit -f 64 && exec "$chatfile") <"$in" >"$out" 2>"$log"
	take_apart
	the_answer_is 507
	cmp "$rooms/lobby.txt" "$BATS_TEST_TMPDIR/before"
	run_in
	the_answer_is 206
	cat "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/before" |
		cmp - "$rooms/lobby.txt"
}

@test "a sync that fails is 500, and from then on the room is 503" {
	post lobby 'first\n'
	post lobby 'second\n'
	# LeakSanitizer does not work under ptrace.
	ASAN_OPTIONS=detect_leaks=0 PARLANCE_SANDBOX=off strace -o /dev/null -e trace=fdatasync \
		-e inject=fdatasync:error=EIO "$chatfile" <"$in" >"$out" 2>"$log"
	take_apart
	the_answer_is 500
	grep -q 'event=failure room=lobby' "$log"
	run_in
	the_answer_is 503
	get /rooms/lobby.txt
	the_answer_is 200
	printf '%b' "first\\n${NOTE}second\\n$NOTE" | cmp - "$body"
}

@test "a state that can only be read is read" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	post lobby 'first\n'
	unshare -m sh -c 'mount --bind "$1" "$1" &&
		mount -o remount,bind,ro "$1" && "$2" <"$3"' - \
		"$STATE_DIRECTORY" "$chatfile" "$in" >"$out" 2>"$log"
	take_apart
	the_answer_is 500
	get /rooms/lobby.txt
	unshare -m sh -c 'mount --bind "$1" "$1" &&
		mount -o remount,bind,ro "$1" && "$2" <"$3"' - \
		"$STATE_DIRECTORY" "$chatfile" "$in" >"$out" 2>"$log"
	take_apart
	the_answer_is 200
	printf '%b' "first\\n$NOTE" | cmp - "$body"
}

# --- curl -------------------------------------------------------------------

server_start() {
	"$BUILD/bin/chatfiled" -a 127.0.0.1 -p 0 2>"$log" &
	server=$!
	local end=$((SECONDS + 20))
	until url=$(sed -n 's/.*event=listening door=chatfile address=//p' "$log") &&
		[ -n "$url" ]; do
		((SECONDS < end)) || fail "$(cat "$log")"
		read -rt 0.02 _ <> <(:) || :
	done
	url=http://$url/rooms
}

fetch() { # fetch CURL-ARGUMENT...: $code, $head, $body
	code=$(curl -sS -u username:password -D "$head" -o "$body" \
		-w '%{http_code}' "$@")
}

@test "curl posts, reads, resumes and asks only for what is new" {
	server_start
	fetch --data-binary hello -H 'Range: bytes=0-' "$url/lobby.txt"
	assert_equal "$code" 206
	fetch "$url/lobby.txt"
	assert_equal "$code" 200
	cmp "$body" "$rooms/lobby.txt"
	head -c 10 "$body" >"$BATS_TEST_TMPDIR/part"
	curl -sS -u username:password -C - -o "$BATS_TEST_TMPDIR/part" \
		"$url/lobby.txt"
	cmp "$BATS_TEST_TMPDIR/part" "$rooms/lobby.txt"
	fetch --etag-save "$BATS_TEST_TMPDIR/tag" "$url/lobby.txt"
	fetch --etag-compare "$BATS_TEST_TMPDIR/tag" "$url/lobby.txt"
	assert_equal "$code" 304
	fetch "$url/"
	assert_equal "$(cat "$body")" lobby
	fetch "$url/lobby.txt" -o "$body" "$url/lobby.txt"
	assert_equal "$code" 200200
}

@test "curl uploads in chunks, waits for 100 Continue, and speaks HTTP/1.0" {
	server_start
	fetch -X POST -T - "$url/lobby.txt" <<<chunked
	assert_equal "$code" 206
	fetch --data-binary waited -H 'Expect: 100-continue' "$url/lobby.txt"
	assert_equal "$code" 206
	fetch -0 --data-binary old "$url/lobby.txt"
	assert_equal "$code" 206
	assert_equal "$(grep -cE '^(chunked|waited|old)$' "$rooms/lobby.txt")" 3
}

@test "who sends far too much reads the answer all the same" {
	server_start
	head -c 3000000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
	fetch -H 'Expect:' --data-binary "@$BATS_TEST_TMPDIR/long" \
		"$url/lobby.txt"
	assert_equal "$code" 413
	[ ! -e "$rooms/lobby.txt" ]
}

@test "a waiting client is woken at once through fanout" {
	server_start
	fetch --data-binary one "$url/lobby.txt"
	size=$(stat -c %s "$rooms/lobby.txt")
	curl -sS -u username:password -X POST -H "Range: bytes=$size-" \
		-H 'Prefer: wait=50' -H 'Content-Length: 0' -m 40 \
		-o "$BATS_TEST_TMPDIR/heard" "$url/lobby.txt" &
	waiting=$!
	fetch --data-binary two "$url/lobby.txt"
	wait "$waiting"
	grep -q '^two' "$BATS_TEST_TMPDIR/heard"
}

@test "a handler is confined before it reads its client's first byte" {
	export PARLANCE_SANDBOX=require
	"$chatfile" </dev/null >"$out" 2>&1 || skip "$(cat "$out")"
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$chatfile" <"$BATS_TEST_TMPDIR/fifo" >"$out" 2>"$log" &
	server=$!
	exec 8>"$BATS_TEST_TMPDIR/fifo"
	deadline=$((SECONDS + 10))
	until grep -q '^Seccomp:.2$' "/proc/$server/status"; do
		[ "$SECONDS" -lt "$deadline" ]
	done
	grep -q '^NoNewPrivs:.1$' "/proc/$server/status"
	printf 'GET /rooms/ HTTP/1.1\r\n%s\r\n\r\n' "$AUTH" >&8
	exec 8>&-
	wait "$server"
	server=
	grep -q '^HTTP/1.1 200' "$out"
}
