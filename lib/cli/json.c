// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "json.h"
#include "message.h"
#include "text.h"

static struct json_object *checked(struct json_object *object)
{
	if (!object)
		message_no_memory();
	return object;
}

struct json_object *json_new_object(void)
{
	return checked(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return checked(json_object_new_array());
}

void json_put(struct json_object *object, const char *key,
	      struct json_object *value)
{
	if (json_object_object_add(object, key, value))
		message_no_memory();
}

void json_put_number(struct json_object *object, const char *key,
		     uint64_t number)
{
	json_put(object, key, checked(json_object_new_uint64(number)));
}

void json_put_bool(struct json_object *object, const char *key, bool value)
{
	json_put(object, key, checked(json_object_new_boolean(value)));
}

void json_put_text(struct json_object *object, const char *key,
		   const char *text)
{
	char *printable;

	if (!text) {
		json_put(object, key, NULL);
		return;
	}
	printable = text_printable(text);
	json_put(object, key, checked(json_object_new_string(printable)));
	free(printable);
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
