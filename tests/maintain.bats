#!/usr/bin/env bats
# parlance maintain: what a host needs once a day.
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	meta=$STATE_DIRECTORY/meta
}

parlance() { "$BUILD/bin/parlance" "$@"; }

make_room() { # make_room LETTER CREATED
	local id
	id=$(printf "%.0s$1" {1..32})
	mkdir -p "$meta"
	printf 'format=1\nsubject=Tea\nlisted=1\ncreated=%s\n' "$2" >"$meta/$id"
	echo "$id"
}

at() { # at TIME COMMAND...: as if it were then
	PARLANCE_NOW=$(date -ud "$1" +%s) "${@:2}"
}

@test "maintain on a new host says that all is well" {
	run -0 parlance maintain
	assert_line 'log-ins: 0 forgotten'
	assert_line 'rooms: 0 removed, in which nobody spoke'
	assert_line 'database: none yet'
}

@test "rooms that nobody spoke in go after 30 days, others stay" {
	local old young spoken
	old=$(make_room a 2026-01-01T00:00:00Z)
	young=$(make_room b 2026-01-20T00:00:00Z)
	spoken=$(make_room c 2026-01-01T00:00:00Z)
	echo secret | parlance user add alice
	parlance room say -u alice "$spoken" hello
	at 2026-02-01 run -0 parlance maintain
	assert_line 'rooms: 1 removed, in which nobody spoke'
	assert [ ! -e "$meta/$old" ]
	assert [ -e "$meta/$young" ]
	assert [ -e "$meta/$spoken" ]
	at 2026-02-01 run -0 parlance maintain
	assert_line 'rooms: 0 removed, in which nobody spoke'
}

@test "a room whose first message came while it went is back with the next run" {
	local room
	room=$(make_room a "$(date -ud '40 days ago' +%FT%TZ)")
	parlance maintain
	assert [ ! -e "$meta/$room" ]
	echo secret | parlance user add alice
	parlance room say -u alice "$room" 'just in time'
	# The timer spreads its days by an hour.
	at "23 hours" run -0 parlance maintain
	assert [ -e "$meta/$room" ]
}

@test "nothing is left of a room that went, two days later" {
	make_room a 2026-01-01T00:00:00Z
	at 2030-02-01 parlance maintain
	at 2030-02-02T00:00:01 parlance maintain
	assert_equal "$(ls -A "$meta")" ''
}

logins() { find "$RUNTIME_DIRECTORY/auth" -type f ! -name key | wc -l; }

@test "log-ins of long ago are forgotten, the database's log is emptied" {
	echo secret | parlance user add alice
	printf 'GET /rooms/ HTTP/1.0\r\nAuthorization: Basic %s\r\n\r\n' \
		"$(printf alice:secret | base64)" >"$BATS_TEST_TMPDIR/request"
	"$BUILD/handlers/chatfile" <"$BATS_TEST_TMPDIR/request" >/dev/null
	# One, and where the database's state could be noted, another (auth.h).
	remembered=$(logins)
	assert [ "$remembered" -ge 1 ]
	at '1 hour' run -0 parlance maintain
	assert_line "log-ins: $remembered forgotten"
	assert_equal "$(logins)" 0
	assert_line --partial 'database: whole, 1 account'
	run -0 sqlite3 "$STATE_DIRECTORY/db/parlance.db" \
		'PRAGMA wal_checkpoint(PASSIVE)'
	assert_output --regexp '^0\|[01]?\|' # nobody keeps it
}

@test "maintain fails where damage is, and has done the rest" {
	local old
	old=$(make_room a 2026-01-01T00:00:00Z)
	echo secret | parlance user add alice
	parlance room say -u alice lobby hello
	printf 'torn' >>"$STATE_DIRECTORY/rooms/lobby.txt"
	at 2026-02-01 run -1 parlance maintain
	assert [ ! -e "$meta/$old" ]
}
