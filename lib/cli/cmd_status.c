// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pashm/version.h>
#include "command.h"
#include "device.h"
#include "figures.h"
#include "json.h"
#include "module.h"
#include "psi.h"
#include "survey.h"
#include "text.h"

/**
 * struct totals - over all regions that can be seen
 * @module_regions: their number
 * @memfd_regions:  likewise, without the module
 * @obscure:        of both, those whose figures could not be read
 * @processes:      that have one
 * @unreadable:     that could not be looked at
 */
struct totals {
	unsigned int module_regions;
	unsigned int memfd_regions;
	unsigned int obscure;
	unsigned int processes;
	unsigned int unreadable;
	uint64_t length;
	uint64_t resident;
	uint64_t swapped;
	uint64_t unpinned;
	uint64_t purged;
};

/**
 * struct report - all that the command prints
 */
struct report {
	struct module module;
	struct device device;
	struct totals totals;
	struct psi_source sources[PSI_SOURCES];
};

static void totals_add(struct totals *totals, const struct use *use)
{
	struct figures figures;

	if (use->kind == USE_MEMFD)
		totals->memfd_regions++;
	else
		totals->module_regions++;
	figures_read(use, &figures);
	totals->obscure += figures.depth == FIGURES_NONE;
	totals->length += figures.info.length;
	totals->resident += figures.info.resident;
	totals->swapped += figures.info.swapped;
	totals->unpinned += figures.info.unpinned;
	totals->purged += figures.info.purged;
}

static void totals_read(struct totals *totals)
{
	struct survey survey;
	size_t first, count;

	survey_all(&survey);
	*totals = (struct totals){ .unreadable = survey.unreadable };
	for (first = 0; (count = survey_region(&survey, first)); first += count)
		if (survey.uses[first].kind != USE_DEVICE)
			totals_add(totals, &survey.uses[first]);
	totals->processes = survey_processes(&survey, 0, survey.count);
	survey_free(&survey);
}

static void print_module(const struct report *report)
{
	const struct module *module = &report->module;

	if (module->loaded && module->refcount >= 0)
		printf("module:     loaded, version %s, use count %d\n",
		       *module->version ? module->version : "unknown",
		       module->refcount);
	else if (module->loaded)
		printf("module:     loaded, version %s\n",
		       *module->version ? module->version : "unknown");
	else if (module->coming)
		puts("module:     being loaded");
	else
		puts("module:     not loaded; to load it: pashmctl load");
	printf("library:    version %s\n", pashm_version());
}

/* Like ls: the name of the owner or, if there is none, the number */
static void print_owner(const struct stat *stat)
{
	const struct passwd *user = getpwuid(stat->st_uid);
	const struct group *group = getgrgid(stat->st_gid);

	if (user)
		printf("owner %s", user->pw_name);
	else
		printf("owner %u", stat->st_uid);
	if (group)
		printf(":%s", group->gr_name);
	else
		printf(":%u", stat->st_gid);
}

static void print_device(const struct device *device)
{
	char *features;

	if (!device->present) {
		puts("device:     no " PASHM_DEVICE);
		return;
	}
	printf("device:     " PASHM_DEVICE ", mode %04o, ",
	       device->stat.st_mode & 07777);
	print_owner(&device->stat);
	printf(", %s\n", device->error ? strerror(-device->error) : "usable");
	if (device->error)
		return;
	features = device_features(device->query.features);
	printf("interface:  ABI %u, protocol %u, features %s\n",
	       device->query.abi_version, device->query.protocol, features);
	free(features);
}

static void print_size(const char *what, uint64_t bytes, bool exact)
{
	char *size = text_size(bytes, exact);

	printf("%s%s", size, what);
	free(size);
}

static void print_totals(const struct totals *totals, bool exact)
{
	printf("regions:    %u with the module, %u without; processes: %u\n",
	       totals->module_regions, totals->memfd_regions,
	       totals->processes);
	fputs("memory:     ", stdout);
	print_size(" resident, ", totals->resident, exact);
	print_size(" of it unpinned, ", totals->unpinned, exact);
	print_size(" swapped, ", totals->swapped, exact);
	print_size(" purged so far\n", totals->purged, exact);
	if (totals->obscure)
		printf("            regions without figures: %u\n",
		       totals->obscure);
	if (totals->unreadable)
		printf("            processes that may not be looked at: %u%s\n",
		       totals->unreadable, survey_unreadable_advice());
}

