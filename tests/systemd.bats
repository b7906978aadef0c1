#!/usr/bin/env bats
# suite: slow
# The units, on a machine that was booted with the package installed in it:
# enabled, used as people would, killed, restarted, stopped. One machine for all
# tests; each leaves the mode that it found.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154
load environment
load systemd.bash

setup_file() { machine_setup_file; }
teardown_file() { machine_teardown_file; }
setup() { machine_setup; }
teardown() { machine_teardown; }

sockets_are() { # sockets_are STATE...: each of the doors'
	local door
	for door in chatfile hchat bcs toychat; do
		run on systemctl is-active "parlance-$1$door.socket"
		assert_output "$2"
	done
}

nothing_runs() { run -1 on pgrep -u parlance; }
nothing_stays() { await eval '! on pgrep -u parlance >&2'; }

# each_says_it_cannot_be_reloaded UNIT...: and is none the worse for it.
each_says_it_cannot_be_reloaded() {
	local unit
	for unit; do
		run -3 on systemctl reload "$unit"
		assert_output --partial 'reload is not applicable for unit'
	done
}

# --- as they stand -----------------------------------------------------------

@test "units: systemd has nothing to complain of" {
	run -0 on sh -c 'systemd-analyze verify --man=no \
		/usr/lib/systemd/system/parlance*'
	assert_output ''
	run -0 on sh -c 'systemd-analyze verify --man=no --user \
		/usr/lib/systemd/user/parlance* 2>&1 | grep parlance || :'
	assert_output ''
}

@test "units: serve and helpers are confined, a connection's process well" {
	local unit
	for unit in serve fanout gallery maintain; do
		on systemd-analyze security --offline=true --threshold=10 \
			"/usr/lib/systemd/system/parlance-$unit.service"
	done >"$BATS_TEST_TMPDIR/exposure"
	for unit in chatfile hchat bcs toychat; do
		on systemd-analyze security --offline=true --threshold=30 \
			"/usr/lib/systemd/system/parlance-$unit@.service"
	done >>"$BATS_TEST_TMPDIR/exposure"
}

@test "units: all doors' are the same but for their names" {
	cd "$BATS_TEST_DIRNAME/../systemd"
	local door
	for door in hchat bcs toychat; do
		diff <(sed -n '/^\[Service\]/,$s/chatfile/DOOR/p' \
			parlance-chatfile@.service) \
			<(sed -n "/^\[Service\]/,\$s/$door/DOOR/p" \
				"parlance-$door@.service")
		diff <(sed -n '/^NoNewPrivileges/,$p' parlance-chatfile@.service) \
			<(sed -n '/^NoNewPrivileges/,$p' "parlance-$door@.service")
	done
}

@test "units: a connection's process may call all that a handler keeps" {
	cd "$BATS_TEST_DIRNAME/.."
	local doors='ALL|DOORS|CHATFILE|HCHAT|BCS|TOYCHAT|STORE|LIVE'
	sed -nE "s/^ *\{CALL\((\w+)\), .*\b($doors)\b.*/\1/p" \
		lib/gen/seccomp.c | sort -u >"$BATS_TEST_TMPDIR/keeps"
	grep -qx recvfrom "$BATS_TEST_TMPDIR/keeps"
	{ sed -n 's/^SystemCallFilter=//p' systemd/parlance-bcs@.service &&
		systemd-analyze syscall-filter @default; } | tr -s ' ' '\n' |
		sort -u >"$BATS_TEST_TMPDIR/may"
	run -0 comm -23 "$BATS_TEST_TMPDIR/keeps" "$BATS_TEST_TMPDIR/may"
	assert_output ''
}

# --- a process for each connection -------------------------------------------

@test "sockets: one alone can be enabled, and nothing runs before a talker" {
	on systemctl enable -q --now parlance-hchat.socket
	nothing_runs
	run -0 on curl -sm 10 http://127.0.0.1:1234/healthz
	run -7 on curl -sm 10 http://127.0.0.1:8080/
	on systemctl -q is-active parlance-maintain.timer
	on systemctl disable -q --now parlance-hchat.socket
	run -7 on curl -sm 10 http://127.0.0.1:1234/healthz
}

