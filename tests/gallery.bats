#!/usr/bin/env bats
# suite: slow
# What gallery does for those who view event streams (design 6).
# tests/gallery.py has each scenario happen, in the handler's place.
load scenario

# What takes a minute of waiting goes on beside the others.
setup_file() { begin gallery silent; }

teardown_file() { end_begun; }

setup() { environment "$BATS_TEST_TMPDIR"; }

@test "a viewer gets the room's history and then each new message" {
	scenario gallery live
}

@test "hundreds of viewers of many rooms get what is theirs" {
	scenario gallery many
}

@test "long histories come fast" {
	scenario gallery history
}

@test "messages longer than the socket's buffer arrive whole" {
	scenario gallery long_records
}

@test "slow viewers get everything, each in its time" {
	scenario gallery slow_in_turn
}

@test "viewers that vanish are let go at once" {
	scenario gallery vanish
}

@test "what a viewer says is dropped, and so is one who says too much" {
	scenario gallery talkative
}

@test "one source has so many streams and no more" {
	scenario gallery sources
}

@test "malformed hand-overs are refused and cost nothing" {
	scenario gallery malformed
}

@test "the streams of a deleted room end" {
	scenario gallery deleted
}

@test "a room replaced by hand goes on" {
	scenario gallery replaced
}

@test "without an index the viewer waits until somebody builds it" {
	scenario gallery not_indexed
}

@test "a text that is redacted while it is sent is not sent on" {
	scenario gallery redacted
}

@test "when the kernel drops events every room is looked at" {
	scenario gallery overflow
}

@test "a second gallery stands by and takes over, stale socket or not" {
	scenario gallery stand_by
}

@test "streams beyond the limit end, and do not hang" {
	scenario gallery full
}

@test "without descriptors gallery goes on serving those it has" {
	scenario gallery no_descriptors
}

@test "messages that nobody views do not wake gallery" {
	scenario gallery idle
}

@test "no message is missing or doubled, however often gallery is killed" {
	scenario gallery restarts
}

@test "gallery ends when its folder is taken away, and starts anew" {
	scenario gallery taken_away
}

@test "RUNTIME_DIRECTORY may be longer than a socket's address" {
	scenario gallery long_path
}

@test "systemd hears of readiness, life and end, also while standing by" {
	scenario gallery notifies
}

@test "gallery takes its socket from systemd" {
	scenario gallery activated
}

@test "through the web door: history, live, killed, without gallery" {
	scenario gallery web
}

@test "through the web door no message is missing or doubled" {
	scenario gallery web_restarts
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
	begun_passes gallery silent
}
