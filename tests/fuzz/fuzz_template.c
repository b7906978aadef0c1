/*
 * What serve and a template say to each other: whatever comes, what is taken
 * from it is written back as a text that says the same; and what a text says
 * does not depend on the words behind it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/template_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
	if (!holds)
		abort();
}

static int is_same_client(
    const struct template_client *a, const struct template_client *b)
{
	return a->number == b->number && a->port == b->port && a->fd == b->fd &&
	       strcmp(a->address, b->address) == 0;
}

static void try_client(const char *text, size_t size)
{
	struct template_client a = {.fd = 7}, b = {.fd = 7};
	char back[TEMPLATE_TEXT_MAX];
	size_t len;
	int r = template_client_parse(text, size, &a);

	check(r == 0 || r == -EPROTO);
	if (r < 0) {
		check(is_same_client(&a, &b));
		return;
	}
	check(memchr(a.address, '\0', sizeof a.address) != NULL);
	check(a.address[0] || !a.port);
	len = template_client_text(&a, back);
	check(len + 4 < sizeof back && strlen(back) == len);
	check(template_client_parse(back, len, &b) == 0);
	check(is_same_client(&a, &b));
	memcpy(back + len, " new", 4);
	if (a.address[0])
		check(template_client_parse(back, len + 4, &b) == 0 &&
		      is_same_client(&a, &b));
}

static void try_answer(const char *text, size_t size)
{
	struct template_answer a = {0}, b = {0};
	char back[TEMPLATE_TEXT_MAX];
	size_t len;
	int r = template_answer_parse(text, size, &a);

	check(r == 0 || r == -EPROTO);
	if (r < 0) {
		check(!a.number && !a.pid);
		return;
	}
	check(a.pid != 0);
	len = template_answer_text(&a, back);
	check(len + 4 < sizeof back && strlen(back) == len);
	memcpy(back + len, " new", 4);
	check(template_answer_parse(back, len + 4, &b) == 0);
	check(a.number == b.number && a.pid == b.pid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_client((const char *)data, size);
	try_answer((const char *)data, size);
	return 0;
}
