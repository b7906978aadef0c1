#!/usr/bin/env bats
# What is written agrees with what is there.
bats_load_library bats-support
bats_load_library bats-assert

cd "$BATS_TEST_DIRNAME/.." || exit 1

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
