"use strict";
/*
 * What the page asks of the server about a room, each with a deadline: its
 * newest number, a message (waiting for it, if it is the next one), a range of
 * old ones. All throw when the server does not answer as it should.
 */
const ANSWER = 15000;

class Server {
	/* newest(last, known) is called with each answer: the room's newest
	 * number, and that of a message known to have been in it. */
	constructor(room, newest) {
		this.room = room;
		this.newest = newest;
	}

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

	/* Every answer tells the room's newest number. */
	hear(answer, known) {
		const last = Number(answer.headers.get("Chat-Last") ?? NaN);
		if (!Number.isSafeInteger(last))
			throw new Error(`status ${answer.status}`);
		this.newest(last, known);
	}

	/* What is new, if message `known` is there? (That is no 404.) */
	async ask(known, signal) {
		const request = this.request(ANSWER, signal);
		try {
			this.hear(await fetch(known > 0 ?
				`/msg/${this.room}/${known}` : `/chat/${this.room}.txt`,
				{method: "HEAD", signal: request.signal,
					cache: "no-store"}), known);
		} finally {
			request.cancel();
		}
	}

	/* Message `number`, or null if none came in that time. */
	async message(number, ms, signal) {
		const request = this.request(ms, signal);
		try {
			const answer = await fetch(`/msg/${this.room}/${number}`,
				{signal: request.signal, cache: "no-store"});
			this.hear(answer, number - 1);
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

	/* Records from..to, both inclusive. */
	async range(from, to, streams, signal) {
		if (streams) {
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
}

function record_of(answer, text) {
	const field = (name) => {
		const value = answer.headers.get(name) || "";
		try {
			return decodeURIComponent(value);
		} catch {
			return value;
		}
	};
	return {number: Number(field("Chat-Message")), text,
		author: field("Chat-Author"), time: field("Chat-Time"),
		file: field("Chat-File") || undefined};
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
