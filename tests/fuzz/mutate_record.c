/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the fuzzer of records makes a new input of one it has: bytes changed anywhere mostly give a
 * line that is no JSON, which says nothing about what a record may hold. So two times of three one
 * line is taken, and one value of it replaced, deleted, copied elsewhere or given another name.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

enum {
	SLOTS_MAX = 512,
	TEXT_MAX = 1024,
};

/* A value, and where it stands; in an array @name is NULL. */
struct slot {
	json_object *parent, *value;
	const char *name;
	size_t index;
};

struct slots {
	struct slot slots[SLOTS_MAX];
	size_t n;
};

static unsigned random_below(unsigned n)
{
	return (unsigned)random() % n;
}

static void collect(json_object *parent, struct slots *slots)
{
	size_t n =
		json_object_is_type(parent, json_type_array) ? json_object_array_length(parent) : 0;

	for (size_t i = 0; i < n && slots->n < SLOTS_MAX; i++) {
		json_object *value = json_object_array_get_idx(parent, i);

		slots->slots[slots->n++] =
			(struct slot){ .parent = parent, .value = value, .index = i };
		collect(value, slots);
	}
	if (!json_object_is_type(parent, json_type_object))
		return;
	json_object_object_foreach (parent, name, value) {
		if (slots->n == SLOTS_MAX)
			return;
		slots->slots[slots->n++] =
			(struct slot){ .parent = parent, .value = value, .name = name };
		collect(value, slots);
	}
}

static json_object *copy(json_object *value)
{
	json_object *ret = NULL;

	if (value)
		(void)json_object_deep_copy(value, &ret, NULL);
	return ret;
}

/* A string that libFuzzer made of @text. */
static json_object *other_text(const char *text)
{
	uint8_t bytes[TEXT_MAX];
	size_t length = strnlen(text, sizeof(bytes));

	memcpy(bytes, text, length);
	length = LLVMFuzzerMutate(bytes, length, sizeof(bytes));
	return json_object_new_string_len((const char *)bytes, (int)length);
}

static json_object *other_number(int64_t number)
{
	static const int64_t numbers[] = { -1,    0,     1,         2,          255,
					   65535, 65536, INT32_MAX, UINT32_MAX, INT64_MAX };

	if (random_below(2))
		return json_object_new_int64(numbers[random_below(ELEMENTSOF(numbers))]);
	return json_object_new_int64((int64_t)((uint64_t)number + random_below(5) - 2));
}

static json_object *any_value(void)
{
	switch (random_below(6)) {
	case 0:
		return json_object_new_boolean(random_below(2));
	case 1:
		return json_object_new_object();
	case 2:
		return json_object_new_array();
	case 3:
		return json_object_new_double(random_below(100) / 8.0);
	case 4:
		return other_text("");
	default:
		return other_number(0);
	}
}

static json_object *other_value(json_object *value)
{
	if (json_object_is_type(value, json_type_string) && random_below(4))
		return other_text(json_object_get_string(value));
	if (json_object_is_type(value, json_type_int) && random_below(4))
		return other_number(json_object_get_int64(value));
	if (json_object_is_type(value, json_type_boolean) && random_below(4))
		return json_object_new_boolean(!json_object_get_boolean(value));
	return any_value();
}

/* Takes over @value. */
static void put(const struct slot *slot, json_object *value)
{
	if (slot->name)
		(void)json_object_object_add(slot->parent, slot->name, value);
	else
		(void)json_object_array_put_idx(slot->parent, slot->index, value);
}

static void drop(const struct slot *slot)
{
	if (slot->name)
		json_object_object_del(slot->parent, slot->name);
	else
		(void)json_object_array_del_idx(slot->parent, slot->index, 1);
}

/* Takes over @value. */
static void add(json_object *parent, const char *name, json_object *value)
{
	if (json_object_is_type(parent, json_type_object))
		(void)json_object_object_add(parent, name, value);
	else if (json_object_is_type(parent, json_type_array))
		(void)json_object_array_add(parent, value);
	else
		json_object_put(value);
}

static void mutate_line(json_object *line)
{
	struct slots slots = {};
	const struct slot *slot, *other;

	collect(line, &slots);
	if (slots.n == 0) {
		add(line, "node", any_value());
		return;
	}
	slot = &slots.slots[random_below((unsigned)slots.n)];
	other = &slots.slots[random_below((unsigned)slots.n)];
	switch (random_below(6)) {
	case 0:
		drop(slot);
		return;
	case 1:
		put(slot, copy(other->value));
		return;
	case 2: /* the value under another name that is there */
		if (other->name)
			add(slot->parent, other->name, copy(slot->value));
		return;
	case 3: /* into another object, or a list */
		add(other->value, slot->name ? slot->name : "node", copy(slot->value));
		return;
	default:
		put(slot, other_value(slot->value));
	}
}

/* The line at or after @at: its length, without its end. */
static size_t line_length(const uint8_t *data, size_t size, size_t at)
{
	const uint8_t *end = memchr(data + at, '\n', size - at);

	return end ? (size_t)(end - data) - at : size - at;
}

/* A random line but for the first; 0 if there is none. */
static size_t find_line(const uint8_t *data, size_t size)
{
	size_t found = 0;
	unsigned n = 0;

	for (size_t at = 1 + line_length(data, size, 1) + 1; at < size;
	     at += line_length(data, size, at) + 1)
		if (random_below(++n) == 0)
			found = at;
	return found;
}

/* Puts @text in the place of what is there, if it fits. Returns the new size. */
static size_t splice(uint8_t *data, size_t size, size_t size_max, size_t at, size_t old,
		     const char *text, size_t length)
{
	if (size - old + length > size_max)
		return size;
	memmove(data + at + length, data + at + old, size - at - old);
	memcpy(data + at, text, length);
	return size - old + length;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	json_tokener *tokener;
	json_object *line;
	size_t at, length;
	const char *text;

	srandom(seed);
	at = size > 1 && random_below(3) ? find_line(data, size) : 0;
	if (at == 0)
		return LLVMFuzzerMutate(data, size, size_max);
	length = line_length(data, size, at);
	if (random_below(8) == 0) /* the line goes */
		return splice(data, size, size_max, at, at + length < size ? length + 1 : length,
			      "", 0);
	tokener = json_tokener_new();
	if (!tokener)
		abort();
	line = json_tokener_parse_ex(tokener, (const char *)data + at, (int)length);
	json_tokener_free(tokener);
	if (!line)
		return LLVMFuzzerMutate(data, size, size_max);
	do
		mutate_line(line);
	while (random_below(3) == 0);
	text = json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	if (random_below(4) == 0) { /* beside the old one */
		size = splice(data, size, size_max, at, 0, "\n", 1);
		length = 0;
	}
	size = splice(data, size, size_max, at, length, text, strlen(text));
	json_object_put(line);
	return size;
}
