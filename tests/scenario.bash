# shellcheck shell=bash
# For tests whose scenarios are Python's: each in a state of its own.
#
#	scenario FILE NAME        tests/FILE.py NAME must end well
#
# One that mostly waits may go on beside all others:
#
#	setup_file() { begin FILE NAME; }    teardown_file() { end_begun; }
#	begun_passes FILE NAME    in its test
load environment

scenario() {
	environment "$BATS_TEST_TMPDIR/$2"
	run timeout -k 5 $((100 * TEST_SCALE)) python3 -B "tests/$1.py" "$2"
	assert_success
}

# timeout passes a signal on to all that runs below it.
begin() {
	environment "$BATS_FILE_TMPDIR/$2"
	timeout -k 5 150 bash -c "python3 -B tests/$1.py $2 && echo passed" \
		>"$BATS_FILE_TMPDIR/$1.$2" 2>&1 </dev/null 3>&- &
	export begun=$!
}

end_begun() { end "$begun"; }

begun_passes() {
	tail --pid="$begun" -f /dev/null
	run tail -n 20 "$BATS_FILE_TMPDIR/$1.$2"
	assert_line passed
}
