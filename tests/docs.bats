#!/usr/bin/env bats
# What is written agrees with what is there.
load environment

cd "$BATS_TEST_DIRNAME/.." || exit 1

setup() {
	environment "$BATS_TEST_TMPDIR"
}

@test "man pages are well formed" {
	for page in man/*.[1-8]; do
		# Whether other pages exist is asked below: here it depends on
		# what happens to be installed.
		mandoc -T lint "$page" >"$BATS_TEST_TMPDIR/lint" 2>/dev/null ||
			true
		run grep -v 'referenced manual not found' \
			"$BATS_TEST_TMPDIR/lint"
		assert_output ''
	done
}

@test "man pages refer to pages of ours that exist" {
	for page in man/*.[1-8]; do
		while read -r name section; do
			case $name in
			parlance* | chatfile* | hchat* | bcs* | toychat*) ;;
			fanout | gallery | serve) ;;
			*) continue ;;
			esac
			[ -e "man/$name.$section" ] ||
				fail "$page refers to $name($section)"
		done < <(sed -n 's/^\.Xr \([^ ]*\) \([1-8]\).*/\1 \2/p' "$page")
	done
}

@test "each setting stands in parlance.conf(5) with its default, and no other" {
	sed -n 's/^#\(PARLANCE_[A-Z_]*\)=\(.*\)/\1=\2/p' etc/parlance.conf |
		sort >"$BATS_TEST_TMPDIR/there"
	awk '/^\.It Ev PARLANCE_/ { name = $3; value = "" }
	    /^\.Li / { value = $2 }
	    name != "" { last[name] = value }
	    /^\.El/ { name = "" }
	    END { for (n in last) print n "=" last[n] }' man/parlance.conf.5 |
		sort >"$BATS_TEST_TMPDIR/written"
	[ -s "$BATS_TEST_TMPDIR/there" ]
	run diff "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/written"
	assert_success
}

@test "each command of parlance --help stands in parlance(1), and no other" {
	"$BUILD/bin/parlance" --help |
		sed -n 's/^  parlance \([a-z ]*[a-z]\).*/\1/p' | sort \
		>"$BATS_TEST_TMPDIR/there"
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.Cm //p' man/parlance.1 | sort \
		>"$BATS_TEST_TMPDIR/written"
	[ -s "$BATS_TEST_TMPDIR/there" ]
	run diff "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/written"
	assert_success
}

# database_queries: what parlance.db(5) gives as examples.
database_queries() {
	awk '/^\.Ss Looking at it/ { on = 1 } /^\.Ss Changing/ { on = 0 }
	    on && /^\.Ed/ { text = 0 } on && text
	    on && /^\.Bd/ { text = 1 }' man/parlance.db.5
}

@test "each column of the database stands in parlance.db(5), and no other" {
	echo password | "$BUILD/bin/parlance" user add alice
	db=$STATE_DIRECTORY/db/parlance.db
	for table in users messages; do
		sqlite3 "$db" "SELECT '$table ' || name
			FROM pragma_table_info('$table')"
	done >"$BATS_TEST_TMPDIR/there"
	[ "$(sqlite3 "$db" "SELECT count(*) FROM sqlite_schema
		WHERE type = 'table'")" = 2 ]
	awk '/^\.Ss The table/ { table = $4 } /^\.Ss Looking/ { exit }
	    /^\.It Va/ { print table, $3 }' man/parlance.db.5 \
		>"$BATS_TEST_TMPDIR/written"
	run diff "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/written"
	assert_success
	version=$(sqlite3 "$db" 'PRAGMA user_version')
	grep -q "tells the version of the tables: $version\.$" man/parlance.db.5
}

@test "the queries of parlance.db(5) answer what they say" {
	export PARLANCE_NOW=1795183387
	echo password | "$BUILD/bin/parlance" user add alice
	echo password | "$BUILD/bin/parlance" user add bob
	"$BUILD/bin/parlance" user disable bob
	db=$STATE_DIRECTORY/db/parlance.db
	sqlite3 "$db" "INSERT INTO messages
		(timestamp, source_id, destination, inbox_id, body)
		VALUES (1795183387, 1, 'bob', 2, 'hi')"
	database_queries >"$BATS_TEST_TMPDIR/queries"
	run sqlite3 -readonly -bail "$db" <"$BATS_TEST_TMPDIR/queries"
	assert_success
	assert_output "bob|alice|1
bob|2026-11-20 14:03:07
alice|2026-11-20 14:03:07|
bob|2026-11-20 14:03:07|disabled
alice|0
bob|0"
}
