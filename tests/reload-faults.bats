# SIGHUP where something is wrong: with the new settings or programs, before
# serve executes itself or after, and with the machine. Whoever is connected
# does not notice.
# shellcheck disable=SC2154 # c, d, hi, answer: set by name, in serve.bash
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
load serve

setup() {
	serve_setup
	export STUB_TEMPLATE=1 tree
}

teardown() {
	serve_teardown
}

# before_exec COMMAND: what is to happen between the check and the exec of the
# next reload.
before_exec() {
	mv "$tree/serve" "$tree/real"
	cat >"$tree/serve" <<-END
		#!/bin/bash
		if [ "\$1" = -t ]; then
			"$tree/real" "\$@" || exit
			$1
			exit 0
		fi
		exec "$tree/real" "\$@"
	END
	chmod 755 "$tree/serve"
}

still() { # still FD: who was connected is, to the same handler
	ask "$1" "are you there"
	assert_equal "$answer" "are you there"
}

@test "settings that go bad after their check: the old ones are kept, and named" {
	printf '%s\n' PARLANCE_RATE=3 PARLANCE_HASH_SLOTS=5 >"$PARLANCE_CONF"
	PARLANCE_CREATE_RATE=9 serve_start chatfile=127.0.0.1:0
	local port
	port=$(port_of chatfile)
	connect c "$port"
	before_exec "printf '%s\n' PARLANCE_FILE_MAX=1 PARLANCE_RATE=x >$PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections=1'
	assert logged 'event=reload error="PARLANCE_RATE=x: .* so="the old settings'
	still "$c"
	assert setting_is "$port" PARLANCE_RATE 3
	assert setting_is "$port" PARLANCE_HASH_SLOTS 5
	assert setting_is "$port" PARLANCE_CREATE_RATE 9
	assert setting_is "$port" PARLANCE_FILE_MAX -
	# From there it goes on as ever.
	reload
	assert logged 'event=reload error="the new settings'
	echo PARLANCE_RATE=4 >"$PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections=1' 2
	assert setting_is "$port" PARLANCE_RATE 4
	assert setting_is "$port" PARLANCE_HASH_SLOTS -
	still "$c"
	serve_stop
}

@test "a settings file that is gone after its check: the old settings are kept" {
	echo PARLANCE_RATE=3 >"$PARLANCE_CONF"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	before_exec "rm $PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections=1'
	assert logged "event=reload error=\"$PARLANCE_CONF: No such file"
	assert setting_is "$(port_of chatfile)" PARLANCE_RATE 3
	still "$c"
	serve_stop
}

@test "a handler that is gone after the check is named, and used when it is back" {
	serve_start chatfile=127.0.0.1:0 bcs=127.0.0.1:0
	connect c "$(port_of chatfile)"
	connect d "$(port_of bcs)"
	before_exec "mv $tree/bcs $tree/away"
	kill -HUP "$serve"
	await_log 'event=reload connections=2'
	assert logged "event=reload handler=$tree/bcs"
	still "$c"
	still "$d"
	mv "$tree/away" "$tree/bcs"
	connect d "$(port_of bcs)"
	serve_stop
}

@test "a conversation's log that cannot be opened again goes on as it is" {
	local chat=$BATS_TEST_TMPDIR/chat.log
	serve_start -l "$chat" bcs=127.0.0.1:0
	connect c "$(port_of bcs)"
	before_exec "mv $chat $chat.1; mkdir $chat"
	kill -HUP "$serve"
	await_log 'event=reload connections=1'
	assert logged "event=reload log=$chat error="
	echo "die 9" >&"$c"
	await grep -q signal=9 "$chat.1"
	connect c "$(port_of bcs)"
	ask "$c" 'env PARLANCE_LOG_FD'
	assert [ "$answer" -gt 2 ]
	rmdir "$chat"
	kill -HUP "$serve"
	await_log 'event=reload connections=1' 2
	echo "die 6" >&"$c"
	await grep -q signal=6 "$chat"
	serve_stop
}

@test "a program that cannot start, crashes or changed meanwhile is not executed" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	local what n=0
	for what in '#!/nowhere' '' $'#!/bin/sh\nkill -SEGV $$' \
		$'#!/bin/sh\nexit 1' $'#!/bin/sh\nmv "$0.2" "$0"'; do
		echo "$what" >"$tree/new"
		printf '#!/bin/sh\nexit 3\n' >"$tree/serve.2"
		chmod 755 "$tree/new" "$tree/serve.2"
		mv "$tree/new" "$tree/serve"
		kill -HUP "$serve"
		await_log 'event=reload error=' $((n += 1))
		still "$c"
	done
	refute logged 'event=reload connections'
	connect d "$(port_of chatfile)"
	serve_stop
}

@test "a check that hangs is ended, and all is as before" {
	[ "$TEST_SCALE" -gt 1 ] || skip "takes 10 seconds: make check-long"
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	printf '#!/bin/sh\nkill -STOP $$\n' >"$tree/new"
	chmod 755 "$tree/new"
	mv "$tree/new" "$tree/serve"
	reload
	assert logged 'event=reload error='
	still "$c"
	serve_stop
}

@test "a version that cannot read what it would be handed is not executed" {
	serve_start chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	PARLANCE_SERVE_HANDOVER='format 1' run -0 "$tree/serve" -t \
		chatfile=127.0.0.1:0
	before_exec :
	sed -i '3i\	export PARLANCE_SERVE_HANDOVER="format 2"' "$tree/serve"
	reload
	assert logged 'handover="format 2" error='
	assert logged 'event=reload error='
	still "$c"
	serve_stop
}

