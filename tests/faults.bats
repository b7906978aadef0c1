# suite: slow
# What happens to rooms when the machine fails: a full disk, a failed sync, a
# kill between any two system calls. tests/bin/roomctl is the sender.
#
# Each test is a subshell, and so is what it exports:
# shellcheck disable=SC2030,SC2031
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	small=$BATS_TEST_TMPDIR/small
}

teardown() {
	no_disk "$small"
}

roomctl() {
	"$BUILD/tests/bin/roomctl" "$@" 2>>"$BATS_TEST_TMPDIR/stderr"
}

room() {
	echo "$STATE_DIRECTORY/rooms/$1.txt"
}

fill() {
	run -1 dd if=/dev/zero "of=$1/fill" bs=4k status=none
}

# The room is whole, and nothing waits to be repaired or indexed.
assert_healthy() {
	run -0 roomctl check "$1"
	assert_output --regexp " torn=0 settled=0 failed=0 "
}

# --- no space ------------------------------------------------------------------

@test "a full disk refuses a message, leaves the room alone, and later takes it" {
	small_disk "$small" size=1m
	export STATE_DIRECTORY=$small/state
	roomctl append r 3 500
	cp "$(room r)" "$BATS_TEST_TMPDIR/before"
	fill "$small"

	run -1 roomctl append r 1 20000
	assert_output ENOSPC
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_healthy r

	rm "$small/fill"
	run -0 roomctl append r 1 20000
	assert_output --regexp "^ok 4 $(stat -c %s "$BATS_TEST_TMPDIR/before") "
}

@test "a full disk refuses a room, and later makes it" {
	small_disk "$small" size=1m
	export STATE_DIRECTORY=$small/state
	roomctl append other 1
	fill "$small"
	run -1 roomctl append new 1 20000
	assert_output ENOSPC
	rm "$small/fill"
	run -0 roomctl append new 1
	assert_output --regexp "^ok 1 0 "
}

@test "senders that fill a disk together lose nothing that was acknowledged" {
	small_disk "$small" size=1m
	export STATE_DIRECTORY=$small/state
	local i pids=()
	for i in 1 2 3 4; do
		roomctl append r 1000 $((i * 1500)) >"$BATS_TEST_TMPDIR/out.$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do ! wait "$i" || return 1; done
	assert_healthy r
	# Each ends with ENOSPC; those that were told "ok" stand where it said.
	[ "$(cat "$BATS_TEST_TMPDIR"/out.* | grep -c ENOSPC)" = 4 ]
	sed -n 's/^ok //p' "$BATS_TEST_TMPDIR"/out.* |
		sort -n >"$BATS_TEST_TMPDIR/ok"
	# shellcheck disable=SC2016 # those are awk's
	run -0 awk '$1 != NR || $2 != end { print; exit 1 } { end = $3 }
		END { print NR, end }' "$BATS_TEST_TMPDIR/ok"
	run -0 roomctl look r
	assert_output "count=$(wc -l <"$BATS_TEST_TMPDIR/ok") end=$(stat -c %s "$(room r)")"
	# Among them the ones that were refused left nothing.
	[ "$(grep -c '^.~roomctl @ ' "$(room r)")" = "$(wc -l <"$BATS_TEST_TMPDIR/ok")" ]
}

@test "a limit of a file's size refuses a message and leaves the room alone" {
	roomctl append r 3 500
	cp "$(room r)" "$BATS_TEST_TMPDIR/before"
	limited() (
		ulimit -f 8
		roomctl append r 1 20000
	)
	run -1 limited
	assert_output --regexp '^(EFBIG|ENOSPC)$' # the room ends where it may
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_healthy r
	run -0 roomctl append r 1 20000
	assert_output --regexp "^ok 4 "
}

