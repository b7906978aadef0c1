#!/usr/bin/env bash
# tests/powercut.bash DIR room|bare|files WRITERS RECORDS CUTS [OPTIONS]: write
# to an ext4 mounted with OPTIONS, cut its power at CUTS instants, and look what
# is left (tests/bin/powercut.c; powerload.c and powercheck.c, or powerfiles.c
# for uploads). Prints the cuts that
# broke promises, and counts. Exit: 0 all promises were kept, 1 some were not,
# 2 it could not be tried.
#
# As root, under `unshare --mount --pid --fork --kill-child`: however it ends,
# its mounts, loop devices and processes end with it.
set -euo pipefail

dir=$1 mode=$2 writers=$3 records=$4 cuts=$5 options=loop,commit=1${6:+,$6}
bin=$BUILD/tests/bin
load=("$bin/powerload") which=("$mode") check=("$bin/powercheck")
[ "$mode" != files ] ||
	load=("$bin/powerfiles" load) which=() check=("$bin/powerfiles" check)
trap 'echo "powercut.bash: line $LINENO failed" >&2; exit 2' ERR

count() { od -A n -t u8 counter | tr -d ' '; }

# A disk in memory, so that a cut costs milliseconds: what is to be lost is up
# to us. Only the log says what a flush made safe.
mount -t tmpfs -o size=2g tmpfs "$dir"
cd "$dir"
mkdir fuse mnt ledgers
truncate -s 64M initial
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 initial
cp --sparse=always initial image
"$bin/powercut" serve "$dir/image" "$dir/log" "$dir/counter" "$dir/fuse"
# The journal is written each second besides, so that there is more on the disk
# than what was synced.
mount -o "$options" fuse/disk mnt
device=$(findmnt -no SOURCE mnt)
if [ "$(cat "/sys/block/${device#/dev/}/queue/write_cache")" != "write back" ]
then
	echo "$device passes no flushes on to its backing file" >&2
	exit 2
fi

export STATE_DIRECTORY=$dir/mnt/state RUNTIME_DIRECTORY=$dir/run
first=$(count)
"${load[@]}" counter ledgers "$writers" "$records" "${which[@]}"
last=$(count)
umount mnt
umount fuse
"$bin/powercut" list log

# cut_power AT none|half|all: with so much of what was written after the last
# flush before AT.
cut_power() {
	cp --sparse=always initial cut
	"$bin/powercut" cut log cut "$1" "$2" "$tried" >later
	mount -o loop cut mnt
	tried=$((tried + 1))
	export RUNTIME_DIRECTORY=$dir/run.$tried
	"${check[@]}" ledgers "$1" >found 2>&1 || {
		failed=$((failed + 1))
		echo "at=$1 later=$2 ($(cat later))"
		head -n 5 found
	}
	umount mnt
	while IFS='= ' read -r _ p _ _ _ t _ m _ k _ b; do
		promises=$((promises + p)) tails=$((tails + t))
		moved=$((moved + m)) kept=$((kept + k)) broken=$((broken + b))
	done < <(grep '^promises=' found)
}

# Spread over the whole run; the first one is the instant after the last
# acknowledgement.
tried=0 failed=0 promises=0 tails=0 moved=0 kept=0 broken=0
for ((i = 0; i < cuts; i++)); do
	at=$((last - (last - first) * i / cuts))
	for how in none half all; do cut_power "$at" "$how"; done
done
echo "cuts=$tried failed=$failed promises=$promises broken=$broken" \
	"tails=$tails moved=$moved lost-before=$kept"
[ "$failed" = 0 ] || exit 1
