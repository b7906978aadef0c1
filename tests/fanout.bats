#!/usr/bin/env bats
# What fanout does for those who wait (design 6). tests/fanout.py has each
# scenario happen; a doorbell that is missed is looked for by tests/bin/doorbell.

bats_load_library bats-support
bats_load_library bats-assert

setup() {
	export STATE_DIRECTORY=$BATS_TEST_TMPDIR/state
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
	export HOME=$BATS_TEST_TMPDIR
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
}

scenario() {
	run timeout -k 5 $((60 * TEST_SCALE)) python3 -B tests/fanout.py "$1"
	assert_success
}

@test "everyone subscribed to a room is rung when a record is added" {
	scenario doorbells
}

@test "a rebuilt or removed index rings, a temporary one does not" {
	scenario rebuilt
}

@test "a malformed command is answered by an error and the end" {
	scenario malformed
}

@test "one who does not read gets a bit a room later and delays nobody" {
	scenario slow
}

@test "thousands of records ring a few times" {
	scenario coalesced
}

@test "when the kernel drops events everyone is rung and reads the roster" {
	scenario overflow
}

@test "a second fanout stands by and takes over, stale socket or not" {
	scenario stand_by
}

@test "subscribers beyond the limit wait for a place and cost no time" {
	scenario full
}

@test "without descriptors fanout goes on serving those it has" {
	scenario no_descriptors
}

@test "fanout ends when its folder is taken away, and starts anew" {
	scenario taken_away
}

@test "RUNTIME_DIRECTORY may be longer than a socket's address" {
	scenario long_path
}

@test "systemd hears of readiness, life and end, also while standing by" {
	scenario notifies
}

@test "fanout takes its socket from systemd" {
	scenario activated
}

@test "a socket of another kind is refused" {
	scenario wrong_socket
}

@test "who comes and goes is told with the lobby's count" {
	scenario comes_and_goes
}

@test "of 200 present those who are killed leave, and nobody else" {
	scenario killed
}

@test "after a restart fanout knows who is there and tells nothing false" {
	scenario restarted
}

@test "a name that changes hands leaves and comes" {
	scenario grabbed
}

@test "no claim of a free name fails while fanout cleans up" {
	scenario churn
}

@test "of several who want one name each gets it or is told so" {
	scenario churn_by_many
}

@test "no doorbell is missed, whoever is killed" {
	run timeout -k 5 $((100 * TEST_SCALE)) \
		"$BUILD/tests/bin/doorbell" "$BUILD/helpers/fanout" \
		$((2000 * TEST_SCALE))
	assert_success
	assert_output --partial missed=0
}

@test "fanout takes no arguments" {
	run "$BUILD/helpers/fanout" --nonsense
	assert_failure 100
	run "$BUILD/helpers/fanout" --help
	assert_success
	assert_output --partial parlance-fanout
}
