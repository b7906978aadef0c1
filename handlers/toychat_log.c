#include "toychat.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>

#include "lib/log.h"
#include "lib/logfmt.h"
#include "lib/parse.h"

#define MASK "***"

/* --- what is shown of a command --------------------------------------- */

/* The length of the blank, one of Unicode's white space, that text begins
 * with; 0 if it begins with none. */
static size_t blank(const char *text, size_t len)
{
	ucs4_t c = 0;
	int n = len ? u8_mbtoucr(&c, (const uint8_t *)text, len) : 0;

	return n > 0 && uc_is_property_white_space(c) ? (size_t)n : 0;
}

static size_t word_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && !blank(text + n, len - n))
		n++;
	return n;
}

/* Within it: a byte order mark, a quote or what a key sent may stand before. */
static bool holds(const char *word, size_t len, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= len; i++)
		if (parse_is_case(word + i, n, what))
			return true;
	return false;
}

/* How many bytes of a command may be shown; what follows may be a password,
 * though it was typed wrongly. */
static size_t shown(const char *text, size_t len)
{
	size_t at = 0, word, n, field;
	bool exact;

	while ((n = blank(text + at, len - at)))
		at += n;
	word = word_length(text + at, len - at);
	exact = parse_is_case(text + at, word, "login") ||
		parse_is_case(text + at, word, "register");
	if (!holds(text + at, word, "login") &&
	    !holds(text + at, word, "register")) {
		at += word;
		/* All is shown, but where no space follows. */
		return at == len || text[at] == ' ' ? len : at;
	}
	at += word;
	if (!exact || at == len || text[at] != ' ')
		return at;
	at++;
	for (field = at; field < len && text[field] != ' ';)
		field++;
	return field;
}

/* --- lines ------------------------------------------------------------ */

/* What is longer is cut: no command that is one, but a file list, an inbox of
 * very many, what a room's other doors can say. */
static char line_data[LIMIT_LOG_LONG];

static void begin(
    const struct toychat *t, struct log_line *line, const char *event)
{
	log_begin_in(line, line_data, sizeof line_data, LOG_INFO, event);
	if (t->in)
		log_string(line, "user", t->me.name);
}

void toychat_log_received(
    const struct toychat *t, const struct toychat_command *command)
{
	/* Word and tail are neighbours in the input. */
	const char *text = command->word.data;
	size_t len = command->word.len + command->tail.len;
	size_t visible = shown(text, len);
	static char copy[TOYCHAT_COMMAND_MAX + 32];
	struct log_line line;
	struct slice name;
	struct buf buf;
	uint64_t length;

	buf_init(&buf, copy, sizeof copy);
	buf_add(&buf, text, visible);
	if (visible < len)
		buf_str(&buf, text[visible] == ' ' ? " " MASK : MASK);
	begin(t, &line, "received");
	logfmt_quoted(&line.buf, "message", copy, buf.len);
	if (command->counted && toychat_counted(command, &name, &length) == 0)
		log_number(&line, "contents", (int64_t)length);
	log_end(&line);
}

void toychat_log_sent(const struct toychat *t, const char *reply, size_t len)
{
	struct log_line line;

	if (len >= 2 && memcmp(reply + len - 2, TOYCHAT_CRLF, 2) == 0)
		len -= 2;
	begin(t, &line, "sent");
	logfmt_quoted(&line.buf, "message", reply, len);
	log_end(&line);
}
