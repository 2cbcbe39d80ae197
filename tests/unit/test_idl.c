// layers: ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interface definitions: what systemd 257 was seen to accept and refuse, printing, and checking of
 * objects.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "idl.h"
#include "json.h"

#define HEAD       "interface org.example.test\n"
#define TYPE(text) HEAD "type T (a: " text ")\n"

static int parse(const char *text, struct idl **ret, struct idl_fault *ret_fault)
{
	return idl_parse(text, strlen(text), ret, ret_fault);
}

static const char *const accepted[] = {
	HEAD,
	"# first\n\n# second\ninterface a.b\n# end",
	"interface org.varlink.service",
	"interface one",
	"interface Upper.Case1.d-ash",
	"interface\torg.x\r\n\ttype\nT(a:int)",
	TYPE("bool"),
	TYPE("int"),
	TYPE("float"),
	TYPE("string"),
	TYPE("object"),
	TYPE("?[]int"),
	TYPE("?[string]string"),
	TYPE("[](a: int)"),
	TYPE("[string](a: int)"),
	TYPE("(a, b)"),
	TYPE("(a)"),
	TYPE("?(a, b)"),
	TYPE("(a: (b: (c, d)))"),
	TYPE("?T"),
	TYPE("[]T"),
	TYPE("[]Later") "type Later (x: int)",
	HEAD "type E (CRC32C, a_b, b_1_c)",
	HEAD "error E ()",
	HEAD "error E(a: int)",
	HEAD "method M()->()",
	HEAD "method M(a: int) -> (a: int)",
	HEAD "method M(type: int, interface: string, method: bool, error: int) -> ()",
	HEAD "type T (# before\n a: int, # of b\n b: int,\n # of c\n c: int)",
	HEAD "# of M\nmethod M() -> ()\n# of E\nerror E ()",
	/* UTF-8 in a comment */
	HEAD "# \xc3\xa4\n",
};

static const char *const refused[] = {
	"",
	"# only a comment\n",
	"interface",
	"interface \n",
	"interfaceorg.x\n",
	"interface org..x",
	"interface .org",
	"interface org.",
	"interface 1org.x",
	"interface org.x--y",
	"interface org.-x",
	"interface org.x-",
	"interface org.x_y",
	"interface # comment\norg.x",
	HEAD HEAD,
	HEAD "type",
	HEAD "type T",
	HEAD "type T int",
	HEAD "typeT (a: int)",
	HEAD "type T ()",
	HEAD "type T (a: int",
	HEAD "type T (a: int))",
	HEAD "type T (a: int b: int)",
	HEAD "type T (a: int,)",
	HEAD "type T (, a: int)",
	HEAD "type T (a, b,)",
	HEAD "type T (a:)",
	HEAD "type T (a: int, b)",
	HEAD "type T (a, b: int)",
	HEAD "type T (a: int, a: int)",
	HEAD "type T (a, a)",
	HEAD "type E (a-b)",
	HEAD "type E (1a)",
	HEAD "type T (a__b: int)",
	HEAD "type T (a_: int)",
	HEAD "type T (_a: int)",
	HEAD "type t (a: int)",
	HEAD "type T_x (a: int)",
	HEAD "type 1T (a: int)",
	HEAD "method m() -> ()",
	HEAD "error e ()",
	HEAD "type T (a: int)\ntype T (b: int)",
	HEAD "type T (a: int)\nmethod T() -> ()",
	HEAD "method T() -> ()\nerror T ()",
	HEAD "error E",
	HEAD "error E (a, b)",
	HEAD "method M",
	HEAD "method M()",
	HEAD "method M() ()",
	HEAD "method M() -> ",
	HEAD "method M() - > ()",
	HEAD "method M(a, b) -> ()",
	HEAD "method M() -> (a, b)",
	HEAD "union U (a: int)",
	TYPE("[][]int"),
	TYPE("[][string]int"),
	TYPE("[string][string]int"),
	TYPE("[string][]int"),
	TYPE("[]?int"),
	TYPE("[string]?int"),
	TYPE("??int"),
	TYPE("[string]()"),
	TYPE("()"),
	TYPE("[int]int"),
	TYPE("["),
	TYPE("any"),
	TYPE("Int"),
	TYPE("integer"),
	TYPE("boolx"),
	TYPE("org.x.T"),
	TYPE("Missing"),
	TYPE("M") "method M() -> ()",
	HEAD "type T (a: int # after a type\n, b: int)",
	HEAD "type T (a: int # after a type\n)",
	HEAD "type T (a: int\n# before the end\n)",
	HEAD "method M( # nothing\n) -> ()",
	HEAD "method M # between\n() -> ()",
	HEAD "method M() # between\n-> ()",
	HEAD "type # between\nT (a: int)",
	HEAD "# \xff\n",
	HEAD "# \xc0\x80\n",
	HEAD "# \x01\n",
	HEAD "type T (\xc3\xa4: int)",
};

