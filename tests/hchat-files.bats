#!/usr/bin/env bats
# suite: filter
# Uploads as the web door hands them out: GET /files/NAME.
# Variables of hchat.bash and chatfile.bash; backslashes as they are.
# shellcheck disable=SC2030,SC2031,SC2153,SC2154,SC1003,SC2016
load hchat

setup_file() { chatfile_setup_file; }

setup() {
	hchat_setup
	files=$STATE_DIRECTORY/files
}

# store NAME TEXT: as if somebody had uploaded it.
store() { printf '%b' "$2" >"$files/$1"; }

# The encoding of a name, as a link to it has it.
encoded() {
	python3 -c 'import os, sys, urllib.parse
print(urllib.parse.quote(os.fsencode(sys.argv[1]), safe=""))' "$1"
}

@test "an upload comes byte for byte, to be saved and never shown" {
	head -c 300000 /dev/urandom >"$files/tea.html"
	get /files/tea.html
	the_answer_is 200
	cmp "$body" "$files/tea.html"
	assert_equal "$(field content-type)" application/octet-stream
	assert_equal "$(field content-length)" 300000
	assert_equal "$(field content-disposition)" \
		"attachment; filename=\"tea.html\"; filename*=UTF-8''tea.html"
	assert_equal "$(field x-content-type-options)" nosniff
	assert_equal "$(field cache-control)" no-cache
	assert_equal "$(field referrer-policy)" no-referrer
	assert_equal "$(field accept-ranges)" bytes
	run -0 grep 'event=file status=200 bytes=300000' "$log"
}

@test "an empty upload is an empty file" {
	store none ''
	get /files/none
	the_answer_is 200
	assert_equal "$(field content-length)" 0
	[ ! -s "$body" ]
}

@test "any name that a file can have works, and comes back in Content-Disposition" {
	local names=('a b' 'a+b' '100%' 'a%20b' '%2e%2e' 'a#b?c&d=e;f' '<b>"\o'
		'прил.txt' 'a€🍵' '-rf' '~' "it's" 'a:b*c|d' 'C:\x.exe')
	local plain=('a b' 'a+b' '100_' 'a_20b' '_2e_2e' 'a#b?c&d=e;f' '<b>__o'
		'____.txt' 'a__' '-rf' '~' "it's" 'a:b*c|d' 'C:_x.exe')
	local i name
	for i in "${!names[@]}"; do
		name=${names[i]}
		store "$name" "this is $i"
		get "/files/$(encoded "$name")"
		the_answer_is 200
		body_is "this is $i"
		assert_equal "$(field content-disposition)" \
			"attachment; filename=\"${plain[i]}\"; filename*=UTF-8''$(encoded "$name")"
	done
	# What needs no percent may have one.
	store abc 'abc'
	get /files/%61b%63
	the_answer_is 200
	# What the names have in common with paths is only the alphabet.
	get '/files/a+b?download=1'
	the_answer_is 200
	body_is 'this is 1'
}

@test "a name of 255 bytes works, one of 256 is 404" {
	local name
	for name in "$(printf 'x%.0s' {1..255})" "$(printf '%%%.0s' {1..255})" \
		"$(printf '€%.0s' {1..85})"; do
		store "$name" 'long'
		get "/files/$(encoded "$name")"
		the_answer_is 200
		body_is 'long'
		get "/files/$(encoded "$name")x"
		the_answer_is 404
		get "/files/$(encoded "$name")%25"
		the_answer_is 404
	done
	get "/files/$(printf '%%61%.0s' {1..4000})"
	the_answer_is 404
}

@test "no name leads out of the folder, or to what is not a file in it" {
	store secret 'secret'
	printf secret >"$STATE_DIRECTORY/outside"
	printf secret >"$files/.hidden"
	ln -s ../outside "$files/link"
	ln -s secret "$files/inner"
	ln -s nowhere "$files/dangling"
	mkdir "$files/folder"
	printf secret >"$files/folder/x"
	mkfifo "$files/fifo"
	local target
	for target in /files/ /files /files// /files/absent /files/. /files/.. \
		/files/%2e%2e /files/../outside /files/..%2foutside \
		/files/..%2Foutside /files/%2e%2e%2foutside /files/%2e%2e/outside \
		/files/..%5coutside "/files/$(encoded "$STATE_DIRECTORY/outside")" \
		"/files/$STATE_DIRECTORY/outside" /files//etc/passwd \
		/files/%2fetc%2fpasswd /files/.hidden /files/%2ehidden /files/link \
		/files/inner /files/dangling /files/folder /files/folder/ \
		/files/folder/x /files/folder%2fx /files/fifo /files/./secret \
		/files/secret/ /files/secret/.. /files/secret%00 \
		/files/secret%00.txt /files/%00 /files/secret%0a /files/%ff \
		/files/%c0%afetc /files/%ed%a0%80 /files/%c2%85 /files/secre% \
		/files/secre%7 /files/secre%zz /files/%252e%252e /FILES/secret; do
		get "$target"
		the_answer_is 404
		run ! grep -q secret "$body"
	done
	get /files/secret
	the_answer_is 200
}

