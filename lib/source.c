#include <string.h>

#include "proxies.h"
#include "rate.h"

struct source source_parse(const char *address)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const struct source none;
	struct source s;
	/* Without the zone of fe80::1%eth0. */
	size_t len = address ? strcspn(address, "%") : 0;

	if (address_bytes(address, len, s.bytes) < 0)
		return none;
	/* Of IPv6 the network, but each loopback address is its own. */
	if (memcmp(s.bytes, mapped, sizeof mapped) != 0 &&
	    !address_is_loopback(s.bytes))
		memset(s.bytes + 8, 0, 8);
	return s;
}
