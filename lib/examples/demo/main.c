// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A cache of decompressed files under load, while another process takes most of
 * the machine's memory. scripts/demo runs it in a virtual machine; on a machine
 * that you need, mind --hog.
 *
 * Where to look: store_pashm.c is all that is special about a cache that
 * shrinks, load.c uses it, run.c tells the story, view.c draws it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

static const char usage[] =
"Usage: pashm-demo --corpus DIR [OPTION...]\n"
"\n"
"Fills a cache with decompressed files of DIR, as DIR/index lists them, and\n"
"reads them by Zipf's law; every byte read is checked. Then another process\n"
"takes memory, holds it, and goes. Prints a line a second, and a result.\n"
"\n"
"  --cache KIND       pashm (default), or heap: malloc() and a fixed limit\n"
"  --size MIB         of files to read; all fit in the cache (default 256)\n"
"  --hog MIB          that the other process takes (default 256)\n"
"  --pace MIB         of these, each second (default 25)\n"
"  --seconds N        before the hog, of the hog, twice that after it\n"
"                     (default 5)\n"
"  --threads N        of the load (default 2)\n"
"  --exponent S       of Zipf's law (default 0.95)\n"
"  --colour\n"
"\n"
"PASHM_BACKEND=module|memfd chooses who takes the cache's memory back.\n"
"Exit status: 0 if it came to a result, of which being killed is one.\n";

enum option_value { CACHE = 1, CORPUS, SIZE, HOG, PACE, SECONDS, THREADS,
	EXPONENT, COLOUR, HELP };

static const struct option options[] = {
	{ "cache", required_argument, NULL, CACHE },
	{ "corpus", required_argument, NULL, CORPUS },
	{ "size", required_argument, NULL, SIZE },
	{ "hog", required_argument, NULL, HOG },
	{ "pace", required_argument, NULL, PACE },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "threads", required_argument, NULL, THREADS },
	{ "exponent", required_argument, NULL, EXPONENT },
	{ "colour", no_argument, NULL, COLOUR },
	{ "help", no_argument, NULL, HELP },
	{ 0 },
};

/* A whole number from 1 to @most, or the program ends */
static unsigned int number(const char *text, unsigned int most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '-' || end == text || *end || !value || value > most) {
		fprintf(stderr, "pashm-demo: '%s' is no number from 1 to %u\n",
			text, most);
		exit(2);
	}
	return (unsigned int)value;
}

static size_t mebibytes(const char *text)
{
	return (size_t)number(text, 1U << 20) << 20;
}

static double exponent(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= 4)) {
		fprintf(stderr, "pashm-demo: '%s' is no number from 0 to 4\n",
			text);
		exit(2);
	}
	return value;
}

static const struct store_ops *store_kind(const char *name)
{
	if (!strcmp(name, store_pashm.name))
		return &store_pashm;
	if (!strcmp(name, store_heap.name))
		return &store_heap;
	fprintf(stderr, "pashm-demo: --cache is pashm or heap, not '%s'\n",
		name);
	exit(2);
}

static void set_option(struct run_params *params, int option)
{
	switch (option) {
	case CACHE:
		params->store = store_kind(optarg);
		break;
	case CORPUS:
		params->corpus = optarg;
		break;
	case SIZE:
		params->size = mebibytes(optarg);
		break;
	case HOG:
		params->hog = mebibytes(optarg);
		break;
	case PACE:
		params->pace = mebibytes(optarg);
		break;
	case SECONDS:
		params->seconds = number(optarg, 3600);
		break;
	case THREADS:
		params->threads = number(optarg, 256);
		break;
	case EXPONENT:
		params->exponent = exponent(optarg);
		break;
	case COLOUR:
		params->colour = true;
		break;
	case HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs("try pashm-demo --help\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct run_params params = {
		.store = &store_pashm, .size = 256UL << 20, .hog = 256UL << 20,
		.pace = 25UL << 20, .seconds = 5, .threads = 2,
		.exponent = 0.95,
	};
	int option, ret;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(&params, option);
	if (optind < argc || !params.corpus) {
		fputs("pashm-demo: --corpus DIR is needed, and nothing but "
		      "options; see --help\n", stderr);
		return 2;
	}
	ret = run_play(&params);
	if (ret == -ECHILD)
		fputs("pashm-demo: the cache process failed\n", stderr);
	else if (ret)
		fprintf(stderr, "pashm-demo: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