# A predecessor of another version, which has told more and less.
@test "what another version handed over is taken in, as far as it makes sense" {
	cat >"$BATS_TEST_TMPDIR/other.py" <<-'END'
	import os, socket, subprocess, sys
	s = socket.create_server(("127.0.0.1", 0))
	client = socket.create_connection(s.getsockname())
	waiting, (host, port) = s.accept()
	fd = os.memfd_create("other", 0)
	child = subprocess.Popen(["sleep", "1000"]).pid
	text = f"""serve 9 {os.getpid()}
	unheard of
	setting PARLANCE_RATE=x
	setting
	listener {s.fileno()} -1 -1 chatfile 127.0.0.1:{s.getsockname()[1]}
	listener 999 -1 -1 chatfile 127.0.0.1:1
	listener {s.fileno()} -1 -1 telnet 127.0.0.1:1
	listener
	helper 0 0 0 fanout
	with fanout
	connection {child} bcs 0 7 192.0.2.1
	connection x bcs 0 7 192.0.2.1
	connection {child}
	waiting {waiting.fileno()} chatfile 0 {port} {host} and more
	waiting 998 chatfile 0 1 192.0.2.1
	"""
	os.write(fd, text.replace("\t", "").encode())
	for n in fd, s.fileno(), waiting.fileno(), client.fileno():
	    os.set_inheritable(n, True)
	os.environ["PARLANCE_SERVE_HANDOVER"] = str(fd)
	print("port", s.getsockname()[1], "child", child,
	      file=sys.stderr, flush=True)
	os.set_blocking(s.fileno(), False)
	os.execv(sys.argv[1], [sys.argv[1], "chatfile=127.0.0.1:0"])
	END
	serve_run python3 "$BATS_TEST_TMPDIR/other.py" "$tree/serve"
	await_log 'event=reload connections=1'
	local port child
	read -r _ port _ child < <(grep '^port' "$log")
	started+=("$child")
	connect c "$port"
	kill -KILL "$child"
	await_log "event=exit door=bcs pid=$child signal=9 peer=192.0.2.1:7"
	kill -HUP "$serve"
	await_log 'event=reload connections=2'
	still "$c"
	serve_stop
}

descriptors() { find "/proc/$serve/fd" -mindepth 1 -printf '%f\n'; }

@test "out of descriptors a reload is refused, or done: nobody is dropped" {
	serve_start -l "$BATS_TEST_TMPDIR/chat" bcs=127.0.0.1:0 chatfile=127.0.0.1:0
	connect c "$(port_of chatfile)"
	connect d "$(port_of bcs)"
	local used n done=0
	for n in 0 1 2 3 4; do
		used=$(descriptors | sort -n | tail -1)
		prlimit --pid "$serve" --nofile=$((used + n)):
		reload
		still "$c"
		still "$d"
		await_log 'event=reload (connections|error)' $((done += 1))
	done
	assert logged 'event=reload error="Too many open files"'
	assert logged 'event=reload connections=2'
	refute logged 'event=reload error=.* so='
	prlimit --pid "$serve" --nofile=1024:
	reload
	connect d "$(port_of chatfile)"
	serve_stop
}

@test "a serve whose file was replaced before it ever looked takes the new one" {
	local port
	exec {e}<"$tree/serve"
	mv "$tree/serve" "$tree/older"
	cp "$tree/older" "$tree/serve"
	rm "$tree/older"
	serve_start_deleted() { exec "/proc/self/fd/$e" chatfile=127.0.0.1:0; }
	serve_run serve_start_deleted
	await_listening
	assert_equal "$(readlink "/proc/$serve/exe")" "$tree/older (deleted)"
	cp "$tree/serve" "$tree/older"
	connect c "$(port_of chatfile)"
	reload
	assert logged 'event=reload connections=1'
	assert_equal "$(readlink "/proc/$serve/exe")" "$tree/older"
	still "$c"
	serve_stop
}

# --- what stays as it was -------------------------------------------------

@test "the host's directories stay: another one in the settings is told of" {
	local state=$STATE_DIRECTORY
	unset STATE_DIRECTORY
	echo "STATE_DIRECTORY=$state" >"$PARLANCE_CONF"
	serve_start chatfile=127.0.0.1:0
	kill -HUP "$serve"
	await_log 'event=reload connections'
	echo "STATE_DIRECTORY=$state/../state/" >"$PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections' 2
	refute logged 'setting=STATE_DIRECTORY'
	echo "STATE_DIRECTORY=$state.other" >"$PARLANCE_CONF"
	kill -HUP "$serve"
	await_log 'event=reload connections' 3
	assert logged "event=reload setting=STATE_DIRECTORY kept=$state warning="
	assert setting_is "$(port_of chatfile)" STATE_DIRECTORY "$state"
	assert [ ! -e "$state.other" ]
	export STATE_DIRECTORY=$state
	serve_stop
}

helper_pid() { sed -nE 's/^stub ([0-9]*) parent.*/\1/p' "$log" | tail -1; }

@test "a helper with an older program or older settings is told of until it is anew" {
	unset PARLANCE_SANDBOX # which would win
	serve_start chatfile=127.0.0.1:0
	await_log '^stub'
	local first
	first=$(helper_pid)
	reload
	refute logged event=helper
	cp "$tree/fanout" "$tree/new"
	mv "$tree/new" "$tree/fanout"
	reload
	assert logged "event=helper name=fanout pid=$first old=program warning="
	echo PARLANCE_SANDBOX=off >"$PARLANCE_CONF"
	reload
	assert logged "event=helper name=fanout pid=$first old=settings"
	reload
	assert logged "event=helper name=fanout pid=$first old=settings" 2
	kill "$first"
	await_log '^stub .* parent' 2
	reload
	refute logged "event=helper name=fanout pid=$(helper_pid)"
	refute gone "$(helper_pid)"
	serve_stop
}
