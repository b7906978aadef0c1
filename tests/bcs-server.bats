# bcs_server: its options, and the log of the conversation. First with stub
# handlers in a scratch tree, then with the real one.
# shellcheck disable=SC2154 # c, d, hi, answer: set by name, in serve.bash
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
load serve

setup() {
	serve_setup
	serve_front bcs_server
	chatlog=$BATS_TEST_TMPDIR/'chat of today.log'
}

teardown() {
	serve_teardown
	no_disk small
}

refused() { # refused STATUS TEXT ARGUMENT...
	run -"$1" timeout 10 bin/bcs_server -a 127.0.0.1 -p 0 "${@:3}" 3>&-
	assert_output --partial "$2"
	refute_output --partial event=listening
}

# Until it listens. Its standard output is in ./stdout.
start() { # start ARGUMENT...
	serve_run bin/bcs_server -a 127.0.0.1 -p 0 "$@" >stdout
	await_listening
}

# --- options -------------------------------------------------------------------

@test "bcs_server --help tells its options" {
	run -0 bin/bcs_server --help
	assert_output --partial 'usage: bcs_server'
	for option in '-p PORT' '-l LOG' '-f DIR' '-a ADDRESS'; do
		assert_output --partial "$option"
	done
	run -0 bin/bcs_server --version
	assert_output --partial 'bcs_server (parlance)'
}

@test "what is wrong on the command line is named: exit 100" {
	mkdir dir
	: >file
	refused 100 '-p 65536: not a port' -p 65536
	refused 100 '-p x: not a port' -p x
	refused 100 'argument: takes no arguments' argument
	refused 100 '-f absent: No such file' -f absent
	refused 100 '-f file: not a folder' -f file
	refused 100 '-f : No such file' -f ''
	refused 100 '-l: an empty path' -l ''
	refused 100 "log=$PWD/absent/log error=\"No such file" -l absent/log
	refused 100 "log=$PWD/dir error=\"Is a directory\"" -l dir
	run -100 bin/bcs_server -x
	run -100 bin/bcs_server -l
}

# From here on serve, started by root, becomes another user.
another_user() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$PWD"
	install -d -o 61234 -g 61234 state run
}

@test "a log that the user who serves may not write is named: exit 100" {
	another_user
	install -m 600 /dev/null log.root
	refused 100 "log=$PWD/log.root error=\"Permission denied\"" -l log.root
}

@test "a log for a door that is not served is refused: exit 100" {
	run -100 timeout 10 "$tree/serve" -l log chatfile=127.0.0.1:0
	assert_output --partial 'error="the bcs door is not served"'
}

@test "a port in use is named: exit 111" {
	start
	refused 111 "error=\"Address already in use\"" -p "$(port_of bcs)"
	serve_stop
}

@test "a named pipe without a reader is refused as a log, not waited for" {
	mkfifo fifo
	refused 100 log= -l fifo
}

@test "-f with a relative path names the folder we started in, spaces and all" {
	mkdir 'my files'
	start -f 'my files'
	connect c "$(port_of bcs)"
	ask "$c" 'env PARLANCE_FILES'
	assert_equal "$answer" "$PWD/my files"
	serve_stop
}

@test "it listens on IPv6 too" {
	serve_run bin/bcs_server -p 0
	await_listening
	connect c "$(port_of bcs)" ::1
	connect c "$(port_of bcs)"
	serve_stop
	serve_run bin/bcs_server -a ::1 -p 0
	await_listening
	connect c "$(port_of bcs)" ::1
	assert [ "$(grep -c event=listening "$log")" = 1 ]
	serve_stop
}

# --- who gets the descriptor ---------------------------------------------------

@test "the bcs handler gets the log and its number, and no other does" {
	export PARLANCE_LOG_FD=77
	serve_start -l "$chatlog" bcs=127.0.0.1:0 chatfile=127.0.0.1:0 \
		bcs="$PWD/socket"
	connect c "$(port_of bcs)"
	ask "$c" 'env PARLANCE_LOG_FD'
	assert_regex "$answer" '^[0-9]+$'
	assert [ "$(readlink "/proc/$hi/fd/$answer")" = "$chatlog" ]
	ask "$c" fds
	assert_equal "$(wc -w <<<"$answer")" 4
	ask "$c" 'env REMOTE_ADDR'
	assert_equal "$answer" 127.0.0.1
	connect d "$(port_of chatfile)"
	ask "$d" fds
	assert_equal "$answer" '0 1 2'
	ask "$d" 'env PARLANCE_LOG_FD'
	assert_equal "$answer" -
	run -0 nc -NU "$PWD/socket" <<<$'env PARLANCE_LOG_FD\nenv REMOTE_ADDR'
	assert_line --regexp '^[0-9]+$'
	assert_line -
	local fanout
	fanout=$(sed -n 's/^stub \([0-9]*\) parent.*/\1/p' "$log")
	run find "/proc/$fanout/fd" -lname "$chatlog"
	assert_output ''
	serve_stop
	assert [ "$(stat -c %a "$chatlog")" = 640 ]
	assert [ ! -s "$chatlog" ]
}