static void print_sources(const struct psi_source *sources)
{
	const char *label = "pressure:";
	char *path;
	int i;

	for (i = 0; i < PSI_SOURCES; i++, label = "") {
		path = text_printable(sources[i].path ? sources[i].path : "");
		printf("%-11s %s%s%s: %s\n", label, sources[i].name,
		       *path ? ", " : "", path,
		       sources[i].why ? sources[i].why : "usable");
		free(path);
	}
}

static struct json_object *module_json(const struct module *module)
{
	struct json_object *object = json_new_object();

	json_put_bool(object, "loaded", module->loaded);
	if (!module->loaded)
		return object;
	json_put_text(object, "version", module->version);
	if (module->refcount >= 0)
		json_put_number(object, "refcount",
				(uint64_t)module->refcount);
	return object;
}

static struct json_object *device_json(const struct device *device)
{
	struct json_object *object = json_new_object();
	char mode[8];

	json_put_text(object, "path", PASHM_DEVICE);
	json_put_bool(object, "usable", !device->error);
	if (device->error)
		json_put_text(object, "error", strerror(-device->error));
	if (device->present) {
		snprintf(mode, sizeof(mode), "%04o",
			 device->stat.st_mode & 07777);
		json_put_text(object, "mode", mode);
		json_put_number(object, "uid", device->stat.st_uid);
		json_put_number(object, "gid", device->stat.st_gid);
	}
	if (!device->error) {
		json_put_number(object, "abi_version",
				device->query.abi_version);
		json_put_number(object, "protocol", device->query.protocol);
		json_put_number(object, "features", device->query.features);
	}
	return object;
}

static struct json_object *totals_json(const struct totals *totals)
{
	struct json_object *object = json_new_object();

	json_put_number(object, "module_regions", totals->module_regions);
	json_put_number(object, "memfd_regions", totals->memfd_regions);
	json_put_number(object, "obscure_regions", totals->obscure);
	json_put_number(object, "processes", totals->processes);
	json_put_number(object, "unreadable_processes", totals->unreadable);
	json_put_number(object, "length", totals->length);
	json_put_number(object, "resident", totals->resident);
	json_put_number(object, "swapped", totals->swapped);
	json_put_number(object, "unpinned", totals->unpinned);
	json_put_number(object, "purged", totals->purged);
	return object;
}

static struct json_object *sources_json(const struct psi_source *sources)
{
	struct json_object *array = json_new_array(), *object;
	int i;

	for (i = 0; i < PSI_SOURCES; i++) {
		object = json_new_object();
		json_put_text(object, "name", sources[i].name);
		json_put_text(object, "path", sources[i].path);
		json_put_bool(object, "usable", !sources[i].why);
		json_put_text(object, "reason", sources[i].why);
		json_object_array_add(array, object);
	}
	return array;
}

static void print_json(const struct report *report)
{
	struct json_object *object = json_new_object();

	json_put(object, "module", module_json(&report->module));
	json_put_text(object, "library", pashm_version());
	json_put(object, "device", device_json(&report->device));
	json_put(object, "regions", totals_json(&report->totals));
	json_put(object, "pressure", sources_json(report->sources));
	json_print(object);
}

static void print_text(const struct report *report, bool exact)
{
	print_module(report);
	print_device(&report->device);
	print_totals(&report->totals, exact);
	print_sources(report->sources);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool exact = false, json = false;
	struct report report;
	int option, i;

	while ((option = getopt_long(argc, argv, "bjh", options, NULL)) != -1) {
		if (option == 'b')
			exact = true;
		else if (option == 'j')
			json = true;
		else
			return command_other_option(self, option);
	}
	if (optind < argc)
		return command_misused(self, "status takes no arguments");
	module_read(&report.module);
	device_read(&report.device);
	totals_read(&report.totals);
	psi_read(report.sources);
	if (json)
		print_json(&report);
	else
		print_text(&report, exact);
	for (i = 0; i < PSI_SOURCES; i++)
		free(report.sources[i].path);
	return STATUS_OK;
}

const struct command command_status = {
	.name = "status",
	.arguments = "[--bytes] [--json]",
	.summary = "Show the module, the device and totals over all regions",
	.help =
"  --bytes  exact numbers of bytes\n"
"  --json   the same as JSON; sizes are exact there\n"
"\n"
"\"pressure\" lists where this process would learn that memory runs short if it\n"
"used regions without the module.\n",
	.run = run,
};