static void test_accepted(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(accepted); i++) {
		struct idl_fault fault = {};
		struct idl *idl = NULL;

		if (parse(accepted[i], &idl, &fault) < 0)
			fail_msg("refused, line %u: %s\n%s", fault.line, fault.reason, accepted[i]);
		assert_null(idl_free(idl));
	}
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
		struct idl_fault fault = {};
		struct idl *idl = NULL;

		if (parse(refused[i], &idl, &fault) != -EINVAL)
			fail_msg("not refused:\n%s", refused[i]);
		assert_null(idl);
		assert_non_null(fault.reason);
		assert_in_range(fault.line, 1, 5);
	}
}

static void test_fault_line(void **state)
{
	struct idl_fault fault;
	struct idl *idl;

	assert_int_equal(parse(HEAD "\ntype T (\n\ta: int,\n\tb: wrong\n)\n", &idl, &fault),
			 -EINVAL);
	assert_int_equal(fault.line, 5);
	assert_string_equal(fault.reason, "not a type");
	assert_int_equal(parse(HEAD "# ok\n# \xff\n", &idl, &fault), -EINVAL);
	assert_int_equal(fault.line, 3);
}

static void test_embedded_nul(void **state)
{
	static const char text[] = HEAD "# a\0b\n", after[] = HEAD "\0";
	struct idl *idl;

	assert_int_equal(idl_parse(text, sizeof(text) - 1, &idl, NULL), -EINVAL);
	assert_int_equal(idl_parse(after, sizeof(after) - 1, &idl, NULL), -EINVAL);
}

/* "type T (a: (a: ... (a: int)))" with @depth opening parentheses. */
static int parse_depth(unsigned depth)
{
	_cleanup_(buffer_done) struct buffer text = {};
	_cleanup_(idl_freep) struct idl *idl = NULL;

	assert_int_equal(buffer_append_string(&text, HEAD "type T "), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buffer_append_string(&text, "(a: "), 0);
	assert_int_equal(buffer_append_string(&text, "int"), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buffer_append_string(&text, ")"), 0);
	return idl_parse((const char *)text.data, text.length, &idl, NULL);
}

/* A struct of @n fields. */
static int parse_fields(unsigned n)
{
	_cleanup_(buffer_done) struct buffer text = {};
	_cleanup_(idl_freep) struct idl *idl = NULL;

	assert_int_equal(buffer_append_string(&text, HEAD "type T (first: int"), 0);
	for (unsigned i = 1; i < n; i++)
		assert_int_equal(buffer_printf(&text, ", f%u: int", i), 0);
	assert_int_equal(buffer_append_string(&text, ")"), 0);
	return idl_parse((const char *)text.data, text.length, &idl, NULL);
}

static void test_limits(void **state)
{
	_cleanup_free_ char *large = malloc(IDL_TEXT_MAX + 1);
	_cleanup_(idl_freep) struct idl *idl = NULL;

	assert_int_equal(parse_depth(IDL_DEPTH_MAX), 0);
	assert_int_equal(parse_depth(IDL_DEPTH_MAX + 1), -EINVAL);
	assert_int_equal(parse_fields(IDL_MEMBERS_MAX), 0);
	assert_int_equal(parse_fields(IDL_MEMBERS_MAX + 1), -E2BIG);
	assert_non_null(large);
	memset(large, ' ', IDL_TEXT_MAX + 1);
	memcpy(large, HEAD, strlen(HEAD));
	assert_int_equal(idl_parse(large, IDL_TEXT_MAX + 1, &idl, NULL), -E2BIG);
	assert_int_equal(idl_parse(large, IDL_TEXT_MAX, &idl, NULL), 0);
	memset(large, 'a', IDL_TEXT_MAX);
	memcpy(large, "interface ", 10);
	assert_int_equal(idl_parse(large, 10 + IDL_NAME_MAX + 1, &idl, NULL), -E2BIG);
}

/* Whatever is cut off the end of a definition, it is refused or still complete, and nothing breaks.
 */
