# shellcheck shell=bash
# shellcheck disable=SC2034,SC2094,SC2119,SC2120,SC2153,SC2154
# For tests of the hchat handler as a filter. Over chatfile.bash (its account
# username:password, run_in, field, the_answer_is, says):
#
#	setup_file() { chatfile_setup_file; }    setup() { hchat_setup; }
#	create 'subject=Tea'; send "$room" 'hello' "$GUEST"; get "/msg/$room/1"
load chatfile

# A guest's cookie, and what others see of it.
GUEST='Cookie: hchat=0123456789abcdef'
FORM='Content-Type: application/x-www-form-urlencoded'
NOBODY=ffffffffffffffffffffffffffffffff

hchat_setup() {
	chatfile_setup
	chatfile=$BUILD/handlers/hchat
	meta=$STATE_DIRECTORY/meta
	mkdir -p "$RUNTIME_DIRECTORY"
}

# One reply needs no Python to be taken apart.
run_in() {
	exit=0
	"$chatfile" <"${1:-$in}" >"$out" 2>"$log" || exit=$?
	local at
	at=$(LC_ALL=C grep -abo -m 1 $'^\r$' "$out" | cut -d: -f1)
	if [ "$(LC_ALL=C grep -ac 'HTTP/1\.1 [1-5]' "$out")" != 1 ]; then
		take_apart
		return
	fi
	LC_ALL=C sed $'/^\r$/q; s/\r$//' "$out" >"$head"
	tail -c "+$((at + 3))" "$out" >"$body"
	read -r _ code _ <"$head"
}

# ask METHOD TARGET [FIELD...] <BODY: as it stands, nobody logged in.
ask() {
	local line="$1 $2"
	shift 2
	{
		printf '%s HTTP/1.1\r\nHost: parlance.test\r\n' "$line"
		[ $# = 0 ] || printf '%s\r\n' "$@"
		printf '\r\n'
		cat
	} >"$in"
	run_in
}

get() {
	local target=$1
	shift
	ask GET "$target" "$@" </dev/null
}

# put TARGET TEXT [FIELD...]: a POST. TEXT may hold \x escapes.
put() {
	local target=$1 text=$BATS_TEST_TMPDIR/text
	printf '%b' "$2" >"$text"
	shift 2
	put_file "$target" "$text" "$@"
}

put_file() {
	local target=$1 text=$2
	shift 2
	ask POST "$target" "$@" "Content-Length: $(stat -c %s "$text")" <"$text"
}

send() { # send ROOM TEXT [FIELD...]
	local room=$1
	shift
	put "/send/$room" "$@"
}

create() { # create [QUERY]: sets $room
	get "/chat_create${1+?$1}"
	the_answer_is 302
	room=$(field location)
	room=${room#/chat/}
}

# The footer of the last record of a room.
footer() { tail -n 1 "$rooms/$1.txt"; }

body_is() { printf '%b' "$1" | cmp - "$body"; }

# Signs in with the account; $session is the field to send.
sign_in() {
	put /login 'name=username&password=password&room=lobby' "$FORM"
	the_answer_is 303
	session="Cookie: $(field set-cookie | cut -d';' -f1)"
}
