#!/usr/bin/env bats
# suite: slow
# Each door's own tests, at the sockets of a booted machine that has the package
# (tests/systemd/scenario.py), what stands in front of doors there, and what the
# journal tells. In both modes: first sockets, then serve.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154
load environment
load systemd.bash

setup_file() {
	machine_setup_file
	[ -z "$why" ] || return 0
	local tests=$machine/root/root/tests
	mkdir -p "$tests/build"
	cp -r "$BATS_TEST_DIRNAME"/{*.py,data,systemd} "$tests"
	ln -s /usr/bin "$tests/build/bin"
	ln -s /usr/libexec/parlance "$tests/build/handlers"
	tls
	on systemctl enable -q --now parlance.target
}

# tls: stunnel as our sample says, but for whose certificate it is.
tls() {
	on openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-nodes -subj /CN=chat.example.org \
		-keyout /etc/ssl/private/chat.example.org.key \
		-out /etc/ssl/certs/chat.example.org.pem 2>"$BATS_FILE_TMPDIR/tls"
	on sh -c 'cp "$1"/stunnel/parlance.conf /etc/stunnel' - \
		/usr/share/doc/parlance/examples
}

teardown_file() { machine_teardown_file; }
setup() { machine_setup; }
teardown() { machine_teardown; }

scenarios() { # scenarios FILE NAME...
	local name
	for name in "${@:2}"; do
		run -0 on python3 -B /root/tests/systemd/scenario.py \
			"$1" "$name"
	done
}

bcs_works() {
	scenarios bcs_live unique announced delivered half_closed
}

toychat_works() {
	run -0 on python3 -B /root/tests/systemd/scenario.py sessions
	scenarios toychat_live talk
	scenarios toychat_doors names
}

doors_are_one() {
	scenarios bcs_doors from_bcs to_bcs accounts
	scenarios toychat_doors one_conversation
}

web_works() {
	scenarios hchat_client many
}

# --- what is in front --------------------------------------------------------

trusted() { # trusted ADDRESS: what may tell of other clients
	on sh -c 'echo "PARLANCE_TRUSTED_PROXIES=$1" \
		>/etc/parlance/parlance.conf' - "$1"
	on systemctl try-restart parlance-serve.service
}

# logged PATTERN: of some line in the journal
logged() {
	run -0 log_of -g "$1"
}

