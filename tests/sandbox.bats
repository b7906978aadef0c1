# What each program can still do once it is confined: tests/bin/probe tries it
# under that program's very rules and filter. What is not in a table is refused.
load environment

setup() {
	environment "$BATS_TEST_TMPDIR"
	[ "${PARLANCE_SANDBOX:-try}" != off ] || skip "PARLANCE_SANDBOX=off"
	echo password | "$BUILD/bin/parlance" user add alice
	echo secret >"$STATE_DIRECTORY/key"
}

# Everything that may be done in a folder, but for listing it.
all="read write empty make link rename remove"

refused="inet_socket inet6_socket netlink_socket packet_socket socketpair bind
listen ip_option unread type_ahead fork clone_sibling clone3 vfork execve
execveat memfd map_executable make_executable ptrace kill tgkill rt_sigqueueinfo
pidfd_open set_owner set_signal process_vm_readv priority limit dumpable seccomp
landlock_create_ruleset sched_setaffinity personality mount umount unshare setns
chroot pivot_root setuid setgid setgroups setresuid capset io_uring_setup
userfaultfd bpf keyctl add_key perf_event_open fanotify_init inotify_init1
name_to_handle_at open_by_handle_at openat2 shmget mq_open init_module
kexec_load reboot swapon syslog clock_settime sethostname umask chdir"

# keeps PROGRAM [child] <TABLE: what it can reach is that and nothing else. A
# line "may: ..." names its calls; folders with nothing after the colon, and
# what each program is refused, need not be told.
keeps() {
	local got=$BATS_TEST_TMPDIR/got table status=0 call
	table=$(cat)
	"$BUILD/tests/bin/probe" "$@" >"$got" 2>"$got.err" </dev/null || status=$?
	[ "$status" != 77 ] || skip "this kernel does not confine"
	cat "$got.err"
	[ "$status" = 0 ]
	grep -v -e ':$' -e '^may not:' "$got" | diff <(echo "$table") -
	for call in $refused; do
		grep -q "^may not:.* $call\( \|$\)" "$got" ||
			fail "not refused: $call"
	done
}

chatfile_keeps="rooms: read list write empty make link rename remove
meta: read
lost: write empty make link rename remove
db: $all
index: $all
failed: read write empty make link
auth: write empty make link
slots: write empty make link
database: read write
rate: read write
may: unix_socket fanout buffer_size untaken"

hchat_keeps="rooms: $all
meta: read list write empty make link rename remove
lost: write empty make link rename remove
db: $all
files: read
index: $all
failed: read write empty make link
auth: write empty make link
slots: write empty make link
database: read write
rate: read write
may: unix_socket fanout buffer_size untaken"

bcs_keeps="rooms: $all
lost: write empty make link rename remove
files: $all
index: $all
failed: read write empty make link
present: read list write empty make link
may: unix_socket fanout buffer_size untaken"

toychat_keeps="rooms: $all
lost: write empty make link rename remove
db: read list write empty make link rename remove
accounts: list write empty make link rename remove
files: read list write empty make link rename remove
index: $all
failed: read write empty make link
auth: write empty make link
slots: write empty make link
present: read
database: read write
rate: read write
may: buffer_size untaken"

@test "chatfile reaches rooms and accounts, no upload" {
	keeps chatfile <<<"$chatfile_keeps"
}

@test "hchat reaches rooms and accounts, and uploads to read" {
	keeps hchat <<<"$hchat_keeps"
}

@test "bcs reaches the lobby, who is there and uploads, no account" {
	keeps bcs <<<"$bcs_keeps"
}

@test "toychat reaches accounts, the lobby and uploads, no socket" {
	keeps toychat <<<"$toychat_keeps"
}

@test "what a template forked can do no more than a handler alone" {
	for door in chatfile hchat bcs toychat; do
		table=${door}_keeps
		keeps "$door" child <<<"${!table}"
	done
}

@test "fanout reaches who is there, and nothing else" {
	keeps fanout <<'END'
present: read list remove
boot_id: read
may: unix_socket abstract accept buffer_size
END
}

@test "gallery can write nothing at all" {
	keeps gallery <<'END'
rooms: read
index: read
boot_id: read
may: unix_socket abstract accept buffer_size
END
}

@test "uploads may lie elsewhere, and are reached there alone" {
	export PARLANCE_FILES=$BATS_TEST_TMPDIR/uploads
	mkdir "$PARLANCE_FILES"
	echo x >"$PARLANCE_FILES/x"
	keeps hchat <<<"${hchat_keeps/files:/PARLANCE_FILES:}"
}
