/*
 * Whose word about a peer's address is believed: PARLANCE_TRUSTED_PROXIES, a
 * list of addresses and CIDRs separated by commas or blanks (design 8).
 *
 *	r = proxies_parse(&proxies, text, len, &bad);
 *	if (proxies_match(&proxies, address, address_len)) ...
 *
 * IPv4 and IPv6 alike; an IPv4-mapped IPv6 address is its IPv4 address. Pure
 * functions over pointer and length; nothing is allocated.
 */
#ifndef PROXIES_H
#define PROXIES_H

#include <stdbool.h>
#include <stddef.h>

#define PROXIES_MAX 64

struct proxies {
	size_t count;
	struct {
		unsigned char bytes[16]; /* IPv4 as mapped, host bits zero */
		unsigned bits; /* 0 to 128 */
	} list[PROXIES_MAX];
};

/* Where and what a malformed word is, within the text that was parsed. */
struct proxies_fault {
	const char *word;
	size_t len;
};

/* Reads the whole list; an empty one is fine. Host bits beyond a prefix are
 * ignored. 0; -EINVAL (a word is neither address nor CIDR, see *fault) or
 * -E2BIG (more than PROXIES_MAX, *fault is the first too many). fault may be
 * NULL; *ret is written on success only. */
int proxies_parse(struct proxies *ret, const char *text, size_t len,
    struct proxies_fault *fault);

/* Is this address, as REMOTE_ADDR has it, in the list? False for what is no
 * address. */
bool proxies_match(const struct proxies *, const char *address, size_t len);

/* The 16 bytes of an address in text, IPv4 as mapped. 0 or -EINVAL. */
int address_bytes(const char *text, size_t len, unsigned char ret[16]);

/* Is it of this host only: 127.0.0.0/8 or ::1? */
bool address_is_loopback(const unsigned char bytes[16]);

#endif
