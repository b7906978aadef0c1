"use strict";
/*
 * Who among the browser's tabs may keep a connection open.
 *
 * A browser makes six connections to a host, for all its tabs together. So
 * they agree, over a BroadcastChannel, on the few that hold one: each claims
 * its room, and all sort the same claims the same way (shown before hidden,
 * then the last shown first). The first claim of a room counts; tabs of the
 * same room further down follow it: its holder passes on what it hears. Tabs
 * without a slot look for themselves now and then (live.js).
 *
 * Nothing depends on a message arriving: a claim that is not renewed lapses,
 * two that hold one slot cost a connection, and records go by their numbers.
 */
const SLOTS = 4; /* of six: two stay free for sending and for history */
const RENEW = 20000;
const LAPSE = 150000; /* hidden tabs' timers run once a minute */
const FRESH = 40000;

class Slots {
	/* on.change(): granted or followed may have changed;
	 * on.record(record): another tab heard it; on.own(number, mark). */
	constructor(room, on) {
		this.room = room;
		this.on = on;
		this.claims = new Map();
		this.relayed = 0;
		this.id = Array.from(crypto.getRandomValues(new Uint32Array(2)),
			(n) => n.toString(36)).join("-");
		this.shown = document.hidden ? 0 : Date.now();
	}

	enter() {
		if (!("BroadcastChannel" in self) || this.channel)
			return;
		this.channel = new BroadcastChannel("parlance");
		this.channel.onmessage = (event) => this.hear(event.data);
		this.timer = setInterval(() => this.claim(false), RENEW);
		this.claim(true);
	}

	leave() {
		if (!this.channel)
			return;
		this.post({kind: "gone"});
		clearInterval(this.timer);
		this.channel.close();
		this.channel = null;
		this.claims.clear();
	}

	post(message) {
		if (this.channel)
			this.channel.postMessage(
				{id: this.id, room: this.room, ...message});
	}

	claim(ask) {
		this.post({kind: "claim", ask, shown: this.shown,
			hidden: document.hidden});
		this.lapse();
		this.on.change();
	}

	/* The page was shown or hidden. */
	turn() {
		if (!document.hidden)
			this.shown = Date.now();
		this.claim(false);
	}

	lapse() {
		for (const [id, claim] of this.claims)
			if (Date.now() - claim.heard > LAPSE)
				this.claims.delete(id);
	}

	hear(message) {
		switch (message.kind) {
		case "claim":
			this.claims.set(message.id, {...message, heard: Date.now()});
			if (message.ask)
				this.claim(false);
			else
				this.on.change();
			break;
		case "gone":
			this.claims.delete(message.id);
			this.on.change();
			break;
		default:
			if (message.room === this.room)
				this.hear_of_room(message);
		}
	}

	hear_of_room(message) {
		if (message.kind === "own") {
			this.on.own(message.number, message.mark);
			return;
		}
		this.relayed = Date.now();
		if (message.kind === "record")
			this.on.record(message.record);
	}

	/* The claims that hold a slot, this page's among them or not. */
	holders() {
		const all = [...this.claims.values(), {id: this.id, room: this.room,
			shown: this.shown, hidden: document.hidden}];
		all.sort((a, b) => a.hidden - b.hidden || b.shown - a.shown ||
			(a.id < b.id ? -1 : 1));
		const rooms = new Set();
		return all.filter(({room}) => rooms.size < SLOTS &&
			!rooms.has(room) && rooms.add(room));
	}

	get granted() {
		return this.holders().some(({id}) => id === this.id);
	}

	/* Does another tab pass on what happens in this room? */
	get followed() {
		return Date.now() - this.relayed < FRESH;
	}

	/* Pass on a record, or without one that the connection is alive. */
	relay(record) {
		for (const {room} of this.claims.values())
			if (room === this.room) {
				this.post(record ? {kind: "record", record} :
					{kind: "alive"});
				return;
			}
	}
}
