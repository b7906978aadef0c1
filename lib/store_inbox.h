/*
 * Inboxes (specs/toychat.txt; design 5 and 7): direct messages that wait for
 * an account, and how far it has read the lobby. The lobby's own messages are
 * not here: see lobby.h.
 *
 *	inbox_send(&store, me, "bob", 3, text, n);  0: say success
 *	inbox_each(&store, me, count_one, arg);     checkinbox, less its `*`
 *	inbox_take(&store, me, "bob", 3, &message); recv bob
 *
 * `me` is store_user.id of the account that logged in. Its account is looked
 * at in every call's transaction: -EPERM, and nothing done, if it was deleted
 * or disabled since then, or never was.
 *
 * Atomicity: each call is one transaction; those that change something return
 * 0 only after it is on disk (synchronous=FULL), and on any failure but
 * -EKEYREVOKED's cause (store.h) have changed nothing, now or later. A message
 * is in exactly one place: from inbox_send()'s return in the inbox, from
 * inbox_take()'s return with that caller. Any number of connections of one
 * user may take at once: each message goes to one of them. Who is killed
 * within inbox_take() may take one message with him, never two.
 *
 * Locks: what changes something holds SQLite's write lock, and before it a
 * place in the queue of writers (store_db.h), for the time of one sync;
 * -EBUSY after LIMIT_LOCK_MS. Reading takes no lock that a writer would wait
 * for, and works on a read-only state.
 *
 * Costs: each call's is that of its answer: it does not grow with other
 * people's inboxes, nor, but for inbox_each(), with one's own.
 *
 * Errors, besides these: store.h's. In a sandbox it needs what store.h says of
 * those who write.
 */
#ifndef STORE_INBOX_H
#define STORE_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "store.h"

/* A direct message that was taken. Texts are NUL-terminated (and hold no NUL
 * otherwise, being room text). */
struct inbox_message {
	int64_t time; /* when it was stored: seconds since 1970, UTC */
	char from[LIMIT_NAME + 1]; /* the sender's name as registered */
	char to[LIMIT_NAME + 1]; /* ours, as the sender addressed it */
	size_t body_len; /* bytes, without the NUL */
	char body[LIMIT_DIRECT + 1]; /* exactly what was sent */
};

/* Stores a message for the account of exactly this spelling, `me` itself
 * included. The body was checked by the caller: room text (text.h) of 1 to
 * LIMIT_DIRECT_CHARS characters; -EMSGSIZE if it is empty or longer than
 * LIMIT_DIRECT bytes. 0; -ENOENT: there is no such account, or it was deleted
 * (a disabled one has an inbox as before); -EPERM. */
int inbox_send(struct store *, int64_t me, const char *to, size_t to_len,
    const char *body, size_t body_len);

/* Calls f for each sender, deleted ones too, of whom direct messages wait,
 * with how many (at least 1), by Unicode code point order of names, until it
 * returns non-zero; returns that, 0, -EPERM, -errno. All of it is the inbox at
 * one instant. f is called within the transaction that reads, so it must not
 * wait for anybody (a client!), nor call the store. */
int inbox_each(struct store *, int64_t me,
    int (*f)(void *arg, const char *from, uint64_t count), void *arg);

/* Takes the oldest message (in the order of storing) of the account of exactly
 * this spelling out of the inbox. 0 and *ret, after the commit; -ENODATA: none
 * waits, nothing was written; -ENOENT: none waits and there is no such account
 * (a deleted one's messages can still be taken); -EPERM; -EROFS. */
int inbox_take(struct store *, int64_t me, const char *from, size_t from_len,
    struct inbox_message *ret);

/* The mark: lobby records up to this number count as read. It may be past the
 * lobby's end (the room file was replaced). 0, -EPERM, -errno. */
int inbox_lobby_seen(struct store *, int64_t me, uint64_t *ret_seen);

/* Moves the mark from `from` to `to`, if it still is `from`: 0 after the
 * commit; -EAGAIN: another connection moved it; -EPERM, -errno. lobby.h is
 * what calls this. */
int inbox_lobby_move(struct store *, int64_t me, uint64_t from, uint64_t to);

#endif
