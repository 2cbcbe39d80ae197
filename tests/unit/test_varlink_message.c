// layers: ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON as strict as RFC 8259, framing byte by byte, and headers of calls and replies with one fault
 * each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <locale.h>
#include <string.h>
#include <cmocka.h>

#include "json.h"
#include "message.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

struct text {
	const char *text;
	size_t length;
};

static int parse(const char *text, size_t length, json_object **ret)
{
	_cleanup_free_ char *copy = malloc(length + 1);

	/* Without a NUL behind it, for the sanitizer. */
	assert_non_null(copy);
	memcpy(copy, text, length);
	copy = realloc(copy, length ?: 1);
	return json_parse(copy, length, ret);
}

/* What is written is what was read: input, output (NULL: the same). */
static const char *const good_json[][2] = {
	{ "{}", NULL },
	{ "[]", NULL },
	{ "null", NULL },
	{ "true", NULL },
	{ "[true,false,null]", NULL },
	{ " { \"a\" :\t[ 1 , 2 ]\r\n} ", "{\"a\":[1,2]}" },
	{ "0", NULL },
	{ "-0", "0" },
	{ "-1", NULL },
	{ "9223372036854775807", NULL },
	{ "-9223372036854775808", NULL },
	{ "1.5", NULL },
	{ "-1.25e2", "-125.0" },
	{ "1E+2", "100.0" },
	{ "\"\"", NULL },
	{ "\"a/b\"", NULL },
	{ "\"a\\/b\"", "\"a/b\"" },
	{ "\"\\\"\\\\\\b\\f\\n\\r\\t\"", NULL },
	{ "\"\\u0001\\u001f\"", NULL },
	{ "\"\\u0041\\u00e4\\u20AC\"", "\"A\xc3\xa4\xe2\x82\xac\"" },
	{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
	{ "\"\xc3\xa4\x7f\xc2\x80\xf4\x8f\xbf\xbf\"", NULL },
	{ "{\"\":1}", NULL },
	{ "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", NULL },
};

static void test_good_json(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(good_json); i++) {
		_cleanup_(buffer_done) struct buffer written = {};
		_cleanup_json_ json_object *object = NULL;

		if (parse(good_json[i][0], strlen(good_json[i][0]), &object) < 0)
			fail_msg("refused: %s", good_json[i][0]);
		assert_int_equal(json_write(&written, object), 0);
		assert_int_equal(buffer_append(&written, "", 1), 0);
		assert_string_equal((const char *)written.data, good_json[i][1] ?: good_json[i][0]);
	}
}

static const struct text bad_json[] = {
	TEXT(""),
	TEXT(" "),
	TEXT("{"),
	TEXT("["),
	TEXT("\""),
	TEXT("{]"),
	TEXT("[}"),
	TEXT("{} {}"),
	TEXT("{}x"),
	TEXT("{}\0"),
	TEXT("\0{}"),
	TEXT("// comment\n{}"),
	TEXT("/* comment */{}"),
	TEXT("[1,]"),
	TEXT("[,1]"),
	TEXT("[1 2]"),
	TEXT("{\"a\":1,}"),
	TEXT("{,}"),
	TEXT("{\"a\"}"),
	TEXT("{\"a\":}"),
	TEXT("{\"a\" 1}"),
	TEXT("{a:1}"),
	TEXT("{1:1}"),
	TEXT("{'a':1}"),
	TEXT("'a'"),
	TEXT("TRUE"),
	TEXT("True"),
	TEXT("tru"),
	TEXT("truex"),
	TEXT("nul"),
	TEXT("NULL"),
	TEXT("NaN"),
	TEXT("Infinity"),
	TEXT("-Infinity"),
	TEXT("-"),
	TEXT("+1"),
	TEXT("01"),
	TEXT("-01"),
	TEXT("1."),
	TEXT(".5"),
	TEXT("1e"),
	TEXT("1e+"),
	TEXT("0x10"),
	TEXT("1_0"),
	TEXT("1e999"),
	TEXT("-1e999"),
	TEXT("\"\n\""),
	TEXT("\"\t\""),
	TEXT("\"\x1f\""),
	TEXT("\"a\0b\""),
	TEXT("\"\\u0000\""),
	TEXT("\"a\\u0000\""),
	TEXT("{\"a\\u0000b\":1}"),
	TEXT("\"\\x41\""),
	TEXT("\"\\\""),
	TEXT("\"\\u12\""),
	TEXT("\"\\u12g4\""),
	TEXT("\"\\u+123\""),
	TEXT("\"\\ud83d\""),
	TEXT("\"\\ude00\""),
	TEXT("\"\\ud83d\\u0041\""),
	TEXT("\"\\ud83dxude00\""),
	TEXT("\"\\\xc3\xa4\""),
	TEXT("\"\xff\""),
	TEXT("\"\xc3\""),
	TEXT("\"\xc0\x80\""),
	TEXT("\"\xed\xa0\x80\""),
	TEXT("\"\xf4\x90\x80\x80\""),
	TEXT("\"\xe2\x82\""),
	TEXT("{\"\xff\":1}"),
	TEXT("{\"a\":1,\"a\":1}"),
	TEXT("{\"a\":{},\"b\":1,\"\\u0061\":2}"),
	TEXT("\xef\xbb\xbf{}"),
};

