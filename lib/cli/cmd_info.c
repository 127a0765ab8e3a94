// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "figures.h"
#include "json.h"
#include "message.h"
#include "survey.h"
#include "target.h"
#include "text.h"

/**
 * struct view - what to print, and how
 * @survey: where it comes from
 * @exact:  bytes, not KiB and MiB
 * @json:   not as text
 * @full:   all figures of each region, one a line
 */
struct view {
	struct survey survey;
	bool exact;
	bool json;
	bool full;
};

static const char *backend_name(const struct figures *figures)
{
	return figures->info.backend == PASHM_BACKEND_MEMFD ? "memfd" :
							       "module";
}

/* A cell for a number of bytes, or "-" if it is not known */
static char *size_cell(bool known, uint64_t bytes, bool exact)
{
	return known ? text_size(bytes, exact) : text_format("-");
}

static char *number_cell(bool known, uint64_t number)
{
	return known ? text_format("%" PRIu64, number) : text_format("-");
}

/* "name(pid) name(pid)"; @uses are sorted by process */
static char *holders_text(const struct use *uses, size_t count)
{
	char *text = text_format("%s", "");
	char raw[SURVEY_NAME_MAX];
	char *name, *longer;
	size_t i;

	for (i = 0; i < count; i++) {
		if (i && uses[i].pid == uses[i - 1].pid)
			continue;
		survey_name(uses[i].pid, raw);
		name = text_printable(raw);
		longer = text_format("%s%s%s(%d)", text, *text ? " " : "",
				     name, uses[i].pid);
		free(name);
		free(text);
		text = longer;
	}
	return text;
}

static void add_row(struct text_table *table, const struct view *view,
		    const struct use *uses, size_t count)
{
	const struct pashm_region_info *info;
	struct figures figures;
	bool file, all;

	figures_read(uses, &figures);
	info = &figures.info;
	file = figures.depth >= FIGURES_FILE;
	all = figures.depth >= FIGURES_ALL;
	text_table_add(table, number_cell(info->inode, info->inode));
	text_table_add(table, text_printable(*info->name ? info->name : "-"));
	text_table_add(table, text_format("%s", backend_name(&figures)));
	text_table_add(table, size_cell(file, info->length, view->exact));
	text_table_add(table, size_cell(file, info->resident, view->exact));
	text_table_add(table, size_cell(all, info->unpinned, view->exact));
	text_table_add(table, number_cell(all, info->extents));
	text_table_add(table, number_cell(all, info->pinned_extents));
	text_table_add(table, size_cell(all, info->purged, view->exact));
	text_table_add(table, number_cell(all, info->clients));
	text_table_add(table, holders_text(uses, count));
}

static void print_table(const struct view *view)
{
	static const char *const titles[] = {
		"INODE", "NAME", "BACKEND", "SIZE", "RESIDENT", "UNPINNED",
		"EXTENTS", "PINNED", "PURGED", "CLIENTS", "PROCESSES",
	};
	struct text_table table = {
		.columns = sizeof(titles) / sizeof(*titles),
		.right = 0x3f9,		/* all but names */
	};
	const struct survey *survey = &view->survey;
	size_t first, count;

	for (first = 0; first < table.columns; first++)
		text_table_add(&table, text_format("%s", titles[first]));
	for (first = 0; (count = survey_region(survey, first)); first += count)
		if (survey->uses[first].kind != USE_DEVICE)
			add_row(&table, view, &survey->uses[first], count);
	if (table.count == table.columns)
		puts("no regions");
	text_table_print(&table);
}

static void print_line(const char *key, char *value)
{
	printf("%-16s%s\n", key, value);
	free(value);
}

/* "123/4 123/5": to be given to purge */
static char *descriptors_text(const struct use *uses, size_t count)
{
	char *text = text_format("%s", ""), *longer;
	size_t i;

	for (i = 0; i < count; i++) {
		if (uses[i].fd < 0)
			longer = text_format("%s%s%d (mapped)", text,
					     *text ? " " : "", uses[i].pid);
		else
			longer = text_format("%s%s%d/%d", text,
					     *text ? " " : "", uses[i].pid,
					     uses[i].fd);
		free(text);
		text = longer;
	}
	return text;
}

