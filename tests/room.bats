# suite: slow
# Many processes on one room, through room.h: killed, stopped, and with its
# file edited and replaced under them. tests/bin/room_stress does it.
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	# A failed run is repeated with this.
	export SEED=$RANDOM
	echo "SEED=$SEED"
}

teardown() {
	no_disk "$RUNTIME_DIRECTORY" "$STATE_DIRECTORY"
}

stress() {
	run "$BUILD/tests/bin/room_stress" "$@"
	echo "$output"
	assert_success
}

@test "what was acknowledged stands once and whole when writers are killed" {
	stress kill 16 $((500 * ${TEST_SCALE:-1}))
	assert_output --regexp ' [1-9][0-9]* writers killed$'
}

@test "a writer stopped with the lock holds up no reader, and writers for 5 s" {
	stress stop
}

@test "appends go to the file that the path names while it is edited and replaced" {
	stress edit 8 $((60 * ${TEST_SCALE:-1}))
}

@test "where the index cannot grow a message is refused, not half taken" {
	small_disk "$RUNTIME_DIRECTORY" size=256k
	roomctl() { "$BUILD/tests/bin/roomctl" "$@"; }
	roomctl append r 300
	run -1 dd if=/dev/zero of="$RUNTIME_DIRECTORY/fill" bs=4k status=none

	# One page of it holds 504 records.
	run -1 roomctl append r 504
	size=$(stat -c %s "$STATE_DIRECTORY/rooms/r.txt")
	run -1 roomctl append r 1
	assert_equal "$(stat -c %s "$STATE_DIRECTORY/rooms/r.txt")" "$size"
	run -0 roomctl check r
	assert_output --regexp ' torn=0 settled=0 failed=0 '

	rm "$RUNTIME_DIRECTORY/fill"
	roomctl append r 1
}

@test "a room on a read-only file system is read, and says so to writers" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	roomctl() { "$BUILD/tests/bin/roomctl" "$@" 2>>"$BATS_TEST_TMPDIR/stderr"; }
	roomctl append r 3
	printf 'torn' >>"$STATE_DIRECTORY/rooms/r.txt"
	rm "$RUNTIME_DIRECTORY/index/r"
	mount --bind "$STATE_DIRECTORY" "$STATE_DIRECTORY" || skip "needs mount"
	mount -o remount,bind,ro "$STATE_DIRECTORY"

	run -0 roomctl look r
	assert_output --partial 'count=3 '
	run -1 roomctl append r 1
	assert_output --partial EROFS
	# The torn tail stays until it can be moved.
	umount "$STATE_DIRECTORY"
	run -0 roomctl append r 1
	run -0 roomctl look r
	assert_output --partial 'count=4 '
	assert_equal "$(cat "$STATE_DIRECTORY"/lost/r.*)" torn
}
