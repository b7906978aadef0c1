#!/usr/bin/env bats
# suite: filter
# The chatfile door as its users test it: a request file piped into the
# handler (specs/chatfile.txt and every row of clarifications.md on it).
# Variables of chatfile.bash; backslashes as they are.
# shellcheck disable=SC2153,SC2154,SC1003
load chatfile

setup_file() { chatfile_setup_file; }
setup() { chatfile_setup; }

data=$BATS_TEST_DIRNAME/data/chatfile

# as_printed NAME: what tests/data says is answered, byte for byte.
as_printed() {
	run_in "$data/$1.in"
	cmp "$out" "$data/$1.exp"
}

# --- the spec ----------------------------------------------------------------

@test "the spec's own request, as printed, is answered 206 with what is new" {
	cp "$data/history.txt" "$rooms/roomname.txt"
	as_printed spec-request
	the_answer_is 206
	cat "$data/history.txt" - >"$BATS_TEST_TMPDIR/want" <<-EOF
	This is my message in the request's body! May be empty if there's no new message, but may be present regardless.
	$(printf '%b' "$FOOTER")
	EOF
	cmp "$BATS_TEST_TMPDIR/want" "$rooms/roomname.txt"
}

@test "the spec's own request without its message gets the rest of the room" {
	cp "$data/history.txt" "$rooms/roomname.txt"
	sed '/^This is/d' "$data/spec-request.in" >"$in"
	run_in
	the_answer_is 206
	tail -c +342 "$data/history.txt" | cmp - "$body"
	cmp "$data/history.txt" "$rooms/roomname.txt"
}

@test "a client's file is as long as the room after each exchange" {
	local mine=$BATS_TEST_TMPDIR/mine
	: >"$mine"
	for text in 'one\n' 'two' '\\\\three\n\n' '' 'four\n'; do
		since=$(stat -c %s "$mine")
		[ -z "$text" ] || post lobby 'of another\n'
		post lobby "$text" "Range: bytes=$since-"
		the_answer_is 206
		printf '%b' "$text" >>"$mine"
		cat "$body" >>"$mine"
		assert_equal "$(stat -c %s "$mine")" \
			"$(stat -c %s "$rooms/lobby.txt")"
	done
	diff <(sort "$mine") <(sort "$rooms/lobby.txt")
}

@test "a first message makes the room and gets its footer back" {
	as_printed first
	holds lobby "hello\\n$NOTE"
}

@test "a message without a final newline gets one, in the room and in the answer" {
	post lobby 'hi'
	the_answer_is 206
	printf '%b' "\\n$NOTE" | cmp - "$body"
	holds lobby "hi\\n$NOTE"
	assert_equal "$(field content-range)" "bytes 2-44/45"
}

@test "an answer holds footer, then what the client had not, not the own text" {
	post lobby 'first\n'
	post lobby 'second\n'
	post lobby 'third\n' 'Range: bytes=48-'
	the_answer_is 206
	printf '%b' "${NOTE}second\\n$NOTE" | cmp - "$body"
	assert_equal "$(field content-range)" "bytes 54-144/145"
}

@test "an empty message gets what is new and appends nothing" {
	post lobby 'first\n'
	post lobby '' 'Range: bytes=6-'
	the_answer_is 206
	printf '%b' "$NOTE" | cmp - "$body"
	assert_equal "$(field content-range)" "bytes 6-47/48"
	holds lobby "first\\n$NOTE"
}

@test "an empty message at the end of the room gets an empty 206" {
	post lobby 'first\n'
	post lobby '' 'Range: bytes=48-'
	the_answer_is 206
	[ ! -s "$body" ]
	assert_equal "$(field content-length)" 0
	assert_equal "$(field content-range)" ''
}

@test "an empty message to a room that is not there makes none" {
	post nowhere ''
	the_answer_is 206
	[ ! -s "$body" ]
	[ ! -e "$rooms/nowhere.txt" ]
}

@test "an offset past a room that is not there is 416 of 0 bytes" {
	post nowhere '' 'Range: bytes=1-'
	the_answer_is 416
	assert_equal "$(field content-range)" 'bytes */0'
	post nowhere 'text' 'Range: bytes=1-'
	the_answer_is 416
	[ ! -e "$rooms/nowhere.txt" ]
}

