"use strict";
/*
 * The room page: puts together the connection (live.js), the messages on the
 * screen (view.js) and those on their way (outbox.js), and sees to the rest:
 * whose messages are ours, the name, the composer, the title, what a screen
 * reader is told.
 */
const {room, who, last} = document.body.dataset;
const byId = (id) => document.getElementById(id);
const subject = byId("subject").textContent;
const MESSAGE_BYTES = 65535;
const TOLD_AT_ONCE = 3;
const TOLD_LENGTH = 300;

/* --- which messages are ours --- */

/*
 * The server tells no one who a guest is, so the browser remembers the numbers
 * of what it sent, each with a mark of its text: should the room be replaced
 * by another one, an old number is nobody's.
 */
class Own {
	constructor() {
		this.key = `own:${room}`;
		this.marks = new Map();
		this.read();
	}

	read() {
		for (const word of (recall(localStorage, this.key) || "").split(" "))
			this.marks.set(Number(word.split(":")[0]), word.split(":")[1]);
	}

	write() {
		this.read();
		const kept = [...this.marks].filter(([, mark]) => mark)
			.sort(([a], [b]) => a - b).slice(-1000);
		store(localStorage, this.key,
			kept.map(([number, mark]) => `${number}:${mark}`).join(" "));
	}

	add(number, mark) {
		this.marks.set(number, mark);
		this.write();
	}

	remove(number) {
		this.marks.set(number, "");
		const kept = [...this.marks].filter(([, mark]) => mark);
		store(localStorage, this.key,
			kept.map(([n, mark]) => `${n}:${mark}`).join(" "));
	}

	has(record) {
		if (who && record.author === who)
			return true;
		const mark = this.marks.get(record.number);
		return Boolean(mark) && mark === mark_of(record.text);
	}
}

function mark_of(text) {
	let sum = 2166136261;
	for (let i = 0; i < text.length; i++)
		sum = Math.imul(sum ^ text.charCodeAt(i), 16777619);
	return (sum >>> 0).toString(36);
}

const own = new Own();

/* --- the name --- */

const nameField = byId("name");

function cookie_name() {
	const found = document.cookie.match(/(?:^|; )name=([^;]*)/);
	try {
		return found ? decodeURIComponent(found[1]) : "";
	} catch {
		return "";
	}
}

/* Why this cannot be a name, as a key of strings; null if it can. */
function name_fault(name) {
	if ([...name].length > 30 ||
	    !/^[\p{L}\p{Nd}_][\p{L}\p{M}\p{Nd}_]*$/u.test(name) ||
	    /\p{Default_Ignorable_Code_Point}/u.test(name))
		return "name_bad";
	if (["server", "guest", "anonymous"].includes(name.toLowerCase()))
		return "name_reserved";
	return null;
}

function tell_name(text, bad) {
	byId("name-told").textContent = text;
	byId("name-told").classList.toggle("bad", bad);
	nameField.setAttribute("aria-invalid", String(bad));
}

/* Take the field's contents as our name; false if it cannot be one. */
function take_name() {
	const name = nameField.value.trim().normalize("NFC");
	const fault = name && name_fault(name);

	if (who)
		return true;
	if (fault) {
		tell_name(say(fault), true);
		return false;
	}
	if (name === cookie_name()) {
		tell_name("", false);
		return true;
	}
	document.cookie = `name=${encodeURIComponent(name)}; Path=/; ` +
		`SameSite=Strict; Max-Age=${name ? 31536000 : 0}`;
	nameField.value = name;
	tell_name(say("name_set", {name: name || say("guest")}), false);
	return true;
}

nameField.value = cookie_name();
nameField.addEventListener("change", take_name);
nameField.addEventListener("input", () => tell_name("", false));
nameField.addEventListener("keydown", (event) => {
	if (event.key !== "Enter" || event.isComposing)
		return;
	event.preventDefault();
	if (take_name())
		message.focus();
});
/* Another tab may have changed it. */
addEventListener("focus", () => {
	if (document.activeElement !== nameField && !name_refused())
		nameField.value = cookie_name();
});

function name_refused() {
	return nameField.getAttribute("aria-invalid") === "true";
}

/* --- what a screen reader is told --- */

const news = byId("news");
let untold = [];

/* Each of a few messages as it comes, of many their number. */
function tell_soon(record) {
	untold.push(record);
	if (untold.length === 1)
		setTimeout(tell_news, 300);
}

function tell_news() {
	const records = untold;
	untold = [];
	if (records.length > TOLD_AT_ONCE)
		tell(say("arrived", {n: records.length}));
	else
		records.forEach((record) => tell(spoken(record)));
}

function spoken(record) {
	const {name, guest} = author_of(record);
	return say(guest ? "said_guest" : "said",
		{name, text: record.text.slice(0, TOLD_LENGTH)});
}

/* What was told goes again, lest it be read twice by one who looks around. */
function tell(text) {
	const part = element("p", "", text);
	part.dir = "auto";
	news.append(part);
	setTimeout(() => part.remove(), 10000);
}

