# A terminal to look at, by tmux, as a person would, with a shell in it.
#
#	terminal_setup    terminal_teardown
#	shell; types 'ls'; press Enter; await shows '^README'
# shellcheck shell=bash
load environment

terminal_setup() {
	export HOME=$BATS_TEST_TMPDIR LC_ALL=C.UTF-8
	unset TMUX STY XTERM_VERSION
	terminal=(tmux -u -S "$BATS_TEST_TMPDIR/tmux" -f /dev/null)
}

terminal_teardown() {
	"${terminal[@]}" kill-server 2>/dev/null || true
}

in_vain() { # what await shows: the screen, and what a test keeps in $got
	screen
	cat "${got:-/dev/null}"
}

screen() { # what is on it
	"${terminal[@]}" capture-pane -p
}

shows() { # shows PATTERN: one of its lines
	screen | grep -qE -- "$1"
}

last_line() { # last_line TEXT: the last line on it that is not empty
	[ "$(screen | grep . | tail -n 1)" = "$1" ]
}

column() { # column N: the cursor is there, from 0 on
	[ "$("${terminal[@]}" display -p '#{cursor_x}')" = "$1" ]
}

press() { # press KEY...: C-a, Left, Enter and the like
	"${terminal[@]}" send-keys "$@"
}

types() { # types TEXT
	"${terminal[@]}" send-keys -l "$1"
}

shell() { # a shell at a terminal
	"${terminal[@]}" new-session -d -x 60 -y 16 \
		"PS1='$ ' HISTFILE= exec bash --norc --noprofile -i" 3>&-
	await last_line '$'
}

# The shell has the terminal again, and it is as it was.
ended() { # ended STATUS
	# Whoever hangs up first, the prompt comes last.
	await last_line '$'
	# shellcheck disable=SC2016 # it is for the shell there
	types 'echo ended $?, $(stty -a | grep -oE "[-]?(icanon|echo|iexten)\b")'
	press Enter
	await shows '^ended'
	screen | grep -qxF "ended $1, icanon iexten echo" || fail "$(screen)"
}
