// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "policy: %s: %s\n", what, why);
	exit(1);
}

void *must_calloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		die("calloc", strerror(errno));
	return memory;
}

struct trace *trace_new(const char *name, size_t length, uint32_t keys)
{
	struct trace *trace = must_calloc(1, sizeof(*trace));
	uint32_t i;

	snprintf(trace->name, sizeof(trace->name), "%s", name);
	trace->key = must_calloc(length, sizeof(*trace->key));
	trace->pages = must_calloc(keys, sizeof(*trace->pages));
	trace->length = length;
	trace->keys = keys;
	trace->footprint = keys;
	for (i = 0; i < keys; i++)
		trace->pages[i] = 1;
	return trace;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->key);
	free(trace->pages);
	free(trace);
}

/* The number of a word: those that are new are numbered in turn */
static uint32_t word_number(struct hsearch_data *table, const char *word,
			    uint32_t *count)
{
	ENTRY entry = { .key = (char *)word, .data = NULL }, *found;

	if (hsearch_r(entry, FIND, &found, table))
		return (uint32_t)(uintptr_t)found->data;
	entry.key = strdup(word);
	entry.data = (void *)(uintptr_t)*count;
	if (!entry.key || !hsearch_r(entry, ENTER, &found, table))
		die("hsearch_r", strerror(errno));
	return (*count)++;
}

static size_t count_lines(FILE *file)
{
	size_t lines = 0;
	int c;

	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	rewind(file);
	return lines;
}

struct trace *trace_read(const char *name, const char *path)
{
	FILE *file = fopen(path, "re");
	struct hsearch_data table = { 0 };
	struct trace *trace;
	char line[4096], word[4096];
	size_t used = 0, lines;
	uint32_t key, pages;

	if (!file)
		die(path, strerror(errno));
	lines = count_lines(file);
	if (!lines || !hcreate_r(2 * lines, &table))
		die(path, lines ? strerror(errno) : "empty");
	trace = trace_new(name, lines, (uint32_t)lines);
	trace->keys = 0;
	trace->footprint = 0;
	while (used < lines && fgets(line, sizeof(line), file)) {
		pages = 1;
		if (sscanf(line, "%4095s %u", word, &pages) < 1)
			continue;
		key = trace->keys;
		trace->key[used] = word_number(&table, word, &trace->keys);
		if (trace->key[used++] != key)
			continue;
		trace->pages[key] = pages ? pages : 1;
		trace->footprint += trace->pages[key];
	}
	trace->length = used;
	/* The words stay: hdestroy_r() would not free them either */
	hdestroy_r(&table);
	fclose(file);
	return trace;
}