static void test_truncated(void **state)
{
	static const char text[] = HEAD "# c\ntype T (a: ?[](b: int), c: [string]E)\n"
					"type E (x, y)\nmethod M(t: T) -> ()\nerror F ()";

	for (size_t length = 0; length < sizeof(text); length++) {
		_cleanup_(idl_freep) struct idl *idl = NULL;
		_cleanup_free_ char *copy = malloc(length + 1);
		int r;

		/* Exactly as long as told, for the sanitizer. */
		assert_non_null(copy);
		memcpy(copy, text, length);
		r = idl_parse(copy, length, &idl, NULL);
		assert_true(r == 0 || r == -EINVAL);
		if (length == sizeof(text) - 1)
			assert_int_equal(r, 0);
	}
}

static void print(const char *text, struct buffer *ret)
{
	_cleanup_(idl_freep) struct idl *idl = NULL;

	assert_int_equal(parse(text, &idl, NULL), 0);
	assert_int_equal(idl_print(idl, ret), 0);
	assert_int_equal(buffer_append(ret, "", 1), 0);
}

static void test_print_is_stable(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(accepted); i++) {
		_cleanup_(buffer_done) struct buffer once = {}, twice = {};

		print(accepted[i], &once);
		print((const char *)once.data, &twice);
		assert_string_equal((const char *)once.data, (const char *)twice.data);
	}
}

static void test_print_form(void **state)
{
	_cleanup_(buffer_done) struct buffer printed = {};

	print("# Top.\n\n#\n# More.\ninterface  a.b\n"
	      "# Of T\ntype T(a:?[]int,# of b\nb:(x,y),c:[string](d:object))\n\n\n"
	      "# A remark\n\n# Of M\nmethod M()->(t:T) error E() # end",
	      &printed);
	assert_string_equal((const char *)printed.data, "# Top.\n\n#\n# More.\ninterface a.b\n\n"
							"# Of T\ntype T (\n"
							"\ta: ?[]int,\n"
							"\t# of b\n"
							"\tb: (x, y),\n"
							"\tc: [string](\n\t\td: object\n\t)\n"
							")\n\n"
							"# A remark\n\n# Of M\n"
							"method M() -> (\n\tt: T\n)\n\n"
							"error E ()\n\n# end\n");
}

static const char check_text[] = "interface org.example.check\n"
				 "type Color (red, green)\n"
				 "type Point (x: int, y: ?int)\n"
				 "type Tree (children: ?[]Tree, leaf: ?Tree)\n"
				 "method M(\n"
				 "	number: ?int, flag: ?bool, real: ?float, text: ?string, "
				 "any_object: ?object, color: ?Color,\n"
				 "	point: ?Point, points: ?[]Point, names: ?[string]string, "
				 "inline: ?(a: (on, off)), tree: ?Tree\n"
				 ") -> (must: int)\n";

