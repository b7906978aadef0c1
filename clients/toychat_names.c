#include <stdlib.h>
#include <string.h>

#include "toychat.h"

void names_add(struct names *n, const char *name, size_t len)
{
	for (size_t i = 0; i < n->count; i++)
		if (strlen(n->list[i]) == len &&
		    memcmp(n->list[i], name, len) == 0)
			return;
	if (n->count == NAMES_MAX)
		return;
	n->list[n->count] = strndup(name, len);
	if (n->list[n->count])
		n->count++;
}

void names_free(struct names *n)
{
	while (n->count)
		free(n->list[--n->count]);
}