@test "an offset past the room's end is 416 and appends nothing" {
	post lobby 'first\n'
	post lobby 'second\n' 'Range: bytes=49-'
	the_answer_is 416
	assert_equal "$(field content-range)" 'bytes */48'
	says '49 bytes, the room has 48'
	holds lobby "first\\n$NOTE"
}

@test "the upper bound of a range is ignored, whatever it is" {
	post lobby 'first\n'
	for last in 0 7 99999999999999999999999999; do
		post lobby '' "Range: bytes=6-$last"
		the_answer_is 206
		printf '%b' "$NOTE" | cmp - "$body"
	done
}

@test "any other Range of a message is 400" {
	for range in bytes=-5 bytes=0-1,3-4 lines=3- bytes=x- bytes= 6- '' \
		bytes=9223372036854775808- 'bytes=0- ,' 'bytes=0-x'; do
		post lobby 'text' "Range: $range"
		the_answer_is 400
		says 'bytes=N-'
	done
	post lobby 'text' 'Range: bytes=0-' 'Range: bytes=0-'
	the_answer_is 400
	[ ! -e "$rooms/lobby.txt" ]
	post lobby '' 'Range: bytes=9223372036854775807-'
	the_answer_is 416
}

# --- bodies ------------------------------------------------------------------

@test "a body ends at end of input where nothing says how long it is" {
	request 'POST /rooms/lobby.txt' <<<'to the end'
	the_answer_is 206
	holds lobby "to the end\\n$NOTE"
	assert_equal "$(field connection)" close
}

@test "a chunked body is a message" {
	request 'POST /rooms/lobby.txt' 'Transfer-Encoding: chunked' < <(
		printf '3\r\nhel\r\n4;x=y\r\nlo\r\n\r\n0\r\nT: x\r\n\r\n'
	)
	the_answer_is 206
	holds lobby "hello\\r\\n$NOTE"
}

@test "a length and a coding, or two lengths, are 400 and the end" {
	request 'POST /rooms/lobby.txt' 'Content-Length: 5' \
		'Transfer-Encoding: chunked' <<<$'0\r\n\r'
	the_answer_is 400 1
	assert_equal "$(field connection)" close
	request 'POST /rooms/lobby.txt' 'Content-Length: 5' \
		'Content-Length: 6' <<<hello
	the_answer_is 400 1
	says 'two Content-Lengths'
	[ ! -e "$rooms/lobby.txt" ]
}

@test "65535 bytes are a message, one more is 413" {
	yes 'a line of text that is repeated' | head -c 65535 >"$BATS_TEST_TMPDIR/long"
	post_file lobby "$BATS_TEST_TMPDIR/long"
	the_answer_is 206
	assert_equal "$(stat -c %s "$rooms/lobby.txt")" $((65535 + 1 + 42))
	printf x >>"$BATS_TEST_TMPDIR/long"
	post_file lobby "$BATS_TEST_TMPDIR/long"
	the_answer_is 413
	request 'POST /rooms/lobby.txt' <"$BATS_TEST_TMPDIR/long"
	the_answer_is 413
	request 'POST /rooms/lobby.txt' 'Transfer-Encoding: chunked' < <(
		printf '10000\r\n'
		cat "$BATS_TEST_TMPDIR/long"
		printf '\r\n0\r\n\r\n'
	)
	the_answer_is 413
	assert_equal "$(stat -c %s "$rooms/lobby.txt")" $((65535 + 1 + 42))
}

# refused TEXT LINE REASON
refused() {
	post lobby "$1"
	the_answer_is 400
	says "line $2: "
	[ ! -e "$rooms/lobby.txt" ] || fail "stored: $1"
}

@test "a line that begins with one backslash is 400 and names the line" {
	refused '\\me @ now' 1
	refused 'hello\n\\me @ now\n' 2
	refused 'hello\n\n\\' 3
	refused '\\' 1
	refused 'a\n\\\n\\\\b' 2
}

@test "a line that begins with two backslashes, or has one inside, is stored" {
	post lobby '\\\\o/\na\\b\n\\\\'
	the_answer_is 206
	holds lobby "\\\\\\\\o/\\na\\\\b\\n\\\\\\\\\\n$NOTE"
}

