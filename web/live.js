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
const DOUBTFUL = 30000;
const ANSWER = 15000;
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
				await this.ask(signal);
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
			return 15000;
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
			await this.ask(this.waiting.signal);
			await this.catch_up(this.waiting.signal);
		} catch {
			this.kick();
		}
	}

	/* --- records --- */

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

	/* Records from..to, both inclusive. */
	async range(from, to, signal) {
		if (this.streams_work()) {
			try {
				return await this.range_of_stream(from, to, signal);
			} catch (error) {
				if (signal?.aborted)
					throw error;
			}
		}
		return this.range_of_messages(from, to, signal);
	}

	/* The head of an event stream, left as soon as it went far enough. */
	async range_of_stream(from, to, signal) {
		const records = [];
		const request = this.request(ANSWER, signal);
		try {
			const answer = await fetch(
				`/events/${this.room}?from=${from}`,
				{signal: request.signal, cache: "no-store"});
			if (!answer.ok || !answer.body)
				throw new Error(`status ${answer.status}`);
			for await (const record of events(answer.body)) {
				request.progress();
				records.push(record);
				if (record.number >= to)
					return records;
			}
			throw new Error("the stream ended early");
		} finally {
			request.cancel();
		}
	}

	async range_of_messages(from, to, signal) {
		const records = [];
		const next = async () => {
			while (from <= to) {
				const number = from++;
				const record = await this.message(number, ANSWER, signal);
				if (!record)
					throw new Error(`no message ${number}`);
				records.push(record);
			}
		};
		await Promise.all([next(), next()]);
		return records.sort((a, b) => a.number - b.number);
	}

	/* --- the server --- */

	/* A signal that ends with another one or after so many ms. */
	request(ms, signal) {
		const controller = new AbortController();
		const abort = () => controller.abort();
		let timer = setTimeout(abort, ms);
		signal?.addEventListener("abort", abort);
		if (signal?.aborted)
			abort();
		return {
			signal: controller.signal,
			progress() {
				clearTimeout(timer);
				timer = setTimeout(abort, ms);
			},
			cancel() {
				clearTimeout(timer);
				signal?.removeEventListener("abort", abort);
				abort();
			},
		};
	}

	/* `shown` is the cursor when it was asked: it may be further by now. */
	hear(answer, shown) {
		this.heard = Date.now();
		const last = Number(answer.headers.get("Chat-Last") ?? NaN);
		if (!Number.isSafeInteger(last))
			throw new Error(`status ${answer.status}`);
		/* A room that shrank was replaced: nothing shown is true. */
		if (last < shown)
			location.reload();
		this.newest = Math.max(this.newest, last);
	}

	/* The newest number. What exists answers it without a 404. */
	async ask(signal) {
		const request = this.request(ANSWER, signal);
		const shown = this.cursor;
		try {
			this.hear(await fetch(shown > 0 ?
				`/msg/${this.room}/${shown}` : `/chat/${this.room}.txt`,
				{method: "HEAD", signal: request.signal,
					cache: "no-store"}), shown);
		} finally {
			request.cancel();
		}
	}

	/* Message `number`, or null if none came in that time. */
	async message(number, ms, signal) {
		const request = this.request(ms, signal);
		const shown = this.cursor;
		try {
			const answer = await fetch(`/msg/${this.room}/${number}`,
				{signal: request.signal, cache: "no-store"});
			this.hear(answer, shown);
			if (answer.status === 204)
				return null;
			if (answer.status !== 200)
				throw new Error(`status ${answer.status}`);
			return record_of(answer, await answer.text());
		} catch (error) {
			if (request.signal.aborted && !signal?.aborted)
				return null;
			throw error;
		} finally {
			request.cancel();
		}
	}

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
			const watch = setInterval(() => {
				if (Date.now() - last > STALE)
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
			const record =
				await this.message(this.cursor + 1, HANG, signal);
			if (record) {
				this.slots.relay(record);
				this.deliver(record);
			} else if (Date.now() - asked < 1000) {
				await this.pause(1000, signal);
			}
		}
	}
}

function record_of(answer, text) {
	let author = answer.headers.get("Chat-Author") || "";
	try {
		author = decodeURIComponent(author);
	} catch {
		/* as it is */
	}
	return {number: Number(answer.headers.get("Chat-Message")), author,
		time: answer.headers.get("Chat-Time") || "", text};
}

/* The records of an event stream's bytes; pings are not among them. */
async function* events(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";

	for (;;) {
		const {value, done} = await reader.read();
		if (done)
			return;
		const blocks = (rest + value).split("\n\n");
		rest = blocks.pop();
		for (const block of blocks) {
			const lines = block.split("\n");
			const data = lines.find((line) => line.startsWith("data:"));
			if (data && !lines.some((line) => line.startsWith("event:")))
				yield JSON.parse(data.slice(5));
		}
	}
}
