# shellcheck shell=bash
# For tests whose scenarios are Python's: each in a state of its own.
#
#	environment DIR           state, run and home there, nothing of ours
#	scenario FILE NAME        tests/FILE.py NAME must end well

environment() {
	export STATE_DIRECTORY=$1/state RUNTIME_DIRECTORY=$1/run HOME=$1
	export PARLANCE_CONF=$1/parlance.conf
	mkdir -p "$1"
	: >"$PARLANCE_CONF"
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
	unset REMOTE_ADDR REMOTE_PORT http_proxy https_proxy all_proxy
}

scenario() {
	environment "$BATS_TEST_TMPDIR/$2"
	run timeout -k 5 $((100 * TEST_SCALE)) python3 -B "tests/$1.py" "$2"
	assert_success
}
