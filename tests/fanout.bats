#!/usr/bin/env bats
# What fanout does for those who wait (design 6). tests/fanout.py has each
# scenario happen; a doorbell that is missed is looked for by tests/bin/doorbell.
load scenario

@test "everyone subscribed to a room is rung when a record is added" {
	scenario fanout doorbells
}

@test "a rebuilt or removed index rings, a temporary one does not" {
	scenario fanout rebuilt
}

@test "a malformed command is answered by an error and the end" {
	scenario fanout malformed
}

@test "one who does not read gets a bit a room later and delays nobody" {
	scenario fanout slow
}

@test "thousands of records ring a few times" {
	scenario fanout coalesced
}

@test "when the kernel drops events everyone is rung and reads the roster" {
	scenario fanout overflow
}

@test "a second fanout stands by and takes over, stale socket or not" {
	scenario fanout stand_by
}

@test "subscribers beyond the limit wait for a place and cost no time" {
	scenario fanout full
}

@test "without descriptors fanout goes on serving those it has" {
	scenario fanout no_descriptors
}

@test "fanout ends when its folder is taken away, and starts anew" {
	scenario fanout taken_away
}

@test "RUNTIME_DIRECTORY may be longer than a socket's address" {
	scenario fanout long_path
}

@test "systemd hears of readiness, life and end, also while standing by" {
	scenario fanout notifies
}

@test "fanout takes its socket from systemd" {
	scenario fanout activated
}

@test "a socket of another kind is refused" {
	scenario fanout wrong_socket
}

@test "who comes and goes is told with the lobby's count" {
	scenario fanout comes_and_goes
}

@test "of 200 present those who are killed leave, and nobody else" {
	scenario fanout killed
}

@test "after a restart fanout knows who is there and tells nothing false" {
	scenario fanout restarted
}

@test "a name that changes hands leaves and comes" {
	scenario fanout grabbed
}

@test "no claim of a free name fails while fanout cleans up" {
	scenario fanout churn
}

@test "of several who want one name each gets it or is told so" {
	scenario fanout churn_by_many
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