static void test_bad_json(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(bad_json); i++) {
		json_object *object = (json_object *)state;

		if (parse(bad_json[i].text, bad_json[i].length, &object) != -EBADMSG)
			fail_msg("not refused: %s", bad_json[i].text);
		assert_ptr_equal(object, state);
	}
}

static int parse_depth(unsigned depth)
{
	char text[2 * JSON_DEPTH_MAX + 4];
	_cleanup_json_ json_object *object = NULL;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return parse(text, 2 * depth, &object);
}

static void test_json_depth(void **state)
{
	assert_int_equal(parse_depth(JSON_DEPTH_MAX), 0);
	assert_int_equal(parse_depth(JSON_DEPTH_MAX + 1), -EBADMSG);
}

static void test_json_locale(void **state)
{
	_cleanup_json_ json_object *object = NULL;

	/* A decimal comma, where the machine has such a locale; the numbers stay what they are. */
	(void)setlocale(LC_ALL, "de_DE.UTF-8");
	assert_int_equal(parse("2.5", 3, &object), 0);
	assert_true(json_object_get_double(object) > 2.4 && json_object_get_double(object) < 2.6);
	(void)setlocale(LC_ALL, "C");
}

static const struct {
	struct text in;
	const char *out;
} dirty_texts[] = {
	{ TEXT(""), "" },
	{ TEXT("plain \xc3\xa4"), "plain \xc3\xa4" },
	{ TEXT("a\0b"), "a\xef\xbf\xbd"
			"b" },
	{ TEXT("\xff"), "\xef\xbf\xbd" },
	{ TEXT("a\xc3"), "a\xef\xbf\xbd" },
	{ TEXT("\xc3\xa4\xe2\x82z\xc0\x80"),
	  "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd" },
};

static void test_dirty_text(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(dirty_texts); i++) {
		const struct text *in = &dirty_texts[i].in;
		_cleanup_json_ json_object *clean = json_string(in->text, in->length);
		_cleanup_json_ json_object *raw =
			json_object_new_string_len(in->text, (int)in->length);
		_cleanup_(buffer_done) struct buffer one = {}, two = {};

		assert_string_equal(json_object_get_string(clean), dirty_texts[i].out);
		/* The writer mends what came past json_string(). */
		assert_int_equal(json_write(&one, clean), 0);
		assert_int_equal(json_write(&two, raw), 0);
		assert_int_equal(one.length, two.length);
		assert_memory_equal(one.data, two.data, one.length);
	}
}

