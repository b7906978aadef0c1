"use strict";
/* The list of rooms: counts in words, times as the reader reckons them. */

const units = [
	["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400],
	["hour", 3600], ["minute", 60], ["second", 0],
];

function ago(then, now) {
	const seconds = Math.max(0, Math.round((now - then) / 1000));
	const [unit, size] = units.find(([, size]) => seconds >= size);
	const format = new Intl.RelativeTimeFormat(locale, {numeric: "auto"});
	return format.format(-Math.round(seconds / (size || 1)), unit);
}

for (const count of document.querySelectorAll(".rooms .count")) {
	const n = Number(count.textContent);
	count.textContent =
		say("count", {n: new Intl.NumberFormat(locale).format(n)});
	if (n === 1)
		count.textContent = say("count_one", {n});
}

for (const time of document.querySelectorAll(".rooms time")) {
	const then = new Date(time.dateTime);
	if (isNaN(then)) {
		time.remove();
		continue;
	}
	time.textContent = ago(then, Date.now());
	time.title = new Intl.DateTimeFormat(undefined,
		{dateStyle: "full", timeStyle: "short"}).format(then);
}