@test "what is no text, or would move a terminal, is 400" {
	refused 'a\n\x00b' 2
	refused '\x1b[2J' 1
	refused 'a\xffb' 1
	refused 'ab\xc3' 1
	refused '\xed\xa0\x80' 1
	refused 'a\x7f' 1
	refused 'a\xc2\x9b31m' 1
	refused 'a\rb' 1
	refused 'one\r\ntwo\r' 2
	post lobby 'tab\tand \xe2\x82\xac, \xf0\x9f\x90\xb8\r\n'
	the_answer_is 206
}

# --- who ---------------------------------------------------------------------

# bare 'METHOD TARGET' [FIELD...]: not logged in.
bare() {
	AUTH="X-Nothing: x" request "$@" </dev/null
}

@test "without credentials everything is 401, with a challenge" {
	for what in 'GET /' 'POST /rooms/lobby.txt' 'GET /rooms/' 'PUT /x'; do
		bare "$what" 'Range: rubbish' 'Content-Length: 0'
		the_answer_is 401
		assert_equal "$(field www-authenticate)" \
			'Basic realm="parlance", charset="UTF-8"'
	done
	run ! grep -q event=login-failed "$log"
}

@test "a connection ends with the eighth 401 in a row" {
	for strangers in 7 7 9; do
		for ((i = 0; i < strangers; i++)); do
			printf 'GET /rooms/ HTTP/1.1\r\n\r\n'
		done
		printf 'GET /rooms/ HTTP/1.1\r\n%s\r\n\r\n' "$AUTH"
	done >"$in"
	run_in
	the_answer_is 401
	assert_equal "$(grep -c '^HTTP/1.1 200' "$out")" 2
	assert_equal "$(grep -c '^HTTP/1.1 401' "$out")" 22
	assert_equal "$(field connection)" close
}

@test "wrong credentials are 401 and logged without the password" {
	# username:wrong, nobody:password, and things that are no credentials.
	for auth in 'Basic dXNlcm5hbWU6d3Jvbmc=' 'Basic bm9ib2R5OnBhc3N3b3Jk' \
		'Basic dXNlcm5hbWU=' 'Basic !' 'Basic' 'Bearer x' ''; do
		bare 'POST /rooms/lobby.txt' 'Content-Length: 0' \
			"Authorization: $auth"
		the_answer_is 401
		grep -q 'event=login-failed' "$log"
		run ! grep -q wrong "$log"
	done
}

@test "a password may hold a colon, and the scheme be in any case" {
	echo 'a:b:c' | "$BUILD/bin/parlance" user add other
	bare 'GET /rooms/' "Authorization: basic $(printf 'other:a:b:c' | base64)"
	the_answer_is 200
	bare 'GET /rooms/' "Authorization: Basic $(printf 'other:a:b:c\r\n' | base64)"
	the_answer_is 200
}

@test "a disabled account's password is wrong at once, remembered or not" {
	"$BUILD/bin/parlance" user disable username
	get /rooms/
	the_answer_is 401
}

# Log-ins until one needs no database any more: some seconds after a change.
be_seen() {
	local end=$((SECONDS + 20)) auth=$RUNTIME_DIRECTORY/auth
	find "$auth" -type f ! -name key -delete
	until [ "$(find "$auth" -type f ! -name key | wc -l)" = 2 ]; do
		[ "$SECONDS" -lt "$end" ]
		get /rooms/
		the_answer_is 200
	done
	get /rooms/
	the_answer_is 200
}

@test "who just logged in without the database is out at once all the same" {
	be_seen
	"$BUILD/bin/parlance" user disable username
	get /rooms/
	the_answer_is 401
	"$BUILD/bin/parlance" user enable username
	be_seen
	python3 - "$STATE_DIRECTORY/db/parlance.db" <<-'EOF'
	import sqlite3, sys
	with sqlite3.connect(sys.argv[1]) as db:
	    db.execute("UPDATE users SET disabled = 1")
	db.close()
	EOF
	get /rooms/
	the_answer_is 401
	"$BUILD/bin/parlance" user enable username
	be_seen
	echo another | "$BUILD/bin/parlance" user passwd username
	get /rooms/
	the_answer_is 401
}

