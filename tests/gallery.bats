#!/usr/bin/env bats
# suite: slow
# What gallery does for those who view event streams (design 6).
# tests/gallery.py has each scenario happen, in the handler's place.

bats_load_library bats-support
bats_load_library bats-assert

surroundings() { # surroundings FOLDER
	export STATE_DIRECTORY=$1/state RUNTIME_DIRECTORY=$1/run HOME=$1
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
}

# What takes a minute of waiting goes on beside the others. timeout passes a
# signal on to all that runs below it.
setup_file() {
	surroundings "$BATS_FILE_TMPDIR"
	# shellcheck disable=SC2016 # for the inner shell
	timeout -k 5 150 bash -c 'python3 -B tests/gallery.py silent; echo $? >"$HOME/status"' \
		>"$HOME/silent" 2>&1 </dev/null 3>&- &
	echo $! >"$HOME/pid"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/pid")" 2>/dev/null || :
	wait
}

setup() { surroundings "$BATS_TEST_TMPDIR"; }

scenario() {
	run timeout -k 5 $((90 * TEST_SCALE)) python3 -B tests/gallery.py "$1"
	assert_success
}

@test "a viewer gets the room's history and then each new message" {
	scenario live
}

@test "hundreds of viewers of many rooms get what is theirs" {
	scenario many
}

@test "long histories come fast" {
	scenario history
}

@test "messages longer than the socket's buffer arrive whole" {
	scenario long_records
}

@test "slow viewers get everything, each in its time" {
	scenario slow_in_turn
}

@test "viewers that vanish are let go at once" {
	scenario vanish
}

@test "what a viewer says is dropped, and so is one who says too much" {
	scenario talkative
}

@test "one source has so many streams and no more" {
	scenario sources
}

@test "malformed hand-overs are refused and cost nothing" {
	scenario malformed
}

@test "the streams of a deleted room end" {
	scenario deleted
}

@test "a room replaced by hand goes on" {
	scenario replaced
}

@test "without an index the viewer waits until somebody builds it" {
	scenario not_indexed
}

@test "a text that is redacted while it is sent is not sent on" {
	scenario redacted
}

@test "when the kernel drops events every room is looked at" {
	scenario overflow
}

@test "a second gallery stands by and takes over, stale socket or not" {
	scenario stand_by
}

@test "streams beyond the limit end, and do not hang" {
	scenario full
}

@test "without descriptors gallery goes on serving those it has" {
	scenario no_descriptors
}

@test "messages that nobody views do not wake gallery" {
	scenario idle
}

@test "no message is missing or doubled, however often gallery is killed" {
	scenario restarts
}

@test "gallery ends when its folder is taken away, and starts anew" {
	scenario taken_away
}

@test "RUNTIME_DIRECTORY may be longer than a socket's address" {
	scenario long_path
}

@test "systemd hears of readiness, life and end, also while standing by" {
	scenario notifies
}

@test "gallery takes its socket from systemd" {
	scenario activated
}

@test "through the web door: history, live, killed, without gallery" {
	scenario web
}

@test "through the web door no message is missing or doubled" {
	scenario web_restarts
}

@test "gallery takes no arguments" {
	run "$BUILD/helpers/gallery" --nonsense
	assert_failure 100
	run "$BUILD/helpers/gallery" --help
	assert_success
	assert_output --partial parlance-gallery
	PARLANCE_CONNECTIONS_PER_SOURCE=x run "$BUILD/helpers/gallery"
	assert_failure 100
}

@test "a silent stream is pinged, a stuck one ends after 30 seconds" {
	local tick end=$((SECONDS + 160))
	exec {tick}<> <(:)
	until [ -s "$BATS_FILE_TMPDIR/status" ] || ((SECONDS > end)); do
		read -rt 0.1 -u "$tick" _ || :
	done
	cat "$BATS_FILE_TMPDIR/silent"
	assert_equal "$(cat "$BATS_FILE_TMPDIR/status")" 0
}
