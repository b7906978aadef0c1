#!/usr/bin/env bats
# parlance backup and restore, as an admin uses them.
# suite: slow
# Scripts of other shells are quoted:
# shellcheck disable=SC2016
# Each test is a subshell of its own.
# shellcheck disable=SC2030,SC2031
load environment

# A user and group that nobody has.
OWNER=61234

setup() {
	environment "$BATS_TEST_TMPDIR"
	export TZ=UTC
	cd "$BATS_TEST_TMPDIR" || exit 1
}

parlance() {
	"$BUILD/bin/parlance" "$@"
}

again() { # the state that is restored to
	STATE_DIRECTORY=$BATS_TEST_TMPDIR/${to-again} \
		RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/${to-again}.run "$@"
}

some_host() { # two accounts, two rooms, a room of the web's, a file, a torn one
	echo secret | parlance user add alice
	echo secret | parlance user add bob
	parlance room say -u alice lobby 'hello'
	parlance room say -u bob tea 'two
lines'
	printf 'GET /chat_create?subject=Cake&listed=1 HTTP/1.1\r\nHost: h\r\n\r\n' |
		"$BUILD/handlers/hchat" 2>/dev/null >/dev/null
	(
		umask 027
		head -c 3000000 /dev/urandom >state/files/picture.png
		echo torn >state/lost/tea.20201120T140307Z
		umask 077
		head -c 32 /dev/urandom >state/key
	)
	touch -d 2020-01-02 state/files/picture.png
}

