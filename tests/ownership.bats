#!/usr/bin/env bats
# Root's commands over a host that belongs to another user.
# Scripts of other shells are quoted:
# shellcheck disable=SC2016
load environment

# A user and group that nobody has.
OWNER=61234

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	# The owner must be able to get there, and to run it.
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" \
		"${BATS_TEST_TMPDIR%/*}"
	cp "$BUILD/bin/parlance" "$BATS_TEST_TMPDIR/parlance"
	environment "$BATS_TEST_TMPDIR"
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run/parlance
	chmod 644 "$PARLANCE_CONF"
}

parlance() {
	"$BATS_TEST_TMPDIR/parlance" "$@"
}

as_owner() {
	setpriv --reuid "$OWNER" --regid "$OWNER" --clear-groups \
		"$BATS_TEST_TMPDIR/parlance" "$@"
}

hand_over() { # the host is another user's, and nothing is there yet
	install -d -m 750 -o "$OWNER" -g "$OWNER" "$STATE_DIRECTORY"
}

# Every file of the host: type and mode, owner, path. SQLite's own are named by
# it; times in names are not told.
modes() {
	(cd "$BATS_TEST_TMPDIR" && find state run/parlance \
		-printf '%M %U:%G %p\n' | sed 's/\.[0-9]*T[0-9]*Z/.TIME/' |
		sort -k 3)
}

use() { # all that an admin may do that makes files
	echo secret | "$1" user add alice
	"$1" room say -u alice lobby one
	printf torn >>"$STATE_DIRECTORY/rooms/lobby.txt"
	"$1" room say -u alice lobby two
	"$1" room redact lobby 1
	"$1" room check --repair
	"$1" check
}

expected() { # expected OWNER
	sed "s/ U / $1:$1 /" <<-'END'
		drwx--x--x U run/parlance
		drwx------ U run/parlance/auth
		drwx------ U run/parlance/failed
		drwx------ U run/parlance/index
		-rw------- U run/parlance/index/lobby
		drwx------ U run/parlance/present
		drwx------ U run/parlance/slots
		drwxr-x--- U state
		drwxr-x--- U state/accounts
		-rw-r----- U state/accounts/alice
		drwx------ U state/db
		-rw------- U state/db/parlance.db
		drwxr-s--- U state/files
		drwxr-s--- U state/lost
		-rw-r----- U state/lost/lobby.TIME
		drwxr-s--- U state/meta
		drwxr-s--- U state/rooms
		-rw-r----- U state/rooms/lobby.txt
		-rw------- U state/version
	END
}

# What there is, less what belongs to auth's and SQLite's inner life: the
# contents of slots/ and rate, and the files beside the database.
assert_modes() {
	modes | grep -vE ' run/parlance/(rate|slots/.*|auth/.*)$|db-(wal|shm)$' \
		>"$BATS_TEST_TMPDIR/modes"
	run diff <(expected "$1") "$BATS_TEST_TMPDIR/modes"
	assert_success
	# And of those: nobody else's, and not for others.
	run awk -v owner="$1:$1" '$2 != owner || substr($1, 8, 3) !~ /^--[-x]$/' \
		<(modes)
	assert_output ''
}

@test "what root's commands make belongs to the host's owner, with its modes" {
	hand_over
	use parlance
	assert_modes "$OWNER"
}

@test "root's own host has the same modes" {
	use parlance
	assert_modes 0
}

@test "a user's own host has the same modes" {
	hand_over
	install -d -m 755 -o "$OWNER" -g "$OWNER" "${RUNTIME_DIRECTORY%/*}"
	use as_owner
	assert_modes "$OWNER"
}

@test "no umask makes a difference" {
	hand_over
	umask 0
	use parlance
	assert_modes "$OWNER"
	rm -rf "$STATE_DIRECTORY" "${RUNTIME_DIRECTORY%/*}"
	hand_over
	umask 0777
	use parlance 2>"$BATS_TEST_TMPDIR/err" || {
		umask 022
		cat "$BATS_TEST_TMPDIR/err"
		false
	}
	umask 022
	assert_modes "$OWNER"
}

@test "after root spoke and looked around, the owner still appends" {
	hand_over
	use parlance
	as_owner room say -u alice lobby three
	parlance room say -u alice lobby four
	as_owner room say -u alice other five
	parlance room list >/dev/null
	echo another | as_owner user passwd alice
	run as_owner room show -n 2 lobby
	assert_line three
	assert_line four
	parlance room del other
	run as_owner room check
	assert_success
}

@test "root makes the runtime directory where only root or the owner could put a link" {
	hand_over
	# Others' folder: they could have root give away what a link names.
	install -d -m 755 -o 61235 -g 61235 "$BATS_TEST_TMPDIR/theirs"
	RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/theirs/run run parlance room list
	assert_failure 111
	assert_output --partial "theirs/run: cannot be made safely"
	[ ! -e "$BATS_TEST_TMPDIR/theirs/run" ]
	# The owner's own folder: then it is the owner who makes it.
	install -d -m 755 -o "$OWNER" -g "$OWNER" "$BATS_TEST_TMPDIR/own"
	RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/own/a/run/ parlance room list
	run stat -c '%u:%g %a' "$BATS_TEST_TMPDIR"/own/a{,/run}
	assert_output "$OWNER:$OWNER 755
$OWNER:$OWNER 711"
}

@test "another user is told whose host that is" {
	hand_over
	parlance user list
	run -111 setpriv --reuid 61235 --regid 61235 --clear-groups \
		"$BATS_TEST_TMPDIR/parlance" user list
	assert_output --partial 'run this as the owner'
}

@test "a member of the host's group reads rooms and nothing secret" {
	hand_over
	use parlance
	member="setpriv --reuid 61235 --regid 61235 --groups $OWNER"
	$member grep -q two "$STATE_DIRECTORY/rooms/lobby.txt"
	run $member cat "$STATE_DIRECTORY/db/parlance.db"
	assert_failure
	run $member sh -c "echo x >>'$STATE_DIRECTORY/rooms/lobby.txt'"
	assert_failure
}

@test "root without STATE_DIRECTORY finds the place that the settings name" {
	hand_over
	printf '%s\n' "STATE_DIRECTORY=$STATE_DIRECTORY" \
		"RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY" >"$PARLANCE_CONF"
	unset STATE_DIRECTORY RUNTIME_DIRECTORY
	echo secret | parlance user add alice
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/state/db/parlance.db")" = "$OWNER" ]
	[ ! -e "$HOME/.local" ]
}

@test "a full disk is told in plain words, and leaves nothing half there" {
	mkdir "$BATS_TEST_TMPDIR/small"
	run unshare -m bash -c '
		mount -t tmpfs -o size=1m none "$1/small" || exit 99
		export STATE_DIRECTORY=$1/small/state
		echo secret | "$1/parlance" user add alice
		"$1/parlance" room say -u alice lobby one
		cat /dev/zero >"$1/small/fill" 2>/dev/null
		head -c 60000 /dev/zero | tr "\0" x |
			"$1/parlance" room say -u alice lobby
		echo "say $?"
		echo secret | "$1/parlance" user add bob
		echo "add $?"
		"$1/parlance" check
		echo "check $?"
		rm "$1/small/fill"
		"$1/parlance" room say -u alice lobby two
		echo secret | "$1/parlance" user add bob
		"$1/parlance" room show lobby | grep -c "^.alice"
		"$1/parlance" check >/dev/null
		echo "check $?"
	' - "$BATS_TEST_TMPDIR"
	assert_line --partial 'lobby: no space left on the disk; nothing was changed'
	assert_line 'say 111'
	assert_line --partial 'bob: database: No space left on device'
	assert_line 'add 111'
	assert_line 'check 0'
	assert_line 2
	refute_line 'check 1'
}
