#!/usr/bin/env bats
# suite: slow
# The bcs door at sockets, with many clients: tests/bcs_live.py and
# tests/bcs_doors.py have each scenario happen, with the clients of tests/bcs.py.

bats_load_library bats-support
bats_load_library bats-assert

environment() {
	export STATE_DIRECTORY=$1/state RUNTIME_DIRECTORY=$1/run HOME=$1
	export PARLANCE_CONF=$1/parlance.conf
	mkdir -p "$1"
	: >"$PARLANCE_CONF"
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
	unset http_proxy https_proxy all_proxy
}

# The deadlines that no setting shortens take 40 s: beside all else.
setup_file() {
	export stuck=$BATS_FILE_TMPDIR/stuck
	environment "$stuck"
	timeout -k 5 120 bash -c \
		'python3 -B tests/bcs_live.py stuck && echo passed' \
		>"$stuck/out" 2>&1 3>&- &
	export stuck_pid=$!
}

teardown_file() {
	kill "$stuck_pid" 2>/dev/null || :
	wait "$stuck_pid" || :
}

scenario() { # scenario NAME [FILE]: in a state of its own
	environment "$BATS_TEST_TMPDIR/$1"
	run timeout -k 5 $((100 * TEST_SCALE)) python3 -B \
		"tests/${2:-bcs_live}.py" "$1"
	assert_success
}

# --- who is there ----------------------------------------------------------------

@test "a name is one client's, whatever its case, and free again after it" {
	scenario unique
}

@test "comings and goings are announced to exactly the others" {
	scenario announced
}

@test "a newcomer is told all names, in as many delivers as it takes" {
	scenario roster
	scenario long_roster
}

@test "namesakes in turn are told apart" {
	scenario namesakes
}

# --- what is said ----------------------------------------------------------------

@test "a message reaches all others, byte for byte, in one order" {
	scenario delivered
}

@test "the server waits for the status, and serves who owes it one" {
	scenario one_at_a_time
}

@test "50 who all talk hear exactly the others, in the lobby's order" {
	scenario crowd
}

@test "frames may come byte by byte or by the hundred" {
	scenario byte_by_byte
}

@test "what was asked before the end of input is answered" {
	scenario half_closed
}

@test "SIGTERM loses no message and leaves none unanswered" {
	scenario told_to_end
}

# --- what dies -------------------------------------------------------------------

@test "a leave stands after the leaver's last message" {
	scenario leaves_last_close
	scenario leaves_last_hang_up
}

@test "a leave stands after the last message of a killed handler" {
	scenario leaves_last_killed
}

@test "a leave stands after the last message when fanout is killed, too" {
	scenario leaves_last_fanout
	scenario leaves_last_both
}

@test "after fanout's restart nothing false is announced" {
	scenario fanout_restarts
}

@test "a name that changes hands without fanout stays somebody's" {
	scenario grabbed
}

@test "without fanout the conversation goes on" {
	scenario no_fanout
}

@test "handlers work by hand, without server and helpers" {
	scenario handlers_by_hand
}

# --- who keeps others waiting ----------------------------------------------------

@test "who acknowledges not or too late is closed, who is just in time stays" {
	scenario unacknowledging
}

@test "the time for a status counts from the last byte that was taken" {
	scenario just_taken
}

@test "a status that the server does not read is not late" {
	scenario withheld
}

@test "4,300 messages before an acknowledgement are answered, and not echoed" {
	scenario many_own
}

@test "a long upload keeps nobody waiting" {
	scenario uploads
}

@test "a slow download keeps nobody waiting" {
	scenario slow_reader
}

@test "who sends too fast is slowed down and loses nothing" {
	scenario rate
}

# --- one conversation ------------------------------------------------------------

@test "a bcs message appears at every other door" {
	scenario from_bcs bcs_doors
}

@test "messages of other doors are delivered with their authors" {
	scenario to_bcs bcs_doors
}

@test "guests and accounts keep their names apart" {
	scenario accounts bcs_doors
}

@test "a lobby with a history of its own is delivered from" {
	scenario history bcs_doors
}

# --- the deadlines that setup_file began to wait for -----------------------------

@test "who registers not, stops in mid-frame or takes nothing is closed" {
	timeout 120 tail --pid="$stuck_pid" -f /dev/null
	run cat "$stuck/out"
	assert_output passed
}
