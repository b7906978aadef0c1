#!/usr/bin/env bats
# suite: slow
# The Debian package (tests/systemd/package builds it; PARLANCE_DEB is one that is
# there already): looked at, and installed, upgraded under load and purged in a
# machine of its own (tests/systemd/host).
# shellcheck disable=SC2154
load environment

setup_file() {
	export at=$BATS_FILE_TMPDIR host=77 deb=${PARLANCE_DEB:-} why=
	[ -n "$deb" ] || deb=$(tests/systemd/package 2>"$at/why" 3>&-) ||
		no_package $? || return
	[ -z "$why" ] || return 0
	mkdir "$at/host"
	host=0
	tests/systemd/host up "$at/host" 2>"$at/host.log" 3>&- || host=$?
}

no_package() { # no_package STATUS: of who was to build it
	why=$(cat "$at/why")
	[ "$1" = 77 ] || { echo "$why" >&2 && return 1; }
}

setup() {
	[ -z "$why" ] || skip "$why"
}

teardown_file() {
	[ "$host" != 0 ] || tests/systemd/host down "$at/host"
}

inside() { tests/systemd/host in "$at/host" "$@"; }

needs_host() {
	[ "$host" != 77 ] || skip "$(cat "$at/host.log")"
	assert_equal "$host" 0
}

# load COMMAND...: inside, while people talk.
load_while() {
	cp tests/deb_load.py "$at/host/root/root/"
	inside python3 -B /root/deb_load.py "$@"
}

# higher NAME: the package again with a higher version, its programs too.
higher() {
	local old new
	old=$(dpkg-deb -f "$deb" Version)
	new=${old%?}$1
	rm -rf "$at/again"
	dpkg-deb -R "$deb" "$at/again"
	sed -i "s/^Version: .*/Version: $new/" "$at/again/DEBIAN/control"
	find "$at/again/usr/libexec" "$at/again/usr/bin" -type f -exec \
		perl -0pi -e "s/\Q$old\E(?=\0|\\n)/$new/g" {} +
	dpkg-deb -Znone -b "$at/again" "$at/host/root/root/new.deb" >/dev/null
	higher=$new
}


@test "the package builds, and lintian has nothing to say" {
	command -v lintian >/dev/null || skip "needs lintian"
	run lintian --allow-root --fail-on error,warning "$deb"
	assert_success
	refute_output --regexp '^[EW]:'
}

@test "the package holds programs, units, pages, settings and samples" {
	run -0 dpkg-deb -c "$deb"
	local file
	for file in bin/{parlance,chatfile,toychat,bcs_client.py,hchatd} \
		libexec/parlance/{chatfile,hchat,bcs,toychat,fanout,gallery,serve} \
		lib/{sysusers,tmpfiles}.d/parlance.conf \
		share/man/man5/parlance.conf.5.gz \
		share/doc/parlance/{README.Debian,examples/nginx/parlance.conf}; do
		assert_output --partial " ./usr/$file"
	done
	assert_output --partial ' ./lib/systemd/system/parlance.target'
	run -0 dpkg-deb -I "$deb" conffiles
	assert_output '/etc/parlance/parlance.conf'
}

@test "the package needs what make deps installs, and names what is linked statically" {
	local needs
	needs=$(sed -n '/^DEPS = /,/[^\\]$/p' Makefile | grep -o '[a-z0-9-]*' |
		grep -vxE 'gcc|libc6-dev')
	assert_equal "$(sed -n '/^Build-Depends/,/^[A-Z]/p' debian/control |
		grep '^ ' | tr -d ' ,' | sort)" "$(sort <<<"$needs")"
	run -0 dpkg-deb -f "$deb" Depends Built-Using Static-Built-Using
	assert_line --regexp '^Depends:.*libsqlite3-0.*python3'
	assert_line --regexp '^Built-Using:.*libunistring \(= '
	assert_line --regexp '^Static-Built-Using:.*libsodium \(= '
}

@test "installed, it opens no door; one command opens them all" {
	needs_host
	tests/systemd/host install "$at/host" "$deb"
	run inside systemctl list-units --plain --no-legend 'parlance*'
	assert_output ''
	inside systemctl enable --now parlance.target
	load_while true
}

@test "an upgrade drops no connection and no message" {
	needs_host
	local fanout
	fanout=$(inside systemctl show -P MainPID parlance-fanout.service)
	higher 1
	run load_while apt-get install -y -qq /root/new.deb
	assert_output --regexp '^[0-9]+ messages$'
	echo "# $output" >&3
	run -0 inside /usr/libexec/parlance/hchat --version
	assert_output "hchat (parlance) $higher"
	# Helpers are the old ones until they are restarted (README.Debian).
	assert_equal "$(inside systemctl show -P MainPID \
		parlance-fanout.service)" "$fanout"
}

@test "an upgrade reloads serve, and drops no connection and no message" {
	needs_host
	local serve
	inside systemctl disable -q --now parlance.target
	inside systemctl enable -q --now parlance-serve.service
	serve=$(inside systemctl show -P MainPID parlance-serve.service)
	higher 2
	run load_while apt-get install -y -qq /root/new.deb
	assert_output --regexp '^[0-9]+ messages$'
	assert_equal "$(inside systemctl show -P MainPID \
		parlance-serve.service)" "$serve"
	run -0 inside readlink "/proc/$serve/exe"
	assert_output /usr/libexec/parlance/serve
}

@test "removed, no door is open and no process left; purged, the state is what stays" {
	needs_host
	inside apt-get remove -y -qq parlance
	run inside pgrep -u parlance
	assert_output ''
	run inside systemctl list-units --plain --no-legend --all 'parlance*'
	refute_output --regexp ' active| failed'
	inside apt-get purge -y -qq parlance
	inside test -s /var/lib/parlance/rooms/lobby.txt
	run inside bash -c 'ls -d /etc/parlance /run/parlance \
		/etc/systemd/{system,user}/*parlance* \
		/etc/systemd/{system,user}/*/*parlance* \
		/var/lib/systemd/*/*parlance* 2>/dev/null'
	assert_output ''
}
