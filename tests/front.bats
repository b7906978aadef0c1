#!/usr/bin/env bats
# The samples in etc/ as they are, but for ports and certificates: nginx, Caddy
# and stunnel in front of the doors, inetd's way and tcpserver, fail2ban.
# shellcheck disable=SC2154
load front

setup() { front_setup; }
teardown() { front_teardown; }

# --- nginx -----------------------------------------------------------------

nginx_start() {
	free_port port
	{
		echo "daemon off; master_process off; pid $in/pid; events {}"
		echo "error_log stderr; http { access_log off;"
		for what in client_body proxy fastcgi uwsgi scgi; do
			echo "${what}_temp_path $in/$what;"
		done
		sample etc/nginx/parlance.conf |
			sed "s/listen 443/listen $FRONT:$port/; /listen \[/d"
		echo "}"
	} >"$in/nginx.conf"
	nginx -t -q -e stderr -c "$in/nginx.conf"
	in_background nginx nginx -e stderr -c "$in/nginx.conf"
	url=https://$FRONT:$port
	await answering "$port"
}

@test "behind nginx, polls and streams are live, and clients have their address" {
	doors
	nginx_start
	the_web_works
}

@test "nginx is not believed unless it is a trusted proxy" {
	PARLANCE_TRUSTED_PROXIES='' doors
	nginx_start
	web /
	await_log 'door=hchat peer=127\.0\.0\.1:[0-9]+ event='
	run ! grep "peer=$CLIENT" "$log"
}

# --- Caddy -------------------------------------------------------------------

@test "behind Caddy, polls and streams are live, and clients have their address" {
	debian caddy
	doors
	free_port port
	{
		echo '{'
		echo ' admin off'
		echo ' auto_https off'
		echo '}'
		sample etc/caddy/Caddyfile |
			sed "s,^chat.example.org,http://$FRONT:$port,"
	} >"$in/Caddyfile"
	export XDG_DATA_HOME=$in XDG_CONFIG_HOME=$in
	"$unpacked/usr/bin/caddy" validate --adapter caddyfile \
		--config etc/caddy/Caddyfile >"$in/validate.log" 2>&1
	in_background caddy "$unpacked/usr/bin/caddy" run \
		--adapter caddyfile --config "$in/Caddyfile"
	url=http://$FRONT:$port
	await answering "$port"
	the_web_works
}

# --- stunnel -----------------------------------------------------------------

# over_tls PORT LINE: sends a line to a door, prints the first of its answer.
over_tls() {
	python3 - "$FRONT" "$@" "$CLIENT" <<-'END'
		import socket, ssl, sys
		front, port, line, client = sys.argv[1:]
		context = ssl._create_unverified_context()
		sock = context.wrap_socket(socket.create_connection(
		    (front, int(port)), 30, (client, 0)))
		sock.sendall(line.encode() + b"\r\n")
		print(sock.makefile("rb").readline().decode().rstrip())
	END
}

@test "behind stunnel, hchat and toychat speak TLS, and clients have their address" {
	doors
	free_port toychat
	free_port hchat
	{
		echo foreground = yes
		echo pid =
		sample etc/stunnel/parlance.conf | sed "
			s/^accept = 8889/accept = $FRONT:$toychat/
			s/^accept = 1235/accept = $FRONT:$hchat/
			/^.parlance-bcs/,/^$/d; /^.parlance-chatfile/,/^$/d"
	} >"$in/stunnel.conf"
	in_background stunnel stunnel4 "$in/stunnel.conf"
	url=https://$FRONT:$hchat
	await answering "$toychat"
	await answering "$hchat"
	run -0 over_tls "$toychat" 'login nobody wrong'
	assert_output 'error invalid username or password'
	await_log "door=toychat peer=$CLIENT:[0-9]+ event=login-failed"
	web / -H 'X-Forwarded-For: 198.51.100.9' -o "$in/page"
	grep -q '<title' "$in/page"
	await_log "door=hchat peer=$CLIENT:[0-9]+ event="
	in_background events curl -ksSN -m 60 --interface "$CLIENT" \
		"${url}/events/lobby"
	web /send/lobby -H 'Content-Type: text/plain' -d one -o "$in/sent"
	await holds '"text":"one"' events.log
	run ! grep 198.51 "$log"
}

