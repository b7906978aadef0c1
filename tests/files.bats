# Uploads when the machine fails: a full disk, a failed sync, a kill between
# any two system calls. tests/bin/filesctl is the door.
#
# Each test is a subshell, and so is what it exports:
# shellcheck disable=SC2030,SC2031
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	export PARLANCE_MIN_FREE=0
	files=$STATE_DIRECTORY/files
	small=$BATS_TEST_TMPDIR/small
	tea=$BATS_TEST_TMPDIR/tea
	head -c 100000 /dev/urandom >"$tea"
	[ "$(filesctl list)" = "" ]
}

teardown() {
	exec 5>&- 6<&-
	[ -z "${slow:-}" ] || wait "$slow" || true
	no_disk "$small"
}

filesctl() {
	"$BUILD/tests/bin/filesctl" "$@" 2>>"$BATS_TEST_TMPDIR/stderr"
}

small_folder() { # small_folder SIZE: for uploads
	small_disk "$small" "size=$1"
	export PARLANCE_FILES=$small
	files=$small
}

# traced [ARGUMENT...]: puts the tea, under strace.
# shellcheck disable=SC2120,SC2094
traced() {
	strace -qq -o "$BATS_TEST_TMPDIR/trace" "$@" \
		"$BUILD/tests/bin/filesctl" put tea "$(stat -c %s "$tea")" \
		<"$tea" 2>>"$BATS_TEST_TMPDIR/stderr"
}

nothing_there() {
	assert_equal "$(ls -A "$files")" "${1:-}"
}

# begin NAME SIZE: an upload that has begun, and what follows comes on 5. Then
# end_with TEXT: after the end of input it ends so.
begin() {
	coproc filesctl put "$@"
	slow=$COPROC_PID
	exec 5>&"${COPROC[1]}" 6<&"${COPROC[0]}"
	eval "exec ${COPROC[1]}>&-"
	local line
	read -r line <&6
	assert_equal "$line" begun
}

end_with() {
	exec 5>&-
	assert_equal "$(cat <&6)" "$1"
	wait "$slow" || true
	slow=
}

# --- whole or not at all ----------------------------------------------------------

