/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short names for what the commands need of json-c. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

struct json_object *json_new_object(void);
struct json_object *json_new_array(void);

/* Members of @object; @text may be NULL for null, and is made printable */
void json_put(struct json_object *object, const char *key,
	      struct json_object *value);
void json_put_number(struct json_object *object, const char *key,
		     uint64_t number);
void json_put_bool(struct json_object *object, const char *key, bool value);
void json_put_text(struct json_object *object, const char *key,
		   const char *text);

/* On standard output; frees it */
void json_print(struct json_object *object);

#endif /* CLI_JSON_H */