# What people have, without what SQLite keeps beside it.
contents() {
	(cd "$1" && find . -type f ! -name 'parlance.db*' ! -name version \
		! -path './accounts/*' -printf '%P %s %m %T@\n' | sort &&
		cat key rooms/* meta/* files/* lost/* | sha256sum &&
		sqlite3 db/parlance.db 'SELECT * FROM users; SELECT * FROM messages')
}

# --- what is saved -----------------------------------------------------------

@test "all that a host holds is there again, with its modes and times" {
	some_host
	run --separate-stderr parlance backup saved
	assert_success
	assert_output --regexp \
		'^saved 2 rooms, 1 files and 2 accounts, 30[0-9]* bytes, in saved$'
	[ -z "$stderr" ]
	run --separate-stderr again parlance restore saved
	assert_success
	assert_output --regexp '^restored 2 rooms, 1 files and 2 accounts, '
	[ -z "$stderr" ]
	contents state >there
	contents again >here
	run diff there here
	assert_success
	run diff <(contents saved) here
	assert_success
	run grep -cE '^(key|rooms/lobby.txt|meta/.*|files/.*|lost/.*) ' here
	assert_output 5
	run ls again/accounts
	assert_output 'alice
bob'
	run diff <(cd state && find . ! -name 'parlance.db-*' -printf '%P %M\n' |
		sort) \
		<(cd again && find . ! -name 'parlance.db-*' -printf '%P %M\n' |
			sort)
	assert_success
	run again parlance check
	assert_success
	again parlance room say -u alice lobby 'and on'
}

@test "all of many who open a restored host at once find its database ready" {
	some_host
	parlance backup saved
	again parlance restore saved
	for n in 1 2 3 4 5 6 7 8; do
		again parlance user list >list.$n 2>&1 &
	done
	wait
	cat list.? | sort | uniq -c >lists
	run cat lists
	assert_output '      8 alice
      8 bob'
	run sqlite3 again/db/parlance.db 'PRAGMA journal_mode'
	assert_output wal
}

@test "whatever was acknowledged at any door before a backup began is in it" {
	# At most half a minute; TEST_SCALE=10 is for the long run.
	run "$BATS_TEST_DIRNAME/backup_load.py" "$BATS_TEST_TMPDIR" \
		$((2 + TEST_SCALE)) $((3 + 3 * TEST_SCALE))
	printf '# %s\n' "${lines[@]}" >&3
	assert_success
	assert_line --regexp '^backup=b2 .* kept=[1-9]'
}

@test "a host without accounts, and one that is empty, can be saved" {
	parlance room list
	run parlance backup none
	assert_output 'saved 0 rooms, 0 files and 0 accounts, 0 bytes, in none'
	run again parlance restore none
	assert_success
	again parlance check
}

@test "uploads are saved from the folder that PARLANCE_FILES names, and return there" {
	some_host
	mkdir uploads elsewhere
	echo drawing >uploads/drawing
	PARLANCE_FILES=$PWD/uploads parlance backup saved
	[ "$(ls saved/files)" = drawing ]
	PARLANCE_FILES=$PWD/elsewhere again parlance restore saved
	cmp uploads/drawing elsewhere/drawing
	to=third
	PARLANCE_FILES=$PWD/elsewhere run again parlance restore saved
	assert_failure 1
	assert_output --partial 'elsewhere: is not empty: drawing is there'
}

@test "who may not read a host is told so, and makes nothing" {
	hand_over
	chmod 777 .
	run -111 setpriv --reuid 61235 --regid 61235 --clear-groups \
		"$BUILD/bin/parlance" backup saved
	assert_output --partial 'run this as the owner'
	[ ! -e saved ]
}

@test "no name in the database makes a file elsewhere, or a terminal's command" {
	some_host
	sqlite3 state/db/parlance.db "UPDATE users SET name_key = '../../evil',
		username = 'b' || char(27) || ']0;b' WHERE username = 'bob'"
	run -111 parlance backup saved
	assert_output --partial 'the database: '
	[ ! -e evil ] && [ ! -e saved/evil ]
	run -111 parlance check --repair
	[ ! -e evil ] && [ ! -e state/evil ]
	run -0 parlance user list
	assert_output "$(printf 'alice\nb\xef\xbf\xbd]0;b')"
}

@test "where there is no host nothing is saved, and none is made" {
	run parlance backup saved
	assert_failure 1
	assert_output --partial "$STATE_DIRECTORY: No such file or directory"
	[ ! -e saved ] && [ ! -e state ]
}

# --- rooms that are not well -------------------------------------------------

@test "rooms that are shut or damaged are named, saved as far as they go, and the rest too" {
	some_host
	parlance room say -u alice broken one
	parlance room say -u alice failed one
	head -c 2000000 /dev/zero >>state/rooms/broken.txt
	touch run/failed/failed
	touch run/failed/gone run/failed/parlance.db
	printf 'half of a mes' >>state/rooms/tea.txt
	run parlance backup saved
	assert_failure 1
	assert_line --partial 'rooms/broken.txt: damaged behind its last'
	assert_line --partial 'rooms/failed.txt: shut since a write to disk failed'
	assert_line --partial 'database is shut since a write to disk failed'
	assert_line --partial 'tea: 13 bytes that an interrupted write left'
	assert_line --regexp '^saved 4 rooms, .*; not all, see above$'
	[ "$(head -n 1 saved/rooms/broken.txt)" = one ]
	[ "$(wc -l <saved/rooms/broken.txt)" = 2 ]
	cmp state/rooms/tea.txt saved/rooms/tea.txt
	# And where it is restored they are sound, whatever failed there once.
	mkdir -p again.run/failed
	touch again.run/failed/lobby
	again parlance restore saved
	run again parlance check
	assert_success
	again parlance room say -u alice broken two
}

@test "links and folders are named and not followed; what begins with a dot is left" {
	some_host
	echo secret >secret
	ln -s ../../secret state/rooms/link.txt
	ln -s ../../secret state/files/link
	mkdir state/meta/folder
	mkfifo state/files/fifo
	echo other >state/rooms/notes
	echo swap >state/rooms/.lobby.txt.swp
	run timeout 10 "$BUILD/bin/parlance" backup saved
	assert_failure 1
	for what in rooms/link.txt files/link meta/folder files/fifo; do
		assert_line --partial "$what: not a file; left out"
		[ ! -e "saved/$what" ]
	done
	cmp saved/rooms/notes state/rooms/notes
	[ ! -e saved/rooms/.lobby.txt.swp ]
	# Nor in a backup that somebody changed.
	ln -s ../../secret saved/files/link
	ln -s ../../secret saved/rooms/link.txt
	rm -r saved/lost
	ln -s .. saved/lost
	run again parlance restore saved
	assert_failure 1
	assert_line --partial 'files/link: not a file; left out'
	assert_line --partial 'rooms/link.txt: not a file; left out'
	assert_line --partial 'saved/lost: not a folder; left out'
	[ "$(ls again/files again/lost)" = "again/files:
picture.png

again/lost:" ]
}

# --- the directory -----------------------------------------------------------

@test "a directory that holds something is refused; an empty one is used" {
	some_host
	mkdir empty full
	touch full/thing
	parlance backup empty
	ln -s empty link
	run parlance backup full
	assert_failure 1
	assert_output --partial 'full: is not empty'
	run parlance backup empty
	assert_failure 1
	assert_output --partial 'empty: is not empty'
	mkdir -m 1777 anybody
	run parlance backup anybody
	assert_failure 1
	assert_output --partial 'anybody: another user could put'
	assert_equal "$(ls anybody)" ''
	run parlance backup link
	assert_failure 1
	assert_output --partial 'link: not a directory, or a link'
	run parlance backup none/saved
	assert_failure 1
	assert_output --partial 'none/saved: no such directory'
	[ "$(ls full)" = thing ]
}

@test "what is no whole backup is refused by name" {
	some_host
	parlance backup saved
	mv saved/version kept
	run again parlance restore saved
	assert_failure 1
	assert_output --partial 'saved: no whole backup'
	echo 2 >saved/version
	run again parlance restore saved
	assert_failure 100
	assert_output --partial 'saved: state of version 2, made by a newer'
	echo two >saved/version
	run again parlance restore saved
	assert_failure 100
	run again parlance restore nowhere
	assert_failure 1
	assert_output --partial 'nowhere: no such directory'
	mv kept saved/version
	echo log >saved/db/parlance.db-wal
	run again parlance restore saved
	assert_failure 1
	assert_output --partial 'a copy of a state, not what parlance backup made'
	[ ! -e again/version ]
	rm saved/db/parlance.db-wal
	again parlance restore saved
}

@test "a database that is damaged, or newer, is not restored" {
	some_host
	parlance backup saved
	cp -a saved newer
	sqlite3 newer/db/parlance.db 'PRAGMA user_version = 99'
	run again parlance restore newer
	assert_failure 111
	assert_output --partial 'newer/db: the database is of a newer version'
	printf garbage | dd of=saved/db/parlance.db conv=notrunc status=none
	run again parlance restore saved
	assert_failure 111
	assert_output --partial 'saved/db: the database is damaged, or none'
	run again parlance user list
	assert_failure 100
	assert_output --partial 'again: is being restored, or a restore was cut short'
}

@test "a state that holds anything, or is in use, is not restored to" {
	some_host
	parlance backup saved
	for what in rooms/a.txt files/a lost/a accounts/a meta/a; do
		to=${what%/*}
		mkdir -p "$to/$to"
		touch "$to/$what"
		run again parlance restore saved
		assert_failure 1
		assert_output --partial "$to: is not empty: $what is there"
		[ "$(find "$to" -type f)" = "$to/$what" ]
	done
	to=account
	echo secret | again parlance user add carol
	rm account/accounts/carol
	run again parlance restore saved
	assert_failure 1
	assert_output --partial 'account: is not empty: its database has accounts'
	run again parlance user list
	assert_output carol
	# An empty one that was used before is fine.
	to=used
	again parlance room list
	printf 'quit\r\n' | again "$BUILD/handlers/toychat" >/dev/null 2>&1
	mkdir -p used.run
	exec {held}>used.run/fanout.lock
	flock "$held" # as fanout does
	run again parlance restore saved
	assert_failure 1
	assert_output --partial 'the host is running'
	exec {held}>&-
	again parlance restore saved
	run again parlance user list
	assert_output 'alice
bob'
}

# --- faults ------------------------------------------------------------------

@test "a restore that was killed leaves a state that nobody opens; the next begins anew" {
	some_host
	for n in $(seq 40); do
		parlance room say -u alice "room$n" hello
	done
	parlance backup saved
	began=${EPOCHREALTIME/./}
	again parlance restore saved
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	cut=0
	for _ in $(seq $((8 * TEST_SCALE))); do
		rm -rf again again.run
		n=$((RANDOM % took))
		again timeout -s KILL \
			"$(printf '%d.%03d' $((n / 1000)) $((n % 1000)))" \
			"$BUILD/bin/parlance" restore saved >/dev/null 2>&1 || :
		[ -e again/version ] || continue
		[ "$(cat again/version)" = restoring ] || continue
		cut=$((cut + 1))
		run again parlance room list
		assert_failure 100
		assert_output --partial 'a restore was cut short'
		echo stale >again/rooms/stale.txt
		again parlance restore saved >/dev/null
		contents saved >there
		contents again >here
		run diff there here
		assert_success
	done
	echo "# killed in the midst: $cut" >&3
	# Whatever the timing was: as one that was killed leaves it.
	again parlance room list >/dev/null 2>&1 || :
	echo restoring >again/version
	echo stale >again/files/stale
	again parlance restore saved
	[ "$(ls again/files)" = picture.png ]
	again parlance check
}

# The example of parlance(1) on the day DAY, with the other machine here.
nightly() { # nightly DAY
	sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$BATS_TEST_DIRNAME/../man/parlance.1" |
		sed "/^\.Ed/d; s/\\\\e\$/\\\\/; s,/var/backups/parlance,$PWD/here,
			s,backup:parlance,$PWD/there,
			s,date +%F,echo $1," >nightly
	PATH=$BUILD/bin:$PATH run sh nightly
	assert_success
}

@test "the example for each night saves, and shares what has not changed" {
	command -v rsync >/dev/null || skip "needs rsync"
	some_host
	mkdir here there
	nightly 2026-11-20
	parlance room say -u alice lobby more
	nightly 2026-11-21
	# What is left out does not keep the rest from being copied.
	mkdir state/rooms/odd.txt
	nightly 2026-11-22
	assert_line --partial 'rooms/odd.txt: not a file'
	assert_equal "$(stat -c %h there/2026-11-22/files/picture.png)" 3
	assert_equal "$(stat -c %h there/2026-11-22/rooms/lobby.txt)" 2
	again parlance restore there/2026-11-22
	assert_equal "$(again parlance room show lobby | grep -cx more)" 1
	touch -d '16 days ago' here/2026-11-20
	nightly 2026-11-23
	run ls here
	assert_output $'2026-11-21\n2026-11-22\n2026-11-23'
}

@test "full disks are told, and neither the host nor the next try suffers" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	some_host
	mkdir small
	run unshare -m bash -c '
		mount -t tmpfs -o size=2m none small || exit 99
		"$BUILD/bin/parlance" backup small/saved
		echo "backup $?"
		[ ! -e small/saved/version ] && echo unfinished
		rm -r small/saved
		"$BUILD/bin/parlance" backup saved
		export STATE_DIRECTORY=small/again RUNTIME_DIRECTORY=$PWD/again.run
		"$BUILD/bin/parlance" restore saved
		echo "restore $?"
		"$BUILD/bin/parlance" room list
		echo "list $?"
		mount -o remount,size=20m small
		"$BUILD/bin/parlance" restore saved
		echo "restore $?"
		"$BUILD/bin/parlance" check
		echo "check $?"
	'
	assert_line --partial 'files/picture.png: could not be written: No space'
	assert_line --partial 'small/saved is no whole backup: remove it'
	assert_line 'backup 111'
	assert_line unfinished
	assert_line 'restore 111'
	assert_line --partial 'nobody can use small/again until this was run again'
	assert_line 'list 100'
	assert_line 'restore 0'
	assert_line 'check 0'
	run parlance check
	assert_success
}

@test "a read-only host can be saved" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	some_host
	run unshare -m bash -c '
		mount --bind state state && mount -o remount,ro,bind state || exit 99
		"$BUILD/bin/parlance" backup saved
	'
	assert_success
	again parlance restore saved
	run diff <(contents state) <(contents again)
	assert_success
}

# --- root's ------------------------------------------------------------------

hand_over() { # the host is another user's
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" \
		"${BATS_TEST_TMPDIR%/*}"
	chmod 644 "$PARLANCE_CONF"
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run/parlance
	install -d -m 750 -o "$OWNER" -g "$OWNER" state again
}

as_owner() {
	setpriv --reuid "$OWNER" --regid "$OWNER" --clear-groups "$@"
}

own_host() {
	hand_over
	echo secret | parlance user add alice
	parlance room say -u alice lobby hello
	as_owner sh -c 'echo file >state/files/file'
}

not_owners() {
	find "$@" ! \( -user "$OWNER" -group "$OWNER" \)
}

@test "root saves where only root may go, and all of it is the owner's" {
	own_host
	mkdir -m 700 roots
	umask 0077
	parlance backup roots/saved
	umask 022
	run not_owners roots/saved state run/parlance
	assert_output ''
	run stat -c %a roots/saved roots/saved/{rooms,rooms/lobby.txt,db,db/parlance.db}
	assert_output '750
2750
640
700
600'
	again parlance restore roots/saved
	run not_owners again again.run
	assert_output ''
	as_owner env STATE_DIRECTORY="$PWD/again" \
		RUNTIME_DIRECTORY="$PWD/again.run" "$BUILD/bin/parlance" check \
		2>/dev/null || again parlance check
}

@test "root is told where a restore makes root's what was another's" {
	own_host
	parlance backup saved
	run --separate-stderr again parlance restore saved
	assert_success
	assert_equal "$stderr" ''
	to=new run --separate-stderr again parlance restore saved
	assert_success
	assert_regex "$stderr" "new is root's, saved is not; .* chown -R USER: /"
}

@test "root restores what only root may read, and all of it is the owner's" {
	own_host
	mkdir -m 700 roots
	parlance backup roots/first
	(umask 077 && cp -r roots/first roots/saved)
	run not_owners roots/saved
	assert_line roots/saved/key || assert_line roots/saved/db/parlance.db
	run again parlance restore roots/saved
	assert_success
	assert_output --regexp '^restored 1 rooms, 1 files and 1 accounts, '
	run not_owners again again.run
	assert_output ''
	again parlance check
}

@test "root reads no file for the owner that was put into a backup as a hard link" {
	own_host
	parlance backup saved
	echo secret >secret
	chmod 600 secret
	ln secret saved/files/linked
	run again parlance restore saved
	assert_failure 1
	assert_output --partial 'files/linked: Permission denied; left out'
	[ "$(ls again/files)" = file ]
}

@test "root makes no directory through what the owner could change" {
	own_host
	mkdir -m 755 roots
	as_owner ln -s "$PWD/roots" state/link
	run parlance backup state/link/saved
	assert_failure 1
	assert_output --partial 'state/link/saved: another user could put'
	ln -s roots aside
	run parlance backup aside/saved
	assert_failure 1
	assert_output --partial 'name the directory itself'
	install -d -m 755 -o 61235 roots/theirs
	install -d -m 755 -o 61235 roots/theirs/empty
	run parlance backup roots/theirs/empty
	assert_failure 1
	assert_output --partial 'theirs/empty: another user could put'
	[ "$(find roots ! -type d)" = '' ]
	[ "$(stat -c %u roots/theirs/empty)" = 61235 ]
	# A third user, whom root named, is root's choice.
	parlance backup roots/theirs/saved
	# As the owner itself, through whatever it likes.
	as_owner ln -s "$PWD/again" state/mine
	parlance backup state/mine/saved
	[ -e again/saved/version ]
}

# --- what is shown -----------------------------------------------------------

@test "a terminal is shown how far it is, a pipe is not" {
	some_host
	run script -qec "'$BUILD/bin/parlance' backup saved" /dev/null
	assert_success
	assert_output --partial $'\rsaving: '
	assert_output --partial $'\r\033[K'
	assert_output --partial 'saved 2 rooms, 1 files and 2 accounts'
	parlance backup other >out 2>err
	[ ! -s err ]
	[ "$(wc -l <out)" = 1 ]
}

# --- and then ----------------------------------------------------------------

inbox() { # as toychat tells alice
	printf 'login alice secret\r\ncheckinbox\r\n' |
		again "$BUILD/handlers/toychat" 2>/dev/null | tr -d '\r'
}

@test "who is logged in where a host was restored hears what is said from then on" {
	some_host
	for n in 1 2 3; do
		parlance room say -u bob lobby "$n"
	done
	parlance backup saved
	# The database is the older, so a mark past the end is somebody's work.
	sed -i '/^[23]$/,+1d' saved/rooms/lobby.txt
	sqlite3 saved/db/parlance.db 'UPDATE users SET lobby_seen = 4'
	again parlance restore saved
	run inbox
	assert_output 'success
inbox'
	again parlance room say -u bob lobby 'here again'
	run inbox
	assert_output 'success
inbox * 1'
}