@test "where the index has no space, nothing that was acknowledged is lost" {
	small_disk "$small" size=64k
	export RUNTIME_DIRECTORY=$small/run
	roomctl append r 3 500
	roomctl append other 1
	fill "$small"
	# The index' last page takes some 500 more; then there is no next one.
	run roomctl append r 1000 10
	refute_line --index 0 ENOSPC
	local told
	told=$(grep -c ^ok <<<"$output")
	assert_line --index "$told" ENOSPC
	rm "$small/fill"
	run -0 roomctl append r 1
	run -0 roomctl check r
	assert_output --regexp " torn=0 settled=0 failed=0 "
	[ "$(roomctl cat r | grep -c '^r ')" -ge $((3 + told + 1)) ]
}

# --- a sync that fails ------------------------------------------------------------

# Appends one message to ROOM; each sync that it tries fails.
append_unsynced() {
	strace -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=fdatasync,fsync \
		-e inject=fdatasync,fsync:error=EIO \
		"$BUILD/tests/bin/roomctl" append "$1" 1 \
		2>>"$BATS_TEST_TMPDIR/stderr"
}

@test "after a failed sync nobody can write, until a repair takes the doubtful text away" {
	needs_strace
	roomctl append r 3
	cp "$(room r)" "$BATS_TEST_TMPDIR/before"
	run -1 append_unsynced r
	assert_output EIO

	run -1 roomctl append r 1
	assert_output EKEYREVOKED
	run -0 roomctl look r
	assert_output "count=3 end=$(stat -c %s "$BATS_TEST_TMPDIR/before")"
	run -0 roomctl check r
	assert_output --partial " failed=1 repaired=0 "
	run -1 roomctl append r 1
	assert_output EKEYREVOKED
	run -0 roomctl append other 1 # the others go on

	tail -c "+$(($(stat -c %s "$BATS_TEST_TMPDIR/before") + 1))" \
		"$(room r)" >"$BATS_TEST_TMPDIR/doubtful"
	[ -s "$BATS_TEST_TMPDIR/doubtful" ]
	run -0 roomctl repair r
	assert_output --regexp " repaired=1 lost=r\."
	cmp "$STATE_DIRECTORY/lost/${output##*lost=}" "$BATS_TEST_TMPDIR/doubtful"
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_healthy r
	run -0 roomctl append r 1
	assert_output --regexp "^ok 4 $(stat -c %s "$BATS_TEST_TMPDIR/before") "
}

@test "after a failed sync a reboot opens the room again" {
	needs_strace
	roomctl append r 3
	run -1 append_unsynced r
	assert_output EIO
	rm -r "$RUNTIME_DIRECTORY"
	run -0 roomctl append r 1
	assert_healthy r
}

@test "senders that have the room open stop at another's failed sync, too" {
	needs_strace
	local out=$BATS_TEST_TMPDIR/out pid
	roomctl append r 3
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	roomctl append r 1000000 >"$BATS_TEST_TMPDIR/fifo" &
	pid=$!
	exec 5<"$BATS_TEST_TMPDIR/fifo"
	read -r _ <&5 # it has the room open now
	cat <&5 >"$out" &
	run -1 append_unsynced r
	assert_output EIO
	run wait "$pid"
	wait
	run tail -n 1 "$out"
	assert_output --regexp '^(EKEYREVOKED|EIO)$'
	# What it was told stands also after the repair.
	local end
	end=$(sed -n 's/^ok .* //p' "$out" | tail -n 1)
	roomctl cat r >"$BATS_TEST_TMPDIR/before"
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/before")" -ge "$end" ]
	roomctl repair r
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
}

@test "a sync that fails for want of space is a failed sync like any other" {
	needs_strace
	roomctl append r 3
	run -1 strace -qq -o /dev/null -e trace=fdatasync \
		-e inject=fdatasync:error=ENOSPC \
		"$BUILD/tests/bin/roomctl" append r 1
	refute_output --partial "ok "
	run -1 roomctl append r 1
	assert_output EKEYREVOKED
	run -0 roomctl repair r
	run -0 roomctl append r 1
	assert_output --regexp "^ok 4 "
}

