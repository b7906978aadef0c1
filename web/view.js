"use strict";
/*
 * The messages on the screen: a window [first, end] of the room's numbers.
 *
 * At most KEEP messages stand in the document: those far from where one reads
 * are taken out and loaded again when one scrolls back to them. While the
 * window holds the newest message and the reader is at its bottom (`pinned`),
 * new messages appear and the view follows them. Otherwise nothing moves, and
 * a button tells how many came. `seen` is the newest number that was on the
 * screen of someone looking at it.
 *
 * What people wrote gets into the document as text nodes only.
 */
const KEEP = 400;
const STEP = 50;
const NEAR = 600; /* pixels from an edge at which more is loaded */
const AT_END = 40;
const TOGETHER = 300000; /* ms between messages that stand as one group */
const LONG_TEXT = 1800;
const LONG_LINES = 24;

class View {
	/* load(from, to) gives records; own(record) says if one is ours;
	 * on.seen(): what is unread has changed. */
	constructor(newest, on) {
		this.on = on;
		this.newest = this.seen = newest;
		this.first = this.end = 0;
		this.pinned = true;
		this.queue = [];
		for (const id of ["log", "list", "before", "latest"])
			this[id] = document.getElementById(id);
		this.log.hidden = false;
		this.log.addEventListener("scroll", () => this.scrolled(),
			{passive: true});
		this.latest.addEventListener("click", () => this.go_latest());
		new ResizeObserver(() => this.follow()).observe(this.log);
		document.addEventListener("visibilitychange", () => this.look());
		this.show_before();
	}

	/* --- new messages --- */

	/* The next record; many may come at once. */
	add(record) {
		this.queue.push(record);
		this.flushing ??= setTimeout(() => this.flush(), 0);
	}

	flush() {
		/* After a long absence those in between were left out. */
		const gap = this.queue.findLastIndex((record, i, {[i - 1]: before}) =>
			before && record.number !== before.number + 1);
		const batch = this.queue.slice(Math.max(0, gap));
		this.queue = [];
		this.flushing = null;
		this.newest = Math.max(this.newest, batch.at(-1).number);
		if (this.first && batch[0].number !== this.end + 1) {
			/* What lies between is not loaded. */
			if (!this.pinned) {
				this.look();
				return;
			}
			this.clear();
		}
		if (!this.pinned && this.list.children.length >= KEEP) {
			this.look();
			return;
		}
		this.append(batch);
		if (this.pinned)
			this.trim_top();
		this.follow();
		this.look();
	}

	clear() {
		this.list.replaceChildren();
		this.first = this.end = 0;
	}

	append(records) {
		if (!records.length)
			return;
		const last = this.list.lastElementChild;
		this.list.append(...records.map((record) => this.item(record)));
		this.decorate(last ? last.nextElementSibling :
			this.list.firstElementChild);
		this.first ||= records[0].number;
		this.end = records.at(-1).number;
		this.turn_day();
		this.show_before();
	}

	/* At midnight today becomes yesterday. */
	turn_day() {
		const today = new Date().toDateString();
		if (this.today && this.today !== today)
			this.decorate(this.list.firstElementChild);
		this.today = today;
	}

	/* The connection is back: what failed may work now. */
	revive() {
		this.failed = false;
		this.turn_day();
		this.show_before();
	}

	prepend(records) {
		const first = this.list.firstElementChild;
		this.list.prepend(...records.map((record) => this.item(record)));
		this.decorate(this.list.firstElementChild, first);
		this.first = records[0].number;
		this.show_before();
	}

	/* Take out what is far above, without moving what is on the screen. */
	trim_top() {
		const extra = this.list.children.length - KEEP;
		if (extra < STEP)
			return;
		const height = this.log.scrollHeight;
		for (let i = 0; i < extra; i++)
			this.list.firstElementChild.remove();
		this.first += extra;
		this.decorate(this.list.firstElementChild,
			this.list.firstElementChild);
		this.show_before();
		this.log.scrollTop -= height - this.log.scrollHeight;
	}

	trim_bottom() {
		const extra = this.list.children.length - KEEP;
		for (let i = 0; i < extra; i++)
			this.list.lastElementChild.remove();
		if (extra > 0)
			this.end -= extra;
	}

	/* --- scrolling --- */

	get whole() {
		return this.end >= this.newest;
	}

	get below() {
		const {scrollHeight, scrollTop, clientHeight} = this.log;
		return scrollHeight - scrollTop - clientHeight;
	}

	follow() {
		if (this.pinned)
			this.log.scrollTop = this.log.scrollHeight;
	}

	scrolled() {
		this.pinned = this.whole && this.below < AT_END;
		this.look();
		if (this.log.scrollTop < NEAR)
			this.load_older();
		else if (this.below < NEAR && !this.whole)
			this.load_newer();
	}

	/* One request for history at a time; the rest comes by scrolling on. */
	async loading(from, to, then) {
		if (this.busy || from > to)
			return;
		this.busy = true;
		this.failed = false;
		this.show_before();
		const {first, end} = this;
		try {
			const records = await this.on.load(from, to);
			if (first === this.first && end <= this.end)
				then(records);
		} catch {
			this.failed = true;
		}
		this.busy = false;
		this.show_before();
	}

