/*
 * A bound on how many processes of a host do something costly at once: files
 * 0 to count - 1 in a folder, one of which is locked (flock) meanwhile. A
 * process that dies gives its slot back.
 *
 * Of those who wait, each slot has one of a kind (`who`, a source, say) in its
 * queue; the others of that kind wait for that one's place, so that a crowd of
 * one kind holds nobody else up.
 *
 *	slot = slots_take(folder, count, who);
 *	... hash ...
 *	slots_give(slot);
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

/* Takes a free slot at once or else waits for one of them. Returns what
 * slots_give() wants, >= 0, or -EBUSY after LIMIT_SLOT_MS, or -errno. */
int slots_take(int folder, uint64_t count, unsigned char who);
void slots_give(int slot);

#endif