@test "a stunnel that inetd starts for each connection tells the address, too" {
	doors
	free_port port
	sample etc/stunnel/parlance-inetd.conf | sed 's/^syslog.*/syslog = no/
		/^debug/d' >"$in/stunnel.conf"
	in_background tcpserver tcpserver -R -H -l 0 "$FRONT" "$port" \
		stunnel4 "$in/stunnel.conf"
	await answering "$port"
	run -0 over_tls "$port" 'login nobody wrong'
	assert_output 'error invalid username or password'
	await_log "door=toychat peer=$CLIENT:[0-9]+ event=login-failed"
}

# --- inetd, tcpserver ---------------------------------------------------------

@test "inetd and tcpserver start a handler with the settings of parlance.conf" {
	free_port port
	echo 'PARLANCE_REGISTER = "no"' | tr -d ' ' >"$PARLANCE_CONF"
	echo "PARLANCE_TRUSTED_PROXIES=$CLIENT, ::1" >>"$PARLANCE_CONF"
	unset PARLANCE_TRUSTED_PROXIES
	export PARLANCE_LIBEXEC=$BUILD/handlers PARLANCE_LOG=$log
	in_background tcpserver tcpserver -R -H -l 0 "$FRONT" "$port" \
		etc/inetd/parlance-door toychat
	await answering "$port"
	run -0 python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30, (sys.argv[3], 0))
s.sendall(b"PROXY TCP6 2001:db8::7 ::1 1 2\r\nregister a b\r\n")
print(s.makefile("rb").readline().decode().rstrip())' "$FRONT" "$port" "$CLIENT"
	assert_output 'error registration is closed'
	await_log 'door=toychat peer=\[2001:db8::7\]:1 event='
}

@test "inetd's and tcpserver's samples name programs and doors that there are" {
	local door handlers
	handlers=$(sed -n 's/^[0-9].* parlance-door //p' etc/inetd/inetd.conf)
	for door in $handlers; do [ -x "$BUILD/handlers/$door" ]; done
	assert_equal "$(wc -w <<<"$handlers")" 4
	shellcheck etc/inetd/parlance-door etc/tcpserver/run
}

# --- fail2ban -----------------------------------------------------------------

@test "fail2ban finds the address of each failed log-in, and of nothing else" {
	debian fail2ban
	local door=$BUILD/handlers/toychat auth=$in/auth.log address
	for address in 192.0.2.7 2001:db8::7 ''; do
		printf 'login nobody wrong\r\n' | env REMOTE_ADDR="$address" \
			REMOTE_PORT=50122 "$door" 2>&1 >/dev/null |
			sed 's/^/Nov 21 22:00:00 host parlance-toychat[712]: /'
	done >"$auth"
	# What a door says where a proxy names the client, and a forged name.
	cat >>"$auth" <<-'END'
		Nov 21 22:00:00 host parlance-hchat[7]: door=hchat peer=192.0.2.8 event=login-failed user=bob
		Nov 21 22:00:00 host parlance-serve[7]: door=chatfile peer=2001:db8::8 event=login-failed user=bob
		Nov 21 22:00:00 host parlance-hchat[7]: door=hchat peer=192.0.2.9:1 event=request user="x peer=1.2.3.4 event=login-failed"
		Nov 21 22:00:00 host other[7]: door=hchat peer=192.0.2.10:1 event=login-failed user=bob
	END
	cp -r "$unpacked/etc/fail2ban" "$in/f2b"
	cp etc/fail2ban/filter.d/parlance.conf "$in/f2b/filter.d/"
	PYTHONPATH=$unpacked/usr/lib/python3/dist-packages run -0 python3 -B \
		"$unpacked/usr/bin/fail2ban-regex" -c "$in/f2b" -o ip \
		"$auth" "$in/f2b/filter.d/parlance.conf"
	assert_output "$(printf '%s\n' 192.0.2.7 2001:db8::7 192.0.2.8 \
		2001:db8::8)"
}
