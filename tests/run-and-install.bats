# suite: slow
# make run and make install, as a new user meets them.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
load serve

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
	unset "${!PARLANCE_@}" STATE_DIRECTORY RUNTIME_DIRECTORY
	export HOME=$BATS_TEST_TMPDIR VAR=$BATS_TEST_TMPDIR/var
	log=$BATS_TEST_TMPDIR/log out=$BATS_TEST_TMPDIR/out
	serve='' started=()
}

# Handlers and helpers run from $BUILD here: by their parent and session.
teardown() {
	local pid
	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null || continue
		await gone "$pid"
	done
	[ -n "$BATS_TEST_COMPLETED" ] || head -n 50 "$log" "$out"
}

run_start() { # helpers/run in a session of its own, until it listens
	: >"$out" # of an earlier one
	# What runs in the background ignores SIGINT, if nobody sees to it.
	setsid env --default-signal=INT helpers/run hchat=0 bcs=0 toychat=0 "$@" >"$out" 2>"$log" </dev/null 3>&- &
	serve=$!
	started=("$serve")
	await up_or_dead
	grep -q 'Ctrl-C' "$out"
}

up_or_dead() { grep -q 'Ctrl-C' "$out" || gone "$serve"; }

# The lines that run says can be pasted, from one that begins so on.
pasted() { # pasted FIRST
	awk -v first="$1" 'index($0, first) { on = 1 }
	    on { print; on = /&&$/ }' "$out"
}

run_ends() { # run_ends SIGNAL: sent to all of its session, as a terminal does
	local children
	children=$(pgrep -P "$serve" || :)
	kill "-$1" -- "-$serve"
	wait "$serve"
	for pid in $children; do gone "$pid"; done
}

@test "make run: what it prints works when pasted, and Ctrl-C ends it" {
	run_start chatfile=0
	grep -q '^account alice, password ' "$out"
	run -0 bash -euc "$(pasted curl) -s"
	assert_line --regexp '^\\alice @ 20.* chatfile'
	if [ -x "$BUILD/bin/chatfile" ]; then
		run -0 bash -euc "$(pasted 'mkdir -p')"
		run -0 cat "$VAR/try/lobby.txt"
		assert_line --index 0 hello
		assert_line 'hello, world'
	fi
	run -0 bash -euc "$(pasted "'$BUILD/bin/bcs_client.py'")" <<<'/quit'
	run -0 bash -euc "$(pasted 'export PARLANCE_CONF')
		'$BUILD/bin/parlance' user list
		'$BUILD/bin/parlance' room show lobby"
	assert_line --regexp '^alice'
	assert_output --partial 'hello, world'
	run_ends INT
}

@test "make run: the second time the account is there, SIGTERM ends it" {
	run_start chatfile=0
	run_ends HUP
	run_start chatfile=0
	run -1 grep -q 'password [0-9a-f]' "$out"
	grep -q '^account alice' "$out"
	kill "$serve"
	wait "$serve"
}

@test "make run: a port that is taken is said, and what to do" {
	run_start chatfile=0
	local first=$serve port
	port=$(sed -n 's/^chatfile at .*://p' "$out")
	VAR=$BATS_TEST_TMPDIR/other run -111 timeout 20 \
		helpers/run hchat=0 bcs=0 toychat=0 "chatfile=$port" 3>&-
	assert_output --partial "port $port is taken"
	assert_output --partial "make run PORTS='chatfile=$((port + 1))'"
	kill "$first"
	wait "$first"
}

@test "make run: another folder's settings do not mislead it" {
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	STATE_DIRECTORY=$BATS_TEST_TMPDIR/elsewhere PARLANCE_CONF=/dev/null \
		run_start chatfile=0
	run_ends INT
	assert_equal "$(ls "$BATS_TEST_TMPDIR/elsewhere")" ''
	assert [ -e "$VAR/state/version" ]
}

make_in() { # make_in TARGET...: without building anything anew
	make --no-print-directory -s BUILD="$BUILD" DESTDIR="$dest" \
		PREFIX=/opt/parlance SYSCONFDIR=/opt/etc -o all "$@" 3>&-
}

@test "make install: it runs from there, and uninstall leaves nothing" {
	local dest=$BATS_TEST_TMPDIR/dest
	make_in install
	local opt=$dest/opt/parlance f
	for f in bin/chatfiled bin/parlance libexec/parlance/serve \
		libexec/parlance/fanout share/man/man8/parlance-serve.8 \
		share/man/man1/chatfiled.1 share/man/man5/parlance.conf.5; do
		assert [ -f "$opt/$f" ]
	done
	cmp etc/parlance.conf "$dest/opt/etc/parlance/parlance.conf"
	export STATE_DIRECTORY=$BATS_TEST_TMPDIR/state PARLANCE_CONF=/dev/null
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
	echo secret | "$opt/bin/parlance" user add bob
	serve_run "$opt/bin/chatfiled" -a ::1 -p 0
	await_listening
	run -0 curl -sg -u bob:secret -d hello \
		"http://[::1]:$(port_of chatfile)/rooms/lobby.txt"
	assert_line --regexp '^\\bob @ 20.* chatfile'
	assert_equal "$(readlink "/proc/$serve/exe")" \
		"$opt/libexec/parlance/serve"
	serve_stop
	started=()
	make_in uninstall
	assert_equal "$(find "$dest" ! -type d)" ''
	assert [ ! -e "$opt/libexec/parlance" ]
}

@test "make install: an edited parlance.conf is kept, and so by uninstall" {
	local dest=$BATS_TEST_TMPDIR/dest
	local conf=$dest/opt/etc/parlance/parlance.conf
	make_in install
	echo PARLANCE_GUESTS=no >>"$conf"
	make_in install
	run -0 tail -n 1 "$conf"
	assert_output PARLANCE_GUESTS=no
	make_in uninstall
	assert_equal "$(find "$dest" ! -type d)" "$conf"
}

@test "chatfiled: --help, --version, and what is no port" {
	run -0 "$BUILD/bin/chatfiled" --help
	assert_output --partial 'usage: chatfiled'
	run -0 "$BUILD/bin/chatfiled" --version
	assert_output --partial parlance
	run -100 "$BUILD/bin/chatfiled" -p 65536
	assert_output --partial 'not a port'
	run -100 "$BUILD/bin/chatfiled" 8080
	run -100 "$BUILD/bin/chatfiled" -x
}

@test "chatfiled: every address, IPv4 and IPv6, unless -a says which" {
	export STATE_DIRECTORY=$BATS_TEST_TMPDIR/state PARLANCE_CONF=/dev/null
	export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
	local host
	serve_run "$BUILD/bin/chatfiled" -p 0
	await_listening
	for host in 127.0.0.1 '[::1]'; do
		run -0 curl -sgo /dev/null -w '%{http_code}' \
			"http://$host:$(port_of chatfile)/rooms/"
		assert_output 401
	done
	serve_stop
	serve_run "$BUILD/bin/chatfiled" -p 0 -a 127.0.0.1
	await_listening
	run -7 curl -sg "http://[::1]:$(port_of chatfile)/rooms/"
	serve_stop
}