@test "sockets: parlance.target opens every door, and each works" {
	on systemctl enable -q --now parlance.target
	sockets_are '' active
	run -0 on inside.py doors
	all_is_well
}

@test "sockets: strangers cannot talk to the helpers, anybody to the door" {
	on setpriv --reuid nobody --clear-groups inside.py hold 1 1
	local helper
	for helper in fanout gallery; do
		run ! on setpriv --reuid nobody --clear-groups python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect('/run/parlance/$helper.sock')"
		assert_output --partial 'PermissionError'
	done
}

@test "sockets: connections share a network in which there is nothing" {
	run -0 on bash -c 'exec {a}<>/dev/tcp/127.0.0.1/8888 \
			{b}<>/dev/tcp/127.0.0.1/8888
		for c in $a $b; do
			printf "nonsense\r\n" >&$c && read -r _ <&$c
		done
		for p in $(pgrep -u parlance -x toychat); do
			readlink /proc/$p/ns/net
			grep -c : /proc/$p/net/dev
		done | sort | uniq -c'
	assert_line --regexp '^ +2 1$'
	assert_line --regexp '^ +2 net:'
	refute_line --partial "$(on readlink /proc/1/ns/net)"
}

@test "sockets: the journal has each line's peer, by -t and by -u" {
	run -0 log_of -t parlance-chatfile
	assert_line --regexp 'door=chatfile peer=127\.0\.0\.1:[0-9]+ .*user=alice'
	assert_line --regexp 'door=chatfile peer=\[::1\]:[0-9]+ .*user=alice'
	run -0 log_of -t parlance-toychat
	assert_line --partial 'door=toychat peer=uid:0'
	run -0 log_of -u 'parlance-hchat@*' -g 'event=send'
	assert_output --partial 'peer=127.0.0.1:'
}

@test "sockets: past MaxConnections who comes is reset, and it is logged" {
	override parlance-toychat.socket '[Socket]' MaxConnections=100
	on systemctl restart parlance-toychat.socket
	run -0 on inside.py hold 300 100
	assert_output 'answered 100 reset 200 waited 0 then 0'
	run -0 log_of -u parlance-toychat.socket
	assert_output --partial 'Too many incoming connections'
	no_override parlance-toychat.socket
	on systemctl restart parlance-toychat.socket
	run -0 on inside.py hold 10 10
	assert_output --partial 'answered 10 reset 0'
	all_is_well
}

@test "sockets: a burst is served, and leaves the sockets open" {
	run -0 on inside.py crowd 500 2
	assert_output "answered 500"
	sockets_are '' active
}

@test "sockets: handlers that fail leave no failed unit" {
	on inside.py garbage 200
	sockets_are '' active
	all_is_well
	# The last one may be going still.
	await eval '! on systemctl list-units --all --plain --no-legend \
		"parlance-bcs@*" | grep .'
}

@test "sockets: nothing acknowledged is lost when they are killed" {
	run -0 on fire.py \
		'systemctl kill -s KILL --kill-who=main parlance-fanout.service' \
		'systemctl kill -s KILL --kill-who=main parlance-gallery.service' \
		'pkill -KILL -u parlance -x toychat || :' \
		'pkill -KILL -u parlance -x hchat || :'
	assert_output --partial 'acknowledged'
	all_is_well
}

@test "sockets: nothing acknowledged is lost when each is restarted" {
	run -0 on fire.py \
		'systemctl daemon-reload' \
		'systemctl restart parlance-fanout.service' \
		'systemctl restart parlance-gallery.service' \
		'systemctl restart parlance-fanout.socket' \
		'systemctl restart parlance-gallery.socket' \
		'systemctl restart parlance-maintain.timer' \
		'systemctl restart parlance-toychat.socket parlance-hchat.socket' \
		'systemctl restart parlance-bcs.socket parlance-chatfile.socket' \
		'systemctl restart parlance.target' \
		'! systemctl restart "parlance-toychat@*.service"'
	assert_output --partial 'may be requested by dependency only'
	assert_output --partial 'acknowledged'
	sockets_are '' active
	all_is_well
}

