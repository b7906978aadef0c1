"use strict";
/*
 * Everything that the pages say, in one table and one language.
 *
 * The build reads this file too: {{text:KEY}} in a page becomes the text of
 * that line. So a line is `<tab>KEY: "TEXT",` and TEXT holds neither a quote
 * nor a backslash. {n} and the like are filled in by say(); a key that ends in
 * _one or _other is chosen by the number n (Intl.PluralRules).
 */
const strings = Object.freeze({
	lang: "en",
	app: "parlance",

	rooms: "Rooms",
	rooms_none: "No room is listed yet.",
	new_room: "New room",
	subject: "Subject",
	subject_hint: "What is it about?",
	listed: "List it here, for everyone to find",
	listed_hint: "Otherwise only those who have its address can come in.",
	create: "Create the room",
	sign_in: "Sign in",
	sign_out: "Sign out",
	signed_in_as: "Signed in as",
	count_one: "{n} message",
	count_other: "{n} messages",

	sign_in_title: "Sign in",
	sign_in_hint: "With an account, others can be sure that it is you.",
	guest_hint: "You can also go on as a guest, without one.",
	user: "Name",
	password: "Password",
	back: "Back",
	no_such_page: "Nothing is here",

	all_rooms: "All rooms",
	copy_link: "Copy link",
	copied: "Copied",
	copy_failed: "Copy the address from the address bar",
	messages: "Messages",
	new_messages: "New messages",
	accounts_only: "Only accounts may speak here: sign in first.",
	your_name: "Your name",
	your_name_hint: "guest",
	message: "Message",
	message_hint: "Write a message",
	send: "Send",
	keys: "Enter sends, Shift and Enter begins a new line.",
	no_script: "To talk here, your browser must run this page’s script.",
	no_script_read: "You can read what was said",
	transcript: "Plain text",

	loading: "Loading…",
	empty: "Nobody has said anything yet.",
	empty_hint: "Send the address of this page to those you want to talk to.",
	beginning: "Here the room begins.",
	older: "Load older messages",
	older_failed: "Could not load older messages.",
	today: "Today",
	yesterday: "Yesterday",
	you: "You",
	nobody: "unknown",
	guest: "guest",
	guest_title: "A guest: nobody vouches for this name",
	show_all: "Show all",
	show_less: "Show less",
	latest: "Latest messages",
	arrived_one: "{n} new message",
	arrived_other: "{n} new messages",
	said: "{name}: {text}",
	said_guest: "{name}, guest: {text}",
	file: "File",

	lost: "The connection is lost. Trying again…",
	sending: "Sending…",
	waiting: "Waiting for the connection…",
	retry: "Try again",
	discard: "Discard",
	not_sent: "Not sent",
	not_sent_why: "Not sent: {why}",
	why_network: "the server did not answer.",
	why_name: "that name belongs to an account or is reserved. Choose another one.",
	why_guest: "guests may not speak here. Sign in first.",
	why_site: "the server took this page for another site’s.",
	why_gone: "this room is no longer there.",
	why_long: "it is too long.",
	why_text: "it holds characters that cannot be sent.",
	why_busy: "the server is busy.",
	why_full: "the server cannot store it now.",
	why_unknown: "the server answered {status}.",
	too_long: "{n} of 65,535 bytes: too long to send.",
	name_bad: "Letters, digits and _ only, 30 at most.",
	name_reserved: "That name is reserved.",
	name_taken: "That name belongs to an account or is reserved.",
	name_set: "You now speak as {name}.",
});

const plural_rules = new Intl.PluralRules(strings.lang);

/* The text of a key, with {WORD} replaced by values.WORD. */
function say(key, values = {}) {
	const text = strings[key] ??
		strings[key + "_" + plural_rules.select(values.n)] ??
		strings[key + "_other"];
	return text.replace(/{(\w+)}/g, (slot, word) => values[word] ?? slot);
}

/* The reader's own locale where it speaks our language, for names of days. */
const locale = (navigator.languages || []).find(
	(tag) => tag.split("-")[0] === strings.lang) || strings.lang;