static void test_json_access(void **state)
{
	static const char text[] =
		"{\"s\":\"x\",\"i\":\"12\",\"b\":true,\"o\":{\"p\":{\"q\":1}},\"n\":null,\"a\":[]}";
	_cleanup_json_ json_object *object = NULL;
	json_object *value = NULL;
	const char *s = NULL;
	int64_t i = 0;
	bool b = false;

	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	assert_int_equal(json_get_string(object, "s", &s), 1);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_string(object, "b", &s), -EINVAL);
	assert_int_equal(json_get_string(object, "n", &s), 0);
	assert_int_equal(json_get_string(object, "none", &s), 0);
	assert_int_equal(json_get_string(NULL, "s", &s), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_int(object, "i", 0, 12, &i), 1);
	assert_int_equal(i, 12);
	assert_int_equal(json_get_int(object, "i", 0, 11, &i), -ERANGE);
	assert_int_equal(json_get_int(object, "i", 13, 20, &i), -ERANGE);
	assert_int_equal(json_get_int(object, "s", 0, 9, &i), -EINVAL);
	assert_int_equal(json_get_bool(object, "b", &b), 1);
	assert_true(b);
	assert_int_equal(json_get_bool(object, "i", &b), -EINVAL);
	assert_int_equal(json_get_object(object, "o", &value), 1);
	assert_int_equal(json_get_object(object, "a", &value), -EINVAL);
	assert_int_equal(json_get_array(object, "a", &value), 1);
	assert_int_equal(json_get_array(object, "o", &value), -EINVAL);
	assert_int_equal(json_to_int(json_get_path(object, "o.p.q"), &i), 0);
	assert_int_equal(i, 1);
	assert_null(json_get_path(object, "o.p.q.r"));
	assert_null(json_get_path(object, "o.x.q"));
	assert_null(json_get_path(object, ""));
}

static void test_json_build(void **state)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	_cleanup_(buffer_done) struct buffer written = {};
	json_object *array = json_object_new_array();

	assert_int_equal(
		json_set_string(object, "s", "\xff") | json_set_string(object, "none", NULL) |
			json_set_int(object, "i", -3) | json_set_bool(object, "b", false) |
			json_set_path(object, "k.l.m", json_object_new_int64(1)) |
			json_set_path(object, "k.n", json_object_new_int64(2)) |
			json_append(array, json_string("e", 1)) | json_set(object, "a", array),
		0);
	assert_int_equal(json_set(object, "x", NULL), -ENOMEM);
	assert_int_equal(json_set_path(object, "i.x", json_object_new_int64(1)), -EINVAL);
	assert_int_equal(json_set_int(object, "i", 4), 0);
	assert_int_equal(json_write(&written, object), 0);
	assert_int_equal(buffer_append(&written, "", 1), 0);
	assert_string_equal((const char *)written.data,
			    "{\"s\":\"\xef\xbf\xbd\",\"i\":4,\"b\":false,"
			    "\"k\":{\"l\":{\"m\":1},\"n\":2},\"a\":[\"e\"]}");
}

static void test_json_erase(void **state)
{
	static const char text[] =
		"{\"s\":\"secret\",\"a\":[\"secret\",{\"b\":\"secret\"}],\"i\":1}";
	_cleanup_json_ json_object *object = NULL;
	_cleanup_(buffer_done) struct buffer written = {};

	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	json_erase(object);
	json_erase(NULL);
	assert_int_equal(json_write(&written, object), 0);
	assert_null(memmem(written.data, written.length, "secret", 6));
}

static void feed(struct varlink_stream *stream, const void *data, size_t length)
{
	const uint8_t *from = data;

	while (length > 0) {
		uint8_t *at;
		size_t size;

		assert_int_equal(varlink_stream_reserve(stream, &at, &size), 0);
		assert_true(size > 0);
		size = size < length ? size : length;
		memcpy(at, from, size);
		varlink_stream_received(stream, size);
		from += size;
		length -= size;
	}
}

static void expect_message(struct varlink_stream *stream, int64_t number)
{
	_cleanup_json_ json_object *message = NULL;
	int64_t i;

	assert_int_equal(varlink_stream_next(stream, &message), 1);
	assert_int_equal(json_get_int(message, "n", 0, 1000000, &i), 1);
	assert_int_equal(i, number);
}

static void expect_none(struct varlink_stream *stream)
{
	json_object *message = NULL;

	assert_int_equal(varlink_stream_next(stream, &message), 0);
	assert_null(message);
}

