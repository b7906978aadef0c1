#!/usr/bin/env bats
# suite: filter
# The web door as its users test it: a request file piped into the handler
# (specs/hchatd.txt and the rows of clarifications.md on hchat).
# Variables of hchat.bash and chatfile.bash; backslashes as they are.
# shellcheck disable=SC2030,SC2031,SC2153,SC2154,SC1003,SC2016
load hchat

setup_file() { chatfile_setup_file; }
setup() { hchat_setup; }
teardown() { no_disk "$BATS_TEST_TMPDIR/small"; }

# --- rooms ---------------------------------------------------------------------

@test "the first page lists the lobby first, then listed rooms by their last message" {
	create 'subject=quiet&listed=1' && quiet=$room
	export PARLANCE_NOW=1795183390
	create 'subject=middle&listed=1' && middle=$room
	create 'subject=hidden' && hidden=$room
	export PARLANCE_NOW=1795183400
	send "$quiet" 'hello'
	send lobby 'hello'
	get /
	the_answer_is 200
	assert_equal "$(grep -o 'href="/chat/[^"]*"' "$body" | cut -d/ -f3 |
		tr -d '"' | tr '\n' ' ')" "lobby $quiet $middle "
	run ! grep -q "$hidden" "$body"
	says '<span class="subject" dir="auto">quiet</span> <span class="count">1</span> <time datetime="2026-11-20T14:03:20Z">'
	says '<span class="subject" dir="auto">middle</span> <span class="count">0</span> <time datetime="2026-11-20T14:03:10Z">'
}

@test "the first page has a form that calls /chat_create" {
	get /
	says 'action="/chat_create"'
	says 'name="subject"'
	says 'name="listed" value="1"'
}

@test "a room is made with its subject, and its address is the answer" {
	create 'subject=Tea+%26+caf%C3%A9&listed=1'
	[[ $room =~ ^[0-9a-f]{32}$ ]]
	printf '%s\n' format=1 'subject=Tea & café' listed=1 \
		created=2026-11-20T14:03:07Z | cmp - "$meta/$room"
	assert_equal "$(stat -c %a "$meta/$room")" 640
	[ ! -e "$rooms/$room.txt" ]
	assert_equal "$(ls -A "$meta")" "$room"
	local first=$room
	create
	[ "$first" != "$room" ]
}

@test "without a subject a room is Untitled, and listed only by listed=1" {
	for query in '' 'subject=' 'subject=+' 'listed=0' 'listed=11' 'listed=' \
		'listed=true'; do
		create "$query"
		grep -qx subject=Untitled "$meta/$room"
		grep -qx listed=0 "$meta/$room"
	done
}

@test "a subject is 120 characters of any script, in one line; else 400" {
	create "subject=$(printf '%%E2%%82%%AC%.0s' {1..120})"
	grep -qx "subject=$(printf '€%.0s' {1..120})" "$meta/$room"
	before=$(ls -A "$meta")
	for subject in "$(printf 'x%.0s' {1..121})" 'a%0Ab' 'a%0D%0Ab' 'a%0D' \
		'a%00b' '%00' '%1B%5B31m' '%FF' '%C3' '%C2%85' 'a%' 'a%4' 'a%zz' \
		"$(printf 'x%.0s' {1..10240})" '%0Alisted=1'; do
		get "/chat_create?subject=$subject&listed=1"
		the_answer_is 400
	done
	get '/chat_create?subject=fine&other=%'
	the_answer_is 400
	assert_equal "$(ls -A "$meta")" "$before"
}

@test "HTML in a subject is shown as text, on the room's page and in the list" {
	create 'subject=%3Cscript%3Ealert(1)%3C/script%3E%22%27%26amp;&listed=1'
	get "/chat/$room"
	run ! grep -q 'alert(1)</script>' "$body"
	says '<title>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;amp;</title>'
	get /
	run ! grep -q 'alert(1)</script>' "$body"
	says '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;amp;</span>'
}

@test "who makes rooms faster than PARLANCE_CREATE_RATE is told when to come back" {
	export PARLANCE_CREATE_RATE=3 REMOTE_ADDR=192.0.2.7
	create; create; create
	get /chat_create
	the_answer_is 429
	assert_equal "$(field retry-after)" 20
	get '/chat_create?subject=%'
	the_answer_is 400
	REMOTE_ADDR=192.0.2.8 create
	export PARLANCE_NOW=1795183407
	create
	get /chat_create
	the_answer_is 429
}

@test "thirty rooms a minute and source are the default" {
	REMOTE_ADDR=192.0.2.7
	export REMOTE_ADDR
	for _ in {1..31}; do
		printf 'GET /chat_create HTTP/1.1\r\nHost: h\r\n\r\n'
	done >"$in"
	run_in
	assert_equal "$(grep -ac '^HTTP/1.1 302' "$out")" 30
	the_answer_is 429
	assert_equal "$(field retry-after)" 2
}

