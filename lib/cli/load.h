/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include <stddef.h>

struct kmod_module;

/**
 * struct load - what is to be loaded
 * @file:       path of the module, or NULL: from the running kernel's tree
 * @parameters: "NAME=VALUE ..." for the kernel
 * @release:    of the running kernel
 * @module:     libkmod's idea of it
 */
struct load {
	const char *file;
	char *parameters;
	const char *release;
	struct kmod_module *module;
};

/* First value of @key in the module's own description; "" if there is none */
void load_modinfo(const struct load *load, const char *key, char *value,
		  size_t size);

/* How to get a module for this kernel */
void load_hint_build(const char *release);

/* On standard error: no module in the kernel's tree; a file that is not there */
void load_explain_missing(const struct load *load);
void load_explain_file(const struct load *load, int error);

/* What the kernel said; @error is an errno */
void load_explain(const struct load *load, int error);

#endif /* CLI_LOAD_H */