# --- killed, or failing, anywhere ----------------------------------------------------------------

# The system calls of `roomctl append r 1` from where it has all but the room
# open, as "NAME N": the Nth of that name. State and index as they are.
system_calls() {
	strace -qq -o "$BATS_TEST_TMPDIR/trace" \
		"$BUILD/tests/bin/roomctl" append r 1 >/dev/null 2>&1
	awk -F'(' '/^[a-z0-9_]+\(/ { n[$1]++ }
		on && $1 !~ /exit/ { print $1, n[$1] }
		/^write\(2, "begin/ { on = 1 }' "$BATS_TEST_TMPDIR/trace"
}

# A state like $BATS_TEST_TMPDIR/template, and the index a kill may find.
renew() {
	rm -rf "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
	cp -a "$BATS_TEST_TMPDIR/template" "$STATE_DIRECTORY"
	! "$1" || roomctl look r >/dev/null
}

# Appends to the room of the template; system call NAME N fails with EIO. It
# may be told so, and perhaps the room is shut; but not another thing.
append_failing() {
	told=$(strace -qq -o /dev/null -e trace="$1" \
		-e inject="$1:error=EIO:when=$2" \
		"$BUILD/tests/bin/roomctl" append r 1 2>/dev/null) || true
	[[ $told =~ ^(ok 4 .*|E[A-Z]+)$ ]]
	roomctl cat r >"$BATS_TEST_TMPDIR/now"
	cmp -n "$(stat -c %s "$BATS_TEST_TMPDIR/records")" \
		"$BATS_TEST_TMPDIR/records" "$BATS_TEST_TMPDIR/now"
	[[ $told = E* ]] || [ "$(grep -c '^r ' "$BATS_TEST_TMPDIR/now")" = 4 ]
	run roomctl append r 1
	if [ "$status" != 0 ]; then
		assert_output EKEYREVOKED
		[ "$told" = EIO ]
		run -0 roomctl repair r
		run -0 roomctl append r 1
	fi
	cmp <(roomctl cat r) "$(room r)"
	assert_healthy r
}

# Appends to the room of the template, killed before system call NAME N; then
# once more. $told is the first one's answer.
append_killed() {
	local kept
	kept=$(wc -l <"$BATS_TEST_TMPDIR/records")
	told=$(strace -qq -o /dev/null -e trace="$1" \
		-e inject="$1:signal=KILL:when=$2" \
		"$BUILD/tests/bin/roomctl" append r 1 2>/dev/null) || true
	run -0 roomctl append r 1
	# What was there is there; the killed one stands if it was told so, and
	# once at most; the next one stands.
	roomctl cat r >"$BATS_TEST_TMPDIR/now"
	cmp -n "$(stat -c %s "$BATS_TEST_TMPDIR/records")" \
		"$BATS_TEST_TMPDIR/records" "$BATS_TEST_TMPDIR/now"
	kept=$(($(wc -l <"$BATS_TEST_TMPDIR/now") - kept))
	[ "$kept" = 4 ] || { [ "$kept" = 2 ] && [ -z "$told" ]; }
	[ "$(grep '^r ' "$BATS_TEST_TMPDIR/now" | sort | uniq -d | wc -l)" = 0 ]
	cmp "$BATS_TEST_TMPDIR/now" "$(room r)"
	assert_healthy r
}

# everywhere append_killed|append_failing CALLS INDEXED [TAIL]: at each system
# call of an append whose name is in CALLS, with an index or without.
everywhere() {
	local name n count=0
	needs_strace
	mv "$STATE_DIRECTORY" "$BATS_TEST_TMPDIR/template"
	renew "$3"
	system_calls >"$BATS_TEST_TMPDIR/calls"
	grep -q fdatasync "$BATS_TEST_TMPDIR/calls"
	while read -r name n; do
		[[ $name =~ ^($2)$ ]] || continue
		renew "$3"
		echo "$1 $name $n"
		"$1" "$name" "$n"
		[ -z "${4:-}" ] || grep -qxrF -- "$4" "$STATE_DIRECTORY/lost"
		count=$((count + 1))
	done <"$BATS_TEST_TMPDIR/calls"
	[ "$count" -gt 5 ]
}

@test "a sender killed anywhere in an append leaves a whole room" {
	roomctl append r 3
	roomctl cat r >"$BATS_TEST_TMPDIR/records"
	everywhere append_killed '.*' true
}

@test "a sender killed anywhere while it makes a room leaves a whole one" {
	roomctl append other 1
	: >"$BATS_TEST_TMPDIR/records"
	everywhere append_killed '.*' false
}

@test "a sender killed anywhere while it builds the index leaves a whole room" {
	roomctl append r 3
	roomctl cat r >"$BATS_TEST_TMPDIR/records"
	everywhere append_killed '.*' false
}

@test "a sender killed anywhere while it repairs a room loses no torn text" {
	roomctl append r 3
	roomctl cat r >"$BATS_TEST_TMPDIR/records"
	printf 'half a rec' >>"$(room r)"
	everywhere append_killed '.*' false "half a rec"
}

@test "an error of any one system call of an append is told, and mended" {
	roomctl append r 3
	roomctl cat r >"$BATS_TEST_TMPDIR/records"
	local calls='openat|newfstatat|fstat|statx|flock|fdatasync|fsync|'
	calls+='p?read(64|v)?|writev|pwrite64|pwritev|ftruncate|linkat|'
	calls+='unlinkat|renameat2?'
	everywhere append_failing "$calls" true
}

# --- the same through a door ----------------------------------------------------

account() {
	echo "the password" | "$BUILD/bin/parlance" user add alice >/dev/null
}

# A message of SIZE bytes for room r, as the chatfile door is sent it.
post() {
	printf 'POST /rooms/r.txt HTTP/1.1\r\nHost: localhost\r\n'
	printf 'Authorization: Basic %s\r\nContent-Length: %d\r\n\r\n' \
		"$(printf 'alice:the password' | base64)" "$1"
	head -c "$1" /dev/zero | tr '\0' x
}

# ... is answered with this status.
assert_posted() {
	run -0 --separate-stderr "${@:3}" "$BUILD/handlers/chatfile" < <(post "$2")
	assert_line --index 0 --regexp "^HTTP/1.1 $1 "
}

@test "on a full disk the chatfile door says 507, and later takes the message" {
	small_disk "$small" size=2m
	export STATE_DIRECTORY=$small/state
	account
	assert_posted 206 500
	cp "$(room r)" "$BATS_TEST_TMPDIR/before"
	fill "$small"

	assert_posted 507 20000
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_posted 206 0 # who only reads is served

	rm "$small/fill"
	assert_posted 206 20000
	assert_healthy r
}

@test "with a limit of a file's size the chatfile door says 507" {
	account
	roomctl append r 5 60000 # the database is to stay below the limit
	cp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_posted 507 60000 prlimit --fsize=310000
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_posted 507 60000 prlimit --fsize="$(stat -c %s "$(room r)")"
	cmp "$(room r)" "$BATS_TEST_TMPDIR/before"
	assert_posted 206 60000
}

@test "after a failed sync the chatfile door says 503 until the room is repaired" {
	needs_strace
	account
	assert_posted 206 500
	assert_posted '50[037]' 500 strace -qq -o /dev/null -e trace=fdatasync \
		-e inject=fdatasync:error=EIO
	assert_posted 503 500
	assert_posted 503 500
	assert_posted 206 0 # who only reads is served
	run -0 "$BUILD/bin/parlance" room check --repair r
	assert_posted 206 500
	assert_healthy r
	run -0 roomctl look r
	assert_output --regexp "^count=2 "
}
