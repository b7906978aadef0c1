"use strict";
/*
 * What messages are made of: elements, times, authors, text with its links.
 * Text gets into the document as text nodes and nothing else.
 */
function element(tag, name, text) {
	const made = document.createElement(tag);
	if (name)
		made.className = name;
	if (text !== undefined)
		made.textContent = text;
	return made;
}

/* --- times --- */

const clock = new Intl.DateTimeFormat(undefined, {timeStyle: "short"});
const full_date = new Intl.DateTimeFormat(locale,
	{dateStyle: "full", timeStyle: "medium"});
const day_format = new Intl.DateTimeFormat(locale,
	{weekday: "long", day: "numeric", month: "long"});
const year_format = new Intl.DateTimeFormat(locale,
	{weekday: "long", day: "numeric", month: "long", year: "numeric"});

/* The day of a record as its line says it; empty without a time. */
function day_of(record) {
	const date = new Date(record?.time ?? NaN);
	if (isNaN(date))
		return "";
	const now = new Date();
	const yesterday = new Date(now.getFullYear(), now.getMonth(),
		now.getDate() - 1);
	if (date.toDateString() === now.toDateString())
		return say("today");
	if (date.toDateString() === yesterday.toDateString())
		return say("yesterday");
	const format = date.getFullYear() === now.getFullYear() ?
		day_format : year_format;
	return format.format(date);
}

function is_own(item) {
	return item.classList.contains("own");
}

function goes_with(before, record) {
	return Boolean(before) && before.author === record.author &&
		kind_of(before) === "said" && kind_of(record) === "said" &&
		new Date(record.time) - new Date(before.time) < TOGETHER;
}

/* --- what it says --- */

/* An upload's record, one of the server's, or what somebody said. */
function kind_of(record) {
	if (record.file)
		return "file";
	return record.author === "server" || !record.author ? "system" : "said";
}

/* A name that nobody vouched for is stored with a tilde. */
function author_of(record) {
	const guest = record.author.startsWith("~");
	const name = guest ? record.author.slice(1) : record.author;
	return {name: name || say("nobody"), guest};
}

/* Names that no account can have. */
function plainly_guest(name) {
	return ["guest", "anonymous"].includes(name.toLowerCase());
}

function is_long(text) {
	return text.length > LONG_TEXT || text.split("\n").length > LONG_LINES;
}

function text_part(text) {
	const part = element("div", "text");
	part.dir = "auto";
	let at = 0;
	for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"\u2028\u2029]+/gi)) {
		const link = link_part(match[0]);
		if (!link)
			continue;
		part.append(text.slice(at, match.index), link);
		at = match.index + link.textContent.length;
	}
	part.append(text.slice(at));
	return part;
}

/* What ends a sentence, or a bracket opened before it, is not part of it. */
function trim_address(text) {
	for (;;) {
		const end = text.at(-1);
		const open = {")": "(", "]": "[", "}": "{"}[end];
		const unmatched = open &&
			text.split(end).length > text.split(open).length;
		if (!unmatched && !/[.,;:!?'\u2019\u201d\u00bb*_~]/.test(end))
			return text;
		text = text.slice(0, -1);
	}
}

function link_part(text) {
	const address = trim_address(text);
	let url;
	try {
		url = new URL(address);
	} catch {
		return null;
	}
	if (url.protocol !== "http:" && url.protocol !== "https:")
		return null;
	const link = element("a", "", address);
	link.href = url.href;
	link.rel = "noopener noreferrer";
	link.target = "_blank";
	return link;
}

/* An upload says NAME has uploaded FILE: FILE is the link. */
function file_part({text, file}) {
	const part = element("div", "text");
	const link = element("a", "file", file);
	link.href = `/files/${encodeURIComponent(file)}`;
	link.dir = part.dir = "auto";
	const before = text.endsWith(file) ? text.slice(0, -file.length) : text;
	part.append(before, before.endsWith(" ") ? "" : " ", link);
	return part;
}
