#!/usr/bin/env bats
# The invariant of chatfile: whatever happens, each client's file is as long as
# the server's and holds the same records, each whole. Real client, real server.
# suite: slow
# Called by kill_everywhere.
# shellcheck disable=SC2317
load client

setup() {
	environment "$BATS_TEST_TMPDIR"
	export TZ=UTC CHATFILE_PASSWORD='the password'
	there=$STATE_DIRECTORY/rooms/lobby.txt
	log=$BATS_TEST_TMPDIR/log
	pids=()
	cd "$BATS_TEST_TMPDIR" || exit 1
}

teardown() {
	end "${pids[@]}"
}

serve() { # serve [PORT [ADDRESS]]
	: >"$log"
	"$BUILD/bin/chatfiled" -a "${2:-127.0.0.1}" -p "${1:-0}" 2>"$log" 3>&- &
	server=$!
	pids+=("$server")
	await grep -q 'event=listening door=chatfile' "$log"
	port=$(sed -n 's/.*event=listening .*address=[^ ]*:\([0-9]*\).*/\1/p' \
		"$log" | head -n 1)
	url=http://127.0.0.1:$port/rooms/lobby.txt
}

account() {
	echo "$CHATFILE_PASSWORD" | "$BUILD/bin/parlance" user add "$1"
}

folder() { # folder USER: a client's folder, synced
	mkdir "$BATS_TEST_TMPDIR/$1"
	cd "$BATS_TEST_TMPDIR/$1" || exit 1
	chatfile -u "$1" "$url"
}

killed_soon() {
	timeout -s KILL "0.$(printf %03d $((RANDOM % 120)))" \
		"$BUILD/bin/chatfile" lobby.txt
} 2>/dev/null # the shell's "Killed"

# One client: posts N messages, some with lines more; every other exchange is
# killed after a moment. What fails is done again.
client() { # client USER N
	local n tries
	cd "$BATS_TEST_TMPDIR/$1" || exit 1
	for ((n = 1; n <= $2; n++)); do
		printf '%s says %d' "$1" "$n" >>lobby.txt
		[ $((n % 3)) = 0 ] || echo >>lobby.txt
		[ $((n % 7)) != 0 ] || printf '\n\\\\ and\n\nmore' >>lobby.txt
		[ $((n % 2)) != 0 ] || ! killed_soon || continue
		tries=0
		until "$BUILD/bin/chatfile" lobby.txt; do
			tries=$((tries + 1))
			[ $tries -lt 30 ] || exit 1
		done
	done
}

