#!/usr/bin/env bats
# suite: slow
# The machine fails under the text door: tests/toychat_faults.py has each
# scenario happen, with the clients of tests/toychat.py.
# shellcheck disable=SC2030,SC2031
bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

setup() {
	export HOME=$BATS_TEST_TMPDIR PARLANCE_MIN_FREE=0
	export STATE_DIRECTORY=$BATS_TEST_TMPDIR/state
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
	export PARLANCE_CONF=$BATS_TEST_TMPDIR/parlance.conf
	: >"$PARLANCE_CONF"
	mkdir -m 750 "$STATE_DIRECTORY"
	mounted=false
}

teardown() {
	! "$mounted" || umount "$STATE_DIRECTORY"
}

scenario() { # scenario NAME
	run timeout -k 5 100 python3 -B tests/toychat_faults.py "$1"
	assert_success
}

small_disk() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mount -t tmpfs -o size=4m,mode=750 tmpfs "$STATE_DIRECTORY" ||
		skip "needs mount"
	mounted=true
}

needs_strace() {
	strace -qq -o /dev/null true || skip "needs strace (ptrace)"
}

# --- no space ----------------------------------------------------------------

@test "a full disk refuses messages, keeps what it took, and later takes more" {
	small_disk
	scenario full_send
}

@test "a full disk refuses an account and leaves nothing of it" {
	small_disk
	scenario full_register
}

@test "a full disk refuses the first account of all, and later makes it" {
	small_disk
	scenario full_first_register
}

@test "a full disk refuses a file and leaves nothing of it, nor one that cannot be told of" {
	small_disk
	scenario full_upload
}

# --- syncs that fail ---------------------------------------------------------

@test "after a failed sync of the database nothing is lost and nothing refused appears" {
	needs_strace
	scenario sync_send
}

@test "a message that could not be taken for sure is there still" {
	needs_strace
	scenario sync_recv
}

@test "an account whose sync failed is not there, and can be made" {
	needs_strace
	scenario sync_register
}

@test "after a failed sync the lobby takes nothing until it is repaired, inboxes do" {
	needs_strace
	scenario sync_lobby
}

@test "a file whose sync failed is not there, and can be uploaded" {
	needs_strace
	scenario sync_upload
}

@test "a database of a newer version is refused, the log says why, nothing is changed" {
	scenario newer
}
