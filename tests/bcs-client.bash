# What the tests of bcs_client.py share: the scripted server, the client in a
# pipe, and a terminal to look at.
# shellcheck shell=bash
# Names set here are for the tests.
# shellcheck disable=SC2034

load terminal

client_setup() {
	terminal_setup
	cd "$BATS_TEST_TMPDIR" || exit 1
	pids=() got=/dev/null
}

client_teardown() {
	terminal_teardown
	end "${pids[@]}"
}

# --- the server that does what it is told ------------------------------------

fake() { # starts it; what it gets is in $got, its port in $port
	got=$BATS_TEST_TMPDIR/got
	mkfifo "$BATS_TEST_TMPDIR/orders"
	exec {orders}<>"$BATS_TEST_TMPDIR/orders"
	"$BATS_TEST_DIRNAME/bcs_fake_server.py" <&"$orders" >>"$got" 3>&- &
	pids+=("$!")
	await grep -q '^port' "$got"
	port=$(sed -n 's/^port //p' "$got")
	alice=("$BUILD/bin/bcs_client.py" -h 127.0.0.1 -p "$port" -u alice)
}

# The real one, with the log of the conversation in chat.log.
real() { # real [SETTING=VALUE]...
	environment "$BATS_TEST_TMPDIR"
	env "$@" "$BUILD/bin/bcs_server" -a 127.0.0.1 -p 0 -l chat.log \
		2>server.log 3>&- &
	pids+=("$!")
	await grep -q event=listening.door=bcs server.log
	port=$(sed -n 's/.*door=bcs address=.*:\([0-9]*\)$/\1/p' server.log)
	alice=("$BUILD/bin/bcs_client.py" -h 127.0.0.1 -p "$port" -u alice)
}

tell() { # tell COMMAND...: see tests/bcs_fake_server.py
	printf '%s\n' "$*" >&"$orders"
}

got() { # got LINE [COUNT]: the server was sent this, so often at least
	[ "$(grep -cxF -- "$1" "$got")" -ge "${2:-1}" ]
}

# --- the client --------------------------------------------------------------

client() { # client [OPTION]...: as alice
	"${alice[@]}" "$@"
}

# In the background, its input to be written to $in.
listening() { # listening [OPTION]...: what it shows is in out and err
	mkfifo in
	exec {in}<>in
	"${alice[@]}" "$@" <in >out 2>err 3>&- {in}>&- {orders}>&- &
	client_pid=$!
	pids+=("$client_pid")
	await got 'register alice'
}

hears() { # hears LINE: it stands in the client's output
	grep -qxF -- "$1" out
}

# --- a terminal --------------------------------------------------------------

at_terminal() { # at_terminal [OPTION]...: alice sits there
	[ -S "$BATS_TEST_TMPDIR/tmux" ] || shell
	types "clear; $BUILD/bin/bcs_client.py -h 127.0.0.1 -p $port -u alice $*"
	press Enter
	await last_line 'alice>'
}