/* "sole, huge"; the flag for a priority says no more than that does */
static char *flags_text(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ PASHM_REGION_SOLE, "sole" },
		{ PASHM_REGION_STRICT, "strict" },
		{ PASHM_REGION_STRICT_UNPINNED, "strict-unpinned" },
		{ PASHM_REGION_HUGE, "huge" },
	};
	char *text = text_format("%s", ""), *longer;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & names[i].flag))
			continue;
		longer = text_format("%s%s%s", text, *text ? ", " : "",
				     names[i].name);
		free(text);
		text = longer;
	}
	return text;
}

static void print_figures(const struct figures *figures, bool exact)
{
	const struct pashm_region_info *info = &figures->info;
	bool file = figures->depth >= FIGURES_FILE;
	bool all = figures->depth >= FIGURES_ALL;

	print_line("name", text_printable(info->name));
	print_line("inode", number_cell(info->inode, info->inode));
	print_line("backend", text_format("%s", backend_name(figures)));
	print_line("size", size_cell(file, info->length, exact));
	print_line("resident", size_cell(file, info->resident, exact));
	print_line("swapped", size_cell(all, info->swapped, exact));
	print_line("unpinned", size_cell(all, info->unpinned, exact));
	print_line("extents", number_cell(all, info->extents));
	print_line("pinned extents", number_cell(all, info->pinned_extents));
	print_line("purged", size_cell(all, info->purged, exact));
	print_line("purges", number_cell(all, info->purges));
	print_line("tables", size_cell(all, info->tables, exact));
	print_line("clients", number_cell(all, info->clients));
	print_line("violations", number_cell(all, info->violations));
	print_line("epoch", number_cell(all, info->epoch));
	print_line("priority", number_cell(all, info->priority));
	print_line("flags", all ? flags_text(info->flags) :
				  text_format("-"));
}

static void print_full(const struct view *view)
{
	const struct survey *survey = &view->survey;
	struct figures figures;
	size_t first, count;
	bool next = false;

	for (first = 0; (count = survey_region(survey, first));
	     first += count) {
		if (survey->uses[first].kind == USE_DEVICE)
			continue;
		if (next)
			putchar('\n');
		next = true;
		figures_read(&survey->uses[first], &figures);
		print_figures(&figures, view->exact);
		print_line("processes",
			   holders_text(&survey->uses[first], count));
		print_line("descriptors",
			   descriptors_text(&survey->uses[first], count));
	}
}

static struct json_object *holders_json(const struct use *uses, size_t count)
{
	struct json_object *array = json_new_array(), *object;
	char name[SURVEY_NAME_MAX];
	size_t i;

	for (i = 0; i < count; i++) {
		object = json_new_object();
		survey_name(uses[i].pid, name);
		json_put_number(object, "pid", (uint64_t)uses[i].pid);
		json_put_text(object, "command", name);
		if (uses[i].fd >= 0)
			json_put_number(object, "fd", (uint64_t)uses[i].fd);
		else
			json_put(object, "fd", NULL);
		json_object_array_add(array, object);
	}
	return array;
}

static void counts_json(struct json_object *object,
			const struct pashm_region_info *info)
{
	char *flags = flags_text(info->flags);

	json_put_number(object, "swapped", info->swapped);
	json_put_number(object, "unpinned", info->unpinned);
	json_put_number(object, "extents", info->extents);
	json_put_number(object, "pinned_extents", info->pinned_extents);
	json_put_number(object, "purged", info->purged);
	json_put_number(object, "purges", info->purges);
	json_put_number(object, "tables", info->tables);
	json_put_number(object, "clients", info->clients);
	json_put_number(object, "violations", info->violations);
	json_put_number(object, "epoch", info->epoch);
	json_put_number(object, "priority", info->priority);
	json_put_text(object, "flags", flags);
	free(flags);
}

