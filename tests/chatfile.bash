# shellcheck shell=bash
# shellcheck disable=SC2094,SC2119,SC2120
# For tests of the chatfile handler as a filter: a state with one account,
# requests piped in, replies taken apart.
#
#	setup_file() { chatfile_setup_file; }    setup() { chatfile_setup; }
#	post lobby 'hello' 'Range: bytes=0-'
#	the_answer_is 206; cmp "$body" ...
#
# $out: all that the handler said. $code: the (last) reply's status. $head and
# $body: files with its two parts. $exit: the handler's status. $log: its log.
load environment

# username:password, with the newline that the spec's example has.
AUTH='Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQK'
chatfile=$BUILD/handlers/chatfile

chatfile_environment() {
	environment "$1"
	export PARLANCE_NOW=1795183387 # 2026-11-20T14:03:07Z
}

# Hashing takes time: once a file. A log-in, too, so that its pair is known.
chatfile_setup_file() {
	mkdir "$BATS_FILE_TMPDIR/made"
	chatfile_environment "$BATS_FILE_TMPDIR/made"
	echo password | "$BUILD/bin/parlance" user add username
	printf 'GET /rooms/ HTTP/1.1\r\n%s\r\n\r\n' "$AUTH" |
		"$chatfile" >"$BATS_FILE_TMPDIR/first" 2>&1
}

chatfile_setup() {
	cp -a "$BATS_FILE_TMPDIR/made/." "$BATS_TEST_TMPDIR"
	chatfile_environment "$BATS_TEST_TMPDIR"
	rooms=$STATE_DIRECTORY/rooms
	in=$BATS_TEST_TMPDIR/in out=$BATS_TEST_TMPDIR/out
	log=$BATS_TEST_TMPDIR/log
	head=$BATS_TEST_TMPDIR/head body=$BATS_TEST_TMPDIR/body
}

# Runs the handler over $in, or over what is given.
run_in() {
	exit=0
	"$chatfile" <"${1:-$in}" >"$out" 2>"$log" || exit=$?
	take_apart
}

# The last reply of $out: its head, without CRs, and its body.
take_apart() {
	python3 - "$out" "$head" "$body" <<-'EOF'
	import re, sys
	data, head, body = open(sys.argv[1], "rb").read(), b"", b""
	while data:
	    head, _, rest = data.partition(b"\r\n\r\n")
	    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
	    length = int(length.group(1)) if length else 0
	    body, data = rest[:length], rest[length:]
	open(sys.argv[2], "wb").write(head.replace(b"\r", b"") + b"\n")
	open(sys.argv[3], "wb").write(body)
	EOF
	code=$(sed -n '1s,HTTP/1.1 \([0-9]*\) .*,\1,p' "$head")
}

# request 'METHOD TARGET' [FIELD...] <BODY: as it stands, and logged in.
request() {
	local line=$1
	shift
	{
		printf '%s HTTP/1.1\r\n%s\r\n' "$line" "$AUTH"
		[ $# = 0 ] || printf '%s\r\n' "$@"
		printf '\r\n'
		cat
	} >"$in"
	run_in
}

# post ROOM TEXT [FIELD...]: with a Content-Length. TEXT may hold \x escapes.
post() {
	local room=$1 text=$BATS_TEST_TMPDIR/text
	printf '%b' "$2" >"$text"
	shift 2
	post_file "$room" "$text" "$@"
}

post_file() {
	local room=$1 text=$2
	shift 2
	request "POST /rooms/$room.txt" "$@" \
		"Content-Length: $(stat -c %s "$text")" <"$text"
}

get() { # get TARGET [FIELD...]
	local target=$1
	shift
	request "GET $target" "$@" </dev/null
}

field() { # field NAME: of the reply
	sed -n "s/^$1: //Ip" "$head"
}

the_answer_is() { # the_answer_is STATUS [EXIT]
	assert_equal "$code" "$1"
	assert_equal "$exit" "${2:-0}"
}

says() { # says TEXT: somewhere in the body
	grep -qF -e "$1" "$body" || fail "not said: $1; but: $(cat "$body")"
}

holds() { # holds ROOM TEXT: the room's file is just that (\x escapes)
	printf '%b' "$2" | cmp - "$rooms/$1.txt"
}

FOOTER='\\username @ 2026-11-20T14:03:07Z chatfile'
# shellcheck disable=SC2034
NOTE="$FOOTER\\n"
