#!/usr/bin/env bats
# suite: slow
# bcs_client.py at a terminal: what a person sees who types while others talk.
# Some names are set by load.
# shellcheck disable=SC2154
load bcs-client

setup() { client_setup; }
teardown() { client_teardown; }

@test "a line being typed stays as it is while others talk" {
	fake
	at_terminal
	types 'how are y'
	await last_line 'alice> how are y'
	tell deliver bob 'hi there'
	tell deliver carol 'one\ntwo'
	tell fnotify bob cat.png
	await shows '^server: bob has uploaded cat.png to the server'
	await last_line 'alice> how are y'
	await column 16
	assert_equal "$(screen | grep .)" 'bob: hi there
carol: one
        two
server: bob has uploaded cat.png to the server
alice> how are y'
	types 'ou?'
	press Enter
	await got 'send how are you?'
	await last_line 'alice>'
	await shows '^alice: how are you\?$'
	await got 'status 0 ' 2
}

@test "hundreds of messages come in: every one is seen, and the line" {
	fake
	at_terminal
	types 'quiet'
	tell flood 300
	types ', please'
	await shows '^flood: 299$'
	await last_line 'alice> quiet, please'
	assert_equal "$("${terminal[@]}" capture-pane -p -S - | grep -c '^flood: ')" 300
}

@test "wide characters and combining marks: the cursor is where it belongs" {
	fake
	at_terminal
	types '世界 und e'$'\u0301'' 🎉'
	await last_line $'alice> 世界 und e\u0301 🎉'
	await column 20
	press Left Left
	await column 17
	# A letter goes with its accent.
	press BSpace
	await last_line 'alice> 世界 und  🎉'
	press Home Right
	await column 9
	tell deliver bob '\xe4\xb8\x96\xe7\x95\x8c'
	await shows '^bob: 世界$'
	await last_line 'alice> 世界 und  🎉'
	await column 9
	press DC Enter
	await got 'send \u4e16 und  \U0001f389'
}

@test "keys of an editor work: in the line, between words, in the past" {
	fake
	at_terminal
	types 'one two three'
	press C-a
	types 'Z'
	press C-e C-w
	await last_line 'alice> Zone two'
	await column 16
	press C-y M-b M-b
	await column 12
	press C-k C-a DC C-f C-b End C-y
	await last_line 'alice> one two three'
	press Enter
	await got 'send one two three'
	types 'other'
	press C-u
	types 'second'
	press Enter
	await got 'send second'
	types 'draft'
	press Up
	await last_line 'alice> second'
	press Up Up
	await last_line 'alice> one two three'
	press Down Down
	await last_line 'alice> draft'
	press F5 PageUp Escape
	press C-x C-g
	await last_line 'alice> draft'
	press C-l
	await last_line 'alice> draft'
	assert_equal "$(screen | grep -c .)" 1
}

@test "a line longer than the terminal scrolls, and is said whole" {
	fake
	at_terminal
	local text
	text=$(printf '%d ' {1..60})end
	types "$text"
	await shows '^alice> [0-9 ]+ 59 60 end$'
	tell deliver bob hi
	await shows '^bob: hi'
	press Home
	await shows '^alice> 1 2 3 4 '
	await column 7
	assert_equal "$(screen | grep -c .)" 2
	press Enter
	await got "send $text"
}

@test "another width: the line is drawn anew, others' text stays" {
	fake
	at_terminal
	local text
	text=$(printf '%d ' {1..20})end
	# The screen is full: one that is not, tmux scrolls of its own accord.
	tell flood 20
	await shows '^flood: 19'
	types "$text"
	await last_line "alice> ${text#1 2}"
	"${terminal[@]}" resize-window -x 20 -y 16
	await last_line 'alice> 8 19 20 end'
	assert_equal "$(screen | grep . | tail -n 2 | head -n 1)" 'flood: 19'
	"${terminal[@]}" resize-window -x 100 -y 16
	await last_line "alice> $text"
	tell deliver bob again
	await shows '^bob: again'
	assert_equal "$(screen | grep . | tail -n 3)" "flood: 19
bob: again
alice> $text"
	"${terminal[@]}" resize-window -x 3 -y 16
	"${terminal[@]}" resize-window -x 100 -y 16
	await last_line "alice> $text"
}

@test "what is pasted is one message, its lines and all" {
	fake
	at_terminal
	printf 'pasted\nin\tlines' | "${terminal[@]}" load-buffer -
	types 'see: '
	"${terminal[@]}" paste-buffer -p
	await last_line 'alice> see: pasted⏎in lines'
	press Enter
	await got 'send see: pasted\nin\tlines'
	await shows '^        in'
}

@test "no name and no text moves the cursor or clears the screen" {
	fake
	at_terminal
	types 'mine'
	tell deliver 'a\x1b[2Jb' 'x\x1b[5;5Hy\x1b[?1049h\x1bcz'
	tell fnotify 'm\x0d' '\x1b]0;title\x07'
	await shows '^server: m'
	await last_line 'alice> mine'
	assert_equal "$(screen | grep . | cut -c 1)" 'a
s
a'
}

@test "a command that cannot be done is told, and the session goes on" {
	fake
	at_terminal
	local line
	for line in /nosuch '/send absent' '/get ../x' "/send 'a"; do
		types "$line"
		press Enter
	done
	await shows '^\* /nosuch: no such command'
	await shows '^\* cannot open absent: No such file'
	await shows '^\* ../x: no name for a file here'
	await shows '^\* /send: no closing quotation'
	types /help
	press Enter
	await shows '^\* /get NAME \[PATH\]   download a file'
	await last_line 'alice>'
	types 'said'
	press Enter
	await got 'send said'
	assert_equal "$(grep -vE 'port|status' "$got")" 'register alice
send said'
}