@test "HEAD makes no room" {
	ask HEAD /chat_create </dev/null
	the_answer_is 405
	assert_equal "$(field allow)" GET
	assert_equal "$(ls -A "$meta")" ''
}

@test "a room's page comes with a fresh cookie each time" {
	create 'subject=Tea'
	get "/chat/$room"
	the_answer_is 200
	assert_equal "$(field content-type)" 'text/html; charset=utf-8'
	first=$(field set-cookie)
	[[ $first =~ ^hchat=[0-9a-f]{32}\;\ Path=/send/$room\;\ HttpOnly\;\ SameSite=Strict$ ]]
	assert_equal "$(field chat-last)" 0
	says "<body class=\"room\" data-room=\"$room\" data-who=\"\" data-last=\"0\" data-guests=\"yes\">"
	send "$room" one
	get "/chat/$room"
	[ "$(field set-cookie)" != "$first" ]
	assert_equal "$(field chat-last)" 1
}

@test "the lobby is there without a file, and as /chat/lobby" {
	get /chat/lobby
	the_answer_is 200
	send lobby 'hello'
	the_answer_is 200
	get /msg/lobby/1
	the_answer_is 200
	body_is hello
}

@test "what is no room is 404: unknown ids, other names, other shapes" {
	echo "x" >"$rooms/team.txt"
	echo "x" >"$rooms/$NOBODY.txt"
	for id in "$NOBODY" team Lobby LOBBY "${NOBODY^^}" "${NOBODY%f}" \
		"${NOBODY}f" '' .. %6c%6f%62%62%79 lobby%00 lobby/ "lobby//" \
		"$(printf 'a%.0s' {1..5000})"; do
		for path in /chat/ /events/; do
			get "$path$id"
			the_answer_is 404
			[ -z "$(field chat-last)" ]
		done
		get "/msg/$id/1"
		the_answer_is 404
		get "/chat/$id.txt"
		the_answer_is 404
		send "$id" text
		the_answer_is 404
	done
	assert_equal "$(cd "$rooms" && echo *)" "$NOBODY.txt team.txt"
}

@test "the transcript is the room's file, empty where nobody spoke yet" {
	create
	get "/chat/$room.txt"
	the_answer_is 200
	[ ! -s "$body" ]
	send "$room" '\\\\o/ one\ntwo' "$GUEST"
	get "/chat/$room.txt"
	the_answer_is 200
	cmp "$rooms/$room.txt" "$body"
	assert_equal "$(field content-type)" 'text/plain; charset=utf-8'
	assert_equal "$(field chat-last)" 1
	get "/chat/$room.txt" 'Range: bytes=1-4'
	the_answer_is 206
	body_is '\\\\o/'
}

@test "the chatfile door shows a listed room and hides an unlisted one" {
	create 'listed=1' && listed=$room
	create '' && hidden=$room
	send "$listed" a
	send "$hidden" a
	printf 'GET /rooms/ HTTP/1.1\r\n%s\r\n\r\n' "$AUTH" >"$in"
	chatfile=$BUILD/handlers/chatfile run_in
	says "$listed"
	run ! grep -q "$hidden" "$body"
}

# --- messages --------------------------------------------------------------------

@test "a message comes back byte for byte, with author, time and numbers" {
	create
	for text in hello 'two\nlines\n' '\\\\o/' '\\\\\\\\two' 'x\n\\\\y @ z' \
		' \t ' 'cr\r\nlf' '\n' '<b>&amp;</b>' '\xf0\x9f\x98\x80 \xd7\xa9'; do
		send "$room" "$text" "$GUEST"
		the_answer_is 200
		n=$(field chat-message)
		get "/msg/$room/$n"
		the_answer_is 200
		body_is "$text"
		assert_equal "$(field chat-message)" "$n"
		assert_equal "$(field chat-last)" "$n"
		assert_equal "$(field chat-author)" '~guest'
		assert_equal "$(field chat-time)" 2026-11-20T14:03:07Z
		assert_equal "$(field content-type)" 'text/plain; charset=utf-8'
	done
	assert_equal "$n" 10
}

@test "a message of 65,535 bytes is taken, one byte more is 413" {
	create
	head -c 65535 /dev/zero | tr '\0' '\\' >"$BATS_TEST_TMPDIR/long"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/long"
	the_answer_is 200
	get "/msg/$room/1"
	cmp "$BATS_TEST_TMPDIR/long" "$body"
	yes '\' | head -c 65534 >"$BATS_TEST_TMPDIR/lines"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/lines"
	get "/msg/$room/2"
	cmp "$BATS_TEST_TMPDIR/lines" "$body"
	echo >>"$BATS_TEST_TMPDIR/long"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/long"
	the_answer_is 413
	head -c 1000000 /dev/zero >"$BATS_TEST_TMPDIR/huge"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/huge"
	the_answer_is 413
	{ printf message=; head -c 65535 /dev/zero | sed 's/\x0/%26/g'; } \
		>"$BATS_TEST_TMPDIR/form"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/form" "$FORM"
	the_answer_is 200
	printf %%26 >>"$BATS_TEST_TMPDIR/form"
	put_file "/send/$room" "$BATS_TEST_TMPDIR/form" "$FORM"
	the_answer_is 413
	get "/msg/$room/3"
	head -c 65535 /dev/zero | tr '\0' '&' | cmp - "$body"
	ask HEAD "/msg/$room/4" </dev/null
	the_answer_is 404
}

