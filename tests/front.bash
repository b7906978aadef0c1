# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# For tests of the samples in etc/: servers in front of parlance's doors. Over
# serve.bash, with the real serve; 127.0.0.1 is the trusted proxy, clients come
# from $CLIENT, and what is in front listens on $FRONT.
#
#	setup() { front_setup; }    teardown() { front_teardown; }
#	sample etc/nginx/parlance.conf >conf     ready for this place
load serve

FRONT=127.0.0.77
CLIENT=127.0.0.3

front_setup() {
	serve_setup
	export PARLANCE_TRUSTED_PROXIES=127.0.0.1
	tree=$BUILD/helpers
	in=$BATS_TEST_TMPDIR/front
	mkdir "$in"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj /CN=chat.example.org -keyout "$in/key" -out "$in/cert" \
		2>/dev/null
}

front_teardown() {
	end "${started[@]}"
	[ -n "$BATS_TEST_COMPLETED" ] ||
		head -n 40 "$log" "$in"/*.log
}

doors() { serve_start {chatfile,hchat,toychat}=127.0.0.1:0; }

# free_port VARIABLE: one for those that cannot choose it themselves. Nobody
# else listens on this address.
free_port() {
	printf -v "$1" %s "$(python3 -c 'import socket, sys
s = socket.socket()
s.bind((sys.argv[1], 0))
print(s.getsockname()[1])' "$FRONT")"
}

# sample FILE: with the doors' ports and our certificate.
sample() {
	sed -E "s,127\.0\.0\.1:1234,127.0.0.1:$(port_of hchat),
		s,127\.0\.0\.1:8080,127.0.0.1:$(port_of chatfile),
		s,127\.0\.0\.1:8888,127.0.0.1:$(port_of toychat),
		s,/etc/ssl/certs/[^; ]*,$in/cert,
		s,/etc/ssl/private/[^; ]*,$in/key," "$1"
}

in_background() { # in_background NAME COMMAND...: what it says in NAME.log
	"${@:2}" </dev/null >"$in/$1.log" 2>&1 3>&- &
	started+=("$!")
}

answering() { # answering PORT
	(exec 3<>"/dev/tcp/$FRONT/$1") 2>/dev/null
}

# web PATH [ARGUMENT...]: asks what is in front, from the client's address.
web() {
	curl -ksS -m 60 --interface "$CLIENT" "$url$1" "${@:2}"
}

holds() { grep -q -e "$1" "$in/$2" 2>/dev/null; }

# the_web_works: what goes wrong behind a proxy that was not told.
the_web_works() {
	web / -o "$in/page"
	await_log "door=hchat peer=$CLIENT event="
	# What somebody says arrives at once at who streams and who waits.
	in_background events curl -ksSN -m 60 --interface "$CLIENT" \
		"${url}/events/lobby"
	in_background poll curl -ksS -m 60 --interface "$CLIENT" \
		"${url}/msg/lobby/2"
	web /send/lobby -H 'Content-Type: text/plain' -d one -o "$in/sent"
	await holds '"text":"one"' events.log
	web /send/lobby -H 'Content-Type: text/plain' -d two -o "$in/sent"
	await holds '^two$' poll.log
	await holds '"text":"two"' events.log
	# A forged address is none.
	web /?forged -H 'X-Forwarded-For: 198.51.100.9' -o "$in/page"
	web /rooms/ -H 'X-Forwarded-For: 198.51.100.9' -o "$in/refused"
	await_log "door=chatfile peer=$CLIENT event=.*status=401"
	run ! grep 198.51 "$log"
}

# debian PACKAGE: its files without installing it, since it would start a
# server on this machine; skips where it cannot be had. In $unpacked.
debian() {
	unpacked=$BUILD/debian/$1
	[ ! -d "$unpacked" ] || return 0
	local at=$BATS_TEST_TMPDIR/$1
	mkdir "$at"
	(cd "$at" && timeout 60 apt-get -qq download "$1" 2>/dev/null) || :
	compgen -G "$at/*.deb" >/dev/null || skip "the package $1 cannot be had"
	dpkg-deb -x "$at"/*.deb "$at/files"
	mkdir -p "$BUILD/debian"
	mv "$at/files" "$unpacked"
}