@test "a part of a file can be had, and one that is cut short be continued" {
	store tea '0123456789'
	get /files/tea 'Range: bytes=2-4'
	the_answer_is 206
	body_is '234'
	assert_equal "$(field content-range)" 'bytes 2-4/10'
	local tag
	tag=$(field etag)
	get /files/tea 'Range: bytes=7-' "If-Range: $tag"
	the_answer_is 206
	body_is '789'
	get /files/tea 'Range: bytes=-2'
	the_answer_is 206
	body_is '89'
	get /files/tea 'Range: bytes=10-'
	the_answer_is 416
	assert_equal "$(field content-range)" 'bytes */10'
	# Another file by now: all of it.
	rm "$files/tea"
	store tea 'abcdefghij'
	get /files/tea 'Range: bytes=7-' "If-Range: $tag"
	the_answer_is 200
	body_is 'abcdefghij'
}

@test "who has the file is told so" {
	store tea '0123456789'
	touch -d '2026-01-01T00:00:00Z' "$files/tea"
	get /files/tea
	local tag
	tag=$(field etag)
	assert_equal "$(field last-modified)" 'Thu, 01 Jan 2026 00:00:00 GMT'
	get /files/tea "If-None-Match: $tag"
	the_answer_is 304
	[ ! -s "$body" ]
	assert_equal "$(field etag)" "$tag"
	get /files/tea 'If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT'
	the_answer_is 304
	get /files/tea 'If-Match: "other"'
	the_answer_is 412
	get /files/tea 'If-None-Match: "other"'
	the_answer_is 200
}

@test "HEAD tells of a file without it; other methods are 405" {
	store tea '0123456789'
	ask HEAD /files/tea </dev/null
	the_answer_is 200
	assert_equal "$(field content-length)" 10
	[ ! -s "$body" ]
	ask HEAD /files/absent </dev/null
	the_answer_is 404
	for method in POST PUT DELETE; do
		ask "$method" /files/tea 'Content-Length: 0' </dev/null
		the_answer_is 405
		assert_equal "$(field allow)" 'GET, HEAD'
	done
	assert_equal "$(cat "$files/tea")" 0123456789
}

@test "the next answer on a connection is not said to be a file" {
	store tea 'milk'
	printf '%s HTTP/1.1\r\nHost: x\r\n\r\n' 'GET /files/tea' 'GET /healthz' \
		'GARBAGE' >"$in"
	run_in
	run grep -ao -e 'HTTP/1.1 [0-9]*' -e Content-Disposition "$out"
	assert_line --index 0 --partial 200
	assert_line --index 1 --partial Content-Disposition
	assert_line --index 2 --partial 200
	assert_line --index 3 --partial 501
	assert_equal "${#lines[@]}" 4
}

@test "an upload's record links to the file that is there" {
	store 'a b%.txt' 'milk'
	printf 'ann has uploaded a b%%.txt\n\\~ann @ 2026-11-20T14:03:07Z bcs file=%s\n' \
		"$(encoded 'a b%.txt')" >"$rooms/lobby.txt"
	get /msg/lobby/1
	the_answer_is 200
	body_is 'ann has uploaded a b%.txt'
	get "/files/$(field chat-file)"
	the_answer_is 200
	body_is 'milk'
}

@test "PARLANCE_FILES names the folder; one that is not there is said at once" {
	export PARLANCE_FILES=$BATS_TEST_TMPDIR/elsewhere
	get /healthz
	assert_equal "$exit" 100
	run -0 cat "$log"
	assert_output "hchat: PARLANCE_FILES: $PARLANCE_FILES: No such file or directory"
	[ ! -s "$out" ]
	mkdir "$PARLANCE_FILES"
	echo milk >"$PARLANCE_FILES/tea"
	get /files/tea
	the_answer_is 200
	body_is 'milk\n'
	# A link that the keeper made is meant.
	ln -s elsewhere "$BATS_TEST_TMPDIR/link"
	PARLANCE_FILES=$BATS_TEST_TMPDIR/link get /files/tea
	the_answer_is 200
	export PARLANCE_FILES=
	store tea 'here'
	get /files/tea
	body_is 'here'
}
