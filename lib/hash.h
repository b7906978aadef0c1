/*
 * BLAKE2b over several parts (libsodium), for names and MACs: each part goes
 * in with its length in front, so that no two lists of parts hash alike.
 */
#ifndef HASH_H
#define HASH_H

#include <sodium.h>
#include <stddef.h>

/* Adds a part of len bytes to a hash that crypto_generichash_init() began. */
void hash_part(crypto_generichash_state *, const void *part, size_t len);

#endif
