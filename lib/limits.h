/*
 * Every limit of a protocol, of the room format and of our own patience, with
 * the clause it comes from. Every buffer is sized from one of these. Bounds
 * are inclusive; sizes are bytes and times milliseconds unless said otherwise.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdint.h>

/* Rooms (design 4). */
#define LIMIT_MESSAGE 65535 /* a message's text, before escaping */
#define LIMIT_MESSAGE_STORED 131072 /* each byte a backslash, and a newline */
#define LIMIT_ROOM_NAME 64
#define LIMIT_SUBJECT_CHARS 120 /* of a room's subject (clarifications) */
#define LIMIT_SUBJECT (LIMIT_SUBJECT_CHARS * 4)
#define LIMIT_FOOTER 2048 /* a footer we write, newline included */
#define LIMIT_TORN (1024 * 1024) /* a longer torn tail is not moved away */
#define LIMIT_KEY 64 /* an Idempotency-Key */
#define LIMIT_DOOR 16 /* a footer's DOOR */
#define LIMIT_FILE_NAME 255 /* an upload's name */

/* Names and passwords (design 7, specs/toychat.txt). */
#define LIMIT_NAME_CHARS 30
#define LIMIT_NAME (LIMIT_NAME_CHARS * 4)
#define LIMIT_NAME_KEY 255 /* folded: it is a file's name */
#define LIMIT_PASSWORD_CHARS 50 /* toychat's register */
#define LIMIT_PASSWORD 1024 /* what any door looks at */
#define LIMIT_PASSWORD_HASH 128

/* A direct message (specs/toychat.txt, send). */
#define LIMIT_DIRECT_CHARS 256
#define LIMIT_DIRECT (LIMIT_DIRECT_CHARS * 4)

/* HTTP. */
#define LIMIT_HEAD (16 * 1024) /* request line and fields */
#define LIMIT_HEADERS 64 /* fields in a head */
#define LIMIT_WAIT_S 60 /* Prefer: wait, seconds */
#define LIMIT_REFUSALS 8 /* 401 in a row, then the connection ends */
#define LIMIT_TOKEN 128 /* hchat: of a guest's cookie */
#define LIMIT_SESSION_S 2592000 /* hchat: a session's life, seconds */
#define LIMIT_INDEX 1000 /* hchat: listed rooms that are shown */

/* A log line, after which it is cut; no more than PIPE_BUF. */
#define LIMIT_LOG 4096
/* One that may be longer. journald makes two of what is longer than 48 KiB
 * (LineMax=), and the second begins with whatever the client sent: a priority,
 * the line of another door. */
#define LIMIT_LOG_LONG (32 * 1024)

/* A line of a conversation's log: a message, each byte of it escaped. */
#define LIMIT_CHATLOG (LIMIT_MESSAGE * 4 + 2048)
#define LIMIT_CHATLOG_MS 1000 /* nobody reads the pipe that it goes to */
#define LIMIT_CHATLOG_AGAIN_MS 20 /* and nobody did the last time */

/* Deadlines (clarifications, "Settings and their defaults"). */
#define LIMIT_HEAD_MS 10000 /* a request's head, from its first byte */
#define LIMIT_IDLE_MS 60000 /* between requests */
#define LIMIT_STALL_MS 30000 /* a write or a read without progress */
#define LIMIT_BODY_MS 60000 /* a whole body */
#define LIMIT_PROXY_MS 10000 /* a trusted peer's PROXY line, or other bytes */
#define LIMIT_LOGIN_MS 60000 /* toychat: until one is logged in */
#define LIMIT_COMMAND_MS 60000 /* toychat: a command, from its first byte */
#define LIMIT_BARE_FIRST_MS 250 /* unframed body: its first byte */
#define LIMIT_BARE_NEXT_MS 5000 /* unframed body: silence after that */
#define LIMIT_LOCK_MS 5000 /* another process holds a lock: busy */
#define LIMIT_SLOT_MS 10000 /* waiting for a place to hash */
#define LIMIT_TRIM_MS 1000 /* idle for this long: give memory back */
#define LIMIT_DRAIN_MS 10000 /* serve, from SIGTERM to its end */

/* Who may log in how often (clarifications, "Who speaks"). */
#define LIMIT_AUTH_TTL_S 600 /* a verified pair is remembered, seconds */
#define LIMIT_FAILURES_FREE 3 /* failed log-ins a minute without delay */
#define LIMIT_FAILURE_DELAY_MS 1000 /* each further one: this much more */
#define LIMIT_FAILURE_DELAYS 8 /* and this many times at most */

/* Live delivery (design 6). */
#define LIMIT_DATAGRAM 512 /* fanout's wire format, one datagram */
#define LIMIT_SUBSCRIPTIONS 16 /* rooms of one connection to fanout */
#define LIMIT_PRESENT_PEER 80 /* of a peer in its line in present/ */
#define LIMIT_PRESENT_CLAIM_MS 20 /* fanout may be testing a free name */
#define LIMIT_POLL_MS 1000 /* without fanout: look once a second */
#define LIMIT_PARK_MS 5000 /* gallery's answer to a hand-over */

#endif