@test "behind a trusted proxy the log names the client, else nobody is believed" {
	export REMOTE_ADDR=192.0.2.7 REMOTE_PORT=5
	get /rooms/ 'X-Forwarded-For: 203.0.113.9'
	grep -q 'peer=192.0.2.7:5 event=list' "$log"
	export PARLANCE_TRUSTED_PROXIES=192.0.2.0/24
	get /rooms/ 'X-Forwarded-For: 198.51.100.1, 203.0.113.9'
	grep -q 'peer=203.0.113.9 event=list' "$log"
	get /rooms/
	grep -q 'peer=192.0.2.7:5 event=list' "$log"
	export PARLANCE_TRUSTED_PROXIES=192.0.2.0/33
	get /rooms/
	assert_equal "$exit" 100
}

# --- where -------------------------------------------------------------------

@test "what is no room's path is 404" {
	for path in / /rooms /rooms/. /rooms/.. /rooms/../db/parlance.db \
		/rooms/../rooms/lobby.txt /rooms/lobby /rooms/lobby.txt/ \
		/rooms//lobby.txt //rooms/lobby.txt /rooms/.txt /rooms/a.b.txt \
		/rooms/lobby.TXT /rooms/lobby%2etxt /rooms/lobby%00.txt \
		/rooms/..%2fdb.txt /rooms/%6cobby.txt /rooms/lob%.txt \
		"/rooms/$(printf 'a%.0s' {1..65}).txt" \
		/rooms/lobby.txt%3f /Rooms/lobby.txt '/rooms/lobby.txt#x/'; do
		request "POST $path" 'Content-Length: 2' <<<h
		the_answer_is 404
	done
	[ -z "$(ls -A "$rooms")" ]
}

@test "what no URL may hold, NUL for one, is 400" {
	for path in 'a\0.txt' 'a\x1b.txt' '\xc3\xa9.txt'; do
		{
			printf '%b' "POST /rooms/$path HTTP/1.1\r\n"
			printf '%s\r\n\r\n' "$AUTH"
		} >"$in"
		run_in
		the_answer_is 400 1
	done
	says 'what may stand in a URL'
}

@test "a query is ignored, absolute form and no Host are served" {
	request 'POST /rooms/lobby.txt?a=%2f/../x&b' 'Content-Length: 1' <<<x
	the_answer_is 206
	get http://example.org:80/rooms/lobby.txt 'Host: other'
	the_answer_is 200
	get 'HTTPS://user@[::1]/rooms/lobby.txt?x'
	the_answer_is 200
}

@test "a room's name may have 64 characters" {
	post "$(printf 'aZ0-_%.0s' {1..12})1234" x
	the_answer_is 206
}

@test "other methods are 405 and told what is allowed" {
	for method in PUT DELETE PATCH OPTIONS TRACE; do
		request "$method /rooms/lobby.txt" </dev/null
		the_answer_is 405
		assert_equal "$(field allow)" 'GET, HEAD, POST'
	done
	request 'POST /rooms/' 'Content-Length: 0' </dev/null
	the_answer_is 405
	assert_equal "$(field allow)" 'GET, HEAD'
	request 'BREW /rooms/lobby.txt' </dev/null
	the_answer_is 501 1
}

@test "checks come in this order: credentials, path, method, range, message" {
	bare 'PUT /nowhere' 'Range: x' 'Content-Length: 1'
	the_answer_is 401 1
	request 'PUT /nowhere' 'Range: x' 'Content-Length: 2' <<<'\'
	the_answer_is 404
	request 'PUT /rooms/a.txt' 'Range: x' 'Content-Length: 2' <<<'\'
	the_answer_is 405
	post a '\\' 'Range: x'
	the_answer_is 400
	says Range
	post a '\\' 'Range: bytes=1-'
	the_answer_is 416
	post a '\\' 'Range: bytes=0-' 'Idempotency-Key: !'
	the_answer_is 400
	says Idempotency-Key
	post a '\\' 'Range: bytes=0-'
	the_answer_is 400
	says 'line 1'
	[ ! -e "$rooms/a.txt" ]
}

# --- retries -----------------------------------------------------------------