static void test_frames_byte_by_byte(void **state)
{
	static const char text[] = "{\"n\":1}\0 {\"n\":2}\n";
	struct varlink_stream stream;

	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	assert_false(varlink_stream_partial(&stream));
	expect_none(&stream);
	for (size_t i = 0; i < sizeof(text); i++) {
		feed(&stream, text + i, 1);
		if (text[i] == '\0')
			expect_message(&stream, i < 10 ? 1 : 2);
		expect_none(&stream);
		assert_int_equal(varlink_stream_partial(&stream), text[i] != '\0');
	}
	varlink_stream_done(&stream);
}

static void test_frames_in_one_piece(void **state)
{
	_cleanup_(buffer_done) struct buffer text = {};
	struct varlink_stream stream;

	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(buffer_printf(&text, "{\"n\":%u}", i), 0);
		assert_int_equal(buffer_append(&text, "", 1), 0);
	}
	assert_true(text.length < VARLINK_CALL_MAX);
	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	feed(&stream, text.data, text.length - 1);
	for (unsigned i = 0; i < 19999; i++)
		expect_message(&stream, i);
	expect_none(&stream);
	assert_true(varlink_stream_partial(&stream));
	feed(&stream, "", 1);
	expect_message(&stream, 19999);
	assert_false(varlink_stream_partial(&stream));
	varlink_stream_done(&stream);
}

static void test_bad_frames(void **state)
{
	static const struct text bad[] = {
		TEXT(""),
		TEXT(" "),
		TEXT("[]"),
		TEXT("1"),
		TEXT("null"),
		TEXT("\"\""),
		TEXT("{\"a\":NaN}"),
		TEXT("{}x"),
		TEXT("{\"a\":1,\"a\":2}"),
	};

	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct varlink_stream stream;
		json_object *message;

		varlink_stream_init(&stream, VARLINK_CALL_MAX);
		feed(&stream, bad[i].text, bad[i].length + 1);
		assert_int_equal(varlink_stream_next(&stream, &message), -EPROTO);
		varlink_stream_done(&stream);
	}
}

static void test_frame_limit(void **state)
{
	struct varlink_stream stream;
	uint8_t *at;
	size_t size;

	varlink_stream_init(&stream, 7);
	feed(&stream, "{\"n\":1}", 8);
	expect_message(&stream, 1);
	feed(&stream, "{\"n\":12}", 8);
	expect_none(&stream);
	assert_int_equal(varlink_stream_reserve(&stream, &at, &size), -EMSGSIZE);
	varlink_stream_done(&stream);
}

/* What was taken must not be found in the memory of the stream any more, wherever messages were
 * cut. */
static void test_input_is_wiped(void **state)
{
	static const char text[] = "{\"s\":\"hush-hush\"}\0{\"n\":1}\0{\"s\":\"hush-hush\"}";

	for (size_t cut = 1; cut < sizeof(text); cut++) {
		struct varlink_stream stream;
		json_object *message;
		unsigned n = 0;

		varlink_stream_init(&stream, VARLINK_CALL_MAX);
		feed(&stream, text, cut);
		for (; varlink_stream_next(&stream, &message) > 0; n++)
			json_object_put(message);
		feed(&stream, text + cut, sizeof(text) - cut);
		for (; varlink_stream_next(&stream, &message) > 0; n++)
			json_object_put(message);
		assert_int_equal(n, 3);
		assert_null(memmem(stream.input.data, stream.input.allocated, "hush", 4));
		varlink_stream_done(&stream);
	}
}

