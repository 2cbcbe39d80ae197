// layers: ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names, addresses, numbers and text from outside: what is accepted can be written and is then read
 * as the same; what is escaped is clean, however little room there is.
 */
#include <string.h>

#include "address.h"
#include "cleanup.h"
#include "fuzz.h"
#include "parse.h"

static void check_portal(const char *text)
{
	char address[PORTAL_ADDRESS_MAX], again[PORTAL_ADDRESS_MAX], written[PORTAL_TEXT_MAX];
	uint16_t port, again_port;
	int tag;

	if (portal_parse(text, ISCSI_PORT, address, sizeof(address), &port, &tag) < 0)
		return;
	FUZZ_CHECK(port > 0 && tag >= -1 && tag <= UINT16_MAX);
	FUZZ_CHECK(text_is_clean(address, strlen(address)));
	portal_format(address, port, written);
	FUZZ_CHECK(portal_parse(written, 1, again, sizeof(again), &again_port, NULL) == 0);
	FUZZ_CHECK(strcmp(address, again) == 0 && port == again_port);
}

/* One form of each address, also of what a target says about itself. */
static void check_address(const char *text)
{
	char address[PORTAL_ADDRESS_MAX], again[PORTAL_ADDRESS_MAX];

	if (address_normalize(text, address, sizeof(address)) < 0)
		return;
	FUZZ_CHECK(address_normalize(address, again, sizeof(again)) == 0);
	FUZZ_CHECK(strcmp(address, again) == 0);
	FUZZ_CHECK(address_is_numeric(text) == address_is_numeric(address));
	FUZZ_CHECK(address_is_wildcard(text) == address_is_wildcard(address));
	if (address_localize(address, sizeof(address), "192.0.2.1", "eth0"))
		return;
	FUZZ_CHECK(!address_is_wildcard(address));
	FUZZ_CHECK(!address_is_link_local(address) || strcmp(address_scope(address), "eth0") == 0);
	FUZZ_CHECK(address_normalize(address, again, sizeof(again)) == 0);
	FUZZ_CHECK(strcmp(address, again) == 0);
}

static void check_name(const char *text)
{
	const char *why = NULL;

	if (iscsi_name_check(text, &why) < 0) {
		FUZZ_CHECK(why);
		return;
	}
	FUZZ_CHECK(iscsi_target_name_check(text, NULL) == 0);
	FUZZ_CHECK(strlen(text) <= ISCSI_NAME_MAX && text_is_clean(text, strlen(text)));
}

static void check_numbers(const char *text)
{
	char written[32];
	uint64_t number;
	int64_t integer;

	if (parse_u64(text, 0, UINT64_MAX, &number) == 0) {
		(void)snprintf(written, sizeof(written), "%llu", (unsigned long long)number);
		FUZZ_CHECK(strcmp(text + strspn(text, "0"), written + (number == 0)) == 0);
	}
	if (parse_i64(text, INT64_MIN, INT64_MAX, &integer) == 0)
		FUZZ_CHECK((*text == '-') == (integer < 0) || integer == 0);
}

static void check_hex(const char *text, size_t length, size_t room)
{
	_cleanup_free_ uint8_t *bytes = malloc(room ? room : 1);
	_cleanup_free_ char *written = malloc(2 * room + 1);
	size_t n;

	FUZZ_CHECK(bytes && written);
	if (hex_decode(text, length, bytes, room, &n) < 0)
		return;
	FUZZ_CHECK(n <= room);
	hex_encode(bytes, n, written);
	FUZZ_CHECK(strncasecmp(written + length % 2, text, length) == 0);
}

static void check_base64(const char *text, size_t length, size_t room)
{
	_cleanup_free_ uint8_t *bytes = malloc(room ? room : 1);
	_cleanup_free_ char *written = malloc(BASE64_SIZE(room));
	size_t n;

	FUZZ_CHECK(bytes && written);
	if (base64_decode(text, length, bytes, room, &n) < 0)
		return;
	FUZZ_CHECK(n <= room);
	base64_encode(bytes, n, written);
	FUZZ_CHECK(strlen(written) == length && memcmp(written, text, length) == 0);
}

static void check_escape(const char *text, size_t length, size_t room)
{
	_cleanup_free_ char *escaped = malloc(room + 1);
	size_t n;

	FUZZ_CHECK(escaped);
	n = text_escape(text, length, escaped, room + 1);
	FUZZ_CHECK(n <= room && strlen(escaped) == n && text_is_clean(escaped, n));
	if (text_is_clean(text, length) && !memchr(text, '\\', length) && length <= room)
		FUZZ_CHECK(n == length && memcmp(text, escaped, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;
	bool boolean;

	if (size == 0)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	FUZZ_CHECK(text);
	check_portal(text);
	check_address(text);
	check_name(text);
	check_numbers(text);
	(void)parse_boolean(text, &boolean);
	check_hex((const char *)data + 1, size - 1, data[0]);
	check_base64((const char *)data + 1, size - 1, data[0]);
	check_escape((const char *)data + 1, size - 1, data[0]);
	return 0;
}
