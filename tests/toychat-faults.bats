#!/usr/bin/env bats
# suite: slow
# The machine fails under the text door: tests/toychat_faults.py has each
# scenario happen, with the clients of tests/toychat.py.
# shellcheck disable=SC2030,SC2031
load scenario

setup() {
	environment "$BATS_TEST_TMPDIR"
	export PARLANCE_MIN_FREE=0
}

teardown() {
	no_disk "$STATE_DIRECTORY"
}

on_small_disk() { # on_small_disk SCENARIO
	small_disk "$BATS_TEST_TMPDIR/$1/state" size=4m,mode=750
	scenario toychat_faults "$1"
}

# --- no space ----------------------------------------------------------------

@test "a full disk refuses messages, keeps what it took, and later takes more" {
	on_small_disk full_send
}

@test "a full disk refuses an account and leaves nothing of it" {
	on_small_disk full_register
}

@test "a full disk refuses the first account of all, and later makes it" {
	on_small_disk full_first_register
}

@test "a full disk refuses a file and leaves nothing of it, nor one that cannot be told of" {
	on_small_disk full_upload
}

# --- syncs that fail ---------------------------------------------------------

@test "after a failed sync of the database nothing is lost and nothing refused appears" {
	needs_strace
	scenario toychat_faults sync_send
}

@test "a message that could not be taken for sure is there still" {
	needs_strace
	scenario toychat_faults sync_recv
}

@test "an account whose sync failed is not there, and can be made" {
	needs_strace
	scenario toychat_faults sync_register
}

@test "after a failed sync the lobby takes nothing until it is repaired, inboxes do" {
	needs_strace
	scenario toychat_faults sync_lobby
}

@test "a file whose sync failed is not there, and can be uploaded" {
	needs_strace
	scenario toychat_faults sync_upload
}

@test "a database of a newer version is refused, the log says why, nothing is changed" {
	scenario toychat_faults newer
}
