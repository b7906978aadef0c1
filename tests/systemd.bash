# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# For tests on a booted machine (tests/systemd/host) with the package
# (tests/systemd/package) installed in it. A machine a file.
#
#	load environment
#	setup_file() { machine_setup_file; }	and so on, all four
#	on COMMAND...				there

machine_setup_file() {
	export machine=$BATS_FILE_TMPDIR/machine why='' deb
	export host=$BATS_TEST_DIRNAME/systemd/host
	machine_up 2>"$BATS_FILE_TMPDIR/why" 3>&- || {
		[ $? = 77 ] || { cat "$BATS_FILE_TMPDIR/why" && return 1; }
		why=$(tail -n 1 "$BATS_FILE_TMPDIR/why")
	}
}

machine_up() {
	deb=$("${host%/*}/package") && "$host" up "$machine" || return
	"$host" install "$machine" "$deb" >&2 || return 1
	install "${host%/*}"/{inside,fire}.py "$machine/root/usr/bin"
}

machine_teardown_file() {
	[ -n "$why" ] || "$host" down "$machine" 3>&-
}

machine_setup() {
	[ -z "$why" ] || skip "$why"
}

machine_teardown() {
	[ -n "$why$BATS_TEST_COMPLETED" ] || {
		printf '%s\n' "$output"
		on journalctl -b --no-pager -n 40
	}
}

on() { timeout 60 "$host" in "$machine" "$@" 3>&-; } # on COMMAND...: there

# log_of ARGUMENT...: the journal's messages, all that were sent by now.
log_of() {
	on journalctl --sync
	on journalctl -o cat "$@"
}

override() { # override UNIT LINE...: until the machine's next boot
	on sh -c "mkdir -p /run/systemd/system/$1.d &&
		printf '%s\n' \"\$@\" >/run/systemd/system/$1.d/test.conf" \
		- "${@:2}"
	on systemctl daemon-reload
}

no_override() {
	on rm -r "/run/systemd/system/$1.d"
	on systemctl daemon-reload
}

all_is_well() {
	run -0 on systemctl list-units --failed --plain --no-legend
	assert_output ''
}

# What the man page says.
to_serve='systemctl disable -q parlance.target &&
	systemctl enable -q --now parlance-serve.service'
to_sockets='systemctl disable -q parlance-serve.service &&
	systemctl enable -q --now parlance.target'
