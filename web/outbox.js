"use strict";
/*
 * What was sent and is not yet in the room, in the order it was typed.
 *
 * A message is
 *	queued		its turn has not come
 *	sending		on its way
 *	sent		stored as `number`; its record has not come by yet
 *	waiting		no answer: stored or not, nobody knows. When the room is
 *			reached again and its records came by without it, it is
 *			sent again; by its key the server stores it once
 *	failed		refused, with a reason; to be tried again or discarded
 * and is shown at the end of the room until its record takes its place. If the
 * record comes before the answer, the text and the author tell that it is ours
 * (claimed), until the answer says the number.
 *
 * Messages go out one after the other. Those that are not stored survive a
 * reload (sessionStorage) as failed ones.
 */
const SEND_TIME = 20000;
const TRIES = 4;

class Outbox {
	/* on.me(): the author we expect; on.newest(): the last record that came
	 * by; on.own(number, text), on.disown(number): whose a record is;
	 * on.stored(): its record should come now; on.doubt(): is the server
	 * there?; on.refused(reason); on.told(text): for a screen reader;
	 * on.changed(): the list grew or shrank; on.back(): a button went. */
	constructor(room, on) {
		this.room = room;
		this.on = on;
		this.list = document.getElementById("pending");
		this.entries = [];
		this.restore();
	}

	add(text) {
		const entry = {text, state: "queued", tries: 0, key: new_key(),
			after: this.on.newest(), author: this.on.me()};
		this.entries.push(entry);
		this.show(entry);
		this.work();
	}

	async work() {
		const entry = this.entries.find(
			({state}) => state === "queued" || state === "waiting");
		if (this.busy || !entry || entry.state === "waiting")
			return;
		this.busy = true;
		await this.send(entry);
		this.busy = false;
		this.work();
	}

	async send(entry) {
		const controller = new AbortController();
		const timer = setTimeout(() => controller.abort(), SEND_TIME);
		this.set(entry, "sending");
		entry.tries++;
		try {
			const answer = await fetch(`/send/${this.room}`, {
				method: "POST", body: entry.text,
				headers: {"Content-Type": "text/plain; charset=utf-8",
					"Idempotency-Key": entry.key},
				signal: controller.signal});
			this.answered(entry, answer);
		} catch {
			this.unanswered(entry);
		}
		clearTimeout(timer);
	}

	answered(entry, answer) {
		const number = Number(answer.headers.get("Chat-Message"));
		if (answer.ok && number > 0) {
			this.stored(entry, number);
			return;
		}
		const reason = reason_of(answer.status);
		if (reason === "why_busy" && entry.tries < TRIES) {
			this.set(entry, "waiting");
			setTimeout(() => this.again(entry), 1000 * entry.tries);
			return;
		}
		entry.refused = true;
		this.fail(entry, say(reason, {status: answer.status}));
		this.on.refused(reason);
	}

	/* The answer was lost. It was ours if its record came already. */
	unanswered(entry) {
		if (entry.claimed)
			this.remove(entry);
		else if (entry.tries >= TRIES)
			this.fail(entry, say("why_network"));
		else
			this.set(entry, "waiting");
		entry.lost = true;
		this.on.doubt();
	}

	stored(entry, number) {
		if (entry.claimed !== number)
			this.unclaim(entry);
		entry.number = number;
		this.on.own(number, entry.text);
		if (entry.claimed === number || number <= this.on.newest()) {
			this.remove(entry);
			return;
		}
		this.set(entry, "sent");
		this.on.stored();
	}

	/* Is something stored whose record has not come by? */
	get owed() {
		return this.entries.some(({state}) => state === "sent");
	}

	/* A record came: is it one of these? It then takes its place. */
	take(record) {
		const entry = this.entries.find((e) => e.number === record.number) ||
			this.entries.find((e) => this.could_be(e, record));
		if (!entry)
			return false;
		if (entry.number || entry.state !== "sending") {
			this.on.own(record.number, entry.text);
			this.remove(entry);
			this.work();
			return true;
		}
		entry.claimed = record.number;
		entry.item.hidden = true;
		this.on.own(record.number, entry.text);
		return true;
	}

