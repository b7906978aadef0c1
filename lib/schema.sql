-- Version 1 of STATE_DIRECTORY/db/parlance.db (design 5). Later versions are
-- further steps in store.c's list of migrations; this one is not edited.

-- An account. A deleted one keeps its row, since history speaks of it: its
-- password is '' then. lobby_seen is how many lobby messages toychat's inbox
-- takes for read; created is in seconds since 1970.
CREATE TABLE users (
	user_id INTEGER PRIMARY KEY,
	username TEXT NOT NULL UNIQUE,
	name_key TEXT NOT NULL UNIQUE,
	password TEXT NOT NULL,
	disabled INTEGER NOT NULL DEFAULT 0,
	lobby_seen INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL
) STRICT;

-- A direct message that waits in an inbox. destination is what the sender
-- addressed; timestamp is in seconds since 1970.
CREATE TABLE messages (
	message_id INTEGER PRIMARY KEY,
	timestamp INTEGER NOT NULL,
	source_id INTEGER NOT NULL REFERENCES users,
	destination TEXT NOT NULL,
	inbox_id INTEGER NOT NULL REFERENCES users,
	body TEXT NOT NULL
) STRICT;

-- The oldest from one sender; who has sent how many.
CREATE INDEX messages_inbox ON messages (inbox_id, source_id, message_id);
