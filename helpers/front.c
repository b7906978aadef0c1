#include "front.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/parse.h"

/* Where serve is: in the build tree and as installed. */
static const char *const places[] = {
    "../helpers/serve", "../libexec/parlance/serve"};

void front_add(struct front_plan *plan, const char *text)
{
	if (plan->count == FRONT_ARGUMENTS)
		log_usage("serve", "too many options");
	plan->argv[plan->count++] = (char *)text;
}

void front_absolute(const char *program, const char *option, const char *path,
    char ret[PATH_MAX])
{
	char here[PATH_MAX] = "";
	bool relative = path[0] != '/';
	int n;

	if (relative && !getcwd(here, sizeof here))
		log_usage(program, "%s %s: the folder we are in: %s", option,
		    path, strerror(errno));
	n = snprintf(ret, PATH_MAX, "%s%s%s", here, relative ? "/" : "", path);
	if (n < 0 || n >= PATH_MAX)
		log_usage(program, "%s: the path is too long", option);
}

static void set_address(struct front_plan *plan, const char *value)
{
	plan->address = value;
}

static void set_port(struct front_plan *plan, const char *value)
{
	plan->port = value;
}

static const struct front_option common[] = {
    {'a', "ADDRESS", "listen on this address only, not on every one",
	set_address},
    {'p', "PORT", "listen on this port; 0 picks a free one", set_port}, {0}};

static void describe(const struct front_option *o)
{
	for (; o && o->letter; o++)
		(void)printf("  -%c %-10s %s\n", o->letter,
		    o->argument ? o->argument : "", o->help);
}

static void help(const struct front *f)
{
	(void)printf("usage: %s [OPTION]...\n\n%s\n\n", f->name, f->about);
	describe(common);
	describe(f->options);
	(void)printf("  %-13s show this\n  %-13s show the version\n\n"
		     "The port is %s by default. See %s(1).\n",
	    "--help", "--version", f->port, f->name);
	exit(fflush(stdout) ? 111 : 0);
}

void front_help(struct front_plan *plan, const char *value)
{
	(void)value;
	help(plan->front);
}

static void version(const struct front *f)
{
	(void)printf("%s (parlance) %s\n", f->name, PARLANCE_VERSION);
	exit(fflush(stdout) ? 111 : 0);
}

static const struct front_option *find(const struct front_option *o, int letter)
{
	for (; o && o->letter; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* getopt's string of all options. */
static void letters_of(const struct front *f, char *out, size_t size)
{
	const struct front_option *tables[] = {common, f->options};
	size_t n = 0;

	for (size_t t = 0; t < 2; t++)
		for (const struct front_option *o = tables[t];
		     o && o->letter && n + 3 < size; o++) {
			out[n++] = o->letter;
			if (o->argument)
				out[n++] = ':';
		}
	out[n] = '\0';
}

static void read_options(
    const struct front *f, struct front_plan *plan, int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 1},
	    {"version", no_argument, NULL, 2}, {0}};
	const struct front_option *o;
	char letters[64];
	int c;

	letters_of(f, letters, sizeof letters);
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) >= 0) {
		if (c == 1)
			help(f);
		if (c == 2)
			version(f);
		o = find(f->options, c);
		if (!o)
			o = find(common, c);
		if (!o) { /* getopt has said what is wrong */
			(void)fprintf(
			    stderr, "%s --help tells more\n", f->name);
			exit(100);
		}
		o->apply(plan, optarg);
	}
	if (optind < argc)
		log_usage(f->name, "%s: takes no arguments (--help tells more)",
		    argv[optind]);
}

static void set_listen(const struct front *f, struct front_plan *plan)
{
	const char *a = plan->address ? plan->address : "*";
	bool bare_v6 = strchr(a, ':') && a[0] != '[';
	uint64_t port;
	int n;

	if (parse_u64(plan->port, strlen(plan->port), 65535, &port) < 0)
		log_usage(
		    f->name, "-p %s: not a port (0 to 65535)", plan->port);
	n = snprintf(plan->listen, sizeof plan->listen, "%s=%s%s%s:%ju",
	    f->door, bare_v6 ? "[" : "", a, bare_v6 ? "]" : "",
	    (uintmax_t)port);
	if (n < 0 || (size_t)n >= sizeof plan->listen)
		log_usage(f->name, "-a: the address is too long");
}

/* Returns only if it cannot be started. */
static void become_serve(const struct front *f, struct front_plan *plan)
{
	char folder[PATH_MAX], path[PATH_MAX + 64] = "serve";
	ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);

	if (n > 0) {
		folder[n] = '\0';
		*strrchr(folder, '/') = '\0';
		for (size_t i = 0; i < 2; i++) {
			(void)snprintf(
			    path, sizeof path, "%s/%s", folder, places[i]);
			(void)execv(path, plan->argv);
			if (errno != ENOENT)
				break;
		}
	}
	(void)fprintf(stderr, "%s: %s: %s\n", f->name, path, strerror(errno));
}

int front_main(const struct front *f, int argc, char **argv)
{
	static struct front_plan plan;

	plan.front = f;
	plan.port = f->port;
	front_add(&plan, "serve");
	read_options(f, &plan, argc, argv);
	if (f->finish)
		f->finish(&plan);
	set_listen(f, &plan);
	front_add(&plan, plan.listen);
	become_serve(f, &plan);
	return 111;
}