# Ends the story: all fetch, then all is compared.
assert_invariant() { # assert_invariant N USER...
	local n=$1 user i
	shift
	for user; do
		(cd "$BATS_TEST_TMPDIR/$user" && chatfile lobby.txt)
	done
	for user; do
		cd "$BATS_TEST_TMPDIR/$user" || exit 1
		assert_synced
	done
	run "$BUILD/bin/parlance" room check
	assert_success
	# Each message once, and nothing else.
	for user; do
		for ((i = 1; i <= n; i++)); do
			echo "$user says $i"
		done
	done | sort >"$BATS_TEST_TMPDIR/expected"
	grep -E '^c[0-9] says [0-9]+$' "$there" | sort |
		diff - "$BATS_TEST_TMPDIR/expected"
	assert_equal "$(records "$there" | wc -l)" $(($# * n))
	run grep -cvE '^(c[0-9] says [0-9]+|\\\\ and|more|)$|^\\c[0-9] @ [-0-9T:]+Z chatfile key=[0-9a-f]{32}$' "$there"
	assert_output 0
}

# Eight clients; meanwhile, a command again and again.
run_clients() { # run_clients N [COMMAND]
	local n=$1 users="c1 c2 c3 c4 c5 c6 c7 c8" user waiting=()
	shift
	for user in $users; do
		account "$user"
	done
	serve
	for user in $users; do
		folder "$user"
	done
	for user in $users; do
		client "$user" "$n" 3>&- &
		waiting+=($!)
	done
	pids+=("${waiting[@]}")
	while [ $# -gt 0 ] && kill -0 "${waiting[@]}" 2>/dev/null; do
		"$@"
	done
	for pid in "${waiting[@]}"; do
		wait "$pid"
	done
	# shellcheck disable=SC2086
	assert_invariant "$n" $users
}

@test "eight clients, killed in the midst of it: nothing lost, twice or torn" {
	run_clients $((20 * TEST_SCALE))
}

kill_a_handler() {
	local children
	read -r -a children <"/proc/$server/task/$server/children" || true
	for pid in "${children[@]}"; do
		case $(readlink "/proc/$pid/exe" 2>/dev/null) in
		*/handlers/chatfile) kill -KILL "$pid" 2>/dev/null || true ;;
		esac
		break
	done
	read -rt 0.15 <> <(:) || true
}

@test "eight clients while their handlers are killed, too" {
	run_clients $((5 * TEST_SCALE)) kill_a_handler
}

prepare() {
	"$BUILD/bin/parlance" room say -u bob lobby "news $1"
	printf 'mine %d\n' "$1" >>lobby.txt
}

@test "a client killed at every system call of an exchange posts once" {
	account alice
	account bob
	serve
	folder alice
	kill_everywhere 0
}

@test "a client killed at every system call, then more typed: all once" {
	account alice
	account bob
	serve
	folder alice
	more() { printf 'later %d\n' "$1" >>lobby.txt; }
	finally() { times 1 "later $1"; }
	kill_everywhere 1
}

follow() { # follow USER
	cd "$BATS_TEST_TMPDIR/$1" || exit 1
	"$BUILD/bin/chatfile" -f lobby.txt >out 2>&1 3>&- &
	pids+=("$!")
}

is_synced() {
	[ "$(stat -c %s lobby.txt)" = "$(stat -c %s "$there")" ] &&
		[ "$(records lobby.txt)" = "$(records "$there")" ]
}

@test "followers talk to each other, through a restart of the server" {
	account alice
	account bob
	serve
	folder alice
	folder bob
	follow alice
	follow bob
	for ((i = 1; i <= 5 * TEST_SCALE; i++)); do
		echo "from alice $i" >>../alice/lobby.txt
		await grep -qx "from alice $i" ../bob/lobby.txt
		echo "from bob $i" >>../bob/lobby.txt
		await grep -qx "from bob $i" ../alice/lobby.txt
	done
	kill "$server"
	wait "$server" || true
	echo "typed meanwhile" >>../alice/lobby.txt
	serve "$port"
	await grep -qx "typed meanwhile" ../bob/lobby.txt
	for user in alice bob; do
		cd "../$user" || exit 1
		await is_synced
	done
	assert_equal "$(grep -c 'from alice' lobby.txt)" $((5 * TEST_SCALE))
}

has_lines() { # has_lines N TEXT
	[ -e "$there" ] && [ "$(grep -c "^$2 [0-9]*\$" "$there")" -ge "$1" ]
}

@test "typing all the while, followers killed all the while: each line once" {
	account alice
	account bob
	serve
	folder alice
	folder bob
	local followers=() user i n count=$((100 * TEST_SCALE))
	for user in alice bob; do
		for ((i = 1; i <= count; i++)); do
			echo "$user types $i" >>"../$user/lobby.txt"
			[ $((i % 4)) != 0 ] || read -rt 0.01 <> <(:) || true
		done 3>&- &
		pids+=("$!")
	done
	for ((n = 1; n <= 10; n++)); do
		for user in alice bob; do
			cd "../$user" || exit 1
			"$BUILD/bin/chatfile" -f lobby.txt >>out 2>&1 3>&- &
			followers+=($!)
		done
		await has_lines $((count * n / 10)) 'alice types'
		await has_lines $((count * n / 10)) 'bob types'
		kill -KILL "${followers[@]}"
		wait "${followers[@]}" 2>/dev/null || true
		followers=()
	done
	for user in alice bob alice bob; do
		cd "../$user" || exit 1
		chatfile lobby.txt
	done
	for user in alice bob; do
		cd "../$user" || exit 1
		# One fetch is missing where the other had something to send.
		chatfile lobby.txt
		assert_synced
		assert_equal "$(cat out)" ""
		for ((i = 1; i <= count; i++)); do
			echo "$user types $i"
		done | diff - <(grep "^$user types" "$there")
	done
	run grep -cvE '^(alice|bob) types [0-9]+$|^\\(alice|bob) @ ' "$there"
	assert_output 0
}

@test "a server on an IPv6 address" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	account alice
	serve 0 ::1
	mkdir work
	cd work || exit 1
	echo hello >lobby.txt
	run -0 chatfile -u alice "http://[::1]:$port/rooms/lobby.txt"
	assert_synced
	echo "machine ::1 login alice password x" >"$HOME/.netrc"
	unset CHATFILE_PASSWORD
	run -1 setsid "$BUILD/bin/chatfile" lobby.txt
	assert_output --partial 'wrong user or password'
}

@test "wrong password, unknown user, no such place: told as they are" {
	account alice
	serve
	mkdir work
	cd work || exit 1
	CHATFILE_PASSWORD=wrong run -1 chatfile -u alice "$url"
	assert_output 'chatfile: wrong user or password, for user alice'
	run -1 chatfile -u nobody "$url"
	assert_output --partial 'wrong user or password'
	run -1 chatfile -u alice "http://127.0.0.1:$port/rums/lobby.txt"
	assert_output --partial 'no place for lobby.txt (404'
	assert_equal "$(ls -A)" ""
}

@test "a room that was deleted on the server: 416, then --resync" {
	account alice
	serve
	folder alice
	echo one >>lobby.txt
	chatfile lobby.txt
	"$BUILD/bin/parlance" room del --yes lobby
	echo two >>lobby.txt
	run -1 chatfile lobby.txt
	assert_output --partial '--resync fetches it anew'
	run -0 chatfile --resync lobby.txt
	assert_synced
	times 1 two
	grep -qx one lobby.txt.old
}
