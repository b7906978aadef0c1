/* What benchmarks share that compare in rounds and look at the middle one. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/parse.h"

/* For qsort(3) of doubles. */
static inline int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The one in the middle of n >= 1 values, which it sorts. */
static inline double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, by_size);
	return values[n / 2];
}

/* The one that a share q of n >= 1 values is not above; sorts them. */
static inline double quantile(double *values, size_t n, double q)
{
	qsort(values, n, sizeof *values, by_size);
	return values[(size_t)((double)(n - 1) * q)];
}

/*
 * Reads a command line [-n ROUNDS] TARGET... with 1 to rounds_most rounds and 1
 * to targets_most targets, the first of which is argv[optind]. *rounds stays as
 * it is without -n. Returns the number of targets, or -1: it is none like that.
 */
static inline int rounds_options(int argc, char **argv, uint64_t rounds_most,
    int targets_most, uint64_t *rounds)
{
	int n, c;

	while ((c = getopt(argc, argv, "n:")) >= 0)
		if (c != 'n' ||
		    parse_u64(optarg, strlen(optarg), rounds_most, rounds) < 0)
			return -1;
	n = argc - optind;
	return n < 1 || n > targets_most || !*rounds ? -1 : n;
}

#endif
