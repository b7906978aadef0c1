#!/usr/bin/env bats
# suite: slow
# Files at the bcs door: tests/bcs_files.py has each scenario happen, with the
# clients of tests/bcs.py. What the disk may do besides is in files.bats.
bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

setup() {
	export STATE_DIRECTORY=$BATS_TEST_TMPDIR/state
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
	export HOME=$BATS_TEST_TMPDIR PARLANCE_CONF=$BATS_TEST_TMPDIR/parlance.conf
	: >"$PARLANCE_CONF"
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
	unset http_proxy https_proxy all_proxy
	export SMALL=$BATS_TEST_TMPDIR/small
}

teardown() {
	[ ! -d "${SMALL:-}" ] || umount "$SMALL"
}

scenario() {
	run timeout -k 5 120 python3 -B tests/bcs_files.py "$1"
	assert_success
}

@test "0 bytes, 1 byte and 64 MiB arrive and all others are told; a byte more is refused" {
	scenario sizes
}

@test "who announces 4 GiB and goes away leaves nothing and has reserved nothing" {
	scenario announced
}

@test "an upload that is cut short, or its handler killed, leaves nothing" {
	scenario cut_short
}

@test "a file is called what a file can be called, on all doors, and nothing else" {
	scenario names
}

@test "links and other things in the folder are neither followed nor replaced" {
	scenario planted
}

@test "of six who upload one name at once one wins, and the rest are told" {
	scenario one_name
}

@test "a file that is replaced by hand meanwhile still comes whole" {
	scenario replaced
}

@test "a file that is made shorter meanwhile ends the connection, not the host" {
	scenario truncated
}

@test "a disk that fills up in the middle is told, and has its space back" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir "$SMALL"
	mount -t tmpfs -o size=16m tmpfs "$SMALL" || {
		rmdir "$SMALL"
		skip "needs mount"
	}
	scenario full
}

@test "no upload goes below PARLANCE_MIN_FREE" {
	scenario min_free
}

@test "an upload that cannot be announced is taken back" {
	scenario unannounced
}

@test "files and words in one piece are answered in turn" {
	scenario pipelined
}
