# suite: slow
# The page in real browsers, against the real host (tests/web/run.py).
load environment

setup_file() {
	# Debian's, which has selenium, whatever python3 comes first in PATH.
	export PYTHON=/usr/bin/python3
	fetch_axe || echo "# axe-core cannot be fetched by npm" >&3
}

# axe-core, kept in the build tree.
fetch_axe() (
	local folder=$BUILD/axe-core
	[ ! -e "$folder/package/axe.min.js" ] || exit 0
	mkdir -p "$folder" && cd "$folder" || exit
	npm_config_cache=$BATS_FILE_TMPDIR timeout 120 npm pack --silent axe-core@4.14.1 \
		>/dev/null 2>&1 && tar -xzf axe-core-*.tgz package/axe.min.js
)

page() {
	run timeout -k 10 150 "$PYTHON" -B tests/web/run.py "$1" "$BATS_TEST_TMPDIR"
	assert_success
}

@test "the page is embedded byte for byte, the same each time" {
	run "$BUILD/lib/gen/embed" web/*
	assert_success
	[ "$output" = "$(cat "$BUILD/gen/web_assets.h")" ]
}

@test "a room is made, its address sent, and two browsers talk" {
	page talk
}

@test "refused names are told, and an account signs in and out" {
	page names
}

@test "markup, footers, other scripts and 60 KB are shown as text" {
	page odd_texts
}

@test "an upload is a link, by stream and by poll" {
	page uploads
}

@test "an upload's link saves the right bytes, whatever the file is called" {
	page downloads
}

@test "history is loaded by scrolling up, and nothing moves while one reads" {
	page history
}

@test "the document stays small in a long session" {
	page bounded
}

@test "200 messages arrive once each while helpers die and serve restarts" {
	page storm
}

@test "the page works by long polls where EventSource is missing" {
	page long_poll
}

@test "the page polls where a proxy breaks event streams" {
	page silent_stream
}

@test "a message that failed can be sent again or discarded" {
	page failed
}

@test "the page outlives its server and says when it is away" {
	page lost
}

@test "a connection that died while the laptop slept is made anew" {
	page asleep
}

@test "ten tabs of one browser all stay live" {
	page ten_tabs
}

@test "what is said by file, shell and page reaches all three" {
	page other_doors
}

@test "axe-core finds nothing, light or dark, from 320 px to wide" {
	[ -e "$BUILD/axe-core/package/axe.min.js" ] ||
		skip "axe-core could not be fetched by npm"
	page accessible
}

@test "everything can be done with the keyboard" {
	page keyboard
}

@test "without script it says so and links to the transcript" {
	page without_script
}

@test "the screenshot of the README is of this page" {
	page screenshot
}