static const struct {
	const char *json;
	const char *field; /* NULL: fine */
	const char *peer;  /* field for IDL_PEER */
	const char *reply; /* for IDL_REPLY */
} checks[] = {
	{ .json = "{}" },
	{ .json = "{\"number\":null,\"text\":null,\"points\":null}" },
	{ .json = "{\"number\":-5}" },
	{ "{\"number\":\"-5\"}", .reply = "number" },
	{ "{\"number\":1.0}", .reply = "number" },
	{ .json = "{\"number\":9223372036854775807}" },
	{ .json = "{\"number\":-9223372036854775808}" },
	{ "{\"number\":9223372036854775808}", "number", "number", "number" },
	{ "{\"number\":18446744073709551616}", "number", "number", "number" },
	{ "{\"number\":\"9223372036854775808\"}", "number", "number", "number" },
	{ "{\"number\":\"0x10\"}", "number", "number", "number" },
	{ "{\"number\":1.5}", "number", "number", "number" },
	{ "{\"number\":true}", "number", "number", "number" },
	{ .json = "{\"flag\":false}" },
	{ "{\"flag\":0}", "flag", "flag", "flag" },
	{ "{\"flag\":\"true\"}", "flag", "flag", "flag" },
	{ .json = "{\"real\":1}" },
	{ .json = "{\"real\":1.25}" },
	{ "{\"real\":\"1\"}", "real", "real", "real" },
	{ .json = "{\"text\":\"\"}" },
	{ "{\"text\":1}", "text", "text", "text" },
	{ .json = "{\"any_object\":{\"what\":[null]}}" },
	{ "{\"any_object\":[]}", "any_object", "any_object", "any_object" },
	{ .json = "{\"color\":\"green\"}" },
	{ "{\"color\":\"blue\"}", "color", NULL, "color" },
	{ "{\"color\":1}", "color", "color", "color" },
	{ .json = "{\"point\":{\"x\":1}}" },
	{ .json = "{\"point\":{\"x\":1,\"y\":2}}" },
	{ "{\"point\":{\"y\":1}}", "point", "point", "point" },
	{ "{\"point\":{\"x\":null}}", "point", "point", "point" },
	{ "{\"point\":{\"x\":1,\"z\":1}}", "point", NULL, "point" },
	{ "{\"point\":[]}", "point", "point", "point" },
	{ .json = "{\"points\":[]}" },
	{ .json = "{\"points\":[{\"x\":1},{\"x\":2}]}" },
	{ "{\"points\":[{\"x\":1},null]}", "points", "points", "points" },
	{ "{\"points\":{\"x\":1}}", "points", "points", "points" },
	{ .json = "{\"names\":{\"any key\":\"v\",\"\":\"v\"}}" },
	{ "{\"names\":{\"a\":1}}", "names", "names", "names" },
	{ "{\"names\":{\"a\":null}}", "names", "names", "names" },
	{ "{\"names\":[]}", "names", "names", "names" },
	{ .json = "{\"inline\":{\"a\":\"on\"}}" },
	{ "{\"inline\":{}}", "inline", "inline", "inline" },
	{ .json = "{\"tree\":{\"children\":[{},{\"leaf\":{}}]}}" },
	{ "{\"tree\":{\"children\":[{},{\"leaf\":1}]}}", "tree", "tree", "tree" },
	{ "{\"unknown\":1}", "unknown", NULL, "unknown" },
	{ "{\"number\":1,\"Number\":1}", "Number", NULL, "Number" },
	{ "{\"unknown\":null}", "unknown", NULL, "unknown" },
};

static void check_one(const struct idl_type *type, const char *json, enum idl_side side,
		      const char *field)
{
	_cleanup_json_ json_object *object = NULL;
	struct idl_mismatch mismatch = {};
	int r;

	assert_int_equal(json_parse(json, strlen(json), &object), 0);
	r = idl_check(type, object, side, &mismatch);
	if (r != (field ? -EINVAL : 0))
		fail_msg("side %d: %s: %d, %s", side, json, r, mismatch.reason ?: "no reason");
	if (!field)
		return;
	assert_string_equal(mismatch.field, field);
	assert_non_null(mismatch.reason);
}

static void test_check(void **state)
{
	_cleanup_(idl_freep) struct idl *idl = NULL;
	const struct idl_member *method;

	assert_int_equal(parse(check_text, &idl, NULL), 0);
	method = idl_find(idl, IDL_METHOD, "M");
	assert_non_null(method);
	assert_null(idl_find(idl, IDL_TYPE, "M"));
	assert_null(idl_find(idl, IDL_METHOD, "m"));
	for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
		check_one(&method->type, checks[i].json, IDL_CALL, checks[i].field);
		check_one(&method->type, checks[i].json, IDL_PEER, checks[i].peer);
		check_one(&method->type, checks[i].json, IDL_REPLY, checks[i].reply);
	}
	check_one(&method->output, "{\"must\":1}", IDL_REPLY, NULL);
	check_one(&method->output, "{}", IDL_REPLY, "must");
	check_one(&method->output, "{\"must\":null}", IDL_PEER, "must");
	assert_int_equal(idl_check(&method->type, NULL, IDL_CALL, NULL), 0);
	assert_int_equal(idl_check(&method->output, NULL, IDL_CALL, NULL), -EINVAL);
}

static void test_check_nul(void **state)
{
	_cleanup_(idl_freep) struct idl *idl = NULL;
	_cleanup_json_ json_object *object = json_object_new_object();
	struct idl_mismatch mismatch;

	assert_int_equal(parse(check_text, &idl, NULL), 0);
	assert_int_equal(json_set(object, "text", json_object_new_string_len("a\0b", 3)), 0);
	assert_int_equal(
		idl_check(&idl_find(idl, IDL_METHOD, "M")->type, object, IDL_REPLY, &mismatch),
		-EINVAL);
	assert_string_equal(mismatch.field, "text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_fault_line),      cmocka_unit_test(test_embedded_nul),
		cmocka_unit_test(test_limits),          cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_print_is_stable), cmocka_unit_test(test_print_form),
		cmocka_unit_test(test_check),           cmocka_unit_test(test_check_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