/* What is not known is left out */
static struct json_object *region_json(const struct use *uses, size_t count)
{
	struct json_object *object = json_new_object();
	const struct pashm_region_info *info;
	struct figures figures;

	figures_read(uses, &figures);
	info = &figures.info;
	json_put_text(object, "backend", backend_name(&figures));
	if (info->inode)
		json_put_number(object, "inode", info->inode);
	if (figures.depth >= FIGURES_FILE) {
		json_put_text(object, "name", info->name);
		json_put_number(object, "length", info->length);
		json_put_number(object, "resident", info->resident);
	}
	if (figures.depth >= FIGURES_ALL)
		counts_json(object, info);
	json_put(object, "uses", holders_json(uses, count));
	return object;
}

static void print_json(const struct view *view)
{
	const struct survey *survey = &view->survey;
	struct json_object *object = json_new_object();
	struct json_object *regions = json_new_array();
	size_t first, count;

	for (first = 0; (count = survey_region(survey, first)); first += count)
		if (survey->uses[first].kind != USE_DEVICE)
			json_object_array_add(regions,
				region_json(&survey->uses[first], count));
	json_put(object, "regions", regions);
	json_put_number(object, "unreadable_processes", survey->unreadable);
	json_print(object);
}

static int show(const struct command *self, struct view *view,
		const char *word)
{
	struct target target;

	if (!word) {
		survey_all(&view->survey);
	} else {
		if (!target_parse(word, &target))
			return command_misused(self, "'%s' is neither PID nor PID/FD",
					       word);
		if (!target_survey(&target, &view->survey))
			return STATUS_FAILURE;
		survey_widen(&view->survey);
		view->full |= target.fd >= 0;
	}
	if (view->json)
		print_json(view);
	else if (view->full)
		print_full(view);
	else
		print_table(view);
	if (view->survey.unreadable && !view->json)
		message_hint("processes that may not be looked at: %u%s",
			     view->survey.unreadable,
			     survey_unreadable_advice());
	survey_free(&view->survey);
	return STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "full", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct view view = { .exact = false };
	bool all = false;
	int option;

	while ((option = getopt_long(argc, argv, "abfjh", options, NULL)) !=
	       -1) {
		switch (option) {
		case 'a':
			all = true;
			break;
		case 'b':
			view.exact = true;
			break;
		case 'f':
			view.full = true;
			break;
		case 'j':
			view.json = true;
			break;
		default:
			return command_other_option(self, option);
		}
	}
	if (argc - optind > 1)
		return command_misused(self, "one process or descriptor at a time");
	if (all && optind < argc)
		return command_misused(self, "--all and '%s' exclude each other",
				       argv[optind]);
	return show(self, &view, argv[optind]);
}

const struct command command_info = {
	.name = "info",
	.arguments = "[--bytes] [--full] [--json] [PID[/FD] | --all]",
	.summary = "Show the regions and who uses them",
	.help =
"  PID      the regions of one process\n"
"  PID/FD   the region behind descriptor FD of process PID, with all figures\n"
"  --all    the regions of all processes; as without PID\n"
"  --bytes  exact numbers of bytes\n"
"  --full   all figures of each region, and the descriptors that lead to it\n"
"  --json   as JSON; sizes are exact there\n"
"\n"
"  SIZE      of the address range; costs nothing by itself\n"
"  RESIDENT  memory in use\n"
"  UNPINNED  of this, in extents that nobody has pinned: may be taken\n"
"  EXTENTS   number of extents, the units of pinning\n"
"  PINNED    of these, pinned by some client\n"
"  PURGED    taken so far\n"
"  CLIENTS   clients attached\n"
"\n"
"\"-\": not known. Of regions of which only a mapping is left, there is no more\n"
"than their size, and that for root only.\n",
	.run = run,
};
