# shellcheck shell=bash
# For tests of serve: a scratch tree with serve and stub handlers, started and
# ended, and connections to it.
#
#	setup() { serve_setup; }    teardown() { serve_teardown; }
#	serve_start chatfile=127.0.0.1:0     sets $serve (pid) and $log
#	connect c "$(port_of chatfile)"      descriptor in $c, handler in $hi
load environment

serve_setup() {
	environment "$BATS_TEST_TMPDIR"
	unset "${!PARLANCE_CONNECTIONS@}"
	tree=$BATS_TEST_TMPDIR/libexec
	log=$BATS_TEST_TMPDIR/log
	serve='' started=()
	mkdir "$tree"
	cp "$BUILD/helpers/serve" "$tree"
	cp "$BUILD/tests/bin/stub" "$tree/chatfile"
	ln "$tree/chatfile" "$tree/bcs"
	ln "$tree/chatfile" "$tree/toychat"
	ln "$tree/chatfile" "$tree/fanout"
}

# serve_front NAME: bin/NAME and, as in the build tree, helpers/ beside it, here.
serve_front() {
	cd "$BATS_TEST_TMPDIR" || return
	ln -s libexec helpers
	mkdir bin
	cp "$BUILD/bin/$1" bin
}

await_log() { # await_log PATTERN [COUNT]
	await logged "$1" "${2:-1}"
}

logged() { # logged PATTERN [COUNT]: at least so often
	[ "$(grep -cE -e "$1" "$log")" -ge "${2:-1}" ]
}

gone() { # gone PID: ended and reaped, or nobody's zombie any more
	case $(ps -o stat= -p "$1") in '' | Z*) return 0 ;; *) return 1 ;; esac
}

# What runs from the scratch tree.
left_behind() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$BATS_TEST_TMPDIR/*" \
		-printf '%h\n' 2>/dev/null | sed 's,/proc/,,'
}

nothing_left() { [ -z "$(left_behind)" ]; }

serve_run() { # serve_run COMMAND...: in the background, its log in $log
	"$@" 2>"$log" </dev/null 3>&- &
	serve=$!
	started+=("$serve")
}

serve_start() { # serve_start ARGUMENT...: until it listens
	serve_run "$tree/serve" "$@"
	await_listening
}

await_listening() {
	await listening_or_dead
	logged event=listening || { cat "$log" && return 1; }
}

listening_or_dead() { logged event=listening || gone "$serve"; }

serve_stop() { # and it must end well
	kill "$serve"
	wait "$serve"
}

reload() { # and wait until it is done
	local before
	before=$(grep -c event=reload "$log" || :)
	kill -HUP "$serve"
	await_log event=reload $((before + 1))
}

setting_is() { # setting_is PORT NAME VALUE, for a new connection
	local e
	connect e "$1"
	ask "$e" "env $2"
	hangup "$e"
	[ "$answer" = "$3" ]
}

# What a handler of the sanitizer build dies of.
refute_sanitizer() {
	! grep -sE 'ERROR: .*Sanitizer|runtime error:' "$log"
}

serve_teardown() {
	local pid
	for pid in "${started[@]}" $(left_behind); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	wait
	await nothing_left
	refute_sanitizer
	[ -n "$BATS_TEST_COMPLETED" ] || head -n 50 "$log"
}

port_of() { # port_of DOOR [N]: of its Nth TCP address
	sed -nE "s/.*event=listening door=$1 address=.*:([0-9]+)\$/\1/p" "$log" |
		sed -n "${2:-1}p"
}

connect() { # connect VARIABLE PORT [HOST]: reads the stub's greeting
	local fd
	exec {fd}<>"/dev/tcp/${3:-127.0.0.1}/$2" || return
	printf -v "$1" %s "$fd"
	read -rt 15 -u "$fd" hi || return
	hi=${hi#hi }
}

hangup() { # hangup FD
	local fd=$1
	exec {fd}>&-
}

ask() { # ask FD LINE: the answer is in $answer
	echo "$2" >&"$1"
	# shellcheck disable=SC2034 # for the caller
	read -rt 15 -u "$1" answer
}
