#!/usr/bin/env bats
# suite: slow
# The bcs door at sockets, with many clients: tests/bcs_live.py and
# tests/bcs_doors.py have each scenario happen, with the clients of tests/bcs.py.
load scenario

# The deadlines that no setting shortens take 40 s: beside all else.
setup_file() { begin bcs_live stuck; }
teardown_file() { end_begun; }

# --- who is there ----------------------------------------------------------------

@test "a name is one client's, whatever its case, and free again after it" {
	scenario bcs_live unique
}

@test "comings and goings are announced to exactly the others" {
	scenario bcs_live announced
}

@test "a newcomer is told all names, in as many delivers as it takes" {
	scenario bcs_live roster
	scenario bcs_live long_roster
}

@test "who lagged while hundreds came and went knows who is there" {
	scenario bcs_live lagging
}

@test "namesakes in turn are told apart" {
	scenario bcs_live namesakes
}

# --- what is said ----------------------------------------------------------------

@test "a message reaches all others, byte for byte, in one order" {
	scenario bcs_live delivered
}

@test "the server waits for the status, and serves who owes it one" {
	scenario bcs_live one_at_a_time
}

@test "50 who all talk hear exactly the others, in the lobby's order" {
	scenario bcs_live crowd
}

@test "frames may come byte by byte or by the hundred" {
	scenario bcs_live byte_by_byte
}

@test "what was asked before the end of input is answered" {
	scenario bcs_live half_closed
}

@test "SIGTERM loses no message and leaves none unanswered" {
	scenario bcs_live told_to_end
}

# --- what dies -------------------------------------------------------------------

@test "a leave stands after the leaver's last message" {
	scenario bcs_live leaves_last_close
	scenario bcs_live leaves_last_hang_up
}

@test "a leave stands after the last message of a killed handler" {
	scenario bcs_live leaves_last_killed
}

@test "a leave stands after the last message when fanout is killed, too" {
	scenario bcs_live leaves_last_fanout
	scenario bcs_live leaves_last_both
}

@test "after fanout's restart nothing false is announced" {
	scenario bcs_live fanout_restarts
}

@test "a name that changes hands without fanout stays somebody's" {
	scenario bcs_live grabbed
}

@test "without fanout the conversation goes on" {
	scenario bcs_live no_fanout
}

@test "handlers work by hand, without server and helpers" {
	scenario bcs_live handlers_by_hand
}

# --- who keeps others waiting ----------------------------------------------------

@test "who acknowledges not or too late is closed, who is just in time stays" {
	scenario bcs_live unacknowledging
}

@test "the time for a status counts from the last byte that was taken" {
	scenario bcs_live just_taken
}

@test "a status that the server does not read is not late" {
	scenario bcs_live withheld
}

@test "4,300 messages before an acknowledgement are answered, and not echoed" {
	scenario bcs_live many_own
}

@test "a long upload keeps nobody waiting" {
	scenario bcs_live uploads
}

@test "a slow download keeps nobody waiting" {
	scenario bcs_live slow_reader
}

@test "who sends too fast is slowed down and loses nothing" {
	scenario bcs_live rate
}

# --- one conversation ------------------------------------------------------------

@test "a bcs message appears at every other door" {
	scenario bcs_doors from_bcs
}

@test "messages of other doors are delivered with their authors" {
	scenario bcs_doors to_bcs
}

@test "guests and accounts keep their names apart" {
	scenario bcs_doors accounts
}

@test "a lobby with a history of its own is delivered from" {
	scenario bcs_doors history
}

# --- the deadlines that setup_file began to wait for -----------------------------

@test "who registers not, stops in mid-frame or takes nothing is closed" {
	begun_passes bcs_live stuck
}
