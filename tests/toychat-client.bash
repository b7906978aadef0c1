# What the tests of the toychat client share: a server, real or fake, the client
# in a pipe and at a terminal.
# shellcheck shell=bash
# Names set here are for the tests.
# shellcheck disable=SC2034
# Functions are called with arguments and without.
# shellcheck disable=SC2119,SC2120

load terminal

client_setup() {
	terminal_setup
	environment "$BATS_TEST_TMPDIR"
	export PARLANCE_MIN_FREE=0 TZ=UTC
	unset TOYCHAT_TIMEOUT TOYCHAT_INTERVAL
	cd "$BATS_TEST_TMPDIR" || exit 1
	mkdir here && cd here || exit 1
	log=$BATS_TEST_TMPDIR/log got=$BATS_TEST_TMPDIR/got pids=()
	: >"$got"
}

client_teardown() {
	terminal_teardown
	end "${pids[@]}"
}

# --- servers -----------------------------------------------------------------

door() { # door [OPTION]...: the real one; its TCP port is in $port
	"$BUILD/bin/toychatd" -p 0 "$@" 2>"$log" </dev/null 3>&- &
	server=$!
	pids+=("$server")
	await up_or_dead
	up || fail "$(cat "$log")"
	port=$(sed -nE '0,/event=listening/s/.*:([0-9]+)$/\1/p' "$log")
}

# The Unix socket is the last.
up_or_dead() { up || ! kill -0 "$server" 2>/dev/null; }
up() { grep -q 'event=listening door=toychat address=/' "$log"; }

fake() { # fake STEP...: see tests/toychat_fake_server.py
	: >"$got" # what one before it said does not count
	"$BATS_TEST_DIRNAME/toychat_fake_server.py" \
		"$BATS_TEST_TMPDIR/fake.sock" "$@" >"$got" 2>&1 3>&- &
	server=$!
	pids+=("$server")
	await grep -q ready "$got"
}

# --- the client --------------------------------------------------------------

toychat() { # of the real server
	"$BUILD/bin/toychat" "$@"
}

faked() { # of the fake one
	"$BUILD/bin/toychat" -s "$BATS_TEST_TMPDIR/fake.sock" "$@"
}

register() { # register NAME...: each has the password secret
	local name
	for name; do
		toychat <<<"register $name secret" >/dev/null ||
			fail "register $name"
	done
}

as() { # as NAME: commands from standard input, without the answer to login
	{ echo "login $1 secret" && cat; } | toychat | tail -n +2
}

at_terminal() { # at_terminal [OPTION]...: somebody sits there
	[ -S "$BATS_TEST_TMPDIR/tmux" ] || shell
	types "clear; $BUILD/bin/toychat $*"
	press Enter
	await last_line 'toychat>'
}

enter() { # enter LINE
	types "$1"
	press Enter
}

logged_in() { # logged_in NAME: at the terminal
	at_terminal
	enter "login $1"
	await last_line 'Password:'
	enter secret
	await shows "^$1.*>"
}
