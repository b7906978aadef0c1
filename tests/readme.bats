#!/usr/bin/env bats
# The README, run: `make run` and then every line of its ```sh blocks, in the
# order they stand, as a new user would paste them. In a network namespace of
# its own, where the default ports are free.
load environment

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	[ "$(id -u)" = 0 ] || skip "needs root, for a network namespace"
	# A checkout of links, so that var/ is the test's own.
	home=$BATS_TEST_TMPDIR/home
	host=$BATS_TEST_TMPDIR/parlance
	mkdir -p "$home" "$host"
	for f in "$root"/*; do
		[ "${f##*/}" = var ] || ln -s "$f" "$host/"
	done
}

# What stands between ```sh and ```.
readme_commands() {
	# shellcheck disable=SC2016 # backquotes, no command
	sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$root/README.md"
}

@test "every command of the README works as it stands" {
	cat >"$BATS_TEST_TMPDIR/session" <<-'E'
		ip link set lo up
		cd "$host"
		make run >"$home/run.log" 2>&1 &
		run=$!
		trap 'kill -TERM $run; wait $run || :' EXIT
		until grep -q 'Ctrl-C' "$home/run.log"; do
			kill -0 $run || { cat "$home/run.log"; exit 1; }
			read -r -t 0.1 <> <(:) || :
		done
		set -e -o pipefail
		. "$commands"
	E
	readme_commands >"$BATS_TEST_TMPDIR/commands"
	export home host HOME=$home commands=$BATS_TEST_TMPDIR/commands
	run unshare -n bash "$BATS_TEST_TMPDIR/session"
	assert_success
	# bob reads what alice wrote; curl brings the milk; the filter answers
	assert_line 'Anyone for tea?'
	assert_line --partial '@ 20'
	assert_line 'With milk.'
	assert_line --regexp '^HTTP/1.1 200 OK'
	assert_line --partial 'The kettle is on.'
	# the web door: by number, waited for, and all of it
	assert_line --regexp '^Chat-Author: alice'
	assert_line --partial 'Keep me a piece.'
	assert_line --regexp '^\\~anonymous @ 20.* hchat'
	# the binary door: a talk, an upload in the browser, the log
	assert_line 'ann: Who goes shopping?'
	assert_line --regexp '^\\~ann @ 20.* bcs file=list.txt$'
	assert_line 'Milk, bread, tea'
	assert_line --regexp '^time=20.* event=register user=ben peer='
	assert_line --regexp '^time=20.* event=message user=ben .* text="I.ll go."$'
	# the text door: what bob sends waits for alice, a file comes to bob
	assert_line 'file list.txt 17'
	assert_line --regexp '^inbox \* [0-9]+ bob 1'
	assert_line --regexp '^message 20.* bob alice Two sugars\?'
	assert_line --regexp '^time=20.* event=disconnect user=ben peer='
	assert_line "I'll go."
	# saved, and there again
	assert_line --regexp '^saved [0-9]+ rooms, [1-9][0-9]* files and [0-9]+ accounts, .* in saved$'
	assert_line --regexp '^restored [0-9]+ rooms, [1-9][0-9]* files and '
	refute_line --partial '404 Not Found'
}