	could_be(entry, record) {
		return !entry.number && !entry.claimed && entry.tries > 0 &&
			record.number > entry.after &&
			record.author === entry.author && record.text === entry.text;
	}

	/* The room is reached, and all its records came by. */
	connected() {
		for (const entry of this.entries)
			if (entry.state === "waiting" && entry.lost) {
				entry.lost = false;
				this.again(entry);
			}
	}

	/* That record was somebody else's, who said the same. */
	unclaim(entry) {
		if (entry.claimed)
			this.on.disown(entry.claimed);
		entry.claimed = 0;
		entry.item.hidden = false;
	}

	again(entry) {
		if (entry.state !== "waiting")
			return;
		this.set(entry, "queued");
		this.work();
	}

	fail(entry, why) {
		this.unclaim(entry);
		entry.why = why;
		this.set(entry, "failed");
		this.on.told(say("not_sent_why", {why}));
	}

	/* --- shown and kept --- */

	show(entry) {
		entry.item = element("li", "message own pending");
		const bubble = element("div", "bubble");
		const state = element("div", "state");
		bubble.append(text_part(entry.text), state);
		bubble.classList.toggle("long", is_long(entry.text));
		entry.item.append(bubble);
		entry.says = state;
		this.list.append(entry.item);
		this.set(entry, entry.state);
	}

	set(entry, state) {
		entry.state = state;
		entry.item.dataset.state = state;
		const text = {waiting: say("waiting"),
			failed: entry.why ? say("not_sent_why", {why: entry.why}) :
				say("not_sent")}[state] ??
			say("sending");
		entry.says.replaceChildren(element("span", "", text));
		if (state === "failed")
			entry.says.append(
				this.button("retry", () => this.retry(entry)),
				this.button("discard", () => this.discard(entry)));
		this.keep();
		this.on.changed();
	}

	button(key, act) {
		const button = element("button", "quiet", say(key));
		button.type = "button";
		button.addEventListener("click", act);
		return button;
	}

	retry(entry) {
		entry.tries = 0;
		entry.author = this.on.me();
		this.list.append(entry.item);
		this.entries.push(...this.entries.splice(
			this.entries.indexOf(entry), 1));
		this.set(entry, "queued");
		this.on.back();
		this.work();
	}

	discard(entry) {
		this.remove(entry);
		this.on.back();
	}

	remove(entry) {
		const at = this.entries.indexOf(entry);
		if (at < 0)
			return;
		this.entries.splice(at, 1);
		entry.item.remove();
		this.keep();
		this.on.changed();
	}

	keep() {
		const unsent = this.entries.filter((e) => !e.number && !e.claimed);
		store(sessionStorage, `unsent:${this.room}`, unsent.length ?
			JSON.stringify(unsent.map(({text, key, after, author, refused}) =>
				({text, key, after, author, refused}))) : null);
	}

	restore() {
		const kept = recall(sessionStorage, `unsent:${this.room}`);
		for (const unsent of JSON.parse(kept || "[]")) {
			/* Why it was refused may be settled by now: they signed in. */
			const entry = {...unsent, tries: 1, state: "failed",
				why: unsent.refused ? "" : say("why_network")};
			this.entries.push(entry);
			this.show(entry);
		}
	}
}

/* By it the server knows a message that comes a second time. */
function new_key() {
	return Array.from(crypto.getRandomValues(new Uint32Array(4)),
		(n) => n.toString(36)).join("-");
}

function reason_of(status) {
	return {400: "why_text", 401: "why_guest", 403: "why_site",
		404: "why_gone", 409: "why_name", 413: "why_long",
		429: "why_busy", 503: "why_busy", 500: "why_full",
		507: "why_full"}[status] || "why_unknown";
}

/* Storage may be closed to us, or full: then nothing is kept. */
function store(storage, key, value) {
	try {
		if (value === null)
			storage.removeItem(key);
		else
			storage.setItem(key, value);
	} catch {
		/* nothing is kept */
	}
}

function recall(storage, key) {
	try {
		return storage.getItem(key);
	} catch {
		return null;
	}
}