	load_older() {
		if (!this.first || this.failed)
			return;
		const from = Math.max(1, this.first - STEP);
		return this.loading(from, this.first - 1, (records) => {
			const height = this.log.scrollHeight;
			this.prepend(records);
			this.log.scrollTop += this.log.scrollHeight - height;
			this.trim_bottom();
			this.look();
		});
	}

	load_newer() {
		const to = Math.min(this.newest, this.end + STEP);
		return this.loading(this.end + 1, to, (records) => {
			this.append(records.filter((r) => r.number > this.end));
			this.trim_top();
		});
	}

	/* To the end of the room, loading it if the window is elsewhere. */
	async go_latest() {
		this.pinned = true;
		if (!this.whole) {
			const from = Math.max(1, this.newest - STEP + 1);
			this.busy = false;
			await this.loading(from, this.newest, (records) => {
				this.clear();
				this.append(records);
			});
		}
		this.follow();
		this.look();
	}

	/* --- what is told about it --- */

	/* What is on the screen of someone who looks is no longer unread. */
	look() {
		if (this.pinned && this.whole && !document.hidden)
			this.seen = this.newest;
		const away = this.first > 0 && !this.pinned &&
			(!this.whole || this.below > this.log.clientHeight / 2 ||
				this.unread > 0);
		this.latest.hidden = !away;
		this.latest.classList.toggle("some", this.unread > 0);
		this.latest.textContent = this.unread > 0 ?
			say("arrived", {n: this.unread}) : say("latest");
		this.on.seen();
	}

	get unread() {
		return this.newest - this.seen;
	}

	/* The line above the messages. */
	show_before() {
		const {before} = this;
		const state = this.busy ? "loading" : this.failed ? "failed" :
			this.first > 1 ? "more" : this.first === 1 ? "beginning" :
				this.newest > 0 ? "loading" : "empty";
		if (before.dataset.state === state)
			return;
		/* The button stays, and keeps the focus, while it loads. */
		const button = before.querySelector("button");
		if (button && ["loading", "more"].includes(state)) {
			button.textContent = say(state === "more" ? "older" : state);
			before.dataset.state = state;
			return;
		}
		const focused = before.contains(document.activeElement);
		before.dataset.state = state;
		before.replaceChildren(...this.before_parts(state));
		if (focused)
			(before.querySelector("button") || this.log).focus(
				{preventScroll: true});
	}

	before_parts(state) {
		const button = (text) => {
			const b = element("button", "quiet", text);
			b.type = "button";
			b.addEventListener("click", () => {
				this.failed = false;
				this.load_older();
			});
			return b;
		};
		const transcript = element("a", "", say("transcript"));
		transcript.href = `/chat/${document.body.dataset.room}.txt`;
		switch (state) {
		case "more":
			return [button(say("older"))];
		case "failed":
			return [element("p", "", say("older_failed")),
				button(say("retry"))];
		case "beginning":
			return [element("p", "", say("beginning")), transcript];
		case "empty":
			return [element("p", "big", say("empty")),
				element("p", "", say("empty_hint"))];
		default:
			return [element("p", "", say("loading"))];
		}
	}

	/* --- one message --- */

	item(record) {
		const item = element("li", "message");
		const kind = kind_of(record);
		item.id = `m${record.number}`;
		item.record = record;
		item.dataset.kind = kind;
		item.classList.toggle("own", this.on.own(record));
		const bubble = element("div", "bubble");
		bubble.append(this.meta(record), kind === "file" ?
			file_part(record) : text_part(record.text));
		if (is_long(record.text))
			bubble.append(this.more_button(bubble));
		item.append(bubble);
		return item;
	}

	meta(record) {
		const meta = element("div", "meta");
		const {name, guest} = author_of(record);
		const author = element("span", "author", name);
		author.dir = "auto";
		meta.append(author);
		if (guest && !plainly_guest(name)) {
			const mark = element("span", "guest", say("guest"));
			mark.title = say("guest_title");
			meta.append(" ", mark);
		}
		const date = new Date(record.time);
		if (!isNaN(date)) {
			const time = element("time", "", clock.format(date));
			time.dateTime = date.toISOString();
			time.title = full_date.format(date);
			meta.append(" ", time);
		}
		return meta;
	}

	more_button(bubble) {
		const button = element("button", "more quiet", say("show_all"));
		button.type = "button";
		button.setAttribute("aria-expanded", "false");
		bubble.classList.add("long");
		button.addEventListener("click", () => {
			const open = bubble.classList.toggle("open");
			button.textContent = say(open ? "show_less" : "show_all");
			button.setAttribute("aria-expanded", String(open));
			if (!open)
				bubble.scrollIntoView({block: "nearest"});
			this.scrolled();
		});
		return button;
	}

	/* Whether a message is ours may be known after it came. */
	mark(number, own) {
		const item = document.getElementById(`m${number}`);
		if (!item || is_own(item) === own)
			return;
		item.classList.toggle("own", own);
		this.decorate(item, item.nextElementSibling);
	}

	/* Day lines and groups, from one item to another (null: the last). */
	decorate(item, last = null) {
		for (; item; item = item.nextElementSibling) {
			const above = item.previousElementSibling;
			const before = above?.record;
			const day = day_of(item.record);
			const is_new = day && day !== day_of(before);
			item.querySelector(".day")?.remove();
			if (is_new)
				item.prepend(element("h2", "day", day));
			item.classList.toggle("cont", !is_new &&
				goes_with(before, item.record) &&
				is_own(above) === is_own(item));
			if (item === last)
				break;
		}
	}
}