@test "a message sent again with its key is not posted twice" {
	post lobby 'first\n'
	post lobby 'mine' 'Range: bytes=48-' 'Idempotency-Key: k-1_Z'
	the_answer_is 206
	cp "$body" "$BATS_TEST_TMPDIR/once"
	printf '%b' "\\n$FOOTER key=k-1_Z\\n" | cmp - "$body"
	post lobby 'mine' 'Range: bytes=48-' 'Idempotency-Key: k-1_Z'
	the_answer_is 206
	cmp "$BATS_TEST_TMPDIR/once" "$body"
	grep -q 'repeated=yes' "$log"
	holds lobby "first\\n${NOTE}mine\\n$FOOTER key=k-1_Z\\n"
}

@test "a repeated message gets what others said, before and after it" {
	local mine=$BATS_TEST_TMPDIR/mine
	post lobby 'before\n'
	post lobby 'mine\n' 'Idempotency-Key: k'
	post lobby 'after\n'
	post lobby 'mine\n' 'Range: bytes=0-' 'Idempotency-Key: k'
	the_answer_is 206
	printf '%b' "$FOOTER key=k\\nbefore\\n${NOTE}after\\n$NOTE" |
		cmp - "$body"
	size=$(stat -c %s "$rooms/lobby.txt")
	assert_equal "$(field content-range)" "bytes 5-$((size - 1))/$size"
	{ printf 'mine\n'; cat "$body"; } >"$mine"
	assert_equal "$(stat -c %s "$mine")" "$size"
}

@test "another text with a key that is taken is 409" {
	post lobby 'mine\n' 'Idempotency-Key: k'
	post lobby 'other\n' 'Idempotency-Key: k'
	the_answer_is 409
	holds lobby "mine\\n$FOOTER key=k\\n"
	# With the newline that had been added it is the same.
	post lobby 'mine' 'Idempotency-Key: k'
	the_answer_is 206
}

@test "a key counts from the client's offset on, and for its user alone" {
	post lobby 'mine\n' 'Idempotency-Key: k'
	size=$(stat -c %s "$rooms/lobby.txt")
	post lobby 'mine\n' "Range: bytes=$size-" 'Idempotency-Key: k'
	the_answer_is 206
	assert_equal "$(stat -c %s "$rooms/lobby.txt")" $((2 * size))
	echo password | "$BUILD/bin/parlance" user add other
	AUTH="Authorization: Basic $(printf other:password | base64)" \
		post lobby 'mine\n' 'Idempotency-Key: k'
	the_answer_is 206
	assert_equal "$(grep -c mine "$rooms/lobby.txt")" 3
}

@test "a malformed or repeated key is 400, before the body, even for none" {
	for key in '' 'a b' 'a,b' 'é' "$(printf 'a%.0s' {1..65})"; do
		post lobby 'text' "Idempotency-Key: $key"
		the_answer_is 400
		post lobby '' "Idempotency-Key: $key"
		the_answer_is 400
	done
	post lobby 'text' 'Idempotency-Key: a' 'Idempotency-Key: a'
	the_answer_is 400
	[ ! -e "$rooms/lobby.txt" ]
	post lobby '' 'Idempotency-Key: a'
	the_answer_is 206
	post lobby 'text' "Idempotency-Key: $(printf 'a%.0s' {1..64})"
	the_answer_is 206
}

# --- rooms as files ----------------------------------------------------------

@test "a room is a file: whole, in part, and by its tag" {
	cp "$data/history.txt" "$rooms/lobby.txt"
	touch -d '2026-11-01T00:00:00Z' "$rooms/lobby.txt"
	get /rooms/lobby.txt
	the_answer_is 200
	cmp "$body" "$data/history.txt"
	assert_equal "$(field last-modified)" 'Sun, 01 Nov 2026 00:00:00 GMT'
	assert_equal "$(field content-type)" 'text/plain; charset=utf-8'
	tag=$(field etag)
	get /rooms/lobby.txt "If-None-Match: $tag"
	the_answer_is 304
	get /rooms/lobby.txt 'If-Modified-Since: Sun, 01 Nov 2026 00:00:00 GMT'
	the_answer_is 304
	get /rooms/lobby.txt 'Range: bytes=341-' "If-Range: $tag"
	the_answer_is 206
	tail -c +342 "$data/history.txt" | cmp - "$body"
	get /rooms/lobby.txt 'Range: bytes=-10'
	the_answer_is 206
	tail -c 10 "$data/history.txt" | cmp - "$body"
	post lobby 'more'
	get /rooms/lobby.txt "If-None-Match: $tag"
	the_answer_is 200
}

