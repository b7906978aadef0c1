# shellcheck shell=bash
# What the tests of every program share: bats' libraries, a state of one's own,
# ways to wait and to end.
#
#	environment DIR       state, run, home and settings there, nothing of ours
#	await COMMAND...      until it succeeds, for at most 20 s
#	end PID...            ends these, and waits for them
#	small_disk DIR OPTIONS, no_disk DIR...     mounts a tmpfs; unmounts it
#	needs_strace          or the test is skipped
bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

environment() {
	export STATE_DIRECTORY=$1/state RUNTIME_DIRECTORY=$1/run HOME=$1
	export PARLANCE_CONF=$1/parlance.conf
	mkdir -p "$1"
	: >"$PARLANCE_CONF"
	unset NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS LISTEN_PID JOURNAL_STREAM
	unset REMOTE_ADDR REMOTE_PORT http_proxy https_proxy all_proxy
}

# Reading from it waits: a pause that ends with nothing left to kill.
exec {tick}<> <(:)

await() {
	local until=$((SECONDS + 20))
	until "$@"; do
		if ((SECONDS > until)); then
			fail "in vain: $*
$(in_vain 2>&1)"
			return 1
		fi
		read -rt 0.02 -u "$tick" _ || :
	done
}

in_vain() { :; } # what else to show then

end() {
	[ $# -gt 0 ] || return 0
	kill "$@" 2>/dev/null || :
	wait "$@" 2>/dev/null || :
}

small_disk() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -p "$1"
	mount -t tmpfs -o "$2" tmpfs "$1" || skip "needs mount"
}

no_disk() {
	local dir
	for dir; do ! mountpoint -q "$dir" || umount "$dir"; done
}

needs_strace() {
	strace -qq -o /dev/null true || skip "needs strace (ptrace)"
}
