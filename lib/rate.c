#include "rate.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "limits.h"

#define MAGIC 0x31305452494c5250ULL /* "PRLIRT01" */
#define SLOTS 4096
#define PROBES 8 /* neighbours that a key may stand in */
#define WINDOW_S 60
#define TIMES 10 /* earlier failures that are remembered */
#define UNITS 60 /* of a token: so many come a second at 1 a minute */
#define BUCKET_MAX ((uint64_t)1 << 31)

_Static_assert(TIMES >= LIMIT_FAILURES_FREE + LIMIT_FAILURE_DELAYS - 1,
    "the longest delay can be reached");

/* The key makes who shares slots with whom unpredictable. */
struct header {
	uint64_t magic;
	unsigned char key[crypto_shorthash_KEYBYTES];
	unsigned char zero[40];
};

struct slot {
	unsigned char source[16];
	uint32_t kind; /* 0: free */
	uint32_t used; /* seconds since 1970, as all times here */
	union {
		uint32_t times[TIMES]; /* of failures, 0: none */
		uint64_t units; /* in the bucket, at time `used` */
	};
};

_Static_assert(sizeof(struct header) == 64 && sizeof(struct slot) == 64,
    "the format of RUNTIME_DIRECTORY/rate");

/* The neighbourhood of a key, read under the lock, and its place in it. */
struct probe {
	struct slot slots[PROBES];
	struct slot *slot;
	uint64_t offset; /* of slots[0] in the file */
	uint32_t now;
};

/* --- the table ----------------------------------------------------- */

static int table_open(const struct rate *rate)
{
	int fd = openat(rate->folder, "rate",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

/* And with it the lock. */
static void table_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int rate_open(struct rate *rate, const struct state *state)
{
	int fd;

	rate->folder = state->runtime;
	fd = table_open(rate);
	table_close(fd);
	return fd < 0 ? fd : 0;
}

static int table_begin(int fd, struct header *ret)
{
	struct header fresh = {.magic = MAGIC};

	if (getentropy(fresh.key, sizeof fresh.key) < 0 ||
	    ftruncate(fd, 0) < 0 ||
	    ftruncate(fd, sizeof fresh + SLOTS * sizeof(struct slot)) < 0)
		return -errno;
	*ret = fresh;
	return io_pwrite(fd, &fresh, sizeof fresh, 0);
}

static int table_header(int fd, struct header *ret)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != sizeof *ret + SLOTS * sizeof(struct slot))
		return table_begin(fd, ret);
	r = io_pread(fd, ret, sizeof *ret, 0);
	return r == 0 && ret->magic != MAGIC ? table_begin(fd, ret) : r;
}

static uint64_t place(
    const struct header *header, struct source source, enum rate_kind kind)
{
	unsigned char in[17], out[crypto_shorthash_BYTES];
	uint64_t hash;

	memcpy(in, source.bytes, 16);
	in[16] = (unsigned char)kind;
	(void)crypto_shorthash(out, in, sizeof in, header->key);
	memcpy(&hash, out, sizeof hash);
	return hash % (SLOTS - PROBES + 1);
}

/* The slot of this key, else a free one, else the one unused for longest. What
 * claims to be used in the future (garbage, or the clock went back) is free. */
static struct slot *choose(
    struct probe *probe, struct source source, enum rate_kind kind)
{
	struct slot *best = probe->slots;

	for (struct slot *s = probe->slots; s < probe->slots + PROBES; s++) {
		if (s->used > probe->now)
			*s = (struct slot){.kind = 0};
		if (s->kind == (uint32_t)kind &&
		    memcmp(s->source, source.bytes, 16) == 0)
			return s;
		if (best->kind && (!s->kind || s->used < best->used))
			best = s;
	}
	*best = (struct slot){.kind = 0};
	return best;
}

/* Finds the slot; a new one has kind 0 and is otherwise zero. Locks. */
static int table_find(
    int fd, struct source source, enum rate_kind kind, struct probe *ret)
{
	struct header header;
	int r = fd < 0 ? fd : io_flock(fd, LOCK_EX, clock_in(LIMIT_LOCK_MS));

	if (r < 0)
		return r;
	r = table_header(fd, &header);
	if (r < 0)
		return r;
	ret->now = (uint32_t)clock_now();
	ret->offset =
	    sizeof header + place(&header, source, kind) * sizeof(struct slot);
	r = io_pread(fd, ret->slots, sizeof ret->slots, ret->offset);
	if (r == 0)
		ret->slot = choose(ret, source, kind);
	return r;
}

static int table_put(int fd, const struct probe *probe, struct source source,
    enum rate_kind kind)
{
	struct slot *slot = probe->slot;
	uint64_t offset =
	    probe->offset + (uint64_t)(slot - probe->slots) * sizeof *slot;

	memcpy(slot->source, source.bytes, 16);
	slot->kind = (uint32_t)kind;
	slot->used = probe->now;
	return io_pwrite(fd, slot, sizeof *slot, offset);
}

/* --- log-ins ------------------------------------------------------- */

/* Puts a failure now into the times; returns how many of them are within the
 * window, this one included. The oldest makes room. */
static int count_failure(struct slot *slot, uint32_t now)
{
	uint32_t *oldest = slot->times;
	int count = 1;

	for (uint32_t *t = slot->times; t < slot->times + TIMES; t++) {
		if (*t > now)
			*t = 0;
		if (*t && now - *t < WINDOW_S)
			count++;
		if (*t < *oldest)
			oldest = t;
	}
	*oldest = now;
	return count;
}

static int64_t failure_delay(int count)
{
	int over = count - LIMIT_FAILURES_FREE;

	if (over > LIMIT_FAILURE_DELAYS)
		over = LIMIT_FAILURE_DELAYS;
	return over > 0 ? (int64_t)over * LIMIT_FAILURE_DELAY_MS : 0;
}

int64_t rate_login_failed(struct rate *rate, struct source source)
{
	struct probe probe;
	int64_t delay = LIMIT_FAILURE_DELAY_MS;
	int fd = table_open(rate);

	if (table_find(fd, source, RATE_LOGIN, &probe) == 0) {
		delay = failure_delay(count_failure(probe.slot, probe.now));
		(void)table_put(fd, &probe, source, RATE_LOGIN);
	}
	table_close(fd);
	return delay;
}

/* --- buckets ------------------------------------------------------- */

static uint64_t within(uint64_t value)
{
	return value == 0 ? 1 : value > BUCKET_MAX ? BUCKET_MAX : value;
}

/* Fills the bucket as time went by, then takes one token: 0, or the seconds
 * until there is one. */
static int64_t take(struct probe *probe, uint64_t burst, uint64_t per_minute)
{
	struct slot *slot = probe->slot;
	uint64_t full = burst * UNITS, missing;

	if (!slot->kind || slot->units > full)
		slot->units = full;
	else
		slot->units += (probe->now - slot->used) * per_minute;
	if (slot->units > full)
		slot->units = full;
	if (slot->units >= UNITS) {
		slot->units -= UNITS;
		return 0;
	}
	missing = UNITS - slot->units;
	return (int64_t)((missing + per_minute - 1) / per_minute);
}

int64_t rate_take(struct rate *rate, enum rate_kind kind, struct source source,
    uint64_t burst, uint64_t per_minute)
{
	struct probe probe;
	int fd = table_open(rate);
	int64_t wait = table_find(fd, source, kind, &probe);

	if (wait == 0) {
		wait = take(&probe, within(burst), within(per_minute));
		(void)table_put(fd, &probe, source, kind);
	}
	table_close(fd);
	return wait;
}
