#!/usr/bin/env bats
# suite: slow
# Files at the bcs door: tests/bcs_files.py has each scenario happen, with the
# clients of tests/bcs.py. What the disk may do besides is in files.bats.
load scenario

setup() {
	export SMALL=$BATS_TEST_TMPDIR/small
}

teardown() {
	no_disk "$SMALL"
}

@test "0 bytes, 1 byte and 64 MiB arrive and all others are told; a byte more is refused" {
	scenario bcs_files sizes
}

@test "who announces 4 GiB and goes away leaves nothing and has reserved nothing" {
	scenario bcs_files announced
}

@test "an upload that is cut short, or its handler killed, leaves nothing" {
	scenario bcs_files cut_short
}

@test "a file is called what a file can be called, on all doors, and nothing else" {
	scenario bcs_files names
}

@test "links and other things in the folder are neither followed nor replaced" {
	scenario bcs_files planted
}

@test "of six who upload one name at once one wins, and the rest are told" {
	scenario bcs_files one_name
}

@test "a file that is replaced by hand meanwhile still comes whole" {
	scenario bcs_files replaced
}

@test "a file that is made shorter meanwhile ends the connection, not the host" {
	scenario bcs_files truncated
}

@test "a disk that fills up in the middle is told, and has its space back" {
	small_disk "$SMALL" size=16m
	scenario bcs_files full
}

@test "no upload goes below PARLANCE_MIN_FREE" {
	scenario bcs_files min_free
}

@test "an upload that cannot be announced is taken back" {
	scenario bcs_files unannounced
}

@test "files and words in one piece are answered in turn" {
	scenario bcs_files pipelined
}
