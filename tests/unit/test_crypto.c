// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The crypto library with and without a demand for FIPS. The second test changes it for good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chap.h"
#include "crypto.h"
#include "eventlog.h"
#include "parse.h"

static sd_event *loop;
static struct journal *journal;
static struct eventlog *logbook;

static int set_up(void **state)
{
	assert_int_equal(sd_event_new(&loop), 0);
	assert_int_equal(journal_new(loop, "/nonexistent/socket", &journal), 0);
	assert_int_equal(eventlog_new(loop, journal, 10, &logbook), 0);
	return 0;
}

static int tear_down(void **state)
{
	logbook = eventlog_free(logbook);
	journal = journal_free(journal);
	loop = sd_event_unref(loop);
	return 0;
}

/* ISIDs are made from it: another one would add sessions after an upgrade. */
static void check_hash(const struct crypto *crypto)
{
	char text[2 * CRYPTO_HASH_LENGTH + 1];
	uint8_t hash[CRYPTO_HASH_LENGTH];

	assert_int_equal(crypto_hash(crypto, "abc", 3, hash), 0);
	hex_encode(hash, sizeof(hash), text);
	assert_string_equal(text,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_as_it_is(void **state)
{
	struct crypto *crypto;

	assert_int_equal(crypto_new(false, logbook, &crypto), 0);
	assert_false(crypto_lacks_fips(crypto));
	assert_int_equal(eventlog_last(logbook), 0);
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++)
		assert_true(chap_algorithm_available(a));
	check_hash(crypto);
	assert_null(crypto_free(crypto));
	assert_null(crypto_free(NULL));
}

/* Nothing that protects something works, rather than being done in another way. */
static void test_fips_missing(void **state)
{
	const struct eventlog_entry *entry;
	struct crypto *crypto;

	(void)setenv("OPENSSL_MODULES", "/nonexistent", 1);
	assert_int_equal(crypto_new(true, logbook, &crypto), 0);
	assert_true(crypto_lacks_fips(crypto));
	assert_int_equal(eventlog_last(logbook), 1);
	entry = eventlog_after(logbook, 0);
	assert_int_equal(event_type(entry->event)->number, EVENT_FIPS_UNAVAILABLE);
	assert_non_null(strstr(event_get(entry->event, FIELD_STATUS_TEXT), "/nonexistent/fips.so"));
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++)
		assert_false(chap_algorithm_available(a));
	check_hash(crypto);
	assert_null(crypto_free(crypto));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fips_missing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