static void test_output(void **state)
{
	_cleanup_(buffer_done) struct buffer sent = {};
	struct varlink_stream stream;
	const uint8_t *data;
	size_t length;

	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	assert_int_equal(varlink_stream_pending(&stream, &data), 0);
	assert_null(data);
	for (int i = 0; i < 100; i++) {
		_cleanup_json_ json_object *message = json_object_new_object();

		assert_int_equal(json_set_int(message, "n", i), 0);
		assert_int_equal(varlink_stream_queue(&stream, message), 0);
		/* Sent in odd pieces, while more is queued. */
		length = varlink_stream_pending(&stream, &data);
		length = length > 5 ? 5 : length;
		assert_int_equal(buffer_append(&sent, data, length), 0);
		varlink_stream_sent(&stream, length);
	}
	while ((length = varlink_stream_pending(&stream, &data)) > 0) {
		assert_int_equal(buffer_append(&sent, data, 1), 0);
		varlink_stream_sent(&stream, 1);
	}
	feed(&stream, sent.data, sent.length);
	for (int i = 0; i < 100; i++)
		expect_message(&stream, i);
	varlink_stream_done(&stream);
}

static json_object *message_of(size_t length)
{
	_cleanup_free_ char *text = malloc(length + 1);
	json_object *message = json_object_new_object();

	assert_non_null(text);
	memset(text, 'x', length);
	text[length] = '\0';
	/* {"s":"..."} */
	assert_int_equal(json_set_string(message, "s", text + 8), 0);
	return message;
}

static void test_output_limits(void **state)
{
	_cleanup_json_ json_object *largest = message_of(VARLINK_REPLY_MAX - 1);
	_cleanup_json_ json_object *larger = message_of(VARLINK_REPLY_MAX);
	struct varlink_stream stream;
	const uint8_t *data;
	size_t before;
	int n = 0, r;

	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	while ((r = varlink_stream_queue(&stream, largest)) == 0)
		n++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(n, VARLINK_OUTPUT_MAX / VARLINK_REPLY_MAX);
	varlink_stream_sent(&stream, VARLINK_OUTPUT_MAX);
	assert_int_equal(varlink_stream_pending(&stream, &data), 0);
	assert_int_equal(varlink_stream_queue(&stream, largest), 0);
	before = varlink_stream_pending(&stream, &data);
	assert_int_equal(before, VARLINK_REPLY_MAX);
	assert_int_equal(varlink_stream_queue(&stream, larger), -EMSGSIZE);
	assert_int_equal(varlink_stream_pending(&stream, &data), before);
	varlink_stream_done(&stream);
}

static const struct {
	const char *json;
	int result;
	const char *method;
	bool oneway, more, upgrade;
} calls[] = {
	{ .json = "{\"method\":\"a.B\"}", .method = "a.B" },
	{ .json = "{\"method\":\"a.B\",\"parameters\":{}}", .method = "a.B" },
	{ .json = "{\"method\":\"a.B\",\"parameters\":null,\"more\":null}", .method = "a.B" },
	{ .json = "{\"method\":\"\"}", .method = "" },
	{ .json = "{\"method\":\"a.B\",\"more\":true,\"oneway\":false}",
	  .method = "a.B",
	  .more = true },
	{ .json = "{\"method\":\"a.B\",\"more\":false,\"oneway\":true}",
	  .method = "a.B",
	  .oneway = true },
	{ .json = "{\"method\":\"a.B\",\"upgrade\":true}", .method = "a.B", .upgrade = true },
	{ .json = "{\"method\":\"a.B\",\"org.example.extension\":1}", .method = "a.B" },
	{ .json = "{}", .result = -EPROTO },
	{ .json = "{\"method\":null}", .result = -EPROTO },
	{ .json = "{\"method\":1}", .result = -EPROTO },
	{ .json = "{\"Method\":\"a.B\"}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"parameters\":[]}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"parameters\":\"{}\"}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"more\":1}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"oneway\":\"true\"}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"upgrade\":0}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"more\":true,\"upgrade\":true}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"continues\":true}", .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\",\"extension\":1}", .result = -EPROTO },
};

static void test_calls(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
		_cleanup_json_ json_object *message = NULL;
		struct varlink_call call = {};

		assert_int_equal(json_parse(calls[i].json, strlen(calls[i].json), &message), 0);
		if (varlink_call_parse(message, &call) != calls[i].result)
			fail_msg("%s", calls[i].json);
		if (calls[i].result < 0) {
			assert_null(call.method);
			continue;
		}
		assert_string_equal(call.method, calls[i].method);
		assert_true(json_object_is_type(call.parameters, json_type_object));
		assert_int_equal(call.oneway, calls[i].oneway);
		assert_int_equal(call.more, calls[i].more);
		assert_int_equal(call.upgrade, calls[i].upgrade);
	}
}