@test "a room's tag changes when a message is redacted" {
	post lobby 'secret\n'
	get /rooms/lobby.txt
	tag=$(field etag)
	"$BUILD/bin/parlance" room redact lobby 1
	get /rooms/lobby.txt "If-None-Match: $tag"
	the_answer_is 200
	printf '%b' "xxxxxx\\n$NOTE" | cmp - "$body"
}

@test "GET at or past the end is 416, of a room that is not there 404" {
	post lobby 'first\n'
	for range in bytes=48- bytes=99-; do
		get /rooms/lobby.txt "Range: $range"
		the_answer_is 416
		assert_equal "$(field content-range)" 'bytes */48'
	done
	get /rooms/lobby.txt 'Range: bytes=0-1' 'Range: bytes=0-1'
	the_answer_is 400
	get /rooms/nowhere.txt
	the_answer_is 404
}

@test "HEAD is GET without the body, and its Range is ignored" {
	post lobby 'first\n'
	printf 'HEAD /rooms/lobby.txt HTTP/1.1\r\nRange: bytes=9-\r\n%s\r\n\r\n' \
		"$AUTH" >"$in"
	run_in
	the_answer_is 200
	assert_equal "$(field content-length)" 48
	assert_equal "$(tail -c 4 "$out" | od -An -tx1 | tr -d " \n")" 0d0a0d0a
}

@test "the list of rooms is sorted and leaves out unlisted hchat rooms" {
	local a=0123456789abcdef0123456789abcdef b=1123456789abcdef0123456789abcdef
	local c=2123456789abcdef0123456789abcdef
	get /rooms/
	the_answer_is 200
	[ ! -s "$body" ]
	for room in lobby Zoo a-b a_b $a $b $c; do post "$room" x; done
	printf 'format=1\nsubject=x\nlisted=1\n' >"$STATE_DIRECTORY/meta/$a"
	printf 'format=1\nsubject=x\nlisted=0\n' >"$STATE_DIRECTORY/meta/$b"
	get /rooms/
	the_answer_is 200
	printf '%s\n' $a Zoo a-b a_b lobby | cmp - "$body"
	# Knowing an unlisted name is enough.
	get "/rooms/$b.txt"
	the_answer_is 200
}

# --- HTTP --------------------------------------------------------------------

@test "requests one behind the other are answered in order" {
	as_printed pipelined
}

@test "Connection: close and HTTP/1.0 end after the answer" {
	{
		printf 'GET /rooms/ HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n' \
			"$AUTH"
		printf 'GET /rooms/ HTTP/1.1\r\n%s\r\n\r\n' "$AUTH"
	} >"$in"
	run_in
	the_answer_is 200
	assert_equal "$(grep -c ^HTTP "$out")" 1
	sed -i 's,HTTP/1.1,HTTP/1.0,; /Connection/d' "$in"
	run_in
	assert_equal "$(grep -c ^HTTP "$out")" 1
}

@test "an expected body is asked for only if the head is fine" {
	post lobby 'hello' 'Expect: 100-continue'
	the_answer_is 206
	post lobby 'hello' 'Expect: a miracle'
	the_answer_is 417
	printf 'POST /rooms/a.txt HTTP/1.1\r\n%s\r\n%s\r\n%s\r\n\r\n' "$AUTH" \
		'Expect: 100-continue' 'Content-Length: 3' >"$in"
	run_in
	assert_equal "$(head -n 1 "$out")" $'HTTP/1.1 100 Continue\r'
	sed -i 's/^POST.*\r/POST \/rooms\/a.txt HTTP\/1.1\r\nRange: x\r/' "$in"
	run_in
	assert_equal "$(head -n 1 "$out")" $'HTTP/1.1 400 Bad Request\r'
}