@test "sockets: none can be reloaded, and each says so" {
	each_says_it_cannot_be_reloaded parlance-{fanout,gallery}.{socket,service} \
		parlance-{chatfile,hchat,bcs,toychat}.socket \
		parlance-maintain.{timer,service} parlance.target
	sockets_are '' active
}

@test "sockets: stopping the target leaves nothing, starting it goes on" {
	run -0 on fire.py 'systemctl stop "parlance*" &&
		! pgrep -u parlance && ! curl -s 127.0.0.1:1234 &&
		! test -e /run/parlance/toychat.sock &&
		systemctl start parlance.target'
	on systemctl stop parlance.target
	nothing_stays
	run -7 on curl -sm 10 127.0.0.1:1234
	on systemctl start parlance.target
	sockets_are '' active
	all_is_well
}

@test "sockets: the watchdog ends a fanout that hangs, and another comes" {
	override parlance-fanout.service '[Service]' WatchdogSec=1 \
		TimeoutAbortSec=1
	on systemctl restart parlance-fanout.service
	local pid
	pid=$(on systemctl show -P MainPID parlance-fanout.service)
	on kill -STOP "$pid"
	await eval '[ "$(on systemctl show -P MainPID parlance-fanout.service)" \
		!= '"$pid"' ] && on systemctl -q is-active parlance-fanout.service'
	run -0 log_of -u parlance-fanout.service
	assert_output --partial 'Watchdog timeout'
	no_override parlance-fanout.service
	on systemctl restart parlance-fanout.service
	run -0 on inside.py doors
}

# --- one process for all of them ---------------------------------------------

@test "serve: one command goes to it, people go on, and each door works" {
	run -0 on fire.py "$to_serve"
	sockets_are serve- active
	sockets_are '' inactive
	run -0 on inside.py doors
	all_is_well
}

@test "serve: the journal has each line's peer" {
	run -0 log_of -t parlance-serve -g door=chatfile
	assert_line --regexp 'door=chatfile peer=\[::1\]:[0-9]+ .*user=alice'
	run -0 log_of -t parlance-serve -g 'door=toychat peer=uid:0 '
}

@test "serve: past PARLANCE_CONNECTIONS who comes waits, and is served then" {
	on sh -c 'echo PARLANCE_CONNECTIONS=100 >>/etc/parlance/parlance.conf'
	on systemctl restart parlance-serve.service
	run -0 on inside.py hold 300 100
	assert_output 'answered 100 reset 0 waited 200 then 200'
	on sed -i /CONNECTIONS=100/d /etc/parlance/parlance.conf
	on systemctl restart parlance-serve.service
	all_is_well
}

@test "serve: a burst is served" {
	run -0 on inside.py crowd 500 2
	assert_output "answered 500"
}

@test "serve: nothing acknowledged is lost when it is killed" {
	run -0 on fire.py \
		'systemctl kill -s KILL --kill-who=main parlance-fanout.service' \
		'systemctl kill -s KILL --kill-who=main parlance-gallery.service' \
		'systemctl kill -s KILL --kill-who=main parlance-serve.service' \
		'pkill -KILL -u parlance -x toychat || :' \
		'pkill -KILL -u parlance -x hchat || :'
	assert_output --partial 'acknowledged'
	all_is_well
}

@test "serve: nothing acknowledged is lost when each is restarted" {
	run -0 on fire.py \
		'systemctl daemon-reload' \
		'systemctl restart parlance-fanout.service' \
		'systemctl restart parlance-gallery.socket' \
		'systemctl restart parlance-serve.service' \
		'systemctl restart parlance-serve-hchat.socket parlance-serve-toychat.socket' \
		'systemctl restart parlance-serve-bcs.socket parlance-serve-chatfile.socket'
	assert_output --partial 'acknowledged'
	sockets_are serve- active
	all_is_well
}