@test "what is no room text is 400 and stores nothing" {
	create
	for text in '' 'a\x00' 'a\x1b[31m' 'a\x7f' '\xc2\x85' '\xff' 'a\xc3' \
		'a\r' 'a\rb' '\xed\xa0\x80'; do
		send "$room" "$text"
		the_answer_is 400
	done
	[ ! -e "$rooms/$room.txt" ]
}

@test "a form's message= is the message; the first counts; + is a space" {
	create
	send "$room" 'x=1&message=a+b%2Bc%0A&message=other' "$FORM"
	the_answer_is 200
	get "/msg/$room/1"
	body_is 'a b+c\n'
	send "$room" 'message=a' 'content-type: Application/X-WWW-Form-Urlencoded; charset=UTF-8'
	get "/msg/$room/2"
	body_is a
	send "$room" 'message=a' 'Content-Type: text/html'
	get "/msg/$room/3"
	body_is 'message=a'
}

@test "a form without message=, or with a broken %, is 400 and says so" {
	create
	for form in hello messages=x 'Message=x' '=x' '&&'; do
		send "$room" "$form" "$FORM"
		the_answer_is 400
		says message=
	done
	for form in message=% message=%4 message=%zz message=a%-1b message=%%41 \
		'message=a&x=%' '%=&message=a' 'message=%u0041'; do
		send "$room" "$form" "$FORM"
		the_answer_is 400
		says broken
	done
	for form in message= message; do
		send "$room" "$form" "$FORM"
		the_answer_is 400
	done
	send "$room" 'message=%00' "$FORM"
	the_answer_is 400
	[ ! -e "$rooms/$room.txt" ]
}

@test "numbers that are none are 404, with the newest number all the same" {
	create
	send "$room" a
	for n in 0 -1 +1 01 1.0 1e0 x '' 0x1 %31 9007199254740993 \
		99999999999999999999999999 18446744073709551617 1/ '1?'; do
		[ "$n" != '1?' ] || continue
		get "/msg/$room/$n"
		the_answer_is 404
	done
	get "/msg/$room/0"
	assert_equal "$(field chat-last)" 1
	get "/msg/$room/1?x=y"
	the_answer_is 200
	for n in 2 9007199254740992; do
		ask HEAD "/msg/$room/$n" </dev/null
		the_answer_is 404
		assert_equal "$(field chat-last)" 1
	done
	ask HEAD "/msg/$room/1" </dev/null
	the_answer_is 200
	assert_equal "$(field content-length)" 1
}

@test "a message that does not come within PARLANCE_POLL_TIMEOUT is 204" {
	create
	PARLANCE_POLL_TIMEOUT=1 get "/msg/$room/1"
	the_answer_is 204
	assert_equal "$(field chat-last)" 0
	PARLANCE_POLL_TIMEOUT=x run -100 "$chatfile" </dev/null
}

@test "records that others wrote are shown as far as they can be" {
	{
		printf 'no fields\n\\\n'
		printf 'esc \x1b[31m\xff\n\\m\xfcller\x1b @ 1\x07\xe9 x\n'
		head -c 200000 /dev/zero | tr '\0' y
		printf '\n\\%s @ then\n' "$(printf '\xe2\x82\xac%.0s' {1..500})"
	} >"$rooms/lobby.txt"
	get /msg/lobby/1
	the_answer_is 200
	body_is 'no fields'
	assert_equal "$(field chat-author)" ''
	assert_equal "$(field chat-time)" ''
	get /msg/lobby/2
	body_is 'esc \xef\xbf\xbd[31m\xef\xbf\xbd'
	assert_equal "$(field chat-author)" m%EF%BF%BDller%EF%BF%BD
	assert_equal "$(field chat-time)" '1??'
	get /msg/lobby/3
	the_answer_is 200
	assert_equal "$(stat -c %s "$body")" 65535
}

# --- events ----------------------------------------------------------------------