@test "a head of 64 KiB is 431" {
	get /rooms/ "X: $(printf 'a%.0s' {1..65536})"
	the_answer_is 431 1
	get /rooms/ "X: $(printf 'a%.0s' {1..16000})"
	the_answer_is 200
	readarray -t fields < <(seq 70 | sed 's/.*/X-&: y/')
	get /rooms/ "${fields[@]}"
	the_answer_is 431 1
}

@test "what is no HTTP is told so" {
	for text in 'hello\n' '\x16\x03\x01\x02' 'GET /rooms/\r\n\r\n' \
		'GET /rooms/ HTTP/1.1\nHost: x\n\n' \
		'GET /rooms/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n' \
		'GET /rooms/ HTTP/1.1\r\nA : b\r\n\r\n' \
		'POST /rooms/a.txt HTTP/1.1\r\nContent-Length: -1\r\n\r\n'; do
		printf '%b' "$text" >"$in"
		run_in
		the_answer_is 400 1
		[ -s "$body" ]
	done
	printf 'GET / HTTP/2.0\r\n\r\n' >"$in"
	run_in
	the_answer_is 505 1
}

@test "no request at all is no fault" {
	: >"$in"
	run_in
	assert_equal "$exit" 0
	[ ! -s "$out" ]
}

@test "a request cut short is 400 and exit 1, and stores nothing" {
	post lobby 'hello'
	truncate -s -1 "$in"
	run_in
	the_answer_is 400 1
	says 'cut short'
	holds lobby "hello\\n$NOTE"
}

@test "each request is one line of the log, with nothing secret in it" {
	post lobby 'private words' 'Idempotency-Key: k'
	assert_equal "$(cat "$log")" \
		'door=chatfile event=post user=username room=lobby status=206 message=13 bytes=49'
	bare 'GET /rooms/'
	assert_equal "$(cat "$log")" \
		'door=chatfile event=request status=401 bytes=14'
}

@test "help and version are told, other arguments refused" {
	run "$chatfile" --help
	assert_success
	run "$chatfile" --version
	assert_success
	run "$chatfile" -x
	assert_failure 100
}

# --- when the machine fails --------------------------------------------------

@test "a link, a folder or a FIFO with a room's name is none, and left alone" {
	mkdir -p "$rooms/folder.txt"
	mkfifo "$rooms/fifo.txt"
	echo secret >"$BATS_TEST_TMPDIR/secret"
	ln -s "$BATS_TEST_TMPDIR/secret" "$rooms/link.txt"
	ln -s "$BATS_TEST_TMPDIR/made" "$rooms/dangling.txt"
	for name in folder fifo link dangling; do
		request "GET /rooms/$name.txt"
		the_answer_is 500
		run ! grep -q secret "$out"
		post "$name" 'hello'
		the_answer_is 500
	done
	assert_equal "$(<"$BATS_TEST_TMPDIR/secret")" secret
	[ ! -e "$BATS_TEST_TMPDIR/made" ]
	request 'GET /rooms/'
	the_answer_is 200
	assert_equal "$(<"$body")" ''
}

@test "a room whose disk failed is 503 for messages, and can be read" {
	post lobby 'first\n'
	touch "$RUNTIME_DIRECTORY/failed/lobby"
	post lobby 'second\n' 'Range: bytes=48-'
	the_answer_is 503
	holds lobby "first\\n$NOTE"
	post lobby '' 'Range: bytes=6-'
	the_answer_is 206
	get /rooms/lobby.txt
	the_answer_is 200
}

@test "a room that someone has locked is 503 after 5 seconds" {
	post lobby 'first\n'
	flock "$rooms/lobby.txt" "$chatfile" <"$in" >"$out" 2>"$log"
	take_apart
	the_answer_is 503
	[ -n "$(field retry-after)" ]
}

@test "a torn tail goes to lost/ and is logged as an error" {
	post lobby 'first\n'
	printf 'torn' >>"$rooms/lobby.txt"
	post lobby 'second\n'
	the_answer_is 206
	grep -q 'event=repair room=lobby lost=lobby.20261120T140307Z bytes=4' "$log"
	assert_equal "$(cat "$STATE_DIRECTORY/lost/lobby.20261120T140307Z")" torn
}