/* --- the parts --- */

const view = new View(Number(last) || 0, {
	load: (from, to) => live.range(from, to),
	own: (record) => own.has(record),
	seen: show_title,
});

const live = new Live(room, Number(last) || 0, {
	record: take_record,
	state: show_state,
	own(number, mark) {
		own.read();
		own.marks.set(number, mark);
		view.mark(number, Boolean(mark));
	},
});

const outbox = new Outbox(room, {
	me: () => who || "~" + (cookie_name() || "guest"),
	newest: () => live.cursor,
	own(number, text) {
		own.add(number, mark_of(text));
		view.mark(number, true);
		live.slots.post({kind: "own", number, mark: mark_of(text)});
	},
	disown(number) {
		own.remove(number);
		view.mark(number, false);
		live.slots.post({kind: "own", number, mark: ""});
	},
	stored: () => setTimeout(() => outbox.owed && live.expect(), 1000),
	doubt: () => live.kick(),
	told: tell,
	changed: () => view.follow(),
	back: () => message.focus(),
	refused(reason) {
		if (reason !== "why_name" || who)
			return;
		tell_name(say("name_taken"), true);
		nameField.focus();
		nameField.select();
	},
});

function take_record(record) {
	const ours = outbox.take(record) || own.has(record);
	view.add(record);
	if (!ours && record.number > Number(last))
		tell_soon(record);
	if (live.cursor >= live.newest)
		outbox.connected();
}

function show_title() {
	const unread = view.unread;
	document.title = unread > 0 ? `(${unread}) ${subject}` : subject;
}

/* --- the connection's state --- */

let lost_soon = null;

/* A moment without connection is not worth a word. */
function show_state(alive) {
	if (alive) {
		clearTimeout(lost_soon);
		lost_soon = null;
		byId("lost").textContent = "";
		view.revive();
		if (live.cursor >= live.newest)
			outbox.connected();
		return;
	}
	lost_soon ??= setTimeout(() => {
		byId("lost").textContent = say("lost");
	}, 2500);
}

/* --- writing --- */

const composer = byId("composer");
const message = byId("message");
const by_touch = matchMedia("(pointer: coarse)");

function fit() {
	message.style.height = "auto";
	message.style.height = `${message.scrollHeight + 2}px`;
	const bytes = new TextEncoder().encode(message.value).length;
	const over = bytes > MESSAGE_BYTES;
	const text = over ? say("too_long", {n: bytes.toLocaleString(locale)}) : "";
	byId("size").textContent = text;
	byId("size").classList.toggle("bad", over);
	message.setAttribute("aria-invalid", String(over));
	return !over;
}

function send() {
	const text = message.value.replace(/^\s*\n/, "").trimEnd();
	if (!fit() || !text)
		return;
	if (!take_name()) {
		nameField.focus();
		return;
	}
	outbox.add(text);
	message.value = "";
	store(sessionStorage, `draft:${room}`, null);
	fit();
	message.focus();
	view.go_latest();
}

composer.addEventListener("submit", (event) => {
	event.preventDefault();
	send();
});
message.addEventListener("input", () => {
	fit();
	store(sessionStorage, `draft:${room}`, message.value || null);
});
message.addEventListener("keydown", (event) => {
	if (event.key !== "Enter" || event.isComposing || event.shiftKey)
		return;
	/* On a touch keyboard Enter is the only way to a new line. */
	if (by_touch.matches && !event.ctrlKey && !event.metaKey)
		return;
	event.preventDefault();
	send();
});
/* Read on without leaving the message. */
message.addEventListener("keydown", (event) => {
	const pages = {PageUp: -0.9, PageDown: 0.9}[event.key];
	if (!pages || event.shiftKey)
		return;
	event.preventDefault();
	view.log.scrollTop += pages * view.log.clientHeight;
});
addEventListener("keydown", (event) => {
	if (event.key === "Escape" && !event.isComposing)
		view.go_latest();
});

/* --- the rest --- */

const copy = byId("copy");

copy.addEventListener("click", async () => {
	const address = `${location.origin}/chat/${room}`;
	let text = say("copied");
	try {
		await navigator.clipboard.writeText(address);
	} catch {
		text = copy_by_hand(address) ? text : say("copy_failed");
	}
	copy.textContent = text;
	tell(text);
	setTimeout(() => (copy.textContent = say("copy_link")), 3000);
});

/* Without https there is no clipboard interface, only this. */
function copy_by_hand(address) {
	const field = element("textarea", "unseen");
	field.value = address;
	document.body.append(field);
	field.select();
	const done = document.execCommand("copy");
	field.remove();
	copy.focus();
	return done;
}

if (by_touch.matches)
	byId("keys").textContent = "";
composer.hidden = false;
message.value = recall(sessionStorage, `draft:${room}`) || "";
fit();
show_title();
if (!by_touch.matches)
	message.focus();
live.start();
