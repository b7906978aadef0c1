#include "hash.h"

#include <stdint.h>

void hash_part(crypto_generichash_state *hash, const void *part, size_t len)
{
	uint64_t length = len;

	(void)crypto_generichash_update(
	    hash, (const unsigned char *)&length, sizeof length);
	(void)crypto_generichash_update(hash, part, len);
}
