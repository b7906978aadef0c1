"use strict";
/*
 * A room's records as they come: each once, in the order of their numbers.
 *
 * `cursor` is the number of the last record handed on. Whatever brings the
 * next one (the event stream, a long poll, another tab, a fetch of what was
 * missed), deliver() takes number cursor + 1 and nothing else: a number seen
 * before is dropped, one further on makes it fetch what lies between.
 *
 * run() is one loop: ask the server for its newest number (that proves it is
 * there), then
 *	with a slot (slots.js)		read the event stream until it ends,
 *					or long polls where streams fail
 *	without			fetch what is new, wait, ask again
 * and after a failure wait a little longer each time. kick() ends whatever it
 * waits for: when the laptop wakes, the network is back, the slots change.
 */
const HISTORY = 50;
const SKIP = 500; /* so many missed: show the last ones, not all */
const PAGE = 200;
const STALE = 60000; /* the server pings every 25 s */
const BEHIND = 10000;
const DOUBTFUL = 30000;
const HANG = 90000;
const POLLING = 300000; /* then streams are tried again */

class Live {
	/* on.record(record), on.state(alive), on.own(number, mark). */
	constructor(room, newest, on) {
		this.room = room;
		this.newest = newest;
		this.cursor = Math.max(0, newest - HISTORY);
		this.on = on;
		this.turn = 0;
		this.heard = 0;
		this.granted = true; /* until another tab says otherwise */
		this.stream_failures = 0;
		this.polling_until = 0;
		this.server = new Server(room, (last, known) =>
			this.learn(last, known));
		this.slots = new Slots(room, {
			change: () => this.slots_changed(),
			record: (record) => this.deliver(record),
			own: on.own,
		});
		this.listen();
	}

	listen() {
		const wake = () => this.wake();
		document.addEventListener("visibilitychange", () => {
			this.slots.turn();
			wake();
		});
		addEventListener("online", wake);
		addEventListener("focus", wake);
		/* A page left behind may be kept, with its connection. */
		addEventListener("pagehide", () => this.stop());
		addEventListener("pageshow", () => this.start());
		document.addEventListener("freeze", () => this.stop());
		document.addEventListener("resume", () => this.start());
	}

	start() {
		if (this.running)
			return;
		this.running = true;
		this.run(++this.turn);
	}

	stop() {
		this.running = false;
		this.turn++;
		this.slots.leave();
		this.kick();
	}

	kick() {
		this.waiting?.abort();
	}

	wake() {
		if (!document.hidden && Date.now() - this.heard > DOUBTFUL)
			this.kick();
	}

	slots_changed() {
		if (this.slots.granted !== this.granted)
			this.kick();
	}

	/* --- the loop --- */

	async run(turn) {
		let failures = 0;

		while (turn === this.turn) {
			this.waiting = new AbortController();
			const signal = this.waiting.signal;
			try {
				await this.server.ask(this.cursor, signal);
				if (!this.slots.channel)
					await this.catch_up(signal);
				this.slots.enter();
				this.granted = this.slots.granted;
				failures = 0;
				this.on.state(true);
				await this.follow(signal);
			} catch (error) {
				if (signal.aborted || turn !== this.turn)
					continue;
				this.on.state(false);
				await this.pause(this.later(++failures), signal);
			}
		}
	}

	async follow(signal) {
		if (!this.granted) {
			await this.catch_up(signal);
			await this.pause(this.interval(), signal);
		} else if (this.streams_work()) {
			await this.follow_stream(signal);
		} else {
			await this.follow_polls(signal);
		}
	}

	later(failures) {
		const most = Math.min(15000, 500 * 2 ** Math.min(failures, 5));
		return most * (0.5 + Math.random() / 2);
	}

	/* How long to leave a room that has no connection. */
	interval() {
		if (document.hidden || this.slots.followed)
			return 10000;
		return 2000;
	}