# tls_works CLIENT: an address of which nothing was heard before
tls_works() {
	local name=tls${1##*.}
	trusted 127.0.0.1
	on systemctl start stunnel4.service
	run -0 on inside.py tls "$1" 8889 "register $name secret" 'send * hello' \
		'login nobody wrong'
	assert_line -n 0 success
	assert_line -n 1 success
	logged "door=toychat peer=$1:[0-9]+ event=sent user=$name"
	run -0 on curl -ksSm 10 --interface "$1" -H 'X-Forwarded-For: 203.0.113.9' \
		-u "$name:secret" -d message="over TLS" https://127.0.0.1:1235/send/lobby
	logged "door=hchat peer=$1:[0-9]+ event=send user=$name room=lobby status=200"
	run -0 on curl -ksSm 10 --interface "$1" \
		https://127.0.0.1:1235/chat/lobby.txt
	assert_line --regexp "^.$name @ .* toychat"
	assert_line 'over TLS'
	assert_line --regexp "^.$name @ .* hchat"
	run -1 log_of -g 203.0.113
}

# door_hears DOOR ANSWER SOURCE LINE [HEADER]
door_hears() {
	local -A port=([chatfile]=8080 [hchat]=1234 [bcs]=4000 [toychat]=8888)
	run -0 on python3 -B /root/tests/proxy.py "$1" "${port[$1]}" "$3" joined \
		"${@:4}"
	assert_output "$2"
}

# strangers_are_not_believed TRUE: the address that is told as the true one
strangers_are_not_believed() {
	local line="PROXY TCP4 $1 192.0.2.1 50122 8888\\r\\n" door
	local header="X-Forwarded-For: $1"
	trusted 127.0.0.1
	door_hears chatfile 'HTTP/1.1 400 Bad Request' 127.0.0.2 "$line"
	door_hears hchat 'HTTP/1.1 400 Bad Request' 127.0.0.2 "$line"
	door_hears bcs 'status 1' 127.0.0.2 "$line"
	door_hears toychat 'error no such command' 127.0.0.2 "$line"
	door_hears chatfile 'HTTP/1.1 401 Unauthorized' 127.0.0.2 '' "$header"
	door_hears hchat 'HTTP/1.1 200 OK' 127.0.0.2 '' "$header"
	door_hears hchat 'HTTP/1.1 200 OK' 127.0.0.2 '' "Forwarded: for=$1"
	run -1 log_of -g "peer=$1"
	door_hears chatfile 'HTTP/1.1 401 Unauthorized' 127.0.0.1 "$line"
	door_hears hchat 'HTTP/1.1 200 OK' 127.0.0.1 "$line"
	door_hears bcs 'status 0' 127.0.0.1 "$line"
	door_hears toychat 'error invalid username or password' 127.0.0.1 "$line"
	for door in chatfile hchat bcs toychat; do
		logged "door=$door peer=$1:50122 "
	done
	door_hears hchat 'HTTP/1.1 200 OK' 127.0.0.1 '' "$header"
	logged "door=hchat peer=$1 event="
	# A header of a standard that parlance does not read.
	door_hears hchat 'HTTP/1.1 200 OK' 127.0.0.1 '' 'Forwarded: for=203.0.113.9'
	run -1 log_of -g 203.0.113
}

# --- sockets -----------------------------------------------------------------

@test "sockets: the binary door does as its tests say" { bcs_works; }
@test "sockets: the text door does as its tests say" { toychat_works; }
@test "sockets: the web door does as its tests say" { web_works; }
@test "sockets: all doors are one host, as their tests say" { doors_are_one; }

@test "sockets: behind stunnel hchat and toychat speak TLS, and know who it is" {
	tls_works 127.0.0.3
}

@test "sockets: who says that he is somebody else is believed if he may say so" {
	strangers_are_not_believed 192.0.2.7
}

# --- serve -------------------------------------------------------------------

@test "serve: one command goes to it" { on sh -c "$to_serve"; }

@test "serve: the binary door does as its tests say" { bcs_works; }
@test "serve: the text door does as its tests say" { toychat_works; }
@test "serve: the web door does as its tests say" { web_works; }
@test "serve: all doors are one host, as their tests say" { doors_are_one; }

@test "serve: behind stunnel hchat and toychat speak TLS, and know who it is" {
	tls_works 127.0.0.4
}

@test "serve: who says that he is somebody else is believed if he may say so" {
	strangers_are_not_believed 192.0.2.8
}

# --- the journal, after all this ----------------------------------------------

@test "the journal: each command that the manual and the README name finds what it says" {
	local command tested=0
	while read -r command; do
		[[ $command != *' -f'* ]] || command=${command/ -f/ -n 9}
		run -0 on sh -c "$command -o cat"
		assert_line --partial ' event='
		tested=$((tested + 1))
	done < <(cd "$BATS_TEST_DIRNAME/.." &&
		sed -n 's/^ *\(journalctl [^#]*\).*/\1/p' \
			man/parlance.7 README.md | sed 's/\\e/\\/g')
	[ "$tested" -ge 9 ]
}

@test "the journal: a line is its message, with priority, door and unit beside it" {
	on journalctl --sync
	run -0 on journalctl -t parlance-toychat -g event=login-failed -n 1 -o json
	run -0 python3 -c 'import json, sys
line = json.loads(sys.argv[1])
for field in "MESSAGE", "PRIORITY", "_SYSTEMD_UNIT": print(line[field])' "$output"
	assert_line -n 0 --regexp '^door=toychat peer=.* event=login-failed '
	assert_line -n 1 5
	assert_line -n 2 --regexp '^parlance-toychat@[0-9]+-127.0.0.1:8888-127'
}