@test "what is told to be there has been on disk, and its name too" {
	needs_strace
	run -0 traced
	assert_line ok
	# From the last byte on: the bytes, the name, file and folder, the answer.
	awk -F'[(,]' '/^write\(2, "begin/ { on = 1 }
		!on { next }
		/^pwrite64/ { n = 0; split("", calls) }
		/^(pwrite64|fdatasync|fsync|linkat|write)\(/ { calls[n++] = $1 }
		END { for (i = 0; i < n; i++) printf "%s ", calls[i] }' \
		"$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/order"
	run -0 cat "$BATS_TEST_TMPDIR/order"
	assert_output --regexp '^pwrite64 fdatasync linkat fsync fsync write '
	cmp "$tea" "$files/tea"
	assert_equal "$(stat -c '%a %h' "$files/tea")" '640 1'
}

@test "a failed sync of a file, or of the folder, leaves nothing and says so" {
	needs_strace
	run -1 traced -e inject=fdatasync:error=EIO
	assert_output $'begun\nEIO'
	nothing_there
	run -1 traced -e inject=fsync:error=EIO
	assert_output $'begun\nEIO'
	nothing_there
	run -1 traced -e inject=fsync:error=EIO:when=2
	assert_output $'begun\nEIO'
	nothing_there
	run -1 traced -e inject=fdatasync:error=ENOSPC
	assert_output $'begun\nENOSPC'
	nothing_there
	head -c 9M /dev/urandom >"$tea"
	run -1 traced -e inject=sync_file_range:error=EIO:when=2
	assert_output $'begun\nEIO'
	nothing_there
	run -0 traced -e inject=sync_file_range:error=ENOSYS
	cmp "$tea" "$files/tea"
}

# The system calls of an upload, as "NAME N": the Nth of that name.
system_calls() {
	run -0 traced
	rm "$files/tea"
	awk -F'(' '/^[a-z0-9_]+\(/ { n[$1]++ }
		on && $1 !~ /exit/ { print $1, n[$1] }
		/^write\(2, "begin/ { on = 1 }' "$BATS_TEST_TMPDIR/trace" \
		>"$BATS_TEST_TMPDIR/calls"
	grep -q linkat "$BATS_TEST_TMPDIR/calls"
}

@test "whichever system call fails, a file is there if and only if it was told" {
	needs_strace
	system_calls
	local name n count=0
	while read -r name n; do
		# What is told goes by write.
		[ "$name" != write ] || continue
		echo "$name $n"
		run traced -e "inject=$name:error=EIO:when=$n"
		if [ "$status" = 0 ]; then
			assert_line ok
			cmp "$tea" "$files/tea"
			rm "$files/tea"
		else
			refute_line ok
			assert_output --regexp '(EIO|EMSGSIZE)$'
			nothing_there
		fi
		count=$((count + 1))
	done <"$BATS_TEST_TMPDIR/calls"
	[ "$count" -gt 6 ]
}

@test "a door killed anywhere in an upload leaves the whole file or nothing" {
	needs_strace
	system_calls
	local name n count=0 whole=0
	while read -r name n; do
		echo "$name $n"
		run traced -e "inject=$name:signal=KILL:when=$n"
		if [ -e "$files/tea" ]; then
			cmp "$tea" "$files/tea"
			rm "$files/tea"
			whole=$((whole + 1))
		else
			[[ $output != *ok ]]
		fi
		nothing_there
		count=$((count + 1))
	done <"$BATS_TEST_TMPDIR/calls"
	[ "$count" -gt 6 ] && [ "$whole" -gt 0 ] && [ "$whole" -lt "$count" ]
}

@test "an upload that is taken back is gone" {
	run -0 filesctl undo tea 100000 <"$tea"
	assert_output $'begun\nok'
	nothing_there
}

@test "without /proc an upload works or is refused clearly" {
	needs_strace
	# Where the name in /proc is not found, the descriptor itself will do
	# for root, and on kernels since 6.10.
	run traced -e inject=linkat:error=ENOENT:when=1
	if [ "$status" = 0 ]; then
		cmp "$tea" "$files/tea"
		rm "$files/tea"
	else
		assert_output $'begun\nEOPNOTSUPP'
	fi
	run -1 traced -e inject=linkat:error=ENOENT
	assert_output $'begun\nEOPNOTSUPP'
	nothing_there
}

@test "a file system without unnamed files is said to be one" {
	needs_strace
	for error in EOPNOTSUPP EISDIR; do
		run -0 traced
		rm "$files/tea"
		opens=$(grep ^openat "$BATS_TEST_TMPDIR/trace" |
			grep -n O_TMPFILE | cut -d: -f1)
		run -1 traced -e "inject=openat:error=$error:when=$opens"
		assert_output EOPNOTSUPP
	done
}

# --- no space ------------------------------------------------------------------

@test "a disk that fills up refuses the upload and gives its space back" {
	small_folder 1m
	head -c 990000 /dev/zero >"$small/fill"
	run -1 filesctl put tea 100000 <"$tea"
	assert_output ENOSPC # at once
	nothing_there fill
	# Filled by others, meanwhile.
	rm "$small/fill"
	begin tea 900000
	run -1 dd if=/dev/zero "of=$small/fill" bs=4k status=none
	cat "$tea" >&5 2>/dev/null || true # it may go before it has all
	end_with ENOSPC
	nothing_there fill
	rm "$small/fill"
	assert_equal "$(df --output=used "$small" | tail -n 1 | tr -d ' ')" 0
	run -0 filesctl put tea 100000 <"$tea"
	cmp "$tea" "$small/tea"
}

@test "PARLANCE_MIN_FREE is left free, whoever else announces what" {
	small_folder 40m
	export PARLANCE_MIN_FREE=10M
	run -1 filesctl put tea $((31 * 1024 * 1024)) </dev/null
	assert_output ENOSPC
	# One who announces and sends nothing takes nothing from others.
	begin idle $((29 * 1024 * 1024))
	head -c 25M /dev/zero >"$BATS_TEST_TMPDIR/large"
	run -0 filesctl put large $((25 * 1024 * 1024)) <"$BATS_TEST_TMPDIR/large"
	# When it comes after all, it is ended before it is too late.
	cat "$BATS_TEST_TMPDIR/large" >&5 2>/dev/null || true
	end_with ENOSPC
	nothing_there large
	run -0 filesctl list
	assert_output "$((25 * 1024 * 1024)) large"
}

@test "where PARLANCE_MIN_FREE is left free, a hundredth of all files is, too" {
	small_folder 2m,nr_inodes=200
	export PARLANCE_MIN_FREE=1
	while [ "$(df --output=iavail "$small" | tail -n 1)" -gt 1 ]; do
		mktemp -p "$small" >/dev/null
	done
	run -1 filesctl put tea 0 </dev/null
	assert_output ENOSPC
	PARLANCE_MIN_FREE=0 run -0 filesctl put tea 0 </dev/null
}

@test "an upload that announces more than PARLANCE_FILE_MAX is refused at once" {
	export PARLANCE_FILE_MAX=100000
	run -0 filesctl put tea 100000 <"$tea"
	cmp <(filesctl get tea) "$tea"
	run -1 filesctl put more 100001 <"$tea"
	assert_output EFBIG
	run -1 filesctl put less 99999 <"$tea"
	assert_output $'begun\nEFBIG'
	nothing_there tea
}