@test "serve: it alone can be reloaded, and nobody notices" {
	run -0 on fire.py 'systemctl reload parlance-serve.service' \
		'systemctl reload parlance-serve'
	assert_output --partial 'came back 0 times'
	each_says_it_cannot_be_reloaded parlance-{fanout,gallery}.{socket,service} \
		parlance-serve-{chatfile,hchat,bcs,toychat}.socket parlance.target
	sockets_are serve- active
}

@test "serve: a door that is stopped and disabled is closed, the others are not" {
	on systemctl disable -q --now parlance-serve-hchat.socket
	run -0 on inside.py hold 1 1
	run -7 on curl -sm 10 127.0.0.1:1234
	on systemctl enable -q parlance-serve-hchat.socket
	on systemctl restart parlance-serve.service
	run -0 on curl -sm 10 127.0.0.1:1234/healthz
	sockets_are serve- active
}

@test "serve: it survives a reboot, and so does what was said" {
	local before
	before=$(on parlance room list | grep ^lobby)
	"$host" reboot "$machine" 3>&-
	await on systemctl -q is-active parlance-serve-hchat.socket
	sockets_are serve- active
	sockets_are '' inactive
	assert_equal "$(on parlance room list | grep ^lobby)" "$before"
	run -0 on inside.py doors
}

@test "serve: where both are enabled it is this one" {
	on systemctl enable -q parlance.target
	on systemctl stop 'parlance*'
	nothing_runs
	on systemctl start parlance.target
	sockets_are serve- active
	sockets_are '' inactive
	on systemctl disable -q parlance.target
}

@test "sockets: one command goes back to them" {
	run -0 on fire.py "$to_sockets"
	sockets_are '' active
	sockets_are serve- inactive
	run -0 on inside.py doors
	all_is_well
}

# --- the rest ----------------------------------------------------------------

@test "maintenance: its timer waits, and it finds all whole" {
	on systemctl -q is-active parlance-maintain.timer
	on systemctl start parlance-maintain.service
	run -0 log_of -t parlance-maintain
	assert_line --partial 'database: whole'
	assert_line --partial 'lobby: whole'
	all_is_well
}

@test "a user's own manager runs the same units, without root" {
	on systemctl stop 'parlance*'
	on useradd -m tester
	on sh -c 'install -d -o tester -m 700 /run/user/$(id -u tester)
		systemd-run -q --unit=user-manager -p User=tester \
		-p Delegate=yes -E XDG_RUNTIME_DIR=/run/user/$(id -u tester) \
		/lib/systemd/systemd --user'
	mine() {
		on sh -c 'exec setpriv --reuid tester --regid tester \
			--init-groups env HOME=/home/tester \
			XDG_RUNTIME_DIR=/run/user/$(id -u tester) "$@"' - "$@"
	}
	await mine systemctl --user -q is-active basic.target 2>/dev/null
	mine systemctl --user enable -q --now parlance.target
	run -0 mine curl -sm 10 -d message=hello http://127.0.0.1:1234/send/lobby
	run -0 mine parlance room show lobby
	assert_line hello
	mine sh -c "${to_serve//systemctl/systemctl --user}"
	run -0 mine curl -sm 10 http://127.0.0.1:1234/msg/lobby/1
	assert_output hello
	assert_equal "$(on pgrep -c -u tester -x serve)" 1
	mine sh -c 'mkdir -p ~/.config/parlance &&
		echo PARLANCE_GUESTS=no >~/.config/parlance/parlance.conf &&
		systemctl --user reload parlance-serve.service'
	run -0 mine curl -sm 10 -d message=no -o /dev/null -w '%{http_code}' \
		http://127.0.0.1:1234/send/lobby
	assert_output 401
	mine systemctl --user stop parlance.target
	on systemctl stop user-manager.service
}
