# What the tests of the chatfile client share. $there is the server's room
# file; the current folder holds the client's lobby.txt.
# shellcheck shell=bash
# $there is set by the test, $status and $output by run.
# shellcheck disable=SC2154
load environment

chatfile() {
	"$BUILD/bin/chatfile" "$@"
}

records() { # the records of a room file, one a line, sorted
	awk '{ text = text $0 "\001" }
	    /^\\($|[^\\])/ { print text; text = "" }
	    END { if (text != "") print "TEXT " text }' "$1" | sort
}

# The invariant: as long as the server's, and the same records.
assert_synced() {
	assert_equal "$(stat -Lc %s lobby.txt)" "$(stat -Lc %s "$there")"
	assert_equal "$(records lobby.txt)" "$(records "$there")"
}

times() { # times N TEXT: that line stands so often in the server's room
	assert_equal "$(grep -cxF -- "$2" "$there")" "$1"
}

# Each system call from the taking of the lock on, as NAME N: the Nth of that
# name.
calls() {
	awk '{ name = $1; sub(/\(.*/, "", name)
	       if (name !~ /^[a-z0-9_]+$/) next
	       count[name]++
	       if (name == "flock") on = 1
	       if (on) print name, count[name] }' "$1"
}

# Runs `chatfile lobby.txt` once for each system call it makes, killed there,
# and again to the end. Around each: prepare N, more N, finally N. At
# TEST_SCALE=1 every third call only, from the one given.
kill_everywhere() {
	local name n killed=0
	prepare 0
	strace -o trace "$BUILD/bin/chatfile" lobby.txt
	assert_synced
	while read -r name n; do
		case $name in
		# These change nothing, here or there.
		mmap | munmap | mprotect | brk | rt_* | getpid | exit_group | \
			futex | madvise | getrandom) continue ;;
		esac
		killed=$((killed + 1))
		[ "$TEST_SCALE" != 1 ] || [ $((killed % 3)) = "${1:-0}" ] ||
			continue
		prepare "$killed"
		strace -o killed -e "trace=$name" \
			-e "inject=$name:signal=KILL:when=$n" \
			"$BUILD/bin/chatfile" lobby.txt || true
		more "$killed"
		run "$BUILD/bin/chatfile" lobby.txt
		[ "$status" = 0 ] || fail "killed at $name $n: $output"
		assert_synced || fail "killed at $name $n"
		times 1 "mine $killed"
		finally "$killed"
	done < <(calls trace)
	[ "$killed" -gt 40 ]
}
more() { :; }
finally() { :; }