static const struct {
	const char *json;
	bool more;
	int result;
	const char *error;
	bool continues;
} replies[] = {
	{ .json = "{}", .result = 0 },
	{ .json = "{\"parameters\":null}", .result = 0 },
	{ .json = "{\"parameters\":{\"a\":1},\"continues\":false}", .result = 0 },
	{ .json = "{\"continues\":true}", .more = true, .continues = true },
	{ .json = "{\"error\":\"a.E\"}", .error = "a.E" },
	{ .json = "{\"error\":\"a.E\",\"continues\":false}", .more = true, .error = "a.E" },
	{ .json = "{\"a.b\":1}", .more = true, .result = 0 },
	{ .json = "{\"continues\":true}", .result = -EPROTO },
	{ .json = "{\"continues\":true,\"error\":\"a.E\"}", .more = true, .result = -EPROTO },
	{ .json = "{\"continues\":1}", .more = true, .result = -EPROTO },
	{ .json = "{\"error\":1}", .more = true, .result = -EPROTO },
	{ .json = "{\"parameters\":[]}", .more = true, .result = -EPROTO },
	{ .json = "{\"method\":\"a.B\"}", .more = true, .result = -EPROTO },
};

static void test_replies(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
		_cleanup_json_ json_object *message = NULL;
		struct varlink_reply reply = {};

		assert_int_equal(json_parse(replies[i].json, strlen(replies[i].json), &message), 0);
		if (varlink_reply_parse(message, replies[i].more, &reply) != replies[i].result)
			fail_msg("%s", replies[i].json);
		if (replies[i].result < 0)
			continue;
		assert_true(json_object_is_type(reply.parameters, json_type_object));
		assert_int_equal(reply.continues, replies[i].continues);
		if (replies[i].error)
			assert_string_equal(reply.error, replies[i].error);
		else
			assert_null(reply.error);
	}
	assert_int_equal(varlink_call_parse(NULL, NULL), -EPROTO);
	assert_int_equal(varlink_reply_parse(NULL, true, NULL), -EPROTO);
}

static void expect_text(json_object *message, const char *text)
{
	_cleanup_(buffer_done) struct buffer written = {};

	assert_non_null(message);
	assert_int_equal(json_write(&written, message), 0);
	assert_int_equal(buffer_append(&written, "", 1), 0);
	assert_string_equal((const char *)written.data, text);
	json_object_put(message);
}

static void test_builders(void **state)
{
	json_object *parameters = json_object_new_object();

	assert_int_equal(json_set_int(parameters, "a", 1), 0);
	expect_text(varlink_call_new("a.B", parameters, 0),
		    "{\"method\":\"a.B\",\"parameters\":{\"a\":1}}");
	expect_text(varlink_call_new("a.B", NULL, VARLINK_CALL_MORE),
		    "{\"method\":\"a.B\",\"parameters\":{},\"more\":true}");
	expect_text(varlink_call_new("a.B", NULL, VARLINK_CALL_ONEWAY),
		    "{\"method\":\"a.B\",\"parameters\":{},\"oneway\":true}");
	expect_text(varlink_reply_new(NULL, false), "{\"parameters\":{}}");
	expect_text(varlink_reply_new(NULL, true), "{\"parameters\":{},\"continues\":true}");
	expect_text(varlink_error_new("a.E", NULL), "{\"error\":\"a.E\",\"parameters\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_json),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_json_depth),
		cmocka_unit_test(test_json_locale),
		cmocka_unit_test(test_dirty_text),
		cmocka_unit_test(test_json_access),
		cmocka_unit_test(test_json_build),
		cmocka_unit_test(test_json_erase),
		cmocka_unit_test(test_frames_byte_by_byte),
		cmocka_unit_test(test_frames_in_one_piece),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_frame_limit),
		cmocka_unit_test(test_input_is_wiped),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_output_limits),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_builders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
