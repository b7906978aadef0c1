#include "proxies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "parse.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

int address_bytes(const char *text, size_t len, unsigned char ret[16])
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char v4[4], v6[16];

	if (!len || len >= sizeof copy || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, v4) == 1) {
		memcpy(ret, mapped, sizeof mapped);
		memcpy(ret + sizeof mapped, v4, sizeof v4);
		return 0;
	}
	if (inet_pton(AF_INET6, copy, v6) != 1)
		return -EINVAL;
	memcpy(ret, v6, sizeof v6);
	return 0;
}

static bool is_mapped(const unsigned char bytes[16])
{
	return memcmp(bytes, mapped, sizeof mapped) == 0;
}

bool address_is_loopback(const unsigned char bytes[16])
{
	static const unsigned char v6[16] = {[15] = 1};

	if (is_mapped(bytes))
		return bytes[12] == 127;
	return memcmp(bytes, v6, sizeof v6) == 0;
}

/* Clears what is beyond the first `bits` bits. */
static void cut(unsigned char bytes[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			bytes[i] &= (unsigned char)(0xff00 >> keep);
	}
}

/* ADDRESS or ADDRESS/BITS; BITS counts within the family as written. */
static int parse_word(const char *word, size_t len, unsigned char ret_bytes[16],
    unsigned *ret_bits)
{
	const char *slash = memchr(word, '/', len);
	size_t address_len = slash ? (size_t)(slash - word) : len;
	bool v6 = memchr(word, ':', address_len) != NULL;
	uint64_t bits = v6 ? 128 : 32;
	int r = address_bytes(word, address_len, ret_bytes);

	if (r == 0 && slash)
		r = parse_u64(slash + 1, len - address_len - 1, bits, &bits);
	if (r < 0)
		return -EINVAL;
	*ret_bits = (unsigned)bits + (v6 ? 0 : 96);
	cut(ret_bytes, *ret_bits);
	return 0;
}

static bool is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

static size_t word_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && !is_separator(text[n]))
		n++;
	return n;
}

int proxies_parse(struct proxies *ret, const char *text, size_t len,
    struct proxies_fault *fault)
{
	struct proxies p = {0};
	size_t n;
	int r;

	for (; len; text += n, len -= n) {
		n = word_len(text, len);
		if (!n) {
			n = 1;
			continue;
		}
		r = p.count == PROXIES_MAX
			? -E2BIG
			: parse_word(text, n, p.list[p.count].bytes,
			      &p.list[p.count].bits);
		if (r < 0) {
			if (fault)
				*fault = (struct proxies_fault){text, n};
			return r;
		}
		p.count++;
	}
	*ret = p;
	return 0;
}

bool proxies_match(const struct proxies *p, const char *address, size_t len)
{
	unsigned char bytes[16], head[16];

	if (!p->count || address_bytes(address, len, bytes) < 0)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		memcpy(head, bytes, sizeof head);
		cut(head, p->list[i].bits);
		if (memcmp(head, p->list[i].bytes, sizeof head) == 0)
			return true;
	}
	return false;
}
