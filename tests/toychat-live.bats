#!/usr/bin/env bats
# suite: slow
# The text door at sockets, with many clients: tests/toychat_live.py,
# toychat_session.py and toychat_doors.py have each scenario happen, with the
# clients of tests/toychat.py.
# shellcheck disable=SC2030,SC2031
load scenario

# The deadlines, which no setting shortens, take a minute: beside all else.
setup_file() { begin toychat_session deadlines; }
teardown_file() { end_begun; }

# --- messages ----------------------------------------------------------------

@test "three users talk at once, and each inbox is what the spec says" {
	scenario toychat_live talk
}

@test "what was acknowledged comes once, though those who send are killed" {
	scenario toychat_live senders_killed
}

@test "who is killed while he receives loses one message, and none comes twice" {
	scenario toychat_live receivers_killed
}

@test "while a writer is stopped others read, and writers are told of it" {
	needs_strace
	scenario toychat_live writer_stopped
}

@test "a writer at the sqlite3 shell is waited for, but not for ever" {
	scenario toychat_live writer_in_the_shell
}

# --- connections -------------------------------------------------------------

@test "SIGTERM lets a command be finished, and no other begin" {
	scenario toychat_session terminated
}

@test "clients that vanish in the middle leave nothing behind" {
	scenario toychat_session gone
}

@test "an account that is shut or has a new password is logged out at once" {
	scenario toychat_session shut_out
}

@test "failed log-ins are delayed, by connection and by source, on every socket" {
	scenario toychat_session delayed
}

@test "a name that nobody has costs what a wrong password costs" {
	scenario toychat_session as_slow
}

# --- the other doors ---------------------------------------------------------

@test "accounts, words and files go from each door to each other one" {
	scenario toychat_doors one_conversation
}

@test "a name is one person's: no guest's is registered, no account's is a guest's" {
	scenario toychat_doors names
}

@test "a confined handler can do everything, from the first account on" {
	environment "$BATS_TEST_TMPDIR"
	PARLANCE_SANDBOX=require run "$BUILD/handlers/toychat" </dev/null
	[ "$status" = 0 ] || skip "$output"
	scenario toychat_doors confined
}

# --- deadlines ---------------------------------------------------------------

@test "who is silent, slow or takes nothing is let go in time, who is logged in stays" {
	begun_passes toychat_session deadlines
}