@test "without -l serve keeps no log, whatever the environment says" {
	export PARLANCE_LOG_FD=77
	serve_start bcs=127.0.0.1:0
	connect c "$(port_of bcs)"
	ask "$c" 'env PARLANCE_LOG_FD'
	assert_equal "$answer" -
	ask "$c" fds
	assert_equal "$answer" '0 1 2'
	serve_stop
}

# --- handlers that die ---------------------------------------------------------

@test "a handler that died of a signal has its disconnect in the log" {
	local peer
	echo 'what was there' >"$chatlog"
	start -l "$chatlog"
	connect c "$(port_of bcs)"
	ask "$c" 'env REMOTE_PORT'
	peer=127.0.0.1:$answer
	kill -KILL "$hi"
	await_log "event=exit door=bcs pid=$hi signal=9 peer=$peer"
	await grep -q signal=9 "$chatlog"
	connect d "$(port_of bcs)"
	hangup "$d"
	serve_stop
	run -0 sed 's/=....-..-..T..:..:..Z/=T/' "$chatlog"
	assert_output "what was there
time=T event=disconnect peer=$peer pid=$(sed -n \
		's/.*pid=\([0-9]*\) signal.*/\1/p' "$log") signal=9"
	assert [ ! -s stdout ]
}

@test "without -l the log is standard output, and that holds nothing else" {
	start
	connect c "$(port_of bcs)"
	ask "$c" 'env PARLANCE_LOG_FD'
	kill -KILL "$hi"
	await_log "event=exit door=bcs"
	serve_stop
	run -0 cat stdout
	assert_output --regexp '^time=....-..-..T..:..:..Z event=disconnect peer=127.0.0.1:[0-9]+ pid=[0-9]+ signal=9$'
}

@test "root's file as standard output serves a host of another user" {
	another_user
	echo before >stdout
	serve_run bin/bcs_server -a 127.0.0.1 -p 0 >>stdout
	await_listening
	assert [ "$(stat -c %u "/proc/$serve")" = 61234 ]
	connect c "$(port_of bcs)"
	kill -KILL "$hi"
	await_log "event=exit door=bcs"
	serve_stop
	run -0 cat stdout
	assert_line -n 0 before
	assert_line -n 1 --partial ' event=disconnect '
	assert [ ${#lines[@]} = 2 ]
}

@test "handlers killed at the end of a drain have their disconnect, too" {
	start -l "$chatlog"
	connect c "$(port_of bcs)"
	echo deaf >&"$c"
	ask "$c" hello
	kill "$serve"
	await_log event=drain
	kill "$serve"
	wait "$serve"
	run -0 cat "$chatlog"
	assert_output --regexp 'event=disconnect .* signal=9$'
}

@test "a log that can no longer be written is told on stderr, and we go on" {
	[ -e /dev/full ] || skip "needs /dev/full"
	start -l /dev/full
	connect c "$(port_of bcs)"
	kill -KILL "$hi"
	await_log 'event=chatlog door=bcs error="No space left on device"'
	connect c "$(port_of bcs)"
	serve_stop
}

@test "the log survives -d" {
	run -0 --separate-stderr "$tree/serve" -d -l "$chatlog" \
		bcs="$PWD/socket" 3>&-
	serve=$output
	exec {c}> >(nc -U socket >answer 2>/dev/null 3>&-)
	await grep -q '^hi ' answer
	kill -KILL "$(sed -n 's/^hi //p' answer)"
	await grep -q signal=9 "$chatlog"
	exec {c}>&-
	kill "$serve"
	await gone "$serve"
	run -0 cat "$chatlog"
	assert_output --regexp "^time=[^ ]* event=disconnect peer=uid:$UID pid=[0-9]+ signal=9$"
}

@test "a handler that is given no open log says so: exit 100" {
	for fd in x '' 1 77; do
		PARLANCE_LOG_FD=$fd run -100 "$BUILD/handlers/bcs" </dev/null
		assert_output --partial PARLANCE_LOG_FD
	done
}

# --- what a conversation leaves in it -------------------------------------------

scenario() { # scenario NAME: of tests/bcs_log.py, with the real handler
	run timeout -k 5 $((60 * TEST_SCALE)) \
		python3 -B "$BATS_TEST_DIRNAME/bcs_log.py" "$1"
	assert_success
}

@test "registrations, messages and disconnects are one line each, byte for byte" {
	scenario lines_of_a_talk
}

@test "who did not register and what was refused leave no line" {
	scenario no_other_lines
}

@test "standard output holds the conversation's lines, standard error all else" {
	scenario standard_output
}

@test "a message of 65,535 bytes has one whole line" {
	scenario longest
}

@test "many clients at once tear no line" {
	scenario many
}

@test "a killed handler's disconnect is told once, known by its peer" {
	scenario killed
}

@test "those who are there when the server ends have their disconnects" {
	scenario drained
}

@test "a full disk holds up no conversation and leaves no half line" {
	small_disk small size=1m
	scenario full_disk
}

@test "a standard output that nobody reads holds up no conversation" {
	scenario nobody_reads
}

@test "a client at an IPv6 address is told by it" {
	scenario ipv6
}