@test "a refused message ends the session with its status; not with --stay" {
	fake
	at_terminal --stay
	tell next 3 'not that'
	types forbidden
	press Enter
	await shows '^\* the server refuses the message: not that \(status 3\)$'
	await last_line 'alice>'
	tell next 1 'no more'
	types x
	press Enter
	await shows '^bcs_client.py: the server says: no more \(status 1\)$'
	ended 1
	press C-l
	at_terminal
	tell next 3 'not that'
	types forbidden
	press Enter
	await shows '^bcs_client.py: the server refuses the message: not that'
	ended 3
}

@test "a refused registration never touches the terminal" {
	fake
	shell
	tell next 2 'taken'
	types "${alice[*]}"
	press Enter
	await shows '^bcs_client.py: the server refuses alice: taken'
	ended 2
}

@test "Ctrl-C leaves: 130, and the terminal is as before" {
	fake
	at_terminal
	types 'half a'
	await last_line 'alice> half a'
	press C-c
	await got gone
	await shows '^alice> half a$'
	ended 130
}

@test "/quit and Ctrl-D leave, when all that was said is answered" {
	fake
	at_terminal
	tell next -
	types said
	press Enter
	await got 'send said'
	types more
	press Enter
	types /quit
	press Enter
	await shows '^\* leaving when the server has answered'
	run ! got gone
	tell status 0
	await got 'send more'
	await got gone
	ended 0
	press C-l
	at_terminal
	press x C-d BSpace C-d
	await got gone 2
	ended 0
}

@test "server gone while typing: told, what was typed can be seen, 111" {
	fake
	at_terminal
	types 'never said'
	await last_line 'alice> never said'
	tell close
	await shows '^bcs_client.py: the server closed the connection$'
	await shows '^alice> never said$'
	ended 111
}

@test "SIGTERM and a terminal that is hung up end it" {
	fake
	at_terminal
	local pid
	pid=$(pgrep -f "bcs_client.py.* -p $port " | head -n 1)
	kill "$pid"
	await got gone
	ended 143
	press C-l
	at_terminal
	pid=$(pgrep -f "bcs_client.py.* -p $port " | head -n 1)
	"${terminal[@]}" kill-server
	await got gone 2
	await test ! -e "/proc/$pid"
}

@test "Ctrl-Z and fg: the terminal is the shell's meanwhile, the line is kept" {
	fake
	at_terminal
	types 'half a'
	await last_line 'alice> half a'
	press C-z
	await shows 'Stopped'
	await last_line '$'
	types 'stty -a | grep -o "icanon" | sed s/^/=/'
	press Enter
	await shows '^=icanon'
	tell deliver bob 'meanwhile'
	types fg
	press Enter
	await shows '^bob: meanwhile'
	await last_line 'alice> half a'
	types ' line'
	press Enter
	await got 'send half a line'
	# Stopped, it can be ended.
	local stop pid
	for stop in STOP TSTP; do
		press C-l
		await last_line 'alice>'
		pid=$(pgrep -f "bcs_client.py.* -p $port ")
		kill -s "$stop" "$pid"
		await shows Stopped
		types 'kill %1'
		press Enter
		await test ! -e "/proc/$pid"
		press C-l Enter
		await last_line '$'
		press C-l
		at_terminal
	done
}

@test "an answer that takes long is told of" {
	fake
	at_terminal
	tell next -
	types said
	press Enter
	await last_line '(waiting for the server)>'
	types 'next'
	await last_line '(waiting for the server)> next'
	tell status 0
	await last_line 'alice> next'
	await shows '^alice: said'
}

@test "a transfer shows how far it is, and one can type meanwhile" {
	fake
	truncate -s 64M big
	at_terminal
	tell deaf
	types "/send big"
	press Enter
	await shows '^[0-9]+%, [0-9.]+ of 64.0 MiB, [0-9.]+ MiB/s,( big)?>'
	types 'hi'
	await shows 'MiB/s,( big)?> hi$'
	tell deliver bob hello
	await shows '^bob: hello'
	tell hear
	await shows '^\* sent big, 67108864 bytes'
	await last_line 'alice> hi'
	press C-u
	tell cut 3 ab
	types '/get thing'
	press Enter
	await shows '^66%, 0.0 of 0.0 MiB, 0.0 MiB/s, thing>'
	tell raw c
	await shows '^\* got thing as thing, 3 bytes'
	await last_line 'alice>'
	assert_equal "$(<thing)" abc
}

@test "Tab completes the path of /send" {
	fake
	mkdir 'my folder'
	printf x >'my folder/cat photo.png'
	at_terminal
	types '/send my'
	press Tab
	await last_line 'alice> /send my\ folder/'
	press Tab Enter
	await grep -q '^sendfile cat photo.png 1 ' "$got"
}

@test "without a terminal to draw on (TERM=dumb) lines are plain" {
	fake
	shell
	types "TERM=dumb ${alice[*]}"
	press Enter
	await got 'register alice'
	types hello
	press Enter
	await shows '^alice: hello$'
	tell deliver bob hi
	await shows '^bob: hi$'
	press C-d
	await got gone
	ended 0
}