# What a stream has said after so many events; it would go on for ever.
stream() { # stream COUNT TARGET [FIELD...]
	local count=$1 target=$2 line n=0
	shift 2
	{
		printf 'GET %s HTTP/1.1\r\nHost: h\r\n' "$target"
		[ $# = 0 ] || printf '%s\r\n' "$@"
		printf '\r\n'
	} >"$in"
	: >"$out"
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$out"
		[[ $line != data:* ]] || n=$((n + 1))
		[ "$n" -lt "$count" ] || break
	done < <(exec "$chatfile" <"$in" 2>"$log")
}

numbers() { sed -n 's/^id: //p' "$out" | tr '\n' ' '; }

@test "an event stream brings the history from N, the last N, or what was missed" {
	create
	for i in 1 2 3 4; do send "$room" "number $i" "$GUEST"; done
	stream 4 "/events/$room"
	grep -qx $'HTTP/1.1 200 OK\r' "$out"
	grep -qx $'Content-Type: text/event-stream\r' "$out"
	grep -qx $'Chat-Last: 4\r' "$out" || grep -q 'Cache-Control: no-cache' "$out"
	assert_equal "$(numbers)" '1 2 3 4 '
	grep -qF 'data: {"number":4,"author":"~guest","time":"2026-11-20T14:03:07Z","text":"number 4"}' "$out"
	stream 2 "/events/$room?from=3"
	assert_equal "$(numbers)" '3 4 '
	stream 2 "/events/$room?x=1&from=-2"
	assert_equal "$(numbers)" '3 4 '
	stream 4 "/events/$room?from=-50"
	assert_equal "$(numbers)" '1 2 3 4 '
	stream 1 "/events/$room?from=1" 'Last-Event-ID: 3'
	assert_equal "$(numbers)" '4 '
	for bad in x -1 3.0 '' 99999999999999999999; do
		stream 2 "/events/$room?from=3" "Last-Event-ID: $bad"
		assert_equal "$(numbers)" '3 4 '
	done
}

@test "from = 0, empty, malformed or above 2^53 is 400" {
	create
	for from in 0 '' x - -0 --1 +1 01 1.5 %31 9007199254740993 '1%20'; do
		get "/events/$room?from=$from"
		the_answer_is 400
	done
	ask HEAD "/events/$room?from=9007199254740992" </dev/null
	the_answer_is 200
	assert_equal "$(field content-type)" text/event-stream
}

# --- who speaks ------------------------------------------------------------------

@test "without a cookie one is anonymous, with a room's cookie a guest with an id" {
	create
	send "$room" a
	assert_equal "$(footer "$room")" '\~anonymous @ 2026-11-20T14:03:07Z hchat'
	send "$room" a "$GUEST"
	[[ $(footer "$room") =~ ^'\~guest @ 2026-11-20T14:03:07Z hchat id='[0-9a-f]{8}$ ]]
	id=$(footer "$room")
	send "$room" a "$GUEST"
	assert_equal "$(footer "$room")" "$id"
	send "$room" a 'Cookie: hchat=1123456789abcdef'
	[ "$(footer "$room")" != "$id" ]
	run ! grep -q 0123456789abcdef "$rooms/$room.txt"
}

@test "a guest is called what the name cookie says, in any script" {
	create
	send "$room" a "$GUEST; name=Zo%C3%AB"
	[[ $(footer "$room") == '\~Zoë @ '* ]]
	get "/msg/$room/1"
	assert_equal "$(field chat-author)" '~Zo%C3%AB'
	send "$room" a "name: x" "Cookie: x=y" "Cookie: name=ivan;hchat=abc"
	[[ $(footer "$room") == '\~ivan @ '* ]]
	send "$room" a "$GUEST; name=first; name=second"
	[[ $(footer "$room") == '\~first @ '* ]]
	send "$room" a "Cookie: name=ivan"
	[[ $(footer "$room") == '\~anonymous @ '* ]]
	get "/chat/$room" "Cookie: name=Zo%C3%AB"
	says 'value="Zoë"'
}

@test "a malformed name is guest; a name of an account, or reserved, is 409" {
	create
	for name in '' a%20b % %4 %zz a%00 %FF a%0Ax '"ivan"' a.b a@b %C2%AD \
		"$(printf 'x%.0s' {1..31})" "$(printf 'x%.0s' {1..4000})" '~ivan' \
		'%5Cfooter' Zoe%CC%88; do
		send "$room" a "$GUEST; name=$name"
		the_answer_is 200
		[[ $(footer "$room") == '\~guest @ '* ]]
	done
	count=$(wc -l <"$rooms/$room.txt")
	for name in username USERNAME u%73ername server Guest ANONYMOUS; do
		send "$room" a "$GUEST; name=$name"
		the_answer_is 409
	done
	assert_equal "$(wc -l <"$rooms/$room.txt")" "$count"
}

@test "any well-formed token is a guest's, even another room's; others are none" {
	create
	for token in a "$(printf 'x%.0s' {1..128})" A-_9; do
		send "$room" a "Cookie: hchat=$token"
		[[ $(footer "$room") == '\~guest @ '*' id='* ]]
	done
	for token in '' 'a b' a.b '"abc"' %41 "$(printf 'x%.0s' {1..129})"; do
		send "$room" a "Cookie: hchat=$token"
		the_answer_is 200
		[[ $(footer "$room") == '\~anonymous @ '*hchat ]] || [[ $token == 'a b' ]]
	done
}

@test "Authorization says who it is; a wrong one is 401, not a guest" {
	create
	send "$room" a "$AUTH" "$GUEST; name=ivan"
	assert_equal "$(footer "$room")" '\username @ 2026-11-20T14:03:07Z hchat'
	for wrong in 'Basic dXNlcm5hbWU6d3Jvbmc=' 'Basic ?' 'Basic' 'Bearer x' \
		"Basic $(printf 'nobody:x' | base64)" \
		"Basic $(head -c 9000 /dev/zero | base64 -w0)"; do
		export REMOTE_ADDR=192.0.2.$((++n))
		send "$room" a "Authorization: $wrong" "$GUEST"
		the_answer_is 401
		[[ $(field www-authenticate) == Basic* ]]
		send "$NOBODY" a "Authorization: $wrong"
		the_answer_is 401
		get "/msg/$room/1" "Authorization: $wrong"
		the_answer_is 200
	done
	assert_equal "$(grep -c '^a$' "$rooms/$room.txt")" 1
}

@test "PARLANCE_GUESTS=no: guests read, accounts speak" {
	create
	export PARLANCE_GUESTS=no
	send "$room" a "$GUEST"
	the_answer_is 401
	[[ $(field www-authenticate) == Basic* ]]
	# A browser would ask for a password in the midst of the page.
	send "$room" a "$GUEST" 'Sec-Fetch-Dest: empty'
	the_answer_is 401
	[[ $(field www-authenticate) == Session* ]]
	send "$room" a
	the_answer_is 401
	send "$room" a "$AUTH"
	the_answer_is 200
	get "/msg/$room/1"
	the_answer_is 200
	get "/chat/$room"
	the_answer_is 200
	says 'data-guests="no"'
	get "/login?room=$room"
	says 'data-guests="no"'
	sign_in
	send "$room" b "$session"
	the_answer_is 200
}

# --- signing in and out ----------------------------------------------------------

@test "the sign-in page is a form that works without script" {
	get "/login?room=$NOBODY"
	the_answer_is 200
	says 'method="post" action="/login"'
	says "name=\"room\" value=\"$NOBODY\""
	says 'type="password"'
	get '/login?room=%22%3E%3Cscript%3E'
	says 'name="room" value=""'
}

@test "who signs in speaks with the account's name, here and on the pages" {
	create
	put /login "name=username&password=password&room=$room" "$FORM"
	the_answer_is 303
	assert_equal "$(field location)" "/chat/$room"
	[[ $(field set-cookie) =~ ^session=username\.1797775387\.[0-9a-f]{64}\;\ Path=/\;\ HttpOnly\;\ SameSite=Strict\;\ Max-Age=2592000$ ]]
	session="Cookie: $(field set-cookie | cut -d';' -f1)"
	send "$room" a "$session; hchat=abc; name=ivan"
	assert_equal "$(footer "$room")" '\username @ 2026-11-20T14:03:07Z hchat'
	get "/chat/$room" "$session"
	says 'data-who="username"'
	get / "$session"
	says 'data-who="username"'
	send "$room" a "$session" 'Authorization: Basic dXNlcm5hbWU6d3Jvbmc='
	the_answer_is 401
}

@test "a wrong password is 403 and the page again, with the name but not the password" {
	put /login "name=user%3Cname&password=s3cret&room=$NOBODY" "$FORM"
	the_answer_is 403
	[ -z "$(field set-cookie)" ]
	says 'value="user&lt;name"'
	says "name=\"room\" value=\"$NOBODY\""
	says 'Wrong name or password'
	run ! grep -q s3cret "$body" "$log"
	grep -q 'event=login-failed user="\?user<name' "$log"
	for form in '' name=username 'password=password' 'name=&password=' \
		"name=$(printf 'x%.0s' {1..300})&password=x" \
		"name=username&password=$(printf 'x%.0s' {1..2000})"; do
		put /login "$form" "$FORM"
		the_answer_is 403
	done
	put /login 'name=username&password=%' "$FORM"
	the_answer_is 400
}

@test "the way back from signing in is a room or the first page, nowhere else" {
	for back in '' //evil.test /chat/x http://evil.test ..%2f.. \
		'lobby%0d%0aX:%20y' "$NOBODY%0a" "${NOBODY^^}" %00 \
		"$(printf 'x%.0s' {1..200})"; do
		put /login "name=username&password=password&room=$back" "$FORM"
		the_answer_is 303
		assert_equal "$(field location)" /
		put /logout "room=$back" "$FORM"
		the_answer_is 303
		assert_equal "$(field location)" /
	done
	put /login "name=username&password=password&room=lobby" "$FORM"
	assert_equal "$(field location)" /chat/lobby
}

@test "signing out clears the cookie and goes back" {
	put /logout room=lobby "$FORM"
	the_answer_is 303
	assert_equal "$(field location)" /chat/lobby
	assert_equal "$(field set-cookie)" \
		'session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0'
	get /logout
	the_answer_is 405
	assert_equal "$(field allow)" POST
}

@test "a session ends with its time, the password, and the account" {
	sign_in
	get / "$session"
	says 'data-who="username"'
	PARLANCE_NOW=1797775386 get / "$session"
	says 'data-who="username"'
	PARLANCE_NOW=1797775387 get / "$session"
	says 'data-who=""'
	"$BUILD/bin/parlance" user disable username
	get / "$session"
	says 'data-who=""'
	"$BUILD/bin/parlance" user enable username
	get / "$session"
	says 'data-who="username"'
	echo other | "$BUILD/bin/parlance" user passwd username
	get / "$session"
	says 'data-who=""'
	send lobby a "$session; hchat=abc"
	[[ $(footer lobby) == '\~guest'* ]]
}

@test "a forged or broken session is as none" {
	sign_in
	good=${session#Cookie: session=}
	mac=${good##*.}
	for bad in '' . .. "x$good" "${good}0" "${good%?}" "server.${good#*.}" \
		"username.1797775388.$mac" "username.99999999999999999999.$mac" \
		"username.1797775387.${mac^^}x" "%.1.$mac" "%zz.1.$mac" \
		"username.1797775387.$(printf '0%.0s' {1..64})" \
		"username..$mac" ".1797775387.$mac" "$(printf 'x%.0s' {1..8000})" \
		"username%00.1797775387.$mac"; do
		get / "Cookie: session=$bad"
		the_answer_is 200
		says 'data-who=""'
	done
	get / "Cookie: session=$good"
	says 'data-who="username"'
}

@test "failed log-ins of one source are delayed, by form and by Basic together" {
	export REMOTE_ADDR=192.0.2.9
	for _ in 1 2; do
		put /login 'name=username&password=wrong' "$FORM"
		the_answer_is 403
	done
	send lobby a 'Authorization: Basic dXNlcm5hbWU6d3Jvbmc='
	the_answer_is 401
	before=$EPOCHREALTIME
	put /login 'name=username&password=wrong' "$FORM"
	the_answer_is 403
	[ $((${EPOCHREALTIME/./} - ${before/./})) -ge 1000000 ]
	before=$EPOCHREALTIME
	put /login 'name=username&password=password' "$FORM"
	the_answer_is 303
	[ $((${EPOCHREALTIME/./} - ${before/./})) -lt 1000000 ]
}

# --- other sites -----------------------------------------------------------------

@test "what another site's page makes a browser post is 403" {
	create
	for field in 'Sec-Fetch-Site: cross-site' 'Origin: http://evil.test' \
		'Origin: null' 'Origin: http://parlance.test.evil.test' \
		'Origin: http://parlance.test:8080' 'Origin:' 'Origin: http://' \
		'Origin: ftp://parlance.test' 'Origin: parlance.test'; do
		for path in "/send/$room" /login /logout "/send/$NOBODY" /nowhere; do
			put "$path" text "$field" "$AUTH"
			the_answer_is 403
		done
	done
	put "/send/$room" text 'Sec-Fetch-Site: cross-site' \
		'Origin: http://parlance.test'
	the_answer_is 403
	put "/send/$room" text 'Sec-Fetch-Site: cross-site' \
		'Authorization: Basic dXNlcm5hbWU6d3Jvbmc='
	the_answer_is 403
	[ ! -e "$rooms/$room.txt" ]
	get "/chat/$room" 'Sec-Fetch-Site: cross-site' 'Origin: http://evil.test'
	the_answer_is 200
}

@test "our own pages may post, behind http and https, whatever the case" {
	create
	for origin in http://parlance.test https://parlance.test \
		http://Parlance.TEST; do
		send "$room" a "Origin: $origin" 'Sec-Fetch-Site: same-origin'
		the_answer_is 200
	done
	send "$room" a 'Sec-Fetch-Site: none'
	the_answer_is 200
	send "$room" a 'Origin: null' 'Sec-Fetch-Site: same-origin'
	the_answer_is 200
	printf 'POST /send/%s HTTP/1.1\r\nHost: h.test:80\r\nOrigin: http://h.test\r\nContent-Length: 1\r\n\r\na' \
		"$room" >"$in"
	run_in
	the_answer_is 200
}

# --- the rest --------------------------------------------------------------------

@test "pages say what they may load and whom they tell" {
	create
	for path in / "/chat/$room" /login; do
		get "$path"
		the_answer_is 200
		assert_equal "$(field content-security-policy)" \
			"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
		assert_equal "$(field x-content-type-options)" nosniff
		assert_equal "$(field referrer-policy)" no-referrer
		run ! grep -qE '<script>|<style| style=| on[a-z]+=' "$body"
		run ! grep -q '{{' "$body"
	done
}

@test "assets are kept for a year, under a name that changes with them" {
	get /
	path=$(grep -o '/assets/[^"]*\.css' "$body")
	get "$path"
	the_answer_is 200
	assert_equal "$(field content-type)" 'text/css; charset=utf-8'
	assert_equal "$(field cache-control)" 'public, max-age=31536000, immutable'
	cmp "$BATS_TEST_DIRNAME/../web/style.css" "$body"
	tag=$(field etag)
	[[ $tag == "\"$(cut -d/ -f3 <<<"$path")\"" ]]
	get "$path" "If-None-Match: $tag"
	the_answer_is 304
	get "$path" 'Accept-Encoding: br, gzip;q=0.5'
	assert_equal "$(field content-encoding)" gzip
	assert_equal "$(field vary)" Accept-Encoding
	zcat <"$body" | cmp - "$BATS_TEST_DIRNAME/../web/style.css"
	get "$path" "If-None-Match: $(field etag)" 'Accept-Encoding: gzip'
	the_answer_is 304
	# But not what comes after it on the connection.
	printf '%s HTTP/1.1\r\nHost: x\r\n\r\n' "GET $path" GARBAGE >"$in"
	run_in
	assert_equal "$(field cache-control)" no-cache
	for none in 'gzip;q=0' 'gzip; q=0.000' identity br xgzip; do
		get "$path" "Accept-Encoding: $none"
		assert_equal "$(field content-encoding)" ''
	done
	for wrong in /assets/0000000000000000/style.css "${path%.css}" "$path/" \
		"${path/style.css/room.html}" /assets//room.html /assets/ /assets \
		"/assets//style.css"; do
		get "$wrong"
		the_answer_is 404
	done
}

@test "what is not here is 404, a method that is not 405 with those that are" {
	create
	for path in /x /chat /chat/ /msg/lobby /msg/lobby/1/2 /send/lobby/ //; do
		get "$path"
		the_answer_is 404
	done
	while read -r method path allow; do
		ask "$method" "$path" 'Content-Length: 0' </dev/null
		the_answer_is 405
		assert_equal "$(field allow)" "$allow"
	done <<-END
	POST / GET, HEAD
	PUT /chat/$room GET, HEAD
	DELETE /msg/$room/1 GET, HEAD
	POST /msg/$room/1 GET, HEAD
	GET /send/$room POST
	POST /events/$room GET, HEAD
	PUT /login GET, HEAD, POST
	POST /healthz GET, HEAD
	POST /chat_create GET
	END
	get /nowhere 'Accept: text/html,*/*'
	the_answer_is 404
	assert_equal "$(field content-type)" 'text/html; charset=utf-8'
	says '<a href="/">'
}

@test "/healthz is fine and not logged" {
	get /healthz
	the_answer_is 200
	body_is 'fine\n'
	[ ! -s "$log" ]
}

@test "HEAD is answered as GET is, without the body" {
	create
	send "$room" a
	for path in / "/chat/$room" "/chat/$room.txt" "/msg/$room/1" /login \
		/healthz; do
		get "$path"
		length=$(field content-length)
		ask HEAD "$path" </dev/null
		the_answer_is 200
		[ ! -s "$body" ]
		assert_equal "$(field content-length)" "$length"
	done
}

@test "requests follow one another on one connection" {
	{
		printf 'POST /send/lobby HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none'
		printf 'GET /msg/lobby/1 HTTP/1.1\r\nHost: h\r\n\r\n'
		printf 'POST /send/lobby HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n'
		printf 'GET /msg/lobby/2 HTTP/1.1\r\nHost: h\r\n\r\n'
	} >"$in"
	run_in
	the_answer_is 200
	body_is two
	assert_equal "$(grep -ao 'HTTP/1.1 200' "$out" | wc -l)" 4
}

@test "broken framing is 400 and ends the connection with status 1" {
	send lobby abc 'Content-Length: 4'
	the_answer_is 400 1
	printf 'GET / HTTP/1.1\nHost: h\n\n' >"$in"
	run_in
	the_answer_is 400 1
	printf 'POST /send/lobby HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc' >"$in"
	run_in
	the_answer_is 400 1
	[ ! -e "$rooms/lobby.txt" ]
}

# --- failing storage -------------------------------------------------------------

@test "a room that a failed sync shut is 503 for writing, and read all the same" {
	send lobby one
	mkdir -p "$RUNTIME_DIRECTORY/failed"
	: >"$RUNTIME_DIRECTORY/failed/lobby"
	send lobby two
	the_answer_is 503
	assert_equal "$(field retry-after)" 5
	get /msg/lobby/1
	the_answer_is 200
}

@test "a locked room is 503 with Retry-After" {
	send lobby one
	exec {lock}<"$rooms/lobby.txt"
	flock "$lock"
	send lobby two
	the_answer_is 503
	exec {lock}<&-
	send lobby two
	the_answer_is 200
}

@test "a full disk is 507 for a message and for a new room, and leaves nothing" {
	small=$BATS_TEST_TMPDIR/small
	small_disk "$small" size=1m
	export STATE_DIRECTORY=$small
	rooms=$small/rooms meta=$small/meta
	send lobby one
	the_answer_is 200
	head -c 60000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
	run -1 dd if=/dev/zero "of=$small/fill" bs=4k status=none
	put_file /send/lobby "$BATS_TEST_TMPDIR/long"
	the_answer_is 507
	get /chat_create
	the_answer_is 507
	assert_equal "$(ls -A "$meta")" ''
	rm "$small/fill"
	put_file /send/lobby "$BATS_TEST_TMPDIR/long"
	the_answer_is 200
	create
}

@test "who sends when the disk fails to sync is told so, and the room is shut" {
	needs_strace
	send lobby one
	printf 'POST /send/lobby HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo' >"$in"
	PARLANCE_SANDBOX=off run strace -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=fdatasync -e inject=fdatasync:error=EIO \
		"$chatfile" <"$in" 2>"$log"
	assert_line --regexp '^HTTP/1.1 50[037] '
	send lobby three
	the_answer_is 503
	ask HEAD /msg/lobby/2 </dev/null
	the_answer_is 404
	"$BUILD/bin/parlance" room check --repair lobby
	send lobby three
	the_answer_is 200
	get /msg/lobby/2
	body_is three
}

@test "a room whose metadata cannot be synced is not made" {
	needs_strace
	get /healthz # the key is there from now on
	printf 'GET /chat_create HTTP/1.1\r\nHost: h\r\n\r\n' >"$in"
	for n in 1 2; do
		PARLANCE_SANDBOX=off run strace -f -qq -o "$BATS_TEST_TMPDIR/trace" \
			-e trace=fsync -e inject="fsync:error=EIO:when=$n" \
			"$chatfile" <"$in" 2>"$log"
		assert_line --regexp '^HTTP/1.1 507 '
		assert_equal "$(ls -A "$meta")" ''
	done
}

# --- the first page, in all circumstances ------------------------------------------

@test "after a boot, without any index, the first page counts all the same" {
	create 'subject=Tea&listed=1'
	send "$room" a
	send "$room" b
	rm -r "${RUNTIME_DIRECTORY:?}"
	get /
	the_answer_is 200
	says '<span class="subject" dir="auto">Tea</span> <span class="count">2</span>'
}

@test "the first page shows the thousand rooms that were used last" {
	for i in {1001..2005}; do
		printf 'format=1\nsubject=room %d\nlisted=1\ncreated=2026-11-20T14:%02d:%02dZ\n' \
			"$i" $((i % 3600 / 60)) $((i % 60)) \
			>"$meta/$(printf '%032x' "$i")"
	done
	get /
	the_answer_is 200
	assert_equal "$(grep -c '<li>' "$body")" 1000
}

@test "metadata that cannot be read hides a room from the list, not from its guests" {
	create 'subject=Tea&listed=1'
	echo format=2 >"$meta/$room"
	get /
	run ! grep -q "$room" "$body"
	get "/chat/$room"
	the_answer_is 200
	says '<title>Untitled</title>'
}

# --- one conversation --------------------------------------------------------------

@test "what the chatfile door and the keeper say is heard here, and the reverse" {
	create 'subject=Tea'
	post() { # post TEXT
		printf 'POST /rooms/%s.txt HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s' \
			"$room" "$AUTH" "${#1}" "$1" >"$in"
		chatfile=$BUILD/handlers/chatfile run_in
	}
	post '\\o/ from chatfile'
	the_answer_is 206
	get "/msg/$room/1"
	body_is '\\o/ from chatfile'
	assert_equal "$(field chat-author)" username
	"$BUILD/bin/parlance" room say -u username "$room" '\o/ from the keeper'
	get "/msg/$room/2"
	body_is '\\o/ from the keeper'
	send "$room" '\\o/ from the web' "$GUEST"
	post ''
	says 'o/ from the web'
	run -0 "$BUILD/bin/parlance" room tail -n 1 "$room"
	assert_output --partial '\o/ from the web'
}

@test "SIGTERM ends a connection, however many requests are waiting" {
	yes $'GET /healthz HTTP/1.1\r\nHost: x\r\n\r' | head -n 600000 >"$in"
	"$chatfile" <"$in" >"$out" 2>"$log" &
	local pid=$!
	until [ -s "$out" ]; do kill -0 $pid; done
	kill -TERM $pid
	wait $pid
	[ "$(grep -ac '^HTTP/1.1 200' "$out")" -lt 200000 ]
}
