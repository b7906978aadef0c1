#!/usr/bin/env bats
# Who the client is where a proxy of any kind is in front: PROXY protocol v1 on
# every door, from PARLANCE_TRUSTED_PROXIES alone (design 8). tests/proxy.py is
# the proxy; 127.0.0.1 is trusted, 127.0.0.2 is not.
# shellcheck disable=SC2034,SC2154
load serve

LINE='PROXY TCP4 192.0.2.7 192.0.2.1 50122 8888\r\n'

setup() {
	serve_setup
	export PARLANCE_TRUSTED_PROXIES='127.0.0.1, ::1'
	tree=$BUILD/helpers # the real ones
}

teardown() {
	end "${started[@]}"
	[ -n "$BATS_TEST_COMPLETED" ] || head -n 50 "$log"
}

doors() { # doors [HOST]
	local host=${1:-127.0.0.1}
	serve_start {chatfile,hchat,bcs,toychat}="$host":0
}

# is_told DOOR ANSWER SOURCE HOW LINE [HEADER]: what the client gets.
is_told() {
	run -0 python3 -B tests/proxy.py "$1" "$(port_of "${1/create/hchat}")" \
		"${@:3}"
	assert_output "$2"
}

# each_door HOW LINE: takes the line and serves the client.
each_door() {
	is_told chatfile 'HTTP/1.1 401 Unauthorized' 127.0.0.1 "$1" "$2"
	is_told hchat 'HTTP/1.1 200 OK' 127.0.0.1 "$1" "$2"
	is_told bcs 'status 0' 127.0.0.1 "$1" "$2"
	is_told toychat 'error invalid username or password' 127.0.0.1 "$1" "$2"
}

# each_logs PEER: as the peer of what each door has logged.
each_logs() {
	local door
	for door in chatfile hchat bcs toychat; do
		await_log "door=$door peer=$1"
	done
}

# garbage SOURCE LINE: is that on each door, in its own terms.
garbage() {
	is_told chatfile 'HTTP/1.1 400 Bad Request' "$1" joined "$2"
	is_told hchat 'HTTP/1.1 400 Bad Request' "$1" joined "$2"
	is_told bcs 'status 1' "$1" joined "$2"
	is_told toychat 'error no such command' "$1" joined "$2"
}

@test "every door takes the address that a trusted proxy tells, sent alone" {
	doors
	each_door apart "$LINE"
	each_logs '192\.0\.2\.7:50122'
	run ! grep -E 'door=.*peer=127\.0\.0\.1' "$log"
}

@test "every door takes it with the request behind it in one packet" {
	doors
	each_door joined "$LINE"
	each_logs '192\.0\.2\.7:50122'
}

@test "every handler takes it, also where it is started for one connection" {
	local door
	for door in chatfile hchat bcs toychat; do
		tcpserver -1 -R -H -l 0 127.0.0.1 0 "$BUILD/handlers/$door" \
			>"$BATS_TEST_TMPDIR/port" 2>>"$log" 3>&- &
		started+=("$!")
		await test -s "$BATS_TEST_TMPDIR/port"
		printf 'event=listening door=%s address=127.0.0.1:%d\n' \
			"$door" "$(cat "$BATS_TEST_TMPDIR/port")" >>"$log"
		: >"$BATS_TEST_TMPDIR/port"
	done
	each_door bytes "$LINE"
	each_logs '192\.0\.2\.7:50122'
}

@test "every door takes it byte by byte" {
	doors
	each_door bytes "$LINE"
	each_logs '192\.0\.2\.7:50122'
}

@test "every door takes an IPv6 address, and one told by a proxy that came by IPv6" {
	doors '[::1]'
	local line='PROXY TCP6 2001:db8::7 ::1 50122 8888\r\n'
	is_told chatfile 'HTTP/1.1 401 Unauthorized' ::1 joined "$line"
	is_told hchat 'HTTP/1.1 200 OK' ::1 joined "$line"
	is_told bcs 'status 0' ::1 joined "$line"
	is_told toychat 'error invalid username or password' ::1 joined "$line"
	each_logs '\[2001:db8::7\]:50122'
}

@test "UNKNOWN leaves the proxy's own address" {
	doors
	each_door joined 'PROXY UNKNOWN\r\n'
	each_door bytes 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'
	each_logs '127\.0\.0\.1:[0-9]+'
}

@test "a trusted peer need not send the line" {
	doors
	each_door joined ''
	each_door bytes ''
	each_logs '127\.0\.0\.1:[0-9]+'
}

@test "a stranger's line is garbage in its door's terms" {
	doors
	garbage 127.0.0.2 "$LINE"
	run ! grep -E 'peer=192' "$log"
}

@test "nobody is trusted unless settings say so" {
	PARLANCE_TRUSTED_PROXIES='' doors
	garbage 127.0.0.1 "$LINE"
}

@test "a malformed line is garbage, and the log says so" {
	doors
	garbage 127.0.0.1 'PROXY TCP4 192.0.2.7 192.0.2.1 50122\r\n'
	each_logs '127\.0\.0\.1:[0-9]+ event=proxy error="malformed PROXY line"'
	garbage 127.0.0.1 'PROXY TCP4 192.0.2.7 192.0.2.256 1 2\r\n'
	run ! grep -E 'peer=192' "$log"
}

@test "a line of more than 107 bytes is garbage" {
	doors
	garbage 127.0.0.1 "PROXY UNKNOWN $(printf 'x%.0s' {1..92})\r\n"
	is_told toychat 'error invalid username or password' 127.0.0.1 joined \
		"PROXY UNKNOWN $(printf 'x%.0s' {1..91})\r\n"
}

@test "a second line is garbage: one proxy tells of one client" {
	doors
	garbage 127.0.0.1 "$LINE$LINE"
}

@test "half a line that nothing follows costs no processor time" {
	doors
	is_told toychat idle 127.0.0.1 half 'PROXY TCP4 192.0'
	is_told bcs idle 127.0.0.1 half 'P'
}

@test "a trusted peer that is silent for longer than a line may take is served" {
	[ "$TEST_SCALE" != 1 ] || skip "takes 11 s: make check-long"
	doors
	is_told toychat 'error invalid username or password' 127.0.0.1 late 11
	is_told hchat 'HTTP/1.1 200 OK' 127.0.0.1 late 11
}

@test "behind the line, a forged X-Forwarded-For is ignored" {
	doors
	is_told hchat 'HTTP/1.1 200 OK' 127.0.0.1 joined "$LINE" \
		'X-Forwarded-For: 198.51.100.1'
	await_log 'door=hchat peer=192\.0\.2\.7:50122 event='
	run ! grep 198 "$log"
}

@test "a client that is told is a trusted proxy in turn if its address is one" {
	doors
	is_told hchat 'HTTP/1.1 200 OK' 127.0.0.1 joined \
		'PROXY TCP6 ::1 ::1 1 2\r\n' 'X-Forwarded-For: 198.51.100.1'
	await_log 'door=hchat peer=198\.51\.100\.1 event='
}

@test "limits count the client, not the proxy" {
	PARLANCE_CREATE_RATE=1 doors
	is_told create 'HTTP/1.1 302 Found' 127.0.0.1 joined "$LINE"
	is_told create 'HTTP/1.1 429 Too Many Requests' 127.0.0.1 joined "$LINE"
	is_told create 'HTTP/1.1 302 Found' 127.0.0.1 joined \
		'PROXY TCP4 192.0.2.8 192.0.2.1 50122 8888\r\n'
	is_told create 'HTTP/1.1 302 Found' 127.0.0.1 joined ''
}