	pause(ms, signal) {
		return new Promise((done) => {
			const timer = setTimeout(done, ms);
			signal.addEventListener("abort", () => {
				clearTimeout(timer);
				done();
			});
			if (signal.aborted)
				done();
		});
	}

	/* There should be something new: look, whatever else one waits for. */
	async expect() {
		try {
			await this.server.ask(this.cursor, this.waiting.signal);
			await this.catch_up(this.waiting.signal);
		} catch {
			this.kick();
		}
	}

	/* --- records --- */

	learn(last, known) {
		this.heard = Date.now();
		/* A room that shrank was replaced: nothing shown is true. */
		if (last < known)
			location.reload();
		this.newest = Math.max(this.newest, last);
	}

	deliver(record) {
		if (record.number <= this.cursor)
			return;
		this.newest = Math.max(this.newest, record.number);
		if (record.number > this.cursor + 1) {
			this.catch_up(this.waiting.signal).catch(() => this.kick());
			return;
		}
		this.cursor = record.number;
		this.on.record(record);
	}

	/* Deliver all up to the newest number known; one such at a time. */
	catch_up(signal) {
		this.catching ??= this.fetch_missing(signal).finally(() => {
			this.catching = null;
		});
		return this.catching;
	}

	async fetch_missing(signal) {
		if (this.newest - this.cursor > SKIP)
			this.cursor = this.newest - HISTORY;
		while (this.cursor < this.newest) {
			const to = Math.min(this.newest, this.cursor + PAGE);
			const records = await this.range(this.cursor + 1, to, signal);
			records.forEach((record) => this.deliver(record));
		}
	}

	/* Old records from..to, both inclusive. */
	range(from, to, signal) {
		return this.server.range(from, to, this.streams_work(), signal);
	}

	/* --- streams, or polls where they fail --- */

	streams_work() {
		return "EventSource" in self && Date.now() >= this.polling_until;
	}

	/* Some proxies keep a stream to themselves: then poll for a while. */
	stream_ended(worked) {
		this.stream_failures = worked ? 0 : this.stream_failures + 1;
		if (this.stream_failures < 3)
			return;
		this.stream_failures = 0;
		this.polling_until = Date.now() + POLLING;
	}

	async follow_stream(signal) {
		const worked = await new Promise((done) => {
			let opened = false;
			let last = Date.now();
			const source = new EventSource(
				`/events/${this.room}?from=${this.cursor + 1}`);
			const heard = () => {
				opened = true;
				this.heard = last = Date.now();
			};
			const end = (worked) => {
				source.close();
				clearInterval(watch);
				done(worked);
			};
			/* Silent, or without what is known to be there. */
			const watch = setInterval(() => {
				const silent = Date.now() - last;
				if (silent > STALE || (silent > BEHIND &&
				    this.cursor < this.newest))
					end(false);
			}, 5000);
			source.onopen = heard;
			source.onerror = () => end(opened);
			source.onmessage = (event) => {
				heard();
				const record = JSON.parse(event.data);
				this.slots.relay(record);
				this.deliver(record);
			};
			source.addEventListener("ping", () => {
				heard();
				this.stream_failures = 0;
				this.slots.relay();
			});
			signal.addEventListener("abort", () => end(true));
			if (signal.aborted)
				end(true);
		});
		if (signal.aborted)
			return;
		this.stream_ended(worked);
		await this.pause(worked ? 50 + 350 * Math.random() :
			this.later(this.stream_failures), signal);
	}

	async follow_polls(signal) {
		const until = this.polling_until || Infinity;
		while (Date.now() < until && !signal.aborted) {
			await this.catch_up(signal);
			const asked = Date.now();
			const record = await this.server.message(
				this.cursor + 1, HANG, signal);
			if (record) {
				this.slots.relay(record);
				this.deliver(record);
			} else if (Date.now() - asked < 1000) {
				await this.pause(1000, signal);
			}
		}
	}
}
