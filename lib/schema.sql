-- The schema of STATE_DIRECTORY/db/parlance.db (design 5), as the steps that
-- lead to it: each line "--= N" begins the step to version N (user_version). A
-- step that was released is not edited: changes are a step of their own, and a
-- database of any older version is brought up to date when it is opened.
-- parlance.db(5) describes the result.

--= 1

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

--= 2

-- Every index entry ends in the row's id: it need not say it twice.
DROP INDEX messages_inbox;
CREATE INDEX messages_inbox ON messages (inbox_id, source_id);

-- Accounts were made with a mark of 0 before anybody could read by it. All the
-- lobby ever said is not news to them: past the end means up to it.
UPDATE users SET lobby_seen = 9223372036854775807;
